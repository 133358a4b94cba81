"""What may be typed at the prompt besides lines of the protocol: what fingers know from shells.

A command of such a name that a caller may run is what they mean by it.
"""

import enum
from collections.abc import Callable, Collection


class PromptWord(enum.StrEnum):
    """A word of the prompt's own. It runs nothing, and is not written down."""

    HISTORY = "history"
    CLEAR = "clear"
    EXIT = "exit"
    LOGOUT = "logout"


_SAYS = {
    PromptWord.HISTORY: "the lines before this one; Ctrl-R searches them",
    PromptWord.CLEAR: "clear the screen, as Ctrl-L does",
    PromptWord.EXIT: "leave, as quit and Ctrl-D do",
    PromptWord.LOGOUT: "leave, as quit and Ctrl-D do",
}
_HELP = "?"


def described(names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Return the words, and what each is for, where these are the names of commands."""
    return tuple((word.value, says) for word, says in _SAYS.items() if word not in names)


def find_word(line: str, names: Callable[[], Collection[str]]) -> PromptWord | None:
    """Say which word a line is; None if it is none.

    Args:
        line: Without blanks at its ends.
        names: Returns the names of the commands that the caller may run.
    """
    word = next((each for each in PromptWord if each == line), None)
    return None if word is None or word in names() else word


def spelled_out(line: str) -> str:
    """Return a line with ``help`` where ``?`` is its first word: no command can be called that."""
    word, blank, rest = line.partition(" ")
    return f"help{blank}{rest}" if word == _HELP else line
