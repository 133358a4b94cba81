"""From the file's text to what the daemon goes by: resolved, checked, frozen.

`load` reads; `configure` looks at everything that single values cannot show (do executables exist? do roles name
commands that there are?) and reports all mistakes at once, the reader's included. Nothing is guessed, and nothing that
is written in the file is silently without effect.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cmdserver.config import defaults, toml_text
from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import INCLUDE, Finding, Mistake, Mistakes, Remarked, TomlReader
from cmdserver.config.host import Host
from cmdserver.config.including import ReadBytes, Remark, include
from cmdserver.config.merging import Place, SourceFile
from cmdserver.config.schema.host import TLS
from cmdserver.config.schema.settings import Patterns, Settings
from cmdserver.config.toml_text import NotTOML
from cmdserver.config.validation import effects
from cmdserver.config.validation.allowances import check_allowances
from cmdserver.config.validation.commands import CommandChecks, check_sources
from cmdserver.config.validation.connections import forwards
from cmdserver.config.validation.connections.fleet import FleetChecks
from cmdserver.config.validation.connections.listeners import CheckEndpoint, ListenerChecks
from cmdserver.config.validation.connections.proxies import ProxyChecks
from cmdserver.config.validation.hooks import CheckSecret, HookChecks
from cmdserver.config.validation.others import OtherChecks, State
from cmdserver.config.validation.roles import RoleChecks
from cmdserver.core.escaping import visible
from cmdserver.core.model import Command
from cmdserver.core.names import HOOK_PREFIX, SCHEDULE
from cmdserver.core.site import FleetHost
from cmdserver.core.text_encoding import NotUTF8, decode
from cmdserver.files import safe_path
from cmdserver.fleet.membership import SOCKET, FleetMember
from cmdserver.triggers.hook import Hook

#: Of the file: a longer one is something else.
MOST_BYTES = 1 << 24

SYSTEM_FILE = Path("/etc/cmdserver/cmdserver.toml")


class Source(Struct, frozen=True, kw_only=True):
    """The text of a configuration and of what it includes, and where it is from."""

    #: None for the one that is built in.
    path: str | None
    text: str
    included: tuple[SourceFile, ...] = ()
    #: What was found wrong, and without effect, when files were looked for.
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @classmethod
    def built_in(cls) -> Self:
        """Read the one that is built in."""
        return cls(path=None, text=Path(__file__).with_name("default.toml").read_text("utf-8"))

    @classmethod
    def unpacked(cls, text: str) -> Self:
        """Read what `packed` returns."""
        return msgspec.json.decode(text, type=cls)

    def packed(self) -> str:
        """Return all of it as one text: to be handed to another process, and compared."""
        return msgspec.json.encode(self).decode()

    @property
    def name(self) -> str:
        """What to call it in a complaint."""
        return name_of(self.path)

    def reader(self) -> TomlReader:
        """Return what reads it."""
        reader = TomlReader(self.text, self.name, self.included)
        reader.mistakes += self.mistakes
        reader.warnings += self.warnings
        return reader


def find_file(file: str | None, environment: Mapping[str, str]) -> str | None:
    """Say which file it is: ``--config``, ``$CMDSERVER_CONFIG``, the system's file; None: the built-in one."""
    named = file or environment.get("CMDSERVER_CONFIG")
    if not named and not SYSTEM_FILE.exists():
        return None
    return str(Path(named or SYSTEM_FILE).absolute())


def name_of(path: str | None) -> str:
    """Say what to call a file in a complaint."""
    return path or "(built-in)"


def read_file(path: str | None, read: ReadBytes = safe_path.read_deciding_file) -> Source:
    """Read the configuration text.

    Args:
        path: As `find_file` says it.
        read: What reads it and the files that it includes.

    Raises:
        OSError: The file cannot be read; or we are root, and others could write to it.
        Mistakes: It is not UTF-8.
    """
    if path is None:
        return Source.built_in()
    data = read(Path(path), MOST_BYTES)
    try:
        text = decode(data)
    except NotUTF8 as error:
        raise Mistakes([Mistake((), str(error), error.line, path)]) from None
    return _with_included(Source(path=path, text=text), Path(path), MOST_BYTES - len(data), read)


def _with_included(source: Source, main: Path, most_bytes: int, read: ReadBytes) -> Source:
    """Read what a configuration includes; mistakes in its own text are for others to find."""
    try:
        patterns = msgspec.convert(toml_text.parse(source.text).get(INCLUDE, []), Patterns)
    except (NotTOML, msgspec.ValidationError):
        return source
    found = include(main, patterns, most_bytes, read)
    place = source.reader().place((INCLUDE,))
    return replace(
        source,
        included=tuple(found.files),
        mistakes=tuple(_remark(Mistake, each, place) for each in found.mistakes),
        warnings=tuple(_remark(Finding, each, place) for each in found.warnings),
    )


