"""Tests of output as it is kept: its first and its last part."""

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.output import Stream
from cmdserver.runs.kept_output import KeptOutput, Piece, shortened
from tests.doubles import LAW

OUT, ERR = Stream.STDOUT, Stream.STDERR
_PIECES = st.lists(st.tuples(st.sampled_from(Stream), st.binary(min_size=1, max_size=9)), max_size=9)


def flat(pieces: tuple[Piece, ...] | list[Piece]) -> list[tuple[Stream, int]]:
    """Take pieces apart: two outputs are the same if all their bytes are, each of its stream and in order."""
    return [(stream, byte) for stream, data in pieces for byte in data]


class ShortenedTests(TestCase):
    def test_what_is_short_enough(self) -> None:
        """Is kept whole; neighbours of one stream are one piece."""
        kept = shortened([(OUT, b"a"), (OUT, b"b"), (ERR, b"c")], 3)

        self.assertEqual(kept, KeptOutput(((OUT, b"ab"), (ERR, b"c"))))

    def test_what_is_too_long(self) -> None:
        """The first and the last half are kept, and how much is missing between them."""
        kept = shortened([(OUT, b"0123"), (ERR, b"4567"), (OUT, b"89")], 5)

        self.assertEqual(kept, KeptOutput(((OUT, b"01"),), 5, ((ERR, b"7"), (OUT, b"89"))))

    def test_what_has_a_gap_already(self) -> None:
        """What is missing adds up, wherever it was."""
        kept = shortened([(OUT, b"0123")], 4, 100, [(OUT, b"6789")])

        self.assertEqual(kept, KeptOutput(((OUT, b"01"),), 104, ((OUT, b"89"),)))
        self.assertEqual(shortened([(OUT, b"01")], 4, 100, [(OUT, b"89")]).omitted_bytes, 100)

    def test_nothing(self) -> None:
        """May be kept of anything."""
        self.assertEqual(shortened([(OUT, b"0123")], 0), KeptOutput(omitted_bytes=4))
        self.assertEqual(shortened([], 0), KeptOutput())

    def test_of_a_stream(self) -> None:
        """Its bytes on both sides of the gap."""
        kept = KeptOutput(((OUT, b"a"), (ERR, b"x")), 7, ((OUT, b"b"), (ERR, b"y")))

        self.assertEqual((kept.of(OUT), kept.of(ERR)), (b"ab", b"xy"))

    @given(_PIECES, st.integers(0, 99))
    @LAW
    def test_any_output(self, pieces: list[Piece], most: int) -> None:
        """As much as there is room for, of the beginning and of the end; no byte is unaccounted for."""
        whole = flat(pieces)
        kept = shortened(pieces, most)
        first, last = flat(kept.first), flat(kept.last)

        self.assertEqual(len(first) + len(last), min(most, len(whole)))
        self.assertEqual(len(first) + kept.omitted_bytes + len(last), len(whole))
        self.assertEqual(first, whole[: len(first)])
        self.assertEqual(last, whole[len(whole) - len(last) :])
        if kept.omitted_bytes:
            self.assertEqual(len(first), most // 2)

    @given(_PIECES, st.integers(1, 99), _PIECES, st.integers(0, 99))
    @LAW
    def test_any_output_with_a_gap(self, before: list[Piece], gap: int, behind: list[Piece], most: int) -> None:
        """Likewise; what is kept lies on its own side of the gap."""
        kept = shortened(before, most, gap, behind)
        first, last = flat(kept.first), flat(kept.last)
        total = len(flat(before)) + len(flat(behind))

        self.assertLessEqual(len(first) + len(last), most)
        self.assertEqual(len(first) + kept.omitted_bytes + len(last), total + gap)
        self.assertEqual(first, flat(before)[: len(first)])
        self.assertEqual(last, flat(behind)[len(flat(behind)) - len(last) :])
        if total <= most:
            self.assertEqual(kept.omitted_bytes, gap)

    @given(_PIECES, st.integers(0, 99), st.integers(0, 99))
    @LAW
    def test_twice(self, pieces: list[Piece], more: int, less: int) -> None:
        """What is shortened twice says how much is missing of all."""
        once = shortened(pieces, more)
        twice = shortened(once.first, less, once.omitted_bytes, once.last)
        kept_bytes = sum(len(data) for _, data in (*twice.first, *twice.last))

        self.assertEqual(kept_bytes + twice.omitted_bytes, len(flat(pieces)))
