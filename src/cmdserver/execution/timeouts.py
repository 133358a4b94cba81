"""The time limits of all runs, with one timer: most runs are over in milliseconds, and one each would be set in vain.

The timer is not cancelled either when nobody waits for it any more: it looks, and finds nothing to do.
"""

from math import inf
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Timed(Protocol):
    """What has a deadline."""

    def time_is_up(self) -> None:
        """The deadline has passed, and there is none any more."""


class Timeouts:
    """Deadlines, at most one each.

    Args:
        clock: Calls when the first of them passes.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._deadlines: dict[Timed, float] = {}
        self._timer: IDelayedCall | None = None
        #: When the timer goes off; it may be for somebody who does not wait any more.
        self._next = inf

    def set(self, timed: Timed, deadline: float) -> None:
        """Set a deadline, by the clock's seconds, in place of the one before."""
        self._deadlines[timed] = deadline
        if deadline < self._next:
            self._wait_until(deadline)

    def clear(self, timed: Timed) -> None:
        """Forget a deadline; harmless if there is none."""
        if timed in self._deadlines:
            del self._deadlines[timed]

    def close(self) -> None:
        """Forget all deadlines, and the timer with them."""
        self._deadlines.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._next = None, inf

    def _wait_until(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = deadline
        self._timer = self._clock.callLater(max(0.0, deadline - self._clock.seconds()), self._look)

    def _look(self) -> None:
        self._timer, self._next = None, inf
        now = self._clock.seconds()
        for timed in [timed for timed, deadline in self._deadlines.items() if deadline <= now]:
            # One may end another.
            if self._deadlines.get(timed, inf) <= now:
                del self._deadlines[timed]
                timed.time_is_up()
        if self._deadlines and (first := min(self._deadlines.values())) < self._next:
            self._wait_until(first)
