"""Tests of telling many what one process says."""

import gc
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Stream
from cmdserver.dispatch.broadcast import PIECE_BYTES, READERS_A_TURN, Broadcast, Subscriber
from tests.doubles import LAW
from tests.running_doubles import RecordingSink, TurnClock, finished, grant


class _NoProducer:
    """A broadcast leaves its producer alone."""

    def pauseProducing(self) -> None:
        raise AssertionError

    resumeProducing = pauseProducing


NO_PRODUCER = _NoProducer()


class RecordingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broadcast = Broadcast(self.clock)
        self.failures: list[Failure] = []

    def subscribe(self) -> tuple[RecordingSink, Subscriber]:
        """Let one more sink hear."""
        sink = RecordingSink()
        return sink, self.broadcast.subscribe(sink, self.failures.append)

    def start(self) -> None:
        """Let the process be started; its flow is nobody's business."""
        self.broadcast.started(grant(), NO_PRODUCER)

    def test_all_hear_what_is_said_when_it_is_said(self) -> None:
        """Every sink is told each piece at once, in order, standard error among them."""
        sinks = [self.subscribe()[0] for _ in range(3)]
        self.start()
        self.broadcast.write(Stream.STDOUT, b"one")
        self.broadcast.write(Stream.STDERR, b"two")
        self.broadcast.write(Stream.STDOUT, b"three")

        for sink in sinks:
            self.assertEqual(sink.grant, grant())
            self.assertEqual(sink.chunks, [("out", b"one"), ("err", b"two"), ("out", b"three")])

    def test_a_slow_reader_hears_the_same_later(self) -> None:
        """One who pauses hears nothing until it resumes, and then all of it; nobody else waits."""
        slow, fast = self.subscribe()[0], self.subscribe()[0]
        self.start()
        slow.pause()
        for number in range(5):
            self.broadcast.write(Stream.STDOUT, b"%d" % number)
        self.assertEqual((slow.stdout, fast.stdout), (b"", b"01234"))

        slow.resume()

        self.assertEqual(slow.stdout, b"01234")

    def test_it_is_over_when_all_is_told(self) -> None:
        """The end comes once, when the reader has heard everything, and at once for one who has."""
        ends = []
        (slow, slow_reader), (_, subscriber) = self.subscribe(), self.subscribe()
        self.start()
        slow.pause()
        self.broadcast.write(Stream.STDOUT, b"said")

        slow_reader.end(lambda: ends.append("slow"))
        subscriber.end(lambda: ends.append("fast"))
        self.assertEqual(ends, ["fast"])
        slow.resume()
        slow.resume()

        self.assertEqual(ends, ["fast", "slow"])

    def test_who_stops_hears_no_more(self) -> None:
        """Not what was kept for it, not what comes, not the end; from within, too."""
        (sink, subscriber), (other, _) = self.subscribe(), self.subscribe()
        self.start()
        sink.when_out = subscriber.stop
        self.broadcast.write(Stream.STDOUT, b"one")
        self.broadcast.write(Stream.STDERR, b"two")
        subscriber.end(self.fail)
        subscriber.resumeProducing()

        self.assertEqual(sink.chunks, [("out", b"one")])
        self.assertEqual(other.chunks, [("out", b"one"), ("err", b"two")])

    def test_a_mistake_of_one_is_its_own(self) -> None:
        """A sink that raises is told no more; the others are, and it is known what was raised."""
        (sink, _), (other, _) = self.subscribe(), self.subscribe()
        self.start()
        sink.when_out = lambda: 1 / 0
        self.broadcast.write(Stream.STDOUT, b"one")
        self.broadcast.write(Stream.STDERR, b"two")

        (failure,) = self.failures
        failure.trap(ZeroDivisionError)
        self.assertEqual(sink.stderr, b"")
        self.assertEqual(other.stderr, b"two")

    def test_pausing_and_resuming_from_within_does_not_pile_up(self) -> None:
        """A sink that does so at each of very many pieces hears each once and does not use up the stack."""
        sink, _ = self.subscribe()
        self.start()
        sink.pause()
        for number in range(5_000):
            self.broadcast.write(Stream.STDERR if number % 2 else Stream.STDOUT, b"x")

        def hesitate() -> None:
            sink.pause()
            sink.resume()

        sink.when_out = hesitate
        sink.resume()

        self.assertEqual(len(sink.stdout + sink.stderr), 5_000)

    def test_large_pieces_are_everybodys(self) -> None:
        """However many hear, there is one copy of what is said."""
        sinks = [self.subscribe()[0] for _ in range(3)]
        self.start()
        chunk = b"x" * (PIECE_BYTES + 1)
        self.broadcast.write(Stream.STDOUT, chunk)

        for sink in sinks:
            self.assertIs(sink.chunks[0][1], chunk)

    def test_small_pieces_are_kept_as_one(self) -> None:
        """A process that writes byte by byte costs a few pieces, for readers before and after the joint alike."""
        fast, slow = self.subscribe()[0], self.subscribe()[0]
        self.start()
        slow.pause()
        for _ in range(3 * PIECE_BYTES):
            self.broadcast.write(Stream.STDOUT, b"x")
        slow.resume()

        self.assertEqual(len(self.broadcast.pieces), 3)
        self.assertEqual((fast.stdout, slow.stdout), (b"x" * 3 * PIECE_BYTES,) * 2)

    def test_the_answer_has_all_of_it(self) -> None:
        """What was told is also put together, for those who did not listen."""
        self.start()
        self.broadcast.write(Stream.STDOUT, b"a")
        self.broadcast.write(Stream.STDERR, b"x")
        self.broadcast.write(Stream.STDOUT, b"b")

        whole = self.broadcast.complete(finished(exit_status=3, stdout_bytes=2, stderr_bytes=1))

        expected = finished(exit_status=3, stdout_bytes=2, stderr_bytes=1, stdout=b"ab", stderr=b"x")
        self.assertEqual(whole, expected)

    def test_nothing_is_left_for_the_garbage_collector(self) -> None:
        """When a recording is over nothing of it points in a circle."""
        sink, subscriber = self.subscribe()
        self.start()
        self.broadcast.write(Stream.STDOUT, b"said")
        self.broadcast.complete(finished())
        subscriber.end(lambda: None)
        sink.producer = None
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

        del sink, subscriber
        self.broadcast = Broadcast(self.clock)

        self.assertEqual(gc.collect(), 0)


