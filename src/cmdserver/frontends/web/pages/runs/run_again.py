"""What asks for a run anew, with the same values or with others, as whoever clicks."""

from collections.abc import Iterator

from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.pages import layout
from cmdserver.frontends.web.pages.command_parts import address_of_run, texts_of
from cmdserver.frontends.web.pages.forms.filled_form import address_of, is_sent_by_get
from cmdserver.frontends.web.pages.layout import SENT_FIELD, Visitor, at, hidden, token
from cmdserver.frontends.web.pages.markup import Markup, element
from cmdserver.frontends.web.pages.runs.run_marks import Shown


def run_again(visitor: Visitor, shown: Shown) -> Iterator[Markup]:
    """Make what asks anew with the same values, as whoever clicks, and what asks for others."""
    command = shown.command
    if command is None or not command.argv:
        return
    texts = texts_of(command, shown.record.arguments)
    colour = "primary" if command.read_only else "change"
    has_form = bool(command.parameters)
    if not command.read_only and shown.record.state is RunState.OK:
        yield layout.link("All commands", at(visitor, "/"))
    if has_form and (command.parameters.secrets or command.confirm or not command.read_only):
        form_address = at(visitor, address_of_run(command, shown.record))
        yield element("a", "Run again…", href=form_address, class_=f"button {colour}")
        return
    if has_form:
        yield layout.link("Change values", at(visitor, address_of_run(command, shown.record, is_edited=True)))
    yield element(
        "form",
        token(visitor) if not is_sent_by_get(command) else hidden(SENT_FIELD, "yes") if has_form else None,
        *[hidden(name, text) for name, each in texts.items() for text in each],
        element("button", "Run again…" if command.confirm else "Run again", class_=colour),
        method="get" if is_sent_by_get(command) else "post",
        action=at(visitor, address_of(command)),
        data_again=is_sent_by_get(command),
    )
