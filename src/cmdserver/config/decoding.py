"""TOML text to `Settings`, with every mistake of the whole file at once, each with its place.

msgspec checks single values and says precisely what is wrong, but stops at the first mistake; so tables are taken apart
here, and only values are given to it.
"""

import difflib
import json
import re
import tomllib
import typing
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from msgspec.structs import FieldInfo, fields

from cmdserver.config.source_map import Path, lines_of, nearest_line
from cmdserver.core.escaping import visible

Table = TypeVar("Table", bound=msgspec.Struct)
Value = TypeVar("Value")
Result = TypeVar("Result")

_MISSING: Any = msgspec.NODEFAULT

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

#: Of a value that is wrong: enough to recognise it.
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the file that whoever wrote it should know of."""

    #: Keys and indices from the top of the file.
    path: Path
    text: str
    line: int | None = None

    def __str__(self) -> str:
        """Say it as compilers do, without the file's name: ``12: commands.df.run: ...``."""
        place = "" if self.line is None else f"{self.line}: "
        return f"{place}{dotted(self.path)}{': ' if self.path else ''}{self.text}"


class Mistake(Finding):
    """One that keeps the daemon from starting."""

    __slots__ = ()


class Mistakes(Exception):  # noqa: N818 - it is what it holds
    """All that is wrong with a file."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class TomlReader:
    """Reads one text and collects what is wrong with it.

    Args:
        text: The file.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.mistakes: list[Mistake] = []
        #: What is without effect, or has another than is meant; the daemon starts all the same.
        self.warnings: list[Finding] = []

    def note(self, path: Path, text: str) -> None:
        """Collect a mistake."""
        self.mistakes.append(Mistake(path, visible(text), nearest_line(self._lines, path)))

    def warn(self, path: Path, text: str) -> None:
        """Collect a warning."""
        self.warnings.append(Finding(path, visible(text), nearest_line(self._lines, path)))

    def attempt(self, path: Path, read: Callable[[Value], Result], value: Value) -> Result | None:
        """Read a value; a ValueError is a mistake at its place, and gives None."""
        try:
            return read(value)
        except ValueError as error:
            self.note(path, str(error))
            return None

    @cached_property
    def _lines(self) -> Mapping[Path, int]:
        return lines_of(self._text)

    def read(self, type_: type[Table]) -> Table | None:
        """Read the whole text.

        Returns:
            What could be read, so that it can be looked at further: a key with a mistake has its default, a table that
            lacks a required one is left out. None if the text is no TOML.
        """
        try:
            document = tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:
            # Besides what is no TOML: numbers too long, and tables nested too deep, for Python.
            self.mistakes.append(_not_toml(self._text, str(error)))
            return None
        return self._table((), document, type_)

    def _table(self, path: Path, table: object, type_: type[Table]) -> Table | None:
        if not isinstance(table, dict):
            self.note(path, f"must be a table, not {type(table).__name__}")
            return None
        known = {info.encode_name: info for info in fields(type_)}
        for key in table:
            if key not in known:
                hint = difflib.get_close_matches(key, known, n=1)
                self.note((*path, key), "unknown key" + (f"; did you mean {hint[0]}?" if hint else ""))
        values = {name: self._field(path, table, info) for name, info in known.items()}
        if any(value is _MISSING for value in values.values()):
            return None
        return type_(**values)

    def _field(self, path: Path, table: Mapping[str, object], info: FieldInfo) -> Any:
        """Read one key; `_MISSING` if it has no usable value."""
        if info.encode_name not in table:
            if info.required:
                self.note(path, f"{info.encode_name} is missing")
                return _MISSING
            return _default(info)
        value = self._value((*path, info.encode_name), table[info.encode_name], info.type)
        return _default(info) if value is _MISSING and not info.required else value

    def _value(self, path: Path, value: object, type_: Any) -> Any:
        origin, arguments = typing.get_origin(type_), typing.get_args(type_)
        if origin is typing.Annotated:
            origin, arguments = typing.get_origin(arguments[0]), typing.get_args(arguments[0])
        if _is_table(type_):
            result = self._table(path, value, type_)
            return _MISSING if result is None else result
        table = _table_or_none(arguments[-1]) if arguments else None
        if origin is list and table and isinstance(value, list):
            return [self._element((*path, index), each, arguments[0], table) for index, each in enumerate(value)]
        if origin is dict and table and isinstance(value, dict):
            return {key: self._table((*path, key), each, table) for key, each in value.items()}
        return self._converted(path, value, type_)

    def _element(self, path: Path, value: object, type_: Any, table: type[msgspec.Struct]) -> Any:
        """Read one of a list of tables, or of a list that may have them; None for a table that could not be read."""
        if isinstance(value, dict) or type_ in {table, table | None}:
            return self._table(path, value, table)
        converted = self._converted(path, value, type_)
        return None if converted is _MISSING else converted

    def _converted(self, path: Path, value: object, type_: Any) -> Any:
        try:
            return msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            if (names := _names_of(type_)) and isinstance(value, str):
                self.note(path, f"must be one of {', '.join(names)}{_shown(value)}")
                return _MISSING
            text, _, place = str(error).partition(" - at `$")
            self.note(path, text + (f" at {place.rstrip('`')}" if place else "") + _shown(value))
            return _MISSING


