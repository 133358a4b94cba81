"""From the file's text to what the daemon goes by: resolved, checked, frozen.

`load` reads; `configure` looks at everything that single values cannot show (do executables exist? do roles name
commands that there are?) and reports all mistakes at once, the reader's included. Nothing is guessed, and nothing that
is written in the file is silently without effect.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from cmdserver import wire
from cmdserver.host import SEARCH_PATH, Host
from cmdserver.model import Command, Role
from cmdserver.names import is_command_name, is_user_name
from cmdserver.penalties import networks
from cmdserver.policy import ANONYMOUS, AUTHENTICATED, is_glob
from cmdserver.reading import Mistakes, Reader, dotted
from cmdserver.settings import TLS, CommandSettings, Limits, Listen, RoleSettings, Settings
from cmdserver.startups import Startups

SYSTEM_FILE = Path("/etc/cmdserver/cmdserver.toml")

#: What a shared answer may weigh: it is kept until the slowest of those who asked has read it.
SHARED_OUTPUT_BYTES = 1 << 20

_ROLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: ``metrics`` has an address of its own on the web.
_RESERVED = wire.WORDS | {"metrics"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A configuration text and where it is from."""

    #: None for the one that is built in.
    path: str | None
    text: str

    @property
    def name(self) -> str:
        """What to call it in a complaint."""
        return self.path or "(built-in)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """One open door to be: a ``[[listen]]`` and one of its endpoints."""

    protocol: str
    endpoint: str
    tls: bool
    login: str


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
        OSError: The file that was named cannot be read.
        UnicodeDecodeError: It is not UTF-8.
    """
    named = file or environment.get("CMDSERVER_CONFIG")
    if not named and not SYSTEM_FILE.exists():
        return Source(path=None, text=resources.files("cmdserver").joinpath("default.toml").read_text("utf-8"))
    path = Path(named or SYSTEM_FILE).absolute()
    return Source(path=str(path), text=path.read_text("utf-8"))


def configure(
    text: str,
    host: Host,
    protocols: Collection[str],
    check_endpoint: Callable[[str], object],
    check_tls: Callable[[TLS], object] = lambda _: None,
) -> Configuration:
    """Make sense of a configuration text on this host.

    Args:
        text: TOML.
        host: Where executables and users are looked for.
        protocols: The doors that there are.
        check_endpoint: Raises a ValueError for a description that is none.
        check_tls: Raises a ValueError for certificates and keys that are no good; asked only if a door needs them.

    Raises:
        Mistakes: All that is wrong.
    """
    reader = Reader(text)
    settings = reader.read(Settings)
    if settings is None:
        raise Mistakes(reader.mistakes)
    checks = _Checks(reader, host)
    listening = checks.listening(settings.listen, protocols, check_endpoint)
    commands = [checks.command(name, each) for name, each in settings.commands.items() if each]
    roles = [checks.role(name, each, settings.commands) for name, each in settings.roles.items() if each]
    checks.rest(settings)
    if any(each.tls for each in listening):
        checks.tls(settings.tls, check_tls)
    if reader.mistakes:
        raise Mistakes(reader.mistakes)
    return Configuration(settings=settings, listening=tuple(listening), commands=tuple(commands), roles=tuple(roles))


