"""The front end of an SSH listener: its host keys, and which clients are accepted."""

import os
from collections.abc import Iterable
from typing import Any

from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.errors import Busy, Throttled
from cmdserver.frontends.common.interface import FrontEnd, FrontEndContext, FrontEndResources
from cmdserver.frontends.ssh.connection import SSHConnection
from cmdserver.net.connection_table import Connections
from cmdserver.net.listener import charged_source_of, endpoint_of, source_of
from cmdserver.net.ssh_host_keys import HostKey, read_host_keys, require_host_keys

#: Clients for whom there is no room and who are told so, at once; the rest are closed without a word.
MOST_PARTING = 100
#: What sshd says to those; RFC 4253, section 4.2, allows lines before the version, and clients show them on demand.
NOT_NOW = b"Not allowed at this time\r\n"


class SSHFrontEnd(FrontEnd):
    """What all connections of one SSH listener share.

    Args:
        listener_auth: Makes callers of its clients.
        context: What all front ends share.
        host_keys: What it proves itself with, the best first.
    """

    def __init__(self, listener_auth: ListenerAuth, context: FrontEndContext, host_keys: Iterable[HostKey]) -> None:
        self._listener_auth = listener_auth
        self._context = context
        keys = [Key(key) for key in host_keys]
        self.privateKeys = {key.sshType(): key for key in keys}
        self.publicKeys = {key.sshType(): key.public() for key in keys}
        self._connections: Connections[SSHConnection] = Connections(
            listener_auth.name, context.connection_limit, context.liveness, context.clock
        )
        self._parting: set[Protocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Let a client begin, unless there is no room or it has to wait."""
        source, charged = source_of(addr), charged_source_of(addr)
        try:
            self._listener_auth.arrive(charged)
        except (Busy, Throttled):
            return self._turn_away()
        try:
            self._connections.enter(source)
        except Busy:
            self._listener_auth.settle(charged)
            return self._turn_away()
        connection = SSHConnection(self._listener_auth, self._context, self._connections, source, charged)
        connection.factory = self
        return connection

    def _turn_away(self) -> Protocol | None:
        return _TurnedAway(self._parting) if len(self._parting) < MOST_PARTING else None

    def close(self) -> None:
        """See `FrontEnd`."""
        self._connections.close_when_idle()

    def example_command(self, address: IAddress, command: str) -> str:
        """See `FrontEnd`."""
        if isinstance(address, IPv4Address | IPv6Address):
            host, _, port = endpoint_of(address, " ").partition(" ")
            return f"ssh -p {port} admin@{host} {command}"
        path = os.fsdecode(getattr(address, "name", b"") or b"")
        return f"ssh -o ProxyCommand='nc -U {path}' admin@localhost {command}"


class _TurnedAway(Protocol):
    """A client for whom there is no room; it does not count as connected."""

    transport: Any

    def __init__(self, parting: set[Protocol]) -> None:
        self._parting = parting

    def connectionMade(self) -> None:
        self._parting.add(self)
        self.transport.write(NOT_NOW)
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - IProtocol has it
        self._parting.discard(self)


def make(
    listener_auth: ListenerAuth, context: FrontEndContext, resources: FrontEndResources, _certificate_of: object
) -> FrontEnd:
    """Make the front end of an SSH listener.

    Raises:
        CannotStart: The host keys cannot be read or made.
    """
    return SSHFrontEnd(listener_auth, context, read_host_keys(require_host_keys(resources.state_directory)))
