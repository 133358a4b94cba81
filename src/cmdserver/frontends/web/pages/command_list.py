"""The list of commands: a card each while they are few, dense rows in two columns where there are many.

Sections come in the order of the file. The search is a form that the server answers, by the rule that the script has
for what is typed: every word is somewhere in the name, the title, the help, or what runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from cmdserver.core.model import Command
from cmdserver.frontends.common.help_text import by_section
from cmdserver.frontends.web.pages.columns import Block, in_columns
from cmdserver.frontends.web.pages.command_parts import address_of_run, argv, changes, heading, name_of
from cmdserver.frontends.web.pages.forms.filled_form import address_of, is_sent_by_get
from cmdserver.frontends.web.pages.layout import SEARCH_FIELD, Visitor, at, notice, page
from cmdserver.frontends.web.pages.markup import Markup, element, encode, join
from cmdserver.frontends.web.pages.relative_time import ago
from cmdserver.frontends.web.pages.runs.run_marks import Shown, brief_state, mark_class
from cmdserver.runs.record import RunRecord

#: More commands than this are rows.
MOST_CARDS: Final = 12
#: The longest search that is looked at.
_LONGEST_SEARCH: Final = 100


class Listing(Struct, frozen=True, kw_only=True):
    """What a visitor's list is made of."""

    #: What they may run, in the order of the file; those without a section come first.
    commands: Sequence[Command]
    #: By command: the newest run that they may see.
    latest: Mapping[str, RunRecord] = field(default_factory=dict)
    #: Their own newest runs, one a command.
    recent: Sequence[Shown] = ()
    #: What they look for; empty: everything.
    search: str = ""
    #: Seconds since the epoch.
    now: float


def index(visitor: Visitor, listing: Listing) -> bytes:
    """Return the page."""
    commands = listing.commands
    title = element("h1", "Commands", class_="visually-hidden")
    if not commands:
        return encode(
            page(visitor, "Commands", notice(visitor), title, _nothing_to_run(visitor), here="/", is_list=True)
        )
    words = listing.search[:_LONGEST_SEARCH].lower().split()
    found = [each for each in commands if _matches(each, words)]
    are_rows = len(commands) > MOST_CARDS
    tools = element("div", _search(listing), _recent(visitor, listing), class_="finding")
    nothing = element(
        "p", "No command matches that.", class_="empty", hidden=bool(found), data_nothing=True, role="status"
    )
    listed = _rows(visitor, listing, found) if are_rows else _cards(visitor, listing, found)
    return encode(page(visitor, "Commands", notice(visitor), title, tools, listed, nothing, here="/", is_list=True))


def last_run(record: RunRecord, now: float) -> Markup:
    """Make what a list says of the newest run of a command: its state, when, who; the script puts another there."""
    who = record.user or ""
    when = ago(record.asked_at, now, running=now - record.asked_at if record.state.is_alive else None)
    said = brief_state(record)
    return element(
        "span",
        f"{said}{' ' if record.state.is_alive else ', '}" if said else None,
        when,
        f", {who}" if who else None,
        class_=f"last {mark_class(record)}",
        data_last=record.command,
    )


def _matches(command: Command, words: Sequence[str]) -> bool:
    text = " ".join((command.name, command.title, command.help, *command.run)).lower()
    return all(word in text for word in words)


# What is above the list


def _search(listing: Listing) -> Markup:
    count = len(listing.commands)
    box = element(
        "input",
        type="search",
        id="search",
        name=SEARCH_FIELD,
        value=listing.search or None,
        placeholder=f"Search {count} command{'' if count == 1 else 's'}",
        aria_label="Search commands",
        autocomplete="off",
        spellcheck="false",
        maxlength=_LONGEST_SEARCH,
    )
    return element("search", element("form", box, element("kbd", "/", aria_hidden="true")), class_="search")


