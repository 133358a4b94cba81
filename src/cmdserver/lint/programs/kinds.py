"""What can be known of a program: how its words are read, and what they let whoever chooses them do."""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import PurePosixPath
from typing import Final, TypeVar

from msgspec import Struct

#: ``python3.11``, ``php8.2``, ``lua5.4``: the version belongs to no name.
_VERSION: Final = re.compile(r"[-.]?[0-9][0-9.]*$")


class Operand(Enum):
    """What the words are that are no options."""

    HARMLESS = "harmless"
    #: Names of files that are read, and come into the output.
    READ = "read"
    #: Names of files that are written, replaced or removed.
    WRITTEN = "written"
    #: They lead to programs that are run: targets, packages, subcommands.
    RUN = "run"


class Wrapper(Struct, frozen=True, kw_only=True):
    """A program that runs what its words name."""

    #: Options whose value is the next word.
    valued: frozenset[str] = frozenset()
    #: Options whose value is a line for a shell.
    code: frozenset[str] = frozenset()
    #: How many words stand between the options and the program.
    operands: int = 0
    #: Whether ``NAME=VALUE`` may stand before the program.
    assigns: bool = False
    #: Operands that must come first, in this order; without them it runs nothing, see `Tool`.
    after: tuple[str, ...] = ()
    #: Whether what it runs is a line for a shell, of its words and blanks.
    joins: bool = False
    #: Whether it reads words for the program from its standard input.
    reads_words: bool = False


class First(Enum):
    """What an interpreter's first word is that is no option."""

    SCRIPT = "the script that it runs"
    CODE = "its code"
    OTHER = "no code"


class Interpreter(Struct, frozen=True, kw_only=True):
    """A program that runs code."""

    #: Options whose value is code: the next word, or what stands behind the option's letter.
    code: frozenset[str] = frozenset()
    #: Options whose value is a file of code.
    script: frozenset[str] = frozenset()
    #: Other options whose value is the next word.
    valued: frozenset[str] = frozenset()
    first: First = First.SCRIPT
    is_shell: bool = False
    #: Whether what follows code is given to it, and is no option of the program's.
    code_ends_options: bool = False
    #: Whether it runs what it reads, if it is given neither code nor script.
    reads_stdin: bool = True
    #: Whether further words are files that it reads.
    reads_files: bool = False


class Tool(Struct, frozen=True, kw_only=True):
    """A program that runs others, or reads and writes files, if its words say so."""

    #: What words of a caller's can do, as the end of a sentence: ``-exec runs programs``.
    power: str
    #: Options whose value is a program, or code; of those that end in ``=``, words that begin so.
    runs: frozenset[str] = frozenset()
    #: The same of files that are read, and written.
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    #: Behind which a whole command stands, up to ``;`` or ``+``.
    executes: frozenset[str] = frozenset()
    #: Other options whose value is the next word; None: any option may have one.
    valued: frozenset[str] | None = None
    operands: Operand = Operand.HARMLESS
    #: How many operands are something else than that: a mode, a pattern.
    skipped: int = 0
    #: Whether the first operand says what the others mean.
    has_subcommands: bool = False
    #: Whether nothing behind ``--`` is an option.
    ends_options: bool = True


Entry = TypeVar("Entry")


def table(rows: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """Make a table by name of one that has several names, with blanks between them, in a row."""
    return {name: entry for names, entry in rows.items() for name in names.split()}


def words(text: str) -> frozenset[str]:
    """Split a list of options."""
    return frozenset(text.split())


def entry_of(program: str, known: Mapping[str, Entry]) -> Entry | None:
    """Look a program up in a table; None if it is not in it."""
    return next((known[name] for name in _names_of(program) if name in known), None)


def _names_of(program: str) -> Iterable[str]:
    """List the names that a program may have in a table: its file's, and that without a version."""
    name = PurePosixPath(program).name
    return (name, _VERSION.sub("", name))
