"""``$ARG1$`` and its like, as nrpe replaces them (``process_macros`` in src/nrpe.c), before a shell sees the line.

nrpe cuts a line at its dollar signs, and every second piece is a macro: ``ARG1`` to ``ARG16`` are what the caller has
sent, another ``ARG`` is nothing, an empty one is a dollar sign, and anything else is put back between two of them, even
where the line had only one. So it is told here.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

MOST_ARGUMENTS: Final = 16

_NUMBER: Final = re.compile(r"\s*\+?([0-9]+)", re.ASCII)


class Unit(NamedTuple):
    """A character of a command line, or the place of an argument."""

    #: A character; empty for an argument.
    character: str
    #: Where it comes from, from 1.
    column: int
    #: The number of the argument; 0 for a character.
    argument: int = 0


def expand(text: str, first_column: int) -> tuple[Sequence[Unit], Sequence[str]]:
    """Replace the macros of a command line.

    Returns:
        The line, and the macros in it that are nothing.
    """
    units: list[Unit] = []
    nothing: list[str] = []
    column = first_column
    for index, piece in enumerate(text.split("$")):
        if index % 2 == 0:
            units.extend(_characters(piece, column))
        elif piece.startswith("ARG"):
            found = _NUMBER.match(piece, 3)
            number = int(found[1]) if found is not None and len(found[1]) < MOST_ARGUMENTS else 0
            if 1 <= number <= MOST_ARGUMENTS:
                units.append(Unit("", column - 1, number))
            else:
                nothing.append(f"${piece}$")
        else:
            units.append(Unit("$", column - 1))
            if piece:
                units.extend(_characters(piece, column))
                units.append(Unit("$", column + len(piece)))
        column += len(piece) + 1
    return units, nothing


def _characters(text: str, column: int) -> Iterator[Unit]:
    return (Unit(character, at) for at, character in enumerate(text, start=column))
