"""Timeouts of ten thousand connections with one timer, where a timer for each would cost it some 600 bytes.

Waits of the same length end in the order in which they began, so a dict for each length, in that order, is enough.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Waiter = TypeVar("Waiter", bound=Hashable)


class Deadlines(Generic[Waiter]):
    """Deadlines, at most one for each waiter."""

    def __init__(self) -> None:
        self._by_length: dict[float, dict[Waiter, float]] = {}
        self._length: dict[Waiter, float] = {}

    def begin(self, waiter: Waiter, seconds: float, now: float) -> None:
        """Set a waiter's deadline, in place of the one before."""
        if waiter in self._length:
            self.end(waiter)
        self._length[waiter] = seconds
        if seconds not in self._by_length:
            self._by_length[seconds] = {}
        self._by_length[seconds][waiter] = now + seconds

    def end(self, waiter: Waiter) -> None:
        """Clear a waiter's deadline; harmless if there is none."""
        if waiter in self._length:
            length = self._length[waiter]
            del self._length[waiter]
            waiters = self._by_length[length]
            del waiters[waiter]
            if not waiters:
                del self._by_length[length]

    def expired(self, now: float) -> list[Waiter]:
        """Remove and return the waiters whose deadline has passed, the longest overdue of each length first."""
        over = []
        for waiters in self._by_length.values():
            for waiter, deadline in waiters.items():
                if deadline > now:
                    break
                over.append(waiter)
        for waiter in over:
            self.end(waiter)
        return over
