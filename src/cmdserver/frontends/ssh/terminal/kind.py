"""What is known of a person's terminal (RFC 4254, section 6.2)."""

from dataclasses import dataclass
from typing import Final, Self

#: Names (``$TERM``) of terminals that obey no control sequences.
_PLAIN: Final = frozenset({b"", b"dumb", b"unknown"})


@dataclass(frozen=True, slots=True)
class TerminalKind:
    """A terminal."""

    #: Its width; 0 if that is not known.
    columns: int
    #: Whether it shows control sequences as text, and knows but CR, LF, BS and BEL.
    is_plain: bool = False

    @classmethod
    def of(cls, name: bytes, columns: int) -> Self:
        """Say what a client's ``pty-req`` means."""
        return cls(columns, name in _PLAIN)
