"""The allow-list: whether its programs are there and can be run as they are meant to be."""

import re
from collections.abc import Callable, Iterable, Mapping

from cmdserver.config.decoding import TomlReader
from cmdserver.config.host import SEARCH_PATH, Host
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.config.validation.monitoring import MonitoringChecks
from cmdserver.config.validation.parameters import ParameterChecks
from cmdserver.config.validation.rights import missing_rights
from cmdserver.config.validation.schedules import schedule_of
from cmdserver.config.validation.templates import TemplateChecks
from cmdserver.core.model import Command, Controls, Rate
from cmdserver.core.names import TAKEN_NAMES, is_command_name
from cmdserver.core.run_states import Keep, OnDisconnect, WhenRunning
from cmdserver.parameters.number_types import seconds_of
from cmdserver.parameters.text_types import is_one_line

#: What a shared answer may weigh: it is kept until the slowest of those who asked has read it.
SHARED_OUTPUT_BYTES = 1 << 20

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: ``3/10m``; no more are counted than these.
_RATE = re.compile(r"([0-9]{1,4})/(.+)")


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
        self._parameters = ParameterChecks(reader)
        self._templates = TemplateChecks(reader)
        self._checks = MonitoringChecks(reader)

    def command(self, name: str, settings: CommandSettings) -> Command:
        """Look at an entry of the allow-list, and resolve it for this host."""
        path = ("commands", name)
        self._texts(name, settings)
        user, group = self._user_and_group(name, settings)
        run = _flat(settings.run)
        executable = self._reader.attempt((*path, "run"), self._host.executable, run[0])
        if settings.working_directory != "/":
            self._reader.attempt((*path, "working_directory"), self._host.require_directory, settings.working_directory)
        controls = self._controls(name, settings, user, group)
        environment = _environment(settings.environment)
        parameters = self._parameters.parameters(path, settings.parameters)
        confirm = self._templates.confirm(path, settings)
        template = self._templates.template(path, settings, environment, parameters, confirm)
        return Command(
            name=name,
            title=settings.title,
            section=settings.section,
            parameters=parameters,
            template=template,
            stdin=settings.stdin.encode() if settings.stdin is not None and template is None else None,
            confirm=confirm,
            rate_limit=self._reader.attempt((*path, "rate_limit"), parse_rate, settings.rate_limit)
            if settings.rate_limit
            else None,
            argv=(executable or "", *(run[1:] if template is None else ())),
            run=run,
            executable=executable or "",
            help=settings.help,
            read_only=settings.read_only,
            timeout_seconds=settings.timeout_seconds,
            output_limit_bytes=settings.output_limit_bytes,
            working_directory=settings.working_directory,
            environment=environment,
            user=user,
            group=group,
            share=self._share(name, settings),
            max_running=settings.max_running,
            when_running=self._when_running(name, settings),
            on_disconnect=settings.on_disconnect or (OnDisconnect.END if settings.read_only else OnDisconnect.CONTINUE),
            ok_statuses=frozenset(settings.ok_statuses),
            schedule=schedule_of(self._reader, name, settings, parameters),
            history=settings.history or (Keep.FAILED if settings.read_only else Keep.ALL),
            raw=settings.raw,
            colours=settings.colours,
            parser=self._reader.attempt((*path, "parser"), self._load_parser, settings.parser)
            if settings.parser
            else None,
            check=self._checks.check(path, settings),
            metrics=self._checks.metrics(path, settings, parameters),
            controls=controls,
            warnings=self._warnings(name, settings, executable, controls),
        )

    def _texts(self, name: str, settings: CommandSettings) -> None:
        """Look at what a command is called and says, and whether a process can be given its words and variables."""
        path = ("commands", name)
        if not is_command_name(name):
            self._note(path, "a command's name is a lower-case letter, then up to 63 of a-z, 0-9, _ and -")
        elif name in TAKEN_NAMES:
            self._note(path, f"{name} is a word with a meaning of its own and no name for a command")
        for key in ("help", "title", "section", "confirm"):
            if not is_one_line(getattr(settings, key) or ""):
                self._note((*path, key), "must be one line without control characters")
        if settings.raw and settings.colours:
            text = "is without effect: raw = true lets every control sequence through"
            self._reader.warn((*path, "colours"), text, besides=["raw"])
        for index, word in enumerate(_flat(settings.run)):
            if "\0" in word:
                self._note((*path, "run"), f"word {index} has a NUL character in it")
        for variable, value in settings.environment.items():
            if not _VARIABLE_NAME.fullmatch(variable) or "\0" in value:
                self._note((*path, "environment", variable), "is no environment variable")

    def _warnings(
        self, name: str, settings: CommandSettings, executable: str | None, controls: Controls
    ) -> tuple[str, ...]:
        """Look for what a command is meant to do and will not be able to; what concerns its rights is kept with it."""
        path = ("commands", name)
        if executable is None:
            return ()
        rights = [] if self._may_gain_rights else missing_rights(_flat(settings.run), executable, controls, self._host)
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
                self._reader.warn((*path, key), f"{whom} {verb} {place}{why}", besides=["user", "group"])
        if settings.limits.processes is not None and self._host.user_id(whom) == 0:
            self._reader.warn((*path, "limits", "processes"), "is without effect: root has no such limit", ["user"])
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
            self._note(("commands", name, "share"), text, besides=["output_limit_bytes"])
        return is_small and (settings.read_only if settings.share is None else settings.share)

    def _when_running(self, name: str, settings: CommandSettings) -> WhenRunning:
        """Decide what happens when a command runs as often as it may."""
        path = ("commands", name, "when_running")
        if settings.when_running is WhenRunning.JOIN and settings.read_only:
            text = "join is for commands that change something: what only reads is to answer afresh"
            self._note(path, text, besides=["read_only"])
        is_own = path not in self._reader.inherited  # of a default it is said once, see `defaults`
        if is_own and settings.when_running is not WhenRunning.WAIT and settings.max_running is None:
            self._reader.warn(path, "is without effect: there is no max_running")
        return settings.when_running

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


