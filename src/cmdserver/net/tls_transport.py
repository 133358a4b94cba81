"""TLS around a protocol that was written for TCP, half-closing included.

Twisted's TLS ends a connection as soon as the client ends its input, and cannot end the output alone: the client of
``echo uptime | ncat --ssl`` would get nothing. Here each direction ends by itself:

* The client ends its input with a close_notify (socat, s_client without -quiet) or with nothing but a FIN (ncat).
  A FIN can be forged by whoever is on the way, so after one `TLSTransport.is_input_cut` tells that what seems to be
  the last line may be half of it.
* We end our output with a close_notify and a FIN, and go on to read. `loseConnection` does the same and then waits for
  the client's end, but not for long: to close at once with bytes unread would make the kernel send a reset, and the
  answer could be lost with it (RFC 9112, section 9.6).

A client that speaks no TLS is told so in its own words, by a protocol inside that is a `PlainTextReceiver`: its first
byte is a letter, and no record of TLS begins with one (RFC 8446, section 5.1).

It rests on private names of Twisted's, all in `TLSTransport`; `tests.net.test_tls_transport` says which.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Final

from OpenSSL.SSL import Error, WantReadError, ZeroReturnError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.net.tcp import LINGER_SECONDS, PlainTextReceiver

#: How long a client that is to be sent away may take for the handshake, without which it cannot be told why.
FAREWELL_SECONDS: Final = 3.0
#: More than a record can hold.
_READ_BYTES: Final = 1 << 15


@implementer(IHalfCloseableProtocol)
class TLSTransport(TLSMemoryBIOProtocol):
    """The transport of the protocol inside, and the protocol of the transport outside.

    To the one inside it is as TCP's, with these differences. ``connectionMade`` comes before the handshake; one that
    provides IHandshakeListener is told of its end. What is written before that waits, and counts as too much for the
    client. ``getHandle()`` is OpenSSL's, which knows a ``fileno()``; nothing may be sent through it.
    """

    #: The client's input ended without a close_notify: its last bytes may be missing.
    is_input_cut = False

    factory: "TLSFactory"
    transport: Any
    wrappedProtocol: Any

    # Ten thousand connections: what is as it was at first stays in the class.
    _has_heard = False
    _is_plain = False
    _is_input_over = False
    _is_output_over = False
    _is_leaving = False
    _is_gone = False
    _timer: IDelayedCall | None = None

    # What the protocol inside asks

    def write(self, data: bytes) -> None:
        if not self._is_output_over:
            super().write(data)

    def loseWriteConnection(self) -> None:
        """End our output when all of it was sent; go on to read."""
        super().loseConnection()

    def loseConnection(self) -> None:
        """Send what is left, close, and drop further input."""
        if self._is_leaving or not self.connected:
            return
        self._is_leaving = True
        if self._is_output_over:
            self.transport.loseConnection()
            return
        super().loseConnection()
        if self._aborted:
            return
        if not self._handshakeDone:
            self._within(FAREWELL_SECONDS, self.abortConnection)
        if not self._is_input_over:
            self.transport.resumeProducing()  # the client's end is to be seen

    # What the transport outside tells

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of TLS; the first of all say whether they are."""
        if not self._has_heard:
            self._has_heard = True
            if data[:1].isalpha() and isinstance(self.wrappedProtocol, PlainTextReceiver):
                self._answer_plain(self.wrappedProtocol, data)
        if not self._is_plain:
            super().dataReceived(data)

    def readConnectionLost(self) -> None:
        """A FIN without a close_notify ends the input too; see `is_input_cut`."""
        if self._is_input_over:
            return
        if self._is_plain:
            self.transport.loseConnection()
        elif self._handshakeDone and (self._is_leaving or self._is_half_closeable):
            self.is_input_cut = True
            self._input_ended()
        else:
            self._reason = Failure(CONNECTION_LOST)
            self.abortConnection()

    def writeConnectionLost(self) -> None:
        """All of our output was sent, and its end too."""
        if self._is_leaving:
            self._within(LINGER_SECONDS, self.transport.loseConnection)
        elif self._is_half_closeable:
            self.wrappedProtocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Bytes may be left that were not given to the protocol inside, as it has raised something: it wants none."""
        self._is_gone = True
        self._forget_timer()
        self._is_input_over |= self._is_leaving  # that the client did not say goodbye is no news then
        super().connectionLost(reason)

    # Twisted's private names

    def _flushReceiveBIO(self) -> None:
        """Take from OpenSSL what it has for the protocol inside; differs from Twisted's in how the input ends."""
        while not (self._lostTLSConnection or self._is_input_over):
            try:
                data = self._tlsConnection.recv(_READ_BYTES)
            except WantReadError:
                break
            except ZeroReturnError:
                self._input_ended()
            except Error:
                self._tlsShutdownFinished(Failure())
            else:
                if not (self._aborted or self._is_leaving or self._is_gone):
                    self.wrappedProtocol.dataReceived(data)
        if self.connected:  # TCP's loseConnection after a half-close takes effect at once
            self._flushSendBIO()

    def _shutdownTLS(self) -> None:
        """End our output, all of which was given to the transport outside; part if the client has ended its own."""
        if self._is_output_over or not self.connected:
            return
        self._is_output_over = True
        with contextlib.suppress(Error):  # in the middle of a handshake there is nothing to end
            self._tlsConnection.shutdown()
        self._flushSendBIO()
        if self._aborted:
            return  # the connection ends anyhow
        if self._is_input_over:
            self.transport.loseConnection()
        elif self._is_told_of_halves:
            self.transport.loseWriteConnection()
        elif self._is_leaving:
            self.transport.loseConnection()
        else:
            self.writeConnectionLost()

    # Both

    def _answer_plain(self, inside: PlainTextReceiver, data: bytes) -> None:
        """Let a client that speaks no TLS read why it gets nothing, and drop what else it sends."""
        answer = inside.answer_plain(data)
        self._is_plain = self._is_leaving = self._is_output_over = True
        self.transport.write(answer)
        if self._is_told_of_halves:
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def _input_ended(self) -> None:
        self._is_input_over = True
        if self._is_leaving:
            if self._is_output_over:
                self.transport.loseConnection()
        elif self._is_half_closeable and not self._is_gone:
            self.wrappedProtocol.readConnectionLost()
        else:
            self._shutdownTLS()
            self._tlsShutdownFinished(None)

    @property
    def _is_half_closeable(self) -> bool:
        return IHalfCloseableProtocol.providedBy(self.wrappedProtocol)

    @property
    def _is_told_of_halves(self) -> bool:
        """Whether the transport outside says when its output has ended; a wrapper like PROXY's may not pass it on."""
        return not isinstance(self.transport, ProtocolWrapper) or IHalfCloseableProtocol.providedBy(self.transport)

    def _within(self, seconds: float, call: Callable[[], object]) -> None:
        self._forget_timer()
        self._timer = self.factory.clock.callLater(seconds, call)

    def _forget_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


class TLSFactory(TLSMemoryBIOFactory):
    """Makes connections that speak TLS for a factory that knows nothing of it.

    Its ``acceptableProtocols()``, if it provides IProtocolNegotiationFactory, are what clients can choose from by ALPN.
    """

    protocol = TLSTransport

    def __init__(
        self, factory: IProtocolFactory, credentials: IOpenSSLServerConnectionCreator, clock: IReactorTime
    ) -> None:
        super().__init__(credentials, isClient=False, wrappedFactory=factory, clock=clock)
        self.clock = clock

    def buildProtocol(self, addr: IAddress | None) -> TLSTransport | None:  # type: ignore[override] # as IProtocolFactory
        inside = self.wrappedFactory.buildProtocol(addr)
        return None if inside is None else self.protocol(self, inside)
