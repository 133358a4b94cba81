"""Tests of the connection to the bus: how it comes back, what it refuses, and that nothing is sent later than now."""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import trustme
from nats.aio.client import Client
from nats.errors import SlowConsumerError

from cmdserver.fleet import bus as module
from cmdserver.fleet import nats_client
from cmdserver.fleet.bus import Bus, NotConnected, backoff
from cmdserver.fleet.membership import BusServer
from tests.fleet.doubles import run as run_without_time

SEED = "SUAA7SY4RIKT77MIDOURPUDVQTJ7ZULCF5V24LKJA5YX7JOVJBM5IOIDPQ"


def test_pauses() -> None:
    """Each up to twice as long as the one before, up to fifteen seconds; half of each is thrown dice for."""
    for dice, expected in (
        (0.0, [0.25, 0.5, 1, 2, 4, 7.5, 7.5]),
        (1.0, [0.5, 1, 2, 4, 8, 15, 15]),
        (0.5, [0.375, 0.75, 1.5, 3, 6, 11.25, 11.25]),
    ):
        assert [*islice(backoff(lambda dice=dice: dice), 7)] == expected  # type: ignore[misc]
    numbers: Iterator[float] = iter([0, 1, 0.5])
    assert [*islice(backoff(lambda: next(numbers)), 3)] == [0.25, 1, 1.5]


