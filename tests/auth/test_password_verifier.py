"""Passwords and bcrypt hashes: what matches, what it costs, and who waits for whom."""

import os
import threading
from collections.abc import Callable
from typing import Any, cast

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cmdserver.auth import password_verifier
from cmdserver.auth.password_verifier import HashingThreads, PasswordVerifier, highest_cost, is_match, threads_for
from cmdserver.core.errors import Busy
from tests.doubles import LAW

SOURCE = "192.0.2.1"
OTHER = "192.0.2.2"
RIGHT = b"open sesame"
HASHED = bcrypt.hashpw(RIGHT, bcrypt.gensalt(4))
MALFORMED = (b"", b"x", b"$2b$04$short", b"$2b$99$" + b"." * 53, b"$2b$04$" + b"/" * 53, b"$6$rounds=5$a$b")


class FakeReactor(Clock):
    """A clock; what threads ask for happens when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Callable[[], object]] = []

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None:  # noqa: A002 - Twisted's name
        self.asked.append(lambda: callable(*args))

    def iterate(self) -> None:
        asked, self.asked = self.asked, []
        for each in asked:
            each()


class FakeThreads:
    """Threads that work when they are told to."""

    def __init__(self, most: int = 1) -> None:
        self.max = most
        self.is_started = False
        self.is_stopped = False
        self.jobs: list[tuple[Callable[[bool, Any], object], Callable[..., Any], tuple[Any, ...]]] = []

    def start(self) -> None:
        assert not self.is_started
        self.is_started = True

    def stop(self) -> None:
        assert self.is_started
        assert not self.jobs, "a real pool would keep the reactor waiting"
        assert not self.is_stopped
        self.is_stopped = True

    def callInThreadWithCallback(
        self, onResult: Callable[[bool, Any], object] | None, func: Callable[..., Any], /, *args: Any
    ) -> None:
        assert self.is_started
        assert onResult is not None
        self.jobs.append((onResult, func, args))
        assert len(self.jobs) <= self.max, "the line is ours, not the pool's"

    def work(self) -> None:
        """Do the first job."""
        deliver, function, args = self.jobs.pop(0)
        try:
            result = function(*args)
        except BaseException:  # noqa: BLE001 - as ThreadPool
            deliver(False, Failure())
        else:
            deliver(True, result)


class MatchTests(SynchronousTestCase):
    """One password, one hash."""

    def setUp(self) -> None:
        self.costs: list[int] = []
        checkpw = bcrypt.checkpw

        def counting(password: bytes, hashed: bytes) -> bool:
            result = checkpw(password, hashed[:4] + b"04" + hashed[6:])
            self.costs.append(int(hashed[4:6]))
            return result

        self.patch(bcrypt, "checkpw", counting)

    def test_right(self) -> None:
        """The right password matches, whichever program wrote the hash, at the price of its own hash."""
        for version in (b"2a", b"2b", b"2y"):
            self.assertTrue(is_match(RIGHT, b"$" + version + HASHED[3:], 12))
        self.assertEqual(self.costs, [4, 4, 4])

    def _assert_no_match(self, password: bytes, hashed: bytes | None, cost: int = 12) -> None:
        self.costs.clear()
        self.assertIs(is_match(password, hashed, cost), False)
        self.assertEqual(sum(2**each for each in self.costs), 2**cost, "a wrong one costs what all wrong ones cost")

    def test_wrong(self) -> None:
        """A wrong password, an unknown user and a hash that is none cost the same."""
        self._assert_no_match(b"wrong", HASHED)
        self._assert_no_match(RIGHT, None)
        self._assert_no_match(b"", None)
        for hashed in MALFORMED:
            self._assert_no_match(RIGHT, hashed)

    def test_cheap_hashes_are_made_up_for(self) -> None:
        """Whether a user has a hash of cost 5 or 12, or is none, is not told by the time."""
        for cost in range(4, 13):
            self._assert_no_match(b"wrong", b"$2b$%02d$" % cost + HASHED[7:])

    def test_too_long(self) -> None:
        """A password that bcrypt would look at only the start of never matches."""
        hashed = bcrypt.hashpw(b"a" * 72, bcrypt.gensalt(4))
        self.assertTrue(is_match(b"a" * 72, hashed, 4))
        self._assert_no_match(b"a" * 73, hashed)
        self._assert_no_match(b"a" * 100_000, hashed)

    def test_nul(self) -> None:
        """A NUL ends the password for some implementations, so it never matches."""
        self._assert_no_match(RIGHT + b"\0", HASHED)
        self._assert_no_match(RIGHT + b"\0more", HASHED)
        self._assert_no_match(b"\0", bcrypt.hashpw(b"", bcrypt.gensalt(4)))
        self._assert_no_match(b"a\0b", bcrypt.hashpw(b"a\0b", bcrypt.gensalt(4)))

    def test_a_dearer_hash_than_expected(self) -> None:
        """The cost that was passed in may be older than the hash."""
        self.assertFalse(is_match(b"wrong", b"$2b$13$" + HASHED[7:], 12))
        self.assertEqual(self.costs, [13])


@LAW
@given(st.binary(max_size=80), st.none() | st.binary(max_size=64) | st.sampled_from([*MALFORMED, HASHED]))
def test_nothing_but_the_password_matches(password: bytes, hashed: bytes | None) -> None:
    """Any bytes are an answer, never an exception."""
    assert is_match(password, hashed, 4) is (password == RIGHT and hashed == HASHED)


def test_highest_cost() -> None:
    """That of the dearest hash; without any, bcrypt's default."""
    rest = b"." * 53
    assert highest_cost([]) == 12
    assert highest_cost(MALFORMED) == 4, "one is short, but a hash by its start"
    assert highest_cost([b"", b"$2b$32$" + rest, b"$2b$03$" + rest]) == 12
    assert highest_cost([b"$2y$05$" + rest, b"$2a$11$" + rest, b"$2b$10$" + rest, b"$2b$99$" + rest]) == 11


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (64, 4)])
def test_a_core_is_left_free(cores: int, threads: int) -> None:
    """Hashing takes half of the cores, as long as that is at least one and not too many."""
    assert threads_for(cores) == threads


