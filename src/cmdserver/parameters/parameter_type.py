"""What every type of parameter has."""

from typing import ClassVar

from msgspec import Struct


class ParameterType(Struct, frozen=True):
    """Which texts a parameter accepts, and their canonical form; frozen.

    Invariant: what `canonical` returns it accepts, and returns again; it has neither NUL nor a lone surrogate in it.
    """

    #: Its name in the configuration.
    name: ClassVar[str]
    #: Whether it may stand only in what is no argument list: ``stdin``, or ``environment`` as well.
    places: ClassVar[frozenset[str]] = frozenset({"run", "environment", "stdin", "confirm"})

    def canonical(self, text: str) -> str:
        """Return the one form of a value that has many.

        Raises:
            NotAccepted: The text is not accepted.
        """
        raise NotImplementedError

    def words(self, canonical: str) -> tuple[str, ...]:
        """Return what stands for a value on an argument list: its canonical form, unless the type says otherwise."""
        return (canonical,)

    @property
    def accepts(self) -> str:
        """What is accepted, to go behind ``must be``."""
        raise NotImplementedError
