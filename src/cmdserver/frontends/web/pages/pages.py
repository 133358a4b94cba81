"""The pages that are of no command, as bytes: the login, and errors.

Pages are complete without JavaScript; the script adds to them, and finds what it works on by ``data-`` attributes. No
inline script or style, and no address of another host, stands in a page.
"""

from typing import Final
from urllib.parse import quote

from cmdserver.core.errors import Code, Fault, LoginRefused, RequestError, TryAgain, UnknownCommand, UnknownRun
from cmdserver.frontends.web.pages.layout import (
    CODE_FIELD,
    LOGIN_FIELD,
    LOGIN_PATH,
    NAME_FIELD,
    NEXT_FIELD,
    PASSWORD_FIELD,
    RUNS_PATH,
    Visitor,
    at,
    hidden,
    link,
    notice,
    page,
    token,
)
from cmdserver.frontends.web.pages.markup import Content, Markup, element, encode
from cmdserver.frontends.web.pages.relative_time import local

_WRONG: Final = "Name or password is wrong."


def login(visitor: Visitor, next_path: str, complaint: str | None, name: str = "") -> bytes:
    """Return the login page.

    Args:
        visitor: Who asks.
        next_path: Where to go after the login.
        complaint: Why a login is asked for, or asked for again; None if the visitor has come by themselves.
        name: What they have typed; then the password is what is asked for.
    """
    return _login(
        visitor,
        next_path,
        element("p", complaint, class_="complaint", role="alert") if complaint else None,
        _field("Name", NAME_FIELD, "text", "username", value=name, autofocus=not name),
        _field("Password", PASSWORD_FIELD, "password", "current-password", autofocus=bool(name)),
    )


def login_code(visitor: Visitor, next_path: str, login_number: str) -> bytes:
    """Return the second page of a login: what asks for a code.

    Args:
        visitor: Who asks.
        next_path: Where to go after the login.
        login_number: Names the login whose password was right; good for one code.
    """
    about = "Six digits from your authenticator app, or one of your recovery codes."
    return _login(
        visitor,
        next_path,
        _field("Code", CODE_FIELD, "text", "one-time-code", autofocus=True, described_by="about-code"),
        element("p", about, id="about-code", class_="help"),
        hidden(LOGIN_FIELD, login_number),
    )


def _login(visitor: Visitor, next_path: str, *fields: Content) -> bytes:
    form = element(
        "form",
        element("h1", f"Log in to {visitor.site.name}"),
        *fields,
        hidden(NEXT_FIELD, next_path),
        token(visitor),
        element("button", "Log in", class_="primary"),
        method="post",
        action=at(visitor, LOGIN_PATH),
        class_="card sheet narrow-card",
        data_login=True,
    )
    return encode(page(visitor, "Log in", notice(visitor), form, is_bare=True))


def why_log_in(error: RequestError) -> str:
    """Return why a login is asked for in answer to another request."""
    match error:
        case UnknownCommand(name=name):
            return f"There is no {name} without a login."
        case UnknownRun():
            return "There is no such run without a login."
        case LoginRefused():
            return _WRONG
        case _:
            return in_words(error)


def problem(visitor: Visitor, status: int, error: RequestError, now: float, *, again: str | None = None) -> bytes:
    """Return the page of an error.

    Args:
        visitor: Who asked.
        status: The status of the response.
        error: What went wrong.
        now: Seconds since the epoch.
        again: Where to try it again; None: there is no such address.
    """
    if isinstance(error, TryAgain):
        return _wait(visitor, status, error, now, again)
    heading = _HEADINGS.get(error.code, "That did not work")
    body = element(
        "section",
        element("h1", heading),
        element("p", in_words(error), role="alert"),
        _what_to_do(error),
        _ways_on(visitor, error),
        _code(status, error),
        class_="card sheet problem",
    )
    return encode(page(visitor, heading, body))


