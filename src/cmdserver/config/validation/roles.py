"""The roles: whether their commands are there, whether their users can be, and which rules nobody can use."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.callers import RoleSettings
from cmdserver.config.source_map import Path
from cmdserver.core.listening import Listening, Login
from cmdserver.core.model import Command, Role
from cmdserver.core.names import (
    ANONYMOUS,
    AUTHENTICATED,
    HOOK_PREFIX,
    SCHEDULE,
    is_glob,
    is_trigger_name,
    is_user_name,
)
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.text_types import Choice

_ROLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class RoleChecks:
    """Looks at ``[roles.NAME]``.

    Args:
        reader: Takes the notes.
        commands: All names of ``[commands]``, also of those with mistakes.
        good_commands: Those without, by name.
        triggers: What each caller that is no person asks for, by its name: names of commands.
    """

    def __init__(
        self,
        reader: TomlReader,
        commands: Collection[str],
        good_commands: Mapping[str, Command] | None = None,
        triggers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._reader = reader
        self._commands = commands
        self._good_commands = good_commands or {}
        self._triggers = triggers or {}

    def role(self, name: str, settings: RoleSettings) -> Role:
        """Look at a role: are its commands there, and can its users be?"""
        path = ("roles", name)
        if not _ROLE_NAME.fullmatch(name):
            self._reader.note(path, "a role's name is a letter, then up to 63 of a-z, A-Z, 0-9, _ and -")
        if name in {ANONYMOUS, AUTHENTICATED} and settings.users:
            whose = "every caller without login" if name == ANONYMOUS else "every logged-in caller"
            self._reader.note((*path, "users"), f"the role {name} is {whose}'s and lists no users")
        self._second_factor(path, name, settings)
        self._commands_named((*path, "commands"), settings.commands)
        for key in ("sees", "stops"):
            self._commands_named((*path, key), getattr(settings, key))
        for pattern in settings.stops:
            stopped = [each for each in self._commands if fnmatchcase(each, pattern)]
            if stopped and not any(fnmatchcase(each, seen) for each in stopped for seen in settings.sees):
                self._reader.warn((*path, "stops"), f"{pattern} is without effect: the role sees none of these runs")
        for user in settings.users:
            if user.startswith(HOOK_PREFIX) and user not in self._triggers:
                self._reader.note((*path, "users"), f"there is no hook {user.removeprefix(HOOK_PREFIX)}")
            elif not (is_user_name(user) or is_trigger_name(user)):
                self._reader.note((*path, "users"), f"{user!r} can be no user's name")
        for command, values in settings.only.items():
            self._only((*path, "only", command), settings, command, values)
        return Role(
            name=name,
            patterns=tuple(settings.commands),
            users=frozenset(settings.users),
            only={
                command: {parameter: tuple(globs) for parameter, globs in values.items()}
                for command, values in settings.only.items()
            },
            sees=tuple(settings.sees),
            stops=tuple(settings.stops),
            second_factor=settings.second_factor,
        )

    def _second_factor(self, path: Path, name: str, settings: RoleSettings) -> None:
        """Look who can show none."""
        if not settings.second_factor:
            return
        if name == ANONYMOUS:
            self._reader.note((*path, "second_factor"), "callers without login have none: the role is nobody's")
        for user in settings.users:
            if is_trigger_name(user):
                self._reader.warn((*path, "users"), f"{user} has no second factor: the role is without effect for it")

    def own_roles(self, roles: Sequence[Role]) -> list[Role]:
        """Make the roles of callers that are no persons and that no role lists: each may run what it asks for.

        Who is listed has what the roles say, and nothing else.

        Args:
            roles: Those that the file has.
        """
        listed = frozenset().union(*(role.users for role in roles))
        own = [
            Role(name=name, patterns=tuple(commands), users=frozenset({name}))
            for name, commands in self._triggers.items()
            if name not in listed and commands
        ]
        for role in roles:
            if any(role.name == each.name for each in own):
                text = f"is the role that the caller {role.name} has of its own: list it among the users, or choose"
                self._reader.note(("roles", role.name), f"{text} another name")
        return own

    def _commands_named(self, path: Path, patterns: Iterable[str]) -> None:
        """Look whether there are commands that a list of a role's speaks of."""
        for pattern in patterns:
            if not is_glob(pattern):
                if pattern not in self._commands:
                    self._reader.note(path, f"there is no command {pattern}")
            elif not any(fnmatchcase(command, pattern) for command in self._commands):
                self._reader.warn(path, f"{pattern} matches no command")

    def _only(self, path: Path, settings: RoleSettings, name: str, values: Mapping[str, list[str]]) -> None:
        """Look at the values that a role may give to a command."""
        if name not in self._commands:
            self._reader.note(path, f"there is no command {name}")
        elif not any(fnmatchcase(name, pattern) for pattern in settings.commands):
            self._reader.warn(path, f"is without effect: the role does not include {name}")
        command = self._good_commands.get(name)
        for parameter_name, globs in values.items() if command is not None else ():
            parameter = command.parameters.named(parameter_name) if command is not None else None
            place = (*path, parameter_name)
            if parameter is None:
                self._reader.note(place, f"{name} has no parameter {parameter_name}")
            elif "confirm" not in parameter.type.places:
                self._reader.note(place, f"a {parameter.type.name} is no value that a role can narrow")
            else:
                for glob in globs:
                    self._glob(place, parameter, glob)

    def _glob(self, place: Path, parameter: Parameter, glob: str) -> None:
        """Look whether there can be a value that a glob matches."""
        if isinstance(parameter.type, Choice) and parameter.type.choices:
            if not any(fnmatchcase(value, glob) for value in parameter.type.choices):
                self._reader.warn(place, f"{glob} matches no choice")
        elif not is_glob(glob):
            canonical = self._reader.attempt(place, parameter.canonical, glob)
            if canonical is not None and canonical != glob:
                self._reader.note(place, f"{glob} is never given to the command: its canonical form is {canonical}")

    def without_effect(
        self, roles: Mapping[str, RoleSettings | None], listening: Iterable[Listening], users: Collection[str] | None
    ) -> None:
        """Look for roles that nobody has, and commands that nobody may run.

        Args:
            roles: All that there are.
            listening: Where callers come from.
            users: Everybody who can log in; None if that is not known.
        """
        logins = {each.login for each in listening}
        good = {name: role for name, role in roles.items() if role is not None}
        for name, role in good.items():
            if reason := _nobody_has(name, role, logins):
                self._reader.warn(("roles", name), reason)
            for user in role.users:
                if user == SCHEDULE and SCHEDULE not in self._triggers:
                    self._reader.warn(("roles", name, "users"), "no command has a schedule")
                elif users is not None and user not in users and not is_trigger_name(user):
                    self._reader.warn(("roles", name, "users"), f"there is no user {user}; cmdserver user add {user}")
        self._refused_triggers(good.values())
        patterns = [pattern for role in good.values() for pattern in role.commands]
        patterns += [command for commands in self._triggers.values() for command in commands]
        sources = {parameter.source for command in self._good_commands.values() for parameter in command.parameters}
        for command in self._commands:
            if command not in sources and not any(fnmatchcase(command, pattern) for pattern in patterns):
                self._reader.warn(("commands", command), "is in no role, so nobody may run it")

    def _refused_triggers(self, roles: Iterable[RoleSettings]) -> None:
        """Look for schedules and hooks whose commands the roles that list them do not include."""
        for name, commands in self._triggers.items():
            theirs = [role.commands for role in roles if name in role.users]
            for command in commands:
                if theirs and not any(fnmatchcase(command, pattern) for patterns in theirs for pattern in patterns):
                    hook = name.removeprefix(HOOK_PREFIX)
                    path = ("commands", command, "schedule") if name == SCHEDULE else ("hooks", hook, "command")
                    self._reader.warn(path, f"is refused: no role that lists {name} includes {command}")


def _nobody_has(name: str, role: RoleSettings, logins: set[Login]) -> str | None:
    """Say why a role is nobody's; None if it is not."""
    if name == ANONYMOUS:
        return None if logins - {Login.REQUIRED} else "is nobody's: every listener requires a login"
    if any(map(is_trigger_name, role.users)):
        return None
    if not logins - {Login.NEVER}:
        return "is nobody's: no listener takes a login"
    if name != AUTHENTICATED and not role.users:
        return "is nobody's: it lists no users"
    return None
