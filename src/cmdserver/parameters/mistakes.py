"""What is wrong with values, for whoever gave them."""

from collections.abc import Sequence

from msgspec import Struct


class NotAccepted(ValueError):  # noqa: N818 - a statement
    """A type does not accept a text; the message goes behind the parameter's name: ``must be …``.

    Args:
        message: What is accepted.
        suggestions: Values near to the text, best first.
    """

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class ValueMistake(Struct, frozen=True):
    """One thing that is wrong with what a caller gave."""

    #: The parameter's name, or what was given for one; None if the mistake is no single parameter's.
    parameter: str | None
    #: Goes behind the name.
    message: str
    suggestions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it as a sentence without its full stop."""
        hint = f"; did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        return f"{'' if self.parameter is None else f'{self.parameter} '}{self.message}{hint}"


class BadValues(ValueError):  # noqa: N818 - it is what it holds
    """All that is wrong with what a caller gave; at least one thing."""

    def __init__(self, mistakes: Sequence[ValueMistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)
