"""Tests of what is kept of one run: the beginning and the end, and what is missing is counted."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.output import Stream
from cmdserver.history.trimming import MOST_REQUESTS, size_of, trimmed, with_few_requests, without
from cmdserver.runs.kept_output import KeptOutput, shortened
from cmdserver.runs.record import Asked
from tests.history.doubles import OUTPUT, run

PIECES = st.lists(st.tuples(st.sampled_from(Stream), st.binary(min_size=1, max_size=5)), max_size=8).map(tuple)


class OutputTests(SynchronousTestCase):
    def test_what_may_stay_stays(self) -> None:
        """Up to the last byte and the last piece."""
        self.assertEqual(trimmed(OUTPUT, 9, 3), OUTPUT)
        self.assertNotEqual(trimmed(OUTPUT, 8, 3), OUTPUT)
        self.assertNotEqual(trimmed(OUTPUT, 9, 2), OUTPUT)

    def test_none(self) -> None:
        """It is counted."""
        self.assertEqual(without(OUTPUT), KeptOutput((), 16, ()))
        self.assertEqual(trimmed(OUTPUT, 0), KeptOutput((), 16, ()))

    @given(PIECES, st.integers(0, 9), PIECES, st.integers(0, 20), st.integers(2, 9))
    def test_any(self, first: tuple[tuple[Stream, bytes], ...], omitted: int, last: tuple[tuple[Stream, bytes], ...],
                 most_bytes: int, most_pieces: int) -> None:  # fmt: skip
        """It is never more than allowed, nothing is lost uncounted, and it is a beginning and an end of what it was."""
        output = KeptOutput(first, omitted, last)
        before, after = (b"".join(data for _, data in pieces) for pieces in ((*first, *last), last))

        kept = trimmed(output, most_bytes, most_pieces)

        self.assertLessEqual(size_of(kept), max(0, most_bytes))
        self.assertLessEqual(len(kept.first) + len(kept.last), most_pieces)
        self.assertEqual(size_of(kept) + kept.omitted_bytes, size_of(output) + omitted)
        self.assertTrue(before.startswith(b"".join(data for _, data in kept.first)))
        self.assertTrue((after if omitted else before).endswith(b"".join(data for _, data in kept.last)))

    @given(PIECES, st.integers(0, 30), st.integers(0, 30))
    def test_again(self, pieces: tuple[tuple[Stream, bytes], ...], once: int, again: int) -> None:
        """What was shortened is shortened like the whole would have been, if it becomes less."""
        kept = trimmed(shortened(pieces, once), again)

        self.assertEqual(size_of(kept) + kept.omitted_bytes, sum(len(data) for _, data in pieces))
        if again <= once:
            self.assertEqual(size_of(kept), min(again, size_of(shortened(pieces, once))))


class RequestTests(SynchronousTestCase):
    def test_a_hundred(self) -> None:
        """The first included."""
        others = tuple(Asked(id=str(each), user=None) for each in range(200))

        self.assertEqual(len(with_few_requests(run(1, others=others)).others) + 1, MOST_REQUESTS)
        few = run(1, others=others[: MOST_REQUESTS - 1])
        self.assertIs(with_few_requests(few), few)
