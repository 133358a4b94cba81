"""The template of a run: an argument list, an environment and a standard input, with places for values.

A value fills a place as it is: it is one word, or a part of one, and nothing looks at it again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

from cmdserver.parameters.declaration import Parameter, Values

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


class Place(NamedTuple):
    """Where a parameter's value goes."""

    name: str


#: Texts as they are, and places.
Pieces: TypeAlias = tuple[str | Place, ...]


class Invocation(NamedTuple):
    """What is run once, with the values in it."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    #: None: standard input is /dev/null.
    stdin: bytes | None


class Element(Struct, frozen=True):
    """One element of ``run``, or a nested list of them that is left out where a parameter in it has no value."""

    words: tuple[Pieces, ...]
    is_nested: bool = False
    #: The parameters in it, as it says itself.
    names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        names = frozenset(name for pieces in self.words for name in names_in(pieces))
        force_setattr(self, "names", names)  # once: each run asks


class Template(Struct, frozen=True, kw_only=True):
    """What a command with parameters is made of, beside its program."""

    elements: tuple[Element, ...]
    environment: tuple[tuple[str, Pieces], ...] = ()
    stdin: Pieces | None = None

    def fill(self, program: str, parameters: Iterable[Parameter], values: Values) -> Invocation:
        """Put values in.

        Args:
            program: The first word of the argument list.
            parameters: Of which the values are.
            values: Canonical, of `ParameterList.bind` or `ParameterList.bind_canonical`.
        """
        given = dict(values)
        words: dict[str, list[str]] = {}
        for each in parameters:
            if each.name in given:
                found: list[str] = []
                words[each.name] = found
                for value in given[each.name]:
                    found += each.type.words(value)
        argv = [program]
        for element in self.elements:
            if not element.is_nested or element.names <= words.keys():
                for pieces in element.words:
                    argv += _words(pieces, words)
        environment = {name: _text(pieces, words) for name, pieces in self.environment}
        stdin = None if self.stdin is None else _text(self.stdin, words).encode()
        return Invocation(tuple(argv), environment, stdin)


def parse_pieces(text: str) -> Pieces:
    """Read a text with ``{name}`` in it; ``{{`` and ``}}`` are braces.

    Raises:
        ValueError: A brace stands alone, or there is no name in it.
    """
    pieces: list[str | Place] = []
    for found in _PART.finditer(text):
        part = found[0]
        if found[1] is not None:
            if not found[1]:
                raise ValueError("has {} without a parameter's name in it; braces are written {{ and }}")
            pieces.append(Place(found[1]))
        elif part in "{}":
            raise ValueError(f"has a {part} that stands alone; braces are written {{{{ and }}}}")
        else:
            literal = part[0] if part in {"{{", "}}"} else part
            pieces.append(literal)
    return tuple(pieces)


def names_in(pieces: Pieces) -> Iterator[str]:
    """Name the parameters in a text."""
    return (piece.name for piece in pieces if isinstance(piece, Place))


def filled(pieces: Pieces, texts: Mapping[str, str]) -> str:
    """Put texts into a sentence for people; what has none is left out."""
    return "".join(texts.get(piece.name, "") if isinstance(piece, Place) else piece for piece in pieces)


def _words(pieces: Pieces, words: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return what an element becomes: of one place alone, its words; else one word."""
    if len(pieces) == 1 and isinstance(pieces[0], Place):
        return words.get(pieces[0].name, ())
    return [_text(pieces, words)]


def _text(pieces: Pieces, words: Mapping[str, Sequence[str]]) -> str:
    return "".join(" ".join(words.get(each.name, ())) if isinstance(each, Place) else each for each in pieces)
