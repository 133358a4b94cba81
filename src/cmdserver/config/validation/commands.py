"""The allow-list: whether its programs are there and can be run as they are meant to be."""

import re
from collections.abc import Callable

from cmdserver.config.decoding import TomlReader
from cmdserver.config.host import SEARCH_PATH, Host
from cmdserver.config.schema import CommandSettings
from cmdserver.config.validation.rights import missing_rights
from cmdserver.core.model import Command, Controls
from cmdserver.core.names import RESERVED_WORDS, is_command_name

#: What a shared answer may weigh: it is kept until the slowest of those who asked has read it.
SHARED_OUTPUT_BYTES = 1 << 20

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: ``metrics`` has an address of its own on the web.
_RESERVED = RESERVED_WORDS | {"metrics"}


class CommandChecks:
    """Looks at ``[commands.NAME]``.

    Args:
        reader: Takes the notes.
        host: Where executables and users are looked for.
        load_parser: As `structured.load` and its like.
        may_gain_rights: Whether programs can get rights of their files' (there is no runner process, which bars that).
    """

    def __init__(
        self, reader: TomlReader, host: Host, load_parser: Callable[[str], str | None], *, may_gain_rights: bool
    ) -> None:
        self._reader = reader
        self._note = reader.note
        self._host = host
        self._load_parser = load_parser
        self._may_gain_rights = may_gain_rights

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
        user, group = self._user_and_group(name, settings)
        executable = self._reader.attempt((*path, "run"), self._host.executable, settings.run[0])
        if settings.working_directory != "/":
            self._reader.attempt((*path, "working_directory"), self._host.require_directory, settings.working_directory)
        controls = self._controls(name, settings, user, group)
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
            parser=self._reader.attempt((*path, "parser"), self._load_parser, settings.parser)
            if settings.parser
            else None,
            controls=controls,
            warnings=self._warnings(name, settings, executable, controls),
        )

    def _warnings(
        self, name: str, settings: CommandSettings, executable: str | None, controls: Controls
    ) -> tuple[str, ...]:
        """Look for what a command is meant to do and will not be able to; what concerns its rights is kept with it."""
        path = ("commands", name)
        if executable is None:
            return ()
        rights = [] if self._may_gain_rights else missing_rights(settings.run, executable, controls, self._host)
        for each in rights:
            self._reader.warn((*path, "run"), each)
        search_path = settings.environment.get("PATH", SEARCH_PATH)
        if program := self._host.missing_program(executable, search_path):
            text = f"{executable} begins with #!/usr/bin/env {program}, and there is no {program} on {search_path}"
            self._reader.warn((*path, "run"), text)
        whom = settings.user or self._host.user()
        for key, place in (("run", executable), ("working_directory", settings.working_directory)):
            if obstacle := self._host.obstacle(controls.uid, controls.gid, place):
                verb = "may not run" if key == "run" else "may not enter"
                why = "" if obstacle == place else f": the way leads through {obstacle}"
                self._reader.warn((*path, key), f"{whom} {verb} {place}{why}")
        if settings.limits.processes is not None and self._host.user_id(whom) == 0:
            self._reader.warn((*path, "limits", "processes"), "is without effect: root has no such limit")
        return tuple(rights)

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

    def _user_and_group(self, name: str, settings: CommandSettings) -> tuple[str, str]:
        """Find as whom a command runs: user and group."""
        path = ("commands", name)
        user = settings.user or self._host.user()
        group = settings.group or (
            self._reader.attempt((*path, "user"), self._host.group_of, user) or ""
            if settings.user
            else self._host.group()
        )
        if settings.group:
            self._reader.attempt((*path, "group"), self._host.require_group, group)
        if (user, group) != (self._host.user(), self._host.group()) and not self._host.is_root():
            which = "user" if settings.user else "group"
            self._note((*path, which), "to run as somebody else the daemon must be started as root")
        return user, group


def _environment(own: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Make a child's whole environment: nothing of the daemon's.

    LANG is C, as cron's and monitoring agents' is: what scripts read does not change with the host's language, and a
    short command is a sixth faster than with C.UTF-8, whose dozen files every start of a C program opens.
    """
    return tuple(sorted({"PATH": SEARCH_PATH, "LANG": "C", "HOME": "/", **own}.items()))
