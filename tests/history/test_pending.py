"""Tests of changes on their way: the last for a run counts, and there are never too many."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.output import Stream
from cmdserver.history.changes import Began, Forgotten
from cmdserver.history.pending import Pending
from cmdserver.runs.kept_output import KeptOutput
from tests.history.doubles import ended, run, running


def output(size: int) -> KeptOutput:
    """Make output of a size."""
    return KeptOutput(((Stream.STDOUT, bytes(size)),))


class PendingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pending = Pending(most_runs=3, most_bytes=10_000)

    def numbers(self) -> list[int]:
        """List what has ended."""
        return [each.record.number for each in self.pending.ended()]

    def test_the_last_counts(self) -> None:
        """An end replaces the beginning."""
        self.pending.add(Began(running(1)))
        self.assertEqual((self.pending.alive, self.numbers()), ((running(1),), []))

        self.pending.add(ended(run(1)))

        self.assertEqual((self.pending.alive, self.numbers()), ((), [1]))
        self.assertEqual(self.pending.take(), (ended(run(1)),))

    def test_what_was_never_heard_of(self) -> None:
        """A run that begins and is forgotten before anything is written is not written."""
        self.pending.add(Began(running(1)))
        self.pending.add(Forgotten(run(1)))

        self.assertFalse(self.pending)
        self.assertEqual((self.pending.alive, self.pending.take()), ((), ()))

    def test_what_the_disk_has_heard_of(self) -> None:
        """It is removed there, be it written or being written; once."""
        for is_written in (True, False):
            self.pending.add(Began(running(1)))
            self.pending.take()
            if is_written:
                self.pending.written()
            self.pending.add(Forgotten(run(1)))
            if not is_written:
                self.pending.written()
            self.assertEqual(self.pending.take(), (Forgotten(run(1)),))
            self.pending.written()

            self.pending.add(Forgotten(run(1)))
            self.assertFalse(self.pending)

    def test_while_it_is_written(self) -> None:
        """It is found, until it is on the disk."""
        self.pending.add(ended(run(1)))
        self.pending.take()
        self.pending.add(ended(run(2)))
        self.assertEqual((self.numbers(), bool(self.pending)), ([1, 2], True))

        self.pending.written()

        self.assertEqual(self.numbers(), [2])

    def test_what_could_not_be_written(self) -> None:
        """It waits again, before what came later; of what happened to the same run the last counts."""
        self.pending.add(Began(running(1)))
        self.pending.add(ended(run(2)))
        self.pending.take()
        self.pending.add(ended(run(1)))

        self.pending.not_written()

        self.assertEqual(self.pending.take(), (ended(run(1)), ended(run(2))))

    def test_too_many_runs(self) -> None:
        """The oldest go, and are counted."""
        for number in range(1, 6):
            self.pending.add(ended(run(number)))

        self.assertEqual((self.numbers(), self.pending.dropped_runs, self.pending.dropped_outputs), ([3, 4, 5], 2, 0))

    def test_what_runs_does_not_count(self) -> None:
        """There are as many as may run."""
        for number in range(1, 9):
            self.pending.add(Began(running(number)))

        self.assertEqual((len(self.pending.take()), self.pending.dropped_runs), (8, 0))

    def test_too_many_bytes(self) -> None:
        """The oldest outputs go first, and it is said how much they were."""
        for number in (1, 2, 3):
            self.pending.add(ended(run(number), output(4000)))

        kept = [(each.record.number, each.output) for each in self.pending.ended()]
        self.assertEqual(
            sorted(kept), [(1, KeptOutput((), 4000, ())), (2, KeptOutput((), 4000, ())), (3, output(4000))]
        )
        self.assertEqual((self.pending.dropped_runs, self.pending.dropped_outputs), (0, 2))

    def test_too_many_bytes_without_output(self) -> None:
        """The values of a run count as well; then whole runs go."""
        for number in (1, 2, 3):
            self.pending.add(ended(run(number, arguments=("x" * 4500,)), KeptOutput()))

        self.assertEqual((self.numbers(), self.pending.dropped_runs), ([3], 2))

    def test_room_is_free_again(self) -> None:
        """What was written does not count any more, nor what was replaced."""
        for number in range(1, 30):
            self.pending.add(ended(run(number), output(5000)))
            self.pending.add(ended(run(number), output(5000)))
            self.pending.take()
            self.pending.written()

        self.assertEqual((self.pending.dropped_runs, self.pending.dropped_outputs), (0, 0))

    def test_what_could_not_be_written_is_bounded(self) -> None:
        """Together with what came later."""
        for number in (1, 2, 3):
            self.pending.add(ended(run(number)))
        self.pending.take()
        for number in (4, 5):
            self.pending.add(ended(run(number)))

        self.pending.not_written()

        self.assertEqual((self.numbers(), self.pending.dropped_runs), ([3, 4, 5], 2))

    def test_a_dropped_run_is_not_lost(self) -> None:
        """The disk has it as running: there it is removed."""
        self.pending.add(Began(running(1)))
        self.pending.take()
        self.pending.written()
        for number in range(1, 5):
            self.pending.add(ended(run(number)))

        self.assertIn(Forgotten(run(1)), self.pending.take())

    def test_nothing(self) -> None:
        """All changes go, and what runs is known."""
        self.pending.add(Began(running(1)))
        self.pending.add(ended(run(2)))
        self.pending.take()
        self.pending.add(ended(run(3)))

        self.pending.clear()

        self.assertEqual((self.numbers(), self.pending.take(), self.pending.alive), ([], (), (running(1),)))