class _Checks:
    """Looks at what was read, and notes what is wrong."""

    def __init__(self, reader: Reader, host: Host) -> None:
        self._note = reader.note
        self._mistakes = reader.mistakes
        self._host = host

    def listening(
        self, listens: Sequence[Listen | None], protocols: Collection[str], check_endpoint: Callable[[str], object]
    ) -> list[Listening]:
        if not listens:
            self._note((), "there is no [[listen]], so there is nothing to do")
        found = []
        for index, listen in enumerate(listens):
            if listen is None:
                continue
            path = ("listen", index)
            self._door(index, listen, protocols)
            endpoints = [listen.endpoint] if isinstance(listen.endpoint, str) else listen.endpoint
            for endpoint in endpoints:
                try:
                    check_endpoint(endpoint)
                except ValueError as error:
                    self._note((*path, "endpoint"), f"{endpoint!r} is no endpoint description: {error}")
                if listen.login != "never" and not (listen.tls or listen.allow_plaintext_passwords):
                    self._plaintext(path, endpoint)
                found.append(Listening(protocol=listen.protocol, endpoint=endpoint, tls=listen.tls, login=listen.login))
        return found

    def _door(self, index: int, listen: Listen, protocols: Collection[str]) -> None:
        if listen.protocol not in protocols:
            there_are = " and ".join(sorted(protocols))
            text = f"the {listen.protocol} door is not built yet; this version has: {there_are}"
            self._note(("listen", index, "protocol"), text)

    def _plaintext(self, path: tuple[str | int, ...], endpoint: str) -> None:
        """A password over plain TCP, from another host, is everybody's on the way."""
        if not _is_local(endpoint):
            text = "would take passwords over plain TCP from other hosts; say tls = true, listen on loopback only,"
            self._note((*path, "endpoint"), f"{endpoint} {text} or set allow_plaintext_passwords = true")

    def command(self, name: str, settings: CommandSettings) -> Command:
        path = ("commands", name)
        if not is_command_name(name):
            self._note(path, "a command's name is a lower-case letter, then up to 63 of a-z, 0-9, _ and -")
        elif name in _RESERVED:
            self._note(path, f"{name} is a word with a meaning of its own and no name for a command")
        for index, word in enumerate(settings.run):
            if "\0" in word:
                self._note((*path, "run"), f"word {index} has a NUL character in it")
        for variable, value in settings.environment.items():
            if not _VARIABLE_NAME.fullmatch(variable) or "\0" in value:
                self._note((*path, "environment", variable), "is no environment variable")
        user, group, prefix = self._identity(name, settings)
        executable = self._try((*path, "run"), self._host.executable, settings.run[0])
        if settings.working_directory != "/":
            self._try((*path, "working_directory"), self._host.require_directory, settings.working_directory)
            prefix += self._in_directory(name, settings, executable or "")
        return Command(
            name=name,
            argv=(*prefix, executable or "", *settings.run[1:]),
            run=tuple(settings.run),
            executable=executable or "",
            help=settings.help,
            read_only=settings.read_only,
            timeout_seconds=settings.timeout_seconds,
            output_limit_bytes=settings.output_limit_bytes,
            working_directory=settings.working_directory,
            environment=_environment(settings.environment),
            user=user,
            group=group,
            share=self._share(name, settings),
            max_running=settings.max_running,
            raw=settings.raw,
        )

    def _share(self, name: str, settings: CommandSettings) -> bool:
        """Decide whether a command's answers are kept for all who wait, which costs memory, or streamed to each."""
        is_small = settings.output_limit_bytes <= SHARED_OUTPUT_BYTES
        if settings.share and not is_small:
            text = (
                f"needs output_limit_bytes <= {SHARED_OUTPUT_BYTES}: more is not kept in memory, but streamed to each"
            )
            self._note(("commands", name, "share"), text)
        return is_small and (settings.read_only if settings.share is None else settings.share)

    def role(self, name: str, settings: RoleSettings, commands: Collection[str]) -> Role:
        path = ("roles", name)
        if not _ROLE_NAME.fullmatch(name):
            self._note(path, "a role's name is a letter, then up to 63 of a-z, A-Z, 0-9, _ and -")
        if name in {ANONYMOUS, AUTHENTICATED} and settings.users:
            whose = "every caller without login" if name == ANONYMOUS else "every logged-in caller"
            self._note((*path, "users"), f"the role {name} is {whose}'s and lists no users")
        for pattern in settings.commands:
            if not is_glob(pattern) and pattern not in commands:
                self._note((*path, "commands"), f"there is no command {pattern}")
        for user in settings.users:
            if not is_user_name(user):
                self._note((*path, "users"), f"{user!r} can be no user's name")
        return Role(name=name, patterns=tuple(settings.commands), users=frozenset(settings.users))

    def rest(self, settings: Settings) -> None:
        """What belongs to no door, command or role."""
        if settings.state_dir is not None and not settings.state_dir.startswith("/"):
            self._note(("state_dir",), f"{settings.state_dir} is not an absolute path")
        for path, value in ((("state_dir",), settings.state_dir or ""), (("audit", "file"), settings.audit.file)):
            if "\0" in value:
                self._note(path, "has a NUL character in it")
        startups = settings.limits.unauthenticated
        self._try(("limits", "unauthenticated"), lambda text: str(Startups.parse(text)), startups)
        for network in settings.limits.penalty_exempt:
            self._try(("limits", "penalty_exempt"), lambda text: str(networks([text])), network)

    def tls(self, tls: TLS, check: Callable[[TLS], object]) -> None:
        """Certificates and keys: whether they are named well, and then whether they are good."""
        mistakes = len(self._mistakes)
        if (tls.certificate is None) != (tls.key is None):
            missing = "key" if tls.key is None else "certificate"
            self._note(("tls",), f"{missing} is missing: certificate and key go together")
        for name in ("certificate", "key", "client_ca"):
            path: str | None = getattr(tls, name)
            if path is not None and (not path.startswith("/") or "\0" in path):
                self._note(("tls", name), f"{path!r} is not an absolute path")
        if len(self._mistakes) == mistakes:
            try:
                check(tls)
            except ValueError as error:
                self._note(("tls",), str(error))

    def _identity(self, name: str, settings: CommandSettings) -> tuple[str, str, tuple[str, ...]]:
        """Find as whom a command runs: user, group, and what to put before its argv to become them."""
        path = ("commands", name)
        user = settings.user or self._host.user()
        group = settings.group or (
            self._try((*path, "user"), self._host.group_of, user) or "" if settings.user else self._host.group()
        )
        if settings.group:
            self._try((*path, "group"), self._host.require_group, group)
        if (user, group) == (self._host.user(), self._host.group()):
            return user, group, ()
        if not self._host.is_root():
            which = "user" if settings.user else "group"
            self._note((*path, which), "to run as somebody else the daemon must be started as root")
            return user, group, ()
        setpriv = self._try((*path, "user"), self._host.executable, "setpriv") or ""
        return user, group, (setpriv, f"--reuid={user}", f"--regid={group}", "--clear-groups", "--")

    def _in_directory(self, name: str, settings: CommandSettings, executable: str) -> tuple[str, ...]:
        path = ("commands", name, "working_directory")
        if "=" in executable:
            self._note(path, f"cannot be used with {executable}, whose path has a = in it")
        env = self._try(path, self._host.executable, "env") or ""
        return (env, f"--chdir={settings.working_directory}", "--")

    def _try(self, path: tuple[str | int, ...], check: Callable[[str], str | None], value: str) -> str | None:
        try:
            return check(value)
        except ValueError as error:
            self._note(path, str(error))
            return None


def _is_local(endpoint: str) -> bool:
    """Whether nobody but this host can reach an endpoint; only of TCP and UNIX sockets is that known."""
    kind, _, rest = endpoint.partition(":")
    if kind == "unix":
        return True
    # In endpoint descriptions a colon within a value is written with a backslash before it.
    named = re.search(r"(?:^|(?<!\\):)interface=((?:\\.|[^:\\])*)", rest)
    interface = named[1].replace("\\", "") if named else ""
    return kind in {"tcp", "tcp6"} and (interface.startswith("127.") or interface in {"localhost", "::1"})


def _environment(own: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Make a child's whole environment: nothing of the daemon's.

    LANG is C, as cron's and monitoring agents' is: what scripts read does not change with the host's language, and a
    short command is a sixth faster than with C.UTF-8, whose dozen files every start of a C program opens.
    """
    return tuple(sorted({"PATH": SEARCH_PATH, "LANG": "C", "HOME": "/", **own}.items()))


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
