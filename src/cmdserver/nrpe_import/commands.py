"""``command[NAME]=LINE``, as a command of ours; or the reason why it cannot be one."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct

from cmdserver.nrpe_import import macros, shell_words
from cmdserver.nrpe_import.directives import Directive, Place, Remark
from cmdserver.nrpe_import.names import renamed
from cmdserver.nrpe_import.shell_words import ShellNeeded, Word

_KEY: Final = "command["
_SUDO: Final = "sudo"
_ADVICE: Final = "no shell runs here: put the line into a script, and name that"


class ImportedCommand(Struct, frozen=True, kw_only=True):
    """A command that was taken."""

    name: str
    #: What nrpe calls it.
    was: str
    place: Place
    words: Sequence[Word]
    #: Numbers of arguments, in their order.
    arguments: Sequence[int]

    @property
    def uses_sudo(self) -> bool:
        """Whether it is to gain rights by sudo, which does not work here."""
        return PurePosixPath(str(self.words[0][0])).name == _SUDO


def is_command(directive: Directive) -> bool:
    """Whether a directive defines a command."""
    return directive.key.startswith(_KEY)


def convert(definitions: Iterable[Directive], prefix: str = "") -> tuple[Sequence[ImportedCommand], Sequence[Remark]]:
    """Take over what can be.

    Args:
        definitions: Those that `is_command` finds, in the order in which nrpe reads them.
        prefix: The ``command_prefix``.

    Returns:
        The commands, in the order of their last definitions, and what is to be said of these and of others.
    """
    remarks: list[Remark] = []
    last: dict[str, Directive] = {}
    for each in definitions:
        name = each.key.removeprefix(_KEY).partition("]")[0]
        if not name or "]" not in each.key:
            remarks.append(Remark(each.place, f"{each.key}: has no name", is_refusal=True))
        elif earlier := last.pop(name, None):
            text = f"command[{name}] is defined again in {each.place.file}:{each.place.line}, and that one counts"
            remarks.append(Remark(earlier.place, text))
            last[name] = each
        else:
            last[name] = each
    names, reasons = renamed(last)
    commands: list[ImportedCommand] = []
    for was, definition in last.items():
        if was in reasons:
            remarks.append(Remark(definition.place, f"command[{was}] {reasons[was]}", is_refusal=True))
            continue
        try:
            command, unquoted = _command(names[was], was, definition, prefix)
        except ValueError as error:
            remarks.append(Remark(definition.place, f"command[{was}]: {error}", is_refusal=True))
            continue
        commands.append(command)
        remarks += (Remark(definition.place, f"command[{was}]: {text}") for text in _warnings(command, unquoted))
    return commands, remarks


def _command(name: str, was: str, definition: Directive, prefix: str) -> tuple[ImportedCommand, frozenset[int]]:
    """Read a line; raises a ValueError with the reason why it cannot be taken."""
    line = f"{prefix} {definition.value}" if prefix else definition.value
    units, nothing = macros.expand(line, definition.column - (len(prefix) + 1 if prefix else 0))
    if nothing:
        raise ValueError(f"{nothing[0]} is nothing: nrpe has $ARG1$ to $ARG{macros.MOST_ARGUMENTS}$")
    try:
        words, unquoted = shell_words.split(units)
    except ShellNeeded as error:
        raise ValueError(f"{_in_prefix(str(error), prefix)}; {_ADVICE}") from None
    program = words[0]
    if len(program) != 1 or not isinstance(program[0], str):
        raise ValueError("the caller would say which program runs")
    if not program[0] or ("/" in program[0] and not program[0].startswith("/")):
        raise ValueError(f"{program[0] or 'an empty word'} is neither an absolute path nor a program's name")
    numbers = sorted({piece for word in words for piece in word if isinstance(piece, int)})
    return ImportedCommand(name=name, was=was, place=definition.place, words=words, arguments=numbers), unquoted


def _in_prefix(text: str, prefix: str) -> str:
    """Say that a column is of the prefix, where it is before the beginning of the line."""
    return f"with command_prefix={prefix}: {text}" if prefix else text


def _warnings(command: ImportedCommand, unquoted: frozenset[int]) -> Iterable[str]:
    if command.name != command.was:
        yield f"is called {command.name} here; the monitoring server must ask for that"
    for number in command.arguments:
        yield f"$ARG{number}$ is arg{number}, a string of any kind: say a choice or a pattern of what is really asked"
    for number in sorted(unquoted):
        yield f"$ARG{number}$ stands outside of quotes: nrpe's shell splits a value into words, here it is one word"
    gaps = [each for each in range(1, max(command.arguments, default=0)) if each not in command.arguments]
    if gaps:
        missing = ", ".join(f"$ARG{each}$" for each in gaps)
        yield f"has no {missing}: the values of a caller go to {_names(command)} in this order, and none is left out"
    if command.uses_sudo:
        yield 'sudo gains no rights here: leave it out, start the daemon as root, and say user = "root" of the command'


def _names(command: ImportedCommand) -> str:
    return ", ".join(f"arg{each}" for each in command.arguments)
