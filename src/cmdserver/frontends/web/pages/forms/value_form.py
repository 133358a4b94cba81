"""The form of a command with parameters, and beside it what runs; the question before a run, in place of the form.

Both are complete without JavaScript. ``static/forms.js`` finds the form by ``data-form`` and has what runs follow it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from cmdserver.core.model import Command, Grant
from cmdserver.core.run_states import OnDisconnect
from cmdserver.frontends.web.pages.command_parts import button_class
from cmdserver.frontends.web.pages.forms.beside_form import Experience, beside, how_long, last_runs
from cmdserver.frontends.web.pages.forms.controls import field, id_of
from cmdserver.frontends.web.pages.forms.filled_form import (
    DOTS,
    FilledForm,
    address_of,
    choices_of,
    is_sent_by_get,
    short_texts,
)
from cmdserver.frontends.web.pages.forms.what_runs import command_line, standard_input
from cmdserver.frontends.web.pages.layout import (
    RUNS_PATH,
    SENT_FIELD,
    YES_FIELD,
    Visitor,
    at,
    hidden,
    label,
    token,
)
from cmdserver.frontends.web.pages.markup import Content, Markup, element, lines
from cmdserver.parameters.declaration import Parameter, Values
from cmdserver.parameters.text_types import Text

_YES_ID: Final = "confirmed"


def form(visitor: Visitor, filled: FilledForm, experience: Experience) -> Markup:
    """Make the form of a command, and what is beside it."""
    command = filled.command
    mistaken = [each for each in command.parameters if filled.mistake(each) is not None]
    first = mistaken[0].name if mistaken else None
    is_get = is_sent_by_get(command)
    has_text = any(isinstance(each.type, Text) for each in command.parameters)
    made = element(
        "form",
        (hidden(SENT_FIELD, "yes") if command.parameters else None) if is_get else token(visitor),
        makes_changes(visitor, command),
        _complaint(filled, mistaken),
        *[field(filled, each, has_focus=each.name == first) for each in command.parameters],
        _yes(filled) if command.confirm and command.parameters.secrets else None,
        element(
            "div",
            element("button", "Run…" if command.confirm else "Run", class_=button_class(command)),
            _keys(has_text=has_text) if command.parameters else None,
            class_="send",
        ),
        method="get" if is_get else "post",
        action=at(visitor, address_of(command)),
        class_="values-form",
        data_form=True,
    )
    card = element("div", made, class_="card sheet" if command.read_only else "card sheet changes")
    return element("div", card, beside(visitor, filled, experience), class_="columns")


def makes_changes(visitor: Visitor, command: Command) -> Markup | None:
    """Say where a command changes something; None if it only reads."""
    if command.read_only:
        return None
    return element("p", f"Makes changes on {visitor.site.name} ", label(visitor), class_="warning")


def question(visitor: Visitor, filled: FilledForm, grant: Grant, experience: Experience) -> Markup:
    """Ask whether to run a command; no secret is among its values.

    Args:
        visitor: Who is asked.
        filled: What they have typed, which is sent again.
        grant: What they may run.
        experience: What is known of runs that were.
    """
    command = grant.command
    values = dict(grant.values)
    change = at(visitor, address_of(command, short_texts(command, filled.texts)))
    facts: list[tuple[str, Content]] = [
        *_facts(filled.command, grant.values),
        ("Runs", command_line(command, values)),
        *((("Reads", reads),) if (reads := standard_input(command, values)) is not None else ()),
        ("As", command.user),
        ("Takes", how_long(command, experience)),
    ]
    send = element(
        "form",
        token(visitor),
        hidden(YES_FIELD, "yes"),
        *_kept(command, filled.texts),
        element("button", command.title or "Run", class_=button_class(command)),
        element("a", "Cancel", href=change, class_="button", data_cancel=True),
        element("span", element("kbd", "Esc"), " cancels", class_="keys", hidden=True, data_keys=True),
        method="post",
        action=at(visitor, address_of(command)),
        class_="send",
    )
    asked = element(
        "section",
        makes_changes(visitor, command),
        # The focus is here, so that a second Enter from the form runs nothing.
        element("h2", grant.question, id="question", tabindex=-1, autofocus=True),
        _list(facts),
        send,
        _goes_on(visitor, command),
        class_="card sheet" if command.read_only else "card sheet changes",
        aria_labelledby="question",
    )
    last = element("div", last_runs(visitor, command, experience), class_="beside-form")
    return element("div", asked, last, class_="columns")


def _goes_on(visitor: Visitor, command: Command) -> Markup | None:
    """Say what becomes of a run whose page is left."""
    if command.on_disconnect is OnDisconnect.END:
        return element("p", "It ends if you leave the page on which it runs.", class_="info")
    if visitor.running is None:
        return element("p", "It goes on if you leave the page.", class_="info")
    link = element("a", "Runs", href=at(visitor, RUNS_PATH))
    return element("p", "It goes on if you leave the page. You find it again under ", link, ".", class_="info")


def _list(facts: Iterable[tuple[str, Content]]) -> Markup:
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element("dl", *rows, class_="plain")


def _facts(command: Command, values: Values) -> Iterator[tuple[str, str]]:
    given = dict(values)
    for parameter in command.parameters:
        if parameter.name in given:
            shown = [DOTS] if parameter.is_secret else map(_shown(parameter), given[parameter.name])
            yield parameter.label, ", ".join(shown)


def _shown(parameter: Parameter) -> Callable[[str], str]:
    """Return how a value is shown to people: by its label, a text by its length, a flag as yes."""
    if isinstance(parameter.type, Text):
        return lambda value: value[:-1] if value.count("\n") == 1 else f"{value.count(chr(10))} lines"
    if parameter.is_flag:
        return lambda _: "yes"
    labels = choices_of(parameter)
    return lambda value: labels.get(value, value)


def _kept(command: Command, texts: Mapping[str, Sequence[str]]) -> Iterator[Markup]:
    """Carry the values over to the next request."""
    for name, each in texts.items():
        parameter = command.parameters.named(name)
        for text in each:
            if parameter is not None and isinstance(parameter.type, Text):  # of several lines, which an input drops
                yield element("textarea", lines("\n" + text), name=name, hidden=True)
            else:
                yield hidden(name, text)


def _complaint(filled: FilledForm, mistaken: Iterable[Parameter]) -> Markup | None:
    """Say what is wrong, and where."""
    links: list[Content] = []
    for each in mistaken:
        links += [", " if links else None, element("a", each.label, href=f"#{id_of(each)}")]
    count = sum(isinstance(each, Markup) for each in links)
    said: list[Content] = []
    if count:
        said += ["One value is not accepted: " if count == 1 else f"{count} values are not accepted: ", *links, ". "]
    if filled.lacks_yes:
        said += [element("a", "Please confirm", href=f"#{_YES_ID}"), " that it is to run. "]
    said += [f"{str(each)[:1].upper()}{str(each)[1:]}. ".replace("?.", "?") for each in filled.general_mistakes]
    return element("p", *said, "Nothing has run.", class_="complaint", role="alert") if said else None


def _yes(filled: FilledForm) -> Markup:
    """Make the box of a form that asks for the yes itself."""
    box = element(
        "input", type="checkbox", id=_YES_ID, name=YES_FIELD, value="yes", required=True, autofocus=filled.lacks_yes,
        aria_invalid="true" if filled.lacks_yes else None,
    )  # fmt: skip
    label = element("label", f"Yes: {filled.question}", for_=_YES_ID)
    control = element("div", element("span", box, label, class_="box"))
    return element("div", element("div", class_="name"), control, class_="field")


def _keys(*, has_text: bool) -> Markup:
    # In a text area Enter is a line: there the script takes Ctrl-Enter.
    keys = "Ctrl-Enter" if has_text else "Enter"
    return element("span", element("kbd", keys), " runs", class_="keys", hidden=has_text, data_keys=has_text)
