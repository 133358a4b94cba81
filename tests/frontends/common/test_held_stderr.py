"""Tests of standard error that waits for the end of standard output."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.frontends.common.held_stderr import HeldStderr
from tests.doubles import LAW

NOTE = b"cmdserver: df: standard error truncated: %d bytes are left out here\n"


class HeldStderrTests(unittest.TestCase):
    def text(self, pieces: list[bytes], most_bytes: int = 10) -> bytes:
        """What is left of these pieces."""
        held = HeldStderr(most_bytes)
        for piece in pieces:
            held.add(piece)
        return held.text("df")

    def test_what_there_is_room_for_is_kept(self) -> None:
        """As it came."""
        self.assertEqual(self.text([]), b"")
        self.assertEqual(self.text([b"0123", b"456789"]), b"0123456789")

    def test_the_middle_is_left_out(self) -> None:
        """How much is missing is said where it is missing, on a line of its own."""
        self.assertEqual(self.text([b"01234", b"x" * 90, b"56789"]), b"01234\n" + NOTE % 90 + b"56789")
        self.assertEqual(self.text([b"0123\n" + b"x" * 90 + b"56789"]), b"0123\n" + NOTE % 90 + b"56789")

    @LAW
    @given(st.lists(st.binary(max_size=30)), st.integers(1, 20))
    def test_nothing_is_left_out_without_a_word(self, pieces: list[bytes], half: int) -> None:
        """Any pieces are all there, or their beginning and their end are, and the rest is counted."""
        said = b"".join(pieces)
        held = HeldStderr(2 * half)
        for piece in pieces:
            held.add(piece)

        self.assertEqual(held.omitted_bytes, max(0, len(said) - 2 * half))
        text = held.text("df")
        if not held.omitted_bytes:
            self.assertEqual(text, said)
        else:
            self.assertTrue(text.startswith(said[:half]))
            self.assertTrue(text.endswith(NOTE % held.omitted_bytes + said[-half:]))

    def test_pieces_are_counted_once(self) -> None:
        """Many small ones are no more work than few large ones: what is kept is not looked at again for each."""
        counted: list[int] = []

        class Piece(bytes):
            def __len__(self) -> int:
                counted.append(1)
                return super().__len__()

        held = HeldStderr(10)
        for _ in range(1000):
            held.add(Piece(b"x"))

        self.assertLess(len(counted), 10_000)
