"""Reads the files that a configuration includes, each as carefully as the one that names them.

Rules: the name of a file is its place alone, so wildcards are in the last part of a path; what is found is bounded in
files and bytes; only the main file includes others.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct, field

from cmdserver.config.merging import SourceFile
from cmdserver.core.escaping import visible
from cmdserver.core.names import is_glob
from cmdserver.core.text_encoding import NotUTF8, decode
from cmdserver.files import safe_path

#: Reads a file of at most so many bytes; raises an OSError.
ReadBytes = Callable[[Path, int], bytes]

#: More are something else than a configuration.
MOST_FILES = 500
#: Names of a directory that are looked at.
_MOST_NAMES = 10_000


class Remark(Struct, frozen=True):
    """What is to be said of an included file, or of a pattern."""

    text: str
    #: The file that is wrong; empty: what is wrong is the pattern.
    file: str = ""
    line: int | None = None


class Included(Struct):
    """What patterns stand for."""

    files: list[SourceFile] = field(default_factory=list)
    mistakes: list[Remark] = field(default_factory=list)
    #: Of patterns without effect.
    warnings: list[Remark] = field(default_factory=list)


def include(
    main: Path, patterns: Iterable[str], most_bytes: int, read: ReadBytes = safe_path.read_deciding_file
) -> Included:
    """Read the files that patterns stand for, in the order of the patterns, then of their names; each once.

    Args:
        main: The file that has the patterns, and that is no answer to them; absolute.
        patterns: Relative to it.
        most_bytes: Of all of them together.
        read: What reads each.
    """
    included = Included()
    known = {main}
    room = most_bytes
    for pattern in patterns:
        for path in _matching(main.parent, pattern, included):
            if path in known:
                continue
            known.add(path)
            if len(known) > MOST_FILES + 1:
                included.mistakes.append(Remark(f"{pattern}: more than {MOST_FILES} files are included"))
                return included
            room -= _read(path, room, included, read)
    return included


def _matching(directory: Path, pattern: str, included: Included) -> list[Path]:
    """List what a pattern stands for: as a shell does, so that no hidden file is meant by chance."""
    if "\0" in pattern:
        included.mistakes.append(Remark("has a NUL character in it"))
        return []
    where, _, last = pattern.rpartition("/")
    if is_glob(where):
        included.mistakes.append(Remark(f"{pattern}: only the last part of a path may have wildcards"))
        return []
    folder = directory / (f"{where}/" if where else "")
    if not is_glob(last):
        return [folder / last]
    try:
        names = sorted(each for each in _names(folder) if fnmatchcase(each, last))
    except FileNotFoundError:
        names = []
    except OSError as error:
        included.mistakes.append(Remark(f"{pattern}: {folder}: {error.strerror}"))
        return []
    found = [name for name in names if not name.startswith(".") or last.startswith(".")]
    if not found:
        included.warnings.append(Remark(f"{pattern} matches no file"))
    return [folder / name for name in found]


def _names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= _MOST_NAMES:
                raise OSError(0, f"has more than {_MOST_NAMES} files in it")
            yield entry.name


def _read(path: Path, most_bytes: int, included: Included, read: ReadBytes) -> int:
    """Read one file; return how long it is."""
    name = visible(str(path))
    try:
        data = read(path, most_bytes)
        included.files.append(SourceFile(name=name, text=decode(data)))
    except NotUTF8 as error:
        included.mistakes.append(Remark(str(error), name, error.line))
    except OSError as error:
        included.mistakes.append(Remark(f"{name}: {error.strerror}"))
    else:
        return len(data)
    return 0
