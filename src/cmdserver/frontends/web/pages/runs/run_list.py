"""The list of runs as a page, and the rows of what is alive on other pages.

The list is alive where there is a script: it exchanges rows, which are made here as well, and knows them and their
groups by their ``data-`` attributes. What is alive comes first, and then a group a day.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from msgspec.structs import replace

from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.pages.command_parts import stop_form
from cmdserver.frontends.web.pages.layout import RUNS_PATH, Visitor, at, hidden, page
from cmdserver.frontends.web.pages.markup import Markup, element, encode
from cmdserver.frontends.web.pages.relative_time import day_of
from cmdserver.frontends.web.pages.runs.run_marks import Shown, mark, started, took, who
from cmdserver.runs.query import USUAL_LIMIT, RunQuery

#: The key of the group of what is alive; others have their day's.
NOW: Final = "now"
#: The filters of the list, by what they are called.
_CHIPS: Final = (
    ("All", None),
    ("Running", RunState.RUNNING),
    ("Waiting", RunState.QUEUED),
    ("Failed", RunState.FAILED),
    ("Timed out", RunState.TIMEOUT),
    ("Stopped", RunState.STOPPED),
)
_HEADS: Final = ("State", "Command", "Started", "Took", "Who")
#: Longer values are cut where there is no room for them, and said in full beside the mouse.
_LONG_VALUES: Final = 24

#: How many runs are alive, by their states.
Counts = Mapping[RunState, int]


def list_page(
    visitor: Visitor, shown: Sequence[Shown], query: RunQuery, commands: Sequence[str], counts: Counts, now: float
) -> bytes:
    """Return the list of runs.

    Args:
        visitor: Who looks.
        shown: The runs that were found, newest first.
        query: What was looked for.
        commands: Of which commands the visitor may see runs.
        counts: How many runs are alive that the visitor may see.
        now: Seconds since the epoch.
    """
    heads = [element("th", head, scope="col") for head in _HEADS]
    last = element("th", element("span", "Stop", class_="visually-hidden"), scope="col")
    table = element(
        "table",
        element("thead", element("tr", *heads, last)),
        *_groups(visitor, shown, query, now),
        class_="runs",
        data_runs=list_address(visitor, query),
        data_most=str(query.limit),
    )
    is_narrowed = query != RunQuery(limit=query.limit)
    body = (
        element("h1", "Runs"),
        _filters(visitor, query, commands, counts),
        element("div", table, class_="card list", hidden=not shown),
        element(
            "p",
            "No run matches that." if is_narrowed else "Nothing has run yet.",
            class_="empty",
            hidden=bool(shown),
            data_empty=True,
        ),
        _older(visitor, shown, query),
    )
    return encode(page(visitor, "Runs", *body, here=RUNS_PATH, is_list=True))


def row(visitor: Visitor, shown: Shown, now: float) -> Markup:
    """Make a run's row of the list."""
    record, values = shown.record, shown.values
    title = values if len(values) > _LONG_VALUES else None
    cells = (
        element("td", mark(shown, visitor.name), class_="state-cell"),
        element(
            "th",
            element("a", shown.title, href=at(visitor, f"{RUNS_PATH}/{record.id}")),
            element("span", f" {values}", class_="quiet", title=title) if values else None,
            scope="row",
        ),
        element("td", started(record, now, is_dated=record.state.is_alive), class_="started"),
        element("td", took(record, now), class_="took"),
        element("td", *who(record, None), class_="asker"),
        element("td", stop_form(visitor, record.id, shown.title) if shown.may_stop else None, class_="act"),
    )
    return element("tr", *cells, data_run=record.id, data_number=str(record.number))


def group_of(shown: Shown) -> str:
    """Return the key of the group that a run belongs to."""
    return NOW if shown.record.state.is_alive else day_of(shown.record.asked_at).isoformat()


def _groups(visitor: Visitor, shown: Sequence[Shown], query: RunQuery, now: float) -> Iterator[Markup]:
    today = day_of(now)
    # What is alive comes first, however long ago it was asked for.
    ordered = sorted(shown, key=lambda each: not each.record.state.is_alive)
    found = {key: list(members) for key, members in groupby(ordered, group_of)}
    # Groups that the script may have rows for; without any they do not show.
    keys = list(found) if query.before else list(dict.fromkeys((NOW, today.isoformat(), *found)))
    for key in keys:
        name = "Now" if key == NOW else _day_name(date.fromisoformat(key), today)
        head = element("tr", element("th", name, colspan=str(len(_HEADS) + 1), scope="rowgroup"), class_="group")
        rows = [row(visitor, each, now) for each in found.get(key, ())]
        yield element("tbody", head, *rows, data_group=key, hidden=not rows)


def _day_name(day: date, today: date) -> str:
    if day == today:
        return "Today"
    return "Yesterday" if day == today - timedelta(days=1) else day.strftime("%A, %d %B %Y")


# Filters


def _filters(visitor: Visitor, query: RunQuery, commands: Sequence[str], counts: Counts) -> Markup:
    chips = [_state_chip(visitor, query, name, wanted, counts) for name, wanted in _CHIPS]
    if visitor.name is not None:
        is_mine = query.user == visitor.name
        address = list_address(visitor, replace(query, user=None if is_mine else visitor.name, before=None))
        chips.append(element("a", "Mine", href=address, class_="chip", aria_current="true" if is_mine else None))
    options = [element("option", "Any command", value="")] + [
        element("option", name, value=name, selected=name == query.command) for name in commands
    ]
    form = element(
        "form",
        element("select", *options, name="command", aria_label="Command"),
        element("input", name="user", value=query.user or "", placeholder="Anybody", aria_label="User", size=10),
        hidden("state", query.state) if query.state is not None else None,
        hidden("limit", str(query.limit)) if query.limit != USUAL_LIMIT else None,
        element("button", "Show"),
        method="get",
        action=at(visitor, RUNS_PATH),
        class_="narrow",
    )
    return element("div", element("nav", *chips, class_="chips", aria_label="Filters"), form, class_="filters")


def _state_chip(visitor: Visitor, query: RunQuery, name: str, wanted: RunState | None, counts: Counts) -> Markup:
    count = None
    if wanted is not None and wanted.is_alive:
        count = element("span", f" {counts.get(wanted) or ''}".rstrip(), data_count=wanted)
    return element(
        "a",
        name,
        count,
        href=list_address(visitor, replace(query, state=wanted, before=None)),
        class_=f"chip mark {wanted}" if wanted is not None else "chip",
        aria_current="true" if query.state is wanted else None,
    )


def _older(visitor: Visitor, shown: Sequence[Shown], query: RunQuery) -> Markup:
    """Make the link to what was asked for before; the script shows it when the list has become too long."""
    has_more = len(shown) >= query.limit
    oldest = min(shown, key=lambda each: each.record.number).record.id if has_more else None
    address = list_address(visitor, replace(query, before=oldest))
    link = element("a", "Older runs", href=address, class_="button", rel="next")
    return element("p", link, class_="ways", data_older=True, hidden=not has_more)


def list_address(visitor: Visitor, query: RunQuery) -> str:
    """Return how a visitor's page refers to the runs that a query is for."""
    fields = {
        "state": query.state,
        "command": query.command,
        "user": query.user,
        "limit": str(query.limit) if query.limit != USUAL_LIMIT else None,
        "before": query.before,
    }
    text = urlencode({key: value for key, value in fields.items() if value}, errors="replace")
    return at(visitor, RUNS_PATH + (f"?{text}" if text else ""))
