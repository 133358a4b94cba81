"""The field of a parameter: its label, a control that fits its type, what is accepted, and what is wrong.

A browser drops what does not fit a control (a word in a field of numbers): then the control is a field of text, so that
nothing that was typed is lost. What is accepted is for the server to say; attributes only help to type it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cmdserver.frontends.web.pages.forms.filled_form import FilledForm, choices_of
from cmdserver.frontends.web.pages.markup import Attribute, Markup, element, join, lines
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.mistakes import NotAccepted, ValueMistake
from cmdserver.parameters.number_types import Duration, Integer, Number, Port, span
from cmdserver.parameters.text_types import FALSE, TRUE, Choice, Flag, Secret, String, Text
from cmdserver.parameters.time_types import Date, DateTime

#: What browsers keep in a control (HTML Living Standard, section 2.3).
_KEPT: Final = {
    "number": re.compile(r"-?[0-9]+(\.[0-9]+)?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "datetime-local": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?"),
}
#: Characters, of types without a length of their own.
_LONGEST: Final = {Host: 253, Duration: 64}
#: The most choices that are seen at once where several may be chosen.
_ROWS: Final = 8


def field(form: FilledForm, parameter: Parameter, *, has_focus: bool) -> Markup:
    """Make the field of a parameter.

    Args:
        form: What was typed, and what is wrong with it.
        parameter: One of its command's.
        has_focus: Whether the page opens with the focus there.
    """
    mistake = form.mistake(parameter)
    beside, below = _beside(form, parameter), _below(parameter)
    about = [
        *([_mistake(form, parameter, mistake)] if mistake is not None else []),
        *([element("span", below, id=f"{id_of(parameter)}-help", class_="below")] if below else []),
    ]
    described = [f"{id_of(parameter)}-{each}" for each, there in (
        ("mistake", mistake is not None), ("beside", beside), ("help", below),
    ) if there]  # fmt: skip
    attributes: dict[str, Attribute] = {
        "aria_describedby": " ".join(described) or None,
        "aria_invalid": "true" if mistake is not None else None,
        "autofocus": has_focus,
    }
    note = element("span", beside, id=f"{id_of(parameter)}-beside", class_="beside") if beside else None
    return element(
        "div",
        element("div", element("label", parameter.label, for_=id_of(parameter)), _optional(parameter), class_="name"),
        element("div", element("div", _control(form, parameter, attributes), note, class_="row"), *about),
        class_="field",
        data_name=None if parameter.is_secret else parameter.name,
        data_label=parameter.label,
        data_kind=_kind(parameter),
        data_default=parameter.default[0]
        if parameter.default and len(parameter.default) == 1 and not parameter.is_secret
        else None,
    )


def id_of(parameter: Parameter) -> str:
    """Return the id of a parameter's control."""
    return f"value-{parameter.name}"


def sentence(mistake: ValueMistake) -> str:
    """Say what is wrong, at the field that it is wrong with."""
    hint = f" Did you mean {' or '.join(mistake.suggestions)}?" if mistake.suggestions else ""
    return f"{mistake.message[:1].upper()}{mistake.message[1:]}.{hint}"


# The control


def _control(form: FilledForm, parameter: Parameter, attributes: Mapping[str, Attribute]) -> Markup:
    shown = form.shown(parameter)
    first: Mapping[str, Attribute] = {"id": id_of(parameter), "name": parameter.name, **attributes}
    match parameter.type:
        case Choice() if choices_of(parameter):
            return _select(parameter, shown, first)
        case Flag():
            return _yes_or_no(parameter, shown, first)
        case Text():
            text = lines("\n" + (shown[0] if shown else ""))  # HTML drops the first line break
            return element("textarea", text, rows=6, spellcheck="false", required=_must_be_filled(parameter), **first)
        case _:
            return join(_inputs(parameter, shown, first))


def _yes_or_no(parameter: Parameter, shown: Sequence[str], attributes: Mapping[str, Attribute]) -> Markup:
    # An empty box sends nothing, which would be the default; where a role may not give that, one has to choose.
    if parameter.default == (TRUE,) or parameter.is_required:
        answers = {each: name for each, name in ((TRUE, "Yes"), (FALSE, "No")) if parameter.permits((each,))}
        return _options(answers, [_flag(shown)], attributes)
    box = element("input", type="checkbox", value=TRUE, checked=_flag(shown) == TRUE, **attributes)
    return element("span", box, element("label", parameter.help or "Yes", for_=id_of(parameter)), class_="box")


def _inputs(parameter: Parameter, shown: Sequence[str], first: Mapping[str, Attribute]) -> Iterator[Markup]:
    """Make a field of one line; where there may be several, one more than there are."""
    texts = shown[-1:] or [""] if parameter.repeat == 1 else [*shown, ""][: max(parameter.repeat, len(shown))]
    yield element("input", **_input(parameter, texts[0]), required=_must_be_filled(parameter), **first)
    for number, text in enumerate(texts[1:], 2):
        label = f"{parameter.label} {number}"
        others = {**first, "id": None, "autofocus": None, "aria_label": label, **_input(parameter, text)}
        yield element("input", **others)


