"""What runs, as a shell would write it, with values in their places; one word is never broken.

``static/forms.js`` puts other values in while somebody types, by the ``data-`` attributes here: ``data-each`` is a
place whose values are words, ``data-value`` one within a word, ``data-flag`` the words of a flag, and what has
``data-needs`` is left out while one of these parameters has no value.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from cmdserver.core.model import Command
from cmdserver.frontends.web.pages.forms.filled_form import DOTS
from cmdserver.frontends.web.pages.markup import Content, Markup, element
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.template import Element, Pieces, Place, names_in
from cmdserver.parameters.text_types import Text

Known = Mapping[str, Sequence[str]]


def command_line(command: Command, values: Known) -> Markup:
    """Draw what runs: the environment that has values in it, and the argument list.

    Args:
        command: With its template, or without parameters.
        values: Those that are known, canonical, without secrets; the names of others stand in their places.
    """
    return element("code", *_spaced(_words(command, values)), class_="command-line")


def standard_input(command: Command, values: Known) -> Markup | None:
    """Draw what the command reads; None if there are no values in it."""
    if command.template is None or not any(names_in(pieces := command.template.stdin or ())):
        return None
    return element("code", *_within(command, _without_texts(pieces), values), class_="command-line")


def _words(command: Command, values: Known) -> Iterator[Markup]:
    if command.template is None:
        yield from (_word(word, is_quoted=shlex.quote(word) != word) for word in command.run)
        return
    for variable, pieces in command.template.environment:
        if any(names_in(pieces)):
            shown = _within(command, _without_texts(pieces), values)
            yield element("span", f"{variable}=", *shown, class_="word")
    yield _word(command.run[0], is_quoted=False)
    for each in command.template.elements:
        yield _element(command, each, values)


def _without_texts(pieces: Pieces) -> Pieces:
    """Leave out what the administrator has written, which may be secret there, as `explain` does."""
    return tuple("…" if isinstance(piece, str) else piece for piece in pieces)


def _element(command: Command, each: Element, values: Known) -> Markup:
    words = _spaced(_argument(command, pieces, values) for pieces in each.words)
    if not each.is_nested:
        return element("span", *words)
    needs = sorted(each.names)
    is_left_out = any(name not in values for name in needs)
    return element("span", *words, data_needs=" ".join(needs), hidden=is_left_out)


def _argument(command: Command, pieces: Pieces, values: Known) -> Markup:
    parameter = _alone(command, pieces)
    if parameter is None:
        text = "".join(_text(command, piece, values) for piece in pieces)
        return _word(*_within(command, pieces, values), is_quoted=shlex.quote(text) != text)
    given = values.get(parameter.name, ())
    if parameter.is_flag:
        gives = parameter.type.words("true")
        words = [_word(element("b", word), is_quoted=shlex.quote(word) != word) for word in gives]
        return element("span", *_spaced(words), data_flag=parameter.name, hidden=not given)
    shown = [word for value in given for word in parameter.type.words(value)]
    words = [_word(element("b", word), is_quoted=shlex.quote(word) != word) for word in shown]
    return element("span", *_spaced(words or [_word(_unset(parameter), is_quoted=False)]), data_each=parameter.name)


def _alone(command: Command, pieces: Pieces) -> Parameter | None:
    """Return the parameter that an element is nothing but the place of."""
    return command.parameters.named(pieces[0].name) if len(pieces) == 1 and isinstance(pieces[0], Place) else None


def _within(command: Command, pieces: Pieces, values: Known) -> Iterator[Content]:
    """Draw a text with places in it."""
    for piece in pieces:
        parameter = command.parameters.named(piece.name) if isinstance(piece, Place) else None
        if parameter is None:
            yield piece if isinstance(piece, str) else None
        elif parameter.is_secret:
            yield element("b", DOTS)
        elif isinstance(parameter.type, Text) or not (parameter.is_flag or parameter.name in values):
            yield _unset(parameter, data_value=None if isinstance(parameter.type, Text) else parameter.name)
        elif parameter.is_flag:
            gives = " ".join(parameter.type.words("true"))
            yield element("b", gives, data_flag=parameter.name, hidden=parameter.name not in values)
        else:
            yield element("b", _text(command, Place(parameter.name), values), data_value=parameter.name)


def _text(command: Command, piece: str | Place, values: Known) -> str:
    if isinstance(piece, str):
        return piece
    parameter = command.parameters.named(piece.name)
    given = values.get(piece.name, ())
    return " ".join(word for value in given for word in parameter.type.words(value)) if parameter is not None else ""


def _unset(parameter: Parameter, data_value: str | None = None) -> Markup:
    return element("b", parameter.label, class_="unset", data_value=data_value)


def _word(*content: Content, is_quoted: bool) -> Markup:
    return element("span", *content, class_="word quoted" if is_quoted else "word")


def _spaced(words: Sequence[Markup] | Iterator[Markup]) -> Iterator[Content]:
    for index, word in enumerate(words):
        if index:
            yield " "
        yield word
