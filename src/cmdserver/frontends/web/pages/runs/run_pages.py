"""A run on a page, as bytes, which are sent in pieces while its output is made: `head`, output, and `tail`.

The page of a command that runs and the page of a run under ``/-/runs`` are the same but for the way that leads there.
What is said of the state comes at the beginning, and again at the end if the run was alive: the style sheet puts the
latter in the place of the former, so that nothing moves, with and without a script.
"""

from urllib.parse import urlencode

from cmdserver.core.model import Command
from cmdserver.core.output import Answer
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.web.pages import layout
from cmdserver.frontends.web.pages.checks import value_table
from cmdserver.frontends.web.pages.command_parts import changes, crumbs
from cmdserver.frontends.web.pages.layout import RUNS_PATH, SORT_FIELD, Visitor, at, foot
from cmdserver.frontends.web.pages.markup import Markup, closing, element, encode, join, opening
from cmdserver.frontends.web.pages.output import output_card
from cmdserver.frontends.web.pages.output.output_card import View
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown, sign
from cmdserver.frontends.web.pages.runs.state_card import ends_when_left, state_card
from cmdserver.frontends.web.pages.tables.drawing import html_of
from cmdserver.runs.record import RunRecord


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
        layout.head(visitor, f"{sign(record)} {shown.title}", here="/" if is_asked else RUNS_PATH),
        trail,
        element("div", *names, class_="names title"),
        opening(
            "section",
            class_="run-page",
            aria_label=shown.title,
            data_follow=facts.follow,
            data_watch=record.id if is_live else None,
            data_ends=ends_when_left(command, facts),
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
    note, views = note_and_views(answer, facts, now)
    output_end = output_card.closing(note=note, views=views)
    ended = state_card(visitor, shown, facts, now, class_="card state ended") if was_alive else None
    return encode(join((output_end, ended, closing("section"), foot(visitor))))


def note_and_views(answer: Answer, facts: RunFacts, now: float) -> tuple[Markup | None, tuple[View, ...]]:
    """Make what stands below the output of a run that is over: what there is to say of it, and what is drawn of it."""
    drawn = _data(answer, facts)
    # Why there are no data is said beside the text, not in place of it.
    has_data = answer.parsed is not None and answer.parsed.problem is None
    values = value_table.draw(answer.check, facts.trend, now)
    found = (View("Values", "values", values), View("Table", "data", drawn if has_data else None))
    views = tuple(each for each in found if each.drawn is not None)
    return join((_cut(answer), None if has_data else drawn)), views


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


# Its parts


def _cut(answer: Answer) -> Markup | None:
    """Say what is missing from the output."""
    if not answer.omitted_bytes:
        return None
    text = f"Output was cut: {answer.omitted_bytes:,} bytes are missing in the middle."
    return element("p", text, class_="cut")


def _crumbs_of_run(visitor: Visitor, record: RunRecord) -> Markup:
    back = element("a", "Runs", href=at(visitor, RUNS_PATH))
    return element("nav", back, f" / {record.id[:8]}", class_="crumbs", aria_label="Breadcrumb")
