"""The pages, as bytes: the list of commands, one command and its answer, the login, and errors.

The page of a command that runs is sent in pieces, so that output is seen while it comes: `command_head`, any number of
`command_output`, `command_tail`. Pages are complete without JavaScript; ``static/app.js`` adds to them, and finds what
it works on by ``data-`` attributes. No inline script or style, and no address of another host, stands in a page.
"""

from collections.abc import Sequence
from urllib.parse import quote

from cmdserver.core.errors import Code, RequestError, UnknownCommand
from cmdserver.core.model import Answer, Command
from cmdserver.frontends.web.pages.drawing import html_of
from cmdserver.frontends.web.pages.layout import (
    FOOT,
    LOGIN_PATH,
    NAME_FIELD,
    NEXT_FIELD,
    PASSWORD_FIELD,
    Visitor,
    at,
    head,
    hidden,
    link,
    page,
    token,
)
from cmdserver.frontends.web.pages.markup import Markup, closing, element, encode, join, opening, output
from cmdserver.frontends.web.pages.run_panel import argv, outcome, panel_start, path_of, run_form, title


def index(visitor: Visitor, commands: Sequence[Command]) -> bytes:
    """Return the list of commands.

    Args:
        visitor: Who asks.
        commands: What they may run, in the order in which it is shown.
    """
    heading = element("h1", "What can I do for you?")
    if not commands:
        return encode(page(visitor, "Commands", heading, _nothing_to_run(visitor)))
    cards = element("ul", *[_card(visitor, command) for command in commands], class_="cards", data_cards=True)
    nothing = element("p", "No command matches that.", class_="empty", hidden=True, data_nothing=True, role="status")
    return encode(page(visitor, "Commands", heading, _search(), cards, nothing))


def command_head(visitor: Visitor, command: Command, arguments: Sequence[str]) -> bytes:
    """Return the page of a run up to and into its output.

    Args:
        visitor: Who asks.
        command: What is run.
        arguments: What it is given besides what the configuration says.
    """
    start = join(
        (
            head(visitor, command.name),
            title(visitor, command, arguments),
            panel_start(visitor, command, arguments),
            element("p", element("span", "Running…", class_="badge"), class_="running"),
            opening("pre", class_="output", tabindex=0, role="region", aria_label=f"Output of {command.name}"),
            _KEPT_LINE,
        )
    )
    return encode(start)


def command_output(chunk: bytes, *, is_error: bool) -> bytes:
    """Return a piece of output.

    Args:
        chunk: As `Printable` gives it: control characters visible, characters whole.
        is_error: Whether it is of standard error.
    """
    text = output(chunk.decode(errors="replace"))
    return encode(element("span", text, class_="err") if is_error else text)


def command_tail(
    visitor: Visitor, answer: Answer | None, error: RequestError | None, streamed: bytes | None = None
) -> bytes:
    """Return the end of a page that `command_head` began: how the run ended, and a button to run it again.

    Args:
        visitor: Who asked.
        answer: How the run ended; None if there is no answer.
        error: Why there is no answer.
        streamed: Its standard output, where a sink was given that; see `output_parsers.Kept`.
    """
    if answer is None:
        why = "no answer" if error is None else _in_words(error)
        said = element("p", element("span", why, class_="badge"), class_="outcome bad", role="alert")
        return encode(join((closing("pre"), said, closing("section"), FOOT)))
    drawn = html_of(answer, streamed)
    again = run_form(visitor, answer.grant.command, answer.grant.arguments, "Run again")
    return encode(join((closing("pre"), outcome(answer), drawn, again, closing("section"), FOOT)))


def command_form(visitor: Visitor, command: Command, arguments: Sequence[str], why: str) -> bytes:
    """Return the page of a command that is run by a button only.

    Args:
        visitor: Who asks.
        command: What would be run.
        arguments: What it would be given besides what the configuration says.
        why: Why it is not run at once.
    """
    panel = join(
        (
            panel_start(visitor, command, arguments),
            element("p", why, class_="outcome"),
            run_form(visitor, command, arguments, "Run"),
            closing("section"),
        )
    )
    return encode(page(visitor, command.name, title(visitor, command, arguments), panel))


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
    return _in_words(error)


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
        element("p", _in_words(error), class_="complaint", role="alert"),
        _ways_on(visitor, error),
        element("p", f"{status} {error.code}", class_="quiet mono"),
        class_="sheet problem",
        aria_label=heading,
    )
    return encode(page(visitor, heading, element("h1", heading), body))


#: Why a command is run by a button only.
CHANGES_SOMETHING = "This command changes something, so it is run by the button alone."
LED_HERE = "Another site has led you here, so this command is run by the button alone."

_HEADINGS = {
    Code.MALFORMED: "That is no request",
    Code.UNKNOWN_COMMAND: "Not found",
    Code.DENIED: "You may not do that",
    Code.BAD_ARGUMENT: "That argument does not fit",
    Code.THROTTLED: "One moment, please",
    Code.BUSY: "This host is busy",
    Code.TIMEOUT: "That took too long",
    Code.FAULT: "That is our fault",
}

#: HTML drops a line break right behind ``<pre>``: this one is dropped in place of the output's.
_KEPT_LINE = Markup("\n")


# The commands


def _search() -> Markup:
    """Make the search box, which the script shows."""
    label = element("label", "Search ", element("kbd", "/", aria_hidden="true"), for_="search")
    field = element("input", id="search", type="search", autocomplete="off", spellcheck="false")
    return element("search", label, field, class_="search", hidden=True)


def _card(visitor: Visitor, command: Command) -> Markup:
    changes = None if command.read_only else element("span", "changes something", class_="tag")
    run = element(
        "a",
        "Run" if command.read_only else "Open",
        element("span", f" {command.name}", class_="visually-hidden"),
        href=at(visitor, path_of(command, ())),
        class_="button primary" if command.read_only else "button",
        data_here=command.read_only,
    )
    return element(
        "li",
        element("h2", element("a", command.name, href=at(visitor, path_of(command, ())))),
        element("p", command.help, class_="help") if command.help else None,
        element("div", argv(command, ()), changes, run, class_="foot"),
        class_="card",
        data_name=command.name,
    )


def _nothing_to_run(visitor: Visitor) -> Markup:
    may_log_in = visitor.may_log_in and visitor.name is None
    text = "There is nothing here that you may run" + (" without a login." if may_log_in else ".")
    return element("p", text, class_="empty")


# What went wrong


def _in_words(error: RequestError) -> str:
    """Render an error as a sentence, without the suggestions for an unknown name, which are links."""
    return f"No command here is called {error.name}." if isinstance(error, UnknownCommand) else str(error)


def _ways_on(visitor: Visitor, error: RequestError) -> Markup:
    ways = [link("All commands", at(visitor, "/"))]
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
