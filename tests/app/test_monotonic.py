"""Tests of a reactor that goes by the monotonic clock: nobody's deadline moves when the time of day is set."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import twisted.internet
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import LoopingCall
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver import plugin
from cmdserver.app.monotonic import use_clock

HOUR = 3600.0


class Reactor(SelectReactor):
    """A reactor of Twisted's own that runs when its test says, and knows two clocks that stand still."""

    def __init__(self) -> None:
        self.time_of_day = 1_700_000_000.0
        self.monotonic = 1000.0
        super().__init__()

    def seconds(self) -> float:
        """Tell the time of day, as every reactor of Twisted's does."""
        return self.time_of_day

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on, and what is due happen."""
        self.time_of_day += seconds
        self.monotonic += seconds
        self.runUntilCurrent()


class ReactorClockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.addCleanup(lambda: [reader.connectionLost(None) for reader in self.reactor.removeAll()])
        self.happened: list[str] = []
        self.reactor.callLater(10, self.happened.append, "scheduled before")
        use_clock(self.reactor, lambda: self.reactor.monotonic)
        self.reactor.callLater(10, self.happened.append, "scheduled after")

    def test_a_clock_that_is_set_ahead_ends_nothing(self) -> None:
        """What is due in ten seconds is not due when the clock is set an hour ahead."""
        self.reactor.time_of_day += HOUR
        self.reactor.pass_time(9)

        self.assertEqual(self.happened, [])
        self.assertEqual(self.reactor.timeout(), 1)

    def test_a_clock_that_is_set_back_stops_nothing(self) -> None:
        """What is due in ten seconds is due then though the clock is set an hour back."""
        self.reactor.time_of_day -= HOUR
        self.reactor.pass_time(10)

        self.assertEqual(sorted(self.happened), ["scheduled after", "scheduled before"])

    def test_what_is_put_off_goes_by_the_same_clock(self) -> None:
        """A timer that is reset or delayed, and what happens at intervals, keep their time."""
        put_off = self.reactor.callLater(10, self.happened.append, "put off")
        put_off.reset(20)
        put_off.delay(5)
        beat = LoopingCall(self.happened.append, "beat")
        beat.clock = self.reactor
        beat.start(12, now=False)
        self.reactor.time_of_day += HOUR
        self.reactor.pass_time(11)
        self.assertEqual(sorted(self.happened), ["scheduled after", "scheduled before"])

        self.reactor.pass_time(1)
        self.assertEqual(self.happened[2:], ["beat"])
        self.reactor.pass_time(13)

        self.assertEqual(sorted(self.happened[2:]), ["beat", "beat", "put off"])
        beat.stop()

    def test_what_is_overdue_stays_due(self) -> None:
        """A timer that has run out, and has not been seen to yet, runs out at once."""
        reactor = Reactor()
        self.addCleanup(lambda: [reader.connectionLost(None) for reader in reactor.removeAll()])
        reactor.callLater(1, self.happened.append, "overdue")
        reactor.time_of_day += 5
        use_clock(reactor, lambda: reactor.monotonic)
        reactor.pass_time(0)

        self.assertEqual(self.happened, ["overdue"])


class PluginTests(SynchronousTestCase):
    def test_the_daemon_goes_by_the_monotonic_clock(self) -> None:
        """Whoever makes the daemon has its reactor changed before anything is made that asks it for the time."""
        directory = Path(self.enterContext(TemporaryDirectory()))
        file = directory / "cmdserver.toml"
        file.write_text('[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022"\nlogin = "never"\n', "utf-8")
        options = plugin.Options()
        options.parseOptions(["--config", str(file), "--state-dir", str(directory)])
        reactor = MemoryReactorClock()

        with patch.object(twisted.internet, "reactor", reactor, create=True):
            plugin.makeService(options)

        self.assertIs(reactor.seconds, time.monotonic)
