"""The form of a command with parameters, and beside it what runs; the question before a run, in place of the form.

Both are complete without JavaScript. ``static/app.js`` finds the form by ``data-form`` and has what runs follow it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from cmdserver.core.model import Command, Grant
from cmdserver.frontends.web.pages.controls import field, id_of
from cmdserver.frontends.web.pages.filled_form import (
    DOTS,
    FilledForm,
    address_of,
    choices_of,
    is_sent_by_get,
    short_texts,
)
from cmdserver.frontends.web.pages.layout import SENT_FIELD, YES_FIELD, Visitor, at, hidden, token
from cmdserver.frontends.web.pages.markup import Content, Markup, element, lines
from cmdserver.frontends.web.pages.run_panel import button_class
from cmdserver.frontends.web.pages.what_runs import command_line, standard_input
from cmdserver.parameters.declaration import Parameter, Values
from cmdserver.parameters.text_types import Text

_YES_ID: Final = "confirmed"
#: The longest time that is said in seconds.
_MINUTE, _HOUR = 60, 3600


def form(visitor: Visitor, filled: FilledForm) -> Markup:
    """Make the form of a command, and what is beside it."""
    command = filled.command
    mistaken = [each for each in command.parameters if filled.mistake(each) is not None]
    first = mistaken[0].name if mistaken else None
    is_get = is_sent_by_get(command)
    has_text = any(isinstance(each.type, Text) for each in command.parameters)
    made = element(
        "form",
        hidden(SENT_FIELD, "yes") if is_get else token(visitor),
        _complaint(filled, mistaken),
        *[field(filled, each, has_focus=each.name == first) for each in command.parameters],
        _yes(filled) if command.confirm and command.parameters.secrets else None,
        element("div", element("button", "Run", class_=button_class(command)), _keys(has_text=has_text), class_="send"),
        method="get" if is_get else "post",
        action=at(visitor, address_of(command)),
        class_="values-form",
        data_form=True,
    )
    return element("div", element("div", made, class_="sheet"), _beside(visitor, filled), class_="columns")


def question(visitor: Visitor, filled: FilledForm, grant: Grant) -> Markup:
    """Ask whether to run a command; no secret is among its values.

    Args:
        visitor: Who is asked.
        filled: What they have typed, which is sent again.
        grant: What they may run.
    """
    command = grant.command
    values = dict(grant.values)
    where = f" on {filled.host}" if filled.host else ""
    change = at(visitor, address_of(command, short_texts(command, filled.texts)))
    facts: list[tuple[str, Content]] = [
        *_facts(filled.command, grant.values),
        ("Runs", command_line(command, values)),
        *((("Reads", reads),) if (reads := standard_input(command, values)) is not None else ()),
        ("As", command.user),
        ("Takes", f"{_time(command.timeout_seconds)} at most"),
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
    return element(
        "section",
        None if command.read_only else element("p", f"Makes changes{where}", class_="warning"),
        # The focus is here, so that a second Enter from the form runs nothing.
        element("h2", grant.question, id="question", tabindex=-1, autofocus=True),
        _list(facts),
        send,
        class_="sheet asks" if command.read_only else "sheet asks changes",
        aria_labelledby="question",
    )


def _list(facts: Iterable[tuple[str, Content]]) -> Markup:
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element("dl", *rows, class_="plain")


def value_list(command: Command, values: Values) -> Markup | None:
    """Show the values of a run, without secrets; None if there are none."""
    shown = [element("span", f"{name} ", element("b", value)) for name, value in _facts(command, values)]
    return element("p", *shown, class_="given") if shown else None


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


def _beside(visitor: Visitor, filled: FilledForm) -> Markup:
    command = filled.command
    reads = standard_input(command, filled.values)
    user = element("b", command.user)
    return element(
        "div",
        element(
            "section",
            element("h2", "What runs"),
            element("div", command_line(command, filled.values), class_="sunken"),
            None if reads is None else element("p", "It reads ", reads),
            element("p", "As user ", user, f", for {_time(command.timeout_seconds)} at most."),
            class_="sheet aside",
            aria_label="What runs",
        ),
        _address(visitor, filled),
        class_="beside-form",
    )


def _address(visitor: Visitor, filled: FilledForm) -> Markup | None:
    """Make the link that has the values; the script keeps it up to date."""
    if filled.command.parameters.secrets:
        return None
    address = filled.address
    link = element("a", "This address", href=at(visitor, address or address_of(filled.command)), data_address=True)
    does = "runs it with these values" if is_sent_by_get(filled.command) else "opens the form with these values"
    return element("p", link, f" {does}.", class_="quiet", hidden=address is None)


def _keys(*, has_text: bool) -> Markup:
    # In a text area Enter is a line: there the script takes Ctrl-Enter.
    keys = "Ctrl-Enter" if has_text else "Enter"
    return element("span", element("kbd", keys), " runs", class_="keys", hidden=has_text, data_keys=has_text)


def _time(seconds: float) -> str:
    """Say a time span as people do: ``30 s``, ``5 min``, ``1 h 30 min``."""
    if seconds < 2 * _MINUTE or seconds % _MINUTE:
        return f"{seconds:g} s"
    hours, minutes = divmod(int(seconds) // _MINUTE, _MINUTE)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)
