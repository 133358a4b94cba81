"""The card with the state of a run, what can be done about it, and the facts."""

from collections.abc import Iterator

from cmdserver.core.model import Command
from cmdserver.core.run_states import OnDisconnect, RunState
from cmdserver.frontends.web.pages.checks import words as check_words
from cmdserver.frontends.web.pages.command_parts import stop_form
from cmdserver.frontends.web.pages.layout import RUNS_PATH, Visitor, at
from cmdserver.frontends.web.pages.markup import Content, Markup, element
from cmdserver.frontends.web.pages.relative_time import local, roughly
from cmdserver.frontends.web.pages.runs.run_again import run_again
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import (
    Shown,
    day_and_time,
    is_kept,
    is_own,
    mark,
    reason,
    started,
    took,
    who,
)
from cmdserver.runs.record import RunRecord
from cmdserver.runs.waiting import Waiting, WaitsFor


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
    if (found := check_words.sentence(record)) is not None:
        yield element("b", found)
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
    is_check = check_words.state_of(record) is not None
    if record.state.is_alive:
        yield element(
            "span", "Started " if record.started_at is not None else "Asked ", element("b", started(record, now))
        )
    else:
        yield element("span", element("b", _when(record, now)))
    how_long = took(record, now) if is_check and check_words.sentence(record) is not None else None
    if how_long is not None:
        yield element("span", "took ", how_long)
    yield element("span", "by ", *who(record, visitor.name))
    if record.others:
        yield element("span", "shared with other callers")
    for name, value in _values(command, record):
        yield element("span", f"{name} ", element("b", value))
    if record.state.is_alive and command is not None:
        yield _leaving(visitor, record, command, facts)
    elif facts.way is Way.ASKED and facts.has_page:
        yield element("a", "This run", href=at(visitor, f"{RUNS_PATH}/{record.id}"))
    if is_check:
        yield from _facts_of_check(record, command, facts)
    elif record.state is not RunState.OK and not record.state.is_alive and facts.last_success is not None:
        last = facts.last_success
        said = f"{day_and_time(last.asked_at, now)}, {last.user or 'somebody'}"
        address = at(visitor, f"{RUNS_PATH}/{last.id}") if command is not None and is_kept(command, last) else None
        yield element("span", "Last success: ", element("a", said, href=address) if address else said)


def _facts_of_check(record: RunRecord, command: Command | None, facts: RunFacts) -> Iterator[Markup]:
    """Say for how long it has been so, and how often somebody looks."""
    state, how_long = check_words.state_of(record), check_words.how_long_so(record, facts.trend)
    if state is not None and how_long is not None:
        yield element("span", f"{state.name} for ", element("b", how_long))
    if command is not None and command.schedule:
        yield element("span", *check_words.by_schedule(command.schedule))


def _when(record: RunRecord, now: float) -> Markup:
    begun = record.asked_at if record.started_at is None else record.started_at
    said = day_and_time(begun, now, to=begun + (record.duration_seconds or 0.0))
    return element("time", said, datetime=local(begun).isoformat(timespec="seconds"))


def ends_when_left(command: Command, facts: RunFacts) -> str | None:
    """Say what a page must ask before it is left: None, or which kind of command would end."""
    if facts.way is not Way.ASKED or command.on_disconnect is not OnDisconnect.END:
        return None
    return "reads" if command.read_only else "changes"


def _leaving(visitor: Visitor, record: RunRecord, command: Command, facts: RunFacts) -> Markup:
    """Say what becomes of a run whose page is left."""
    if ends_when_left(command, facts) is not None:
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
