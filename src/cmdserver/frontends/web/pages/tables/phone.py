"""A row of a table on a phone, which has two lines: what stands in the first, and what is said in the second."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from cmdserver.frontends.web.pages.tables.meanings import Kind
from cmdserver.frontends.web.pages.tables.table import Cell, Column, Table, sorted_column

#: The most values that the second line has.
_SAID_MORE: Final = 3
#: A text that is worth the first line.
_LONG_TEXT: Final = 24


def shape_of(table: Table) -> str:
    """Say how a row stands on a phone: with a bar across it, with a long text first, or with its name first."""
    if any(each.kind is Kind.FULL for each in table.columns):
        return "full"
    last = [len(row[-1].text) for row in table.rows]
    return "long" if table.has_long and min(last) > 0 and max(last) > _LONG_TEXT else "plain"


def key_column(table: Table) -> int | None:
    """Say which column stands at the right edge on a phone: what the table is sorted by, else the first that tells."""
    column = sorted_column(table)
    if column is not None and column.kind.is_number and (place := table.columns.index(column)):
        return place
    return telling(table, None)


def telling(table: Table, other_than: int | None) -> int | None:
    """Find the first column of numbers that are understood without its head."""
    places = (
        number for number, each in enumerate(table.columns) if each.kind.is_number and each.kind is not Kind.NUMBER
    )
    return next((number for number in places if number not in {0, other_than}), None)


def more(table: Table, row: tuple[Cell, ...], shape: str, key: int | None) -> Iterator[str]:
    """Say in the second line on a phone what the first does not."""
    named = list(zip(table.columns, row, strict=True))
    if shape == "full":
        cells = {column.key: cell.text for column, cell in named}
        whole = next(
            (each for each, _ in named if each.kind is Kind.BYTES and each.key not in {"available", "used"}), None
        )
        if whole is not None and "available" in cells:
            yield f"{cells['available']} free of {cells[whole.key]}"
        return
    if shape == "long":
        said = [each for each in named[1:-1] if not each[0].kind.is_number]
    else:
        others = [each for number, each in enumerate(named) if number not in {0, key}]
        said = [*others[-1:], *others[:-1]] if table.has_long else others  # the longest text tells most
    yield from islice(filter(None, (_said(column, cell) for column, cell in said)), _SAID_MORE)


def _said(column: Column, cell: Cell) -> str:
    """Say what a cell says, where its head is not seen; empty if that is nothing."""
    if cell.text in {"", "no"}:
        return ""
    if cell.text == "yes" or column.kind.is_number:
        return column.title if cell.text == "yes" else f"{column.title} {cell.text}"
    return f"since {cell.text}" if column.key in {"start", "stime"} else cell.text