def check_sources(
    reader: TomlReader, commands: Iterable[Command], settings: Mapping[str, CommandSettings | None]
) -> None:
    """Look at what ``choices_from`` names: a command that can print a list for everybody who asks for it."""
    known = {command.name: command for command in commands}
    for name, each in settings.items():
        for index, parameter in enumerate(each.parameters if each is not None else ()):
            source = parameter.choices_from if parameter is not None and parameter.type == "choice" else None
            if source is not None and (source in known or source not in settings):
                why = _no_source(source, known)
                if why is not None:
                    reader.note(("commands", name, "parameters", index, "choices_from"), why)


def _no_source(name: str, known: Mapping[str, Command]) -> str | None:
    """Say why a command cannot print choices; None if it can."""
    source = known.get(name)
    if source is None:
        return f"there is no command {name}"
    if not source.read_only:
        return f"{name} is not read_only, and would be run for whoever looks at a form"
    if any(parameter.is_required for parameter in source.parameters):
        return f"{name} has a required parameter, and nobody to give it"
    if any(each.default is not None and each.source is not None for each in source.parameters):
        return f"{name} needs choices from another command itself"
    return None


def parse_rate(text: str) -> Rate:
    """Read a rate: ``3/10m`` is three in ten minutes.

    Raises:
        ValueError: It is none.
    """
    found = _RATE.fullmatch(text)
    if found is None or not int(found[1]):
        raise ValueError(f"{text[:40]!a} is no rate such as 3/10m: a number from 1 to 9999, a slash and a time span")
    seconds = seconds_of(found[2])
    if not seconds:
        raise ValueError("the time span is 0")
    return Rate(int(found[1]), seconds)


def _flat(run: Iterable[str | list[str]]) -> tuple[str, ...]:
    """Return all words of ``run``, those of nested lists as well."""
    return tuple(word for each in run for word in ((each,) if isinstance(each, str) else each))


def _environment(own: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Make a child's whole environment: nothing of the daemon's.

    LANG is C, as cron's and monitoring agents' is: what scripts read does not change with the host's language, and a
    short command is a sixth faster than with C.UTF-8, whose dozen files every start of a C program opens.
    """
    return tuple(sorted({"PATH": SEARCH_PATH, "LANG": "C", "HOME": "/", **own}.items()))
