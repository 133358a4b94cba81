"""The picture of a command's parsed output: facts, tables, and which numbers are bars; the same for pages and scripts.

No text is escaped here, and every cut is visible.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from cmdserver.core.output import Answer
from cmdserver.dispatch.output_parsers import Json, parse, readable

#: The most rows that a page shows; text and JSON have all of them.
ROWS = 500
#: The most columns that a page shows.
COLUMNS = 24
#: How many runs' pictures are kept.
KEPT_RUNS: Final = 8
#: A column in which a text is longer than this comes last: it would push the others away.
_LONG_TEXT = 60
#: A nested value is shown as JSON, up to this many characters.
_NESTED_CHARACTERS = 200
#: Of what is full, more is worse; of other percentages nobody knows.
_FULL = ("use", "used", "capacity")
#: Digits are grouped from here on; not before, as it may be a year.
_GROUPED = 10_000
#: Where a row has all of these, df's -h has been at work, and jc has made bytes of it.
_SIZES = frozenset({"size", "used", "available"})


class Kind(StrEnum):
    """What a column holds, which decides how it is drawn."""

    TEXT = "text"
    #: Texts of which some are sentences or more.
    LONG = "long"
    NUMBER = "number"
    PERCENT = "percent"
    #: A percentage of which more is worse.
    FULL = "full"


#: In which order columns stand, behind the first.
_PLACES = {Kind.PERCENT: 0, Kind.FULL: 0, Kind.TEXT: 1, Kind.NUMBER: 2, Kind.LONG: 3}


class Cell(NamedTuple):
    """One value."""

    text: str
    #: None for what is no number.
    number: float | None = None


class Column(NamedTuple):
    """The head of a column, or the name of a fact."""

    name: str
    kind: Kind


class Table(NamedTuple):
    """Columns; with a caption if it is one of several."""

    caption: str | None
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    #: Tells which rows and columns are left out; None if there are none.
    omitted: str | None


class Facts(NamedTuple):
    """Names and single values."""

    facts: tuple[tuple[Column, Cell], ...]


Part = Table | Facts


def json_of(answer: Answer) -> bytes | None:
    """Render the picture of a run as JSON, for ``static/app.js``; None if there is nothing to draw."""
    found = readable(answer)
    return None if found is None else _json(*found)


#: Kept for those who share a run: each would have its table made anew while everybody else waits.
@lru_cache(maxsize=KEPT_RUNS)
def _json(parser: str, output: bytes) -> bytes | None:
    parts = picture(parse(parser, output))
    return json.dumps(for_scripts(parts)).encode("ascii") if parts else None


def picture(data: Json) -> tuple[Part, ...]:
    """Return what to draw; nothing for what is neither a table nor facts."""
    if isinstance(data, Mapping):
        return tuple(chain(_facts(data), *(_table(value, _title(key)) for key, value in data.items())))
    return tuple(_table(data, None))


def for_scripts(parts: Sequence[Part]) -> Json:
    """Return the same as `Json`: columns and cells are arrays."""
    return [
        {"facts": [(*column, *cell) for column, cell in part.facts]} if isinstance(part, Facts) else part._asdict()
        for part in parts
    ]


def _facts(data: Mapping[str, Json]) -> list[Part]:
    """Take the single values of a mapping, without those that are a part of another (``time_hour``)."""
    texts = tuple(f"{key}_" for key, value in data.items() if isinstance(value, str))
    single = {key: value for key, value in data.items() if not _is_rows(value) and not key.startswith(texts)}
    facts = tuple((_column(key, [value]), _cell(key, value, data)) for key, value in single.items())
    return [Facts(facts=facts)] if facts else []


def _table(data: Json, caption: str | None) -> list[Part]:
    rows = [row for row in data if isinstance(row, Mapping)] if _is_rows(data) and isinstance(data, Sequence) else []
    names = list(dict.fromkeys(chain.from_iterable(rows)))
    if not names:
        return []
    omitted = _omitted(len(rows) - ROWS, len(names) - COLUMNS)
    keys = _ordered(names[:COLUMNS], rows[:ROWS])
    columns = tuple(_column(key, [row.get(key) for row in rows[:ROWS]]) for key in keys)
    cells = tuple(tuple(_cell(key, row.get(key), row) for key in keys) for row in rows[:ROWS])
    return [Table(caption=caption, columns=columns, rows=cells, omitted=omitted)]


def _omitted(rows: int, columns: int) -> str | None:
    there = [f"{count:,} more {what}" for count, what in ((rows, "rows"), (columns, "columns")) if count > 0]
    return f"Not shown here: {' and '.join(there)}. The output below has them." if there else None


def _is_rows(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _ordered(keys: Sequence[str], rows: Sequence[Mapping[str, Json]]) -> list[str]:
    """Order columns: the row's name, bars, texts, numbers, long texts."""
    first, *rest = keys
    return [first, *sorted(rest, key=lambda key: _PLACES[_column(key, [row.get(key) for row in rows]).kind])]


def _column(key: str, values: Sequence[Json]) -> Column:
    there = [value for value in values if value is not None]
    if not there or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        is_long = any(isinstance(value, str) and len(value) > _LONG_TEXT for value in there)
        return Column(name=_title(key), kind=Kind.LONG if is_long else Kind.TEXT)
    words = key.split("_")
    if "percent" not in words:
        return Column(name=_title(key), kind=Kind.NUMBER)
    name = _title("_".join(word for word in words if word != "percent") or key)
    return Column(name=name, kind=Kind.FULL if words[0] in _FULL else Kind.PERCENT)


def _cell(key: str, value: Json, row: Mapping[str, Json]) -> Cell:
    match value:
        case None:
            return Cell(text="")
        case bool():
            return Cell(text="yes" if value else "no")
        case int() | float():
            return Cell(text=_number(key, value, row), number=value)
        case str():
            return Cell(text=value)
        case _:
            nested = json.dumps(value, ensure_ascii=False)
            return Cell(text=nested if len(nested) <= _NESTED_CHARACTERS else f"{nested[:_NESTED_CHARACTERS]}…")


def _number(key: str, value: float, row: Mapping[str, Json]) -> str:
    if "percent" in key.split("_"):
        return f"{value:g} %"
    if (key in _SIZES and row.keys() >= _SIZES) or key.endswith("_bytes"):
        return _bytes(value)
    if abs(value) < _GROUPED:
        return f"{value:g}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _bytes(value: float) -> str:
    """Render a number of bytes as ``df -h`` does, in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024:  # noqa: PLR2004
            return f"{value:.0f} {unit}" if unit == "B" or abs(value) >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1024
    return f"{value:,.1f} PiB"


def _title(key: str) -> str:
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
