"""One client of an NRPE listener: one query, one answer, and the end.

    C: a packet: disk!80!/var
    S: a packet: result 1, WARNING: use_percent of /var is 83 (over 80)|…

Over TLS, where the listener requires a login, the client's certificate says who asks. Whoever has shown none is told so
in the answer to whatever they ask, and nothing is run. What is no query is not answered: nobody knows in which version.
"""

from enum import Enum, auto
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import LoginRequired, Malformed, Refusal, RequestError
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.core.output import Answer
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.login_session import LoginSession
from cmdserver.frontends.nrpe import answers
from cmdserver.frontends.nrpe.packets import BadPacket, Packet, Version, parse, serialize
from cmdserver.frontends.nrpe.queries import VERSION_QUERY, words_of
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.tcp import LINGER_SECONDS

#: A query of version 2 has a buffer of this length, and check_nrpe makes all others as long.
_USUAL_BUFFER: Final = 1024

_log = Logger()


class State(Enum):
    """What a connection does."""

    #: TLS is not there yet.
    HANDSHAKE = auto()
    #: The client's certificate is looked at; what it sends waits.
    LOGIN = auto()
    #: Its query has not come, or not all of it.
    READING = auto()
    #: Its query is being answered; what else it sends means nothing.
    BUSY = auto()
    #: All is said, or nobody is there to hear it.
    CLOSING = auto()


_TAKES_BYTES: Final = frozenset({State.HANDSHAKE, State.LOGIN, State.READING})


