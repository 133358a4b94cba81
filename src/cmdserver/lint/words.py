"""The words of ``run`` as lint sees them: what the administrator wrote, and where a caller's value comes in."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from cmdserver.core.model import Command
from cmdserver.parameters.declaration import Parameter, matches_any
from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.template import Pieces, Place
from cmdserver.parameters.text_types import Choice, String, Text

#: Values that mean something to what reads code: a parameter that accepts none of them can be set into code.
CODE: Final = (
    "a;b",
    "$(a)",
    "`a`",
    "a|b",
    "a&b",
    ">a",
    "a b",
    "'",
    '"',
    "a*",
    "a(b)",
    "a\\b",
    "a'b",
    'a"b',
    "$a",
    "a=b",
)
#: Paths to wherever a caller likes, from the working directory; and out of a directory that stands before the value.
ANYWHERE: Final = ("/etc/shadow", "/a", "/aaaaaaaa", "/etc/passwd.a", "file:///etc/shadow")
UPWARDS: Final = ("../a", "..", "../../etc/shadow", "a/../../b", "aaa/../../../aaa")
#: Options.
OPTIONS: Final = ("-a", "--a", "-aa", "--aaaa=a", "--aaaa-aaaa=aaaa")


class Value(Struct, frozen=True):
    """A parameter as far as the roles let it go."""

    parameter: Parameter
    #: Of the roles that have the command: globs of which a value must match one; None: any value.
    only: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.parameter.name

    @property
    def type(self) -> ParameterType:
        """The parameter's type."""
        return self.parameter.type

    @property
    def is_free(self) -> bool:
        """Whether it is a text that a caller makes up, or another command prints."""
        if self.only is not None and not any(set(glob) & set("*?[") for glob in self.only):
            return False
        return isinstance(self.type, String | Text) or (isinstance(self.type, Choice) and self.type.source is not None)

    def admits(self, samples: Iterable[str]) -> bool:
        """Whether one of some values may be given."""
        return any(self._admits(each) for each in samples)

    def _admits(self, sample: str) -> bool:
        if self.only is not None and not matches_any(sample, self.only):
            return False
        try:
            self.type.canonical(sample)
        except NotAccepted:
            return False
        return True


class Word(Struct, frozen=True):
    """One word of an argument list."""

    #: What stands before the first value.
    lead: str
    #: The values in it, in their order; of none it is as the administrator wrote it.
    values: tuple[Value, ...] = ()

    @property
    def text(self) -> str | None:
        """The whole word, if no value is in it."""
        return None if self.values else self.lead

    @property
    def begins_with_value(self) -> bool:
        """Whether a caller decides how it begins."""
        return bool(self.values) and not self.lead

    @property
    def may_be_option(self) -> bool:
        """Whether a caller may make an option of it."""
        return self.begins_with_value and self.values[0].admits(OPTIONS)


Words = Sequence[Word]


def words_of(command: Command, only: dict[str, tuple[str, ...]]) -> list[Word]:
    """List the words of ``run``, the program first; a flag stands for the words that it gives.

    Args:
        command: Whose.
        only: What all the roles that have the command leave of parameters, by name, see `Value.only`.
    """
    if command.template is None:
        return [Word(each) for each in command.run]
    words = [Word(command.run[0])]
    for element in command.template.elements:
        for pieces in element.words:
            words += _words(command, pieces, only)
    return words


def values_in(command: Command, pieces: Pieces, only: dict[str, tuple[str, ...]]) -> tuple[Value, ...]:
    """List the values in a text of a command's."""
    found = (command.parameters.named(each.name) for each in pieces if isinstance(each, Place))
    return tuple(Value(each, only.get(each.name)) for each in found if each is not None)


def _words(command: Command, pieces: Pieces, only: dict[str, tuple[str, ...]]) -> list[Word]:
    values = values_in(command, pieces, only)
    if len(pieces) == 1 and values and values[0].parameter.is_flag:
        return [Word(each) for each in values[0].type.words("true")]
    lead = pieces[0] if pieces and isinstance(pieces[0], str) else ""
    return [Word("".join(each for each in pieces if isinstance(each, str)) if not values else lead, values)]