class VerifierTests(SynchronousTestCase):
    """The line in front of the threads."""

    def setUp(self) -> None:
        self._make()

    def _make(self, threads: int = 1, queued: int = 100, per_source: int = 25) -> None:
        self.reactor = FakeReactor()
        self.threads = FakeThreads(threads)
        self.verifier = PasswordVerifier(self.reactor, cast("Any", self.threads), queued=queued, per_source=per_source)

    def _verify(
        self, source: str = SOURCE, password: bytes = RIGHT, hashed: bytes | None = HASHED, cost: int = 4
    ) -> Deferred[bool]:
        return self.verifier.verify(password, hashed, source=source, cost=cost)

    def _work(self, seconds: float = 0.2) -> None:
        self.reactor.advance(seconds)
        self.threads.work()
        self.reactor.iterate()

    def _busy(self, verification: Deferred[bool]) -> Busy:
        error = self.failureResultOf(verification, Busy).value
        assert isinstance(error, Busy)
        return error

    def test_answers(self) -> None:
        """The right password, a wrong one, and one of nobody."""
        right, wrong, nobody = self._verify(), self._verify(password=b"wrong"), self._verify(hashed=None)
        self.assertEqual((self.verifier._fair_queue.running, self.verifier._fair_queue.queued), (1, 2))
        for _ in range(3):
            self._work()
        self.assertIs(self.successResultOf(right), True)
        self.assertIs(self.successResultOf(wrong), False)
        self.assertIs(self.successResultOf(nobody), False)
        self.assertEqual((self.verifier._fair_queue.running, self.verifier._fair_queue.queued), (0, 0))

    def test_started_when_needed(self) -> None:
        """Threads do not survive the fork of a daemon, and most daemons never check a password."""
        self.assertFalse(self.threads.is_started)
        self._verify()
        self.assertTrue(self.threads.is_started)

    def test_delivered_in_the_reactors_thread(self) -> None:
        """A thread hands the answer over; it does not tell it."""
        verification = self._verify()
        self.threads.work()
        self.assertNoResult(verification)
        self.reactor.iterate()
        self.assertTrue(self.successResultOf(verification))

    def test_no_more_than_the_threads_can_do(self) -> None:
        """The rest waits here, where it can be withdrawn."""
        self._make(threads=2)
        for _ in range(5):
            self._verify()
        self.assertEqual((len(self.threads.jobs), self.verifier._fair_queue.queued), (2, 3))

    def test_a_full_line(self) -> None:
        """When all places are taken by others with as few, who comes last is refused at once, and told how long."""
        self._make(queued=2)
        for number in range(3):
            self._verify(source=f"192.0.2.{number}")
        error = self._busy(self._verify(source="192.0.2.9"))
        self.assertIn("too many logins are being checked; try again in 1 s", str(error))

    def test_a_source_that_asks_for_too_much(self) -> None:
        """It is refused while there is room for others; its addresses count as one."""
        self._make(per_source=3)
        for number in range(3):
            self._verify(source=f"2001:db8::{number}")
        self.assertIn("from your address", str(self._busy(self._verify(source="2001:db8::9"))))
        self.assertNoResult(self._verify(source="2001:db8:0:1::9"))
        self._work()
        self.assertNoResult(self._verify(source="2001:db8::9"))

    def test_each_source_has_its_turn(self) -> None:
        """One password from elsewhere does not wait for twenty."""
        many = [self._verify() for _ in range(20)]
        one = self._verify(source=OTHER)
        for _ in range(3):
            self._work()
        self.assertTrue(self.successResultOf(one))
        self.assertNoResult(many[2])

    def test_room_is_made(self) -> None:
        """A source with many places loses the last of them to who comes last."""
        self._make(queued=10)
        many = [self._verify() for _ in range(11)]
        one = self._verify(source=OTHER)
        self._busy(many[-1])
        self.assertNoResult(many[-2])
        self.assertNoResult(one)
        self.assertEqual(self.verifier._fair_queue.queued, 10)

    def test_the_wait_is_learned(self) -> None:
        """What the refused are told grows with how long hashes take."""
        self._make(per_source=1)
        for _ in range(50):
            self._verify()
            self._work(seconds=30)
        self._verify()
        self.assertGreater(self._busy(self._verify()).retry_after_seconds, 25)

    def test_gone_while_waiting(self) -> None:
        """Nothing is computed for a client that has left, and its place is free."""
        self._make(queued=1)
        first, second = self._verify(), self._verify()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.verifier._fair_queue.queued, 0)
        third = self._verify(password=b"wrong")
        self._work()
        self._work()
        self.assertEqual((self.successResultOf(first), self.successResultOf(third)), (True, False))
        self.assertEqual(self.threads.jobs, [])

    def test_gone_while_running(self) -> None:
        """The thread finishes what nobody hears; till then it counts for the source, who might do it again."""
        self._make(per_source=1)
        verification = self._verify()
        verification.cancel()
        self.failureResultOf(verification, CancelledError)
        self._busy(self._verify())
        self._work()
        self.assertNoResult(self._verify())

    def test_a_fault(self) -> None:
        """What goes wrong in a thread fails the check, and the next one runs."""

        def broken(*_: object) -> bool:
            raise RuntimeError

        self.patch(password_verifier, "is_match", broken)
        first, second = self._verify(), self._verify()
        self._work()
        self.failureResultOf(first, RuntimeError)
        self.assertNoResult(second)
        self.assertEqual(len(self.threads.jobs), 1)

    def test_stopped_unused(self) -> None:
        """Threads that were never started are not stopped, and there is no later."""
        self.successResultOf(self.verifier.stop())
        self.assertFalse(self.threads.is_started)
        self.assertIn("going down", str(self._busy(self._verify())))

    def test_stopped_idle(self) -> None:
        """Idle threads end at once."""
        self._verify()
        self._work()
        self.successResultOf(self.verifier.stop())
        self.assertTrue(self.threads.is_stopped)

    def test_stopped_while_busy(self) -> None:
        """Who waits is turned away at once; what runs is finished, and the reactor never waits for a thread."""
        self._make(threads=2)
        running, leaving, *waiting = [self._verify() for _ in range(4)]
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        stopped = self.verifier.stop()
        for each in waiting:
            self.assertIn("going down", str(self._busy(each)))
        self._work()
        self.assertNoResult(stopped)
        self._work()
        self.successResultOf(stopped)
        self.assertTrue(self.successResultOf(running))
        self.assertTrue(self.threads.is_stopped)

    def test_one_who_takes_others_along(self) -> None:
        """A refusal that makes its receiver cancel another check, or ask again, is no trouble."""
        running, first, second = self._verify(), self._verify(), self._verify()
        again: list[Deferred[bool]] = []

        def go(failure: Failure) -> None:
            failure.trap(Busy)
            second.cancel()
            again.append(self._verify())

        first.addErrback(go)
        second.addErrback(lambda failure: failure.trap(CancelledError))
        self.verifier.stop()
        self._busy(again[0])
        self._work()
        self.assertTrue(self.successResultOf(running))


