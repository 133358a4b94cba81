"""What a person types to try a listener: a command that there is, asked for by somebody who may run it.

Pure: who may run what is asked of a function.
"""

import os
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from twisted.internet.interfaces import IAddress

from cmdserver.auth.callers import suppose
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller, Command
from cmdserver.net.listener import endpoint_of
from cmdserver.parameters.mistakes import BadValues


class Place(Struct, frozen=True):
    """Where a client on this host finds a listener."""

    #: ``host:port``, or ``[host]:port``; empty for a UNIX socket.
    endpoint: str
    host: str
    port: str
    #: The UNIX socket's path; empty for TCP.
    path: str
    #: Whether each connection has to begin with a header of the PROXY protocol.
    is_proxied: bool = False


class Trial(Struct, frozen=True):
    """Who asks for what."""

    #: None: nobody in particular.
    user: str | None
    #: A command that takes no values; None: there is none that they may run.
    command: str | None


def place_of(address: IAddress, *, is_proxied: bool = False) -> Place:
    """Say where an address is that somebody listens at."""
    if hasattr(address, "port"):
        host, _, port = endpoint_of(address, " ").partition(" ")
        return Place(endpoint_of(address), host, port, "", is_proxied)
    return Place("", "localhost", "", os.fsdecode(getattr(address, "name", b"") or b""), is_proxied)


def choose_trial(login: Login, users: Iterable[str], allowed: Callable[[Caller], Sequence[Command]]) -> Trial | None:
    """Choose who tries a listener: whoever needs no login, else the first user; and with what.

    Args:
        login: Whether the listener asks for one.
        users: Who may log in there, the most likely first.
        allowed: Says what a caller may run.

    Returns:
        None: Nobody can.
    """
    strangers: list[str | None] = [] if login is Login.REQUIRED else [None]
    callers = [*strangers, *(users if login is not Login.NEVER else ())]
    for name in callers:
        commands = [each.name for each in allowed(suppose(name)) if each.read_only and _takes_nothing(each)]
        if commands:
            return Trial(name, commands[0])
    return Trial(callers[0], None) if callers else None


def _takes_nothing(command: Command) -> bool:
    """Whether a command can be asked for without values."""
    try:
        command.parameters.bind(())
    except BadValues:
        return False
    return True
