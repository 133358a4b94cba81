"""What Tab completes to: names of commands and words of the protocol, then names of parameters and their values."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from cmdserver.core.model import Caller, Command
from cmdserver.core.names import RESERVED_WORDS
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.frontends.ssh.prompt_words import PromptWord
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.text_types import FALSE, TRUE, Choice
from cmdserver.runs.query import RUN_KEYS

#: After these words comes a command's name; after `json` a whole line.
_BEFORE_NAMES: Final = frozenset({"help", "explain", "start"})
#: Of these, with values behind it.
_BEFORE_LINES: Final = frozenset({"explain", "start"})
#: After these words comes the id of a run.
_BEFORE_IDS: Final = frozenset({"attach", "stop"})


class Completer:
    """Completes what one caller types.

    Args:
        dispatcher: Knows what this caller may run.
        caller: Who types.
    """

    __slots__ = ("_caller", "_dispatcher", "_listed")

    def __init__(self, dispatcher: Dispatcher, caller: Caller) -> None:
        self._dispatcher = dispatcher
        self._caller = caller
        #: The command of the line that is typed, after its choices were listed.
        self._listed: Command | None = None

    def forget(self) -> None:
        """Begin another line: its choices are listed anew."""
        self._listed = None

    def words(self, before: str) -> Collection[str] | None:
        """Return what could come next; None if that has to be listed first, see `list_choices`."""
        words = _words(before)
        if len(words) == 1 and words[0] in _BEFORE_IDS:
            return [record.id for record in self._dispatcher.runs.alive(self._caller)]
        if words[:1] == ["runs"]:
            return [f"{key}=" for key in RUN_KEYS] + [f"state={state}" for state in RunState]
        offered = self._offered()
        command = _command_in(before, offered)
        if command is not None and command.parameters.has_sources:
            if self._listed is None or self._listed.name != command.name:
                return None
            offered[command.name] = self._listed
        return completions(before, offered)

    async def list_choices(self, before: str) -> None:
        """Have the choices listed that other commands print; raises a `RequestError` if they cannot be."""
        command = _command_in(before, self._offered())
        if command is not None:
            self._listed = await self._dispatcher.with_choices(self._caller, command)

    def _offered(self) -> dict[str, Command]:
        return {command.name: command for command in self._dispatcher.offered(self._caller)}


def completions(before: str, offered: Mapping[str, Command]) -> Collection[str]:
    """Return the words that could stand where the last word is.

    Args:
        before: All text before the cursor.
        offered: The caller's commands, by name, as they are offered to them.
    """
    words = _words(before)
    if not words:
        words_of_prompt = () if " " in before.lstrip() else tuple(PromptWord)  # behind `json` they mean nothing
        return {*offered, *RESERVED_WORDS, *words_of_prompt}
    if words[0] in _BEFORE_NAMES:
        if len(words) == 1:
            return offered.keys()
        words = words[1:] if words[0] in _BEFORE_LINES else []
    command = offered.get(words[0]) if words else None
    return () if command is None else _values(command, words[1:], before.rpartition(" ")[2])


def _command_in(before: str, offered: Mapping[str, Command]) -> Command | None:
    """Return the command whose values are typed; None if there is none yet."""
    words = _words(before)
    if words and words[0] in _BEFORE_LINES:
        words = words[1:]
    return offered.get(words[0]) if words else None


def _words(before: str) -> list[str]:
    """Return the words before the last one, without ``json``."""
    words = [word for word in before.split(" ")[:-1] if word]
    return words[1:] if words[:1] == ["json"] else words


def _values(command: Command, given: Sequence[str], start: str) -> Collection[str]:
    """Return values for a word behind a command's name, and names of parameters that have none yet."""
    parameters = {each.name: each for each in command.parameters}
    name, equals, _ = start.partition("=")
    if equals and name in parameters:
        return [f"{name}={value}" for value in _choices(parameters[name])]
    named = {name for word in given for name, equals, _ in (word.partition("="),) if equals and name in parameters}
    positional = [word for word in given if word != "--" and word.partition("=")[0] not in named]
    places = [each for each in command.parameters for _ in range(each.repeat)]
    next_one = places[len(positional)] if len(positional) < len(places) else None
    if "--" in given:
        return _choices(next_one) if next_one is not None else ()
    filled = {each.name for each in places[: len(positional)]} | named
    names = [f"{name}=" for name, each in parameters.items() if name not in filled or each.repeat > 1]
    return [*names, *(_choices(next_one) if next_one is not None and next_one.name not in named else ())]


def _choices(parameter: Parameter) -> Collection[str]:
    """Return the values that a word may have; those that would need quotes are left out, as Tab knows no quotes."""
    if parameter.is_flag:
        return [value for value in (TRUE, FALSE) if parameter.permits((value,))]
    if not isinstance(parameter.type, Choice):
        return ()
    return [value for value in parameter.type.choices if shlex.quote(value) == value]
