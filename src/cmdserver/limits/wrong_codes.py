"""How many wrong one-time codes somebody may show in a row: a code has six digits, and whoever knows the password could
go through them all. Pure; the time is an argument.

Only who knows the password comes here, so that nobody locks out others without it.
"""

from typing import Final

from msgspec import Struct

#: Wrong codes in a row that cost nothing but the login.
FREE: Final = 5
#: For the first one after those; each further one doubles it.
FIRST_SECONDS: Final = 30.0
MOST_SECONDS: Final = 900.0
#: Of users; the one who has failed first is forgotten.
MOST_USERS: Final = 10_000


class _Row(Struct):
    count: int = 0
    until: float = 0.0


class WrongCodes:
    """The wrong codes of each user since their last right one."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def seconds_to_wait(self, name: str, now: float) -> float:
        """Say for how long no code of a user's counts; 0 if one does now."""
        row = self._rows.get(name)
        return max(0.0, row.until - now) if row is not None else 0.0

    def wrong(self, name: str, now: float) -> None:
        """Count a wrong code."""
        row = self._rows.pop(name, None) or _Row()
        if len(self._rows) >= MOST_USERS:
            del self._rows[next(iter(self._rows))]
        row.count += 1
        if row.count >= FREE:
            row.until = now + min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(row.count - FREE, 10))
        self._rows[name] = row

    def right(self, name: str) -> None:
        """Forget a user's wrong codes."""
        self._rows.pop(name, None)
