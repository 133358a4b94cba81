"""What single values of the configuration cannot show: whether they make sense together, and on this host.

Rule of this file: every mistake is noted at its place and nothing is raised, so that all of them are told at once.
"""

import re
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_address

from cmdserver import wire
from cmdserver.host import SEARCH_PATH, Host
from cmdserver.model import Command, Controls, Listening, Role
from cmdserver.names import is_command_name, is_user_name
from cmdserver.networks import parse_network
from cmdserver.policy import ANONYMOUS, AUTHENTICATED, is_glob
from cmdserver.reading import Reader
from cmdserver.settings import TLS, CommandSettings, Listen, RoleSettings, Settings
from cmdserver.startups import Startups

#: What a shared answer may weigh: it is kept until the slowest of those who asked has read it.
SHARED_OUTPUT_BYTES = 1 << 20

_ROLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: ``metrics`` has an address of its own on the web.
_RESERVED = wire.WORDS | {"metrics"}


class Checks:
    """Looks at what was read, and notes what is wrong.

    Args:
        reader: Takes the notes.
        host: Where executables and users are looked for.
        load_parser: As `structured.load` and its like.
    """

    def __init__(self, reader: Reader, host: Host, load_parser: Callable[[str], str | None]) -> None:
        self._note = reader.note
        self._mistakes = reader.mistakes
        self._host = host
        self._load_parser = load_parser

    def listening(self, listens: Sequence[Listen | None], check_endpoint: Callable[[str], object]) -> list[Listening]:
        """Look at the doors; there must be one."""
        if not listens:
            self._note((), "there is no [[listen]], so there is nothing to do")
        found: list[Listening] = []
        for index, listen in enumerate(listens):
            if listen is None:
                continue
            path = ("listen", index)
            self._door(index, listen)
            endpoints = [listen.endpoint] if isinstance(listen.endpoint, str) else listen.endpoint
            for endpoint in endpoints:
                try:
                    check_endpoint(endpoint)
                except ValueError as error:
                    self._note((*path, "endpoint"), f"{endpoint!r} is no endpoint description: {error}")
                if endpoint.startswith("unix:") and not endpoint.startswith(("unix:/", "unix:address=/")):
                    self._note((*path, "endpoint"), f"{endpoint} is no absolute path, and the daemon runs in /")
                if endpoint in [each.endpoint for each in found]:
                    self._note((*path, "endpoint"), f"{endpoint} is there twice")
                is_secret = listen.tls or listen.protocol == "ssh"
                if listen.login != "never" and not (is_secret or listen.allow_plaintext_passwords):
                    self._plaintext(path, endpoint)
                found.append(Listening(protocol=listen.protocol, endpoint=endpoint, tls=listen.tls, login=listen.login))
        return found

    def _door(self, index: int, listen: Listen) -> None:
        if listen.protocol == "ssh" and listen.tls:
            self._note(("listen", index, "tls"), "SSH has keys of its own and does not go over TLS")
        if listen.protocol == "ssh" and listen.login != "required":
            self._note(
                ("listen", index, "login"), f'is "{listen.login}", but at an SSH door a login is always required'
            )

    def _plaintext(self, path: tuple[str | int, ...], endpoint: str) -> None:
        """A password over plain TCP, from another host, is everybody's on the way."""
        if not _is_local(endpoint):
            text = "would take passwords over plain TCP from other hosts; say tls = true, listen on loopback only,"
            self._note((*path, "endpoint"), f"{endpoint} {text} or set allow_plaintext_passwords = true")

    def command(self, name: str, settings: CommandSettings) -> Command:
        """Look at an entry of the allow-list, and resolve it for this host."""
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
        user, group = self._identity(name, settings)
        executable = self._try((*path, "run"), self._host.executable, settings.run[0])
        if settings.working_directory != "/":
            self._try((*path, "working_directory"), self._host.require_directory, settings.working_directory)
        return Command(
            name=name,
            argv=(executable or "", *settings.run[1:]),
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
            parser=self._try((*path, "parser"), self._load_parser, settings.parser) if settings.parser else None,
            controls=self._controls(name, settings, user, group),
        )

    def _controls(self, name: str, settings: CommandSettings, user: str, group: str) -> Controls:
        """Find out what is to be done to a command's process before it runs."""
        is_somebody_else = (user, group) != (self._host.user(), self._host.group())
        if settings.nice < 0 and not self._host.is_root():
            self._note(("commands", name, "nice"), "below 0 is for a daemon that is started as root")
        limits = [(each, getattr(settings.limits, each)) for each in settings.limits.__struct_fields__]
        return Controls(
            uid=self._host.user_id(user) if is_somebody_else else None,
            gid=self._host.group_id(group) if is_somebody_else else None,
            umask=settings.umask,
            nice=settings.nice,
            limits=tuple((each, value) for each, value in limits if value is not None),
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
        """Look at a role: are its commands there, and can its users be?"""
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
        self._runner(settings)
        for network in settings.limits.penalty_exempt:
            self._try(("limits", "penalty_exempt"), lambda text: str(parse_network(text)), network)

    def _runner(self, settings: Settings) -> None:
        """Who starts programs, and what only the runner process can do to them."""
        user = settings.runner.daemon_user
        if user is not None and not user.isdigit():
            self._try(("runner", "daemon_user"), self._host.group_of, user)
        if settings.runner.process:
            return
        for name, command in settings.commands.items():
            for key in ("umask", "nice", "limits"):
                if command is not None and getattr(command, key) != getattr(CommandSettings(run=[""]), key):
                    self._note(("commands", name, key), "is for the runner process, and [runner] says process = false")
            if command is not None and command.working_directory != "/" and "=" in command.run[0]:
                # env(1), which goes there, would take it for a variable.
                self._note(("commands", name, "working_directory"), f"takes the runner process for {command.run[0]}")

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

    def _identity(self, name: str, settings: CommandSettings) -> tuple[str, str]:
        """Find as whom a command runs: user and group."""
        path = ("commands", name)
        user = settings.user or self._host.user()
        group = settings.group or (
            self._try((*path, "user"), self._host.group_of, user) or "" if settings.user else self._host.group()
        )
        if settings.group:
            self._try((*path, "group"), self._host.require_group, group)
        if (user, group) != (self._host.user(), self._host.group()) and not self._host.is_root():
            which = "user" if settings.user else "group"
            self._note((*path, which), "to run as somebody else the daemon must be started as root")
        return user, group

    def _try(self, path: tuple[str | int, ...], check: Callable[[str], str | None], value: str) -> str | None:
        try:
            return check(value)
        except ValueError as error:
            self._note(path, str(error))
            return None


def _is_local(endpoint: str) -> bool:
    """Whether it is certain that nobody but this host can reach an endpoint; what is unusual is not.

    Twisted takes an argument's last value, and lets every character be written with a backslash before it; here there
    must be one ``interface=``, and nothing with a backslash but the colons of an IPv6 address.
    """
    if endpoint.startswith("unix:"):
        return True
    if not endpoint.startswith(("tcp:", "tcp6:")) or "\\" in endpoint.replace("\\:", ""):
        return False
    named = re.findall(r"(?<!\\):interface=((?:\\:|[^:])*)", endpoint)
    if len(named) != 1 or endpoint.count("interface") != 1:
        return False
    interface = named[0].replace("\\:", ":")
    try:
        return interface == "localhost" or ip_address(interface).is_loopback
    except ValueError:
        return False


def _environment(own: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Make a child's whole environment: nothing of the daemon's.

    LANG is C, as cron's and monitoring agents' is: what scripts read does not change with the host's language, and a
    short command is a sixth faster than with C.UTF-8, whose dozen files every start of a C program opens.
    """
    return tuple(sorted({"PATH": SEARCH_PATH, "LANG": "C", "HOME": "/", **own}.items()))
