"""What a command says of one of its values."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

from msgspec import Struct

from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.text_types import FALSE, Choice, Flag, Secret

#: Canonical values by the names of their parameters, in the order in which those are declared; what has none is left
#: out, and so is a flag that is false.
Values: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]

NO_VALUES: Values = ()

_NOT_THESE = NotAccepted("must be among what your roles may give")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def is_parameter_name(text: str) -> bool:
    """Whether a parameter may be called so; ``follow`` has a meaning of its own in an address."""
    return _NAME.fullmatch(text) is not None and text != "follow"


class Parameter(Struct, frozen=True, kw_only=True):
    """One value that a command takes, or several of the same kind."""

    name: str
    type: ParameterType
    #: For people.
    label: str
    help: str = ""
    is_required: bool = True
    #: Canonical; None: there is none.
    default: tuple[str, ...] | None = None
    #: As somebody would give it; empty: there is none.
    example: str = ""
    #: The most values.
    repeat: int = 1
    #: Of one caller's view: globs of which each value must match one (``only`` of a role); None: any value.
    only: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.type!r})"  # without default and example, as a secret may have them

    @property
    def is_secret(self) -> bool:
        """Whether its values are nobody's business but the command's."""
        return isinstance(self.type, Secret)

    @property
    def is_flag(self) -> bool:
        """Whether it is a flag, which is false where no value is given."""
        return isinstance(self.type, Flag)

    @property
    def source(self) -> str | None:
        """The command that prints its choices; None if none does."""
        return self.type.source if isinstance(self.type, Choice) else None

    @property
    def has_always_value(self) -> bool:
        """Whether there is a value in every run, given or by default."""
        return self.is_required or (self.default is not None and not self.is_flag)

    @property
    def unset(self) -> tuple[str, ...]:
        """What roles judge where no value is given, and no default is there: nothing, or that a flag is false."""
        return (FALSE,) if self.is_flag else ()

    def permits(self, values: Sequence[str]) -> bool:
        """Whether `only` has all of these canonical values."""
        return self.only is None or all(matches_any(value, self.only) for value in values)

    @property
    def accepts(self) -> str:
        """What may be given, to go behind ``must be``."""
        if self.only is None or (isinstance(self.type, Choice) and self.type.choices):
            return self.type.accepts
        if any(character in glob for glob in self.only for character in "*?["):
            return f"{self.type.accepts}, and match {' or '.join(self.only)}"
        return f"one of {', '.join(self.only)}"

    def canonical(self, text: str) -> str:
        """Return the canonical form of one value.

        Raises:
            NotAccepted: The type does not accept the text.
        """
        return self.type.canonical(text)

    def refusal(self, values: Sequence[str]) -> NotAccepted:
        """Return why values are not accepted that are none which `only` has."""
        if isinstance(self.type, Choice) and self.type.choices:
            return next((self.type.refusal(each) for each in values if each not in self.type.choices), _NOT_THESE)
        return NotAccepted(f"must be {self.accepts}")


def matches_any(value: str, globs: Sequence[str]) -> bool:
    """Whether a value matches one of several globs."""
    return any(fnmatchcase(value, each) for each in globs)