class Server:
    """As much of a bus as is needed.

    Args:
        info: What it says first, besides what all say.
        connected: What it says to ``CONNECT`` and to the ``PING`` behind it.
        subscribed: What it says to a ``SUB``.
        published: What it says to a message; None: it closes the connection.
    """

    def __init__(
        self,
        info: dict[str, Any] | None = None,
        *,
        connected: bytes = b"PONG\r\n",
        subscribed: bytes = b"",
        published: bytes | None = b"",
    ) -> None:
        self.info = {"server_id": "x", "max_payload": 1000, "headers": True, "nonce": "abc", **(info or {})}
        self.connected = connected
        self.subscribed = subscribed
        self.published = published
        self.came = 0
        self.lines: list[bytes] = []
        self.port = 0
        self.first = b"INFO "

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        writer.write(self.first + json.dumps(self.info).encode() + b"\r\n")
        pings = 0
        while line := await reader.readline():
            self.lines.append(line.strip())
            match line.split(maxsplit=1)[:1]:
                case [b"PING"]:
                    pings += 1
                    writer.write(self.connected if pings == 1 else b"PONG\r\n")
                case [b"SUB"]:
                    writer.write(self.subscribed)
                case [b"HPUB" | b"PUB"] if self.published is None:
                    break
                case [b"HPUB" | b"PUB"] if self.published is not None:
                    writer.write(self.published)
        writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[BusServer]:
        """Serve."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield BusServer.parse(f"nats://127.0.0.1:{self.port}")


async def subscribe(client: Client) -> None:
    """Subscribe to something."""
    await client.subscribe("a.subject", cb=ignore)


async def ignore(_: Any) -> None:
    """Take a message."""


class Running:
    """A bus that runs, and what is said of it.

    Args:
        server: Where it connects to.
    """

    def __init__(self, server: BusServer, subscribe: Callable[[Client], Awaitable[None]] = subscribe) -> None:
        self.said: list[str] = []
        self.waited: list[float] = []
        self.bus = Bus(server, "a test", subscribe, lambda: 0.0, self.said.append)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Bus]:
        """Run until it is left."""
        task = asyncio.create_task(self.bus.run())
        try:
            yield self.bus
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            assert self.bus._client is None


def trouble(server: Server, differences: Callable[[BusServer], BusServer] = lambda same: same) -> str:
    """Say why there is no connection to a server."""

    async def work() -> str:
        async with server.serving() as address, Running(differences(address)).running() as bus:
            with pytest.raises(NotConnected) as refused:
                await asyncio.wait_for(bus.require_connection(), 10)
            with pytest.raises(NotConnected, match=r"^the bus is away$"):
                await bus.publish("s", b"", {})
            return str(refused.value).partition(" cannot be reached: ")[2]

    return asyncio.run(work())


def test_a_connection(caplog: pytest.LogCaptureFixture) -> None:
    """It is made, subscribed on, and told; what is published goes out, whole, with its headers."""
    caplog.set_level(logging.INFO)
    server = Server()

    async def work() -> None:
        async with server.serving() as address:
            running = Running(address)
            async with running.running() as bus:
                await bus.require_connection()
                assert running.said == [f"connected to the bus {address}"]
                assert [each.getMessage() for each in caplog.records] == running.said
                await bus.publish("b.subject", b"body", {"A": "b"}, "a.reply", flush=True)
                await bus.publish("c.subject", b"x", {}, flush=True)
                assert server.came == 1

    asyncio.run(work())
    connect = json.loads(server.lines[0].removeprefix(b"CONNECT "))
    assert (connect["name"], connect["headers"], connect["no_responders"]) == ("a test", True, True)
    assert b"SUB a.subject  1" in server.lines
    head = server.lines.index(b"HPUB b.subject a.reply 18 22")
    assert server.lines[head : head + 4] == [b"HPUB b.subject a.reply 18 22", b"NATS/1.0", b"A: b", b""]
    assert b"HPUB c.subject  12 13" in server.lines


def test_how_it_connects() -> None:
    """Once at each try; nothing is kept for later, and a silent bus is given up."""
    options = Bus(BusServer.parse("nats://[::1]:4222"), "x", subscribe, lambda: 0)._options()
    assert options == {
        "servers": ["nats://[::1]:4222"],
        "name": "x",
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0,
        "connect_timeout": 10,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
    }
    options = Bus(BusServer.parse("tls://bus.example"), "x", subscribe, lambda: 0)._options()
    assert (options["servers"], options["tls_hostname"]) == (["tls://bus.example:4222"], "bus.example")
    assert options["tls"].check_hostname
    options = Bus(BusServer.parse("tls://192.0.2.1", server_name="bus"), "x", subscribe, lambda: 0)._options()
    assert (options["servers"], options["tls_hostname"]) == (["tls://192.0.2.1:4222"], "bus")


def test_no_connection() -> None:
    """Why is said in a line, whatever the other side says; what was not understood is no connection either."""
    assert trouble(Server(connected=b"-ERR 'Authorization Violation'\r\n")) == "nats: 'Authorization Violation'"
    assert trouble(Server(connected=b"-ERR 'a\x1b[2J\x7f'\r\n")) == "nats: 'a^[[2J^?'"
    assert len(trouble(Server(connected=b"-ERR '%b'\r\n" % (b"x" * 1000)))) == 200
    garbage = Server()
    garbage.first = b"HTTP/1.1 400 "
    assert "expecting INFO" in trouble(garbage)
    assert trouble(Server(connected=b"MSG a\r\n")) == "it does not speak as NATS does"


def test_nobody_there() -> None:
    """A port at which nobody listens."""

    async def work() -> None:
        server = Server()
        async with server.serving() as address:
            pass
        async with Running(address).running() as bus:
            with pytest.raises(
                NotConnected, match=r"^the bus nats://127.0.0.1:[0-9]+ cannot be reached: Connection refused$"
            ):
                await bus.require_connection()

    asyncio.run(work())


def test_a_subscription_that_fails() -> None:
    """Is no connection."""

    async def failing(_: Client) -> None:
        raise RuntimeError("no\nway")

    async def work() -> None:
        async with Server().serving() as address, Running(address, failing).running() as bus:
            with pytest.raises(NotConnected, match=r"no\^Jway$"):
                await bus.require_connection()

    asyncio.run(work())


@pytest.fixture(autouse=True)
def _no_long_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_client, "_CLOSE_SECONDS", 0.02)


@pytest.mark.parametrize("info", [{}, {"tls_required": False}, {"tls_available": True}])
def test_tls_is_not_taken_away(info: dict[str, Any]) -> None:
    """Whoever wants TLS speaks to nobody without it, whatever that one says; and says nothing to it."""
    server = Server(info)

    def with_tls(address: BusServer) -> BusServer:
        return BusServer.parse(f"tls://127.0.0.1:{address.port}")

    assert trouble(server, with_tls) == "it offers no TLS"
    assert server.lines == []


def test_tls(tmp_path: Path) -> None:
    """The certificate must be by an authority that is trusted, and for the name that was written."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca")
    other = trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other")

    class Encrypted(Server):
        async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {"tls_required": true, "headers": true, "max_payload": 1000}\r\n')
            self.first = b""
            self.info = {}
            context = _server_context(authority)
            try:
                await writer.start_tls(context)
            except OSError:
                writer.close()
                return
            await self._talk(reader, writer)

        async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                self.lines.append(line.strip())
                if line == b"PING\r\n":
                    # News of the bus need not say again that it has TLS.
                    writer.write(b'PONG\r\nINFO {"server_id": "x"}\r\n' if len(self.lines) > 2 else b"PONG\r\n")
            writer.close()

    def using(ca: str, name: str | None) -> Callable[[BusServer], BusServer]:
        return lambda address: BusServer.parse(f"tls://127.0.0.1:{address.port}", None, str(tmp_path / ca), name)

    async def work() -> None:
        server = Encrypted()
        async with server.serving() as address, Running(using("ca", "bus.example")(address)).running() as bus:
            await bus.require_connection()
            for _ in range(3):
                await bus.publish("s", b"x", {}, flush=True)
            # Somebody still reads what the bus says.
            assert server.lines.count(b"PING") == 2 + 3

    asyncio.run(work())
    for ca, name in (("other", "bus.example"), ("ca", "other.example"), ("ca", None)):
        server = Encrypted()
        assert "certificate" in trouble(server, using(ca, name)).lower()
        assert server.lines == []
    assert "No such file" in trouble(Encrypted(), using("none", None))


