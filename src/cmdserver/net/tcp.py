"""How a connection answers and ends as fast as TCP allows, without losing anything.

Twisted's transport waits for the reactor to hear from the kernel that there is room. That is right for bulk, and costs
an answer of a few hundred bytes a turn of the reactor and three system calls. The send buffer of a connection that
lives for one answer is empty. What finds no room goes Twisted's way.

Rests on how `twisted.internet.abstract.FileDescriptor` keeps what it has to send; ``tests/net/test_tcp.py`` fails where
that changes.
"""

from typing import Any, Final, Protocol, runtime_checkable

from twisted.internet import tcp
from twisted.internet.interfaces import IListeningPort
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

#: Seconds that a client may take to read and close after it was told everything. To close at once while bytes of the
#: client's are unread makes the kernel send a reset, which can overtake the answer (RFC 9112, section 9.6).
LINGER_SECONDS: Final = 2.0

_DONE: Final = Failure(CONNECTION_DONE)


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
            self.loseConnection()
            return
        self.connected, self.disconnected = 0, 1
        self.producer = None
        self.stopReading()
        protocol, connection = self.protocol, self.socket
        del self.protocol, self.socket, self.fileno
        connection.close()
        protocol.connectionLost(_DONE)


def make_prompt(port: IListeningPort) -> None:
    """Have a port's connections be prompt, if it is one of TCP."""
    if isinstance(port, tcp.Port):
        port.transport = PromptServer


def close_at_once(transport: Any) -> None:
    """Close a connection, at once if it can do that; see `PromptServer.close_at_once`."""
    if isinstance(transport, PromptServer):
        transport.close_at_once()
    else:
        transport.loseConnection()
