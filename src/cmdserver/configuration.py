"""From the file's text to what the daemon goes by: resolved, checked, frozen.

`load` reads; `configure` looks at everything that single values cannot show (do executables exist? do roles name
commands that there are?) and reports all mistakes at once, the reader's included. Nothing is guessed, and nothing that
is written in the file is silently without effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from cmdserver.checks import Checks
from cmdserver.files.safe_path import read_file
from cmdserver.host import Host
from cmdserver.model import Command, Listening, Role
from cmdserver.reading import Mistakes, Reader, dotted
from cmdserver.settings import TLS, Limits, Settings

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
        return self.path or "(built-in)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the daemon goes by."""

    settings: Settings
    listening: tuple[Listening, ...]
    commands: tuple[Command, ...]
    roles: tuple[Role, ...]

    @property
    def limits(self) -> Limits:
        """The file's ``[limits]``."""
        return self.settings.limits


def load(file: str | None, environment: Mapping[str, str]) -> Source:
    """Find and read the configuration text: ``--config``, ``$CMDSERVER_CONFIG``, the system's file, the built-in one.

    Raises:
        OSError: The file that was named cannot be read; or we are root, and others could write to it.
        UnicodeDecodeError: It is not UTF-8.
    """
    named = file or environment.get("CMDSERVER_CONFIG")
    if not named and not SYSTEM_FILE.exists():
        return Source.built_in()
    path = Path(named or SYSTEM_FILE).absolute()
    text = read_file(path, decides=True).decode("utf-8")
    return Source(path=str(path), text=text.replace("\r\n", "\n"))


def configure(
    text: str,
    host: Host,
    check_endpoint: Callable[[str], object],
    check_tls: Callable[[TLS], object] = lambda _: None,
    load_parser: Callable[[str], str | None] = str,
) -> Configuration:
    """Make sense of a configuration text on this host.

    Args:
        text: TOML.
        host: Where executables and users are looked for.
        check_endpoint: Raises a ValueError for a description that is none.
        check_tls: Raises a ValueError for certificates and keys that are no good; asked only if a door needs them.
        load_parser: Raises a ValueError for a parser that is none; None is for a command that does without.

    Raises:
        Mistakes: All that is wrong.
    """
    reader = Reader(text)
    settings = reader.read(Settings)
    if settings is None:
        raise Mistakes(reader.mistakes)
    checks = Checks(reader, host, load_parser)
    listening = checks.listening(settings.listen, check_endpoint)
    commands = [checks.command(name, each) for name, each in settings.commands.items() if each]
    roles = [checks.role(name, each, settings.commands) for name, each in settings.roles.items() if each]
    checks.rest(settings)
    if any(each.tls for each in listening):
        checks.tls(settings.tls, check_tls)
    if reader.mistakes:
        raise Mistakes(reader.mistakes)
    return Configuration(settings=settings, listening=tuple(listening), commands=tuple(commands), roles=tuple(roles))


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
