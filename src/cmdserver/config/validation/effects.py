"""What is written in a good file and has no effect: keys and tables that no listener, and no command, goes by.

Nothing here is a mistake. A command's own are `commands`' matter, and a role's `roles`'.
"""

from collections.abc import Callable, Mapping, Sequence

from cmdserver.config.decoding import TomlReader
from cmdserver.config.schema.callers import RoleSettings
from cmdserver.config.schema.host import TLS, HistorySettings, Limits, Runner, Web
from cmdserver.config.schema.settings import Settings
from cmdserver.core.listening import Listening, Login
from cmdserver.core.protocols import Protocol
from cmdserver.core.run_states import Keep

_Listeners = Sequence[Listening]


def _speaks(*protocols: Protocol) -> Callable[[_Listeners], bool]:
    return lambda listening: any(each.protocol in protocols for each in listening)


def _requires_login(listening: _Listeners) -> bool:
    return any(each.login is Login.REQUIRED for each in listening)


def _takes_login(listening: _Listeners) -> bool:
    return any(each.login is not Login.NEVER for each in listening)


#: Keys of ``[limits]``: which listeners it takes for them to count, and what is to be said where there are none.
_LIMITS: Mapping[str, tuple[Callable[[_Listeners], bool], str]] = {
    "unauthenticated": (_requires_login, "no listener requires a login"),
    "unauthenticated_per_source": (_requires_login, "no listener requires a login"),
    "penalty_exempt": (_takes_login, "no listener takes a login"),
    "login_attempts": (_speaks(Protocol.SSH), "only SSH takes more than one, and no listener speaks it"),
    "line_bytes": (_speaks(Protocol.LINE, Protocol.SSH, Protocol.NRPE), "no listener reads lines"),
    "request_bytes": (_speaks(Protocol.WEB), "no listener speaks web"),
}


def without_effect(reader: TomlReader, settings: Settings, listening: _Listeners) -> None:
    """Warn of all of them."""
    _tls(reader, settings, listening)
    if settings.web != Web() and not _speaks(Protocol.WEB)(listening):
        reader.warn(("web",), "is without effect: no listener speaks it")
    for key, (counts, why) in _LIMITS.items():
        if getattr(settings.limits, key) != getattr(Limits(), key) and not counts(listening):
            reader.warn(("limits", key), f"is without effect: {why}")
    _people(reader, settings, listening)
    if settings.history != HistorySettings() and not any(_keeps_some(each) for each in settings.commands.values()):
        reader.warn(("history",), 'is without effect: every command says history = "none"')
    if settings.runner.daemon_user != Runner().daemon_user and not settings.runner.process:
        text = "is without effect: without the runner process the daemon stays who starts it"
        reader.warn(("runner", "daemon_user"), text)
    for name, role in settings.roles.items():
        if role is not None and not _gives_anything(role):
            reader.warn(("roles", name), "gives nothing: it lists no commands")


def _tls(reader: TomlReader, settings: Settings, listening: _Listeners) -> None:
    secure = [each for each in listening if each.tls]
    if settings.tls != TLS() and not secure:
        reader.warn(("tls",), "is without effect: no listener says tls = true")
    elif settings.tls.client_ca is not None and not _takes_login(secure):
        reader.warn(("tls", "client_ca"), "is without effect: no listener with tls = true takes a login")


def _people(reader: TomlReader, settings: Settings, listening: _Listeners) -> None:
    """Look at what is for people alone, who come by the web and by SSH."""
    if _speaks(Protocol.WEB, Protocol.SSH)(listening):
        return
    if settings.site.notice:
        reader.warn(("site", "notice"), "is without effect: no listener speaks web or ssh, which show it")
    for name, command in settings.commands.items():
        if command is not None and command.confirm is not None:
            text = "is without effect: no listener speaks web or ssh, which ask people"
            reader.warn(("commands", name, "confirm"), text)


def _keeps_some(command: object) -> bool:
    return getattr(command, "history", None) is not Keep.NONE


def _gives_anything(role: RoleSettings) -> bool:
    return bool(role.commands or role.sees or role.stops)
