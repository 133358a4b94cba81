"""One SSH connection from accept to end: who the client is, and how long each state may take.

A connection without keys or without a login lasts ``login_seconds`` from the accept, whatever the client sends
meanwhile. Afterwards it lasts while a request is being answered, and ``idle_seconds`` between requests.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

from twisted.conch.ssh.transport import (
    DISCONNECT_BY_APPLICATION,
    DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE,
    DISCONNECT_PROTOCOL_ERROR,
    DISCONNECT_TOO_MANY_CONNECTIONS,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import FilteringLogObserver, Logger, LogLevel, LogLevelFilterPredicate, globalLogPublisher
from twisted.python.failure import Failure

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Busy
from cmdserver.core.model import Caller
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.ssh.authentication import SUCCESS, Authentication
from cmdserver.frontends.ssh.channels import Channels
from cmdserver.frontends.ssh.kept_lines import LineHistory
from cmdserver.frontends.ssh.programs import Context
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.tcp import LINGER_SECONDS
from cmdserver.sshtransport.encoding import Malformed
from cmdserver.sshtransport.transport import ServerTransport

_log = Logger()


class State(Enum):
    """How far a connection has come."""

    #: Keys are exchanged; nobody has asked for authentication.
    KEY_EXCHANGE = auto()
    #: The client is being authenticated.
    LOGIN = auto()
    #: As before, while the daemon stops: a login that is being decided is waited for.
    LAST_LOGIN = auto()
    #: Sessions are opened, and requests answered.
    OPEN = auto()
    #: No more requests are taken; those under way are answered, and sessions closed.
    CLOSING = auto()
    #: It was disconnected, by either side; what is received is dropped.
    OVER = auto()


class Event(Enum):
    """What moves a connection to another state."""

    #: The client asks for authentication.
    LOGIN_BEGINS = auto()
    LOGGED_IN = auto()
    #: The daemon stops, or the client was idle for too long.
    FAREWELL = auto()
    DISCONNECTED = auto()


#: By state, the events that can happen in it and the states to which they lead; `Event.DISCONNECTED` always can.
TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.KEY_EXCHANGE: {Event.LOGIN_BEGINS: State.LOGIN},
    State.LOGIN: {Event.LOGGED_IN: State.OPEN, Event.FAREWELL: State.LAST_LOGIN},
    State.LAST_LOGIN: {Event.LOGGED_IN: State.CLOSING, Event.FAREWELL: State.LAST_LOGIN},
    State.OPEN: {Event.FAREWELL: State.CLOSING},
    State.CLOSING: {Event.FAREWELL: State.CLOSING},
    State.OVER: dict.fromkeys(Event, State.OVER),
}


class SSHConnection(ServerTransport):
    """One client."""

    #: All that a client without a login learns of us: no version.
    ourVersionString = b"SSH-2.0-cmdserver"
    #: Conch's, of which only mistakes of ours are news: not what a client makes it say about every packet.
    _log = Logger(observer=FilteringLogObserver(globalLogPublisher, [LogLevelFilterPredicate(LogLevel.error)]))
    #: Services raise nothing but `Malformed` at what a client sends; everything else is a mistake of ours.
    parserErrors = ()

    #: None, `Authentication` from `State.LOGIN` on, `Channels` from `State.OPEN` on.
    service: Any
    _state = State.KEY_EXCHANGE
    #: What the client is told when the connection is closed, once that is decided.
    _farewell = ""
    #: Requests that are being answered.
    active_requests = 0

    def __init__(
        self, front_end: FrontEnd, source: str, pending_login: PendingLogin, line_history: LineHistory
    ) -> None:
        self.factory = front_end  # whose host keys the transport uses
        self._context = front_end.context
        self._connections = front_end.connections
        self.source = source
        self._pending_login = pending_login
        self._line_history = line_history

    # Protocol

    def connectionMade(self) -> None:
        self._connections.opened(self)
        self._connections.expect_within(self, self._context.limits().login_seconds)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        """Cancel what is being decided or answered; charge a client that has not logged in."""
        login = self.service
        has_tried = isinstance(login, Authentication) and login.has_tried
        # Who goes while a login is being tried has tried: not to wait for the answer is no way to guess for less.
        self._pending_login.fail(Offence.AUTHFAIL if has_tried else Offence.NOAUTH)
        self._move(Event.DISCONNECTED)
        super().connectionLost(reason)
        self._connections.closed(self)
        self.service = None  # it knows its connection: a cycle, that would be left to the garbage collector

    # ServerTransport

    def serviceFor(self, name: bytes) -> Any:  # noqa: ARG002 - the transport asks for no other
        return self._begin_login

    def outputHeld(self) -> None:
        """Pause output: the client does not take it, for which it has ``idle_seconds``, or changes keys."""
        if isinstance(self.service, Channels):
            self._connections.expect_within(self, self._context.limits().idle_seconds)
            self.service.hold()

    def outputReleased(self) -> None:
        if isinstance(self.service, Channels):
            self.service.proceed()
            self._expect()

    def _end_connection(self) -> None:
        """End the connection, whether the client takes what was sent before or not."""
        self._move(Event.DISCONNECTED)
        self._connections.expect_within(self, LINGER_SECONDS)
        super()._end_connection()

    # As called by the authentication

    def let_in(self, caller: Caller) -> None:
        self._pending_login.settle()
        self._move(Event.LOGGED_IN)
        # The names are Conch's; with these set, keys may be exchanged again.
        self.avatar, self.logoutFunction = caller, _nothing
        self.sendPacket(SUCCESS, b"")
        dispatcher, clock, limits = self._context.dispatcher, self._context.clock, self._context.limits()
        context = Context(
            caller,
            dispatcher,
            self.factory.interpreter,
            clock,
            limits.line_bytes,
            self._context.site,
            self._line_history,
        )
        self.setService(Channels(self, context))
        if self._state is State.CLOSING:
            self.service.close_when_idle()
        self._expect()

    def send_away(self, why: str) -> None:
        self.sendDisconnect(DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, why)

    def broken(self, failure: Failure) -> None:
        if failure.check(Malformed):
            self.sendDisconnect(DISCONNECT_PROTOCOL_ERROR, b"Malformed message")
            return
        _log.failure("SSH connection from {source}", failure, source=self.source)
        self.sendDisconnect(DISCONNECT_BY_APPLICATION, b"Internal error")

    # As called by channels and what runs in them

    def request_began(self) -> None:
        self.active_requests += 1
        if self.active_requests == 1:
            self._expect()

    def request_ended(self) -> None:
        self.active_requests -= 1
        self.heard()

    def heard(self) -> None:
        if not self.active_requests:
            self._expect()

    # As called by the front end and the deadlines

    def overdue(self) -> None:
        limits = self._context.limits()
        match self._state:
            case State.KEY_EXCHANGE | State.LOGIN | State.LAST_LOGIN:
                self._give_up(limits.login_seconds)
            case State.OPEN | State.CLOSING if self.isOutputHeld:
                self.transport.abortConnection()
            case State.OPEN:
                self._farewell = f"nothing was asked within {limits.idle_seconds:g} s"
                self._move(Event.FAREWELL)
                self.service.expire(f"cmdserver: {self._farewell}")
                self._expect()
            case State.CLOSING:
                self.sendDisconnect(DISCONNECT_BY_APPLICATION, self._farewell)
            case State.OVER:
                self.transport.abortConnection()

    def close_when_idle(self) -> None:
        """Close the connection as soon as all requests are answered, and a login is decided."""
        if self._state is State.OVER:
            return
        self._farewell = "the daemon is stopping"
        match self.service:
            case Channels() as channels:
                self._move(Event.FAREWELL)
                channels.close_when_idle()
                self._expect()
            case Authentication(is_deciding=True):
                self._move(Event.FAREWELL)
            case _:
                self.send_away(self._farewell)

    # Steps

    def _move(self, event: Event) -> None:
        self._state = State.OVER if event is Event.DISCONNECTED else TRANSITIONS[self._state][event]

    def _begin_login(self) -> Authentication:
        self._move(Event.LOGIN_BEGINS)
        return Authentication(self, self.factory.listener_auth, self._context.limits().login_attempts)

    def _expect(self) -> None:
        """Restart the deadline by what is waited for; the one of output that is held stays."""
        if self._is_over or self.isOutputHeld:
            return
        if self.active_requests:
            self._connections.expect_nothing(self)
        elif self._state is State.OPEN:
            self._connections.expect_within(self, self._context.limits().idle_seconds)
        elif self.service.is_empty:
            self.sendDisconnect(DISCONNECT_BY_APPLICATION, self._farewell)
        else:
            # OpenSSH's client forgets what it has not written yet when it is disconnected: let it close by itself.
            self._connections.expect_within(self, LINGER_SECONDS)

    def _give_up(self, seconds: float) -> None:
        """Disconnect a client that has not logged in within ``login_seconds``."""
        login = self.service
        if login is None:
            self._pending_login.fail(Offence.GRACE_EXCEEDED)
            self.transport.abortConnection()  # before there are keys, nothing is said
        elif login.is_deciding:
            # It takes us too long to decide, which is nobody's offence.
            self._pending_login.settle()
            login.serviceStopped()
            busy = Busy("too many logins are being checked", seconds)
            self.sendDisconnect(DISCONNECT_TOO_MANY_CONNECTIONS, f"{busy.code}: {busy}")
        else:
            self._pending_login.fail(Offence.AUTHFAIL if login.has_tried else Offence.GRACE_EXCEEDED)
            self.send_away(f"nobody has logged in within {seconds:g} s")


def _nothing() -> None:
    """A caller is a value: there is nothing to do at a logout."""