class TurnTests(SynchronousTestCase):
    """Telling more readers than one turn of the reactor is good for."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.broadcast = Broadcast(self.clock)
        self.sinks = [RecordingSink() for _ in range(2 * READERS_A_TURN + 20)]
        self.failures: list[Failure] = []
        self.subscribers = [self.broadcast.subscribe(sink, self.failures.append) for sink in self.sinks]

    def start(self) -> None:
        """Let all know that the process was started."""
        self.broadcast.started(grant(), NO_PRODUCER)
        self.turns()

    def heard(self, said: bytes) -> int:
        """Count those who have heard this and no more."""
        return sum(sink.stdout == said for sink in self.sinks)

    def turns(self) -> int:
        """Let turns pass until all are told; count them."""
        count = 0
        while self.clock.turn():
            count += 1
        return count

    def test_so_many_in_a_turn(self) -> None:
        """A piece is told to so many in each turn of the reactor, and once to each."""
        self.start()
        self.broadcast.write(Stream.STDOUT, b"one")

        told = [self.heard(b"one")]
        while self.clock.turn():
            told.append(self.heard(b"one"))

        self.assertEqual(told, [0, READERS_A_TURN, 2 * READERS_A_TURN, len(self.sinks)])

    def test_so_few_wait_for_no_turn(self) -> None:
        """As many as are told in one turn are told at once."""
        self.broadcast = Broadcast(self.clock)
        self.sinks = [RecordingSink() for _ in range(READERS_A_TURN)]
        for sink in self.sinks:
            self.broadcast.subscribe(sink, self.failures.append)
        self.broadcast.started(grant(), NO_PRODUCER)
        self.broadcast.write(Stream.STDOUT, b"one")

        self.assertEqual((self.heard(b"one"), self.turns()), (len(self.sinks), 0))

    def test_the_start_is_told_in_turns(self) -> None:
        """Nobody hears output before having heard of the start."""
        self.broadcast.started(grant(), NO_PRODUCER)
        self.broadcast.write(Stream.STDOUT, b"one")
        self.assertEqual(self.sinks[0].happened, [])

        self.assertEqual(self.turns(), 3)

        self.assertEqual({tuple(sink.happened) for sink in self.sinks}, {("started", "out")})

    def test_a_piece_that_comes_while_another_is_told(self) -> None:
        """Everybody hears both, in order; those who have heard the first come last."""
        self.start()
        self.broadcast.write(Stream.STDOUT, b"1" * PIECE_BYTES)
        self.clock.turn()
        self.broadcast.write(Stream.STDOUT, b"2")
        self.assertEqual(self.heard(b"1" * PIECE_BYTES), READERS_A_TURN)

        self.clock.turn()
        self.assertEqual(self.sinks[READERS_A_TURN].stdout[-1:], b"2")
        self.assertEqual(self.heard(b"1" * PIECE_BYTES), READERS_A_TURN)
        self.assertEqual(self.turns(), 2)

        self.assertEqual(self.heard(b"1" * PIECE_BYTES + b"2"), len(self.sinks))
        self.assertEqual({len(sink.chunks) for sink in self.sinks}, {2})

    def test_one_who_leaves_before_its_turn(self) -> None:
        """Hears nothing, and nobody else misses anything for it."""
        self.start()
        self.broadcast.write(Stream.STDOUT, b"one")
        self.subscribers[-1].stop()
        self.sinks[READERS_A_TURN].when_out = self.subscribers[-2].stop

        self.turns()

        self.assertEqual([sink.stdout for sink in self.sinks[-2:]], [b"", b""])
        self.assertEqual(self.heard(b"one"), len(self.sinks) - 2)

    def test_one_who_leaves_before_the_start_was_told(self) -> None:
        """Hears nothing at all."""
        self.broadcast.started(grant(), NO_PRODUCER)
        self.subscribers[-1].stop()
        self.turns()

        self.assertEqual([self.sinks[-1].happened, self.sinks[0].happened], [[], ["started"]])

    def test_a_mistake_of_one(self) -> None:
        """Is its own, as among few."""
        self.start()
        self.broadcast.write(Stream.STDOUT, b"one")
        self.sinks[-2].when_out = lambda: 1 / 0

        self.turns()

        self.assertEqual([failure.type for failure in self.failures], [ZeroDivisionError])
        self.assertEqual(self.sinks[-1].stdout, b"one")

    def test_many_who_resume_at_once(self) -> None:
        """Those who were slow, and catch up together, are told in turns as well."""
        self.start()
        for sink in self.sinks:
            sink.pause()
        self.broadcast.write(Stream.STDOUT, b"one")
        self.assertEqual((self.turns(), self.heard(b"one")), (3, 0))
        for sink in self.sinks:
            sink.resume()

        self.assertEqual(self.heard(b"one"), 0)
        self.clock.turn()
        self.assertEqual(self.heard(b"one"), READERS_A_TURN)
        self.turns()
        self.assertEqual(self.heard(b"one"), len(self.sinks))

    def test_the_end_comes_last(self) -> None:
        """Each hears of it in its turn, when it has heard everything; who has stopped does not."""
        self.start()
        self.broadcast.write(Stream.STDOUT, b"one")
        self.broadcast.complete(finished())
        self.subscribers[0].stop()
        for sink, subscriber in zip(self.sinks[1:], self.subscribers[1:], strict=True):
            subscriber.end(partial(sink.happened.append, "ended"))
        self.assertEqual(self.sinks[1].happened, ["started"])

        self.clock.turn()
        self.assertEqual(sum("ended" in sink.happened for sink in self.sinks), READERS_A_TURN - 1)
        self.turns()

        self.assertEqual({tuple(sink.happened) for sink in self.sinks[1:]}, {("started", "out", "ended")})
        self.assertEqual(self.sinks[0].happened, ["started"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


#: What a process or a reader may do: say so many bytes, or let the reader with that number pause or resume.
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["out", "err"]), st.integers(1, 2 * PIECE_BYTES)),
        st.tuples(st.sampled_from(["pause", "resume"]), st.integers(0, 2)),
    ),
    max_size=30,
)


class LawTests(SynchronousTestCase):
    @LAW
    @given(_STEPS)
    def test_each_hears_everything_in_order(self, steps: list[tuple[str, int]]) -> None:
        """However readers pause and resume, each hears what was said, in order, and the end once and last."""
        broadcast = Broadcast(Clock())
        sinks = [RecordingSink() for _ in range(3)]
        subscribers = [broadcast.subscribe(sink, lambda failure: failure.raiseException()) for sink in sinks]
        broadcast.started(grant(), NO_PRODUCER)
        said: list[tuple[str, bytes]] = []
        for what, number in steps:
            if what in {"pause", "resume"}:
                getattr(subscribers[number], f"{what}Producing")()
            else:
                chunk = bytes([len(said) % 256]) * number
                said.append((what, chunk))
                broadcast.write(Stream.STDOUT if what == "out" else Stream.STDERR, chunk)
        ends: list[int] = []
        for number, subscriber in enumerate(subscribers):
            subscriber.end(lambda number=number: ends.append(number))  # type: ignore[misc]
            subscriber.resumeProducing()

        self.assertEqual(ends, [0, 1, 2])
        for sink in sinks:
            heard = "".join(name[0] * len(chunk) for name, chunk in sink.chunks)
            self.assertEqual(heard, "".join(name[0] * len(chunk) for name, chunk in said))
            self.assertEqual(
                sink.stdout + sink.stderr,
                b"".join(chunk for wanted in ("out", "err") for name, chunk in said if name == wanted),
            )