@implementer(IHandshakeListener, IHalfCloseableProtocol)
class NRPEConnection(Protocol):
    """One client.

    Args:
        front_end: The listener.
        source: Where the client calls from.
        pending_login: Its accounting.
    """

    #: TCP's, or that of something around it.
    transport: Any

    state = State.HANDSHAKE
    #: Who asks, once that is known and they may.
    _caller: Caller | None = None
    #: What who was not let in is told.
    _farewell: bytes | None = None
    _login_session: LoginSession | None = None
    #: Once all of it has come.
    _query: Packet | None = None
    _answering: Deferred[None] | None = None

    def __init__(self, front_end: FrontEnd, source: str, pending_login: PendingLogin) -> None:
        self.source = source
        self.pending_login = pending_login
        self._front_end = front_end
        self._connections = front_end.connections
        self._dispatcher = front_end.context.dispatcher
        self._limits = front_end.context.limits
        self._received = bytearray()

    # Protocol

    def connectionMade(self) -> None:
        self._connections.opened(self)
        self._connections.expect_within(self, self._limits().login_seconds)
        if self._front_end.certificate_of is None:
            self._begin()

    def handshakeCompleted(self) -> None:
        if self.state is not State.HANDSHAKE:
            return
        trying = self._front_end.log_in_by_certificate(self.transport, self.source)
        if trying is None:
            self._begin()
        else:
            self.state = State.LOGIN
            self._login_session = login_session = LoginSession(self._front_end.listener_auth, self)
            login_session.decide(trying)

    def dataReceived(self, data: bytes) -> None:
        """Keep what may be of a query; drop what comes behind it, as nothing is to be asked any more."""
        if self._query is None and self.state in _TAKES_BYTES:
            self._received += data
            self._read()
            self._proceed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cancel what is being answered; charge a client that has not logged in where it must."""
        self._refuse_incomplete()
        self.state = State.CLOSING
        self._front_end.end_login(self, self._login_session, reason)
        self._connections.closed(self)
        if self._answering is not None:
            self._answering.cancel()

    # IHalfCloseableProtocol

    def readConnectionLost(self) -> None:
        """Answer what was asked; a client that ends its input in the middle of a query will ask nothing any more."""
        if self.state is State.CLOSING:
            self.transport.loseConnection()
        elif self._query is None:
            self._refuse_incomplete()
            self._close()
        else:
            self._connections.watch(self)

    def writeConnectionLost(self) -> None:
        self._connections.expect_within(self, LINGER_SECONDS)

    # As called by `LoginSession`

    def say(self, prompt: bytes) -> None:
        """Nothing: nobody is asked anything here."""

    def proceed(self) -> None:
        """Nothing, likewise."""

    def let_in(self, caller: Caller) -> None:
        self._login_session = None
        self._caller = caller
        self._begin()

    def send_away(self, farewell: bytes) -> None:
        self._farewell = farewell
        self._begin()

    def broken(self, failure: Failure) -> None:
        _log.failure("NRPE connection from {source}", failure, source=self.source)
        self.state = State.CLOSING
        self.transport.abortConnection()

    # As called by `Connections`

    def overdue(self) -> None:
        """Close what has taken too long: to ask, or to take the answer."""
        if self._login_session is not None and self._login_session.is_deciding:
            self._login_session.give_up()
        else:
            self.pending_login.fail(Offence.GRACE_EXCEEDED)
        self._refuse_incomplete()
        self.state = State.CLOSING
        self.transport.abortConnection()

    def close_when_idle(self) -> None:
        if self.state is not State.BUSY:
            self._close()

    # One query

    def _begin(self) -> None:
        """Answer the query, of which all may have come by now."""
        if self.state is not State.CLOSING:
            self.state = State.READING
            self._proceed()

    def _read(self) -> None:
        """Make a query of the bytes that have come, or close if they can become none."""
        try:
            self._query = parse(self._received, max(self._limits().line_bytes, _USUAL_BUFFER))
        except BadPacket as bad:
            self._refuse(Malformed(str(bad)))
            self._received.clear()
            self._close()
        if self._query is not None:
            self._received.clear()

    def _proceed(self) -> None:
        if self._query is None or self.state is not State.READING:
            return
        self.state = State.BUSY
        self._connections.expect_nothing(self)
        try:
            self._answer(self._query)
        except Exception:  # noqa: BLE001 - the outer edge: whatever it was, nothing is run
            self.broken(Failure())

    def _answer(self, query: Packet) -> None:
        version = query.version
        if self._farewell is not None:
            self._send(answers.said(version, self._farewell))
            return
        try:
            caller = self._require_caller()
            words = words_of(query)
            if words[0] == VERSION_QUERY:
                self._send(answers.version_answer(version))
                return
        except Refusal as refusal:
            self._send(answers.error_answer(version, self._refuse(refusal)))
            return
        try:
            request = self._dispatcher.authorize(caller, words)
        except RequestError as error:
            self._send(answers.error_answer(version, error))
            return
        is_raw = request.grant.command.raw
        telling = self._dispatcher.run(request).addCallback(self._tell, version, is_raw=is_raw)
        self._answering = telling.addErrback(self._failed, version).addErrback(self.broken)

    def _require_caller(self) -> Caller:
        """Return who is asking.

        Raises:
            LoginRequired: It is nobody, and has to be somebody.
        """
        if self._caller is None:
            if self._front_end.listener_auth.login is Login.REQUIRED:
                raise LoginRequired
            self._caller = self._front_end.listener_auth.anonymous(self.source)
        return self._caller

    def _tell(self, answer: Answer, version: Version, *, is_raw: bool) -> None:
        self._send(answers.run_answer(version, answer, is_raw=is_raw))

    def _failed(self, failure: Failure, version: Version) -> None:
        if failure.check(CancelledError):
            return  # nobody is there to be told
        error = failure.value
        if not isinstance(error, RequestError):
            error = self._dispatcher.fault(failure)
        self._send(answers.error_answer(version, error))

    def _refuse(self, refusal: Refusal) -> RequestError:
        """Count and write down what is no request; return what to tell of it."""
        somebody = self._caller or self._front_end.listener_auth.stranger(self.source)
        return self._dispatcher.refuse(somebody, refusal)

    def _refuse_incomplete(self) -> None:
        """Write down that a query has begun and will not end."""
        if self._received and self.state is not State.CLOSING:
            self._refuse(Malformed(f"only {len(self._received)} bytes of a packet have come"))
        self._received.clear()

    def _send(self, packet: Packet) -> None:
        self._answering = None
        if self.state is State.BUSY:
            self.transport.write(serialize(packet))
            self._close()

    def _close(self) -> None:
        """Send what is left to send, and close. Idempotent."""
        if self.state is not State.CLOSING:
            self.state = State.CLOSING
            self._connections.unwatch(self)
            self._connections.expect_within(self, self._limits().idle_seconds)
            self.transport.loseConnection()
