"""The kinds of `cmdserver-probe`: what its parsers say, beside what the table of docs/probe.md says of each.

What an option means is in the document's table of options: the help of argparse is a short form of the same.
"""

import argparse
import re
from collections.abc import Mapping, Sequence

from markdown_it.tree import SyntaxTreeNode

from cmdserver_probe.kind_table import KINDS
from cmdserver_probe.options import general_parser, parser_of
from manpages import roff
from manpages.command_tree import prose
from manpages.markdown import CannotWrite, Writer, plain, rows

#: Columns of the document's table that the page has from it; the others are in what the parsers say.
_COLUMNS = ("target", "steps", "numbers")


def synopsis() -> str:
    """Write how the program is called as marked text."""
    program, *words = (general_parser().usage or "").split()
    return " ".join([roff.bold(program), *(_replaced(word) for word in words)])


def summary() -> str:
    """Say what the program is for, as whatis(1) wants it."""
    text = general_parser().description or ""
    return text[:1].lower() + text[1:].removesuffix(".")


def options_of(kind: str) -> list[argparse.Action]:
    """Return the options that a kind takes, without help."""
    actions = parser_of(kind)._actions  # noqa: SLF001 - argparse has no other way to list them
    return [each for each in actions if each.option_strings and not isinstance(each, argparse._HelpAction)]  # noqa: SLF001


def common_options() -> list[str]:
    """Return the options that all kinds have."""
    every = [{_name(each) for each in options_of(kind)} for kind in KINDS]
    return [_name(each) for each in options_of(next(iter(KINDS))) if all(_name(each) in names for names in every)]


def kinds(table: Sequence[SyntaxTreeNode], writer: Writer) -> list[str]:
    """Describe all kinds as a tagged list.

    Args:
        table: The document's table of kinds.
        writer: Writes its cells.

    Raises:
        CannotWrite: The table lacks a kind.
    """
    facts = {plain(row[0][1]): dict(row) for node in table if node.type == "table" for row in rows(node)}
    common = common_options()
    return [line for kind in KINDS for line in _kind(kind, facts, common, writer)]


def _kind(
    kind: str, facts: Mapping[str, Mapping[str, SyntaxTreeNode]], common: Sequence[str], writer: Writer
) -> list[str]:
    if kind not in facts:
        raise CannotWrite(f"the table of kinds lacks {kind}")
    cells = [(name, writer.inline(facts[kind][name])) for name in _COLUMNS]
    told = " ".join(f"{roff.escape(name.capitalize())}: {text}." for name, text in cells if text)
    own = [_spelled(each) for each in options_of(kind) if _name(each) not in common]
    takes = f"Options of its own: {', '.join(own)}." if own else ""
    return roff.tagged(roff.bold(kind), prose(parser_of(kind).description or ""), told, takes)


def _replaced(word: str) -> str:
    return re.sub("[A-Z]+", lambda match: roff.italic(match[0]), word)


def _name(action: argparse.Action) -> str:
    return action.option_strings[-1]


def _spelled(action: argparse.Action) -> str:
    metavar = f" {roff.italic(action.metavar)}" if isinstance(action.metavar, str) else ""
    return f"{roff.bold(_name(action))}{metavar}"
