"""The values that roles may give: whether one may give these, and what all of a caller's roles may give together."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from cmdserver.core.model import Command, Rule
from cmdserver.parameters.declaration import Parameter, Values, matches_any
from cmdserver.parameters.mistakes import NotAccepted, ValueMistake
from cmdserver.parameters.parameter_list import ParameterList
from cmdserver.parameters.text_types import Choice

#: The most lines of a printed list that count.
MOST_CHOICES: Final = 1000


def permits(rule: Rule, command: Command, values: Values) -> bool:
    """Whether a role may give all of these values; what has none is judged too if it is a flag, which is false."""
    if not rule.only:
        return True
    given = dict(values)
    for name, globs in rule.only.items():
        parameter = command.parameters.named(name)
        texts = given.get(name) or (parameter.unset if parameter is not None else ())
        if not all(matches_any(text, globs) for text in texts):
            return False
    return True


def narrowed(command: Command, rules: Sequence[Rule]) -> Command:
    """Return a command whose parameters accept what at least one of the rules may give."""
    if any(not rule.only for rule in rules):
        return command
    return with_parameters(command, (_narrowed(each, rules) for each in command.parameters))


def _narrowed(parameter: Parameter, rules: Sequence[Rule]) -> Parameter:
    lists = [rule.only.get(parameter.name) for rule in rules]
    if None in lists:
        return parameter
    only = tuple(dict.fromkeys(glob for globs in lists if globs is not None for glob in globs))
    type_ = parameter.type
    if isinstance(type_, Choice) and type_.source is None:
        choices = {value: label for value, label in type_.choices.items() if matches_any(value, only)}
        type_ = replace(type_, choices=choices)
    default = parameter.default
    if default is not None and not all(matches_any(value, only) for value in default):
        default = None
    return replace(
        parameter,
        type=type_,
        only=only,
        default=default,
        # A flag whose default may not be given is one as well: left out, it would be that.
        is_required=parameter.is_required or (default is None and parameter.default is not None),
        example=parameter.example if _may_be_shown(parameter, only) else "",
    )


def listed(parameter: Parameter, output: bytes) -> Parameter:
    """Return a parameter, as narrowed, with the choices that its source has printed, a line each."""
    assert isinstance(parameter.type, Choice)  # noqa: S101 - it has a source
    type_ = parameter.type
    # What is no UTF-8 nobody can ask for; as surrogates it matches no pattern.
    lines = output.decode(errors="surrogateescape").split("\n")[:MOST_CHOICES]
    choices = {line: line for line in lines if type_.may_be_listed(line) and parameter.permits((line,))}
    return replace(parameter, type=replace(type_, choices=choices))


def with_parameters(command: Command, parameters: Iterable[Parameter]) -> Command:
    """Return a command with other parameters."""
    return replace(command, parameters=ParameterList(parameters))


def _may_be_shown(parameter: Parameter, only: Sequence[str]) -> bool:
    try:
        return matches_any(parameter.canonical(parameter.example), only)
    except NotAccepted:
        return False


def objections(command: Command, values: Values) -> list[ValueMistake]:
    """Say which of these values a narrowed command does not accept; at least one thing."""
    found = []
    given = dict(values)
    for parameter in command.parameters:
        if not parameter.permits(given.get(parameter.name) or parameter.unset):
            error = parameter.refusal(given.get(parameter.name, ()))
            found.append(ValueMistake(parameter.name, str(error), error.suggestions))
    return found or [ValueMistake(None, "each of the values may be given, but not all of them together")]
