"""What makes a signed request good for one run: its nonce, remembered for as long as its signature is good.

A store forgets nothing in time: where it is full, a request is refused, and not an old one let in again. A daemon that
has just started does not know what it had seen before, so signatures that may be as old are refused. And the time by
which signatures are judged never goes back, or a clock that is set back would make old ones good again.
"""

import heapq
from collections.abc import Callable
from typing import Final

from cmdserver.core.errors import Busy

#: In all, and of one key.
MOST: Final = 100_000
MOST_OF_KEY: Final = 10_000
#: After a start: what the clocks of callers may be ahead.
START_SECONDS: Final = 5

_RETRY_SECONDS: Final = 5


class Used(Exception):  # noqa: N818 - a statement
    """A nonce was used before."""


class Nonces:
    """The nonces of signatures that were right: strangers cannot fill it.

    Args:
        started: When the daemon started, in seconds since the epoch, by the clock as it was then.
        uptime: Seconds since then, which nobody sets: a clock that was wrong at the start is put right later, and what
            was signed before the start is as old by any clock.
        most: In all.
        most_of_key: Of one key.
    """

    def __init__(
        self, started: float, uptime: Callable[[], float], most: int = MOST, most_of_key: int = MOST_OF_KEY
    ) -> None:
        self._uptime = uptime
        self._ready = started + START_SECONDS
        self._latest = started
        self._most = most
        self._most_of_key = most_of_key
        self._of_key: dict[str, set[str]] = {}
        #: With the times at which they may be forgotten, the soonest first.
        self._known: list[tuple[float, str, str]] = []

    def latest(self, now: float) -> float:
        """Return the time by which signatures are judged: the latest that there has been."""
        self._latest = max(self._latest, now)
        return self._latest

    def spend(self, key: str, nonce: str, *, created: float, until: float, now: float) -> None:
        """Use a nonce up.

        Args:
            key: Whose it is.
            nonce: Of a signature that was verified.
            created: When the signature was made, in seconds since the epoch.
            until: From when on nobody could use it any more.
            now: What time it is.

        Raises:
            Used: It was used before, or it is too late to know.
            Busy: There is no room, or it may be from before the start.
        """
        now = self.latest(now)
        self._forget(now)
        if until < now:  # it may have been forgotten just now
            raise Used
        ready = max(self._ready, now - self._uptime() + START_SECONDS)
        if min(created, now) <= ready:
            raise Busy("the daemon has just started, and takes no signatures yet", _RETRY_SECONDS)
        of_key = self._of_key.get(key, set())
        if nonce in of_key:
            raise Used
        if len(self._known) >= self._most or len(of_key) >= self._most_of_key:
            raise Busy("too many signed requests in a minute", _RETRY_SECONDS)
        of_key.add(nonce)
        self._of_key[key] = of_key
        heapq.heappush(self._known, (until, key, nonce))

    def _forget(self, now: float) -> None:
        while self._known and self._known[0][0] < now:
            _, key, nonce = heapq.heappop(self._known)
            self._of_key[key].discard(nonce)
            if not self._of_key[key]:
                del self._of_key[key]