_HEADINGS = {
    Code.MALFORMED: "That is no request",
    Code.UNKNOWN_COMMAND: "Not found",
    Code.UNKNOWN_RUN: "Not found",
    Code.DENIED: "You may not do that",
    Code.BAD_ARGUMENT: "That argument does not fit",
    Code.TIMEOUT: "That took too long",
    Code.FAULT: "That is our fault",
}


def _wait(visitor: Visitor, status: int, error: TryAgain, now: float, again: str | None) -> bytes:
    """Return the page of what time heals: the seconds that are left, the time of day, the setting it comes from."""
    seconds = error.retry_after_seconds
    is_theirs = error.code is Code.THROTTLED
    heading = "One moment, please" if is_theirs else "This host is busy"
    until = local(now + seconds)
    comes = " This page opens again by itself then." if again is not None else ""
    table, _, key = error.setting.rpartition(".")
    body = element(
        "section",
        element("p", element("span", "Please wait", class_="mark queued waiting")),
        element("h1", heading),
        element("p", f"{error.what}.", role="alert"),
        element("p", f"{seconds // 60}:{seconds % 60:02}", class_="countdown", data_wait=str(seconds)),
        element("progress", max=str(seconds), value=str(seconds), aria_label="Time left"),
        element("p", "You can try again at ", element("b", element("time", f"{until:%H:%M:%S}")), f".{comes}"),
        _who_else(error),
        element("p", link("Try again", again)) if again is not None else _ways_on(visitor, error),
        element("p", "The limit is ", element("code", key), f" in [{table}]." if table else ".", class_="quiet")
        if key
        else None,
        _code(status, error),
        class_="card sheet narrow-card wait",
    )
    return encode(page(visitor, heading, body, is_bare=visitor.name is None))


def _who_else(error: TryAgain) -> Markup | None:
    if error.setting == "limits.penalty_exempt":
        text = (
            "Everybody who comes from the same address has to wait as well. Who is logged in already is not affected."
        )
    elif error.setting.endswith(".rate_limit"):
        text = "This holds for everybody who runs this command."
    else:
        return None
    return element("p", text, class_="info")


def in_words(error: RequestError) -> str:
    """Return an error as a sentence, without the suggestions for an unknown name, which are links."""
    match error:
        case UnknownCommand(name=name):
            return f"No command here is called {name}."
        case UnknownRun():
            return "There is no such run, or it is not for you to see, or it is too old to be kept."
        case Fault():
            return f"Something went wrong here, and not by your doing: internal fault {error.fault_id}."
        case _:
            text = str(error)
            return text if text.endswith((".", "?", "!")) else f"{text}."


def _what_to_do(error: RequestError) -> Markup | None:
    match error:
        case UnknownCommand(suggestions=()):
            text = "Look for it among all commands, or ask the administrator whether it has another name."
        case Fault():
            text = "Tell the administrator this id: the log says more about it."
        case _:
            return None
    return element("p", text)


def _ways_on(visitor: Visitor, error: RequestError) -> Markup:
    ways = [link("All commands", at(visitor, "/"))]
    if isinstance(error, UnknownRun) and visitor.running is not None:
        ways.append(link("All runs", at(visitor, RUNS_PATH)))
    if isinstance(error, UnknownCommand) and error.suggestions:
        near = [link(name, at(visitor, f"/{quote(name)}")) for name in error.suggestions]
        ways = [element("span", "Did you mean"), *near, *ways]
    if visitor.name is None and visitor.may_log_in:
        ways.append(link("Log in", at(visitor, LOGIN_PATH)))
    return element("p", *ways, class_="ways")


def _code(status: int, error: RequestError) -> Markup:
    return element("p", f"{status} {error.code}", class_="quiet mono")


def _field(
    label: str,
    name: str,
    kind: str,
    autocomplete: str,
    *,
    value: str = "",
    autofocus: bool = False,
    described_by: str | None = None,
) -> Markup:
    field = element(
        "input",
        id=name,
        name=name,
        type=kind,
        value=value or None,
        autocomplete=autocomplete,
        required=True,
        autofocus=autofocus,
        autocapitalize="none",
        spellcheck="false",
        aria_describedby=described_by,
    )
    return element("p", element("label", label, for_=name), field)
