"""The pages, as bytes: what you may run, one command and what came of it, the login, and everything that went wrong.

A page of a command that runs is sent in pieces, so that its output is seen while it comes: `command_head`, any number
of `command_output`, `command_tail`. What a browser without JavaScript shows is all there; ``static/app.js`` adds to it,
and finds what it works on by ``data-`` attributes.

Rules of this file: pure functions; everything of a stranger's goes through `markup`; no script, no style and no address
of another host stands in a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from cmdserver.errors import Code, RequestError, TryAgain, UnknownCommand
from cmdserver.frontends.web.markup import Markup, closing, element, encode, join, opening, output
from cmdserver.model import Answer, Command
from cmdserver.rendering import answer_problem

#: Where forms go, and where static files are.
LOGIN_PATH, LOGOUT_PATH, STATIC_PATH = "/-/login", "/-/logout", "/-/static/"
#: The fields of forms; `TOKEN_HEADER` is how a script says the same.
TOKEN_FIELD, NAME_FIELD, PASSWORD_FIELD, NEXT_FIELD = "token", "name", "password", "next"
TOKEN_HEADER = "X-Cmdserver-Token"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who looks at a page, as far as pages differ by it."""

    #: None for somebody who has not logged in.
    name: str | None
    #: Whether there is a login here that would change who they are.
    may_log_in: bool
    #: The anti-forgery token of their session, for forms; None if none is needed.
    token: str | None


def index(visitor: Visitor, commands: Sequence[Command]) -> bytes:
    """What this visitor may run.

    Args:
        visitor: Who asks.
        commands: What they may run, in the order in which it is shown.
    """
    cards = element("ul", *[_card(command) for command in commands], class_="cards", data_cards=True)
    body = cards if commands else _nothing_to_run(visitor)
    return encode(_page(visitor, "What can I do for you?", element("h1", "What can I do for you?"), body))


def command_head(visitor: Visitor, command: Command, arguments: Sequence[str]) -> bytes:
    """The page of a run up to and into its output.

    Args:
        visitor: Who asks.
        command: What is run.
        arguments: What it is given besides what the configuration says.
    """
    start = join(
        (
            _head(visitor, command.name),
            _title(command, arguments),
            opening("section", class_="run", data_run=command.name),
            element("p", "Running…", class_="running"),
            opening("pre", class_="output", data_output=True, tabindex="0", role="region", aria_label="Output"),
        )
    )
    return encode(start)


def command_output(chunk: bytes, *, is_error: bool) -> bytes:
    """A piece of output.

    Args:
        chunk: As `printable.Printable` gives it: control characters visible, characters whole.
        is_error: Whether it is of standard error.
    """
    text = output(chunk.decode(errors="replace"))
    return encode(element("span", text, class_="err") if is_error else text)


def command_tail(visitor: Visitor, answer: Answer | None, error: RequestError | None) -> bytes:
    """The end of a page whose beginning was `command_head`: what came of it, and the way to run it again.

    Args:
        visitor: Who asked.
        answer: What came of it; None if there is none.
        error: Why there is none.
    """
    said = _outcome(answer) if answer is not None else _error_text(error)
    again = _run_form(visitor, answer.grant.command, "Run again") if answer is not None else None
    return encode(join((closing("pre"), said, again, closing("section"), _FOOT)))


def command_form(visitor: Visitor, command: Command) -> bytes:
    """The page of a command that changes something, and so is run by a button alone."""
    form = _run_form(visitor, command, "Run")
    section = element("section", form, class_="run", data_run=command.name)
    return encode(_page(visitor, command.name, _title(command, ()), section))


def login(visitor: Visitor, next_path: str, complaint: str | None) -> bytes:
    """The page that asks who somebody is.

    Args:
        visitor: Who asks.
        next_path: Where to go when they have logged in.
        complaint: Why they are asked again.
    """
    form = element(
        "form",
        element("p", complaint, class_="complaint", role="alert") if complaint else None,
        _field("Name", NAME_FIELD, "text", "username"),
        _field("Password", PASSWORD_FIELD, "password", "current-password"),
        _hidden(NEXT_FIELD, next_path),
        _token(visitor),
        element("button", "Log in", class_="primary"),
        method="post",
        action=LOGIN_PATH,
        class_="login",
    )
    return encode(_page(visitor, "Log in", element("h1", "Log in"), form))


