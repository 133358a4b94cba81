"""Streams: TCP and TLS. A receiver that does not read holds up this channel alone, and gets no more than its share.

Syslog over TCP is not acknowledged: what the kernel had taken when a connection broke may not have arrived, and nobody
knows. So the kernel is given little at a time, and told to give a receiver up that is silent.
"""

import socket
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IProtocolFactory, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.forwarding.channel import Owner, reason_of
from cmdserver.forwarding.syslog import octet_counted

#: In the kernel, which doubles it (socket(7)).
_SEND_BUFFER_BYTES: Final = 1 << 16
#: Without an acknowledgement, or without room at the receiver (tcp(7), TCP_USER_TIMEOUT).
_SILENT_MILLISECONDS: Final = 120_000
#: Until TLS has begun.
_HANDSHAKE_SECONDS: Final = 15.0


@implementer(IHandshakeListener, IPushProducer)
class StreamChannel(Protocol):
    """A connection.

    Args:
        owner: Whose it is.
        opened: Fires with the channel when it can send.
        is_tls: Whether TLS comes first.
    """

    def __init__(self, reactor: Any, owner: Owner, opened: "Deferred[StreamChannel]", *, is_tls: bool) -> None:
        self._reactor = reactor
        self._owner: Owner | None = owner
        self._opened: Deferred[StreamChannel] | None = opened
        self._is_tls = is_tls
        self._is_paused = False
        self._closed: Deferred[None] | None = None
        self._deadline: Any = None
        self._is_lost = False

    def failed(self, failure: Failure) -> None:
        """Hear that there was no connection at all."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.errback(failure)

    def send(self, message: bytes) -> bool:
        """See `Channel`."""
        if self._is_paused:
            return False
        self.transport.write(octet_counted(message))  # type: ignore[union-attr]
        return True

    def close(self) -> Deferred[None]:
        """See `Channel`."""
        self._owner = None
        self._closed = Deferred(lambda _: self._close_at_once())
        # With a producer, TLS would wait for it.
        self.transport.unregisterProducer()  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]
        return self._closed

    def abort(self) -> None:
        """See `Channel`."""
        self._owner = None
        self._abort()

    # IProtocol and IHandshakeListener

    def connectionMade(self) -> None:
        """Bound what the kernel keeps."""
        # Of TLS, the transport that carries it.
        transport: Any = getattr(self.transport, "transport", self.transport)
        with suppress(OSError, AttributeError):
            handle = transport.getHandle()
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MILLISECONDS)
        if self._is_tls:
            self._deadline = self._reactor.callLater(_HANDSHAKE_SECONDS, self._give_up)
        else:
            self._open()

    def handshakeCompleted(self) -> None:
        """TLS has begun, and the certificate is good."""
        self._open()

    def dataReceived(self, data: bytes) -> None:
        """Drop it: receivers have nothing to say."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell it to whoever wants to know."""
        self._is_lost = True
        self._stop_clock()
        opened, self._opened = self._opened, None
        closed, self._closed = self._closed, None
        owner, self._owner = self._owner, None
        if opened is not None:
            opened.errback(reason)
        elif owner is not None:
            owner.gone(f"{reason_of(reason.value)}; what was on its way then may be lost")
        if closed is not None:
            closed.callback(None)

    # IPushProducer

    def pauseProducing(self) -> None:
        """The receiver does not read as fast."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """It has caught up."""
        self._is_paused = False
        if self._owner is not None:
            self._owner.ready()

    def stopProducing(self) -> None:
        """`connectionLost` follows."""

    def _open(self) -> None:
        self._stop_clock()
        opened, self._opened = self._opened, None
        if opened is not None:
            self.transport.registerProducer(self, True)  # type: ignore[union-attr]
            opened.callback(self)

    def _give_up(self) -> None:
        self._deadline = None
        opened, self._opened = self._opened, None
        self._abort()
        if opened is not None:
            opened.errback(TimeoutError(f"no answer to TLS within {_HANDSHAKE_SECONDS:g} s"))

    def _stop_clock(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _close_at_once(self) -> None:
        self._closed = None
        self._abort()

    def _abort(self) -> None:
        if self.transport is not None and not self._is_lost:
            self.transport.abortConnection()  # type: ignore[attr-defined]


@implementer(IProtocolFactory)
class StreamFactory:
    """Makes the one channel of a connection."""

    noisy = False

    def __init__(self, channel: StreamChannel) -> None:
        self._channel: StreamChannel | None = channel

    def doStart(self) -> None:
        """Twisted asks for it."""

    def doStop(self) -> None:
        """Twisted asks for it."""

    def buildProtocol(self, addr: object) -> StreamChannel | None:  # noqa: ARG002 - as Twisted calls it
        """Return it, once: of two addresses that answer at the same time the other one is not wanted."""
        channel, self._channel = self._channel, None
        return channel
