"""``[defaults]``: what commands have that do not say otherwise.

A default stands in a command's table as if it were written there, so whatever looks at a command looks at it, too; and
where it is wrong, the reader knows whose mistake that is.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec.structs import fields

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.commands import CommandDefaults, CommandSettings
from cmdserver.config.schema.settings import Settings
from cmdserver.config.wording import homes_of
from cmdserver.core.run_states import WhenRunning

_TABLE = "defaults"
_COMMANDS = "commands"
_KEYS = frozenset(each.encode_name for each in fields(CommandDefaults))
#: Each command's own.
_NO_DEFAULTS = frozenset(each.encode_name for each in fields(CommandSettings)) - _KEYS
#: Which have no value that means none; so an empty one takes a default back.
_TAKEN_BACK = frozenset({"user", "group", "parser", "confirm", "rate_limit", "schedule"})


def settings_of(reader: TomlReader) -> Settings | None:
    """Read a whole configuration; None if it is no TOML."""
    values = reader.values()
    if values is None:
        return None
    reader.homes = partial(homes_of, Settings)
    defaults, commands = values.get(_TABLE), values.get(_COMMANDS)
    if not isinstance(defaults, dict):
        return reader.table((), values, Settings)
    for key in sorted(_NO_DEFAULTS & defaults.keys()):
        reader.note((_TABLE, key), "is each command's own, and has no default")
    defaults = {key: value for key, value in defaults.items() if key not in _NO_DEFAULTS}
    values = {**values, _TABLE: defaults}
    if isinstance(commands, dict):
        known = {key: value for key, value in defaults.items() if key in _KEYS}
        values[_COMMANDS] = {name: _completed(reader, name, each, known) for name, each in commands.items()}
    return reader.table((), values, Settings)


def without_effect(reader: TomlReader, settings: Settings) -> None:
    """Look for defaults that no command has, or that do nothing for those that have them."""
    for key in reader.merged.values.get(_TABLE, {}):
        having = [
            command
            for name, command in settings.commands.items()
            if command is not None and (_COMMANDS, name, key) in reader.inherited
        ]
        if not having:
            reader.warn((_TABLE, key), "is without effect: every command says otherwise")
        elif key == "when_running" and all(_never_reaches_its_most(each) for each in having):
            reader.warn((_TABLE, key), "is without effect: no command that has it has a max_running")


def _never_reaches_its_most(command: CommandSettings) -> bool:
    return command.max_running is None and command.when_running is not WhenRunning.WAIT


def _completed(reader: TomlReader, name: str, command: object, defaults: Mapping[str, Any]) -> object:
    if not isinstance(command, dict):
        return command
    inherited = {key: value for key, value in defaults.items() if key not in command}
    for key in inherited:
        reader.inherited[_COMMANDS, name, key] = (_TABLE, key)
    taken_back = {key for key in _TAKEN_BACK & defaults.keys() if command.get(key) in ("", [])}
    own = {key: value for key, value in command.items() if key not in taken_back}
    return {**own, **inherited}
