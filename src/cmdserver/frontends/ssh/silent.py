"""What Conch has to say about every packet and every client, and nobody wants to read.

Rule of this file: what a stranger can make a library log is no news; mistakes of ours are logged where they surface.
"""

from typing import Any

from twisted.logger import Logger, LogLevel


class SilentLogger(Logger):
    """Drops what is less than an error."""

    def emit(self, level: Any, format: str | None = None, **kwargs: Any) -> None:  # noqa: A002 - Twisted's
        """See `Logger.emit`."""
        if level >= LogLevel.error:
            super().emit(level, format, **kwargs)
