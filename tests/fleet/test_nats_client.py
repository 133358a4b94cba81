"""Tests of what NATS' client has to bear: messages that nobody can read, lines without end, a bus that is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from cmdserver.fleet.nats_client import BusClient, _Parser
from tests.fleet.test_bus import Server

#: What a bus delivers to the first subscription, in place of a message: it ends the reading of NATS' own client.
UNREADABLE = (
    b"MSG a.subject 1 \xff\xfe 0\r\n\r\n",
    b"MSG \xff\xfe 1 0\r\n\r\n",
    b"HMSG a.subject 1 8 8\r\nNATS/1.0\r\n",
    b"HMSG a.subject 1 16 16\r\nNATS/1.0 \xff\xff\xff\r\n\r\n\r\n",
)
READABLE = b"MSG a.subject 1 4\r\ngood\r\n"


def heard(make: Callable[[], Client], delivered: bytes) -> list[bytes]:
    """Subscribe, have something delivered and then a good message, and return what was heard of that."""
    found: list[bytes] = []

    async def work() -> None:
        come = asyncio.Event()

        async def take(message: Msg) -> None:
            found.append(message.data)
            come.set()

        server = Server(subscribed=delivered + READABLE)
        async with server.serving() as address:
            client = make()
            await client.connect(f"nats://127.0.0.1:{address.port}", allow_reconnect=False, max_reconnect_attempts=1)
            await client.subscribe("a.subject", cb=take)
            reading: Any = client._reading_task
            await asyncio.wait([asyncio.ensure_future(come.wait()), reading], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
            await client.close()

    asyncio.run(work())
    return [each for each in found if each == b"good"]


@pytest.mark.parametrize("delivered", UNREADABLE)
def test_what_nobody_can_read(delivered: bytes) -> None:
    """It is left out, and the next message is heard."""
    assert heard(lambda: BusClient(is_tls=False), delivered) == [b"good"]


def test_what_is_overridden_is_needed() -> None:
    """NATS' own client hears nothing more after at least one of these: if that is mended there, less is needed here."""
    assert [] in [heard(Client, delivered) for delivered in UNREADABLE]


def parsing(*pieces: bytes) -> Parser:
    """Have a parser read what comes in pieces."""

    class Nobody:
        """Bears whatever is parsed."""

        def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
            async def bear(*_: object) -> None:
                """Take it."""

            return bear

    parser = _Parser(Nobody())

    async def work() -> None:
        for each in pieces:
            await parser.parse(each)

    asyncio.run(work())
    return parser


def test_a_large_message() -> None:
    """One of 64 MiB may be announced, and no larger one; nothing of that is kept."""
    assert parsing(b"MSG s 1 67108864\r\n").needed == 64 * 1024 * 1024
    for line in (b"MSG s 1 67108865\r\n", b"HMSG s 1 10 99999999999\r\n"):
        with pytest.raises(ProtocolError):
            parsing(line)


def test_a_long_line() -> None:
    """One that is no message has 16 KiB; the body of a message may have more."""
    parsing(b"INFO {" + b"x" * 16000)
    with pytest.raises(ProtocolError):
        parsing(b"INFO {" + b"x" * 16000, b"x" * 1000)
    parsing(b"MSG s 1 100000\r\n", b"x" * 50_000)


@pytest.mark.parametrize("line", [b"INFO {\r\n", b"-ERR '\xff'\r\n", b"HELLO\r\n"])
def test_what_is_no_protocol(line: bytes) -> None:
    """Whatever NATS' parser raises, the connection is lost in one way."""
    with pytest.raises(ProtocolError):
        parsing(line)


def test_a_bus_that_goes() -> None:
    """Nothing is heard any more, and that is known, however it came."""

    async def work() -> None:
        server = Server(published=None)
        async with server.serving() as address:
            client = BusClient(is_tls=False)
            await client.connect(f"nats://127.0.0.1:{address.port}", allow_reconnect=False, max_reconnect_attempts=1)
            assert not client.lost.is_set()
            await client.publish("s", b"x")
            await client.lost.wait()
            await client.end()
            assert client.is_closed

    asyncio.run(work())


def test_a_close_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut short."""

    async def never(_: Client) -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        monkeypatch.setattr("cmdserver.fleet.nats_client._CLOSE_SECONDS", 0)
        monkeypatch.setattr(Client, "close", never)
        server = Server()
        async with server.serving() as address:
            client = BusClient(is_tls=False)
            await client.connect(f"nats://127.0.0.1:{address.port}", allow_reconnect=False, max_reconnect_attempts=1)
            await client.end()
            await client.lost.wait()  # its socket is closed

    asyncio.run(work())
