"""What all front ends do in the same way: accept and refuse connections, and close."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Busy, Refusal, Throttled
from cmdserver.core.model import Caller
from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.common.interface import CertificateOf, FrontEndContext
from cmdserver.frontends.common.interpreter import Interpreter
from cmdserver.frontends.common.login_session import CERTIFICATE_REFUSED, Client, LoginSession
from cmdserver.limits.source_filter import SourceFilter
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.connection_table import Connections
from cmdserver.net.listener import UNKNOWN, charged_source_of, source_of
from cmdserver.net.tcp import LINGER_SECONDS

#: Connections of one listener that are refused and open until the client knows why (over TLS that takes a handshake).
#: When there are more, new ones are closed at once.
MOST_REFUSED: Final = 100


class FrontEnd(Factory):
    """The factory of one listener's connections; without TLS there is no ``certificate_of``."""

    noisy = False
    #: Whether a client reads nothing before it has sent something, as in HTTP.
    client_speaks_first = False
    #: Says where a connection comes from.
    source_of: Callable[[object], str] = staticmethod(source_of)

    def __init__(
        self, listener_auth: ListenerAuth, context: FrontEndContext, certificate_of: CertificateOf | None = None
    ) -> None:
        self.listener_auth = listener_auth
        self.context = context
        self.certificate_of = certificate_of
        self.interpreter = Interpreter(context.dispatcher)
        self.connections: Connections[Any] = Connections(
            listener_auth.name, context.connection_limit, context.liveness, context.clock
        )
        self.source_filter = SourceFilter(listener_auth.place, context.clock)
        #: Refused connections that are still open; they do not count as connected.
        self.refused: set[Protocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Accept a connection, or refuse it; None closes it without a word."""
        source = self.source_of(addr)
        if self.source_filter.refuses(source):
            return None
        is_proxy = self.is_trusted_proxy(source)
        try:
            if is_proxy:
                pending_login = self.listener_auth.pending(UNKNOWN)
            else:
                pending_login = self.listener_auth.arrive(charged_source_of(addr, source))
        except (Busy, Throttled) as refusal:
            return self._refuse(refusal)
        try:
            self.connections.enter(source, is_proxy=is_proxy)
        except Busy as busy:
            pending_login.settle()
            return self._refuse(busy)
        return self.connect(source, pending_login)

    def stopFactory(self) -> None:
        """The last port is closed."""
        self.source_filter.close()

    def _refuse(self, refusal: Refusal) -> Protocol | None:
        return _RefusedConnection(self, refusal) if len(self.refused) < MOST_REFUSED else None

    def log_in_by_certificate(self, transport: Any, source: str, *, can_ask: bool = False) -> Deferred[Caller] | None:
        """Log in a client that has shown a certificate; see `ListenerAuth.log_in_by_certificate`."""
        certificate_of = self.certificate_of
        if certificate_of is None:
            return None
        return self.listener_auth.log_in_by_certificate(
            source, lambda: certificate_of(transport, source), can_ask=can_ask
        )

    def end_login(self, client: Client, login_session: LoginSession | None, reason: Failure) -> None:
        """Charge a client whose connection is lost, and who has not logged in where it must.

        Args:
            client: Its connection.
            login_session: Its login, if that has begun and is not over.
            reason: Why the connection was lost.
        """
        if login_session is not None:
            login_session.leave(Offence.NOAUTH)
        elif self.certificate_of is not None and CERTIFICATE_REFUSED in str(reason.value):
            self.listener_auth.refused_in_handshake(client.source, CERTIFICATE_REFUSED)
            client.pending_login.fail(Offence.AUTHFAIL)
        else:
            client.pending_login.fail(Offence.NOAUTH)

    def close(self) -> None:
        """End every connection, those with a request under way as soon as it is answered; take no new requests."""
        self.connections.close_when_idle()

    # For subclasses

    def is_trusted_proxy(self, source: str) -> bool:  # noqa: ARG002 - for subclasses
        """Whether a source is a proxy that says of each request whose it is; nothing is held against it as a source."""
        return False

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        """Return the protocol of a connection that was accepted and counted.

        Its login is to be settled, at the latest when the connection is lost.
        """
        raise NotImplementedError

    def refusal(self, refusal: Refusal, received: bytes) -> bytes:
        """Return what the client of a refused connection is told.

        Args:
            refusal: Why.
            received: The first bytes that it has sent, of a client that speaks first.
        """
        raise NotImplementedError

    def example(self, place: Place, trial: Trial) -> str | None:
        """Return what a person types to run a command through the listener, or None if no usual client can.

        What follows a ``#`` is for them to read.
        """
        raise NotImplementedError


class _RefusedConnection(Protocol):
    """A connection that is closed as soon as its client has been told why."""

    transport: Any

    def __init__(self, front_end: FrontEnd, refusal: Refusal) -> None:
        self._front_end = front_end
        self._refusal = refusal
        self._is_told = False
        self._timeout: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._front_end.refused.add(self)
        if self._front_end.client_speaks_first:
            self._timeout = self._front_end.context.clock.callLater(LINGER_SECONDS, self.transport.abortConnection)
        else:
            self.transport.write(self._front_end.refusal(self._refusal, b""))
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._timeout is not None and not self._is_told:
            self._is_told = True
            self.transport.write(self._front_end.refusal(self._refusal, data))
            self.transport.loseWriteConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - IProtocol has it
        self._front_end.refused.discard(self)
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
