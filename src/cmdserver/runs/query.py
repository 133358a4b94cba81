"""Which runs somebody asks for, and which of them they may see."""

from collections.abc import Iterable
from typing import Final, Self

from msgspec import Struct

from cmdserver.core.errors import BadArgument
from cmdserver.core.escaping import visible
from cmdserver.core.run_states import RunState
from cmdserver.runs.record import RunRecord

#: Runs that are listed at once: unless somebody says otherwise, and at most.
USUAL_LIMIT: Final = 100
MOST: Final = 1000

#: What runs can be looked for by.
RUN_KEYS: Final = ("command", "user", "state", "limit", "before")


class RunQuery(Struct, frozen=True, kw_only=True):
    """What somebody looks for; newest first."""

    #: Names as they were given; that there is no such command or user is no mistake.
    command: str | None = None
    user: str | None = None
    state: RunState | None = None
    limit: int = USUAL_LIMIT
    #: The id of a run: only what was asked for before it.
    before: str | None = None

    @classmethod
    def parse(cls, fields: Iterable[tuple[str, str]]) -> Self:
        """Read keys and values; what has no value is not asked for.

        Raises:
            BadArgument: An unknown key, one that is given twice, or a value that can be none of it.
        """
        given: dict[str, str] = {}
        for key, value in fields:
            if key not in RUN_KEYS:
                raise BadArgument(f"runs has no {visible(key[:64])!s}; try {', '.join(RUN_KEYS)}")
            if key in given:
                raise BadArgument(f"{key} is given twice")
            given[key] = value
        state, limit = given.get("state"), given.get("limit")
        return cls(
            command=given.get("command") or None,
            user=given.get("user") or None,
            state=_state(state) if state else None,
            limit=_limit(limit) if limit else USUAL_LIMIT,
            before=given.get("before") or None,
        )

    def matches(self, record: RunRecord) -> bool:
        """Whether a run is looked for, wherever the list begins."""
        return (
            (self.command is None or record.command == self.command)
            and (self.user is None or record.is_of(self.user))
            and (self.state is None or record.state is self.state)
        )


class Sight(Struct, frozen=True, kw_only=True):
    """Which runs one caller may see, as the policy says at this moment."""

    #: The caller's name; None for the anonymous, who have no runs of their own.
    user: str | None
    #: The commands of which the caller may see runs of their own.
    own: frozenset[str]
    #: The commands of which the caller may see everybody's.
    all: frozenset[str]

    def includes(self, record: RunRecord) -> bool:
        """Whether a run may be seen: everybody's of some commands, one's own of others."""
        return record.command in self.all or (record.command in self.own and record.is_of(self.user))


def _state(text: str) -> RunState:
    try:
        return RunState(text)
    except ValueError:
        raise BadArgument(f"there is no state {visible(text[:64])}; try {', '.join(RunState)}") from None


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST:
        return int(text)
    raise BadArgument(f"limit is a number from 1 to {MOST}, not {visible(text[:64])}")
