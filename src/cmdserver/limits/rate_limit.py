"""Requests a minute: a token bucket for each caller, in bounded memory."""

from cmdserver.core.errors import Throttled

#: Callers remembered. A bucket that is forgotten was the longest untouched, so nearly full or nearly worthless.
MAX_CALLERS = 65536


class Throttle:
    """Requests a minute, by caller; a whole minute's worth may come at once.

    Args:
        per_minute: The allowance; 0 is no limit.
        max_callers: How many callers are remembered.
    """

    def __init__(self, per_minute: int, max_callers: int = MAX_CALLERS) -> None:
        self.reconfigure(per_minute)
        self._max_callers = max_callers
        #: What is left, and as of when; in the order of last use.
        self._left: dict[str, tuple[float, float]] = {}

    def reconfigure(self, per_minute: int) -> None:
        """Go by another allowance from now on."""
        self.per_minute = per_minute

    def spend(self, caller: str, now: float) -> None:
        """Count one request.

        Raises:
            Throttled: The caller has none left; nothing was counted.
        """
        if not self.per_minute:
            return
        left, since = self._left.pop(caller, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + max(0.0, now - since) * self.per_minute / 60)
        may = left >= 1
        self._left[caller] = (left - 1 if may else left, now)
        if len(self._left) > self._max_callers:
            del self._left[next(iter(self._left))]
        if not may:
            text = f"more than {self.per_minute} requests in a minute"
            raise Throttled(text, (1 - left) * 60 / self.per_minute, "limits.caller_requests_per_minute")
