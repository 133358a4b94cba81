"""How a command checks something, as the configuration says it.

The runner process knows this, too, and is to be small: what judges is elsewhere, `rules` and `plugin_output`.
"""

from collections.abc import Iterable

from msgspec import Struct

from cmdserver.checks.ranges import Range
from cmdserver.checks.states import CheckState


class CheckRule(Struct, frozen=True, kw_only=True):
    """What is looked at, and what is wrong with it."""

    #: A dotted path into the data.
    value: str
    #: The key that names a row of a list; None: what is best.
    row: str | None = None
    #: Globs of the rows that are looked at; none: all.
    rows: tuple[str, ...] = ()
    warning: Range | None = None
    critical: Range | None = None

    def __str__(self) -> str:
        limits = {CheckState.WARNING: self.warning, CheckState.CRITICAL: self.critical}
        said = [f"{state.name} {limit.words()}" for state, limit in limits.items() if limit is not None]
        row = f" by {self.row}" if self.row is not None else ""
        return f"{self.value}{among(self.rows)}{row}: {', '.join(said) or 'measured'}"


class Check(Struct, frozen=True):
    """What is looked at when a command has ended."""

    #: On its data; none: it is a plugin, whose exit status and output say it.
    rules: tuple[CheckRule, ...] = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self.rules)) or "plugin"

    @property
    def is_plugin(self) -> bool:
        """Whether the command is a plugin."""
        return not self.rules


def among(rows: Iterable[str]) -> str:
    """Say which rows are meant, behind what is looked at; nothing if it is all of them."""
    names = ", ".join(rows)
    return f" of {names}" if names else ""
