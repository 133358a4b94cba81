"""Passwords compared with bcrypt hashes, in a few threads of low priority, behind a short fair queue.

A hash takes 211 ms at cost 12, and anyone may ask for one. So a core is left free, and the queue is shared out by
source: each has its turn, and the one with the most checks waiting loses one first when the queue is full.

How long a check takes must not tell why it failed; no password outlives its check, or is logged.
"""

import os
import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import bcrypt
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from cmdserver.auth.password_hash import COST, MAX_BYTES
from cmdserver.core.addresses import block_of
from cmdserver.core.errors import Busy
from cmdserver.limits.fair_queue import FairQueue, QueueEntry

#: More threads than this only help an attacker.
_MAX_THREADS = 4
#: setpriority(2): the threads yield to everything else on the host, but are not starved by it.
_NICENESS = 10
#: What a client is told to wait that was turned away for good.
_STOPPING_SECONDS = 5.0

_COST = re.compile(rb"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$")
#: Of any cost; there is no password for it that anybody knows, and none would count.
_NOBODYS_HASH = b"$2b$%02d$" + b"." * 53


def highest_cost(hashes: Iterable[bytes]) -> int:
    """Find the highest cost of all bcrypt hashes: what every wrong password is made to cost."""
    return max((cost for hashed in hashes if (cost := _cost_of(hashed)) is not None), default=COST)


def is_match(password: bytes, hashed: bytes | None, cost: int) -> bool:
    """Compare a password with a hash; when it is wrong, for whatever reason, in the time of a hash of the given cost.

    Hashes of one file differ in cost (``htpasswd -B`` writes 5, we write 12), and one of cost 5 is computed in a
    hundredth of the time. So that a name that exists is not told by that, cheap ones are made up for.

    Args:
        password: As it came. One that is too long for bcrypt, or holds a NUL, which other implementations take for its
            end, never matches.
        hashed: None if there is no such user; then, or if it is no bcrypt hash, nothing matches.
        cost: `highest_cost` of all hashes, 4 to 31.
    """
    may_match = len(password) <= MAX_BYTES and b"\0" not in password
    left: Iterable[int] = (cost,)
    if hashed is not None and (spent := _cost_of(hashed)) is not None:
        with suppress(ValueError):  # no bcrypt hash after all: found before anything is computed
            if bcrypt.checkpw(password if may_match else b"", hashed) and may_match:
                return True
            # Each step doubles the time: 2^5 and 2^5 + 2^6 + ... + 2^11 are 2^12.
            left = range(spent, cost)
    for each in left:
        bcrypt.checkpw(b"", _NOBODYS_HASH % each)
    return False


def _cost_of(hashed: bytes) -> int | None:
    match = _COST.match(hashed)
    return int(match[1]) if match else None


