"""A run on a page, as bytes, which are sent in pieces while its output is made: `head`, output, and `tail`.

The page of a command that runs and the page of a run under ``/-/runs`` are the same but for the way that leads there.
What is said of the state comes at the beginning, and again at the end if the run was alive: the style sheet puts the
latter in the place of the former, so that nothing moves, with and without a script.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlencode

from cmdserver.core.model import Command
from cmdserver.core.output import Answer
from cmdserver.core.run_states import OnDisconnect, RunState
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.web.pages import layout
from cmdserver.frontends.web.pages.command_parts import changes, crumbs, stop_form
from cmdserver.frontends.web.pages.layout import RUNS_PATH, SORT_FIELD, Visitor, at, foot
from cmdserver.frontends.web.pages.markup import Content, Markup, closing, element, encode, join, opening
from cmdserver.frontends.web.pages.output import output_card
from cmdserver.frontends.web.pages.relative_time import local, roughly
from cmdserver.frontends.web.pages.runs.run_again import run_again
from cmdserver.frontends.web.pages.runs.run_marks import (
    Shown,
    day_and_time,
    is_kept,
    is_own,
    mark,
    reason,
    sign,
    started,
    took,
    who,
)
from cmdserver.frontends.web.pages.tables.drawing import html_of
from cmdserver.runs.record import RunRecord
from cmdserver.runs.waiting import Waiting, WaitsFor


class Way(Enum):
    """How somebody has come to see a run."""

    #: They have asked for it at the command's address, and it may end when they leave.
    ASKED = "asked"
    #: They look at it.
    WATCHED = "watched"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is said of a run besides what it is."""

    way: Way
    #: How long the command usually takes; None if that is not known.
    usual_seconds: float | None = None
    #: The last run of the same command that went well; None if it is this one, or there is none to be seen.
    last_success: RunRecord | None = None
    #: Whether the visitor may ask for the same anew.
    may_run: bool = False
    #: What stands in the page's address, for tables that are sorted by a link; None: such a link would run it anew.
    query: Sequence[tuple[str, str]] | None = None
    #: Whether the run has a page of its own that the visitor can come back to.
    has_page: bool = True
    #: What the script of a page asks `/-/events` for that is complete before the run is over; None of any other.
    follow: str | None = None


def head(visitor: Visitor, seen: SeenRun, facts: RunFacts, now: float) -> bytes:
    """Return the page of a run up to its output.

    Args:
        visitor: Who looks.
        seen: The run.
        facts: What else is said.
        now: Seconds since the epoch.
    """
    record, command, shown = seen.record, seen.grant.command, Shown.of(seen)
    is_asked = facts.way is Way.ASKED
    trail = crumbs(visitor, command) if is_asked else _crumbs_of_run(visitor, record)
    names = (
        element("h1", shown.title),
        element("span", record.command, class_="mono quiet") if command.title else None,
        changes(command),
    )
    is_live = record.state.is_alive and facts.has_page
    page = (
        layout.head(visitor, f"{sign(record.state)} {shown.title}", here="/" if is_asked else RUNS_PATH),
        trail,
        element("div", *names, class_="names title"),
        opening(
            "section",
            class_="run-page",
            aria_label=shown.title,
            data_follow=facts.follow,
            data_watch=record.id if is_live else None,
            data_ends=_ends_when_left(command, facts),
        ),
        state_card(visitor, shown, facts, now, class_="card state"),
    )
    return encode(join(page))


def state(visitor: Visitor, seen: SeenRun, facts: RunFacts, now: float) -> bytes:
    """Return what is said of a run that has waited at the page's beginning, and now waits no more."""
    return encode(state_card(visitor, Shown.of(seen), facts, now, class_="card state"))


def output_start(command: Command, *, is_alive: bool) -> bytes:
    """Return what comes between what is said of a run and its output, which is `OutputHtml`'s."""
    return encode(output_card.opening(command.name, is_alive=is_alive))


