"""The states of a check, as the exit statuses of plugins have them (Monitoring Plugins Guidelines, "Return Codes")."""

import enum


class CheckState(enum.IntEnum):
    """How something is; the values are the exit statuses of a plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    #: Nobody knows: the plugin could not look, or nothing was found.
    UNKNOWN = 3

    @property
    def is_passed(self) -> bool:
        """Whether nobody has to be woken: `OK` and `WARNING`."""
        return self in {CheckState.OK, CheckState.WARNING}

    @property
    def severity(self) -> int:
        """Order states, the worst last: what nobody knows may be worse than what is only a warning."""
        return _SEVERITY.index(self)


#: Those that a plugin ends with; each other one says nothing of what it looks at.
EXIT_STATUSES = frozenset(CheckState)

_SEVERITY = (CheckState.OK, CheckState.WARNING, CheckState.UNKNOWN, CheckState.CRITICAL)
