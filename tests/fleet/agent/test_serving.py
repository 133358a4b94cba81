"""Tests of the agent as a process: its beginning, its end, and what systemd hears of them."""

import asyncio
import os
import signal
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cmdserver.core.site import FleetHost
from cmdserver.fleet.agent import serving as program
from cmdserver.fleet.agent.agent import Agent
from cmdserver.fleet.agent.daemon_socket import DaemonSocket
from cmdserver.fleet.membership import BusServer
from tests.fleet.doubles import FakeClient, run


class FakeBus:
    """A bus that somebody ends the program with.

    Args:
        given: What a bus is made of; the status is told at once.
    """

    made: ClassVar[list[Any]] = []
    failure: ClassVar[Exception | None] = None

    def __init__(self, *given: Any) -> None:
        self.made.append(self)
        self.given = given

    async def run(self) -> None:
        _, name, subscribe, dice, status = self.given
        client = FakeClient()
        await subscribe(client)
        assert [*client.subscribed] == ["cmdserver.prod.host.web-1", "cmdserver.prod.all"]
        status(f"{name} {0 <= dice() < 1}")
        if self.failure is not None:
            raise self.failure
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()


SERVER = BusServer.parse("nats://x")


def serving() -> Coroutine[Any, Any, None]:
    """Serve a host whose daemon nobody asks."""
    return program.serve(FleetHost("prod", "web-1"), SERVER, DaemonSocket(Path("/none")).ask)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What systemd is told."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    monkeypatch.setattr(program, "notify", said.append)
    monkeypatch.setattr(program, "Bus", FakeBus)
    return said


def test_a_life(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready at once, whatever the bus does; told to end it ends, having waited for what is being answered."""
    waited: list[float] = []

    async def drain(_: Agent, seconds: float) -> None:
        waited.append(seconds)
        assert told[-1] == "STOPPING=1"

    monkeypatch.setattr(Agent, "drain", drain)
    run(serving())

    assert told == ["READY=1", "STATUS=cmdserver-agent web-1 True", "STOPPING=1"]
    assert waited == [5]
    assert FakeBus.made.pop().given[0] == SERVER


def test_a_bad_end(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What should never end and does is told, and ends the program."""
    monkeypatch.setattr(FakeBus, "failure", RuntimeError("never"))
    with pytest.raises(RuntimeError, match="never"):
        run(serving())
    assert told[-1] == "STOPPING=1"


@pytest.mark.parametrize(
    ("environment", "times"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "x"}, 0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 6),
        ({"WATCHDOG_USEC": "10000000"}, 6),
    ],
)
def test_the_watchdog(
    told: list[str], monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], times: int
) -> None:
    """It is fed in good time, if there is one and it is ours."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def work() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(program._feed_watchdog(), 21)

    run(work())
    assert told == ["WATCHDOG=1"] * times


def test_nobody_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no trouble."""

    def notify(state: str) -> None:
        raise OSError(state)

    monkeypatch.setattr(program, "notify", notify)
    program._status("x")
