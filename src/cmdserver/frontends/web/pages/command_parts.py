"""One command on a page: its name, its help, what runs, and the buttons that run and stop it."""

import shlex
from collections.abc import Mapping, Sequence

from cmdserver.core.model import Command
from cmdserver.frontends.web.http.form_data import Fields
from cmdserver.frontends.web.pages.forms.filled_form import address_of, short_texts
from cmdserver.frontends.web.pages.layout import EDIT_FIELD, RUNS_PATH, Visitor, at, token
from cmdserver.frontends.web.pages.markup import Markup, element, join
from cmdserver.runs.record import RunRecord


def crumbs(visitor: Visitor, command: Command) -> Markup:
    """Make the way back from a command."""
    back = element("a", "Commands", href=at(visitor, "/"))
    section = element("span", f" / {command.section}") if command.section else None
    return element("nav", back, section, class_="crumbs", aria_label="Breadcrumb")


def title(visitor: Visitor, command: Command) -> Markup:
    """Make the heading of a command, with its help."""
    return join(
        (
            crumbs(visitor, command),
            element(
                "div",
                element("div", heading(command, "h1"), changes(command), class_="names"),
                element("p", command.help, class_="help") if command.help else None,
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
    return None if command.read_only else element("span", "changes", class_="tag")


def button_class(command: Command) -> str:
    """Return the class of the one button of a page that runs a command: another colour if that changes something."""
    return "primary" if command.read_only else "primary change"


def argv(command: Command) -> Markup:
    """Render what runs, as a shell would take it."""
    return element("p", element("code", shlex.join(command.run)), class_="argv")


def stop_form(visitor: Visitor, run_id: str, title: str) -> Markup:
    """Make the button that ends a run of a command with this title."""
    button = element("button", "Stop", element("span", f" {title}", class_="visually-hidden"), class_="stop")
    address = at(visitor, f"{RUNS_PATH}/{run_id}/stop")
    return element("form", token(visitor), button, method="post", action=address, class_="stops")


def texts_of(command: Command, words: Sequence[str], fields: Fields = ()) -> Mapping[str, Sequence[str]]:
    """Return what was given to a command as its form has it, see `ParameterList.given`; no secret is among it."""
    given = command.parameters.given(words, fields)
    return {name: tuple(texts) for name, texts in given.items() if name not in command.parameters.secrets}


def address_of_run(command: Command, record: RunRecord, *, is_edited: bool = False) -> str:
    """Return the path and query, from the root, of a command with a run's values.

    Args:
        command: The run's.
        record: The run.
        is_edited: Whether the values are to be changed before the command runs.
    """
    texts = short_texts(command, texts_of(command, record.arguments))
    return address_of(command, {**texts, EDIT_FIELD: ("yes",)} if is_edited else texts)
