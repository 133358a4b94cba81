"""Looks through a program that runs another one: which are that one's words."""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from cmdserver.lint.programs.kinds import Wrapper
from cmdserver.lint.words import Value, Word, Words

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=.*", re.DOTALL)


class Wrapped(Struct, frozen=True, kw_only=True):
    """What a wrapper's words are."""

    wrapper: Wrapper
    #: Its own: its name, its options and operands.
    head: Words
    #: The program that it runs, and that one's words; perhaps nothing.
    rest: Words
    #: Lines for a shell.
    code: Sequence[Word]
    #: Variables, and the values in them.
    assigned: Sequence[tuple[str, tuple[Value, ...]]]


def unwrap(wrapper: Wrapper, words: Words) -> Wrapped | None:
    """Take the words of a wrapper apart; None if it runs nothing by these (``docker ps``)."""
    code: list[Word] = []
    assigned: list[tuple[str, tuple[Value, ...]]] = []
    wanted, operands = list(wrapper.after), wrapper.operands
    index = 1
    while index < len(words):
        word = words[index]
        text = word.text
        if text in wrapper.code:
            code += words[index + 1 : index + 2]
            index += 1
        elif text in wrapper.valued:
            index += 1
        elif (word.lead[:1] == "-" and word.lead != "-") or (text == "-" and operands):
            pass
        elif wrapper.assigns and (found := _ASSIGNMENT.fullmatch(word.lead)):
            assigned.append((found[1], word.values))
        elif wanted:
            if text != wanted.pop(0):
                return None
        elif operands:
            operands -= 1
        else:
            break
        index += 1
    if wanted:
        return None
    return Wrapped(wrapper=wrapper, head=words[:index], rest=words[index:], code=code, assigned=assigned)
