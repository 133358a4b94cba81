"""Tests of the agent: what it takes from the bus, what it bounds, and what it does not answer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest

from cmdserver.core.site import FleetHost
from cmdserver.fleet.agent.agent import MOST_UNANSWERED, Agent, Body
from cmdserver.fleet.agent.daemon_socket import DaemonAnswer, DaemonAway
from cmdserver.fleet.bus_messages import PART_BYTES, BusRequest
from tests.fleet.doubles import FakeBus, FakeClient, Incoming, run, settle

HOST = FleetHost("prod", "Web-1")
REPLY = "_INBOX.cmdserver.ada.1.2"
FIELDS = (("Cmdserver-Host", "Web-1"), ("Content-Type", "application/json"), ("Signature", "s"))
REQUEST = {
    "Cmdserver-Method": "POST",
    "Cmdserver-Target": "/uptime",
    "Cmdserver-Audience": 'prod;hosts=("web-*")',
    "Signature-Input": "cmdserver=()",
    "Signature": "cmdserver=:AAAA:",
}


class FakeDaemon:
    """Answers with what it has, as soon as it may."""

    def __init__(self) -> None:
        self.asked: list[BusRequest] = []
        self.content = b'{"outcome": "ok"}'
        #: How much of it comes; None: all.
        self.cut: int | None = None
        self.away: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.left = 0

    @asynccontextmanager
    async def ask(self, request: BusRequest) -> AsyncIterator[tuple[DaemonAnswer, Body]]:
        self.asked.append(request)
        if self.away is not None:
            raise self.away
        reader = asyncio.StreamReader()
        reader.feed_data(self.content[: self.cut])
        reader.feed_eof()
        try:
            await self.may_answer.wait()
            yield DaemonAnswer(200, FIELDS, len(self.content)), reader
        finally:
            self.left += 1


class Stage:
    """An agent between a bus and a daemon."""

    def __init__(self) -> None:
        self.daemon = FakeDaemon()
        self.bus: Any = FakeBus()
        self.time = 1000.0
        self.agent = Agent(HOST, self.daemon.ask, lambda: self.time)

    def take(
        self, reply: str = REPLY, content: bytes = b"", *, differences: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Bring a request."""
        headers = {**REQUEST, **{f"Cmdserver-{name.title()}": value for name, value in differences.items()}}
        self.agent.take(headers, content, reply, self.bus)


Messages = Callable[[], list[str]]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Messages:
    """Return what was logged since it was asked last, without the common beginning."""
    caplog.set_level(logging.INFO)

    def messages() -> list[str]:
        found = [f"{each.levelname} {each.getMessage()}" for each in caplog.records]
        caplog.clear()
        return found

    return messages


def test_a_request(logged: Messages) -> None:
    """The daemon is asked what came, and its answer goes where it is to go; without waiting for the bus."""

    async def work() -> None:
        stage = Stage()
        stage.take(content=b"{}")
        await settle()

        (asked,), (sent,) = stage.daemon.asked, stage.bus.sent
        assert (asked.method, asked.target, asked.body) == ("POST", "/uptime", b"{}")
        assert (sent.subject, sent.body, sent.reply, sent.flush) == (REPLY, b'{"outcome": "ok"}', "", False)
        assert sent.headers == {"Cmdserver-Status": "200", **dict(FIELDS)}
        assert stage.daemon.left == 1

    run(work())
    assert logged() == []


