"""The pages that are of no single command, as bytes: the list of commands, the login, and errors.

Pages are complete without JavaScript; ``static/app.js`` adds to them, and finds what it works on by ``data-``
attributes. No inline script or style, and no address of another host, stands in a page.
"""

from collections.abc import Sequence
from urllib.parse import quote

from cmdserver.core.errors import Code, RequestError, UnknownCommand, UnknownRun
from cmdserver.core.model import Command
from cmdserver.frontends.common.help_text import by_section
from cmdserver.frontends.web.pages.filled_form import address_of, is_sent_by_get
from cmdserver.frontends.web.pages.layout import (
    LOGIN_PATH,
    NAME_FIELD,
    NEXT_FIELD,
    PASSWORD_FIELD,
    RUNS_PATH,
    Visitor,
    at,
    hidden,
    link,
    page,
    token,
)
from cmdserver.frontends.web.pages.markup import Markup, element, encode
from cmdserver.frontends.web.pages.run_panel import argv, changes, heading, kept, name_of


def index(visitor: Visitor, commands: Sequence[Command], alive: Markup | None = None) -> bytes:
    """Return the list of commands.

    Args:
        visitor: Who asks.
        commands: What they may run, in the order in which it is shown; those without a section come first.
        alive: What of theirs is under way; see `run_list.alive_rows`.
    """
    heading = element("h1", "What can I do for you?")
    if not commands:
        return encode(page(visitor, "Commands", heading, alive, _nothing_to_run(visitor), here="/"))
    listed = [_section(visitor, name, members) for name, members in by_section(commands)]
    nothing = element("p", "No command matches that.", class_="empty", hidden=True, data_nothing=True, role="status")
    return encode(page(visitor, "Commands", heading, alive, _search(), *listed, nothing, here="/"))


def login(visitor: Visitor, next_path: str, complaint: str | None) -> bytes:
    """Return the login page.

    Args:
        visitor: Who asks.
        next_path: Where to go after the login.
        complaint: Why a login is asked for, or asked for again; None if the visitor has come by themselves.
    """
    form = element(
        "form",
        element("h1", "Log in"),
        element("p", complaint, class_="complaint", role="alert") if complaint else None,
        _field("Name", NAME_FIELD, "text", "username", autofocus=True),
        _field("Password", PASSWORD_FIELD, "password", "current-password"),
        hidden(NEXT_FIELD, next_path),
        token(visitor),
        element("button", "Log in", class_="primary"),
        method="post",
        action=at(visitor, LOGIN_PATH),
        class_="sheet",
    )
    return encode(page(visitor, "Log in", form))


def why_log_in(error: RequestError) -> str:
    """Return why a login is asked for in answer to another request."""
    if isinstance(error, UnknownCommand):
        return f"There is no {error.name} without a login."
    if isinstance(error, UnknownRun):
        return "There is no such run without a login."
    return in_words(error)


def problem(visitor: Visitor, status: int, error: RequestError) -> bytes:
    """Return the page of an error.

    Args:
        visitor: Who asked.
        status: The status of the response.
        error: What went wrong.
    """
    heading = _HEADINGS.get(error.code, "That did not work")
    body = element(
        "section",
        element("p", in_words(error), class_="complaint", role="alert"),
        _ways_on(visitor, error),
        element("p", f"{status} {error.code}", class_="quiet mono"),
        class_="sheet problem",
        aria_label=heading,
    )
    return encode(page(visitor, heading, element("h1", heading), body))


_HEADINGS = {
    Code.MALFORMED: "That is no request",
    Code.UNKNOWN_COMMAND: "Not found",
    Code.UNKNOWN_RUN: "Not found",
    Code.DENIED: "You may not do that",
    Code.BAD_ARGUMENT: "That argument does not fit",
    Code.THROTTLED: "One moment, please",
    Code.BUSY: "This host is busy",
    Code.TIMEOUT: "That took too long",
    Code.FAULT: "That is our fault",
}

# The commands


def _search() -> Markup:
    """Make the search box, which the script shows."""
    label = element("label", "Search ", element("kbd", "/", aria_hidden="true"), for_="search")
    field = element("input", id="search", type="search", autocomplete="off", spellcheck="false")
    return element("search", label, field, class_="search", hidden=True)


def _section(visitor: Visitor, name: str, commands: Sequence[Command]) -> Markup:
    level = "h3" if name else "h2"
    cards = element("ul", *[_card(visitor, each, level) for each in commands], class_="cards")
    if not name:
        return cards
    count = element("span", str(len(commands)), class_="quiet")
    summary = element("summary", element("h2", name), " ", count)
    return element("details", summary, cards, open=True, class_="section", data_section=True)


def _card(visitor: Visitor, command: Command, level: str) -> Markup:
    """Make the card of a command; what asks for something first, or changes something, has an ellipsis."""
    runs_at_once = is_sent_by_get(command) and not command.parameters
    address = at(visitor, address_of(command))
    run = element(
        "a",
        "Run" if runs_at_once else "Run…",
        element("span", f" {name_of(command)}", class_="visually-hidden"),
        href=address,
        class_="button primary" if runs_at_once else "button",
        data_here=runs_at_once,
    )
    return element(
        "li",
        element("div", heading(command, level, address), class_="names"),
        element("p", command.help, class_="help") if command.help else None,
        element("div", argv(command), changes(command), run, class_="foot"),
        class_="card",
        data_name=command.name,
        data_leaving=command.on_disconnect,
        data_kept=kept(visitor, command),
    )


def _nothing_to_run(visitor: Visitor) -> Markup:
    may_log_in = visitor.may_log_in and visitor.name is None
    text = "There is nothing here that you may run" + (" without a login." if may_log_in else ".")
    return element("p", text, class_="empty")


# What went wrong


def in_words(error: RequestError) -> str:
    """Return an error as a sentence, without the suggestions for an unknown name, which are links."""
    match error:
        case UnknownCommand(name=name):
            return f"No command here is called {name}."
        case UnknownRun():
            return "There is no such run, or it is not for you to see, or it is too old to be kept."
        case _:
            return str(error)


def _ways_on(visitor: Visitor, error: RequestError) -> Markup:
    ways = [link("All commands", at(visitor, "/"))]
    if isinstance(error, UnknownRun) and visitor.running is not None:
        ways.append(link("All runs", at(visitor, RUNS_PATH)))
    if isinstance(error, UnknownCommand):
        ways += [link(name, at(visitor, f"/{quote(name)}")) for name in error.suggestions]
    if visitor.name is None and visitor.may_log_in:
        ways.append(link("Log in", at(visitor, LOGIN_PATH)))
    return element("p", *ways, class_="ways")


def _field(label: str, name: str, kind: str, autocomplete: str, *, autofocus: bool = False) -> Markup:
    field = element(
        "input", id=name, name=name, type=kind, autocomplete=autocomplete, required=True, autofocus=autofocus
    )
    return element("p", element("label", label, for_=name), field)
