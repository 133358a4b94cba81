"""What can be wrong between the parameters of a command and the template that their values go into."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TypeAlias

from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.template import Pieces, Template, names_in

#: Keys and indices below the command's table, and what is wrong there.
Inconsistency: TypeAlias = tuple[tuple[str | int, ...], str]


def inconsistencies(
    parameters: Iterable[Parameter], template: Template, confirm: Pieces = (), excused: Container[str] = ()
) -> Iterator[Inconsistency]:
    """Find all that is wrong; nothing if the template can be filled with whatever the parameters accept.

    Args:
        parameters: Those without mistakes.
        template: What they go into.
        confirm: The question.
        excused: Names of parameters with mistakes, of which no more is to be said.
    """
    known = {each.name: each for each in parameters}
    used: set[str] = set()
    for element in template.elements:
        for pieces in element.words:
            used.update(names_in(pieces))
            yield from ((("run",), text) for text in _in_run(pieces, known, excused, is_nested=element.is_nested))
    for variable, pieces in template.environment:
        used.update(names_in(pieces))
        yield from ((("environment", variable), text) for text in _in_text(pieces, known, excused, "environment"))
    if template.stdin is not None:
        used.update(names_in(template.stdin))
        yield from ((("stdin",), text) for text in _in_text(template.stdin, known, excused, "stdin"))
    yield from ((("confirm",), text) for text in _placed(confirm, known, excused, "confirm"))
    for index, name in enumerate(known):
        if name not in used:
            yield ("parameters", index), f"{name} is used nowhere: neither in run, nor in environment, nor in stdin"


def _in_run(
    pieces: Pieces, known: Mapping[str, Parameter], excused: Container[str], *, is_nested: bool
) -> Iterator[str]:
    yield from _placed(pieces, known, excused, "run")
    for parameter in _of(pieces, known):
        place = f"{{{parameter.name}}}"
        if parameter.is_flag and len(pieces) > 1:
            yield f"{place} gives words of its own, so it must be a whole element"
        if parameter.repeat > 1 and len(pieces) > 1:
            yield f"{place} takes several values, so it must be a whole element"
        if not (is_nested or parameter.has_always_value or parameter.is_flag):
            yield f'{place} may be left out, so it must stand in a nested list, such as ["--option", "{place}"]'


def _in_text(pieces: Pieces, known: Mapping[str, Parameter], excused: Container[str], key: str) -> Iterator[str]:
    yield from _placed(pieces, known, excused, key)
    for parameter in _of(pieces, known):
        place = f"{{{parameter.name}}}"
        if parameter.repeat > 1:
            yield f"{place} takes several values, so it can stand in run only"
        if not (parameter.has_always_value or parameter.is_flag):
            yield f"{place} may be left out, and nothing can be left out here: give it a default, or make it required"


def _placed(pieces: Pieces, known: Mapping[str, Parameter], excused: Container[str], key: str) -> Iterator[str]:
    """Find names that are no parameters, and parameters that may not be there."""
    for name in dict.fromkeys(names_in(pieces)):
        parameter = known.get(name)
        if parameter is None:
            if name not in excused:
                yield f"{{{name}}} is no parameter; braces are written {{{{ and }}}}"
        elif key not in parameter.type.places:
            places = " and ".join(sorted(parameter.type.places))
            yield f"{{{name}}} is a {parameter.type.name}, which may stand in {places} only"


def _of(pieces: Pieces, known: Mapping[str, Parameter]) -> Iterator[Parameter]:
    return (known[name] for name in dict.fromkeys(names_in(pieces)) if name in known)
