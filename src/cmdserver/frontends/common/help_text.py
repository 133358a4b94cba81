"""What ``help`` says: the list of commands, or how one of them is asked for; as text and as JSON.

Commands come as the dispatcher gives them to a caller, so that nothing is told that this caller may not give.
"""

import shlex
from collections.abc import Callable, Iterable, Sequence
from textwrap import wrap
from typing import Final

from msgspec import Struct

from cmdserver.core.escaping import printable_line
from cmdserver.core.model import Command
from cmdserver.frontends.common.rendering import json_line, table
from cmdserver.frontends.common.text_width import cut
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.json_schema import schema_of
from cmdserver.parameters.number_types import Integer, Number
from cmdserver.parameters.parameter_list import MASK
from cmdserver.parameters.text_types import TRUE, Choice


class TerminalView(Struct, frozen=True):
    """A terminal. Both streams go to it, and a CR begins its line anew."""

    #: Its width; 0 if that is not known.
    columns: int = 0
    #: What a person may type there besides the words that every line may use, and what each is for.
    words: tuple[tuple[str, str], ...] = ()


#: Nothing is known; perhaps there is none.
NO_TERMINAL: Final = TerminalView()


_WORDS = (
    ("help [NAME]", "what you may run; or how one command, or word, is asked for"),
    ("explain COMMAND", "what would run, as whom, with which limits, by which rule"),
    ("runs [KEY=VALUE...]", "what runs and what ran: runs state=failed, command=, user=, limit=, before=ID"),
    ("start COMMAND", "run it, and be told its id at once; it goes on without you"),
    ("attach ID", "the output of a run, from its beginning to its end"),
    ("stop ID", "end a run"),
    ("whoami", "who you are here"),
    ("who", "how many are connected, by protocol"),
    ("session", "keep the connection for any number of lines"),
    ("json LINE", "the answer as one JSON object on one line"),
    ("quit", "leave"),
)
#: Where there is no telling how wide a terminal is.
_COLUMNS = 80
#: Of rows below a heading.
_INDENT = "  "


#: What marks a command that is not ``read_only``.
_CHANGES = "changes"


def list_text(commands: Sequence[Command], terminal: TerminalView = NO_TERMINAL) -> bytes:
    """List commands by sections, those marked that may change something, and name the words that may be used.

    Args:
        commands: By name.
        terminal: Whose width no row exceeds.
    """
    width = max((len(each.name) for each in commands), default=0)
    mark_width = 0 if all(each.read_only for each in commands) else len(_CHANGES)
    lines = [] if commands else ["Commands:", f"{_INDENT}(none)"]
    for section, members in by_section(commands):
        lines.append(f"{section or 'Commands'}:")
        for each in members:
            mark = f"{'' if each.read_only else _CHANGES:<{mark_width}}  " if mark_width else ""
            lines.append(f"{_INDENT}{each.name:<{width}}  {mark}{_summary(each)}")
    lines.append("Words (help WORD says more):")
    words = "  ".join(name.partition(" ")[0] for name, _ in (*_WORDS, *terminal.words))
    room = (terminal.columns or _COLUMNS) - len(_INDENT)
    lines += [f"{_INDENT}{line}" for line in wrap(words, max(room, 1), break_on_hyphens=False)]
    shown = (cut(printable_line(line).rstrip(), terminal.columns) for line in lines)
    return "".join(f"{line}\n" for line in shown).encode(errors="replace")


def word_text(word: str, terminal: TerminalView = NO_TERMINAL) -> bytes | None:
    """Say what a word is for; None if it is none."""
    for usage_, says in (*_WORDS, *terminal.words):
        if usage_.partition(" ")[0] == word:
            return f"usage: {usage_}\n\n{says[:1].upper()}{says[1:]}\n".encode()
    return None


def command_text(command: Command) -> bytes:
    """Say how a command is asked for: usage, what it does, each parameter, an example."""
    parts = [f"usage: {usage(command)}\n"]
    if summary := " ".join(filter(None, (_summary(command), "(check)" if command.check is not None else ""))):
        parts.append(f"{printable_line(summary)}\n")
    if command.parameters:
        width = max(len(each.name) for each in command.parameters)
        parts.append(table(((each.name, _described(each)) for each in command.parameters), width, _INDENT))
    if words := example(command):
        parts.append(f"example: {printable_line(shlex.join(words))}\n")
    return "\n".join(parts).encode(errors="replace")


