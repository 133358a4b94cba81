"""Pictures as HTML; ``static/app.js`` draws the same ones while a page is open."""

from functools import lru_cache

from cmdserver.core.output import Answer
from cmdserver.dispatch.output_parsers import parse, readable
from cmdserver.frontends.web.pages.markup import Markup, element
from cmdserver.frontends.web.pages.picture import KEPT_RUNS, Cell, Column, Facts, Kind, Part, Table, picture

#: The longest text that is shown large.
LONG_FACT = 24
#: Percentages from which on a disk is shown as rather full, and as full.
LOW, HIGH = 80, 90


def html_of(answer: Answer) -> Markup | None:
    """Draw the picture of a run; None if there is nothing to draw."""
    found = readable(answer)
    return None if found is None else _html(*found)


@lru_cache(maxsize=KEPT_RUNS)
def _html(parser: str, output: bytes) -> Markup | None:
    return draw(picture(parse(parser, output)))


def draw(parts: tuple[Part, ...]) -> Markup | None:
    """Draw a picture; None if there is nothing to draw."""
    if not parts:
        return None
    drawn = [_facts(part) if isinstance(part, Facts) else _table(part) for part in parts]
    return element("div", *drawn, class_="picture")


def _facts(part: Facts) -> Markup:
    return element("dl", *[_fact(column, cell) for column, cell in part.facts], class_="facts")


def _fact(column: Column, cell: Cell) -> Markup:
    value = element("dd", _value(column, cell, None))
    return element("div", element("dt", column.name), value, class_="long" if len(cell.text) > LONG_FACT else None)


def _table(part: Table) -> Markup:
    head = element("tr", *[element("th", each.name, scope="col", class_=_class(each)) for each in part.columns])
    table = element(
        "table",
        element("caption", part.caption) if part.caption else None,
        element("thead", head),
        element("tbody", *[_row(part.columns, row) for row in part.rows]),
    )
    # A table that is wider than the screen scrolls in a box of its own, which the keyboard can reach.
    box = element("div", table, class_="table", tabindex=0, role="region", aria_label=part.caption or "Table")
    if part.omitted is None:
        return box
    return element("div", box, element("p", part.omitted, class_="more"))


def _row(columns: tuple[Column, ...], row: tuple[Cell, ...]) -> Markup:
    first, *rest = zip(columns, row, strict=True)
    name = row[0].text
    head = element("th", _value(*first, None), scope="row", class_=_class(first[0]))
    return element("tr", head, *[element("td", _value(*each, name), class_=_class(each[0])) for each in rest])


def _value(column: Column, cell: Cell, row_name: str | None) -> str:
    """Draw a value: a percentage as a bar, with its text beside it."""
    if column.kind not in {Kind.PERCENT, Kind.FULL} or cell.number is None:
        return cell.text
    limits = {"low": LOW, "high": HIGH, "optimum": 0} if column.kind is Kind.FULL else {}
    label = column.name if row_name is None else f"{column.name} of {row_name}"
    value = min(100.0, max(0.0, cell.number))
    bar = element("meter", cell.text, min=0, max=100, **limits, value=value, aria_label=label)
    return element("span", bar, element("span", cell.text))


def _class(column: Column) -> str | None:
    match column.kind:
        case Kind.TEXT:
            return None
        case Kind.NUMBER | Kind.LONG:
            return column.kind
        case Kind.PERCENT | Kind.FULL:
            return "bar"
