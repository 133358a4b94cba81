"""Tests of a caller's messages: what is sent is what is signed, and what comes back goes to who has asked."""

import asyncio
from typing import Any

import pytest

from cmdserver.auth.signatures.audience import Audience
from cmdserver.auth.signatures.request_signing import Question
from cmdserver.fleet.bus import NotConnected
from cmdserver.fleet.client.exchange import Exchange, Reply
from tests.fleet.doubles import FakeBus, Incoming, Sent, an_exchange, run, settle
from tests.signing import NOW

QUESTION = Question("POST", "/df/x", "application/json", b'{"a": "b"}')


async def sent(bus: FakeBus, exchange: Exchange, seconds: float = 60, received: list[Reply] | None = None) -> Sent:
    """Sign and send a question; return what was sent."""
    signed = await exchange.sign(QUESTION, ["web-1", "db-*"], seconds)
    await exchange.send(bus, "a.subject", QUESTION, signed, (received if received is not None else []).append)  # type: ignore[arg-type]
    return bus.sent[-1]


def test_what_is_sent() -> None:
    """The question, its signature, and where it is to be answered; a host can read it."""

    async def work() -> None:
        bus = FakeBus()
        exchange = await an_exchange(bus, "a.da")
        message = await sent(bus, exchange)

        assert (message.subject, message.body, message.flush) == ("a.subject", QUESTION.body, False)
        assert [*message.headers] == [
            "Cmdserver-Method", "Cmdserver-Target", "Cmdserver-Audience", "Content-Type", "Content-Digest",
            "Signature-Input", "Signature",
        ]  # fmt: skip
        read = message.read()
        assert read.audience == Audience("prod", ("web-1", "db-*"))
        assert (read.user, read.created, read.expires) == ("a.da", NOW, NOW + 60)
        assert message.reply == f"_INBOX.cmdserver.a_da.{0:024}.{2:024}"
        assert read.nonce == f"{1:024}"

    run(work())


@pytest.mark.parametrize(("seconds", "valid"), [(0.1, 1), (1, 1), (1.5, 2), (60, 60), (61, 60), (1e9, 60)])
def test_how_long_it_is_good(seconds: float, valid: int) -> None:
    """As long as somebody waits, and at most as long as hosts take."""

    async def work() -> None:
        bus = FakeBus()
        await asyncio.sleep(7.9)
        read = (await sent(bus, await an_exchange(bus), seconds)).read()
        assert (read.created, read.expires - read.created) == (NOW + 7, valid)

    run(work())


def test_what_comes_back() -> None:
    """It goes to who waits for it there, until nobody does; what was never asked goes to nobody."""

    async def work() -> None:
        bus = FakeBus()
        exchange = await an_exchange(bus)
        assert bus.client.bounds == {(1_000_000, 1 << 30)}
        ((subject, take),) = bus.client.subscribed.items()
        assert subject == f"_INBOX.cmdserver.ada.{0:024}.*"
        first: list[Reply] = []
        second: list[Reply] = []
        signed = await exchange.sign(QUESTION, ["*"], 1)
        words = [await exchange.send(bus, "s", QUESTION, signed, each.append) for each in (first, second)]  # type: ignore[arg-type]
        replies = [each.reply for each in bus.sent]
        assert len({*replies}) == 2
        await take(Incoming(replies[1], b"x", {"A": "b"}))
        await take(Incoming(replies[0], b"y"))
        await take(Incoming("_INBOX.cmdserver.ada.other", b"z"))
        await take(Incoming("", b"z"))
        assert (first, second) == ([Reply({}, b"y")], [Reply({"A": "b"}, b"x")])
        exchange.forget(words[0])
        exchange.forget(words[0])
        await take(Incoming(replies[0], b"y"))
        assert len(first) == 1

    run(work())


def test_a_bus_that_is_away() -> None:
    """It is told, and nothing is waited for."""

    async def work() -> None:
        bus = FakeBus()
        exchange = await an_exchange(bus)
        bus.away = {-1}
        with pytest.raises(NotConnected):
            await sent(bus, exchange)
        assert exchange._receivers == {}
        bus.away = set()
        await sent(bus, exchange)
        assert len(exchange._receivers) == 1
        await settle()

    run(work())


def test_nobody() -> None:
    """The bus says that nobody listens by a status of its own, and without a body."""
    cases: list[tuple[dict[str, str], bytes, bool]] = [
        ({"Status": "503"}, b"", True),
        ({"Status": "503"}, b"x", False),
        ({"Status": "404"}, b"", False),
        ({"Cmdserver-Status": "503"}, b"", False),
        ({}, b"", False),
    ]
    for headers, body, is_no_responders in cases:
        assert Reply(headers, body).is_no_responders == is_no_responders


def test_it_is_signed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread: an agent may ask a person, and whatever comes meanwhile is taken."""
    asked: list[Any] = []
    to_thread = asyncio.to_thread

    async def elsewhere(make: Any) -> Any:
        asked.append(make)
        return await to_thread(make)

    monkeypatch.setattr(asyncio, "to_thread", elsewhere)

    async def work() -> None:
        bus = FakeBus()
        await sent(bus, await an_exchange(bus))

    run(work())
    assert len(asked) == 1
