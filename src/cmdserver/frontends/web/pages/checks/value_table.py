"""What a check has measured, as a table: a value a row, with its state, its limits and its day.

Nothing of it is trusted: labels, units and numbers are a plugin's. A phone gets two lines a value by ``values.css``,
from the same markup.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from cmdserver.checks.performance import Performance
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.frontends.web.pages.checks import pictures
from cmdserver.frontends.web.pages.checks.scales import state_of
from cmdserver.frontends.web.pages.checks.words import bare_number, mark_name, number_with_unit, rough_number
from cmdserver.frontends.web.pages.markup import Content, Markup, element
from cmdserver.runs.check_trends import Point, Trend

#: More values are not drawn: those are that are worst.
MOST_VALUES: Final = 200
#: Of the worst last.
_NO_STATE: Final = -1


def draw(result: CheckResult | None, trend: Trend | None, now: float) -> Markup | None:
    """Draw what a check has measured.

    Args:
        result: What it has found; None if it is none.
        trend: What its command has found in the day before; None: that is not told.
        now: Seconds since the epoch.

    Returns:
        One ``<div class="data">``; None if nothing was measured.
    """
    if result is None or not result.performance:
        return None
    shown = _worst(result.performance)
    heads = [("Value", None), ("State", None), ("Now", "num"), ("Limits", None)]
    heads += [("Last 24 h", None)] if trend is not None else []
    head = element("tr", *[element("th", text, scope="col", class_=name) for text, name in heads])
    table = element(
        "table",
        element("thead", head),
        element("tbody", *[_row(each, trend, now) for each in shown]),
        class_="values",
    )
    return element("div", table, _omission(len(result.performance) - len(shown), result.omitted_values), class_="data")


def _worst(values: Sequence[Performance]) -> Sequence[Performance]:
    """Choose what is drawn, in the order in which it was given."""
    if len(values) <= MOST_VALUES:
        return values
    ordered = sorted(range(len(values)), key=lambda place: -_severity(values[place]))
    return [values[place] for place in sorted(ordered[:MOST_VALUES])]


def _severity(measured: Performance) -> int:
    state = state_of(measured)
    return _NO_STATE if state is None else state.severity


def _omission(left_out: int, unread: int) -> Markup | None:
    """Say what is not drawn."""
    if not left_out + unread:
        return None
    more = f"{left_out + unread:,} more value{'s are' if left_out + unread != 1 else ' is'} not drawn"
    worst = ": the worst are here" if left_out else ""
    return element("p", f"{more}{worst}.", class_="more")


def _row(measured: Performance, trend: Trend | None, now: float) -> Markup:
    state = state_of(measured)
    day = trend.points(measured.label, now) if trend is not None else ()
    cells = [
        element("th", measured.label, scope="row"),
        element("td", _mark(state) if state is not None else None, class_="state-cell"),
        element("td", _now(measured), class_="num"),
        element("td", pictures.bar(measured, day), element("span", _limits(measured)), class_="limits-cell"),
    ]
    if trend is not None:
        cells.append(element("td", *_day(day, measured.unit), class_="day-cell"))
    return element("tr", *cells, class_=f"found-{mark_name(state)}" if state is not None else None)


def _mark(state: CheckState) -> Markup:
    return element("span", state.name, class_=f"mark {mark_name(state)}")


def _now(measured: Performance) -> str:
    return "not known" if measured.value is None else number_with_unit(measured.value, measured.unit)


def _limits(measured: Performance) -> str:
    said = [
        f"{name} {limit.words(lambda each: bare_number(each, measured.unit))}"
        for name, limit in (("warning", measured.warning), ("critical", measured.critical))
        if limit is not None
    ]
    return ", ".join(said) or "no limits"


def _day(day: Sequence[Point], unit: str) -> Iterator[Content]:
    if day:
        ends = min(each.smallest for each in day), max(each.largest for each in day)
        yield pictures.plot(day)
        yield element("span", " to ".join(dict.fromkeys(rough_number(each, unit) for each in ends)))
