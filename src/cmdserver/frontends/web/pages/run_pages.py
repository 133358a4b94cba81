"""The page of one run, as bytes, which is sent in pieces while its output is made: `head`, output, and `tail`.

What stands at the top of the panel is said at the beginning, and again at the end if the run was alive: the style sheet
puts the latter in the place of the former, so that nothing moves, with and without a script.
"""

from collections.abc import Iterable
from typing import Final

from cmdserver.core.model import Command
from cmdserver.core.output import Answer
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.web.pages import layout
from cmdserver.frontends.web.pages.drawing import html_of
from cmdserver.frontends.web.pages.filled_form import address_of, short_texts
from cmdserver.frontends.web.pages.layout import FOOT, RUNS_PATH, SENT_FIELD, Visitor, at, hidden, token
from cmdserver.frontends.web.pages.markup import Content, Markup, closing, element, encode, join, opening
from cmdserver.frontends.web.pages.run_list import list_address
from cmdserver.frontends.web.pages.run_marks import Shown, mark, reason, sign, started, took, who
from cmdserver.frontends.web.pages.run_panel import changes, stop_form
from cmdserver.runs.query import RunQuery
from cmdserver.runs.record import RunRecord

#: HTML drops a line break right behind ``<pre>``: this one is dropped in place of the output's.
_KEPT_LINE: Final = Markup("\n")


def head(visitor: Visitor, seen: SeenRun, now: float) -> bytes:
    """Return the page of a run up to and into its output.

    Args:
        visitor: Who looks.
        seen: The run.
        now: Seconds since the epoch.
    """
    record, command = seen.record, seen.grant.command
    shown = Shown.of(record, command, may_stop=seen.may_stop)
    crumbs = element("a", "Runs", href=at(visitor, RUNS_PATH))
    names = element(
        "div",
        element("h1", shown.title),
        element("span", record.command, class_="mono quiet") if command.title else None,
        changes(command),
        class_="names",
    )
    page = (
        layout.head(visitor, f"{sign(record.state)} {shown.title}", here=RUNS_PATH),
        element("nav", crumbs, f" / {record.id}", class_="crumbs", aria_label="Breadcrumb"),
        element("div", names, class_="title"),
        opening(
            "section",
            class_="panel run",
            aria_label=shown.title,
            data_watch=record.id if record.state.is_alive else None,
            data_runs=list_address(visitor, RunQuery(command=record.command, limit=1)),
        ),
        _state(visitor, record, now, class_="state"),
        stop_form(visitor, record.id, shown.title) if seen.may_stop else None,
        element("p", *_facts(visitor, shown, command, now), class_="given"),
        opening("pre", class_="output", tabindex=0, role="region", aria_label=f"Output of {record.command}"),
        _KEPT_LINE,
    )
    return encode(join(page))


def tail(visitor: Visitor, shown: Shown, answer: Answer, now: float, *, was_alive: bool, may_run: bool) -> bytes:
    """Return the end of a page that `head` began.

    Args:
        visitor: Who looks.
        shown: The run, which is over.
        answer: How it ended.
        now: Seconds since the epoch.
        was_alive: Whether the page began before it was over.
        may_run: Whether the visitor may ask for the same anew.
    """
    record = shown.record
    ended: list[Content] = []
    if was_alive:
        ended.append(_state(visitor, record, now, class_="state ended"))
    if answer.omitted_bytes:
        ended.append(
            element("p", f"Output was cut: {answer.omitted_bytes:,} bytes are missing in the middle.", class_="cut")
        )
    again = run_again(visitor, shown) if may_run else None
    return encode(join((closing("pre"), *ended, html_of(answer), again, closing("section"), FOOT)))


def gone(text: str) -> bytes:
    """Return the end of a page that `head` began, though the run's end is not for its reader."""
    return encode(
        join((closing("pre"), element("p", text, class_="complaint", role="alert"), closing("section"), FOOT))
    )


def run_again(visitor: Visitor, shown: Shown) -> Markup | None:
    """Make the button that asks anew with the same values, as whoever clicks; None if there is nothing to ask for."""
    command = shown.command
    if command is None or not command.argv:
        return None
    given = command.parameters.given(shown.record.arguments)
    texts = {name: tuple(texts) for name, texts in given.items() if name not in command.parameters.secrets}
    colour = "primary" if command.read_only else "change"
    if command.parameters and (command.parameters.secrets or command.confirm or not command.read_only):
        address = at(visitor, address_of(command, short_texts(command, texts)))
        link = element("a", "Run again…", href=address, class_=f"button {colour}")
        return element("p", link, class_="actions")
    return element(
        "form",
        token(visitor) if not command.read_only else hidden(SENT_FIELD, "yes") if command.parameters else None,
        *[hidden(name, text) for name, each in texts.items() for text in each],
        element("button", "Run again…" if command.confirm else "Run again", class_=colour),
        method="get" if command.read_only else "post",
        action=at(visitor, address_of(command)),
        class_="actions",
    )


def _state(visitor: Visitor, record: RunRecord, now: float, *, class_: str) -> Markup:
    """Make the first line of the panel; how long it takes is not read aloud each second."""
    why, how_long = reason(record), took(record, now)
    if why is not None:
        how_long = element("span", element("b", why[0].upper() + why[1:]), " after ", how_long, class_="why")
    elif record.state is RunState.TIMEOUT:
        how_long = None  # its mark says so
    badge = element("span", mark(record, visitor.name, is_short=True), role="status")
    return element("p", badge, how_long, class_=class_)


def _facts(visitor: Visitor, shown: Shown, command: Command, now: float) -> Iterable[Markup]:
    record = shown.record
    yield element("span", "Started ", element("b", started(record, now)))
    yield element("span", "by ", *who(record, visitor.name))
    for name, value in _values(command, record):
        yield element("span", f"{name} ", element("b", value))
    if record.state.is_alive:
        yield element("span", "Goes on if you leave this page", data_alive=True)


def _values(command: Command, record: RunRecord) -> Iterable[tuple[str, str]]:
    """Say what was given, by what people call it now; a parameter may be gone from the file."""
    given: dict[str, list[str]] = {}
    for word in record.arguments:
        name, _, text = word.partition("=")
        given.setdefault(name, []).append(text)
    for name, texts in given.items():
        parameter = command.parameters.named(name)
        yield (parameter.label if parameter is not None else name), ", ".join(texts)
