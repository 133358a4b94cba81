"""What is known of a person's terminal (RFC 4254, section 6.2)."""

from typing import Final, Self

from msgspec import Struct

#: Names (``$TERM``) of terminals that obey no control sequences.
_PLAIN: Final = frozenset({b"", b"dumb", b"unknown"})


class TerminalKind(Struct, frozen=True):
    """A terminal."""

    #: Its width; 0 if that is not known.
    columns: int
    #: Whether it shows control sequences as text, and knows but CR, LF, BS and BEL.
    is_plain: bool = False

    @classmethod
    def of(cls, name: bytes, columns: int) -> Self:
        """Say what a client's ``pty-req`` means."""
        return cls(columns, name in _PLAIN)
