"""The tables and facts of a command's data: columns, rows and their order; the same for pages and scripts.

No text is escaped here, and every cut is visible.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from msgspec.structs import replace

from cmdserver.checks.data import Json, naming
from cmdserver.core.output import Parsed
from cmdserver.frontends.web.pages.tables import meanings, units
from cmdserver.frontends.web.pages.tables.meanings import Kind
from cmdserver.frontends.web.pages.tables.nested import as_text, merged
from cmdserver.frontends.web.pages.tables.table import Cell, Column, Facts, Part, Table, sorted_by

#: The most rows that a page shows; text and JSON have all of them.
ROWS: Final = 500
#: The most columns that a page shows.
COLUMNS: Final = 24
#: How many runs' tables are kept.
KEPT_RUNS: Final = 8
#: From these percentages on a file system is filling up, and nearly full.
FILLING, FULL = 80, 90
#: A bar says something from here on.
LEAST_BAR: Final = 1


def parts_of_run(parsed: Parsed, parser: str | None, output: bytes, sort: str = "") -> tuple[Part, ...]:
    """Make what to draw of the data of a run; see `parts_of`. It is made once for those who share a run."""
    return _kept_parts(parsed, memory_unit_of(output) if parser == "free" else None, sort)


@lru_cache(maxsize=KEPT_RUNS)
def _kept_parts(parsed: Parsed, memory_unit: int | None, sort: str) -> tuple[Part, ...]:
    return parts_of(parsed.value, memory_unit=memory_unit, sort=sort)


def parts_of(data: Json, *, memory_unit: int | None = None, sort: str = "") -> tuple[Part, ...]:
    """Make what to draw of data; nothing for what is neither a table nor facts.

    Args:
        data: What a parser has made.
        memory_unit: See `memory_unit_of`.
        sort: The key of a column, behind ``-`` if it is to begin at the top; unknown ones mean nothing.
    """
    if isinstance(data, Sequence) and not isinstance(data, str) and len(data) == 1:
        (only,) = data
        if isinstance(only, Mapping) and any(_is_rows(each) for each in only.values()):
            data = only
    if isinstance(data, Mapping):
        tables = (
            _table(value, meanings.title(key), memory_unit)
            for key, value in data.items()
            if not _is_part_of_other(key, data)
        )
        parts = [*_facts(data), *chain.from_iterable(tables)]
    else:
        parts = list(_table(data, None, memory_unit))
    return tuple(sorted_by(each, sort) if isinstance(each, Table) else each for each in parts)


def memory_unit_of(output: bytes) -> int:
    """Say how many bytes the numbers are of that free has printed.

    jc turns numbers with a unit behind them (-h) into bytes; others are KiB unless free was told otherwise, which
    their size shows.
    """
    match = re.search(rb"^Mem:\s+([\d.,]+)([A-Za-z]?)", output, re.MULTILINE)
    if match is None or match[2]:
        return 1
    total = int(re.sub(rb"\D", b"", match[1]) or b"0")
    if total >= 1 << 32:  # else it were 4 TiB and more
        return 1
    return 1024 if total >= 1 << 18 else 1 << 20


# Facts


def _facts(data: Mapping[str, Json]) -> list[Part]:
    single = {key: value for key, value in merged(data).items() if not _is_rows(value)}
    shown = {key: value for key, value in single.items() if not _is_part_of_other(key, data)}
    facts = []
    for key, value in shown.items():
        column = _column(key, [value], data, None)
        cell = _cell(column, value, 1, has_tenths=_has_tenths([value]))
        if cell.text:
            facts.append((column, cell))
    return [Facts(tuple(facts))] if facts else []


def _is_part_of_other(key: str, data: Mapping[str, Json]) -> bool:
    """Whether a value is a part of another (``time_hour``), or the same in another unit (``mem_total``)."""
    if f"{key}_bytes" in data or (key.endswith("_unit") and len(data) > 1):
        return True
    return any(isinstance(value, str) and key.startswith(f"{other}_") for other, value in data.items())


# Tables


def _table(data: Json, caption: str | None, memory_unit: int | None) -> Iterable[Part]:
    found = [row for row in data if isinstance(row, Mapping)] if isinstance(data, Sequence) and _is_rows(data) else []
    rows = [merged(row) for row in found[:ROWS]]
    all_keys = list(dict.fromkeys(chain.from_iterable(rows)))
    keys = [key for key in all_keys if key not in meanings.left_out(all_keys) and not _is_twice(key, all_keys)]
    keys = [key for key in keys if any(row.get(key) not in (None, "", []) for row in rows)]
    if not keys:
        return
    rows, keys = _with_share(rows, keys, memory_unit)
    made = [_column(key, [row.get(key) for row in rows], keys, memory_unit) for key in keys]
    columns, has_long = _ordered(made, rows)
    cells = [_cells(column, rows, keys, memory_unit) for column in columns]
    columns = tuple(
        replace(column, has_bar=any((each.number or 0) >= LEAST_BAR for each in column_cells))
        if column.kind in {Kind.PERCENT, Kind.FULL}
        else column
        for column, column_cells in zip(columns, cells, strict=True)
    )
    yield Table(
        caption=caption,
        columns=columns[:COLUMNS],
        rows=tuple(zip(*cells[:COLUMNS], strict=True)),
        counted=meanings.noun(all_keys, len(found)),
        has_long=has_long and len(columns) <= COLUMNS,
        omitted=_omitted(len(found) - ROWS, len(columns) - COLUMNS),
    )


def _is_rows(value: Json) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(each, Mapping) for each in value)
    )


def _is_twice(key: str, keys: Sequence[str]) -> bool:
    """Whether another column says the same (``size`` beside ``size_bytes``), or in which unit it says it."""
    return f"{key}_bytes" in keys or (key.endswith("_unit") and f"{key.removesuffix('_unit')}_bytes" in keys)


def _omitted(rows: int, columns: int) -> str | None:
    there = [f"{count:,} more {what}" for count, what in ((rows, "rows"), (columns, "columns")) if count > 0]
    return f"Not shown here: {' and '.join(there)}. The text has them." if there else None


def _with_share(
    rows: list[dict[str, Json]], keys: list[str], memory_unit: int | None
) -> tuple[list[dict[str, Json]], list[str]]:
    """Add how much of a whole is used, where that is not said but follows."""
    if memory_unit is None or not {"total", "used"} <= set(keys) or any(map(meanings.is_percentage, keys)):
        return rows, keys
    shares = [_share(row.get("used"), row.get("total")) for row in rows]
    return [{**row, "used_share": share} for row, share in zip(rows, shares, strict=True)], [*keys, "used_share"]


def _share(used: Json, total: Json) -> Json:
    if isinstance(used, int | float) and isinstance(total, int | float) and total > 0:
        return round(100 * used / total)
    return None


def _ordered(columns: list[Column], rows: Sequence[Mapping[str, Json]]) -> tuple[tuple[Column, ...], bool]:
    """Order columns; the longest texts come last. Say whether there are any."""
    name_key = naming([each.key for each in columns])
    name = next(each for each in columns if each.key == name_key)
    rest = sorted((each for each in columns if each is not name), key=_place)
    texts = [each for each in rest if each.kind in {Kind.TEXT, Kind.LIST}]
    if not texts:
        return (name, *rest), False
    longest = next((each for each in texts if meanings.is_last(each.key)), None) or max(
        texts, key=lambda column: max(len(as_text(column.key, row.get(column.key))) for row in rows)
    )
    return (name, *(each for each in rest if each is not longest), longest), True


_PLACES: Final = {
    Kind.FULL: 0,
    Kind.PERCENT: 0,
    Kind.BYTES: 1,
    Kind.TEXT: 2,
    Kind.NUMBER: 3,
    Kind.DURATION: 4,
    Kind.TIME: 5,
    Kind.LIST: 6,
}


def _place(column: Column) -> tuple[int, int]:
    return _PLACES[column.kind], meanings.byte_rank(column.key)


# Columns and cells


def _column(key: str, values: Sequence[Json], keys: Iterable[str], memory_unit: int | None) -> Column:
    known = list(keys)
    kind = _kind(key, [value for value in values if value not in (None, "", [])], known, memory_unit)
    named = "size_in_blocks" if meanings.block_bytes({key}) is not None else key.removesuffix("_bytes")
    return Column(key, meanings.title(named), kind, is_code=meanings.is_code(key))


def _kind(key: str, there: Sequence[Json], keys: Sequence[str], memory_unit: int | None) -> Kind:
    if there and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        if meanings.is_percentage(key):
            return Kind.FULL if meanings.is_full(key, keys) else Kind.PERCENT
        if meanings.bytes_each(key, keys, memory_unit) is not None:
            return Kind.BYTES
        return Kind.DURATION if key.endswith("_seconds") else Kind.NUMBER
    if meanings.is_processor_time(key, keys) and all(_is_duration(each) for each in there):
        return Kind.DURATION
    if meanings.is_moment(key):
        return Kind.TIME
    return Kind.LIST if any(isinstance(each, Mapping | list) for each in there) else Kind.TEXT


def _is_duration(value: Json) -> bool:
    return isinstance(value, str) and units.seconds_of(value) is not None


def _cells(column: Column, rows: Sequence[Mapping[str, Json]], keys: Iterable[str], unit: int | None) -> list[Cell]:
    values = [row.get(column.key) for row in rows]
    each = meanings.bytes_each(column.key, list(keys), unit) or 1
    has_tenths = _has_tenths(values)
    return [_cell(column, value, each, has_tenths=has_tenths) for value in values]


def _has_tenths(values: Iterable[Json]) -> bool:
    return any(isinstance(value, float) and value != int(value) for value in values)


def _cell(column: Column, value: Json, bytes_each: int, *, has_tenths: bool) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        match column.kind:
            case Kind.BYTES:
                return Cell(units.bytes_text(value * bytes_each), value * bytes_each)
            case Kind.PERCENT | Kind.FULL:
                return Cell(units.percent_text(value, has_tenths=has_tenths), value)
            case Kind.DURATION:
                return Cell(units.clock_text(value), value)
            case _:
                return Cell(str(value) if column.key == "pid" else units.number_text(value), value)
    if column.kind is Kind.DURATION and isinstance(value, str) and (seconds := units.seconds_of(value)) is not None:
        return Cell(units.clock_text(seconds), seconds)
    return Cell(as_text(column.key, value))
