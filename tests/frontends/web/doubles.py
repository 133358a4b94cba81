"""A composition with a web listener, and clients who do what their test says."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import (
    BearerToken,
    CodeRequired,
    Credentials,
    OneTimeCode,
    Password,
    Proof,
    ProxiedUser,
    RequestSignature,
)
from cmdserver.auth.hook_authenticator import ArmedHook, HookAuthenticator
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.auth.signatures.signed_answer import AnswerSigner
from cmdserver.config.schema.host import Limits
from cmdserver.core.addresses import NO_PROXIES
from cmdserver.core.errors import LoginRefused, Throttled
from cmdserver.core.events import EventLog
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.core.output import Answer
from cmdserver.frontends.web.front_end import WebFrontEnd
from cmdserver.frontends.web.options import WebOptions
from cmdserver.runs.check_trends import CheckTrends
from tests.doubles import FakeLoginLimit, a_caller
from tests.frontends.doubles import a_context
from tests.frontends.line.doubles import FakeLiveness
from tests.running_doubles import Composition, FakeProcess, user

#: The host's.
HOST_KEY = Ed25519PrivateKey.generate()
CLIENT = IPv4Address("TCP", "192.0.2.1", 40000)
HOST = "cmd.example:2080"


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, taken apart."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    #: Whether all of the body is there, as far as its client can tell.
    is_whole: bool
    #: Fields behind its body.
    trailers: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """All values of a header, joined."""
        return ", ".join(value for each, value in self.headers if each == name.lower())

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeListenerAuth(ListenerAuth):
    """A listener at which ``ada`` says ``right``, and the bearer of ``good`` is ada too; ``eve`` has a code as well."""

    def __init__(self, login: Login, place: str) -> None:
        super().__init__("web", login, place=place)
        self.logins: list[Credentials] = []
        self.limit = FakeLoginLimit()
        self.offences, self.sources = self.limit.offences, self.limit.sources
        self.is_refused = False
        #: Whoever has gone without a code.
        self.left: list[CodeRequired] = []
        #: Let logins wait until the test fires them.
        self.waiting: list[Deferred[Caller]] | None = None

    def log_in(self, source: str, credentials: Credentials) -> Deferred[Caller]:
        self.logins.append(credentials)
        if self.is_refused:
            return fail(Throttled("too many logins came to nothing", 7))
        if self.waiting is not None:
            self.waiting.append(Deferred())
            return self.waiting[-1]
        match credentials:
            case Password(name="ada", password=b"right") | BearerToken(secret="good") | OneTimeCode(code="123456"):
                return succeed(user(credentials.name or "ada"))
            case ProxiedUser(name=str(name)) | RequestSignature(name="ada" as name):
                return succeed(a_caller(name, source=source, method=credentials.method))
            case Password(name="eve", password=b"right", can_ask=True):
                return fail(CodeRequired(Proof(name="eve", method="password")))
            case _:
                return fail(LoginRefused())

    def left_without_code(self, source: str, required: CodeRequired) -> None:
        self.left.append(required)

    def _account(self, source: str, *, is_required: bool) -> PendingLogin:
        return PendingLogin(self.limit, self.place, source, is_required=is_required)

    @property
    def unauthenticated_connections(self) -> int:
        return self.limit.unauthenticated


class Client(StringTransport):
    """A connection as the server sees it, with a client who does what the test says."""

    def __init__(self, number: int) -> None:
        super().__init__(peerAddress=CLIENT)
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

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.is_slow and self.producer is not None:
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.gone()

    def abortConnection(self) -> None:
        self.was_aborted = True
        self.gone()

    def loseWriteConnection(self) -> None:
        self.said_all = True

    # What the client does

    def says(self, data: bytes) -> None:
        assert self.producerState == "producing", "the server does not read now"
        self.protocol.dataReceived(data)

    def asks(self, target: str = "/uptime", method: str = "GET", body: bytes | None = None, **headers: str) -> None:
        """Send a request; headers are named as keywords are, ``accept`` or ``last_event_id``."""
        fields = {"host": HOST, **headers}
        if body is not None:
            fields = {"content_type": "application/x-www-form-urlencoded", "content_length": str(len(body)), **fields}
        lines = [
            f"{method} {target} HTTP/1.1",
            *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()),
        ]
        self.says("\r\n".join([*lines, "", ""]).encode() + (body or b""))

    def catches_up(self) -> None:
        self.is_slow = False
        assert self.producer is not None
        self.producer.resumeProducing()

    def gone(self) -> None:
        """Close the connection, by either end."""
        if self.is_open:
            self.is_open = False
            self.protocol.connectionLost(Failure(ConnectionDone()))

    # What the client got

    @property
    def responses(self) -> list[Response]:
        """All answers so far."""
        found, rest = [], bytes(self.value())
        while b"\r\n\r\n" in rest:
            response, rest = _read(rest)
            found.append(response)
        return found

    @property
    def response(self) -> Response:
        """The one answer."""
        (response,) = self.responses
        return response


def _read(data: bytes) -> tuple[Response, bytes]:
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    status = int(first.split()[1])
    trailers: dict[str, str] = {}
    fields = dict(headers)
    if fields.get("transfer-encoding") == "chunked":
        body, rest, is_whole, trailers = _dechunk(rest)
    elif "content-length" in fields:
        length = int(fields["content-length"])
        body, rest, is_whole = rest[:length], rest[length:], len(rest) >= length
    else:
        body, is_whole = b"", True
    return Response(status, headers, body, is_whole, trailers), rest


def _dechunk(data: bytes) -> tuple[bytes, bytes, bool, dict[str, str]]:
    body = b""
    while True:
        size, separator, rest = data.partition(b"\r\n")
        if not separator:
            return body, b"", False, {}
        length = int(size, 16)
        if length == 0:
            fields, _, rest = (b"\r\n" + rest).partition(b"\r\n\r\n")
            lines = [line.partition(": ") for line in fields.decode().split("\r\n") if line]
            return body, rest, True, {name.lower(): value for name, _, value in lines}
        body += rest[:length]
        data = rest[length + 2 :]


class NoExposition:
    """Nothing is measured."""

    def render(self, commands: Collection[str], found: Collection[str], /) -> bytes:
        del commands, found
        return b""

    def probe(self, answer: Answer, /) -> bytes:
        del answer
        return b""


class FakeExposition:
    """Metrics that a composition says.

    Args:
        composition: Remembers for whom.
    """

    def __init__(self, composition: "WebComposition") -> None:
        self._composition = composition

    def render(self, commands: Collection[str], found: Collection[str], /) -> bytes:
        del found
        self._composition.visible.append(frozenset(commands))
        return self._composition.measured

    def probe(self, answer: Answer, /) -> bytes:
        return f"{answer.command} {answer.state}\n".encode()


def a_signer() -> AnswerSigner:
    """Sign as the host does."""
    return AnswerSigner(HOST_KEY, "web-1")


class WebComposition(Composition):
    """A composition with a web listener.

    Args:
        test: For its duration.
        login: Whether the listener asks who its callers are.
        limits: The file's, besides those that `Composition` takes.
        place: Where the listener is.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        *commands: Any,
        login: Login = Login.OPTIONAL,
        limits: Limits | None = None,
        place: str = "tcp:2080",
        **rest: Any,
    ) -> None:
        super().__init__(test, *commands, **rest)
        self.liveness = FakeLiveness()
        self.limits = limits or Limits()
        self.measured = b"a 1\n"
        self.visible: list[frozenset[str]] = []
        self.base_path = ""
        self.trusted_proxies = NO_PROXIES
        self.user_header: bytes | None = None
        self.is_strict = False
        context = a_context(self, self.liveness, lambda: self.limits)
        self.listener_auth = FakeListenerAuth(login, place)
        #: By their names.
        self.hooks: dict[str, ArmedHook] = {}
        hooks = HookAuthenticator(lambda: self.hooks, EventLog(self.ledger), lambda: 1_700_000_000.0)
        trends = CheckTrends()
        self.events.subscribe(trends)
        self.front_end = WebFrontEnd(
            self.listener_auth, context, self.options, FakeExposition(self), a_signer, hooks=hooks, trends=trends.of
        )
        self._clients = 100

    def options(self) -> WebOptions:
        """Say what the configuration would."""
        most = max((each.hook.body_bytes for each in self.hooks.values()), default=0)
        return WebOptions(
            hosts=frozenset({"cmd.example"}),
            base_path=self.base_path,
            trusted_proxies=self.trusted_proxies,
            user_header=self.user_header,
            is_strict=self.is_strict,
            hook_body_bytes=most,
        )

    def connect(self, address: object = None) -> Client:
        """Let a client in, which is `CLIENT` unless a proxy says otherwise."""
        self._clients += 1
        client = Client(self._clients)
        client.protocol = self.front_end.buildProtocol(cast("Any", address or client.peerAddr))
        client.protocol.makeConnection(client)
        return client

    def ask_for(self, target: str = "/uptime", method: str = "GET", **more: Any) -> Client:
        """Let a client in, and let it ask."""
        client = self.connect()
        client.asks(target, method, **more)
        return client

    @property
    def process(self) -> FakeProcess:
        """The process that was started last."""
        return self.spawner.last