@LAW
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("verify"), st.integers(0, 4)),
            st.tuples(st.just("cancel"), st.integers(0, 30)),
            st.tuples(st.just("work"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_every_question_has_one_end(sequence: list[tuple[str, int]]) -> None:
    """Whatever happens, nobody waits for ever, nothing exceeds its bound, and nothing is remembered in the end."""
    reactor, threads = FakeReactor(), FakeThreads(2)
    verifier = PasswordVerifier(reactor, cast("Any", threads), queued=4, per_source=3)
    ends: list[list[object]] = []
    verifications = []
    for what, which in sequence:
        if what == "verify":
            verifications.append(verifier.verify(b"wrong", None, source=f"192.0.2.{which}", cost=4))
            ends.append([])
            verifications[-1].addBoth(ends[-1].append)
        elif what == "cancel" and verifications:
            verifications[which % len(verifications)].cancel()
        elif what == "work" and threads.jobs:
            threads.work()
            reactor.iterate()
        assert verifier._fair_queue.queued <= 4
        assert verifier._fair_queue.running == len(threads.jobs) <= 2
        assert verifier._fair_queue.running == 2 or verifier._fair_queue.queued == 0, (
            "nobody waits while a thread is idle"
        )
        assert all(len(checks) <= 3 for checks in verifier._by_lane.values())
    while threads.jobs:
        threads.work()
        reactor.iterate()
    assert all(len(end) == 1 for end in ends)
    assert not verifier._by_lane
    assert (verifier._fair_queue.running, verifier._fair_queue.queued) == (0, 0)


@pytest.mark.slow
class RealTests(TestCase):
    """With bcrypt, threads and the reactor as they are."""

    def test_logins(self) -> Deferred[None]:
        """Right and wrong passwords are told apart, by threads that yield to everybody else and end when stopped."""
        # Only here: importing it installs it.
        from twisted.internet import reactor  # noqa: PLC0415

        niceness: set[int] = set()
        checkpw = bcrypt.checkpw

        def observed(password: bytes, hashed: bytes) -> bool:
            assert threading.current_thread().daemon
            niceness.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return checkpw(password, hashed)

        self.patch(bcrypt, "checkpw", observed)
        ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        threads = HashingThreads(2)
        verifier = PasswordVerifier(reactor, threads)
        hashed = bcrypt.hashpw(RIGHT, bcrypt.gensalt(6))
        passwords = [RIGHT, b"wrong", RIGHT, b"a" * 73, b"\0"] * 3
        logins = [verifier.verify(password, hashed, source=SOURCE, cost=8) for password in passwords]
        logins.append(verifier.verify(RIGHT, None, source=SOURCE, cost=8))

        def check(results: list[bool]) -> Deferred[None]:
            assert results == [password == RIGHT for password in passwords] + [False]
            assert niceness == {10}
            assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == ours, "only those threads yield"
            assert len(threads.threads) == 2
            return verifier.stop()

        def check_stopped(_: None) -> None:
            assert not any(thread.is_alive() for thread in threads.threads)

        return gatherResults(logins).addCallback(check).addCallback(check_stopped)
