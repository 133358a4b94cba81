"""A run on a page that is complete before the run is over: what the page ends with, and what its script is told.

The script asks for the rest, so that the page holds no connection; whoever has no script is sent a page that comes as
long as the run goes on, see `run_pages`.
"""

from cmdserver.core.model import Command
from cmdserver.core.output import Answer
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.web.pages.layout import NO_SCRIPT_FIELD, RUNS_PATH, Visitor, at, foot
from cmdserver.frontends.web.pages.markup import closing, element, encode, join
from cmdserver.frontends.web.pages.output import output_card
from cmdserver.frontends.web.pages.runs import run_pages
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown, is_kept
from cmdserver.frontends.web.pages.runs.state_card import state_card
from cmdserver.runs.record import RunRecord


def has_page(visitor: Visitor, way: Way, record: RunRecord, command: Command | None) -> bool:
    """Whether a visitor finds a run under an address of its own."""
    if way is Way.WATCHED:
        return True
    if visitor.name is None or visitor.running is None:
        return False
    return command is None or is_kept(command, record)


def beginning(visitor: Visitor, seen: SeenRun, facts: RunFacts, now: float) -> bytes:
    """Return what is told when a run that has waited begins: its state, and room for its output."""
    output = run_pages.output_start(seen.grant.command, is_alive=True) + encode(output_card.closing())
    return run_pages.state(visitor, seen, facts, now) + output


def ending(visitor: Visitor, shown: Shown, answer: Answer, facts: RunFacts, now: float) -> bytes:
    """Return what is told when a run is over: what stands below its output, in an element, and its state."""
    beneath = element("div", output_card.beneath(*run_pages.note_and_views(answer, facts, now)))
    card = state_card(visitor, shown, facts, now, class_="card state ended")
    return encode(join((beneath, card)))


def end(visitor: Visitor, record: RunRecord, facts: RunFacts, *, has_output: bool) -> bytes:
    """Return the end of a page whose run goes on; whoever has switched the script off is led elsewhere."""
    address = at(visitor, f"{RUNS_PATH}/{record.id}" if facts.has_page else "/") + f"?{NO_SCRIPT_FIELD}=yes"
    way = element("meta", http_equiv="refresh", content=f"0; url={address}")
    output = output_card.closing() if has_output else None
    return encode(join((output, element("noscript", way), closing("section"), foot(visitor))))
