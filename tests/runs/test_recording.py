"""Tests of telling many what one process says."""

import gc
from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.output import Stream
from cmdserver.runs import recording
from cmdserver.runs.recording import PIECE_BYTES, READERS_A_TURN, Reader, Recording
from tests.doubles import LAW
from tests.running_doubles import RecordingSink, TurnClock, finished, grant


class _NoProducer:
    """A recording leaves its producer alone."""

    def pauseProducing(self) -> None:
        raise AssertionError

    resumeProducing = pauseProducing


NO_PRODUCER = _NoProducer()


class RecordingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.recording = Recording(self.clock)
        self.failures: list[Failure] = []

    def read(self) -> tuple[RecordingSink, Reader]:
        """Let one more sink hear."""
        sink = RecordingSink()
        return sink, self.recording.read(sink, self.failures.append)

    def start(self) -> None:
        """Let the process be started; its flow is nobody's business."""
        self.recording.started(grant(), NO_PRODUCER)

    def test_all_hear_what_is_said_when_it_is_said(self) -> None:
        """Every sink is told each piece at once, in order, standard error among them."""
        sinks = [self.read()[0] for _ in range(3)]
        self.start()
        self.recording.write(Stream.STDOUT, b"one")
        self.recording.write(Stream.STDERR, b"two")
        self.recording.write(Stream.STDOUT, b"three")

        for sink in sinks:
            self.assertEqual(sink.grant, grant())
            self.assertEqual(sink.chunks, [("out", b"one"), ("err", b"two"), ("out", b"three")])

    def test_a_slow_reader_hears_the_same_later(self) -> None:
        """One who pauses hears nothing until it resumes, and then all of it; nobody else waits."""
        slow, fast = self.read()[0], self.read()[0]
        self.start()
        slow.pause()
        for number in range(5):
            self.recording.write(Stream.STDOUT, b"%d" % number)
        self.assertEqual((slow.stdout, fast.stdout), (b"", b"01234"))

        slow.resume()

        self.assertEqual(slow.stdout, b"01234")

    def test_it_is_over_when_all_is_told(self) -> None:
        """The end comes once, when the reader has heard everything, and at once for one who has."""
        ends = []
        (slow, slow_reader), (_, reader) = self.read(), self.read()
        self.start()
        slow.pause()
        self.recording.write(Stream.STDOUT, b"said")

        slow_reader.end(lambda: ends.append("slow"))
        reader.end(lambda: ends.append("fast"))
        self.assertEqual(ends, ["fast"])
        slow.resume()
        slow.resume()

        self.assertEqual(ends, ["fast", "slow"])

    def test_who_stops_hears_no_more(self) -> None:
        """Not what was kept for it, not what comes, not the end; from within, too."""
        (sink, reader), (other, _) = self.read(), self.read()
        self.start()
        sink.when_out = reader.stop
        self.recording.write(Stream.STDOUT, b"one")
        self.recording.write(Stream.STDERR, b"two")
        reader.end(self.fail)
        reader.resumeProducing()

        self.assertEqual(sink.chunks, [("out", b"one")])
        self.assertEqual(other.chunks, [("out", b"one"), ("err", b"two")])

    def test_a_mistake_of_one_is_its_own(self) -> None:
        """A sink that raises is told no more; the others are, and it is known what was raised."""
        (sink, _), (other, _) = self.read(), self.read()
        self.start()
        sink.when_out = lambda: 1 / 0
        self.recording.write(Stream.STDOUT, b"one")
        self.recording.write(Stream.STDERR, b"two")

        (failure,) = self.failures
        failure.trap(ZeroDivisionError)
        self.assertEqual(sink.stderr, b"")
        self.assertEqual(other.stderr, b"two")

    def test_pausing_and_resuming_from_within_does_not_pile_up(self) -> None:
        """A sink that does so at each of very many pieces hears each once and does not use up the stack."""
        sink, _ = self.read()
        self.start()
        sink.pause()
        for number in range(5_000):
            self.recording.write(Stream.STDERR if number % 2 else Stream.STDOUT, b"x")

        def hesitate() -> None:
            sink.pause()
            sink.resume()

        sink.when_out = hesitate
        sink.resume()

        self.assertEqual(len(sink.stdout + sink.stderr), 5_000)

    def test_large_pieces_are_everybodys(self) -> None:
        """However many hear, there is one copy of what is said."""
        sinks = [self.read()[0] for _ in range(3)]
        self.start()
        chunk = b"x" * (PIECE_BYTES + 1)
        self.recording.write(Stream.STDOUT, chunk)

        for sink in sinks:
            self.assertIs(sink.chunks[0][1], chunk)

    def test_small_pieces_are_kept_as_one(self) -> None:
        """A process that writes byte by byte costs a few pieces, for readers before and after the joint alike."""
        fast, slow = self.read()[0], self.read()[0]
        self.start()
        slow.pause()
        for _ in range(3 * PIECE_BYTES):
            self.recording.write(Stream.STDOUT, b"x")
        slow.resume()

        self.assertEqual((fast.stdout, slow.stdout), (b"x" * 3 * PIECE_BYTES,) * 2)
        self.assertEqual(len(slow.chunks), 3)

    def test_the_answer_has_all_of_it(self) -> None:
        """What was told is also put together, for those who did not listen."""
        self.start()
        self.recording.write(Stream.STDOUT, b"a")
        self.recording.write(Stream.STDERR, b"x")
        self.recording.write(Stream.STDOUT, b"b")

        whole = self.recording.complete(finished(exit_status=3, stdout_bytes=2, stderr_bytes=1))

        expected = finished(exit_status=3, stdout_bytes=2, stderr_bytes=1, stdout=b"ab", stderr=b"x")
        self.assertEqual(whole, expected)

    def test_nothing_is_left_for_the_garbage_collector(self) -> None:
        """When a recording is over nothing of it points in a circle."""
        sink, reader = self.read()
        self.start()
        self.recording.write(Stream.STDOUT, b"said")
        self.recording.complete(finished())
        reader.end(lambda: None)
        sink.producer = None
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

        del sink, reader
        self.recording = Recording(self.clock)

        self.assertEqual(gc.collect(), 0)


