"""Tests of how lines are read."""

import gzip
from io import BufferedReader, BytesIO

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.reading import CutShort, Line, read_lines


class ReadingTests(SynchronousTestCase):
    def read(self, data: bytes, most: int = 10) -> list[Line]:
        """Read all lines."""
        return [*read_lines(BufferedReader(BytesIO(data)), "file", most)]

    def test_lines(self) -> None:
        """Each has its place; the last one may have no line feed."""
        self.assertEqual(
            self.read(b"one\n\nthree"),
            [Line("file", 1, b"one"), Line("file", 2, b""), Line("file", 3, b"three", is_ended=False)],
        )
        self.assertEqual(self.read(b""), [])

    def test_lines_that_are_too_long(self) -> None:
        """Their beginning is kept, and that they are."""
        self.assertEqual(
            self.read(b"0123456789\n" + b"0123456789" * 9 + b"\nlast\n" + b"0" * 11),
            [
                Line("file", 1, b"0123456789"),
                Line("file", 2, b"0123456789", is_too_long=True),
                Line("file", 3, b"last"),
                Line("file", 4, b"0000000000", is_ended=False, is_too_long=True),
            ],
        )

    def test_compressed(self) -> None:
        """It is found out by its first bytes; several behind each other are one."""
        data = gzip.compress(b"one\n") + gzip.compress(b"two\n")

        self.assertEqual(self.read(data), [Line("file", 1, b"one"), Line("file", 2, b"two")])

    def test_compressed_and_cut(self) -> None:
        """What is left is read, and then it is said where it ends."""
        data = gzip.compress(b"one\ntwo\n")
        for cut in (data[:-1], data[:-8] + bytes(8), data + b"garbage"):
            read = read_lines(BufferedReader(BytesIO(cut)), "file")
            with self.assertRaisesRegex(CutShort, "file:[1-3]: is cut short or damaged: "):
                list(read)