def _server_context(authority: trustme.CA) -> Any:
    import ssl  # noqa: PLC0415 - of one test

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("bus.example").configure_cert(context)
    return context


def test_credentials(tmp_path: Path) -> None:
    """The seed is read for each connection; what it cannot be is told, and it is not."""
    file = tmp_path / "seed"
    file.write_text(f"{SEED}\n")
    file.chmod(0o600)
    server = Server()

    def with_seed(address: BusServer) -> BusServer:
        return BusServer.parse(f"nats://127.0.0.1:{address.port}", str(file))

    async def work() -> None:
        async with server.serving() as address, Running(with_seed(address)).running() as bus:
            await bus.require_connection()

    asyncio.run(work())
    connect = json.loads(server.lines[0].removeprefix(b"CONNECT "))
    assert connect["nkey"].startswith("U")
    assert connect["sig"]
    assert SEED not in str(server.lines)
    for text in ("nonsense", f"X{SEED[1:]}", "\u00fc"):
        file.write_text(text)
        why = trouble(Server(), with_seed)
        assert why
        assert text not in why
    file.unlink()
    assert "No such file" in trouble(Server(), with_seed)


def test_a_missing_library() -> None:
    """It is said what to install."""
    assert module._said(ModuleNotFoundError("No module named 'nkeys'")) == (
        "No module named 'nkeys'; install cmdserver[fleet]"
    )
    assert module._said(TimeoutError("x")) == "no answer in time"
    assert module._said(ValueError()) == "ValueError"
    assert module._said(OSError(113, "Connect call failed ('192.0.2.1', 4222)")) == "No route to host"
    assert module._said(FileNotFoundError(2, "x", "/etc/seed")) == "/etc/seed: No such file or directory"
    assert module._said(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"
    wrong = ssl.SSLCertVerificationError(1, "[SSL: X] long")
    wrong.verify_message = "self-signed certificate"
    assert module._said(wrong) == "certificate verify failed: self-signed certificate"
    assert module._said(ValueError("a\r\nb")) == "a^M^Jb"


def test_what_cannot_be_sent() -> None:
    """It is not sent later either: too long a message, and one that the bus has gone before."""

    async def work() -> None:
        server = Server(published=None)
        async with server.serving() as address:
            running = Running(address)
            async with running.running() as bus:
                await bus.require_connection()
                with pytest.raises(NotConnected, match="payload"):
                    await bus.publish("s", b"x" * 1001, {})
                # Whoever sends while the bus goes may have been heard, or not.
                await bus.publish("s", b"x", {}, flush=True)
                with pytest.raises(NotConnected):
                    await bus.publish("s", b"y", {}, flush=True)
                while len(running.said) < 2:  # noqa: ASYNC110 - it is so at once
                    await asyncio.sleep(0)
                with pytest.raises(NotConnected, match=r"^the bus is away$"):
                    await bus.publish("s", b"y", {})
        assert not any(each.startswith(b"y") for each in server.lines)

    asyncio.run(work())


def test_what_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A subscription or a message without leave does not end the connection, and is told."""

    async def work() -> None:
        server = Server(
            subscribed=b"-ERR 'Permissions Violation for Subscription to \"a.subject\"'\r\n",
            published=b"-ERR 'Permissions Violation for Publish to \"s\"'\r\n",
        )
        async with server.serving() as address, Running(address).running() as bus:
            await bus.require_connection()
            await bus.publish("s", b"x", {}, flush=True)

    asyncio.run(work())
    assert [each.getMessage().lower() for each in caplog.records] == [
        'the bus refuses: nats: permissions violation for subscription to "a.subject"',
        'the bus refuses: nats: permissions violation for publish to "s"',
    ]


class FakeClient:
    """Connects as it is told, and is closed after so many seconds."""

    is_connected = True

    def __init__(self, script: Sequence[Any]) -> None:
        self._script = script
        self.lost = asyncio.Event()

    async def connect(self, *, error_cb: Any, **_: Any) -> None:
        first, *rest = self._script
        if isinstance(first, Exception):
            raise first
        self._ending = asyncio.ensure_future(self._end(first, rest, error_cb))

    async def _end(self, seconds: float, errors: Sequence[Any], error_cb: Any) -> None:
        await asyncio.sleep(seconds / 2)
        for each in errors:
            await error_cb(each)
        await asyncio.sleep(seconds / 2)
        self.lost.set()

    async def subscribe(self, *_: Any, **__: Any) -> None:
        pass

    async def flush(self, seconds: float) -> None:
        assert 5 < seconds < 60

    async def end(self) -> None:
        pass


def lived(monkeypatch: pytest.MonkeyPatch, *scripts: Sequence[Any]) -> tuple[list[float], list[str]]:
    """Live through connections; return the pauses between them, and what was said."""
    made: list[float] = []
    ended: list[float] = []
    left = [*scripts]

    async def work() -> list[str]:
        loop = asyncio.get_running_loop()
        running = Running(BusServer.parse("nats://bus"))
        once = running.bus._connect_once

        def make(**_: Any) -> FakeClient:
            made.append(loop.time())
            return FakeClient(left.pop(0))

        async def connect_once() -> tuple[bool, str]:
            if not left:
                await asyncio.Event().wait()
            try:
                return await once()
            finally:
                ended.append(loop.time())

        monkeypatch.setattr(module, "BusClient", make)
        monkeypatch.setattr(running.bus, "_connect_once", connect_once)
        async with running.running():
            await asyncio.sleep(1000)
        return running.said

    said = run_without_time(work())
    return [after - before for before, after in zip(ended, made[1:], strict=False)], said


def test_again_and_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """With growing pauses, short ones again after a good connection; each loss is told once."""
    waited, said = lived(
        monkeypatch, [OSError("a")], [OSError("b")], [OSError("c")], [30, ValueError("d")], [OSError("e")],
        [31, ValueError("f"), ValueError("g")], [OSError("h")], [1], [1],
    )  # fmt: skip

    assert waited == [0.25, 0.5, 1, 2, 4, 0.25, 0.5, 1]
    assert said == [
        "waiting for the bus nats://bus:4222: a",
        "connected to the bus nats://bus:4222",
        "waiting for the bus nats://bus:4222: d",
        "connected to the bus nats://bus:4222",
        "waiting for the bus nats://bus:4222: g",
        "connected to the bus nats://bus:4222",
        "waiting for the bus nats://bus:4222: it has closed the connection",
        "connected to the bus nats://bus:4222",
        "waiting for the bus nats://bus:4222: it has closed the connection",
    ]
    warnings = [each.getMessage() for each in caplog.records]
    assert warnings[:2] == [
        "the bus nats://bus:4222 is away (a); trying again",
        "the bus nats://bus:4222 is away (d); trying again",
    ]
    assert len(warnings) == 5


def test_trouble_of_a_connection(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What was lost because it came too fast is told; so is what may not be done; neither is why a connection ends."""
    sub: Any = None
    slow = SlowConsumerError("s", "r", 1, sub)
    waited, said = lived(monkeypatch, [2, slow, ValueError("x PERMISSIONS y\n")], [1])

    assert waited == [0.25]
    assert [each.getMessage() for each in caplog.records][:2] == [
        "messages came faster than they could be taken, and some were lost",
        "the bus refuses: x PERMISSIONS y^J",
    ]
    assert said[1] == "waiting for the bus nats://bus:4222: it has closed the connection"


def test_no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What NATS' client says where there is none is no reason that helps anybody; what it said before is."""
    from nats.errors import NoServersError  # noqa: PLC0415 - of one test

    _, said = lived(monkeypatch, [NoServersError()], [OSError("x")])
    assert said == ["waiting for the bus nats://bus:4222: it cannot be reached"]
    _, said = lived(monkeypatch, [2, NoServersError()], [OSError("x")])
    assert said[1] == "waiting for the bus nats://bus:4222: it has closed the connection"
