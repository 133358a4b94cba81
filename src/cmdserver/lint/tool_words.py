"""Reads the words of a program that is for something else: where a caller's value has power over more than that."""

from enum import Enum

from msgspec import Struct

from cmdserver.lint.programs.kinds import Operand, Tool
from cmdserver.lint.words import ANYWHERE, UPWARDS, Value, Word, Words


class DangerKind(Enum):
    """What a value may be."""

    OPTION = "an option"
    RUN = "what is run"
    READ = "a file that is read"
    WRITTEN = "a file that is written"


class Danger(Struct, frozen=True):
    """What a caller may do by one value."""

    kind: DangerKind
    value: Value


_BY_OPERAND = {Operand.RUN: DangerKind.RUN, Operand.READ: DangerKind.READ, Operand.WRITTEN: DangerKind.WRITTEN}


class ToolWords:
    """What the words of a tool are.

    Args:
        tool: How it reads them; None: nothing is known of it, but that it may have options.
        words: Its name first.
    """

    def __init__(self, tool: Tool | None, words: Words) -> None:
        self._tool = tool
        self._words = words
        self._operands = 0
        self._takes_options = True
        self.dangers: list[Danger] = []
        #: Commands within them: a program and its words.
        self.executed: list[Words] = []
        index = 1
        while index < len(words):
            index += self._look(words[index], index)

    def _look(self, word: Word, index: int) -> int:
        """Look at a word, and perhaps at those that belong to it; return how many they are."""
        text = word.text
        if text == "--":
            self._takes_options = self._tool is not None and not self._tool.ends_options
        elif text is not None and self._tool is not None and text in self._tool.executes:
            return self._execute(index)
        elif text is not None and self._is_option(text):
            return 1 + self._value_of(text, index)
        elif word.values and self._takes_options and self._in_option(word):
            pass
        else:
            self._operand(word)
        return 1

    def _is_option(self, text: str) -> bool:
        return self._takes_options and text[:1] == "-" and len(text) > 1

    def _value_of(self, option: str, index: int) -> int:
        """Look at the value of an option, if it is the next word; return how many words it is."""
        if index + 1 >= len(self._words):
            return 0
        value = self._words[index + 1]
        if (kind := self._kind_of(option)) is not None:
            self._judge(kind, value)
            return 1
        tool = self._tool
        if tool is None or tool.valued is None:
            # Which of its options have a value is not known.
            return int(value.begins_with_value and not option.startswith("--no-"))
        return int(option in tool.valued)

    def _in_option(self, word: Word) -> bool:
        """Look at a value that is one word with its option: ``--file={x}``, ``-f{x}``, ``if={x}``."""
        name, equals, _ = word.lead.partition("=")
        for option in (name, f"{name}{equals}"):
            if equals and (kind := self._kind_of(option)) is not None:
                self._judge(kind, word)
                return True
        if word.lead[:2] != "--" and (kind := self._kind_of(word.lead[:2])) is not None:
            self._judge(kind, word)
        return word.lead[:1] == "-"

    def _operand(self, word: Word) -> None:
        self._operands += 1
        tool = self._tool
        if not word.values:
            return
        if word.may_be_option and self._takes_options:
            self.dangers.append(Danger(DangerKind.OPTION, word.values[0]))
        if tool is None:
            return
        if tool.has_subcommands and self._operands == 1 and word.begins_with_value:
            self._judge(DangerKind.RUN, word)
        elif tool.operands in _BY_OPERAND and self._operands > tool.skipped:
            self._judge(_BY_OPERAND[tool.operands], word)

    def _kind_of(self, option: str) -> DangerKind | None:
        tool = self._tool
        if tool is None:
            return None
        kinds = ((DangerKind.RUN, tool.runs), (DangerKind.READ, tool.reads), (DangerKind.WRITTEN, tool.writes))
        return next((kind for kind, options in kinds if option in options), None)

    def _judge(self, kind: DangerKind, word: Word) -> None:
        for index, value in enumerate(word.values):
            if value.is_free if kind is DangerKind.RUN else leads_anywhere(word, index):
                self.dangers.append(Danger(kind, value))

    def _execute(self, index: int) -> int:
        """Take out a command that ends in ``;`` or ``+``."""
        rest = self._words[index + 1 :]
        size = next((size for size, each in enumerate(rest) if each.text in {";", "+"}), len(rest))
        self.executed.append(rest[:size])
        return size + 2


def leads_anywhere(word: Word, index: int) -> bool:
    """Whether one of the values in a word may make it the path of a file that the administrator has not meant."""
    value = word.values[index]
    before = word.lead.rpartition("=")[2] if index == 0 else "/"
    if "://" in before and not before.startswith("file:"):
        return False  # of another host
    if "/" in before:
        return value.admits(UPWARDS)
    return value.admits(ANYWHERE) or value.admits(UPWARDS)