def test_what_is_left_out(logged: Messages) -> None:
    """What is for others, is not signed, is no request, or has nowhere to be answered; a line a minute says so."""

    async def work() -> None:
        stage = Stage()
        cases: Sequence[tuple[dict[str, str], str]] = (
            ({"audience": 'prod;hosts=("db-1")'}, "it is meant for others"),
            ({"audience": 'test;hosts=("web-1")'}, "it is meant for others"),
            ({"audience": "prod;hosts=()"}, "it is meant for others"),
            ({"audience": "x"}, 'the audience is not like FLEET;hosts=("web-1" "db-*")'),
            ({"method": "PUT"}, "it has no method and no target"),
            ({"reply": ""}, "there is nowhere to answer it"),
            ({"reply": "cmdserver.prod.host.web-1"}, "there is nowhere to answer it"),
            ({"reply": "_INBOX.cmdserver.>"}, "there is nowhere to answer it"),
        )
        for differences, why in cases:
            stage.time += 60
            stage.take(differences.pop("reply", REPLY), differences=differences)
            assert logged() == [f"INFO left out a message: {why}"]
        stage.agent.take(None, b"", REPLY, stage.bus)
        assert logged() == []
        stage.time += 60
        stage.agent.take({**REQUEST, "Signature": ""}, b"", REPLY, stage.bus)
        assert logged() == ["INFO left out a message: Signature is not printable ASCII (1 more before it)"]
        await settle()
        assert (stage.daemon.asked, stage.bus.sent) == ([], [])

    run(work())


def test_subscriptions() -> None:
    """To the host's own subject and that of all, with bounds; what comes is answered over the bus it came by.

    All hosts at once are asked who is there, and nothing else: not even with other values, or by another method.
    """

    async def work() -> None:
        stage = Stage()
        client: Any = FakeClient()
        await stage.agent.subscribe(client, stage.bus)
        assert [*client.subscribed] == ["cmdserver.prod.host.web-1", "cmdserver.prod.all"]
        assert client.bounds == {(1000, 16 * 1024 * 1024)}
        own, everybody = client.subscribed.values()
        roll_call = {**REQUEST, "Cmdserver-Method": "GET", "Cmdserver-Target": "/-/fleet"}
        await own(Incoming("whatever", b"x", REQUEST, REPLY))
        await own(Incoming("whatever", b"y", roll_call, REPLY))
        await everybody(Incoming("whatever", b"z", roll_call, REPLY))
        for other in (
            REQUEST,
            {**roll_call, "Cmdserver-Method": "POST"},
            {**roll_call, "Cmdserver-Target": "/-/fleet?x"},
            {**roll_call, "Cmdserver-Target": "/-/runs"},
        ):
            await everybody(Incoming("whatever", b"", other, REPLY))
        await settle()
        assert [each.body for each in stage.daemon.asked] == [b"x", b"y", b"z"]
        assert [each.subject for each in stage.bus.sent] == [REPLY] * 3

    run(work())


def test_how_often(logged: Messages) -> None:
    """Fifty requests a second, and the next as soon as a second has passed since the first; no others count."""

    async def work() -> None:
        stage = Stage()
        for _ in range(60):
            stage.take(reply="")
        logged()
        stage.take()
        stage.time += 0.5
        for _ in range(55):
            stage.take()
            await settle()
        assert len(stage.daemon.asked) == 50
        assert logged() == ["WARNING left out a request: more than 50 come in a second"]
        stage.time += 0.5
        for _ in range(2):
            stage.take()
        await settle()
        assert len(stage.daemon.asked) == 51

    run(work())


def test_how_many_at_once(logged: Messages) -> None:
    """As many wait for an answer as may; one that has its answer makes room."""

    async def work() -> None:
        stage = Stage()
        stage.daemon.may_answer.clear()
        for _ in range(MOST_UNANSWERED + 2):
            stage.time += 1
            stage.take()
        await settle()
        assert len(stage.daemon.asked) == MOST_UNANSWERED == 64
        assert logged() == ["WARNING left out a request: 64 are being answered"]
        stage.daemon.may_answer.set()
        await settle()
        stage.time += 1
        stage.take()
        await settle()
        assert len(stage.bus.sent) == 65

    run(work())


