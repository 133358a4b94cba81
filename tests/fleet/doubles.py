"""A loop whose time is nobody's, a bus that carries what it is told to, and hosts that sign."""

import asyncio
import selectors
from base64 import b64decode
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from cmdserver.auth.signatures.signed_answer import AnswerSigner
from cmdserver.auth.signatures.signed_request import Message, SignedRequest, read
from cmdserver.fleet.bus import NotConnected
from cmdserver.fleet.bus_messages import METHOD, TARGET, answer_headers
from cmdserver.fleet.client.exchange import Exchange
from cmdserver.fleet.client.identities import FileIdentity
from cmdserver.fleet.client.known_hosts import KnownHost, KnownHosts
from tests.auth.signatures.doubles import blob_of
from tests.signing import NOW, Signing

Result = TypeVar("Result")
#: Headers and body of a message.
Delivered = tuple[Mapping[str, str], bytes]

OK = b'{"outcome": "ok"}'
#: As a bus says that nobody listens.
NOBODY: Delivered = ({"Status": "503"}, b"")


class _Selector(selectors.SelectSelector):
    """Waits for nothing: whoever would wait finds that the time has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """A loop without a clock, and without threads."""

    def __init__(self) -> None:
        self.waiting = _Selector()
        #: What nobody has waited for, and has failed.
        self.failures: list[Any] = []
        super().__init__(self.waiting)

    def time(self) -> float:
        return self.waiting.now

    def call_exception_handler(self, context: Any) -> None:
        self.failures.append(context.get("exception") or RuntimeError(context["message"]))

    def run_in_executor(  # type: ignore[override] # asyncio's own types are of newer versions
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """Do it here and now."""
        done = self.create_future()
        done.set_result(func(*args))
        return done


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run something to its end in no time; raises what has failed meanwhile."""
    loop = FakeTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(work)
    for each in loop.failures:
        raise each
    return result


def now() -> float:
    """Say what time it is in the loop."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let all go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Incoming(Struct):
    """A message as NATS' client hands it over."""

    subject: str
    data: bytes
    headers: Mapping[str, str] | None = None
    reply: str = ""


class Sent(Struct):
    """A message that was published."""

    subject: str
    body: bytes
    headers: Mapping[str, str]
    reply: str
    flush: bool
    at: float

    @property
    def host(self) -> str:
        """The host whose subject it is."""
        return self.subject.rpartition(".")[2]

    def read(self) -> SignedRequest:
        """Read it as a host does; raises if it is no signed request."""
        fields = {name.lower(): value for name, value in self.headers.items()}
        return read(Message(self.headers[METHOD], self.headers[TARGET], fields.get, self.body))

    @property
    def signature(self) -> bytes:
        """Of the request."""
        return b64decode(self.headers["Signature"].removeprefix("cmdserver=:").removesuffix(":"))


Take = Callable[[Any], Awaitable[None]]
Behaviour = Callable[[Sent], Iterable[Delivered]]


class FakeClient:
    """Remembers who subscribes to what."""

    def __init__(self) -> None:
        self.subscribed: dict[str, Take] = {}
        self.bounds: set[tuple[int, int]] = set()

    async def subscribe(self, subject: str, *, cb: Take, pending_msgs_limit: int, pending_bytes_limit: int) -> None:
        self.subscribed[subject] = cb
        self.bounds.add((pending_msgs_limit, pending_bytes_limit))


class FakeBus:
    """Carries nothing by itself; what is sent is answered as the test says, a moment later.

    Args:
        behave: Says what comes back for a message.
    """

    def __init__(self, behave: Behaviour = lambda _: ()) -> None:
        self.behave = behave
        self.sent: list[Sent] = []
        self.client: Any = FakeClient()
        #: The messages that are refused, by number; -1: all.
        self.away: set[int] = set()

    async def publish(
        self, subject: str, body: bytes, headers: Mapping[str, str], reply: str = "", *, flush: bool = False
    ) -> None:
        if self.away & {-1, len(self.sent)}:
            raise NotConnected("the bus is away")
        sent = Sent(subject, body, dict(headers), reply, flush, now())
        self.sent.append(sent)
        asyncio.get_running_loop().call_soon(self._answer, sent)

    def _answer(self, sent: Sent) -> None:
        for headers, body in self.behave(sent):
            self.deliver(sent, headers, body)

    def deliver(self, sent: Sent, headers: Mapping[str, str], body: bytes) -> None:
        """Bring a message to where another one is to be answered."""
        (take,) = self.client.subscribed.values()
        task = asyncio.ensure_future(take(Incoming(sent.reply, body, headers)))
        task.add_done_callback(lambda done: done.result())


class Host:
    """A host that signs.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = Ed25519PrivateKey.generate()
        self.signer = AnswerSigner(self.key, name)

    @property
    def blob(self) -> bytes:
        """Its public key."""
        return blob_of(self.signer.public_key)

    def answer(
        self,
        sent: Sent,
        body: bytes = OK,
        status: int = 200,
        parts: Sequence[bytes] | None = None,
        signature: bytes | None = None,
    ) -> list[Delivered]:
        """Answer a message: signed, and in parts if there are some."""
        whole = body if parts is None else b"".join(parts)
        signed = self.signer.sign(signature or sent.signature, status, "application/json", whole, NOW)
        fields = [("Content-Type", "application/json"), *signed]
        bodies = [body] if parts is None else parts
        return [(answer_headers(status, fields, number, len(bodies)), each) for number, each in enumerate(bodies, 1)]


def known(*hosts: Host) -> KnownHosts:
    """Know hosts by their keys."""
    return KnownHosts({each.name.lower(): KnownHost(each.name, (each.blob,)) for each in hosts})


def hosts_of(*names: str) -> dict[str, Host]:
    """Make hosts."""
    return {name: Host(name) for name in names}


def answering(hosts: Mapping[str, Host], body: bytes = OK) -> Behaviour:
    """Have each host answer what is sent to it."""
    return lambda sent: hosts[sent.host].answer(sent, body) if sent.host in hosts else [NOBODY]


async def an_exchange(bus: FakeBus, user: str = "ada") -> Exchange:
    """Make an exchange that has subscribed, whose words are numbers."""
    numbers = iter(range(10**6))
    caller = Signing()
    assert isinstance(caller.key, Ed25519PrivateKey)
    key = FileIdentity(caller.key, blob_of(caller.line))
    exchange = Exchange("prod", user, key, lambda: NOW + now(), lambda: f"{next(numbers):024}")
    await exchange.subscribe(bus.client)
    return exchange
