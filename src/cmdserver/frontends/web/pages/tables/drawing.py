"""Tables and facts as HTML, for pages; ``static/table.js`` sorts and filters what is drawn here, and draws nothing.

Without the script heads are links, if the page gives them an address; a phone gets two lines a row by ``table.css``
alone, from the same markup.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Final

from msgspec import Struct

from cmdserver.core.output import Answer, Parsed
from cmdserver.frontends.web.pages.markup import Content, Markup, closing, element, join, opening
from cmdserver.frontends.web.pages.tables import model, phone
from cmdserver.frontends.web.pages.tables.meanings import Kind
from cmdserver.frontends.web.pages.tables.table import Cell, Column, Facts, Part, Table, next_sort, sorted_column

#: From so many rows on there is a filter.
FILTERED_ROWS: Final = 20
#: The longest text that is shown large.
_LONG_FACT: Final = 24
#: Cells with more than this have their text as a tooltip: they may be cut.
_WHOLE: Final = 16

#: Makes the address of the page with its table in another order, which is given as an address says it.
AddressOfSort = Callable[[str], str]


def html_of(answer: Answer, sort: str = "", address_of_sort: AddressOfSort | None = None) -> Markup | None:
    """Draw the data of a run, which `Assessor.complete` has added to its answer; see `draw`."""
    return draw(answer.parsed, answer.parser, answer.finished.stdout, sort, address_of_sort)


def draw(
    parsed: Parsed | None,
    parser: str | None,
    output: bytes,
    sort: str = "",
    address_of_sort: AddressOfSort | None = None,
) -> Markup | None:
    """Draw the data of a run; or, as one sentence, why there are none.

    The page needs ``table.css`` and ``table.js``, which finds tables by itself, also in what comes later.

    Args:
        parsed: The data; None if nobody has asked for them, and then nothing is drawn.
        parser: The name of the parser.
        output: What the command has printed: of some numbers only it says in which unit they are.
        sort: As the page's address has it (``?sort=-cpu_percent``); anything else than a column's key means nothing.
        address_of_sort: See `AddressOfSort`; None: only the script sorts, and heads are no links.

    Returns:
        One ``<div class="data">``, or None if there is nothing to draw and nothing to say.
    """
    if parsed is None:
        return None
    if parsed.problem is not None:
        text = f"There is no table: {parsed.problem}. The output is shown as text."
        return element("div", element("p", text, class_="no-data"), class_="data")
    parts = model.parts_of_run(parsed, parser, output, sort)
    return _drawn(parts) if address_of_sort is None else draw_parts(parts, address_of_sort)


#: Kept for those who share a run: each would have its table made anew while everybody else waits.
@lru_cache(maxsize=model.KEPT_RUNS)
def _drawn(parts: tuple[Part, ...]) -> Markup | None:
    return draw_parts(parts)


def draw_parts(parts: tuple[Part, ...], address_of_sort: AddressOfSort | None = None) -> Markup | None:
    """Draw tables and facts; None if there are none."""
    if not parts:
        return None
    drawn = [_facts(part) if isinstance(part, Facts) else table_html(part, address_of_sort) for part in parts]
    return element("div", *drawn, class_="data")


def table_html(table: Table, address_of_sort: AddressOfSort | None = None) -> Markup:
    """Draw a table, in the order that its rows have; see `draw`."""
    shape = phone.shape_of(table)
    key = phone.key_column(table)
    places = [_place(table, number, key) for number in range(len(table.columns))]
    head = element("tr", *[_head(table, each, address_of_sort) for each in table.columns])
    rows = chain.from_iterable(_row(row, places, phone.more(table, row, shape, key)) for row in table.rows)
    box = element(
        "div",
        element("table", element("thead", head), element("tbody", join(rows)), class_=f"t-{shape}"),
        class_="t-box",
        tabindex=0,
        role="region",
        aria_label=table.caption or table.counted,
    )
    caption = element("h3", table.caption) if table.caption else None
    omitted = element("p", table.omitted, class_="more") if table.omitted else None
    return element("div", caption, _tools(table, address_of_sort), box, omitted, class_="data-table")


# Above a table


def _tools(table: Table, address_of_sort: AddressOfSort | None) -> Markup:
    """Make what stands above a table: how many rows, a filter by the script, the order for phones."""
    tools: list[Content] = []
    if len(table.rows) >= FILTERED_ROWS:
        hint = f"Filter {table.counted.partition(' ')[0]} rows"
        tools.append(element("input", type="search", placeholder=hint, aria_label=hint, class_="filter"))
    tools.append(element("span", table.counted, class_="counted", role="status"))
    column = sorted_column(table)
    said = column.title if column is not None else "as given"
    choices = [element("li", _sorter(table, each, address_of_sort)) for each in table.columns]
    menu = element(
        "details",
        element("summary", "Sort: ", element("b", said)),
        element("ul", *choices),
        class_="sort" if address_of_sort is not None else "sort by-script",
    )
    return element("div", *tools, menu, class_="table-tools")


def _sorter(table: Table, column: Column, address_of_sort: AddressOfSort | None) -> Markup:
    """Make what puts a table in order: a link; a button of the script's, if there is no address."""
    wanted = next_sort(table, column)
    if address_of_sort is not None:
        return element("a", column.title, href=address_of_sort(wanted), data_sort=column.key, rel="nofollow")
    return element("button", column.title, type="button", data_sort=column.key)


