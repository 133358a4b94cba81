"""Several files to one configuration: what each has, side by side, and in which file a key stands.

Rules: a table or key is in one file alone, but for tables that hold others by their names (`[commands]`, say), which
have those of all files, and arrays of tables, one behind the other. It is never decided here which of two is meant.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec import Struct

from cmdserver.config.source_map import Path, lines_of, nearest_line

#: Of which every file may have some: tables by name, and arrays of tables.
_BY_NAME = frozenset({"commands", "roles", "hooks"})
_ARRAYS = frozenset({"listen"})


class SourceFile(Struct, frozen=True, kw_only=True):
    """A file of a configuration."""

    #: What to call it in a complaint; empty for one that has no name.
    name: str
    text: str


class Place(Struct, frozen=True, kw_only=True):
    """Where something stands in a file."""

    file: str
    #: From 1; None if it is nowhere.
    line: int | None
    #: As its file has it: an array of tables is counted within the file.
    path: Path

    def __str__(self) -> str:
        if self.line is None:
            return self.file
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


class Conflict(Struct, frozen=True):
    """A table or key that two files have."""

    path: Path
    first: int
    second: int


class Merged:
    """The values of several files, as if they stood in one.

    Args:
        files: The main one first.
        documents: What is in each.
    """

    def __init__(self, files: Sequence[SourceFile], documents: Sequence[Mapping[str, Any]]) -> None:
        self._files = files
        self.values: dict[str, Any] = {}
        self.conflicts: list[Conflict] = []
        #: Which file has a table or key, of those that are not in the main one.
        self._owners: dict[Path, int] = {}
        for index, document in enumerate(documents):
            self._add(index, document)

    def place(self, path: Path) -> Place:
        """Find where a value, or else the nearest table or key around it, stands."""
        owner = next((self._owners[path[:size]] for size in (2, 1) if path[:size] in self._owners), 0)
        return self.place_in(owner, self._within(path, owner))

    def place_in(self, index: int, path: Path) -> Place:
        """Find where a value of one file stands; the path is as that file has it."""
        line = nearest_line(self._lines[index], path)
        return Place(file=self._files[index].name, line=line, path=path)

    @cached_property
    def _lines(self) -> Sequence[Mapping[Path, int]]:
        return [lines_of(each.text) for each in self._files]

    def _within(self, path: Path, owner: int) -> Path:
        """Count an element of an array within its file."""
        match path:
            case (key, int() as index, *rest):
                before = sum(1 for other in range(index) if self._owners.get((key, other), 0) != owner)
                return (key, index - before, *rest)
        return path

    def _add(self, index: int, document: Mapping[str, Any]) -> None:
        for key, value in document.items():
            known = self.values.get(key)
            if key in _BY_NAME and isinstance(value, dict) and isinstance(known, dict | None):
                self._add_tables(index, key, value)
            elif key in _ARRAYS and isinstance(value, list) and isinstance(known, list | None):
                elements = self._opened(index, key, [])
                for each in value:
                    self._own(index, (key, len(elements)))
                    elements.append(each)
            elif key in self.values:
                self._conflict(index, (key,))
            else:
                self._own(index, (key,))
                self.values[key] = value

    def _add_tables(self, index: int, key: str, tables: Mapping[str, Any]) -> None:
        known = self._opened(index, key, {})
        for name, table in tables.items():
            if name in known:
                self._conflict(index, (key, name))
            else:
                self._own(index, (key, name))
                known[name] = table

    def _opened(self, index: int, key: str, empty: Any) -> Any:
        """Return what is there for a key that several files may have."""
        if key not in self.values:
            self._own(index, (key,))
            self.values[key] = empty
        return self.values[key]

    def _own(self, index: int, path: Path) -> None:
        if index:
            self._owners[path] = index

    def _conflict(self, index: int, path: Path) -> None:
        self.conflicts.append(Conflict(path, self._owners.get(path, 0), index))