def _input(parameter: Parameter, text: str) -> dict[str, Attribute]:
    """Return the attributes of a field of one line that depend on the type."""
    found: dict[str, Attribute] = {"type": "text", "autocomplete": "off", "spellcheck": "false", "value": text or None}
    type_ = parameter.type
    match type_:
        case Integer(minimum=least, maximum=most) | Number(minimum=least, maximum=most):
            step = "1" if isinstance(type_, Integer) else "any"
            found |= {"type": "number", "class_": "short", "step": step, "min": _text(least), "max": _text(most)}
        case Date():
            found |= {"type": "date", "class_": "medium"}
        case DateTime():
            found |= {"type": "datetime-local", "class_": "medium", "step": 1}
        case Secret(max_length=longest):
            found |= {"type": "password", "maxlength": longest, "value": None}
        case String(max_length=longest):
            found["maxlength"] = longest
        case Duration():
            found |= {"class_": "short", "maxlength": _LONGEST[Duration]}
        case Host():
            found["maxlength"] = _LONGEST[Host]
    kept = _KEPT.get(str(found["type"]))
    if text and kept is not None and kept.fullmatch(text) is None:
        for each in ("min", "max", "step"):
            found.pop(each, None)
        found["type"] = "text"
    return found


def _select(parameter: Parameter, shown: Sequence[str], attributes: Mapping[str, Attribute]) -> Markup:
    choices = choices_of(parameter)
    if parameter.repeat > 1:
        several = {"multiple": True, "size": min(_ROWS, max(2, len(choices))), "required": parameter.is_required}
        return _options(choices, shown, {**attributes, **several})
    chosen = [each for each in shown if each in choices]
    if parameter.is_required or not chosen or parameter.default is None:
        choices = {"": "Choose…" if parameter.is_required else "(none)", **choices}
    return _options(choices, chosen[-1:] or [""], {**attributes, "required": parameter.is_required})


def _options(choices: Mapping[str, str], chosen: Sequence[str], attributes: Mapping[str, Attribute]) -> Markup:
    options = [element("option", label, value=value, selected=value in chosen) for value, label in choices.items()]
    return element("select", *options, **attributes)


def _flag(shown: Sequence[str]) -> str:
    try:
        return Flag().canonical(shown[-1]) if shown else FALSE
    except NotAccepted:
        return FALSE


def _must_be_filled(parameter: Parameter) -> bool:
    """Whether an empty field is surely not accepted."""
    if not parameter.is_required:
        return False
    try:
        parameter.canonical("")
    except NotAccepted:
        return True
    return False


# What is said of it


def _optional(parameter: Parameter) -> Markup | None:
    is_optional = not parameter.is_required and parameter.default is None and not parameter.is_flag
    return element("span", "optional", class_="optional") if is_optional else None


def _beside(form: FilledForm, parameter: Parameter) -> str:
    match parameter.type:
        case Port():
            return "1 to 65535"
        case Integer(minimum=least, maximum=most) | Number(minimum=least, maximum=most):
            return _range(_text(least), _text(most))
        case DateTime():
            return f"Time of {form.host}" if form.host else "This host's time"
        case Duration():
            return "Such as 90s, 15m or 1h30m"
        case _:
            return ""


def _range(least: str | None, most: str | None) -> str:
    if least is None:
        return "" if most is None else f"{most} at most"
    return f"{least} or more" if most is None else f"{least} to {most}"


def _below(parameter: Parameter) -> str:
    """Say what the value is for, what is accepted where no control shows it, and give an example."""
    said = [] if parameter.is_flag or not parameter.help else [f"{parameter.help.rstrip('.')}."]
    match parameter.type:
        case String(pattern=pattern, max_length=longest) if pattern is None and longest != String().max_length:
            said.append(f"Up to {longest} characters.")
        case Host(networks=networks, names=names) if networks or names:
            said.append(f"Accepted: {parameter.accepts}.")
        case Duration(minimum=least, maximum=most) if least is not None or most is not None:
            said.append(f"{_range(_span(least), _span(most))}.")
        case _ if parameter.only is not None and not choices_of(parameter):
            said.append(f"Accepted: {parameter.accepts}.")
    if parameter.repeat > 1:
        said.append(f"Up to {parameter.repeat} values.")
    if parameter.example and not parameter.is_secret:
        said.append(f"Example: {parameter.example}")
    text = " ".join(said)
    return text.removesuffix(".") if len(said) == 1 else text


def _mistake(form: FilledForm, parameter: Parameter, mistake: ValueMistake) -> Markup:
    """Say what is wrong; with what was typed, where the control cannot show that."""
    unseen = [each for each in form.texts.get(parameter.name, ()) if each not in choices_of(parameter)]
    is_unseen = bool(unseen) and (bool(choices_of(parameter)) or parameter.is_flag)
    typed = f"You gave “{unseen[0]}”. " if is_unseen else ""
    return element("span", f"{typed}{sentence(mistake)}", id=f"{id_of(parameter)}-mistake", class_="mistake")


def _kind(parameter: Parameter) -> str | None:
    """Say what the script has to know to put a value that is typed into what runs."""
    match parameter.type:
        case Duration():
            return "duration"
        case Date(format=str()) | DateTime(format=str()):
            return "later"
        case _:
            return None


def _span(seconds: int | None) -> str | None:
    return None if seconds is None else span(seconds)


def _text(limit: object) -> str | None:
    return None if limit is None else str(limit)
