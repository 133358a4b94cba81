"""Tests of telling kept output to sinks that may be slow."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver import replay as replaying
from cmdserver.model import Answer
from cmdserver.replay import CHUNK_BYTES, Replay
from tests.running_doubles import RecordingSink, finished, grant

STDOUT = bytes(range(256)) * (CHUNK_BYTES // 128) + b"end"
STDERR = b"e" * (CHUNK_BYTES + 1)


class ReplayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sink = RecordingSink()
        self.answer = Answer(id="0", grant=grant(), finished=finished(stdout=STDOUT, stderr=STDERR), shared=True)

    def replay(self, answer: Answer | None = None) -> Replay:
        """Begin to tell."""
        replay = Replay(answer or self.answer, self.sink, lambda: self.sink.happened.append("done"))
        replay.begin()
        return replay

    def test_a_fast_reader_is_told_everything_at_once(self) -> None:
        """The start, all of standard output, then all of standard error, then that it is done: once each."""
        self.replay()

        self.assertEqual((self.sink.stdout, self.sink.stderr), (STDOUT, STDERR))
        self.assertEqual(self.sink.happened, ["started", "out", "out", "out", "err", "err", "done"])
        self.assertEqual(self.sink.grant, self.answer.grant)

    def test_chunks_are_no_larger_than_a_transport_likes(self) -> None:
        """No chunk is longer than what a transport takes before it asks for a pause, and none is empty."""
        self.replay()

        self.assertEqual({0 < len(chunk) <= CHUNK_BYTES for _, chunk in self.sink.chunks}, {True})

    def test_silence_is_told_too(self) -> None:
        """A command that said nothing was started, and is done."""
        self.replay(Answer(id="0", grant=grant(), finished=finished(), shared=True))

        self.assertEqual(self.sink.happened, ["started", "done"])

    def test_a_reader_may_pause_at_the_start(self) -> None:
        """A sink that is not ready when it is told of the start hears nothing until it is."""
        self.sink.when_started = self.sink.pause

        replay = self.replay()
        self.assertEqual(self.sink.happened, ["started"])
        replay.resume()

        self.assertEqual(self.sink.stdout, STDOUT)
        self.assertEqual(self.sink.happened[-1], "done")

    def test_a_pause_holds_from_the_next_chunk_on(self) -> None:
        """A sink that pauses at each chunk gets one each time it resumes, and the whole in the end."""
        self.sink.when_out = self.sink.pause
        replay = self.replay()
        self.assertEqual(self.sink.happened, ["started", "out"])

        replay.resume()
        self.assertEqual(self.sink.happened, ["started", "out", "out"])
        replay.resume()
        replay.resume()

        self.assertEqual((self.sink.stdout, self.sink.stderr), (STDOUT, STDERR))
        self.assertEqual(self.sink.happened.count("done"), 1)

    def test_it_is_not_done_while_the_reader_pauses(self) -> None:
        """A sink that pauses at the last chunk is told of the end when it is ready."""
        self.sink.when_out = self.sink.pause
        replay = self.replay(Answer(id="0", grant=grant(), finished=finished(stdout=b"said"), shared=True))

        self.assertEqual(self.sink.happened, ["started", "out"])
        replay.resume()

        self.assertEqual(self.sink.happened, ["started", "out", "done"])

    def test_a_reader_may_resume_from_within(self) -> None:
        """A sink that pauses and resumes within one chunk gets every chunk once, in order."""

        def hesitate() -> None:
            self.sink.pause()
            self.sink.resume()

        self.sink.when_out = hesitate
        self.replay()

        self.assertEqual((self.sink.stdout, self.sink.stderr), (STDOUT, STDERR))
        self.assertEqual(self.sink.happened.count("done"), 1)

    def test_resuming_from_within_does_not_pile_up(self) -> None:
        """A sink that does so at each of very many chunks does not use up the stack."""
        self.patch(replaying, "CHUNK_BYTES", 1)

        def hesitate() -> None:
            self.sink.pause()
            self.sink.resume()

        self.sink.when_out = hesitate
        self.replay(Answer(id="0", grant=grant(), finished=finished(stdout=b"x" * 10_000), shared=True))

        self.assertEqual(self.sink.stdout, b"x" * 10_000)
        self.assertEqual(self.sink.happened[-1], "done")

    def test_to_resume_what_is_not_paused_is_harmless(self) -> None:
        """Resuming after the end tells nothing twice."""
        replay = self.replay()
        happened = list(self.sink.happened)

        replay.resume()
        replay.pause()
        replay.resume()

        self.assertEqual(self.sink.happened, happened)

    def test_a_reader_may_go_away(self) -> None:
        """After a stop nothing is told any more, the end included."""
        self.sink.when_out = self.sink.pause
        replay = self.replay()

        replay.stop()
        replay.resume()

        self.assertEqual(self.sink.happened, ["started", "out"])

    def test_a_reader_may_go_away_from_within(self) -> None:
        """A sink that stops the replay while it is told something is told no more."""
        self.sink.when_started = self.sink.pause
        replay = self.replay()
        self.sink.when_out = replay.stop

        replay.resume()

        self.assertEqual(self.sink.happened, ["started", "out"])

    def test_slow_readers_share_one_copy(self) -> None:
        """Each reader has its own place in the same output."""
        sinks = [RecordingSink(), RecordingSink()]
        for sink in sinks:
            sink.when_started = sink.pause
            Replay(self.answer, sink, lambda: None).begin()

        sinks[0].resume()

        self.assertEqual([sink.stdout for sink in sinks], [STDOUT, b""])
        sinks[1].resume()
        self.assertEqual(sinks[1].stdout, STDOUT)
