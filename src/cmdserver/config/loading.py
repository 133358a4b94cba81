"""From the file's text to what the daemon goes by: resolved, checked, frozen.

`load` reads; `configure` looks at everything that single values cannot show (do executables exist? do roles name
commands that there are?) and reports all mistakes at once, the reader's included. Nothing is guessed, and nothing that
is written in the file is silently without effect.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistake, Mistakes, TomlReader, dotted
from cmdserver.config.host import Host
from cmdserver.config.schema import TLS, Settings
from cmdserver.config.validation.commands import CommandChecks, check_sources
from cmdserver.config.validation.hooks import CheckSecret, HookChecks
from cmdserver.config.validation.listeners import CheckEndpoint, ListenerChecks
from cmdserver.config.validation.others import OtherChecks, State
from cmdserver.config.validation.roles import RoleChecks
from cmdserver.core.model import Command
from cmdserver.core.names import HOOK_PREFIX, SCHEDULE
from cmdserver.core.text_encoding import NotUTF8, decode
from cmdserver.files import safe_path
from cmdserver.triggers.hook import Hook

#: Of the file: a longer one is something else.
MOST_BYTES = 1 << 24

SYSTEM_FILE = Path("/etc/cmdserver/cmdserver.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A configuration text and where it is from."""

    #: None for the one that is built in.
    path: str | None
    text: str

    @classmethod
    def built_in(cls) -> Self:
        """Read the one that is built in."""
        return cls(path=None, text=Path(__file__).with_name("default.toml").read_text("utf-8"))

    @property
    def name(self) -> str:
        """What to call it in a complaint."""
        return name_of(self.path)


def find_file(file: str | None, environment: Mapping[str, str]) -> str | None:
    """Say which file it is: ``--config``, ``$CMDSERVER_CONFIG``, the system's file; None: the built-in one."""
    named = file or environment.get("CMDSERVER_CONFIG")
    if not named and not SYSTEM_FILE.exists():
        return None
    return str(Path(named or SYSTEM_FILE).absolute())


def name_of(path: str | None) -> str:
    """Say what to call a file in a complaint."""
    return path or "(built-in)"


def read_file(path: str | None) -> Source:
    """Read the configuration text.

    Args:
        path: As `find_file` says it.

    Raises:
        OSError: The file cannot be read; or we are root, and others could write to it.
        Mistakes: It is not UTF-8.
    """
    if path is None:
        return Source.built_in()
    data = safe_path.read_file(Path(path), MOST_BYTES, decides=True)
    try:
        return Source(path=path, text=decode(data))
    except NotUTF8 as error:
        raise Mistakes([Mistake((), str(error), error.line)]) from None


def load(file: str | None, environment: Mapping[str, str]) -> Source:
    """Find and read the configuration text; see `find_file` and `read_file`."""
    return read_file(find_file(file, environment))


def configure(
    text: str,
    host: Host,
    check_endpoint: CheckEndpoint,
    check_tls: Callable[[TLS], object] = lambda _: None,
    load_parser: Callable[[str], str | None] = str,
    look_at_state: Callable[[Settings], State] = lambda _: State(),
    check_secret: CheckSecret = lambda _: None,
) -> Configuration:
    """Make sense of a configuration text on this host.

    Args:
        text: TOML.
        host: Where executables and users are looked for.
        check_endpoint: Raises a ValueError for an endpoint that cannot be.
        check_tls: Raises a ValueError for certificates and keys that are no good; asked only if a listener needs them.
        load_parser: Raises a ValueError for a parser that is none; None is for a command that does without.
        look_at_state: Says what is known of the state directory.
        check_secret: Raises a ValueError for a hook's secret that is no good; returns what to warn of, if anything.

    Raises:
        Mistakes: All that is wrong.
    """
    reader = TomlReader(text)
    settings = reader.read(Settings)
    if settings is None:
        raise Mistakes(reader.mistakes)
    listening = ListenerChecks(reader, host, check_endpoint).listening(settings.listen)
    programs = CommandChecks(reader, host, load_parser, may_gain_rights=not settings.runner.process)
    commands = [programs.command(name, each) for name, each in settings.commands.items() if each]
    check_sources(reader, commands, settings.commands)
    mistaken = {each.path[1] for each in reader.mistakes if each.path[0:1] == ("commands",) and each.path[1:]}
    good = {command.name: command for command in commands if command.name not in mistaken}
    checks = HookChecks(reader, settings.commands, good, check_secret)
    hooks = [hook for name, each in settings.hooks.items() if each and (hook := checks.hook(name, each)) is not None]
    checks.all(hooks)
    permissions = RoleChecks(reader, settings.commands, good, _triggers(commands, hooks))
    roles = [permissions.role(name, each) for name, each in settings.roles.items() if each]
    roles += permissions.own_roles(roles)
    others = OtherChecks(reader, host)
    others.rest(settings)
    startups, exempt = others.limits(settings.limits)
    others.tls(settings, check_tls)
    if reader.mistakes:
        raise Mistakes(reader.mistakes)
    state = look_at_state(settings)
    others.without_effect(settings, listening, state)
    permissions.without_effect(settings.roles, listening, state.users)
    checks.without_effect(hooks, listening)
    warnings = tuple(sorted(reader.warnings, key=lambda each: each.line or 0))
    return Configuration(
        settings, tuple(listening), tuple(commands), tuple(roles), startups, exempt, warnings, tuple(hooks)
    )


def _triggers(commands: Iterable[Command], hooks: Iterable[Hook]) -> Mapping[str, Sequence[str]]:
    """Say what each caller that is no person asks for, by its name."""
    scheduled = tuple(command.name for command in commands if command.schedule)
    return {
        **({SCHEDULE: scheduled} if scheduled else {}),
        **{f"{HOOK_PREFIX}{hook.name}": (hook.command,) for hook in hooks},
    }


def changes(old: Settings, new: Settings) -> list[str]:
    """Say what a reload changes, a line a key; values are left out, as some may be secret."""
    before, after = _flat(old), _flat(new)
    lines = [f"{key} added" for key in sorted(after.keys() - before.keys())]
    lines += [f"{key} removed" for key in sorted(before.keys() - after.keys())]
    lines += [f"{key} changed" for key in sorted(before.keys() & after.keys()) if before[key] != after[key]]
    return lines


def _flat(settings: Settings) -> dict[str, object]:
    flat: dict[str, object] = {}

    def walk(path: tuple[str | int, ...], value: object) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                walk((*path, key), each)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, each in enumerate(value):
                walk((*path, index), each)
        else:
            flat[dotted(path)] = value

    walk((), msgspec.to_builtins(settings))
    return flat
