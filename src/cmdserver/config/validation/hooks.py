"""The hooks: whether their commands, secrets, conditions and values are there, and each means something."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.callers import MOST_SECRET_FILES, HookSettings
from cmdserver.config.source_map import Path
from cmdserver.core.listening import Listening
from cmdserver.core.model import Command
from cmdserver.core.names import is_command_name
from cmdserver.core.protocols import Protocol
from cmdserver.triggers.hook import Condition, Hook, Number, Place, Scalar, SignatureRule, ValuePath

#: Looks at a file with a secret: raises a ValueError if it is no good, and returns what is to be said of it, if
#: anything is.
CheckSecret = Callable[[str], str | None]


class HookChecks:
    """Looks at ``[hooks.NAME]``.

    Args:
        reader: Takes the notes.
        commands: All names of ``[commands]``, also of those with mistakes.
        good_commands: Those without, by name.
        check_secret: Asked for each file with a secret.
    """

    def __init__(
        self,
        reader: TomlReader,
        commands: Mapping[str, object],
        good_commands: Mapping[str, Command],
        check_secret: CheckSecret,
    ) -> None:
        self._reader = reader
        self._commands = commands
        self._good_commands = good_commands
        self._check_secret = check_secret

    def hook(self, name: str, settings: HookSettings) -> Hook | None:
        """Look at a hook; None if it has no signature that could be checked."""
        path = ("hooks", name)
        if not is_command_name(name):
            self._reader.note(path, "a hook's name is a lower-case letter, then up to 63 of a-z, 0-9, _ and -")
        if settings.command not in self._commands:
            self._reader.note((*path, "command"), f"there is no command {settings.command}")
        signature = self._reader.attempt((*path, "signature"), SignatureRule.parse, settings.signature)
        secret_files = self._secret_files((*path, "secret_file"), settings.secret_file)
        conditions = [self._condition((*path, "only_if", key), key, each) for key, each in settings.only_if.items()]
        arguments = self._arguments((*path, "arguments"), settings)
        if signature is None:
            return None
        return Hook(
            name=name,
            command=settings.command,
            secret_files=secret_files,
            signature=signature,
            only_if=tuple(each for each in conditions if each is not None),
            arguments=arguments,
            body_bytes=settings.body_bytes,
        )

    def _secret_files(self, path: Path, named: str | Sequence[str]) -> tuple[str, ...]:
        files = (named,) if isinstance(named, str) else tuple(named)
        for file in files:
            if not file.startswith("/") or "\0" in file:
                self._reader.note(path, f"{file!r} is not an absolute path")
            elif warning := self._reader.attempt(path, self._check_secret, file):
                self._reader.warn(path, warning)
        return tuple(str(PurePosixPath(file)) for file in files)

    # Conditions

    def _condition(self, path: Path, key: str, wanted: Any) -> Condition | None:
        """Look at one of ``only_if``."""
        if isinstance(wanted, dict):
            self._reader.note(path, 'write the whole path between quotes, as in "body.ref" = "refs/heads/main"')
            return None
        value_path = self._reader.attempt(path, ValuePath.parse, key)
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values:
            self._reader.note(path, "has no value, and would never hold")
        found = [self._reader.attempt(path, _scalar, each) for each in values]
        if value_path is None or None in found:
            return None
        if value_path.place is not Place.BODY and not all(isinstance(each, str) for each in found):
            self._reader.note(path, f"a value of a {value_path.place} is a string")
        return Condition(value_path, tuple(each for each in found if each is not None))

    # Values of parameters

    def _arguments(self, path: Path, settings: HookSettings) -> tuple[tuple[str, ValuePath], ...]:
        command = self._good_commands.get(settings.command)
        found = []
        for name, text in settings.arguments.items():
            value_path = self._reader.attempt((*path, name), ValuePath.parse, text)
            if value_path is not None:
                found.append((name, value_path))
            if command is not None:
                self._argument((*path, name), command, name, value_path)
        given = settings.arguments.keys()
        missing = [each.name for each in command.parameters if each.is_required] if command is not None else []
        if command is not None and (missing := [each for each in missing if each not in given]):
            text = f"{command.name} takes a value for {', '.join(missing)}, which has no default"
            self._reader.note(path if given else path[:-1], text)
        return tuple(found)

    def _argument(self, path: Path, command: Command, name: str, value_path: ValuePath | None) -> None:
        parameter = command.parameters.named(name)
        if parameter is None:
            self._reader.note(path, f"{command.name} has no parameter {name}")
        elif parameter.is_secret and value_path is not None and value_path.place is Place.QUERY:
            self._reader.note(path, "a secret must not be in an address, which proxies and logs keep")

    def all(self, hooks: Sequence[Hook]) -> None:
        """Look at all of them together."""
        files = {file for hook in hooks for file in hook.secret_files}
        if len(files) > MOST_SECRET_FILES:
            self._reader.note(("hooks",), f"has {len(files)} files with secrets, and may have {MOST_SECRET_FILES}")

    def without_effect(self, hooks: Sequence[Hook], listening: Sequence[Listening]) -> None:
        """Look whether anybody can ask for the hooks."""
        if hooks and not any(each.protocol is Protocol.WEB for each in listening):
            self._reader.warn(("hooks",), "is without effect: no listener speaks web")


def _scalar(value: object) -> Scalar:
    """Return what a TOML value is in JSON."""
    match value:
        case bool() | str():
            return value
        case int():
            return Number(str(value))
        case float() if math.isfinite(value):
            return Number(json.dumps(value))
        case _:
            raise ValueError("must be a string, a number or a boolean, or an array of them")