def tail(visitor: Visitor, shown: Shown, answer: Answer, facts: RunFacts, now: float, *, was_alive: bool) -> bytes:
    """Return the end of a page whose output was begun.

    Args:
        visitor: Who looks.
        shown: The run, which is over.
        answer: How it ended.
        facts: What else is said.
        now: Seconds since the epoch.
        was_alive: Whether the page began before it was over.
    """
    note, data = note_and_data(answer, facts)
    output_end = output_card.closing(note=note, data=data)
    ended = state_card(visitor, shown, facts, now, class_="card state ended") if was_alive else None
    return encode(join((output_end, ended, closing("section"), foot(visitor))))


def note_and_data(answer: Answer, facts: RunFacts) -> tuple[Markup | None, Markup | None]:
    """Make what stands below the output of a run that is over: what there is to say of it, and what is drawn of it."""
    drawn = _data(answer, facts)
    # Why there are no data is said beside the text, not in place of it.
    has_data = answer.parsed is not None and answer.parsed.problem is None
    return join((_cut(answer), None if has_data else drawn)), drawn if has_data else None


def _data(answer: Answer, facts: RunFacts) -> Markup | None:
    """Draw the data of a run, sorted as the page's address says."""
    if facts.query is None:
        return html_of(answer)
    sort = next((value for name, value in facts.query if name == SORT_FIELD), "")
    others = [field for field in facts.query if field[0] != SORT_FIELD]
    return html_of(answer, sort, lambda order: f"?{urlencode([*others, (SORT_FIELD, order)], errors='replace')}")


def gone(visitor: Visitor, text: str, *, has_output: bool) -> bytes:
    """Return the end of a page that `head` began, though the run's end is not for its reader, or cannot be told."""
    said = element("p", text, class_="complaint", role="alert")
    return encode(join((output_card.closing() if has_output else None, said, closing("section"), foot(visitor))))


# The state


def state_card(visitor: Visitor, shown: Shown, facts: RunFacts, now: float, *, class_: str) -> Markup:
    """Make the card with the state, what can be done, and the facts; the seconds that pass are not read aloud."""
    record = shown.record
    acts: list[Markup] = []
    if shown.may_stop:
        acts.append(stop_form(visitor, record.id, shown.title))
    elif not record.state.is_alive and facts.may_run:
        acts += run_again(visitor, shown)
    usual = facts.usual_seconds
    bar = None
    if record.state is RunState.RUNNING and usual:
        bar = element(
            "progress", max=f"{usual:.3f}", value=f"{min(usual, record.duration_seconds or 0.0):.3f}",
            aria_label="Time of what it usually takes",
        )  # fmt: skip
    return element(
        "div",
        element(
            "p",
            element("span", mark(shown, visitor.name, is_short=True), role="status"),
            element("span", *_first_fact(visitor, shown, usual, now), class_="why"),
            class_="what",
        ),
        element("div", *acts, class_="acts") if acts else None,
        bar,
        element("p", *_facts(visitor, shown, facts, now), class_="given"),
        class_=class_,
    )


def _first_fact(visitor: Visitor, shown: Shown, usual: float | None, now: float) -> Iterator[Content]:
    record = shown.record
    if shown.waiting is not None:
        yield from _why_it_waits(visitor, shown.waiting, now)
        return
    why, how_long = reason(record), took(record, now)
    usually = None if usual is None else roughly(usual)
    if record.state is RunState.RUNNING:
        yield element("b", how_long)
        if usual is not None:
            is_late = (record.duration_seconds or 0.0) > usual
            yield element("span", f" longer than usual ({usually})" if is_late else f" of usually {usually}")
        return
    if why is not None:
        yield element("b", why[0].upper() + why[1:])
        yield " after "
    if how_long is not None and record.state is not RunState.TIMEOUT:
        yield how_long if why is not None else element("b", how_long)
        if usually is not None and not record.state.is_alive:
            yield f", usually {usually}"


