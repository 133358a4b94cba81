"""Reads the words of a program that runs code: which are its code, its scripts, and the rest."""

import re
from typing import Final

from cmdserver.lint.programs.kinds import First, Interpreter
from cmdserver.lint.words import Word, Words

#: Several options in one word.
_LETTERS: Final = re.compile(r"-[A-Za-z]{2,6}")


class Interpreted:
    """What the words of an interpreter are.

    Args:
        interpreter: How it reads them.
        words: Its name first.
    """

    def __init__(self, interpreter: Interpreter, words: Words) -> None:
        self._interpreter = interpreter
        #: Words that are code; with an option before it, as in ``-eCODE``, if it is one word with it.
        self.code: list[Word] = []
        #: Words that name files of code.
        self.scripts: list[Word] = []
        #: Words that a caller may make options of, where options are.
        self.may_be_options: list[Word] = []
        #: Words that name files to be read.
        self.files: list[Word] = []
        rest = self._options(words)
        if interpreter.first is First.CODE and not self.code and not self.scripts:
            self.code += rest[:1]
            rest = rest[1:]
        elif interpreter.first is First.SCRIPT and not self.code and not self.scripts:
            # A single dash is standard input.
            self.scripts += [each for each in rest[:1] if each.text != "-"]
        if interpreter.reads_files:
            self.files += rest

    def _options(self, words: Words) -> Words:
        """Read the options; return what follows."""
        known = self._interpreter
        index = 1
        while index < len(words):
            word = words[index]
            if word.text == "--":
                return words[index + 1 :]
            if word.may_be_option:
                self.may_be_options.append(word)
            if word.lead[:1] != "-" or word.lead == "-":
                return words[index:]
            if known.is_shell and word.text == "-s":
                return ()  # the rest is what the code that it reads is given
            following = words[index + 1 : index + 2]
            if not self._option(word, following):
                index += 1
            elif known.code_ends_options and self.code:
                return ()  # the rest is the code's arguments
            else:
                index += 2
        return ()

    def _option(self, word: Word, following: Words) -> bool:
        """Read an option; return whether the word that follows is its value."""
        known = self._interpreter
        if word.text is not None:
            takes_code = self._takes_code(word.text)
            if takes_code:
                self.code += following
            elif word.text in known.script:
                self.scripts += following
            return takes_code or word.text in known.script or word.text in known.valued
        name = word.lead.partition("=")[0]
        if self._takes_code(name) or word.lead[:2] in known.code:
            self.code.append(word)
        elif name in known.script:
            self.scripts.append(word)
        return False

    def _takes_code(self, option: str) -> bool:
        """Whether an option is followed by code; several letters may stand together (``-lc``)."""
        if option in self._interpreter.code:
            return True
        letters = {each[1:] for each in self._interpreter.code}
        return _LETTERS.fullmatch(option) is not None and option[-1] in letters
