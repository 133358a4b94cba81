"""One SSH connection, from the accept to the end: whose it is, and how long it may take.

``login_seconds`` run from the accept, whatever the client does meanwhile, the key exchange included; ``idle_seconds``
between requests. Rule of this file: it knows when, not what; packets are the transport's and the services'.
"""

from typing import Any

from twisted.conch.ssh.transport import (
    DISCONNECT_BY_APPLICATION,
    DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE,
    DISCONNECT_PROTOCOL_ERROR,
    DISCONNECT_TOO_MANY_CONNECTIONS,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.errors import Busy
from cmdserver.core.model import Caller
from cmdserver.frontends.common.interface import FrontEndContext
from cmdserver.frontends.ssh.answers import Answers
from cmdserver.frontends.ssh.authentication import SUCCESS, Authentication
from cmdserver.frontends.ssh.channels import Channels
from cmdserver.frontends.ssh.silent import SilentLogger
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.connection_table import Connections
from cmdserver.net.lingering import LINGER_SECONDS
from cmdserver.sshtransport.encoding import Malformed
from cmdserver.sshtransport.transport import ServerTransport

_log = Logger()


class SSHConnection(ServerTransport):
    """One client.

    Args:
        listener: Knows how to find out who it is.
        lobby: The house behind the listener.
        connections: All of the listener's.
        source: Where the client calls from.
        charged: Who is charged if it comes to nothing, see `charged_source_of`.
    """

    #: Its own, and nothing else, is what a stranger learns of us: no version.
    ourVersionString = b"SSH-2.0-cmdserver"
    _log = SilentLogger()
    #: What is above raises nothing but Malformed at what a client says; everything else is a mistake of ours.
    parserErrors = ()

    _authentication: Authentication | None = None
    _channels: Channels | None = None
    #: Counted among those who have not logged in, by `ListenerAuth.arrive`.
    _is_unauthenticated = True
    #: Why it ends as soon as nothing more is to be said; None while it does not.
    _farewell: str | None = None

    def __init__(
        self,
        listener_auth: ListenerAuth,
        context: FrontEndContext,
        connections: "Connections[SSHConnection]",
        source: str,
        charged: str,
    ) -> None:
        self._listener_auth = listener_auth
        self._context = context
        self._connections = connections
        self.source = source
        self._charged = charged

    # Protocol, as called by the transport below

    def connectionMade(self) -> None:
        """Begin, with the clock running."""
        self._connections.opened(self)
        self._connections.expect_within(self, self._context.limits().login_seconds)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        """The connection is gone, and with it the wish for any answer."""
        authentication = self._authentication
        has_tried = authentication is not None and (authentication.has_failed or authentication.is_busy)
        # Who goes while a login is being tried has tried: not to wait for the answer is no way to guess for less.
        self._settle(Offence.AUTHFAIL if has_tried else Offence.NOAUTH)
        super().connectionLost(reason)
        self._connections.closed(self)
        # Services know their connection: who is gone should not have to wait for the garbage collector.
        self.service = self._channels = self._authentication = None

    # ServerTransport

    def outputHeld(self) -> None:
        """The client does not keep up, or changes keys."""
        if self._channels is not None:
            self._connections.expect_within(self, self._context.limits().idle_seconds)
            self._channels.hold()

    def outputReleased(self) -> None:
        """There is room for output again."""
        if self._channels is not None:
            self._channels.send_on()
            self.stirred()

    def receiveError(self, reasonCode: int, description: bytes) -> None:  # noqa: ARG002 - it is the client's business
        """The client leaves."""
        self._connections.expect_within(self, LINGER_SECONDS)

    def sendDisconnect(self, reason: int, desc: bytes | str) -> None:
        """Say why, and end the connection, whether the client takes that or not."""
        super().sendDisconnect(reason, desc)
        self._connections.expect_within(self, LINGER_SECONDS)

    # Client, as its authentication sees it

    def authenticate(self) -> Authentication:
        """Begin to find out who it is."""
        self._authentication = Authentication(self, self._listener_auth, self._context.limits().login_attempts)
        return self._authentication

    def let_in(self, caller: Caller) -> None:
        """The client is this caller from now on."""
        self._settle(None)
        # The names are Conch's; with these set, keys may be exchanged again.
        self.avatar, self.logoutFunction = caller, _nothing
        self.sendPacket(SUCCESS, b"")
        answers = Answers(caller, self._context.dispatcher, self._context.limits().line_bytes)
        self._channels = Channels(self, answers, self._context.clock, permits_pty=caller.permits_pty)
        self.setService(self._channels)
        self._authentication = None
        self.stirred()
        if self._farewell is not None:
            self.close_when_idle()

    def send_away(self, why: str) -> None:
        """The client has not logged in, and will not."""
        self.sendDisconnect(DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, why)

    def broken(self, failure: Failure) -> None:
        """The client has broken the protocol, or we have made a mistake; either way nobody is let in."""
        if failure.check(Malformed):
            self.sendDisconnect(DISCONNECT_PROTOCOL_ERROR, b"Malformed message")
            return
        _log.failure("SSH connection from {source}", failure, source=self.source)
        self.sendDisconnect(DISCONNECT_BY_APPLICATION, b"Internal error")

    # Link, as its channels see it

    def stirred(self) -> None:
        """Something has begun or ended: see whom we wait for now."""
        if self._channels is None or self._is_over or self.isOutputHeld:
            return
        if self._channels.is_busy:
            self._connections.expect_nothing(self)
        elif self._farewell is None:
            self._connections.expect_within(self, self._context.limits().idle_seconds)
        elif self._channels.is_empty:
            self.sendDisconnect(DISCONNECT_BY_APPLICATION, self._farewell)
        else:
            # OpenSSH's client forgets what it has not written yet when it is disconnected: let it close by itself.
            self._connections.expect_within(self, LINGER_SECONDS)

    # Connection, as the front end sees it

    def overdue(self) -> None:
        """What was expected did not come in time."""
        limits, channels = self._context.limits(), self._channels
        if self._is_over or (channels is not None and self.isOutputHeld):
            self.transport.abortConnection()
        elif channels is None:
            self._give_up(limits.login_seconds)
        elif self._farewell is not None:
            self.sendDisconnect(DISCONNECT_BY_APPLICATION, self._farewell)
        else:
            self._farewell = f"nothing was asked within {limits.idle_seconds:g} s"
            channels.expire(f"cmdserver: {self._farewell}")
            self.stirred()

    def close_when_idle(self) -> None:
        """Close as soon as what was asked has been answered."""
        self._farewell = "the daemon is stopping"
        if self._channels is not None:
            self._channels.close_when_idle()
            self.stirred()
        elif self._authentication is None or not self._authentication.is_busy:
            self.send_away(self._farewell)

    # Steps

    def _give_up(self, seconds: float) -> None:
        """Nobody has logged in within the time for that."""
        if self._authentication is not None and self._authentication.is_busy:
            # It takes us too long to decide, which is nobody's offence.
            self._settle(None)
            self._authentication.serviceStopped()
            busy = Busy("too many logins are being checked", seconds)
            self.sendDisconnect(DISCONNECT_TOO_MANY_CONNECTIONS, f"{busy.code}: {busy}")
            return
        has_failed = self._authentication is not None and self._authentication.has_failed
        self._settle(Offence.AUTHFAIL if has_failed else Offence.GRACE_EXCEEDED)
        if self._authentication is None:
            self.transport.abortConnection()  # before there are keys, nothing is said
        else:
            self.send_away(f"nobody has logged in within {seconds:g} s")

    def _settle(self, offence: Offence | None) -> None:
        """Count the client out of those who have not logged in, and charge it if that came to nothing; once."""
        if self._is_unauthenticated:
            self._is_unauthenticated = False
            self._listener_auth.settle(self._charged)
            if offence is not None:
                self._listener_auth.offended(self._charged, offence)


def _nothing() -> None:
    """A caller is a value: there is nothing to do at a logout."""


def service_of(connection: Any, name: bytes) -> Any:
    """Find what makes a service that a client asks for; the others are not to be asked for."""
    return connection.authenticate if name == Authentication.name else None
