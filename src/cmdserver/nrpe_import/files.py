"""The files of an NRPE configuration: what ``include`` and ``include_dir`` name, in nrpe's order, without its loops.

nrpe follows a file that includes itself until its stack is full. Here a loop, a depth and a size have an end.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cmdserver.core.text_encoding import NotUTF8, decode_leniently
from cmdserver.nrpe_import.directives import Directive, Place, Remark, parse

MOST_FILES: Final = 1000
#: That are looked at: a few links from each directory to the next are more ways than anybody waits for.
MOST_DIRECTORIES: Final = 1000
MOST_DEPTH: Final = 16
#: Of one file, and of all.
MOST_BYTES: Final = 1 << 20
MOST_BYTES_TOGETHER: Final = 1 << 24

_SUFFIX: Final = ".cfg"
_INCLUDE: Final = frozenset({"include", "include_file"})


class Files:
    """Reads a configuration with all that it includes."""

    def __init__(self) -> None:
        self._count = 0
        self._bytes = 0
        #: Those that are being read, by what tells files apart.
        self._open: list[tuple[int, int]] = []
        self._directories = 0
        self._open_directories: list[tuple[int, int]] = []
        #: Directories that include themselves, and were told; None: that there are too many.
        self._told: set[tuple[int, int] | None] = set()

    def read(self, data: bytes, name: str, directory: Path) -> Iterator[Directive | Remark]:
        """Read a configuration's directives in the order in which nrpe reads them.

        Args:
            data: The main file.
            name: What to call it.
            directory: What relative paths in it begin at.
        """
        try:
            text = decode_leniently(data)
        except NotUTF8 as error:
            yield Remark(Place(name, 1), f"the file {error}", is_refusal=True)
            return
        for each in parse(text, name):
            if isinstance(each, Remark):
                yield each
            elif each.key in _INCLUDE:
                yield from self._file(directory / each.value, each.place)
            elif each.key == "include_dir":
                yield from self._directory(directory / each.value, each.place)
            else:
                yield each

    def read_file(self, path: Path) -> Iterator[Directive | Remark]:
        """Read a file as the main one.

        Raises:
            OSError: It cannot be read.
            ValueError: It is too large.
        """
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
            status = os.fstat(file.fileno())
        if len(data) > MOST_BYTES:
            raise ValueError(f"{path} is larger than {MOST_BYTES} bytes")
        self._open.append((status.st_dev, status.st_ino))
        yield from self.read(data, str(path), path.parent)

    def _file(self, path: Path, place: Place) -> Iterator[Directive | Remark]:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                yield Remark(place, f"{path} is not a file", is_refusal=True)
                return
            if trouble := self._trouble(status):
                yield Remark(place, f"{path} is not read: {trouble}", is_refusal=True)
                return
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            yield Remark(place, f"{path} cannot be read: {getattr(error, 'strerror', error)}", is_refusal=True)
            return
        self._count += 1
        self._bytes += len(data)
        self._open.append((status.st_dev, status.st_ino))
        yield from self.read(data, str(path), path.parent)
        self._open.pop()

    def _directory(self, path: Path, place: Place, depth: int = 0) -> Iterator[Directive | Remark]:
        """Read all .cfg files in and below a directory, hidden directories left out."""
        if depth > MOST_DEPTH:
            yield Remark(place, f"{path} is not read: it is more than {MOST_DEPTH} directories deep", is_refusal=True)
            return
        try:
            status = path.stat()
            identity = status.st_dev, status.st_ino
            if self._directories >= MOST_DIRECTORIES or identity in self._open_directories:
                yield from self._refusal(path, place, identity)
                return
            entries = sorted(path.iterdir(), key=lambda each: os.fsencode(each.name))
        except (OSError, ValueError) as error:
            yield Remark(place, f"{path} cannot be read: {getattr(error, 'strerror', error)}", is_refusal=True)
            return
        self._directories += 1
        self._open_directories.append(identity)
        for each in entries:
            if each.name.endswith(_SUFFIX) and each.name != _SUFFIX:
                if each.is_file():
                    yield from self._file(each, place)
            elif each.is_dir() and not each.name.startswith("."):
                yield from self._directory(each, place, depth + 1)
        self._open_directories.pop()

    def _refusal(self, path: Path, place: Place, identity: tuple[int, int]) -> Iterator[Remark]:
        """Say why a directory is not looked at, once for each reason: there may be as many ways to it as one likes."""
        is_loop = identity in self._open_directories
        reason = identity if is_loop else None
        if reason not in self._told:
            self._told.add(reason)
            why = "it includes itself" if is_loop else f"there are more than {MOST_DIRECTORIES} directories"
            yield Remark(place, f"{path} is not read: {why}", is_refusal=True)

    def _trouble(self, status: os.stat_result) -> str | None:
        """Say why a file is not to be read; None if it is."""
        if (status.st_dev, status.st_ino) in self._open:
            return "it includes itself"
        if len(self._open) >= MOST_DEPTH:
            return f"it is more than {MOST_DEPTH} files deep"
        if self._count >= MOST_FILES:
            return f"there are more than {MOST_FILES}"
        if status.st_size > MOST_BYTES:
            return f"it is larger than {MOST_BYTES} bytes"
        if self._bytes + status.st_size > MOST_BYTES_TOGETHER:
            return f"all together are larger than {MOST_BYTES_TOGETHER} bytes"
        return None
