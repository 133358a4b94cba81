"""TOML text to `Settings`, with every mistake of the whole file at once, each with its place.

msgspec checks single values and says precisely what is wrong, but stops at the first mistake; so tables are taken apart
here, and only values are given to it.
"""

import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from cmdserver.config import toml_text, wording
from cmdserver.config.merging import Merged, Place, SourceFile
from cmdserver.config.source_map import Path
from cmdserver.config.toml_text import NotTOML
from cmdserver.core.escaping import visible

Table = TypeVar("Table", bound=msgspec.Struct)
Value = TypeVar("Value")
Result = TypeVar("Result")

_MISSING: Any = msgspec.NODEFAULT

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

#: The key that names other files.
INCLUDE: Final = "include"


class Finding(Struct, frozen=True):
    """Something in the file that whoever wrote it should know of."""

    #: Keys and indices from the top of the file.
    path: Path
    text: str
    line: int | None = None
    #: Its name; empty if it has none.
    file: str = ""

    def __str__(self) -> str:
        """Say it as compilers do: ``FILE:12: commands.df.run: ...``."""
        places = [*filter(None, (self.file, "" if self.line is None else str(self.line)))]
        place = f"{':'.join(places)}: " if places else ""
        return f"{place}{dotted(self.path)}{': ' if self.path else ''}{self.text}"


Remarked = TypeVar("Remarked", bound=Finding)


class Mistake(Finding, frozen=True):
    """One that keeps the daemon from starting."""


