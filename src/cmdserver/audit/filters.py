"""Which lines of the audit file somebody wants to see."""

import json
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase

from msgspec import Struct

from cmdserver.core.names import ANONYMOUS

Record = Mapping[str, object]


def record_of(line: bytes) -> Record | None:
    """Read a line; None if it is no event."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or time_of(record) is None:
        return None
    return record


def time_of(record: Record) -> datetime | None:
    """When it happened; None if it does not say."""
    try:
        time = datetime.fromisoformat(str(record.get("time")))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def user_of(record: Record) -> str:
    """Whose it is."""
    user = record.get("user")
    return ANONYMOUS if user is None else str(user)


class Filter(Struct, frozen=True, kw_only=True):
    """What a record must have; empty: anything."""

    #: Names, or globs of names; one of them must fit. ``anonymous`` is who has none.
    users: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, record: Record) -> bool:
        """Whether a record is one of those."""
        if self.since is not None or self.until is not None:
            time = time_of(record)
            if time is None or (self.since is not None and time < self.since):
                return False
            if self.until is not None and time > self.until:
                return False
        return (
            _is_any(user_of(record), self.users)
            and _is_any(record.get("command"), self.commands)
            and _is_any(record.get("protocol"), self.protocols)
            and _is_any(record.get("source"), self.sources)
            and _is_any(record.get("outcome"), self.outcomes)
        )


def _is_any(value: object, globs: tuple[str, ...]) -> bool:
    return not globs or (isinstance(value, str) and any(fnmatchcase(value, each) for each in globs))
