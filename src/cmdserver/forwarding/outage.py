"""What the log is told while a receiver cannot be reached: its beginning, losses now and then, its end. Pure."""

from enum import Enum, auto
from typing import Final

from msgspec import Struct

#: Between two lines of the log that tell of losses.
SAY_SECONDS: Final = 300.0
#: Of an outage, in the log.
_MOST_REASONS: Final = 5


class Level(Enum):
    """How grave what is said is."""

    GOOD = auto()
    WARNING = auto()
    ERROR = auto()


class Saying(Struct, frozen=True):
    """A line for the log."""

    level: Level
    text: str


class Outage:
    """One receiver's. Times are seconds of any clock that does not jump."""

    def __init__(self, to: str) -> None:
        self._to = to
        self._is_on = False
        self._lost = 0
        self._said_at: float | None = None
        self._reason = ""
        #: The reasons that the log has been told in this outage.
        self._said: set[str] = set()

    def begin(self, reason: str) -> Saying | None:
        """The receiver cannot be reached."""
        self._is_on, self._reason = True, reason
        if reason in self._said or len(self._said) >= _MOST_REASONS:
            return None
        self._said.add(reason)
        return Saying(Level.WARNING, f"lines of the audit file wait for {self._to}: {reason}")

    def lose(self, count: int, now: float) -> Saying | None:
        """So many were lost."""
        if not count:
            return None
        self._lost += count
        if self._said_at is not None and now - self._said_at < SAY_SECONDS:
            return None
        self._said_at = now
        why = f": {self._reason}" if self._is_on else ", which does not take them as fast as they come"
        return Saying(Level.ERROR, f"{_lines(self._lost)} of the audit file lost for {self._to} so far{why}")

    def end(self) -> Saying | None:
        """It has been reached for a while."""
        if not self._is_on and not self._lost:
            return None
        lost, self._lost, self._is_on, self._said_at = self._lost, 0, False, None
        self._said.clear()
        return Saying(Level.GOOD, f"lines of the audit file are sent to {self._to} again; {_lines(lost)} lost")


def _lines(count: int) -> str:
    return f"{count} line{'' if count == 1 else 's'}"
