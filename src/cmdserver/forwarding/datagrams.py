"""Datagrams, over UDP and to UNIX sockets: each is one message, sent without waiting.

The socket is connected, so the kernel tells what it hears of the receiver: that nobody listens there (ICMP), or that
its queue is full. What the network loses without a word nobody knows.
"""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from zope.interface import implementer

from cmdserver.forwarding.channel import Owner, reason_of
from cmdserver.forwarding.syslog import cut_to

#: What any socket takes, where its buffer or the path allows less than `syslog.MOST_BYTES`.
_SURE_BYTES: Final = 8_192

#: Sends what is too large for a datagram; raises an OSError.
SendLarge = Callable[[socket.socket, bytes], None]


@implementer(IReadDescriptor, IWriteDescriptor)
class DatagramChannel:
    """A connected socket.

    Args:
        owner: Whose it is.
        send_large: How what is too large for a datagram is sent; None: what fits is, with a mark that it was cut.
    """

    def __init__(self, reactor: Any, channel: socket.socket, owner: Owner, send_large: SendLarge | None = None) -> None:
        self._reactor = reactor
        self._socket = channel
        self._owner = owner
        self._send_large = send_large
        reactor.addReader(self)

    def send(self, message: bytes) -> bool:
        """See `Channel`."""
        try:
            self._send(message)
        except BlockingIOError:
            self._reactor.addWriter(self)
            return False
        except OSError as error:
            self._tell(error)
            return False
        return True

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            if self._send_large is not None:
                self._send_large(self._socket, message)
            else:
                self._socket.send(cut_to(message, _SURE_BYTES))

    def close(self) -> Deferred[None]:
        """See `Channel`: what was sent has left."""
        self.abort()
        return succeed(None)

    def abort(self) -> None:
        """See `Channel`."""
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._socket.close()

    # IReadDescriptor and IWriteDescriptor

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """Say who does something, in Twisted's log."""
        return type(self).__name__

    def doRead(self) -> None:
        """Hear that a datagram did not arrive; what a receiver says itself is dropped."""
        try:
            with suppress(BlockingIOError):
                self._socket.recv(1)
        except OSError as error:
            self._tell(error)

    def doWrite(self) -> None:
        """There is room again."""
        self._reactor.removeWriter(self)
        self._owner.ready()

    def connectionLost(self, reason: Any) -> None:
        """The reactor has had trouble with the socket."""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._tell(OSError(number, os.strerror(number)) if number else reason.value)

    def _tell(self, error: BaseException) -> None:
        """Tell that there is no way; over UDP it is a datagram that was sent before, which has not arrived."""
        is_refused = isinstance(error, ConnectionRefusedError) and self._socket.family != socket.AF_UNIX
        self._owner.gone(reason_of(error), lost=int(is_refused))


def open_unix(path: str) -> socket.socket:
    """Open a socket that is connected to a UNIX socket of datagrams.

    Raises:
        OSError: There is none, or it is of another kind.
    """
    return _connected(socket.AF_UNIX, path)


def open_udp(family: int, address: tuple[Any, ...]) -> socket.socket:
    """Open a socket that is connected to an address.

    Raises:
        OSError: There is no way to it.
    """
    return _connected(family, address)


def _connected(family: int, address: Any) -> socket.socket:
    channel = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        channel.connect(address)
    except BaseException as error:
        channel.close()
        if isinstance(error, OSError) and error.errno == errno.EPROTOTYPE:
            raise OSError(errno.EPROTOTYPE, "it is a socket of another kind than one of datagrams") from error
        raise
    return channel
