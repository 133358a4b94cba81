"""One command on a page: its name, what runs, how it ended, and the button that runs it.

The classes and ``data-`` attributes here are what `Panel` of ``static/app.js`` looks for.
"""

import shlex
from collections.abc import Sequence
from urllib.parse import quote

from cmdserver.core.model import Answer, Command
from cmdserver.frontends.common.rendering import answer_problem
from cmdserver.frontends.web.pages.layout import Visitor, at, token
from cmdserver.frontends.web.pages.markup import Markup, element, join, opening


def title(visitor: Visitor, command: Command, arguments: Sequence[str]) -> Markup:
    """Make the heading of a command, with its help and what runs."""
    back = element("a", "All commands", href=at(visitor, "/"))
    return join(
        (
            element("nav", back, class_="crumbs", aria_label="Breadcrumb"),
            element(
                "div",
                element("h1", " ".join((command.name, *arguments))),
                element("p", command.help, class_="help") if command.help else None,
                argv(command, arguments),
                class_="title",
            ),
        )
    )


def argv(command: Command, arguments: Sequence[str]) -> Markup:
    """Render what runs, as a shell would take it."""
    return element("p", element("code", shlex.join((*command.run, *arguments))), class_="argv")


def panel_start(visitor: Visitor, command: Command, arguments: Sequence[str]) -> Markup:
    """Make the start tag of a run's section, with what the script needs to run it."""
    return opening(
        "section",
        class_="panel",
        aria_label=command.name,
        data_name=command.name,
        data_path=at(visitor, path_of(command, arguments)),
        data_method="GET" if command.read_only else "POST",
    )


def run_form(visitor: Visitor, command: Command, arguments: Sequence[str], label: str) -> Markup:
    """Make the form with the button that runs a command."""
    is_get = command.read_only
    return element(
        "form",
        None if is_get else token(visitor),  # in an address it would be in histories and logs
        element("button", label, class_="primary"),
        method="get" if is_get else "post",
        action=at(visitor, path_of(command, arguments)),
        class_="actions",
    )


def outcome(answer: Answer) -> Markup:
    """Render how a run ended."""
    problem = answer_problem(answer)
    facts = [f"took {_duration(answer.finished.duration_seconds)}"]
    if answer.shared:
        facts.append("shared with other callers")
    return element(
        "p",
        element("span", problem or "exit status 0", class_="badge"),
        *[element("span", fact) for fact in facts],
        class_=f"outcome {'bad' if problem else 'good'}",
        role="status",
    )


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"  # noqa: PLR2004


def path_of(command: Command, arguments: Sequence[str]) -> str:
    """Return the path, from the root, that runs a command: each argument is a part of it."""
    return "".join(f"/{quote(word, safe='', errors='replace')}" for word in (command.name, *arguments))