def _head(table: Table, column: Column, address_of_sort: AddressOfSort | None) -> Markup:
    how = None
    if column is sorted_column(table):
        how = "descending" if (table.sort or "").startswith("-") else "ascending"
    return element(
        "th",
        _sorter(table, column, address_of_sort),
        scope="col",
        class_=_head_class(column),
        aria_sort=how,
        data_numbers=column.kind.is_number,
    )


def _head_class(column: Column) -> str | None:
    if column.has_bar or column.kind is Kind.FULL:
        return "num bar"
    return "num" if column.kind.is_right else None


# Rows


class _Place(Struct, frozen=True):
    """What the cells of a column have in common."""

    column: Column
    element: str
    scope: str | None
    #: For the sheet: the column's edge, its writing, and its place on a phone.
    names: str | None
    opening: Markup
    is_number: bool
    is_share: bool


def _place(table: Table, number: int, key: int | None) -> _Place:
    column = table.columns[number]
    is_share = column.kind in {Kind.PERCENT, Kind.FULL}
    classes = [
        ("num", column.kind.is_right),
        ("code", column.is_code),
        ("bar", column.has_bar or column.kind is Kind.FULL),
        ("key", number == key),
        ("wide", table.has_long and number == len(table.columns) - 1),
        ("side", number == phone.telling(table, key)),
    ]
    names = " ".join(name for name, is_it in classes if is_it) or None
    kind, scope = ("td", None) if number else ("th", "row")
    tag = opening(kind, scope=scope, class_=names)
    return _Place(column, kind, scope, names, tag, column.kind.is_number, is_share)


_OPEN_ROW: Final = opening("tr")
_OPEN_MORE: Final = opening("td", class_="more")
_CLOSE_ROW: Final = closing("td", "tr")
_CLOSE: Final = {"th": closing("th"), "td": closing("td")}


def _row(row: tuple[Cell, ...], places: list[_Place], more: Iterable[str]) -> Iterator[Content]:
    """Draw a row, in pieces: there are thousands of cells, and each call costs."""
    yield _OPEN_ROW
    for place, cell in zip(places, row, strict=True):
        title = cell.text if len(cell.text) > _WHOLE else None
        number = cell.number if place.is_number else None
        if title is None and number is None:
            yield place.opening
        else:
            data = None if number is None else f"{number:.15g}"
            yield opening(place.element, scope=place.scope, class_=place.names, title=title, data_v=data)
        if place.is_share and cell.number is not None:
            yield from _share(place.column, cell, cell.number, row[0].text)
        else:
            yield cell.text
        yield _CLOSE[place.element]
    yield _OPEN_MORE
    yield " · ".join(more)
    yield _CLOSE_ROW


def _share(column: Column, cell: Cell, value: float, row_name: str) -> Iterator[Content]:
    """Draw a percentage with a bar, and how full a file system is in words, too."""
    yield element("span", cell.text, class_="n")
    if column.kind is Kind.FULL or (column.has_bar and value >= model.LEAST_BAR):
        yield _meter(column, cell, value, f"{column.title} of {row_name}")
    if column.kind is Kind.FULL and value >= model.FILLING:
        is_full = value >= model.FULL
        yield element("span", "nearly full" if is_full else "filling up", class_="word high" if is_full else "word")


def _meter(column: Column, cell: Cell, value: float, label: str) -> Markup:
    limits = {"low": model.FILLING, "high": model.FULL, "optimum": 0} if column.kind is Kind.FULL else {}
    return element("meter", cell.text, min=0, max=100, **limits, value=min(100.0, max(0.0, value)), aria_label=label)


# Facts


def _facts(part: Facts) -> Markup:
    return element("dl", *[_fact(column, cell) for column, cell in part.facts], class_="facts")


def _fact(column: Column, cell: Cell) -> Markup:
    bar = column.kind in {Kind.PERCENT, Kind.FULL} and cell.number is not None
    content = [_meter(column, cell, cell.number, column.title)] if bar and cell.number is not None else []
    value = element("dd", cell.text, *content)
    return element("div", element("dt", column.title), value, class_="long" if len(cell.text) > _LONG_FACT else None)