def problem(visitor: Visitor, status: int, error: RequestError) -> bytes:
    """The page of everything that is not answered.

    Args:
        visitor: Who asked.
        status: Of the response.
        error: Why.
    """
    heading = _HEADINGS.get(error.code, "That did not work")
    body = element("section", _error_text(error), _ways_on(visitor, error), class_="problem", data_status=str(status))
    return encode(_page(visitor, heading, element("h1", heading), body))


_HEADINGS = {
    Code.MALFORMED: "That is no request",
    Code.UNKNOWN_COMMAND: "There is no such command here",
    Code.DENIED: "You may not do that",
    Code.BAD_ARGUMENT: "That argument does not fit",
    Code.THROTTLED: "One moment, please",
    Code.BUSY: "This host is busy",
    Code.TIMEOUT: "That took too long",
    Code.FAULT: "That is our fault",
}

_FOOT = closing("main", "body", "html")


def _page(visitor: Visitor, title: str, *body: Markup) -> Markup:
    return join((_head(visitor, title), *body, _FOOT))


def _head(visitor: Visitor, title: str) -> Markup:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} - cmdserver"),
        element("link", rel="icon", href=f"{STATIC_PATH}icon.svg", type="image/svg+xml"),
        element("link", rel="stylesheet", href=f"{STATIC_PATH}app.css"),
        # async: it is wanted while a page is still coming, for a run may take long.
        element("script", type="module", async_=True, src=f"{STATIC_PATH}app.js"),
    )
    return join((Markup("<!doctype html>"), opening("html", lang="en"), head, opening("body"), _top(visitor), _MAIN))


_MAIN = opening("main", id="main")


def _top(visitor: Visitor) -> Markup:
    if visitor.name is not None:
        who = join(
            (element("span", visitor.name, class_="name"), _log_out_form(visitor) if visitor.may_log_in else None)
        )
    else:
        who = element("a", "Log in", href=LOGIN_PATH) if visitor.may_log_in else element("span", "not logged in")
    return element("header", element("a", "cmdserver", href="/", class_="brand"), element("div", who, class_="who"))


def _log_out_form(visitor: Visitor) -> Markup:
    return element("form", _token(visitor), element("button", "Log out"), method="post", action=LOGOUT_PATH)


def _card(command: Command) -> Markup:
    return element(
        "li",
        element("h2", element("a", command.name, href=_path(command))),
        element("p", command.help) if command.help else None,
        class_="card",
        data_command=command.name,
    )


def _nothing_to_run(visitor: Visitor) -> Markup:
    text = "There is nothing that you may run here."
    return element("p", text, element("a", "Log in", href=LOGIN_PATH) if visitor.may_log_in else None, class_="empty")


def _title(command: Command, arguments: Sequence[str]) -> Markup:
    return join(
        (
            element("h1", " ".join((command.name, *arguments))),
            element("p", command.help, class_="help") if command.help else None,
        )
    )


def _run_form(visitor: Visitor, command: Command, label: str) -> Markup:
    button = element("button", label, class_="primary")
    method = "get" if command.read_only else "post"
    token = None if command.read_only else _token(visitor)  # in an address it would be in histories and logs
    return element("form", token, button, method=method, action=_path(command), class_="again")


def _outcome(answer: Answer) -> Markup:
    finished = answer.finished
    said = answer_problem(answer) or "done"
    facts = [said, f"{finished.duration_seconds:.3g} s", *(["shared with others"] if answer.shared else [])]
    return element("p", " · ".join(facts), class_="outcome", role="status")


def _error_text(error: RequestError | None) -> Markup | None:
    return None if error is None else element("p", str(error), class_="complaint", role="alert")


def _ways_on(visitor: Visitor, error: RequestError) -> Markup:
    ways = [element("a", "All commands", href="/")]
    if isinstance(error, UnknownCommand):
        ways += [element("a", name, href=f"/{quote(name)}") for name in error.suggestions]
        if visitor.name is None and visitor.may_log_in:
            ways.append(element("a", "Log in", href=LOGIN_PATH))
    if isinstance(error, TryAgain):
        ways.append(element("span", f"Worth another try in {error.retry_after_seconds} s."))
    return element("p", *ways, class_="ways")


def _path(command: Command) -> str:
    return f"/{quote(command.name)}"


def _field(label: str, name: str, kind: str, autocomplete: str) -> Markup:
    field = element("input", id=name, name=name, type=kind, autocomplete=autocomplete, required=True)
    return element("p", element("label", label, for_=name), field)


def _hidden(name: str, value: str) -> Markup:
    return element("input", type="hidden", name=name, value=value)


def _token(visitor: Visitor) -> Markup | None:
    return None if visitor.token is None else _hidden(TOKEN_FIELD, visitor.token)
