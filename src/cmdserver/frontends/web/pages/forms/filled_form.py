"""A command's form with what somebody has typed: which values are known, how it is sent, which address has it.

Rule of this file: pure, and no markup.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final
from urllib.parse import quote, urlencode

from msgspec import Struct, field
from msgspec.structs import replace

from cmdserver.core.model import Command
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.mistakes import NotAccepted, ValueMistake
from cmdserver.parameters.template import filled
from cmdserver.parameters.text_types import FALSE, Choice, Text

#: What stands for a secret.
DOTS: Final = "••••"
#: What stands in a question for what is not known yet.
_UNKNOWN: Final = "…"
#: Longer addresses are cut off on their way.
_LONGEST_ADDRESS: Final = 4000


class FilledForm(Struct, frozen=True, kw_only=True, dict=True):
    """What somebody has typed for a command, and what is wrong with it."""

    #: As they may see it, with all choices that could be listed.
    command: Command
    #: As typed, by parameter; no secret is among them.
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mistakes: tuple[ValueMistake, ...] = ()
    #: Whether it was sent without the yes that it asks for.
    lacks_yes: bool = False
    #: What people call this host.
    host: str = ""

    def of(self, command: Command) -> "FilledForm":
        """Return the same for the command with more of its choices known."""
        return replace(self, command=command)

    def without_yes(self) -> "FilledForm":
        """Return the same, sent without the yes that it asks for."""
        return replace(self, lacks_yes=True)

    def shown(self, parameter: Parameter) -> Sequence[str]:
        """Return what is in the field of a parameter: what was typed, or else its default."""
        if parameter.is_secret:
            return ()
        return self.texts.get(parameter.name) or parameter.default or ()

    def mistake(self, parameter: Parameter) -> ValueMistake | None:
        """Return what is wrong with the field of a parameter."""
        return next((each for each in self.mistakes if each.parameter == parameter.name), None)

    @property
    def general_mistakes(self) -> Sequence[ValueMistake]:
        """Return what is wrong with no field."""
        return [each for each in self.mistakes if self.command.parameters.named(each.parameter or "") is None]

    @cached_property
    def values(self) -> Mapping[str, Sequence[str]]:
        """The values that are known already, canonical; a flag that is false has none, nor has a secret."""
        known = {each.name: _canonical(each, self.shown(each)) for each in self.command.parameters}
        return {name: values for name, values in known.items() if values}

    @property
    def question(self) -> str:
        """What is asked before the command runs, as far as its values are known."""
        texts = {each.name: _UNKNOWN for each in self.command.parameters if not each.is_flag}
        return filled(self.command.confirm, texts | {name: ", ".join(each) for name, each in self.values.items()})

    @property
    def address(self) -> str | None:
        """The path and query, from the root, that have the values; None if there are none, or too many, or a secret."""
        if not self.texts or self.command.parameters.secrets:
            return None
        address = address_of(self.command, self.texts)
        return address if len(address) <= _LONGEST_ADDRESS else None


def is_sent_by_get(command: Command) -> bool:
    """Whether the form of a command is a GET: an address has its values then, and who opens it is asked nothing."""
    return command.read_only and not command.parameters.secrets and not command.confirm


def address_of(command: Command, texts: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the path and query, from the root, of a command with values, or without any."""
    pairs = [(name, text) for name, each in (texts or {}).items() for text in each]
    path = f"/{quote(command.name)}"
    return f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path


def short_texts(command: Command, texts: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return what fits into an address: all but texts of several lines, where they are too long."""
    if len(address_of(command, texts)) <= _LONGEST_ADDRESS:
        return texts
    long = {each.name for each in command.parameters if isinstance(each.type, Text)}
    return {name: each for name, each in texts.items() if name not in long}


def choices_of(parameter: Parameter) -> Mapping[str, str]:
    """Return the choices that there are, with their labels; none for what is no choice, or has no list."""
    return parameter.type.choices if isinstance(parameter.type, Choice) else {}


def _canonical(parameter: Parameter, texts: Sequence[str]) -> Sequence[str]:
    try:
        values = [parameter.canonical(text) for text in texts]
    except NotAccepted:
        return ()
    return () if parameter.is_flag and values == [FALSE] else values
