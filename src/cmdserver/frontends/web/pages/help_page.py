"""The page that says how to ask from elsewhere: with curl and scripts, and by the keyboard; as bytes."""

from collections.abc import Sequence
from typing import Final

from cmdserver.core.model import Command
from cmdserver.frontends.web.pages.forms.filled_form import is_sent_by_get
from cmdserver.frontends.web.pages.layout import Visitor, at, page
from cmdserver.frontends.web.pages.markup import Markup, element, encode

_KEYS: Final = (
    ("/", "look for a command"),
    ("Esc", "empty the search; say no where something is asked"),
    ("↓ ↑", "walk through the list, and Enter opens"),
    ("Enter", "in a form: run (Ctrl-Enter where a line break is meant)"),
)


def help_page(visitor: Visitor, commands: Sequence[Command], address: str) -> bytes:
    """Return the page.

    Args:
        visitor: Who asks.
        commands: What they may run.
        address: Of the root, as they have called it.
    """
    reads = next((each.name for each in commands if is_sent_by_get(each) and not each.parameters), "NAME")
    changes = next((each.name for each in commands if not each.read_only and not each.parameters), "NAME")
    curl = f"curl -u {visitor.name or 'NAME'} {address}"
    lines = (
        ("What a command that only reads prints", f"{curl}{reads}"),
        ("The same as JSON, with exit status and times", f"{curl}{reads} -H 'Accept: application/json'"),
        ("While it is made", f"{curl}{reads}?follow -N"),
        ("Run one that changes something", f"{curl}{changes} -X POST"),
        ("Start it, and look later", f"{curl}{changes} -X POST -H 'Prefer: respond-async'"),
        ("What runs and what ran", f"{curl}-/runs"),
        ("With a token in place of a password", f"curl -H 'Authorization: Bearer TOKEN' {address}{reads}"),
    )
    shown = [element("div", element("dt", what), element("dd", element("code", line))) for what, line in lines]
    keys = [element("div", element("dt", element("kbd", key)), element("dd", does)) for key, does in _KEYS]
    body = (
        element("h1", "How to ask from elsewhere"),
        _card("From a terminal or a script", element("dl", *shown, class_="lines")),
        _card("By the keyboard", element("dl", *keys, class_="plain")),
        _card(
            "For programs",
            element(
                "p",
                element("a", "OpenAPI", href=at(visitor, "/-/openapi.json")),
                " describes each command that you may run, ",
                element("a", "/metrics", href=at(visitor, "/metrics")),
                " is for Prometheus, ",
                element("a", "/-/healthy", href=at(visitor, "/-/healthy")),
                " for whoever watches that this answers. An event stream (",
                element("code", "Accept: text/event-stream"),
                ") tells what a run says while it says it, and how it ends.",
            ),
        ),
    )
    return encode(page(visitor, "Documentation", *body))


def _card(heading: str, *content: Markup) -> Markup:
    return element("section", element("h2", heading), *content, class_="card sheet")