class TurnTests(SynchronousTestCase):
    """Telling more readers than one turn of the reactor is good for."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.recording = Recording(self.clock)
        self.sinks = [RecordingSink() for _ in range(2 * READERS_A_TURN + 20)]
        self.failures: list[Failure] = []
        self.readers = [self.recording.read(sink, self.failures.append) for sink in self.sinks]

    def start(self) -> None:
        """Let all know that the process was started."""
        self.recording.started(grant(), NO_PRODUCER)
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
        self.recording.write(Stream.STDOUT, b"one")

        told = [self.heard(b"one")]
        while self.clock.turn():
            told.append(self.heard(b"one"))

        self.assertEqual(told, [0, READERS_A_TURN, 2 * READERS_A_TURN, len(self.sinks)])

    def test_so_few_wait_for_no_turn(self) -> None:
        """As many as are told in one turn are told at once."""
        self.recording = Recording(self.clock)
        self.sinks = [RecordingSink() for _ in range(READERS_A_TURN)]
        for sink in self.sinks:
            self.recording.read(sink, self.failures.append)
        self.recording.started(grant(), NO_PRODUCER)
        self.recording.write(Stream.STDOUT, b"one")

        self.assertEqual((self.heard(b"one"), self.turns()), (len(self.sinks), 0))

    def test_the_start_is_told_in_turns(self) -> None:
        """Nobody hears output before having heard of the start."""
        self.recording.started(grant(), NO_PRODUCER)
        self.recording.write(Stream.STDOUT, b"one")
        self.assertEqual(self.sinks[0].happened, [])

        self.assertEqual(self.turns(), 3)

        self.assertEqual({tuple(sink.happened) for sink in self.sinks}, {("started", "out")})

    def test_a_piece_that_comes_while_another_is_told(self) -> None:
        """Everybody hears both, in order; those who have heard the first come last."""
        self.start()
        self.recording.write(Stream.STDOUT, b"1" * PIECE_BYTES)
        self.clock.turn()
        self.recording.write(Stream.STDOUT, b"2")
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
        self.recording.write(Stream.STDOUT, b"one")
        self.readers[-1].stop()
        self.sinks[READERS_A_TURN].when_out = self.readers[-2].stop

        self.turns()

        self.assertEqual([sink.stdout for sink in self.sinks[-2:]], [b"", b""])
        self.assertEqual(self.heard(b"one"), len(self.sinks) - 2)

    def test_one_who_leaves_before_the_start_was_told(self) -> None:
        """Hears nothing at all."""
        self.recording.started(grant(), NO_PRODUCER)
        self.readers[-1].stop()
        self.turns()

        self.assertEqual([self.sinks[-1].happened, self.sinks[0].happened], [[], ["started"]])

    def test_a_mistake_of_one(self) -> None:
        """Is its own, as among few."""
        self.start()
        self.recording.write(Stream.STDOUT, b"one")
        self.sinks[-2].when_out = lambda: 1 / 0

        self.turns()

        self.assertEqual([failure.type for failure in self.failures], [ZeroDivisionError])
        self.assertEqual(self.sinks[-1].stdout, b"one")

    def test_many_who_resume_at_once(self) -> None:
        """Those who were slow, and catch up together, are told in turns as well."""
        self.start()
        for sink in self.sinks:
            sink.pause()
        self.recording.write(Stream.STDOUT, b"one")
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
        self.recording.write(Stream.STDOUT, b"one")
        self.recording.complete(finished())
        self.readers[0].stop()
        for sink, reader in zip(self.sinks[1:], self.readers[1:], strict=True):
            reader.end(partial(sink.happened.append, "ended"))
        self.assertEqual(self.sinks[1].happened, ["started"])

        self.clock.turn()
        self.assertEqual(sum("ended" in sink.happened for sink in self.sinks), READERS_A_TURN)
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
        recording = Recording(Clock())
        sinks = [RecordingSink() for _ in range(3)]
        readers = [recording.read(sink, lambda failure: failure.raiseException()) for sink in sinks]
        recording.started(grant(), NO_PRODUCER)
        said: list[tuple[str, bytes]] = []
        for what, number in steps:
            if what in {"pause", "resume"}:
                getattr(readers[number], f"{what}Producing")()
            else:
                chunk = bytes([len(said) % 256]) * number
                said.append((what, chunk))
                recording.write(Stream.STDOUT if what == "out" else Stream.STDERR, chunk)
        ends: list[int] = []
        for number, reader in enumerate(readers):
            reader.end(lambda number=number: ends.append(number))  # type: ignore[misc]
            reader.resumeProducing()

        self.assertEqual(ends, [0, 1, 2])
        for sink in sinks:
            heard = "".join(name[0] * len(chunk) for name, chunk in sink.chunks)
            self.assertEqual(heard, "".join(name[0] * len(chunk) for name, chunk in said))
            self.assertEqual(
                sink.stdout + sink.stderr,
                b"".join(chunk for wanted in ("out", "err") for name, chunk in said if name == wanted),
            )


class PaceTests(SynchronousTestCase):
    """A reader whose client's pace is the process's."""

    def setUp(self) -> None:
        self.recording = Recording(Clock())
        self.producer = CountingProducer()
        self.sink, self.other = RecordingSink(), RecordingSink()
        self.pacer = self.recording.read(self.sink, lambda failure: failure.raiseException(), is_pacer=True)
        self.recording.read(self.other, lambda failure: failure.raiseException())
        self.recording.started(grant(), self.producer)

    def test_it_waits(self) -> None:
        """And goes on with its pacer; others have nothing to do with it."""
        self.other.pause()
        self.other.resume()
        self.assertEqual(self.producer.told, [])
        self.sink.pause()
        self.sink.resume()

        self.assertEqual(self.producer.told, ["pause", "resume"])

    def test_it_does_not_wait_for_who_has_left(self) -> None:
        """A pacer who stops while it is paused holds nobody up any more; one who is not has nothing to say."""
        self.sink.pause()
        self.pacer.stop()
        self.pacer.stop()
        self.assertEqual(self.producer.told, ["pause", "resume"])

    def test_who_leaves_in_time(self) -> None:
        """Has nothing to resume."""
        self.pacer.stop()

        self.assertEqual(self.producer.told, [])

    def test_a_pacer_that_pauses_when_it_resumes(self) -> None:
        """Has the process wait on."""
        self.sink.pause()
        self.recording.write(Stream.STDOUT, b"on its way")
        self.sink.when_out = self.sink.pause
        self.sink.resume()

        self.assertEqual(self.producer.told, ["pause", "pause"])

    def test_after_the_end(self) -> None:
        """There is nothing to pause."""
        self.recording.finish()
        self.sink.pause()
        self.sink.resume()

        self.assertEqual(self.producer.told, [])


class CountingProducer:
    """A producer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")