def dotted(path: Path) -> str:
    """Spell a path as TOML does, with indices as programmers do: ``listen[0].endpoint``."""
    spelled = ""
    for part in path:
        if isinstance(part, int):
            spelled += f"[{part}]"
        else:
            spelled += ("." if spelled else "") + (part if _BARE_KEY.fullmatch(part) else json.dumps(part))
    return spelled


#: How tomllib ends what it says; it has no attributes for it.
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")

#: A key as tomllib spells it, which is Python's way.
_KEYS = re.compile(r"\('[^']*'(, '[^']*')*,?\)")


def _not_toml(text: str, complaint: str) -> Mistake:
    """Put the parser's complaint into the form of all others, and show what stands at its place and cannot be seen."""
    place = _PLACE.search(complaint)
    said = complaint if place is None else complaint[: place.start()]
    advice = "; write two of it, or the string between single quotes" if said.startswith("Unescaped") else ""
    said = "not TOML: " + _KEYS.sub(lambda found: dotted(tuple(re.findall("'([^']*)'", found[0]))), said)
    if place is None or place["line"] is None:
        return Mistake((), visible(said if place is None else f"{said} at the end of the file"))
    line, column = int(place["line"]), int(place["column"])
    character = text.replace("\r\n", "\n").split("\n")[line - 1][column - 1 : column]
    if character not in {"", " ", "\t"} and visible(character) != character:
        name = unicodedata.name(character, "without a name")
        advice += f", where a character is that cannot be seen: U+{ord(character):04X} {name}"
    return Mistake((), visible(f"{said} in column {column}{advice}"), line)


def _default(info: FieldInfo) -> Any:
    return info.default if info.default is not _MISSING else info.default_factory()


def _names_of(type_: Any) -> Sequence[str]:
    """List the names that an enumeration, or a ``Literal``, has; nothing for any other type."""
    if isinstance(type_, type) and issubclass(type_, Enum):
        return [str(each.value) for each in type_]
    if typing.get_origin(type_) is typing.Literal:
        return typing.get_args(type_)
    return [name for each in typing.get_args(type_) for name in _names_of(each)]


def _table_or_none(type_: Any) -> type[msgspec.Struct] | None:
    """Say which table ``Table | None`` speaks of."""
    return next((each for each in (type_, *typing.get_args(type_)) if _is_table(each)), None)


def _shown(value: object) -> str:
    """Quote a value that is wrong; not a table or an array, some of whose values may be right, and secret."""
    if not isinstance(value, str | int | float):
        return ""
    try:
        shown = repr(value)
    except ValueError:  # an integer of thousands of digits
        return ""
    return f", not {shown}" if len(shown) <= _SHOWN_CHARACTERS else f", not {shown[:_SHOWN_CHARACTERS]}..."


def _is_table(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)