@pytest.mark.parametrize(
    ("trouble", "line"),
    [
        (DaemonAway("gone"), "WARNING a request was not answered: gone"),
        (
            asyncio.IncompleteReadError(b"", 3),
            "WARNING a request was not answered: 0 bytes read on a total of 3 ",
        ),
        (RuntimeError("x"), "ERROR a request was not answered"),
    ],
)
def test_no_answer(trouble: Exception, line: str, logged: Messages) -> None:
    """Whatever the daemon's trouble is: nothing is sent, and the next request is answered."""

    async def work() -> None:
        stage = Stage()
        stage.daemon.away = trouble
        stage.take()
        await settle()
        assert stage.bus.sent == []
        assert [each.partition("expected")[0] for each in logged()] == [line]
        stage.daemon.away = None
        stage.take()
        await settle()
        assert len(stage.bus.sent) == 1

    run(work())


def test_an_answer_that_never_comes(logged: Messages) -> None:
    """It is waited for as long as a command may run, and then the daemon is left."""

    async def work() -> None:
        stage = Stage()
        stage.daemon.may_answer.clear()
        stage.take()
        await asyncio.sleep(3599)
        assert stage.daemon.left == 0
        await asyncio.sleep(1.5)
        assert stage.daemon.left == 1
        assert logged() == ["WARNING a request was not answered within 3600.0 s"]

    run(work())


def test_parts() -> None:
    """A long answer goes in parts, each when the bus has the one before; they differ in the number alone."""

    async def work() -> None:
        stage = Stage()
        stage.daemon.content = b"a" * PART_BYTES + b"b" * PART_BYTES + b"c"
        stage.take()
        await settle()

        assert PART_BYTES == 900_000
        assert [each.body for each in stage.bus.sent] == [b"a" * PART_BYTES, b"b" * PART_BYTES, b"c"]
        assert [each.headers.pop("Cmdserver-Part") for each in stage.bus.sent] == ["1/3", "2/3", "3/3"]
        assert all(each.headers == {"Cmdserver-Status": "200", **dict(FIELDS)} for each in stage.bus.sent)
        assert all(each.flush for each in stage.bus.sent)

    run(work())


@pytest.mark.parametrize("size", [0, PART_BYTES])
def test_one_part(size: int) -> None:
    """An answer without a body is one message, and so is one that just fits."""

    async def work() -> None:
        stage = Stage()
        stage.daemon.content = b"x" * size
        stage.take()
        await settle()
        (sent,) = stage.bus.sent
        assert (len(sent.body), sent.flush, "Cmdserver-Part" in sent.headers) == (size, False, False)

    run(work())


def test_a_bus_that_goes(logged: Messages) -> None:
    """In the middle of an answer: the rest of it is given up, and the daemon left."""

    async def work() -> None:
        stage = Stage()
        stage.daemon.content = b"x" * (3 * PART_BYTES)
        stage.bus.away = {1}
        stage.take()
        await settle()
        assert len(stage.bus.sent) == 1
        assert stage.daemon.left == 1
        assert logged() == ["WARNING an answer was not delivered: the bus is away"]

    run(work())


def test_a_daemon_that_goes(logged: Messages) -> None:
    """In the middle of an answer: no part is sent that is not whole."""

    async def work() -> None:
        stage = Stage()
        stage.daemon.content, stage.daemon.cut = b"x" * (2 * PART_BYTES), PART_BYTES + 5
        stage.take()
        await settle()
        assert [len(each.body) for each in stage.bus.sent] == [PART_BYTES]
        assert logged() == ["WARNING a request was not answered: 5 bytes read on a total of 900000 expected bytes"]

    run(work())


def test_the_end() -> None:
    """What is being answered may still be, for some time; then the daemon is left. Nothing is no trouble."""

    async def work() -> None:
        stage = Stage()
        await stage.agent.drain(5)
        stage.daemon.may_answer.clear()
        stage.take()
        await settle()
        asyncio.get_running_loop().call_later(4, stage.daemon.may_answer.set)
        await stage.agent.drain(5)
        assert (asyncio.get_running_loop().time(), len(stage.bus.sent)) == (4, 1)

        stage.daemon.may_answer.clear()
        stage.take()
        await stage.agent.drain(5)
        await settle()
        assert (asyncio.get_running_loop().time(), len(stage.bus.sent), stage.daemon.left) == (9, 1, 2)

    run(work())
