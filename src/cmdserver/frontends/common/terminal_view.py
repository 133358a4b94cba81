"""What is known of a terminal at which a person reads answers."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class TerminalView:
    """A terminal. Both streams go to it, and a CR begins its line anew."""

    #: Its width; 0 if that is not known.
    columns: int = 0
    #: What a person may type there besides the words that every line may use, and what each is for.
    words: tuple[tuple[str, str], ...] = ()


#: Nothing is known; perhaps there is none.
NO_TERMINAL: Final = TerminalView()
