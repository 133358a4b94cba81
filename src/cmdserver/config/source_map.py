"""Where in a TOML text a key stands, so that a mistake can be shown with its line.

The standard parser gives no positions. This looks for table headers and keys line by line; text inside a multi-line
string that looks like one can mislead it, so a line is a help to the reader and nothing else rests on it.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?$")
_NO_KEY = re.compile(r"[#\[]")


def lines_of(text: str) -> Mapping[Path, int]:
    """Find the lines, from 1, on which the tables and keys of a TOML text begin; see `nearest_line`."""
    lines: dict[Path, int] = {}
    for found, number in _positions(text):
        lines.setdefault(found, number)
    return lines


def path_at(text: str, line: int) -> Path:
    """Name the key or table that begins on a line of a TOML text, or the last one above it; empty if there is none."""
    found: Path = ()
    for path, number in _positions(text):
        if number > line:
            break
        # A line has its table first, then the keys in it.
        found = path
    return found


def nearest_line(lines: Mapping[Path, int], path: Path) -> int | None:
    """Find the line of a value, or else of the nearest table or key around it; None if there is none.

    Args:
        lines: As `lines_of` returns them.
        path: Keys and indices from the top, as in ``("listen", 0, "endpoint")``.
    """
    return next((lines[path[:length]] for length in range(len(path), 0, -1) if path[:length] in lines), None)


def _positions(text: str) -> Iterator[tuple[Path, int]]:
    """Every table and key with its line."""
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            keys = _keys(f"{header[2]} = 0")
            if keys is None:
                continue
            table = _in_arrays(keys, counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            for length in range(1, len(table) + 1):
                yield table[:length], number
        else:
            key, equals, _ = line.partition("=")
            keys = _keys(f"{key} = 0") if equals and not _NO_KEY.search(key) else None
            if keys is not None:
                for length in range(1, len(keys) + 1):
                    yield (*table, *keys[:length]), number


def _in_arrays(keys: tuple[str, ...], counts: dict[Path, int]) -> Path:
    """Say which element of an array of tables a header speaks of: the last one so far."""
    path: Path = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path])
    return (*path, keys[-1])


def _keys(statement: str) -> tuple[str, ...] | None:
    """Let the standard parser read dotted and quoted keys."""
    try:
        value: object = tomllib.loads(statement)
    except (ValueError, RecursionError):
        return None
    keys: list[str] = []
    while isinstance(value, dict) and len(value) == 1:
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys) if value == 0 else None