def _remark(kind: type[Remarked], remark: Remark, place: Place) -> Remarked:
    if remark.file:
        return kind((), remark.text, remark.line, remark.file)
    return kind(place.path, visible(remark.text), place.line, place.file)


def load(file: str | None, environment: Mapping[str, str]) -> Source:
    """Find and read the configuration text; see `find_file` and `read_file`."""
    return read_file(find_file(file, environment))


def configure(
    source: str | Source,
    host: Host,
    check_endpoint: CheckEndpoint,
    check_tls: Callable[[TLS], object] = lambda _: None,
    load_parser: Callable[[str], str | None] = str,
    look_at_state: Callable[[Settings], State] = lambda _: State(),
    check_secret: CheckSecret = lambda _: None,
    check_ca: Callable[[str], object] = lambda _: None,
) -> Configuration:
    """Make sense of a configuration on this host.

    Args:
        source: What was read; or a text alone, which has no name.
        host: Where executables and users are looked for.
        check_endpoint: Raises a ValueError for an endpoint that cannot be.
        check_tls: Raises a ValueError for certificates and keys that are no good; asked only if a listener needs them.
        load_parser: Raises a ValueError for a parser that is none; None is for a command that does without.
        look_at_state: Says what is known of the state directory.
        check_secret: Raises a ValueError for a hook's secret that is no good; returns what to warn of, if anything.
        check_ca: Raises a ValueError for a file without authorities.

    Raises:
        Mistakes: All that is wrong.
    """
    reader = TomlReader(source) if isinstance(source, str) else source.reader()
    settings = defaults.settings_of(reader)
    if settings is None:
        raise Mistakes(reader.in_order(reader.mistakes))
    listening = ListenerChecks(
        reader, host, check_endpoint, knows_certificates=settings.tls.client_ca is not None
    ).listening(settings.listen, is_none_needed=settings.fleet.server is not None)
    programs = CommandChecks(reader, host, load_parser, may_gain_rights=not settings.runner.process)
    commands = [programs.command(name, each) for name, each in settings.commands.items() if each]
    check_sources(reader, commands, settings.commands)
    good = {command.name: command for command in commands if ("commands", command.name) not in reader.mistaken}
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
    proxies = ProxyChecks(reader)
    trusted = proxies.trusted(settings.web)
    fleets = FleetChecks(reader, host)
    site, fleet_host = others.site(settings.site), fleets.host(settings.fleet)
    fleet_member = fleets.member(settings.fleet)
    receivers = tuple(forwards.receivers(reader, settings.audit.forward, check_ca))
    check_allowances(reader, settings)
    if reader.mistakes:
        raise Mistakes(reader.in_order(reader.mistakes))
    state = look_at_state(settings)
    defaults.without_effect(reader, settings)
    others.known(state)
    opened = listening if fleet_member is None else [*listening, SOCKET]
    effects.without_effect(reader, settings, opened)
    proxies.without_effect(settings.web, trusted, listening)
    permissions.without_effect(settings.roles, opened, state.users)
    checks.without_effect(hooks, listening)
    warnings = tuple(reader.in_order(reader.warnings))
    return Configuration(
        settings=settings,
        site=site,
        listening=tuple(listening),
        commands=tuple(commands),
        roles=tuple(roles),
        max_startups=startups,
        penalty_exempt=exempt,
        warnings=warnings,
        hooks=tuple(hooks),
        receivers=receivers,
        fleet_host=fleet_host,
        fleet_member=fleet_member,
        trusted_proxies=trusted,
    )


def read_fleet(source: Source, host: Host) -> tuple[Settings, FleetHost, FleetMember | None]:
    """Make sense of ``[fleet]`` alone, for who has to do with the bus and with no command.

    Returns:
        All that the file says, unchecked but for that; the names; and where the bus is, if there is one.

    Raises:
        Mistakes: It is no TOML, or ``[fleet]`` has some; others are no matter.
    """
    reader = source.reader()
    settings = defaults.settings_of(reader)
    if settings is None:
        raise Mistakes(reader.mistakes)
    checks = FleetChecks(reader, host)
    found = settings, checks.host(settings.fleet), checks.member(settings.fleet)
    if bad := [each for each in reader.mistakes if each.path[:1] == ("fleet",)]:
        raise Mistakes(bad)
    return found


def _triggers(commands: Iterable[Command], hooks: Iterable[Hook]) -> Mapping[str, Sequence[str]]:
    """Say what each caller that is no person asks for, by its name."""
    scheduled = tuple(command.name for command in commands if command.schedule)
    return {
        **({SCHEDULE: scheduled} if scheduled else {}),
        **{f"{HOOK_PREFIX}{hook.name}": (hook.command,) for hook in hooks},
    }
