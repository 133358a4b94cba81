"""One command on a page: its name, what runs, how it ended, and the button that runs it.

The classes and ``data-`` attributes here are what `Panel` of ``static/app.js`` looks for.
"""

import shlex

from cmdserver.core.model import Command
from cmdserver.core.output import Answer
from cmdserver.core.run_states import Keep, OnDisconnect
from cmdserver.frontends.web.pages.filled_form import address_of, is_sent_by_get
from cmdserver.frontends.web.pages.layout import RUNS_PATH, Visitor, at, token
from cmdserver.frontends.web.pages.markup import Markup, element, join, opening


def title(visitor: Visitor, command: Command, *more: Markup | None) -> Markup:
    """Make the heading of a command, with its help and whatever else there is to say."""
    back = element("a", "All commands", href=at(visitor, "/"))
    section = element("span", f" / {command.section}") if command.section else None
    return join(
        (
            element("nav", back, section, class_="crumbs", aria_label="Breadcrumb"),
            element(
                "div",
                element("div", heading(command, "h1"), changes(command), class_="names"),
                element("p", command.help, class_="help") if command.help else None,
                *more,
                class_="title",
            ),
        )
    )


def heading(command: Command, level: str, address: str | None = None) -> Markup:
    """Make a heading: the title, and the name beside it; perhaps as a link."""
    text = element("a", name_of(command), href=address) if address else name_of(command)
    if not command.title:
        return element(level, text, class_="mono")
    return join((element(level, text), element("span", command.name, class_="mono quiet")))


def name_of(command: Command) -> str:
    """Return what people call a command."""
    return command.title or command.name


def changes(command: Command) -> Markup | None:
    """Make the mark of a command that changes something."""
    return None if command.read_only else element("span", "changes something", class_="tag")


def button_class(command: Command) -> str:
    """Return the class of the one button of a page that runs a command: another colour if that changes something."""
    return "primary" if command.read_only else "primary change"


def argv(command: Command) -> Markup:
    """Render what runs, as a shell would take it."""
    return element("p", element("code", shlex.join(command.run)), class_="argv")


def panel_start(visitor: Visitor, command: Command) -> Markup:
    """Make the start tag of a run's section; the script runs what is asked for neither values nor a yes."""
    is_plain = not command.parameters and not command.confirm
    return opening(
        "section",
        class_="panel",
        aria_label=command.name,
        data_name=command.name,
        data_path=at(visitor, address_of(command)) if is_plain else None,
        data_method="GET" if command.read_only else "POST",
        data_leaving=command.on_disconnect,
        data_kept=kept(visitor, command),
    )


def kept(visitor: Visitor, command: Command) -> Keep | None:
    """Say which runs of a command have pages when they are over; None: none that the visitor may see for sure."""
    return None if visitor.name is None or visitor.running is None else command.history


def run_link(visitor: Visitor, command: Command, run_id: str) -> Markup | None:
    """Make the link to the page of a visitor's own run; None if it is not for sure that they may see it."""
    has_page = kept(visitor, command) is not None
    return element("a", "This run", href=at(visitor, f"{RUNS_PATH}/{run_id}")) if has_page else None


def stop_form(visitor: Visitor, run_id: str, title: str) -> Markup:
    """Make the button that ends a run of a command with this title."""
    button = element("button", "Stop", element("span", f" {title}", class_="visually-hidden"), class_="stop")
    address = at(visitor, f"{RUNS_PATH}/{run_id}/stop")
    return element("form", token(visitor), button, method="post", action=address, class_="stops")


def leaving(command: Command) -> Markup:
    """Say what becomes of a run whose page is left."""
    is_ended = command.on_disconnect is OnDisconnect.END
    return element("span", f"{'Ends' if is_ended else 'Goes on'} if you leave this page")


def run_form(visitor: Visitor, command: Command, label: str) -> Markup:
    """Make the form with the button that runs a command without parameters."""
    is_get = is_sent_by_get(command)
    return element(
        "form",
        None if is_get else token(visitor),  # in an address it would be in histories and logs
        element("button", label, class_=button_class(command)),
        method="get" if is_get else "post",
        action=at(visitor, address_of(command)),
        class_="actions",
    )


def outcome(visitor: Visitor, command: Command, answer: Answer) -> Markup:
    """Render how a run ended, with a link to its page if it is kept."""
    problem = answer.problem
    has_page = command.history is Keep.ALL or (command.history is Keep.FAILED and problem is not None)
    facts = [f"took {duration(answer.finished.duration_seconds)}"]
    if answer.shared:
        facts.append("shared with other callers")
    return element(
        "p",
        element("span", problem or f"exit status {answer.finished.exit_status}", class_="badge"),
        *[element("span", fact) for fact in facts],
        run_link(visitor, command, answer.id) if has_page else None,
        class_=f"outcome {'bad' if problem else 'good'}",
        role="status",
    )


def duration(seconds: float) -> str:
    """Say how long something took."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"  # noqa: PLR2004