def _why_it_waits(visitor: Visitor, waiting: Waiting, now: float) -> Iterator[Content]:
    """Say what a run waits for: whose run is in its way only to who may see that."""
    run = waiting.run
    if waiting.waits_for is WaitsFor.TURN:
        yield "until it is its turn: as many run as may run at once"
    elif run is None:
        yield "until another run has ended"
    else:
        who_runs, has = ("you", "have") if is_own(run, visitor.name) else (run.user or "somebody", "has")
        yield element("b", who_runs)
        yield f" {has} been running this since "
        yield element("b", started(run, now))
        yield " · "
        yield element("a", "show that run", href=at(visitor, f"{RUNS_PATH}/{run.id}"))


def _facts(visitor: Visitor, shown: Shown, facts: RunFacts, now: float) -> Iterator[Markup]:
    record, command = shown.record, shown.command
    if record.state.is_alive:
        yield element(
            "span", "Started " if record.started_at is not None else "Asked ", element("b", started(record, now))
        )
    else:
        yield element("span", element("b", _when(record, now)))
    yield element("span", "by ", *who(record, visitor.name))
    if record.others:
        yield element("span", "shared with other callers")
    for name, value in _values(command, record):
        yield element("span", f"{name} ", element("b", value))
    if record.state.is_alive and command is not None:
        yield _leaving(visitor, record, command, facts)
    elif facts.way is Way.ASKED and facts.has_page:
        yield element("a", "This run", href=at(visitor, f"{RUNS_PATH}/{record.id}"))
    if record.state is not RunState.OK and not record.state.is_alive and facts.last_success is not None:
        last = facts.last_success
        said = f"{day_and_time(last.asked_at, now)}, {last.user or 'somebody'}"
        address = at(visitor, f"{RUNS_PATH}/{last.id}") if command is not None and is_kept(command, last) else None
        yield element("span", "Last success: ", element("a", said, href=address) if address else said)


def _when(record: RunRecord, now: float) -> Markup:
    begun = record.asked_at if record.started_at is None else record.started_at
    said = day_and_time(begun, now, to=begun + (record.duration_seconds or 0.0))
    return element("time", said, datetime=local(begun).isoformat(timespec="seconds"))


def _ends_when_left(command: Command, facts: RunFacts) -> str | None:
    """Say what a page must ask before it is left: None, or which kind of command would end."""
    if facts.way is not Way.ASKED or command.on_disconnect is not OnDisconnect.END:
        return None
    return "reads" if command.read_only else "changes"


def _leaving(visitor: Visitor, record: RunRecord, command: Command, facts: RunFacts) -> Markup:
    """Say what becomes of a run whose page is left."""
    if _ends_when_left(command, facts) is not None:
        return element("span", "Ends if you leave this page")
    if facts.way is Way.ASKED and facts.has_page:
        link = element("a", "its own page", href=at(visitor, f"{RUNS_PATH}/{record.id}"))
        return element("span", "Goes on if you leave this page; it has ", link)
    return element("span", "Goes on if you leave this page")


def _values(command: Command | None, record: RunRecord) -> Iterator[tuple[str, str]]:
    """Say what was given, by what people call it now; a parameter may be gone from the file."""
    given: dict[str, list[str]] = {}
    for word in record.arguments:
        name, _, text = word.partition("=")
        given.setdefault(name, []).append(text)
    for name, texts in given.items():
        parameter = command.parameters.named(name) if command is not None else None
        yield (parameter.label if parameter is not None else name), ", ".join(texts)


def _cut(answer: Answer) -> Markup | None:
    """Say what is missing from the output."""
    if not answer.omitted_bytes:
        return None
    text = f"Output was cut: {answer.omitted_bytes:,} bytes are missing in the middle."
    return element("p", text, class_="cut")


def _crumbs_of_run(visitor: Visitor, record: RunRecord) -> Markup:
    back = element("a", "Runs", href=at(visitor, RUNS_PATH))
    return element("nav", back, f" / {record.id[:8]}", class_="crumbs", aria_label="Breadcrumb")