def threads_for(cores: int) -> int:
    """Say how many threads may compute hashes on a host: at most half of it, and at least one."""
    return max(1, min(_MAX_THREADS, cores // 2))


class HashingThread(threading.Thread):
    """A daemon thread at nice 10."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, daemon=True)

    def run(self) -> None:
        """Lower the priority, then work."""
        with suppress(OSError):  # forbidden in some sandboxes; it makes things better, nothing depends on it
            # To Linux a thread is a process here, whatever POSIX says: setpriority(2), "C library/kernel differences".
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        super().run()


class HashingThreads(ThreadPool):
    """So many threads, started when first needed."""

    threadFactory = HashingThread

    def __init__(self, threads: int) -> None:
        super().__init__(minthreads=0, maxthreads=threads, name="hashing")


class _Check(QueueEntry):
    """One password on its way through the queue."""

    __slots__ = ("began_at", "deferred", "lane", "question")

    def __init__(self, lane: str, question: tuple[bytes, bytes | None, int], deferred: Deferred[bool]) -> None:
        super().__init__("password", None)
        self.lane = lane
        self.question = question
        self.deferred = deferred
        self.began_at = 0.0


class PasswordVerifier:
    """The queue in front of the threads.

    Args:
        reactor: Where results are delivered.
        threads: Started when first needed, stopped by `stop`; never given more than they can do at once.
        queued: Checks that may wait, >= 0. A hundred wait some 20 s at cost 12 on one thread, which is the better part
            of ``login_seconds``.
        per_source: Checks that one source may have waiting or running, >= 1. A source is what `block_of` says.
    """

    def __init__(self, reactor: Any, threads: ThreadPool, *, queued: int = 100, per_source: int = 25) -> None:
        self.per_source = per_source
        self._reactor = reactor
        self._threads = threads
        self._fair_queue: FairQueue[_Check] = FairQueue(threads.max, queued)
        self._by_lane: dict[str, dict[_Check, None]] = {}
        self._is_started = False
        self._stopping: Deferred[None] | None = None

    def verify(self, password: bytes, hashed: bytes | None, *, source: str, cost: int) -> Deferred[bool]:
        """Find out whether a password is right, as `is_match` says.

        What cancels the Deferred gives up: a check that waits leaves the queue; one that runs is not heard of again.

        Returns:
            The answer; or Busy, at once or later, when others need the place more.
        """
        lane = block_of(source)
        if self._stopping is not None:
            return fail(_stopping())
        if len(self._by_lane.get(lane, ())) >= self.per_source:
            return fail(Busy("too many logins from your address are being checked", self._fair_queue.wait_seconds()))
        check = _Check(lane, (password, hashed, cost), Deferred(lambda _: self._give_up(check)))
        try:
            loser = self._fair_queue.ask(check, lane)
        except Busy:
            return fail(self._too_many())
        self._by_lane.setdefault(lane, {})[check] = None
        if loser is not None:
            self._forget(loser)
        self._advance()
        if loser is not None:
            _answer(loser, Failure(self._too_many()))
        return check.deferred

    def stop(self) -> Deferred[None]:
        """Turn away all who wait, and stop the threads; to be called once.

        Returns:
            Fires when the hashes that are being computed are finished, in a fraction of a second as a rule. Who does
            not wait for that may exit without.
        """
        self._stopping = Deferred()
        waiting = [check for checks in self._by_lane.values() for check in checks if check.lanes]
        for check in waiting:
            self._give_up(check)
        for check in waiting:
            _answer(check, Failure(_stopping()))
        if not self._fair_queue.running:
            self._stop_threads()
            return succeed(None)
        return self._stopping

    def _advance(self) -> None:
        while (check := self._fair_queue.grant()) is not None:
            if not self._is_started:
                self._is_started = True
                self._threads.start()
            check.began_at = self._reactor.seconds()
            deferToThreadPool(self._reactor, self._threads, is_match, *check.question).addBoth(self._finished, check)

    def _finished(self, result: bool | Failure, check: _Check) -> None:  # noqa: FBT001 - it is the answer
        self._fair_queue.leave(check, self._reactor.seconds() - check.began_at)
        self._forget(check)
        if self._stopping is None:
            self._advance()
        elif not self._fair_queue.running:
            self._stop_threads()
            self._stopping.callback(None)
        _answer(check, result)

    def _stop_threads(self) -> None:
        if self._is_started:
            self._threads.stop()

    def _give_up(self, check: _Check) -> None:
        if check.lanes:  # it waits
            self._fair_queue.withdraw(check)
            self._forget(check)

    def _forget(self, check: _Check) -> None:
        checks = self._by_lane[check.lane]
        del checks[check]
        if not checks:
            del self._by_lane[check.lane]

    def _too_many(self) -> Busy:
        return Busy("too many logins are being checked", self._fair_queue.wait_seconds())


def _answer(check: _Check, result: bool | Failure) -> None:  # noqa: FBT001 - it is the answer
    """Fire a check's Deferred unless it was cancelled; call it last, as callbacks may re-enter."""
    if not check.deferred.called:
        check.deferred.callback(result)


def _stopping() -> Busy:
    return Busy("the server is going down", _STOPPING_SECONDS)
