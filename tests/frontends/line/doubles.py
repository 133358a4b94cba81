"""A composition with a line listener, and clients who do what their test says."""

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import Credentials
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import NO_LOGIN, PendingLogin
from cmdserver.config.schema.host import Limits
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.frontends.common.interface import CertificateOf
from cmdserver.frontends.line.connection import GREETING
from cmdserver.frontends.line.front_end import LineFrontEnd
from tests.frontends.doubles import a_context
from tests.running_doubles import Composition, FakeProcess

CLIENT = IPv4Address("TCP", "192.0.2.1", 40000)


class FakeLiveness:
    """Knows who is watched, and lets them be gone."""

    def __init__(self) -> None:
        self.watched: dict[int, Any] = {}
        self.are_killed = False

    def watch(self, descriptor: int, call: Any) -> None:
        self.watched[descriptor] = call

    def forget(self, descriptor: int) -> None:
        self.watched.pop(descriptor, None)

    def is_killed(self, client: object, server: object) -> bool:
        return self.are_killed


class Client(StringTransport):
    """A connection as the server sees it, with a client who does what the test says."""

    def __init__(self, composition: "LineComposition", number: int) -> None:
        super().__init__(peerAddress=CLIENT)
        self._composition = composition
        self.number = number
        self.is_open = True
        self.said_all = False
        self.was_aborted = False
        self.is_slow = False
        self.protocol: Any = None

    # What the server uses beyond StringTransport

    def getHandle(self) -> "Client":
        return self

    def fileno(self) -> int:
        return self.number

    def send(self, data: bytes) -> int:
        self.io.write(data)
        return len(data)

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.is_slow and self.producer is not None:
            self.producer.pauseProducing()

    def loseConnection(self) -> None:
        self._gone()

    def abortConnection(self) -> None:
        self.was_aborted = True
        self._gone()

    def loseWriteConnection(self) -> None:
        self.said_all = True
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    # What the client does

    def says(self, data: bytes) -> None:
        assert self.producerState == "producing", "the server does not read now"
        self.protocol.dataReceived(data)

    def ends_input(self) -> None:
        self.protocol.readConnectionLost()

    def takes_some(self) -> None:
        self.protocol.resumeProducing()

    def catches_up(self) -> None:
        self.is_slow = False
        self.protocol.resumeProducing()

    @property
    def got(self) -> bytes:
        return bytes(self.value()).removeprefix(GREETING)

    def _gone(self) -> None:
        if self.is_open:
            self.is_open = False
            self.protocol.connectionLost(Failure(ConnectionDone()))


class FakeListenerAuth(ListenerAuth):
    """A listener whose logins the test decides."""

    def __init__(self, composition: "LineComposition", login: Login) -> None:
        super().__init__("line", login)
        self._composition = composition

    def log_in(self, source: str, credentials: Credentials) -> Deferred[Caller]:
        return self._composition.log_in(source, credentials)

    def arrive(self, source: str) -> PendingLogin:
        return NO_LOGIN


class LineComposition(Composition):
    """A composition with a line listener.

    Args:
        test: For its duration.
        limits: The file's, besides those that `Composition` takes.
        login: Whether the listener asks who its callers are.
        certificate_of: Over TLS, as `LineFrontEnd` takes it.
        greeting: As `LineFrontEnd` takes it.
    """

    #: Decides about logins.
    log_in: Callable[[str, Credentials], Deferred[Caller]]

    def __init__(
        self,
        test: SynchronousTestCase,
        *commands: Any,
        limits: Limits | None = None,
        login: Login = Login.NEVER,
        certificate_of: CertificateOf | None = None,
        greeting: Callable[[], bytes] = lambda: GREETING,
        **rest: Any,
    ) -> None:
        super().__init__(test, *commands, **rest)
        self.liveness = FakeLiveness()
        self.limits = limits or Limits()
        context = a_context(self, self.liveness, lambda: self.limits)
        self.front_end = LineFrontEnd(FakeListenerAuth(self, login), context, certificate_of, greeting=greeting)
        self._clients = 100

    def connect(self, address: Any = CLIENT) -> Client:
        """Let a client in."""
        self._clients += 1
        client = Client(self, self._clients)
        client.peerAddr = address
        client.protocol = self.front_end.buildProtocol(address)
        client.protocol.makeConnection(client)
        return client

    @property
    def process(self) -> FakeProcess:
        """The process that was started last."""
        return self.spawner.last
