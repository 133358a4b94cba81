"""A log that strangers can have lines written to: so many a minute, and how many were left out."""

import logging
from collections.abc import Callable
from typing import Final

_SECONDS: Final = 60.0


class RateLimitedLog:
    """Logs a kind of line at most so often in a minute; the next one says how many there were between.

    Args:
        log: What it is written to.
        clock: For measuring, in seconds.
        most: Lines a minute.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float], most: int = 1) -> None:
        self._log = log
        self._clock = clock
        self._most = most
        #: Of this minute; when the next one begins.
        self._said = 0
        self._next = 0.0
        self._left_out = 0

    def info(self, text: str, *values: object) -> None:
        """Log something that is as it may be."""
        self._say(logging.INFO, text, values)

    def warning(self, text: str, *values: object) -> None:
        """Log something that somebody should look at."""
        self._say(logging.WARNING, text, values)

    def _say(self, level: int, text: str, values: tuple[object, ...]) -> None:
        now = self._clock()
        if now >= self._next:
            self._said, self._next = 0, now + _SECONDS
        if self._said >= self._most:
            self._left_out += 1
            return
        self._said += 1
        more, self._left_out = self._left_out, 0
        self._log.log(level, f"{text}%s", *values, f" ({more} more before it)" if more else "")
