"""The pages of one command, as bytes: its form, the question before it runs, and its run.

The page of a command that runs is sent in pieces, so that output is seen while it comes: `head`, any number of
`output_piece`, and `tail`, or `failure` in its place. Where there are parameters the form is below the output, so that
somebody can change a value and run it again.
"""

from typing import Final

from cmdserver.core.errors import RequestError
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer
from cmdserver.frontends.web.pages import layout, value_form
from cmdserver.frontends.web.pages.drawing import html_of
from cmdserver.frontends.web.pages.filled_form import FilledForm
from cmdserver.frontends.web.pages.layout import FOOT, Visitor, page
from cmdserver.frontends.web.pages.markup import Markup, closing, element, encode, join, opening, output
from cmdserver.frontends.web.pages.pages import in_words
from cmdserver.frontends.web.pages.run_panel import (
    argv,
    kept,
    leaving,
    name_of,
    outcome,
    panel_start,
    run_form,
    run_link,
    stop_form,
    title,
)
from cmdserver.frontends.web.pages.what_runs import command_line

#: Why a command is run by a button only.
CHANGES_SOMETHING: Final = "This command changes something, so it is run by the button alone."
LED_HERE: Final = "Another site has led you here, so this command is run by the button alone."

#: HTML drops a line break right behind ``<pre>``: this one is dropped in place of the output's.
_KEPT_LINE: Final = Markup("\n")


def form(visitor: Visitor, filled: FilledForm, why: str) -> bytes:
    """Return the page that asks for a command's values, or for a click.

    Args:
        visitor: Who asks.
        filled: What they have typed already, and what is wrong with it.
        why: Why it is not run at once; may be empty.
    """
    command = filled.command
    if not command.parameters:
        panel = join(
            (
                panel_start(visitor, command),
                element("p", why, class_="outcome") if why else None,
                run_form(visitor, command, "Run…" if command.confirm else "Run"),
                closing("section"),
            )
        )
        return encode(page(visitor, name_of(command), title(visitor, command, argv(command)), panel, here="/"))
    note = element("p", why, class_="note") if why else None
    body = [each for each in (title(visitor, command), note, value_form.form(visitor, filled)) if each is not None]
    return encode(page(visitor, name_of(command), *body, here="/"))


def confirmation(visitor: Visitor, filled: FilledForm, grant: Grant) -> bytes:
    """Return the page that asks whether to run a command with the values that somebody has sent."""
    command = filled.command
    asked = value_form.question(visitor, filled, grant)
    return encode(page(visitor, grant.question, title(visitor, command), asked, here="/"))


def head(visitor: Visitor, grant: Grant, run_id: str) -> bytes:
    """Return the page of a run up to and into its output.

    Args:
        visitor: Who has asked for it.
        grant: What was granted.
        run_id: The run's.
    """
    command = grant.command
    ran = (
        element("p", command_line(command, dict(grant.values)), class_="argv") if command.parameters else argv(command)
    )
    start = join(
        (
            layout.head(visitor, name_of(command), here="/"),
            title(visitor, command, value_form.value_list(command, grant.values), ran),
            panel_start(visitor, command),
            element(
                "p",
                element("span", "Running…", class_="badge"),
                leaving(command),
                run_link(visitor, command, run_id),
                class_="running",
            ),
            # Whoever may see their own run may end it.
            stop_form(visitor, run_id, name_of(command)) if kept(visitor, command) is not None else None,
            opening("pre", class_="output", tabindex=0, role="region", aria_label=f"Output of {command.name}"),
            _KEPT_LINE,
        )
    )
    return encode(start)


def output_piece(chunk: bytes, *, is_error: bool) -> bytes:
    """Return a piece of output.

    Args:
        chunk: As `Printable` gives it: control characters visible, characters whole.
        is_error: Whether it is of standard error.
    """
    text = output(chunk.decode(errors="replace"))
    return encode(element("span", text, class_="err") if is_error else text)


def tail(visitor: Visitor, answer: Answer, filled: FilledForm) -> bytes:
    """Return the end of a page that `head` began: how the run ended, and how to run it again.

    Args:
        visitor: Who asked.
        answer: How the run ended.
        filled: With the values of the run.
    """
    drawn = html_of(answer)
    if not filled.command.parameters:
        again = run_form(visitor, filled.command, "Run again…" if filled.command.confirm else "Run again")
        return encode(
            join((closing("pre"), outcome(visitor, filled.command, answer), drawn, again, closing("section"), FOOT))
        )
    again = join((element("h2", "Run again", class_="again"), value_form.form(visitor, filled)))
    return encode(
        join((closing("pre"), outcome(visitor, filled.command, answer), drawn, closing("section"), again, FOOT))
    )


def failure(error: RequestError) -> bytes:
    """Return the end of a page that `head` began, though there is no answer."""
    said = element("p", element("span", in_words(error), class_="badge"), class_="outcome bad", role="alert")
    return encode(join((closing("pre"), said, closing("section"), FOOT)))
