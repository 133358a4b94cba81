"""Tests of one receiver's forwarder: nobody waits for it, all is sent in its order or counted."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.receivers import ForwardCounts
from cmdserver.forwarding.backlog import Backlog
from cmdserver.forwarding.channel import Channel, Owner
from cmdserver.forwarding.forwarder import AT_ONCE, GOOD_SECONDS, SETTLED_SECONDS, Forwarder


class FakeChannel:
    """A channel that the test holds up, or lets fail."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.got: list[bytes] = []
        self.room: float = float("inf")
        self.fails: Callable[[], object] | None = None
        self.is_aborted = False
        self.closed: Deferred[None] | None = None

    def send(self, message: bytes) -> bool:
        if self.fails is not None:
            self.fails()
            return False
        if not self.room:
            return False
        self.room -= 1
        self.got.append(message)
        return True

    def close(self) -> Deferred[None]:
        self.closed = Deferred()
        return self.closed

    def abort(self) -> None:
        self.is_aborted = True


class ForwarderCase(SynchronousTestCase):
    """One receiver, whose channels the test makes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.openings: list[tuple[Owner, Deferred[Channel]]] = []
        self.forwarder = Forwarder(self.clock, "tcp:logs:514", self.open, Backlog(1000, 10_000), lambda: 0.0)

    def open(self, owner: Owner) -> Deferred[Channel]:
        """Wait for the test to say what comes of it."""
        opening: Deferred[Channel] = Deferred()
        self.openings.append((owner, opening))
        return opening

    def succeed(self) -> FakeChannel:
        """Let the last attempt succeed."""
        owner, opening = self.openings[-1]
        channel = FakeChannel(owner)
        opening.callback(channel)
        return channel

    def fail(self, reason: str = "refused") -> None:  # type: ignore[override]
        """Let the last attempt fail."""
        self.openings[-1][1].errback(ConnectError(string=reason))

    def send(self, *messages: bytes) -> None:
        """Forward messages."""
        for each in messages:
            self.forwarder.forward(each)

    def counts(self) -> ForwardCounts:
        """Look at the counts."""
        return self.forwarder.counts()


class ForwarderTests(ForwarderCase):
    """As long as the daemon runs."""

    def test_before_the_reactor_runs(self) -> None:
        """Nothing is opened; what comes waits."""
        self.send(b"a")
        self.assertEqual((self.openings, self.counts()), ([], ForwardCounts(0, 0, 1)))
        self.forwarder.start()
        channel = self.succeed()
        self.assertEqual((channel.got, self.counts()), ([b"a"], ForwardCounts(1, 0, 0)))

    def test_the_order(self) -> None:
        """What waited comes first, whatever comes meanwhile."""
        self.forwarder.start()
        self.send(b"a", b"b")
        channel = self.succeed()
        channel.room = 1
        self.send(b"c", b"d")
        channel.room = 10
        channel.owner.ready()
        self.send(b"e")

        self.assertEqual(channel.got, [b"a", b"b", b"c", b"d", b"e"])

    def test_others_have_a_turn(self) -> None:
        """A long backlog is not sent at one go, and what comes then does not overtake it."""
        messages = [b"%d" % each for each in range(AT_ONCE * 2 + 1)]
        self.send(*messages)
        self.forwarder.start()
        channel = self.succeed()
        self.assertEqual(len(channel.got), AT_ONCE)
        self.send(b"last")
        self.assertEqual(len(channel.got), AT_ONCE)
        self.clock.pump([0, 0, 0])

        self.assertEqual(channel.got, [*messages, b"last"])

    def test_pauses_grow(self) -> None:
        """From a second to a minute; the log hears of it once."""
        self.forwarder.start()
        with capturedLogs() as events:
            pauses = []
            for _ in range(9):
                self.fail()
                pauses.append(self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds())
                self.clock.advance(pauses[-1])
        self.assertEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60])
        self.assertEqual([each["log_level"] for each in events], [LogLevel.warn])
        self.assertIn("refused", events[0]["text"])

    def test_pauses_begin_anew(self) -> None:
        """After a good while; one that takes a connection and drops it is not asked all the time."""
        self.forwarder.start()
        for seconds, pause in ((0, 1), (SETTLED_SECONDS, 2), (GOOD_SECONDS, 1)):
            channel = self.succeed()
            self.clock.advance(seconds)
            channel.owner.gone("dropped")
            self.clock.advance(pause - 0.01)
            before = len(self.openings)
            self.clock.advance(0.01)
            self.assertEqual(len(self.openings), before + 1)

    def test_a_channel_that_fails_while_it_sends(self) -> None:
        """The message that it did not take is the first on the next one."""
        self.forwarder.start()
        channel = self.succeed()
        channel.fails = lambda: channel.owner.gone("broken")
        self.send(b"a", b"b")
        self.assertTrue(channel.is_aborted)
        self.clock.advance(1)

        self.assertEqual(self.succeed().got, [b"a", b"b"])

    def test_what_did_not_arrive(self) -> None:
        """It is counted as lost, when that is known, and the log hears of it."""
        self.forwarder.start()
        channel = self.succeed()
        self.send(b"a")
        with capturedLogs() as events:
            channel.owner.gone("refused", lost=1)
            channel.owner.gone("refused", lost=1)  # once is enough

        self.assertEqual(self.counts(), ForwardCounts(0, 1, 0))
        self.assertEqual([each["log_level"] for each in events], [LogLevel.warn, LogLevel.error])

    def test_a_receiver_that_does_not_read(self) -> None:
        """Only what waits grows, up to its bounds; then the oldest is lost, counted, and told at once."""
        self.forwarder.start()
        self.succeed().room = 0
        with capturedLogs() as events:
            self.send(*(b"x" * 100 for _ in range(150)))

        self.assertEqual(self.counts(), ForwardCounts(0, 50, 100))
        self.assertEqual([each["log_level"] for each in events], [LogLevel.error])

    def test_the_end_of_an_outage(self) -> None:
        """It is told when it has been good for a while, with what was lost."""
        self.forwarder.start()
        self.send(*(b"x" * 100 for _ in range(101)))
        self.fail()
        self.clock.advance(1)
        with capturedLogs() as events:
            self.succeed()
            self.clock.advance(SETTLED_SECONDS - 1)
            self.assertEqual(events, [])
            self.clock.advance(1)

        self.assertEqual([each["log_level"] for each in events], [LogLevel.info])
        self.assertIn("1 line lost", events[0]["text"])


class ClosingTests(ForwarderCase):
    """The end."""

    def setUp(self) -> None:
        super().setUp()
        self.forwarder.start()
        self.ended: list[object] = []

    def close(self) -> None:
        """Give it two seconds."""
        self.forwarder.close(2).addCallback(self.ended.append)

    def test_nothing_waits(self) -> None:
        """An open channel is closed in an orderly way; without one there is nothing to wait for."""
        channel = self.succeed()
        self.close()
        self.assertEqual(self.ended, [])
        assert channel.closed is not None
        channel.closed.callback(None)
        self.assertEqual(self.ended, [None])

    def test_no_channel_and_nothing_waits(self) -> None:
        """Nothing is opened for that."""
        self.fail()
        self.close()
        self.assertEqual((self.ended, len(self.openings)), ([None], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_waits_is_sent(self) -> None:
        """Also by a channel that is opened for it at once."""
        self.fail()
        self.send(b"a")
        self.close()
        channel = self.succeed()
        assert channel.closed is not None
        channel.closed.callback(None)
        self.assertEqual((channel.got, self.ended), ([b"a"], [None]))

    def test_what_cannot_be_sent(self) -> None:
        """It is tried once, or for the time that there is; then it is lost, and told."""
        for deed in (self.fail, lambda: self.clock.advance(2)):
            self.setUp()
            self.send(b"a", b"b")
            with capturedLogs() as events:
                self.close()
                deed()
            self.assertEqual((self.ended, self.counts()), ([None], ForwardCounts(0, 2, 0)))
            self.assertIn("could not be sent", events[-1]["log_format"])
            self.assertEqual(events[-1]["lost"], 2)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_channel_that_does_not_close(self) -> None:
        """It is closed at the deadline, once."""
        channel = self.succeed()
        self.close()
        self.clock.advance(2)
        self.assertEqual(self.ended, [None])
        self.close()
        channel.owner.gone("late")
        channel.owner.ready()
        self.assertEqual(self.clock.getDelayedCalls(), [])
