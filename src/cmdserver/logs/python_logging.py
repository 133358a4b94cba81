"""Python's own logging, for programs without Twisted: lines for people, or with priorities for systemd's journal."""

import logging
from typing import Final, TextIO

from cmdserver.core.escaping import printable_line

#: sd-daemon(3): what stands before a line for the journal.
_PRIORITIES: Final = {logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _Lines(logging.Formatter):
    """Writes an event as one line, or a traceback as several."""

    def __init__(self, *, is_for_journal: bool) -> None:
        super().__init__("%(message)s" if is_for_journal else "%(asctime)s %(levelname)s: %(message)s")
        self._is_for_journal = is_for_journal

    def format(self, record: logging.LogRecord) -> str:
        lines = [printable_line(line) for line in super().format(record).splitlines()]
        priority = f"<{_PRIORITIES.get(record.levelno, 7)}>" if self._is_for_journal else ""
        return "\n".join(f"{priority}{line}" for line in lines)


def log_to(stream: TextIO, *, is_for_journal: bool) -> None:
    """Have everything from information on written to a stream.

    Args:
        stream: Where to.
        is_for_journal: Whether the journal reads it, which wants priorities and has the time.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines(is_for_journal=is_for_journal))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # Of TLS 1.3's ends of connections, which it takes for mistakes of whoever uses it.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
