"""What parsers make of output: values as JSON has them, and the numbers in them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

#: What JSON can say, as values that nobody changes.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

#: What names a row, the best first: a user never does.
_NAMING: Final = (
    *("pid", "unit", "unit_file", "name", "names", "ifname", "mounted_on", "mount_point", "mountpoint", "target"),
    *("filesystem", "file_system", "container_id", "package", "local", "device", "interface", "id", "type"),
)
_NEVER_NAMING: Final = frozenset({"user", "uid", "username", "owner", "group"})
#: Deeper data are not looked at.
_MOST_DEPTH: Final = 8


def naming(keys: Collection[str]) -> str | None:
    """Say which of the keys names a row; None if there is none."""
    known = next((key for key in _NAMING if key in keys), None)
    return known or next((key for key in keys if key not in _NEVER_NAMING), next(iter(keys), None))


class Found(Struct, frozen=True):
    """A value that was found in data."""

    #: The dotted path, without the places in lists.
    key: str
    #: What names the row that it is of; None if it is of none.
    row: str | None
    value: Json


def as_number(value: Json) -> float | None:
    """Return a number; None for what is none: yes and no are none, nor is what JSON has no word for."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number - number == 0 else None


def numbers(data: Json) -> Iterator[Found]:
    """Find all numbers but those that name a row."""
    for found in _walk(data, "", None, 0):
        if as_number(found.value) is not None:
            yield found


def _walk(data: Json, key: str, row: str | None, depth: int) -> Iterator[Found]:
    if depth > _MOST_DEPTH:
        return
    match data:
        case Mapping():
            for name, value in data.items():
                yield from _walk(value, f"{key}.{name}" if key else name, row, depth + 1)
        case str():
            yield Found(key, row, data)
        case Sequence():
            for index, each in enumerate(data):
                named, name = row_name(each, None, index)
                own = f"{row} {name}" if row is not None else name
                without = {k: v for k, v in each.items() if k != named} if isinstance(each, Mapping) else each
                yield from _walk(without, key, own, depth + 1)
        case _:
            yield Found(key, row, data)


def row_name(row: Json, key: str | None, index: int) -> tuple[str | None, str]:
    """Name a row of a list.

    Args:
        row: Of the list.
        key: What names it, as a dotted path; None: what is best.
        index: Its place, from 0: what has no name is called by its number.

    Returns:
        The key that names it, if there is one, and the name.
    """
    if isinstance(row, Mapping):
        chosen = key if key is not None else naming(row)
        value = next((each.value for each in at_path(row, chosen)), None) if chosen is not None else None
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return chosen, str(value)
    return None, str(index + 1)


def rows_in(data: Json, most: int) -> int:
    """Count the rows of all lists, up to one more than so many."""
    count, waiting = 0, [data]
    while waiting and count <= most:
        match waiting.pop():
            case Mapping() as values:
                waiting.extend(value for value in values.values() if isinstance(value, list | tuple | dict))
            case list() | tuple() as rows:
                count += len(rows)
                waiting.extend(row for row in rows if isinstance(row, list | tuple | dict))
    return min(count, most + 1)


def at_path(data: Json, path: str, row_key: str | None = None) -> Iterator[Found]:
    """Find what stands at a dotted path, in each row of the lists on the way.

    Args:
        data: As a parser has made them.
        path: Keys, the outermost first.
        row_key: What names the rows; None: what is best.
    """
    yield from _at(data, tuple(path.split(".")), path, row_key, None)


def _at(data: Json, keys: tuple[str, ...], path: str, row_key: str | None, row: str | None) -> Iterator[Found]:
    match data:
        case str():
            if not keys:
                yield Found(path, row, data)
        case Sequence():
            for index, each in enumerate(data):
                name = row_name(each, row_key, index)[1]
                yield from _at(each, keys, path, row_key, name if row is None else f"{row} {name}")
        case Mapping() if keys:
            rest = ".".join(keys)
            if rest in data:  # a key may have a dot in it
                yield from _at(data[rest], (), path, row_key, row)
            elif keys[0] in data:
                yield from _at(data[keys[0]], keys[1:], path, row_key, row)
        case _ if not keys:
            yield Found(path, row, data)
        case _:
            return