def _recent(visitor: Visitor, listing: Listing) -> Markup | None:
    """Make the links to what somebody ran last, with the values that they gave."""
    chips = [_chip(visitor, each, each.command) for each in listing.recent if each.command is not None]
    return element("nav", element("span", "Recent"), *chips, class_="recent", aria_label="Recent") if chips else None


def _chip(visitor: Visitor, shown: Shown, command: Command) -> Markup:
    return element(
        "a",
        name_of(command),
        element("span", f" {shown.values}", class_="quiet") if shown.values else None,
        href=at(visitor, address_of_run(command, shown.record)),
        class_=f"chip {mark_class(shown.record)}",
    )


def _nothing_to_run(visitor: Visitor) -> Markup:
    may_log_in = visitor.may_log_in and visitor.name is None
    text = "There is nothing here that you may run" + (" without a login." if may_log_in else ".")
    return element("p", text, class_="empty")


# Rows


def _rows(visitor: Visitor, listing: Listing, found: Sequence[Command]) -> Markup:
    blocks = [Block(name, tuple(members)) for name, members in by_section(found)]
    columns = [
        element("div", *[_section(visitor, listing, block) for block in column])
        for column in in_columns(blocks)
        if column
    ]
    return element("div", *columns, class_="columns-of-rows")


def _section(visitor: Visitor, listing: Listing, block: Block) -> Markup:
    rows = element("ul", *[_row(visitor, listing, each) for each in block.members], class_="rows")
    if not block.name:
        return element("section", rows, class_="section", aria_label="Commands")
    heads = [element("h2", block.name), " ", element("span", str(block.count), class_="quiet")]
    if block.is_rest:
        heads = [element("h2", block.name), " ", element("span", "continued", class_="quiet")]
    return element("details", element("summary", *heads), rows, open=True, class_="section", data_section=block.name)


def _row(visitor: Visitor, listing: Listing, command: Command) -> Markup:
    address = at(visitor, address_of(command))
    about = element(
        "a",
        element("b", name_of(command)),
        changes(command),
        element("i", command.help) if command.help else None,
        _last(listing, command),
        href=address,
        title=command.help or None,
    )
    return element("li", about, _run(command, address), data_find=_find(command))


def _last(listing: Listing, command: Command) -> Markup:
    record = listing.latest.get(command.name)
    return element("span", class_="last", data_last=command.name) if record is None else last_run(record, listing.now)


def _run(command: Command, address: str) -> Markup:
    """Make the link that runs a command; what asks for something first, or changes something, has an ellipsis."""
    runs_at_once = is_sent_by_get(command) and not command.parameters
    return element(
        "a",
        "Run" if runs_at_once else "Run…",
        href=address,
        class_="run" if command.read_only else "run change",
        aria_label=f"Run{'' if runs_at_once else '…'} {name_of(command)}",
    )


def _find(command: Command) -> str:
    """Return what the search looks at and nobody sees: the name beside a title, and what runs."""
    return " ".join((*((command.name,) if command.title else ()), *command.run))


# Cards


def _cards(visitor: Visitor, listing: Listing, found: Sequence[Command]) -> Markup:
    return join(_sections_of_cards(visitor, listing, found))


def _sections_of_cards(visitor: Visitor, listing: Listing, found: Sequence[Command]) -> Iterator[Markup]:
    for name, members in by_section(found):
        level = "h3" if name else "h2"
        cards = element("ul", *[_card(visitor, listing, each, level) for each in members], class_="cards")
        if not name:
            yield cards
            continue
        summary = element("summary", element("h2", name), " ", element("span", str(len(members)), class_="quiet"))
        yield element("details", summary, cards, open=True, class_="section of-cards", data_section=name)


def _card(visitor: Visitor, listing: Listing, command: Command, level: str) -> Markup:
    address = at(visitor, address_of(command))
    return element(
        "li",
        element("div", heading(command, level, address), changes(command), class_="names"),
        element("p", command.help, class_="help") if command.help else None,
        argv(command),
        element("div", _last(listing, command), _run(command, address), class_="foot"),
        class_="card",
        data_find=_find(command),
    )