class GapTests(SynchronousTestCase):
    """More output than is kept."""

    def setUp(self) -> None:
        self.patch(recording, "PIECE_BYTES", 4)
        self.recording = Recording(Clock(), kept_bytes=10)
        self.recording.started(grant(), NO_PRODUCER)

    def read(self) -> tuple[RecordingSink, Reader]:
        """Let one more sink hear."""
        sink = RecordingSink()
        reader = self.recording.read(sink, lambda failure: failure.raiseException())
        reader.hear()
        return sink, reader

    def say(self, *pieces: bytes) -> None:
        """Write to both streams in turn, so that no pieces are joined."""
        for number, data in enumerate(pieces):
            self.recording.write(Stream.STDERR if number % 2 else Stream.STDOUT, data)

    def test_who_comes_late(self) -> None:
        """Hears the first half, how much is missing, and the last half."""
        self.say(b"0123", b"4", b"567", b"89", b"ABC", b"DE")
        sink, _ = self.read()

        self.assertEqual(sink.happened, ["started", "out", "err", "missed 5", "out", "err"])
        self.assertEqual((sink.stdout, sink.stderr), (b"0123ABC", b"4DE"))
        self.assertEqual(self.recording.dropped_bytes, 5)

    def test_who_has_heard_it_all(self) -> None:
        """Misses nothing, and is told of no gap."""
        sink, _ = self.read()
        self.say(b"0123", b"4", b"567", b"89", b"ABC", b"DE")

        self.assertNotIn("missed", "".join(sink.happened))
        self.assertEqual(sink.stdout + sink.stderr, b"0123567ABC489DE")

    def test_who_was_slow(self) -> None:
        """Is told how much of what they have not heard is missing."""
        sink, _ = self.read()
        self.say(b"0123", b"4")
        sink.pause()
        self.say(b"567", b"89", b"ABC", b"DE")
        sink.resume()

        self.assertEqual(sink.happened[3:], ["missed 5", "out", "err"])

    def test_who_stops_at_the_gap(self) -> None:
        """Hears nothing behind it; who pauses there goes on later."""
        self.say(b"0123", b"4", b"567", b"89", b"ABC", b"DE")
        for is_stopped in (True, False):
            sink = GapSink()
            reader = self.recording.read(sink, lambda failure: failure.raiseException())
            sink.at_gap = reader.stop if is_stopped else reader.pauseProducing
            reader.hear()
            self.assertEqual(sink.happened[-1], "missed 5")
            reader.resumeProducing()
            self.assertEqual(sink.happened[-1] == "missed 5", is_stopped)

    def test_what_is_kept(self) -> None:
        """Is the same, as far as there is room for it."""
        self.say(b"0123", b"4", b"567", b"89", b"ABC", b"DE")

        whole, half = self.recording.kept(), self.recording.kept(6)
        self.assertEqual((whole.of(Stream.STDOUT), whole.omitted_bytes), (b"0123ABC", 5))
        self.assertEqual((half.first, half.omitted_bytes), (((Stream.STDOUT, b"012"),), 9))
        self.assertEqual(half.last, ((Stream.STDOUT, b"C"), (Stream.STDERR, b"DE")))

    def test_a_recording_of_what_was_kept(self) -> None:
        """Is heard as the first one was, and is over."""
        self.say(b"0123", b"4", b"567", b"89", b"ABC", b"DE")
        first, _ = self.read()
        recording = Recording.of(self.recording.kept(), Clock())
        sink = RecordingSink()
        reader = recording.read(sink, lambda failure: failure.raiseException())
        recording.started(grant(), NO_PRODUCER)

        self.assertTrue(recording.is_over)
        self.assertEqual((sink.happened, sink.chunks), (first.happened, first.chunks))
        reader.end(lambda: sink.happened.append("ended"))
        self.assertEqual(sink.happened[-1], "ended")

    @given(st.lists(st.tuples(st.sampled_from(["write", "pause", "resume", "join"]), st.integers(1, 25)), max_size=40))
    @LAW
    def test_any_writes_and_any_readers(self, steps: list[tuple[str, int]]) -> None:
        """Each hears all, but for gaps within what was dropped, which are as long as is told; memory is bounded."""
        self.setUp()
        readers: list[tuple[GapSink, Reader]] = []
        said = b""
        for what, number in steps:
            if what == "write":
                data = bytes((len(said) + each) % 256 for each in range(number))
                said += data
                self.recording.write(Stream.STDERR if number % 2 else Stream.STDOUT, data)
            elif what == "join":
                readers.append(self.join())
            elif readers:
                getattr(readers[number % len(readers)][1], f"{what}Producing")()
        readers.append(self.join())
        for sink, reader in readers:
            reader.resumeProducing()
            self.assert_heard(sink, said)
        newest = max((number for what, number in steps if what == "write"), default=0)
        kept = self.recording.kept()
        self.assertLessEqual(sum(len(data) for _, data in (*kept.first, *kept.last)), 10 + max(newest, 4))

    def join(self) -> tuple["GapSink", Reader]:
        """Let one more sink hear."""
        sink = GapSink()
        reader = self.recording.read(sink, lambda failure: failure.raiseException())
        reader.hear()
        return sink, reader

    def assert_heard(self, sink: "GapSink", said: bytes) -> None:
        """What was heard, and what was told to be missing, is all that was said; only the middle was missing."""
        position = 0
        for data in sink.heard:
            if isinstance(data, bytes):
                self.assertEqual(data, said[position : position + len(data)])
                position += len(data)
            else:
                self.assertGreater(data, 0)
                position += data
        self.assertEqual(position, len(said))
        self.assertLessEqual(sum(each for each in sink.heard if isinstance(each, int)), self.recording.dropped_bytes)


class GapSink(RecordingSink):
    """A sink that keeps everything in one order, and how much is missing where."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes | int] = []
        self.at_gap: Callable[[], object] = lambda: None

    def write(self, stream: Stream, chunk: bytes) -> None:
        self.heard.append(chunk)
        super().write(stream, chunk)

    def missed(self, count: int) -> None:
        self.heard.append(count)
        super().missed(count)
        self.at_gap()
