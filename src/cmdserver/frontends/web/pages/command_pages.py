"""The pages of one command before it runs, as bytes: its form, and the question whether it is to run."""

from typing import Final

from cmdserver.core.model import Grant
from cmdserver.frontends.web.pages.command_parts import name_of, title
from cmdserver.frontends.web.pages.forms import value_form
from cmdserver.frontends.web.pages.forms.beside_form import Experience
from cmdserver.frontends.web.pages.forms.filled_form import FilledForm
from cmdserver.frontends.web.pages.layout import Visitor, page
from cmdserver.frontends.web.pages.markup import element, encode

#: Why a command is run by a button only.
LED_HERE: Final = "Another site has led you here, so this command is run by the button alone."


def form(visitor: Visitor, filled: FilledForm, experience: Experience, why: str) -> bytes:
    """Return the page that asks for a command's values, or for a click.

    Args:
        visitor: Who asks.
        filled: What they have typed already, and what is wrong with it.
        experience: What is known of runs that were.
        why: Why it is not run at once; may be empty.
    """
    command = filled.command
    note = element("p", why, class_="note") if why else None
    asked = value_form.form(visitor, filled, experience)
    return encode(page(visitor, name_of(command), title(visitor, command), note, asked, here="/"))


def confirmation(visitor: Visitor, filled: FilledForm, grant: Grant, experience: Experience) -> bytes:
    """Return the page that asks whether to run a command with the values that somebody has sent."""
    asked = value_form.question(visitor, filled, grant, experience)
    return encode(page(visitor, grant.question, title(visitor, filled.command), asked, here="/"))
