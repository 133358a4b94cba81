"""Who may call, how many may not, and what the log says of them."""

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from cmdserver.core.addresses import parse_network
from cmdserver.limits.source_filter import COMPLAINT_SECONDS, SourceFilter


@pytest.fixture
def clock() -> Clock:
    """Stand still."""
    return Clock()


@pytest.fixture
def door(clock: Clock) -> SourceFilter:
    """Let in two networks."""
    door = SourceFilter("tcp:2022", clock)
    door.networks = (parse_network("10.0.0.0/8"), parse_network("2001:db8::/32"))
    return door


@pytest.mark.parametrize("source", ["10.1.2.3", "10.0.0.0", "::ffff:10.1.2.3", "2001:db8::1"])
def test_who_may_call(door: SourceFilter, source: str) -> None:
    """An IPv4 client of an IPv6 socket counts as what it is."""
    assert not door.refuses(source)
    assert door.refused == 0


@pytest.mark.parametrize("source", ["11.0.0.0", "9.255.255.255", "2001:db9::", "::1", "::ffff:11.0.0.1", "::10.1.2.3"])
def test_who_may_not(door: SourceFilter, source: str) -> None:
    """All others."""
    assert door.refuses(source)
    assert door.refused == 1


@pytest.mark.parametrize("source", ["unix", "unknown", ""])
def test_who_has_no_address(door: SourceFilter, source: str) -> None:
    """It is in no network, not even in that of all."""
    door.networks = (parse_network("0.0.0.0/0"), parse_network("::/0"))
    assert door.refuses(source)


def test_everybody(clock: Clock) -> None:
    """Without networks nobody is refused, not even who has no address."""
    door = SourceFilter("tcp:2022", clock)
    assert not any(map(door.refuses, ("10.1.2.3", "::1", "unix", "unknown")))


def test_log(clock: Clock, door: SourceFilter) -> None:
    """The first is told at once, the others once a minute, and nobody is left out."""
    with capturedLogs() as events:
        for source in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            door.refuses(source)
        texts = [formatEvent(each) for each in events]
        assert texts == ["tcp:2022: 1 connection closed, as from has no 192.0.2.1"]
        clock.advance(COMPLAINT_SECONDS)
        texts = [formatEvent(each) for each in events]
        assert texts[1:] == ["tcp:2022: 2 connections closed, as from has no 192.0.2.3, which was the last of them"]
        clock.advance(COMPLAINT_SECONDS)
        assert clock.getDelayedCalls() == []
        door.refuses("192.0.2.4")
        assert len(events) == 3
    assert door.refused == 4


def test_close(clock: Clock, door: SourceFilter) -> None:
    """What is left is told, and no timer is left."""
    with capturedLogs() as events:
        door.refuses("192.0.2.1")
        door.refuses("192.0.2.2")
        door.close()
        door.close()
        assert [formatEvent(each).rpartition(" ")[2] for each in events] == ["192.0.2.1", "192.0.2.2"]
    assert clock.getDelayedCalls() == []
