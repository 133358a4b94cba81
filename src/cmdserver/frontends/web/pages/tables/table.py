"""A table as it is drawn: columns, cells, and the order of its rows; or facts, where there is no table."""

from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from cmdserver.frontends.web.pages.tables.meanings import Kind


class Cell(Struct, frozen=True):
    """One value."""

    text: str
    #: By which it is sorted and drawn; None for what is no number.
    number: float | None = None


class Column(Struct, frozen=True):
    """The head of a column, or the name of a fact."""

    key: str
    title: str
    kind: Kind
    #: Whether percentages are drawn as bars.
    has_bar: bool = False
    #: Whether its values are code.
    is_code: bool = False


class Table(Struct, frozen=True, kw_only=True, eq=False):
    """Columns, the one that names a row first; with a caption if the table is one of several."""

    caption: str | None
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    #: How many rows there are, and of what: ``187 processes``.
    counted: str
    #: Whether the last column holds the longest texts, and takes the room that is left.
    has_long: bool
    #: What is left out, as a sentence; None if nothing is.
    omitted: str | None
    #: By which column its rows are in order, as an address says it (``-cpu_percent``: from the top); None: as given.
    sort: str | None = None


class Facts(Struct, frozen=True, eq=False):
    """Names and single values."""

    facts: tuple[tuple[Column, Cell], ...]


Part = Table | Facts


def sorted_by(table: Table, sort: str) -> Table:
    """Put rows in order; what has no value comes last, and equal ones stay as they are."""
    key = sort.removeprefix("-")
    place = next((number for number, each in enumerate(table.columns) if each.key == key), None)
    if place is None:
        return table
    kind = table.columns[place].kind
    there = [(value, row) for row in table.rows if (value := _value(kind, row[place])) is not None]
    missing = [row for row in table.rows if _value(kind, row[place]) is None]
    there.sort(key=itemgetter(0), reverse=sort.startswith("-"))
    return replace(table, rows=(*(row for _, row in there), *missing), sort=sort)


def _value(kind: Kind, cell: Cell) -> float | str | None:
    """Return what a cell is sorted by; None if there is nothing in it."""
    return cell.number if kind.is_number else cell.text.lower() or None


def sorted_column(table: Table) -> Column | None:
    """Say by which column a table is in order; None if it is as it was given."""
    key = (table.sort or "").removeprefix("-")
    return next((each for each in table.columns if each.key == key), None)


def next_sort(table: Table, column: Column) -> str:
    """Say what a click on a head asks for: numbers from the top and text from A at first, then the other way round."""
    first, other = (f"-{column.key}", column.key) if column.kind.is_number else (column.key, f"-{column.key}")
    return other if table.sort == first else first