class Mistakes(Exception):  # noqa: N818 - it is what it holds
    """All that is wrong with a configuration."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class TomlReader:
    """Reads a text, or several that include each other, and collects what is wrong.

    Args:
        text: The main file.
        name: What to call it in a complaint; empty: nothing.
        included: Those that it includes.
    """

    def __init__(self, text: str, name: str = "", included: Sequence[SourceFile] = ()) -> None:
        self._files = (SourceFile(name=name, text=text), *included)
        self._is_toml = True
        self.mistakes: list[Mistake] = []
        #: What is without effect, or has another than is meant; the daemon starts all the same.
        self.warnings: list[Finding] = []
        #: Tables by name in which there is a mistake: ``("commands", "df")``.
        self.mistaken: set[Path] = set()
        #: Where keys belong, see `homes_of`: to be said of those that are elsewhere. Asked only then: it takes a while.
        self.homes: Callable[[], Mapping[str, Sequence[str]]] = dict
        #: What tables by name have from another table: ``("commands", "df", "user")`` is ``("defaults", "user")``.
        self.inherited: dict[Path, Path] = {}

    def note(self, path: Path, text: str, besides: Sequence[str] = ()) -> None:
        """Collect a mistake.

        Args:
            path: The key that is wrong.
            text: What is wrong.
            besides: Other keys of the same table but for which it would not be: where the key that is wrong is
                inherited, the place to mend is the one of these that the table says itself.
        """
        self.mistaken.add(path[:2])
        place, text = self._placed(path, text, besides)
        mistake = Mistake(place.path, visible(text), place.line, place.file)
        # What is wrong with a default is found by each command that has it.
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def warn(self, path: Path, text: str, besides: Sequence[str] = ()) -> None:
        """Collect a warning; the arguments are those of `note`."""
        place, text = self._placed(path, text, besides)
        warning = Finding(place.path, visible(text), place.line, place.file)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _placed(self, path: Path, text: str, besides: Sequence[str]) -> tuple[Place, str]:
        """Find where a mistake can be mended."""
        inherited = self.inherited.get(path[:3])
        if inherited is None:
            others = [self.inherited[(*path[:2], key)] for key in besides if (*path[:2], key) in self.inherited]
            said = [f"{dotted(each)}, {self.place(each)}" for each in others]
            return self.place(path), f"{text} ({'; '.join(said)})" if said else text
        table = self.merged.values[str(path[0])][path[1]]
        for key in besides:
            if key in table:
                where = self.place(inherited)
                return self.place((*path[:2], key)), f"{dotted(inherited)} ({where}) does not go with it: {text}"
        return self.place((*inherited, *path[3:])), text

    def in_order(self, findings: Iterable[Remarked]) -> list[Remarked]:
        """Sort findings by their places: files as they were read, then lines."""
        ranks = {each.name: rank for rank, each in enumerate(self._files)}
        return sorted(findings, key=lambda each: (ranks.get(each.file, len(ranks)), each.line or 0))

    def place(self, path: Path) -> Place:
        """Find where something stands, whatever it inherits."""
        return self.merged.place(path)

    def attempt(
        self, path: Path, read: Callable[[Value], Result], value: Value, besides: Sequence[str] = ()
    ) -> Result | None:
        """Read a value; a ValueError is a mistake at its place, see `note`, and gives None."""
        try:
            return read(value)
        except ValueError as error:
            self.note(path, str(error), besides)
            return None

    @cached_property
    def merged(self) -> Merged:
        """The values of all files, as they are written; of a file that is no TOML there are none."""
        documents: list[dict[str, Any]] = []
        for file in self._files:
            try:
                documents.append(toml_text.parse(file.text))
            except NotTOML as error:
                self._is_toml = False
                self.mistakes.append(Mistake(error.path, visible(str(error)), error.line, file.name))
                documents.append({})
        merged = Merged(self._files, documents)
        for each in merged.conflicts:
            first, second = (merged.place_in(index, each.path) for index in (each.first, each.second))
            text = f"is in {first}, too" if each.path != (INCLUDE,) else f"only {self._files[0].name} includes others"
            self.mistakes.append(Mistake(second.path, visible(text), second.line, second.file))
        return merged

    def values(self) -> Mapping[str, Any] | None:
        """Return the values of all files; None if one of them is no TOML."""
        values = self.merged.values
        return values if self._is_toml else None

    def read(self, type_: type[Table]) -> Table | None:
        """Read everything.

        Returns:
            What could be read, so that it can be looked at further: a key with a mistake has its default, a table that
            lacks a required one is left out. None if a text is no TOML.
        """
        values = self.values()
        return None if values is None else self.table((), values, type_)

    def table(self, path: Path, table: object, type_: type[Table]) -> Table | None:
        """Read one table; None if it lacks a required key, or is none."""
        if not isinstance(table, dict):
            self.note(path, wording.wrong_table(table, path))
            return None
        known = {info.encode_name: info for info in _fields(type_)}
        for key in table:
            if key not in known:
                self.note((*path, key), wording.unknown_key(key, known, self.homes()))
        values = {info.name: self._field(path, table, info) for info in known.values()}
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
        type_ = _one_of(type_, value)
        origin, arguments = typing.get_origin(type_), typing.get_args(type_)
        if origin is typing.Annotated:
            origin, arguments = typing.get_origin(arguments[0]), typing.get_args(arguments[0])
        if _is_table(type_):
            result = self.table(path, value, type_)
            return _MISSING if result is None else result
        table = wording.table_in(arguments[-1]) if arguments else None
        if origin is list and table and isinstance(value, list):
            return self._elements(path, value, type_, arguments[0], table)
        if origin is dict and table and isinstance(value, dict):
            return {key: self.table((*path, key), each, table) for key, each in value.items()}
        if origin is dict and not table and isinstance(value, dict):
            values = {key: self._entry((*path, key), each, arguments[1]) for key, each in value.items()}
            return _MISSING if any(each is _MISSING for each in values.values()) else values
        if table and (said := wording.wrong_tables(value, dotted(path), by_name=origin is dict)):
            self.note(path, said)
            return _MISSING
        return self._converted(path, value, type_)

    def _elements(self, path: Path, values: list[Any], type_: Any, each_type: Any, table: type[msgspec.Struct]) -> Any:
        """Read a list that may have tables."""
        # Only how many they are: what msgspec would have to know of their tables is large.
        bounds = type_.__metadata__ if typing.get_origin(type_) is typing.Annotated else ()
        if bounds and self._converted(path, values, typing.Annotated[list[Any], *bounds]) is _MISSING:
            return _MISSING
        return [self._element((*path, index), each, each_type, table) for index, each in enumerate(values)]

    def _element(self, path: Path, value: object, type_: Any, table: type[msgspec.Struct]) -> Any:
        """Read one of a list of tables, or of a list that may have them; None for a table that could not be read."""
        if isinstance(value, dict) or type_ in {table, table | None}:
            return self.table(path, value, table)
        converted = self._converted(path, value, type_)
        return None if converted is _MISSING else converted

    def _entry(self, path: Path, value: object, type_: Any) -> Any:
        """Read one of a table whose keys are anybody's; an environment may have secrets."""
        if typing.get_origin(type_) is dict:
            return self._value(path, value, type_)
        return self._converted(path, value, type_, is_secret=True)

    def _converted(self, path: Path, value: object, type_: Any, *, is_secret: bool = False) -> Any:
        try:
            return msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            self.note(path, wording.wrong_value(error, wording.HIDDEN if is_secret else value, type_, str(path[-1])))
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


@cache
def _fields(type_: type[msgspec.Struct]) -> Sequence[FieldInfo]:
    """Look at a table's keys once: msgspec evaluates their types each time, and there may be a thousand commands."""
    return fields(type_)


def _default(info: FieldInfo) -> Any:
    return info.default if info.default is not _MISSING else info.default_factory()


def _one_of(type_: Any, value: object) -> Any:
    """Choose of several types the list of tables, if the value is a list."""
    # ``bool | Annotated[...]`` is the older kind of union.
    if typing.get_origin(type_) in {types.UnionType, typing.Union} and isinstance(value, list):
        return next((each for each in typing.get_args(type_) if wording.table_in(each) is not None), type_)
    return type_


def _is_table(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)
