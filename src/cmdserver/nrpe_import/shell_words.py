"""A command line's words, as a POSIX shell takes them apart, if they mean the same without a shell; or why they do not.

POSIX.1-2017, Shell Command Language, 2.2 (quoting), 2.3 (tokens) and 2.6 (expansions). What shells do differently is
refused like what they do.
"""

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from cmdserver.nrpe_import.macros import Unit

#: Text, and numbers of arguments.
Word = tuple[str | int, ...]

_OPERATORS: Final = {
    "|": "a pipe",
    "&": "for the background, or for a second command",
    ";": "before a second command",
    "<": "a redirection",
    ">": "a redirection",
    "(": "a subshell",
    ")": "a subshell",
    "`": "a command substitution",
}
_GLOBS: Final = frozenset("*?[")
_BLANKS: Final = frozenset(" \t")
_RESERVED: Final = frozenset(
    {"!", "{", "}", "[[", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select",
     "then", "time", "until", "while"}
)  # fmt: skip
#: Those of its own commands of which there is no program, or none that does the same.
_BUILTINS: Final = frozenset(
    {".", ":", "alias", "bg", "break", "cd", "command", "continue", "eval", "exec", "exit", "export", "fg", "hash",
     "jobs", "local", "read", "readonly", "return", "set", "shift", "source", "times", "trap", "type", "ulimit",
     "umask", "unalias", "unset", "wait"}
)  # fmt: skip
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=", re.ASCII)
_BRACES: Final = re.compile(r"\{([^{}]*)\}")


class ShellNeeded(ValueError):  # noqa: N818 - a statement
    """A line means something that only a shell does; the message says what, and where."""


def split(units: Sequence[Unit]) -> tuple[Sequence[Word], frozenset[int]]:
    """Take a line apart.

    Returns:
        Its words, at least one, and the arguments that stand outside of quotes, where a shell splits values.

    Raises:
        ShellNeeded: It takes a shell to run it.
    """
    reader = _Reader(units)
    words = reader.words()
    if not words:
        raise ShellNeeded("there is no command in it")
    return words, frozenset(reader.unquoted)


class _Reader:
    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = units
        self._at = 0
        self.unquoted: set[int] = set()

    def words(self) -> Sequence[Word]:
        """Read to the end."""
        words: list[Word] = []
        while self._at < len(self._units):
            if self._units[self._at].character in _BLANKS and not self._units[self._at].argument:
                self._at += 1
            else:
                words.append(self._word(is_first=not words))
        return words

    def _word(self, *, is_first: bool) -> Word:
        start = self._at
        pieces: list[str | int] = []
        #: What stands outside of quotes, with something else in the place of what stands within.
        bare = ""
        while self._at < len(self._units):
            unit = self._units[self._at]
            if unit.argument:
                self.unquoted.add(unit.argument)
                pieces.append(unit.argument)
                bare += "\0"
            elif unit.character in _BLANKS:
                break
            elif unit.character in {"'", '"', "\\"}:
                pieces += {"'": self._single, '"': self._double, "\\": self._escaped}[unit.character]()
                bare += "\0"
            else:
                self._require_ordinary(unit, is_at_start=self._at == start)
                pieces.append(unit.character)
                bare += unit.character
            self._at += 1
        self._require_no_word_of_the_shells(bare, self._units[start], is_first=is_first)
        return _joined(pieces)

    def _require_ordinary(self, unit: Unit, *, is_at_start: bool) -> None:
        character = unit.character
        if character == "$":
            self._dollar()
        elif character in _OPERATORS:
            _refuse(unit, character, _OPERATORS[character])
        elif character in _GLOBS:
            _refuse(unit, character, "for names of files; in quotes it is a character")
        elif character == "~" and is_at_start:
            _refuse(unit, character, "for a home directory")
        elif character == "#" and is_at_start:
            _refuse(unit, character, "before a comment")

    def _require_no_word_of_the_shells(self, bare: str, unit: Unit, *, is_first: bool) -> None:
        for braces in _BRACES.finditer(bare):
            if "," in braces[1] or ".." in braces[1]:
                _refuse(unit, braces[0].replace("\0", "…"), "for several words, in some shells; in quotes it is text")
        if not is_first:
            return
        if assignment := _ASSIGNMENT.match(bare):
            name = assignment[0].rstrip("+=")
            text = f'{name}= before a command sets a variable; say environment = {{ {name} = "…" }} of the command'
            raise ShellNeeded(f"column {unit.column}: {text}")
        if bare in _RESERVED | _BUILTINS:
            _refuse(unit, bare, "a word of its own and no program")

    def _dollar(self) -> None:
        """Refuse what a shell puts in the place of a dollar sign; a lonely one is a character."""
        unit = self._units[self._at]
        rest = "".join(each.character or "\0" for each in self._units[self._at + 1 : self._at + 80])
        if rest.startswith("("):
            _refuse(unit, "$(", "a command substitution")
        if found := re.match(r"\{[^}]*\}?|[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]", rest):
            _refuse(unit, f"${found[0]}", "a variable")
        if rest[:1] in {"'", '"', "\0"}:
            _refuse(unit, "$", "something else in each of them, before quotes and values")

    def _single(self) -> Sequence[str | int]:
        pieces: list[str | int] = []
        start = self._units[self._at]
        while (unit := self._next()) is not None:
            if unit.character == "'":
                return pieces
            pieces.append(unit.argument or unit.character)
        raise ShellNeeded(f"column {start.column}: the quote ' has no end")

    def _double(self) -> Sequence[str | int]:
        pieces: list[str | int] = []
        start = self._units[self._at]
        while (unit := self._next()) is not None:
            if unit.character == '"':
                return pieces
            if unit.character == "\\":
                pieces += self._escaped_in_double_quotes()
            elif unit.character == "`":
                _refuse(unit, "`", "a command substitution")
            elif unit.character == "$":
                if self._following() not in {"'", '"'}:  # before these it is a character here
                    self._dollar()
                pieces.append("$")
            else:
                pieces.append(unit.argument or unit.character)
        raise ShellNeeded(f'column {start.column}: the quote " has no end')

    def _escaped_in_double_quotes(self) -> Sequence[str]:
        following = self._following()
        if following and following in '$`"\\':
            self._at += 1
            return [following]
        return ["\\"]

    def _escaped(self) -> Sequence[str | int]:
        unit = self._units[self._at]
        following = self._next()
        if following is None:
            raise ShellNeeded(f"column {unit.column}: \\ at the end goes on in the next line, which nrpe does not read")
        if following.argument:
            _refuse(unit, "\\", "for the first character of a value alone")
        return [following.character]

    def _next(self) -> Unit | None:
        self._at += 1
        return self._units[self._at] if self._at < len(self._units) else None

    def _following(self) -> str:
        """Return the character behind this one; empty for an argument, and at the end."""
        return self._units[self._at + 1].character if self._at + 1 < len(self._units) else ""


def _joined(pieces: Sequence[str | int]) -> Word:
    """Put characters together; a word without any is an empty text."""
    joined: list[str | int] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined) or ("",)


def _refuse(unit: Unit, what: str, meaning: str) -> NoReturn:
    raise ShellNeeded(f"column {unit.column}: {what} is the shell's: {meaning}")