def help_json(commands: Iterable[Command], address_of: Callable[[Command], str] | None = None) -> bytes:
    """List commands for programs.

    Args:
        commands: What is listed.
        address_of: Where a command is, if it has an address.
    """
    return json_line({"commands": [_record(command, address_of) for command in commands]})


def _record(command: Command, address_of: Callable[[Command], str] | None) -> dict[str, object]:
    return {
        "name": command.name,
        **({} if address_of is None else {"address": address_of(command)}),
        "title": command.title or command.name,
        "section": command.section or None,
        "help": command.help,
        "read_only": command.read_only,
        "parser": command.parser,
        "check": command.check is not None,
        "parameters": [_parameter(each) for each in command.parameters],
    }


def by_section(commands: Iterable[Command]) -> Sequence[tuple[str, Sequence[Command]]]:
    """Group commands by their sections, those without one first."""
    sections: dict[str, list[Command]] = {"": []}
    for command in commands:
        sections.setdefault(command.section, []).append(command)
    return [(section, members) for section, members in sections.items() if members]


def usage(command: Command) -> str:
    """Return a command with its parameters, as manual pages write them: what may be left out is in brackets."""
    words = [_usage_of(each) for each in command.parameters]
    named = "  (or NAME=VALUE, in any order)" if words else ""
    return " ".join((command.name, *words)) + named


def example(command: Command) -> Sequence[str]:
    """Return words that run a command; nothing for one without parameters, or if no value is known for one of them."""
    words = []
    for parameter in command.parameters:
        value = _example_of(parameter)
        if value is None and parameter.is_required:
            return ()
        if value is not None and not parameter.is_flag:
            words.append(f"{parameter.name}={value}")
    return (command.name, *words) if words else ()


def _usage_of(parameter: Parameter) -> str:
    word = parameter.name.upper() + ("..." if parameter.repeat > 1 else "")
    return word if parameter.is_required else f"[{word}]"


def _summary(command: Command) -> str:
    if command.title and command.help:
        return f"{command.title}: {command.help}"
    return command.title or command.help


def _described(parameter: Parameter) -> str:
    accepts = parameter.accepts[:1].upper() + parameter.accepts[1:]
    several = f", up to {parameter.repeat} values" if parameter.repeat > 1 else ""
    if parameter.default is not None:
        left_out = f" (default: {MASK if parameter.is_secret else ' '.join(parameter.default)})"
    else:
        left_out = "" if parameter.is_required else " (optional)"
    says = f"{parameter.help}. " if parameter.help else ""
    return f"{says}{accepts}{several}{left_out}"


def _example_of(parameter: Parameter) -> str | None:
    if parameter.example or parameter.is_secret:
        return parameter.example or None
    if parameter.default is not None:
        return parameter.default[0]
    if isinstance(parameter.type, Choice) and parameter.type.choices:
        return next(iter(parameter.type.choices))
    return TRUE if parameter.is_flag else None


def _parameter(parameter: Parameter) -> dict[str, object]:
    record: dict[str, object] = {
        "name": parameter.name,
        "type": parameter.type.name,
        "label": parameter.label,
        "help": parameter.help,
        "accepts": parameter.accepts,
        "required": parameter.is_required,
        "default": None if parameter.default is None or parameter.is_secret else list(parameter.default),
        "example": parameter.example or None,
        "repeat": parameter.repeat,
        "schema": schema_of(parameter),
    }
    type_ = parameter.type
    if isinstance(type_, Choice) and type_.choices:
        record["choices"] = [{"value": value, "label": label} for value, label in type_.choices.items()]
    if isinstance(type_, Integer | Number):
        as_json = int if isinstance(type_, Integer) else float
        record["minimum"] = None if type_.minimum is None else as_json(type_.minimum)
        record["maximum"] = None if type_.maximum is None else as_json(type_.maximum)
    return record
