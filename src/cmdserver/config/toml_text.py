"""TOML text to values; what is no TOML is said in words for whoever writes the file, at the key where it is wrong.

The standard parser stops at the first mistake, and says where it was when it noticed. The statement that is wrong may
have begun above that place: in an array without an end, say.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from typing import Any

from cmdserver.config.source_map import Path, lines_of, path_at
from cmdserver.core.escaping import visible

#: How tomllib ends what it says; it has no attributes for it.
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")

#: A key as tomllib spells it, which is Python's way.
_KEYS = re.compile(r"\('[^']*'(?:, '[^']*')*,?\)")

#: What somebody has taken for a value who knows YAML, or JSON's `null`.
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*")

_OPEN_ARRAY = re.compile(r"=\s*\[")
_NEXT_STATEMENT = re.compile(r"\s*(\[|[A-Za-z0-9_.-]+\s*=)")

#: Lines above the place to look for the beginning of the statement in, and characters of a file that are worth it.
_MOST_LINES = 50
_MOST_CHARACTERS = 1 << 18

#: What tomllib says, in words for people who do not know how it reads.
_IN_WORDS = {
    "Unescaped '\\' in a string": "a \\ in a string that means nothing; write two, or the string in single quotes",
    "Unclosed array": "an array without ] at its end, or without a comma between two values",
    "Unclosed inline table": "a table without } at its end, or without a comma between two keys; it stands on one line",
    "Illegal character '\\n'": "a string without a quote at its end; one of several lines stands in three of them",
    "Unterminated string": "a string without a quote at its end",
    "Expected newline or end of document after a statement": "something behind the value; each key has its own line",
    "Expected ']' at the end of a table declaration": "a table is named as in [limits]",
    "Expected ']]' at the end of an array declaration": "a table of an array is named as in [[listen]]",
    "Expected '=' after a key in a key/value pair": "a key is followed by = and its value",
    "Invalid initial character for a key part": "a key is of letters, digits, _ and -, or stands in quotes",
}
_QUOTES = frozenset("\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb`")


class NotTOML(ValueError):  # noqa: N818 - a statement
    """A text is no TOML.

    Args:
        text: What is wrong, for people.
        line: Where, from 1; None if that is not known.
        path: The key or table in which it is, or the nearest above; empty if there is none.
    """

    def __init__(self, text: str, line: int | None, path: Path) -> None:
        super().__init__(text)
        self.line = line
        self.path = path


def parse(text: str) -> dict[str, Any]:
    """Parse a text.

    Raises:
        NotTOML: It is none.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Besides what is no TOML: numbers too long, and tables nested too deep, for Python.
        raise _not_toml(text.replace("\r\n", "\n"), str(error)) from None


def _not_toml(text: str, complaint: str) -> NotTOML:
    place = _PLACE.search(complaint)
    if place is None:
        return NotTOML(f"not TOML: {complaint}", None, ())
    said = complaint[: place.start()]
    lines = text.split("\n")
    seen = len(lines) if place["line"] is None else int(place["line"])
    begun = _beginning(lines, seen)
    path = path_at(text, begun)
    line = begun if place["line"] is None else seen
    if (first := _first_line(text, said, begun, path)) is not None:
        return NotTOML(f"is there twice, first in line {first}", begun, path)
    if begun < line and _OPEN_ARRAY.search(lines[begun - 1]) and _NEXT_STATEMENT.match(lines[line - 1]):
        said = "Unclosed array"  # what follows was taken for more of its values
    words = f"not TOML: {_IN_WORDS.get(said) or _with_keys(said)}"
    if place["line"] is None:
        return NotTOML(f"{words} (seen at the end of the file)", line, path)
    column = int(place["column"])
    return NotTOML(f"{words} (column {column}){_advice(said, lines[line - 1][column - 1 :])}", line, path)


def _with_keys(said: str) -> str:
    """Spell keys as TOML does."""
    return _KEYS.sub(lambda found: ".".join(map(_key, re.findall("'([^']*)'", found[0]))), said)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _advice(said: str, rest: str) -> str:
    """Say more of what stands where the text stops making sense, if it cannot be seen or is easily mended."""
    character = rest[:1]
    if character not in {"", " ", "\t"} and visible(character) != character:
        name = unicodedata.name(character, "without a name")
        return f", where a character is that cannot be seen: U+{ord(character):04X} {name}"
    if character in _QUOTES:
        return f"; {character} is no quote: TOML takes \" and '"
    if rest.startswith((";", "//", "--")):
        return "; a comment begins with #"
    if said == "Invalid value" and (word := _WORD.match(rest)):
        return _advice_for_word(word[0])
    return ""


def _advice_for_word(word: str) -> str:
    if word.lower() in {"true", "false"}:
        return f"; TOML writes {word.lower()}"
    if word.lower() in {"yes", "no", "on", "off"}:
        return "; TOML writes true or false"
    if word in {"null", "nil", "None"}:
        return "; leave the key out where it has no value"
    return f'; a text stands between quotes: "{word}"'


def _beginning(lines: list[str], line: int) -> int:
    """Find the line on which the statement begins that the parser did not come to the end of; lines count from 1."""
    if sum(map(len, lines)) <= _MOST_CHARACTERS:
        for above in range(line - 1, max(-1, line - 1 - _MOST_LINES), -1):
            try:
                tomllib.loads("\n".join(lines[:above]))
            except (ValueError, RecursionError):
                continue
            return above + 1
    return line


def _first_line(text: str, said: str, line: int, path: Path) -> int | None:
    """Say where a key or table is for the first time that is there twice; None if that is not what is wrong."""
    if not said.startswith(("Cannot declare", "Cannot overwrite")):
        return None
    lines: Mapping[Path, int] = lines_of(text)
    first = lines.get(path)
    return first if first is not None and first < line else None
