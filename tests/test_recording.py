"""Tests of telling many what one process says."""

import gc

from hypothesis import given
from hypothesis import strategies as st
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.recording import PIECE_BYTES, Reader, Recording
from tests.doubles import LAW
from tests.running_doubles import RecordingSink, finished, grant


class RecordingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.recording = Recording()
        self.failures: list[Failure] = []

    def read(self) -> tuple[RecordingSink, Reader]:
        """Let one more sink hear."""
        sink = RecordingSink()
        return sink, self.recording.read(sink, self.failures.append)

    def start(self) -> None:
        """Let the process be started; its flow is nobody's business."""
        self.recording.started(grant(), RecordingSink())

    def test_all_hear_what_is_said_when_it_is_said(self) -> None:
        """Every sink is told each piece at once, in order, standard error among them."""
        sinks = [self.read()[0] for _ in range(3)]
        self.start()
        self.recording.out(b"one")
        self.recording.err(b"two")
        self.recording.out(b"three")

        for sink in sinks:
            self.assertEqual(sink.grant, grant())
            self.assertEqual(sink.chunks, [("out", b"one"), ("err", b"two"), ("out", b"three")])

    def test_a_slow_reader_hears_the_same_later(self) -> None:
        """One who pauses hears nothing until it resumes, and then all of it; nobody else waits."""
        slow, fast = self.read()[0], self.read()[0]
        self.start()
        slow.pause()
        for number in range(5):
            self.recording.out(b"%d" % number)
        self.assertEqual((slow.stdout, fast.stdout), (b"", b"01234"))

        slow.resume()

        self.assertEqual(slow.stdout, b"01234")

    def test_it_is_over_when_all_is_told(self) -> None:
        """The end comes once, when the reader has heard everything, and at once for one who has."""
        ends = []
        (slow, slow_reader), (_, reader) = self.read(), self.read()
        self.start()
        slow.pause()
        self.recording.out(b"said")

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
        self.recording.out(b"one")
        self.recording.err(b"two")
        reader.end(self.fail)
        reader.resume()

        self.assertEqual(sink.chunks, [("out", b"one")])
        self.assertEqual(other.chunks, [("out", b"one"), ("err", b"two")])

    def test_a_mistake_of_one_is_its_own(self) -> None:
        """A sink that raises is told no more; the others are, and it is known what was raised."""
        (sink, _), (other, _) = self.read(), self.read()
        self.start()
        sink.when_out = lambda: 1 / 0
        self.recording.out(b"one")
        self.recording.err(b"two")

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
            (self.recording.err if number % 2 else self.recording.out)(b"x")

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
        self.recording.out(chunk)

        for sink in sinks:
            self.assertIs(sink.chunks[0][1], chunk)

    def test_small_pieces_are_kept_as_one(self) -> None:
        """A process that writes byte by byte costs a few pieces, for readers before and after the joint alike."""
        fast, slow = self.read()[0], self.read()[0]
        self.start()
        slow.pause()
        for _ in range(3 * PIECE_BYTES):
            self.recording.out(b"x")
        slow.resume()

        self.assertEqual(len(self.recording.pieces), 3)
        self.assertEqual((fast.stdout, slow.stdout), (b"x" * 3 * PIECE_BYTES,) * 2)

    def test_the_answer_has_all_of_it(self) -> None:
        """What was told is also put together, for those who did not listen."""
        self.start()
        self.recording.out(b"a")
        self.recording.err(b"x")
        self.recording.out(b"b")

        whole = self.recording.complete(finished(exit_status=3, stdout_bytes=2, stderr_bytes=1))

        expected = finished(exit_status=3, stdout_bytes=2, stderr_bytes=1, stdout=b"ab", stderr=b"x")
        self.assertEqual(whole, expected)

    def test_nothing_is_left_for_the_garbage_collector(self) -> None:
        """When a recording is over nothing of it points in a circle."""
        sink, reader = self.read()
        self.start()
        self.recording.out(b"said")
        self.recording.complete(finished())
        reader.end(lambda: None)
        sink.flow = None
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

        del sink, reader
        self.recording = Recording()

        self.assertEqual(gc.collect(), 0)


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
        recording = Recording()
        sinks = [RecordingSink() for _ in range(3)]
        readers = [recording.read(sink, lambda failure: failure.raiseException()) for sink in sinks]
        recording.started(grant(), RecordingSink())
        said: list[tuple[str, bytes]] = []
        for what, number in steps:
            if what in {"pause", "resume"}:
                getattr(readers[number], what)()
            else:
                chunk = bytes([len(said) % 256]) * number
                said.append((what, chunk))
                getattr(recording, what)(chunk)
        ends: list[int] = []
        for number, reader in enumerate(readers):
            reader.end(lambda number=number: ends.append(number))  # type: ignore[misc]
            reader.resume()

        self.assertEqual(ends, [0, 1, 2])
        for sink in sinks:
            heard = "".join(name[0] * len(chunk) for name, chunk in sink.chunks)
            self.assertEqual(heard, "".join(name[0] * len(chunk) for name, chunk in said))
            self.assertEqual(
                sink.stdout + sink.stderr,
                b"".join(chunk for wanted in ("out", "err") for name, chunk in said if name == wanted),
            )
