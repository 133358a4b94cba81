"""How a connection begins, answers and ends as fast as TCP allows, without losing anything.

Twisted's transport waits for the reactor to hear from the kernel that there is room. That is right for bulk, and costs
an answer of a few hundred bytes a turn of the reactor and three system calls. The send buffer of a connection that
lives for one answer is empty. What finds no room goes Twisted's way.

Rests on how `twisted.internet.abstract.FileDescriptor` keeps what it has to send; ``tests/net/test_tcp.py`` fails where
that changes.
"""

from socket import AF_INET, SOCK_STREAM, socket
from typing import Any, Final, Protocol, runtime_checkable

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IListeningPort
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.posixbase import PosixReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure

#: Seconds that a client may take to read and close after it was told everything. To close at once while bytes of the
#: client's are unread makes the kernel send a reset, which can overtake the answer (RFC 9112, section 9.6).
LINGER_SECONDS: Final = 2.0

#: Connections that are accepted in one turn of the reactor.
_MOST_ACCEPTED: Final = 64
#: Turns in a row in which there were as many as were looked for, until one more is looked for.
_FULL_TURNS: Final = 32

_DONE: Final = Failure(CONNECTION_DONE)

_log = Logger()


@runtime_checkable
class PlainTextReceiver(Protocol):
    """A protocol inside TLS that has something to say to clients that do not speak it."""

    def answer_plain(self, data: bytes) -> bytes:
        """Return what such a client is told, in its own words; the connection is closed behind that.

        Args:
            data: The first bytes that it has sent; they begin with a letter.
        """
        raise NotImplementedError


class PromptServer(tcp.Server):
    """One accepted connection."""

    protocol: Any

    def __init__(self, connection: socket, protocol: Any, client: Any, port: Any, number: int, reactor: Any) -> None:
        tcp.Connection.__init__(self, connection, protocol, reactor)
        if len(client) != 2:  # noqa: PLR2004 - an address and a port
            self._addressType = IPv6Address
        self.server, self.client, self.sessionno = port, client, number
        self.hostname = client[0]
        self.logstr = self.repstr = f"{protocol.__class__.__name__},{number},{client[0]}"
        self.startReading()
        self.connected = 1

    def write(self, data: bytes) -> None:
        """Send bytes, as many as the kernel takes now, and the others when it has room."""
        # No function of its own says whether something waits for room: each piece of output comes here.
        if (
            self._tempDataLen
            or self.dataBuffer
            or self.TLS
            or not self.connected
            or self._writeDisconnected
            or not data
        ):
            super().write(data)
            return
        try:
            sent = self.socket.send(data)
        except OSError:  # no room, or nobody there: the reactor will say
            sent = 0
        if sent < len(data):
            super().write(data[sent:])

    def close_at_once(self) -> None:
        """Close the connection before this returns, if all is sent; else when it is.

        The protocol's ``connectionLost`` is called from within, so this is the last that may be done.
        """
        is_waiting = self._tempDataLen or self.dataBuffer
        if is_waiting or self.TLS or self._writeDisconnecting or not self.connected or self.disconnecting:
            self.unregisterProducer()
            self.loseConnection()
            return
        self.connected, self.disconnected = 0, 1
        self.producer = None
        self.stopReading()
        protocol, connection = self.protocol, self.socket
        del self.protocol, self.socket, self.fileno
        connection.close()
        protocol.connectionLost(_DONE)


class PromptPort(tcp.Port):
    """A listening socket, which accepts as many IPv4 clients in a turn as there have lately been."""

    transport: Any = PromptServer
    #: How many are accepted in a turn at most, and for how many turns there have been so many.
    _batch = 1
    _full_turns = 0

    def doRead(self) -> None:
        if self.addressFamily != AF_INET:
            super().doRead()
            return
        listening: Any = self.socket
        accepted = 0
        while accepted < self._batch:
            try:
                # Not accept(), which makes enums of the socket's family and type for each connection.
                descriptor, address = listening._accept()  # noqa: SLF001
            except BlockingIOError:
                break
            except OSError:  # no descriptor left, say, which takes Twisted's reserve
                super().doRead()
                break
            accepted += 1
            try:
                self._connected(socket(AF_INET, SOCK_STREAM, 0, descriptor), address)
            except Exception:  # noqa: BLE001 - whatever it is, it is one connection's
                _log.failure("a connection could not be begun")
        self._learn(accepted)

    def _connected(self, connection: socket, address: tuple[str, int]) -> None:
        factory: Any = self.factory
        protocol = None
        try:
            protocol = factory.buildProtocol(IPv4Address("TCP", *address))
        finally:
            if protocol is None:
                connection.close()
        if protocol is None:
            return
        self.sessionno = number = self.sessionno + 1
        protocol.makeConnection(PromptServer(connection, protocol, address, self, number, self.reactor))

    def _learn(self, accepted: int) -> None:
        """Accept more at a time where there are more: to look for one more in vain is a system call for each."""
        if accepted < self._batch:
            self._batch, self._full_turns = max(1, accepted), 0
        elif self._full_turns < _FULL_TURNS:
            self._full_turns += 1
        else:
            self._batch, self._full_turns = min(2 * self._batch, _MOST_ACCEPTED), 0


class _PromptPorts:
    """A reactor but for its TCP ports.

    Args:
        reactor: Twisted's.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> IListeningPort:
        """See `twisted.internet.interfaces.IReactorTCP`."""
        listening = PromptPort(port, factory, backlog, interface, self._reactor)
        listening.startListening()
        return listening


def with_prompt_ports(reactor: Any) -> Any:
    """Return a reactor for endpoints, whose TCP ports are `PromptPort` if it watches descriptors."""
    return _PromptPorts(reactor) if isinstance(reactor, PosixReactorBase) else reactor


def make_prompt(port: IListeningPort) -> None:
    """Have the connections of a port be prompt that somebody else has opened, if it is one of TCP."""
    if isinstance(port, tcp.Port) and port.transport is tcp.Server:  # and not one of UNIX sockets, which is one, too
        prompt: Any = PromptServer
        port.transport = prompt


def close_at_once(transport: Any) -> None:
    """Close a connection, at once if it can do that, and forget its producer; see `PromptServer.close_at_once`."""
    if transport.__class__ is PromptServer:
        transport.close_at_once()
    else:
        transport.unregisterProducer()
        transport.loseConnection()
