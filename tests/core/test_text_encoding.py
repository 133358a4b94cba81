"""Text files as people save them."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.text_encoding import NotUTF8, decode, decode_leniently, without_mark
from tests.doubles import LAW


class DecodeTests(unittest.TestCase):
    def refusal(self, data: bytes) -> NotUTF8:
        """Decode what is not UTF-8."""
        with self.assertRaises(NotUTF8) as raised:
            decode(data)
        return raised.exception

    def test_a_mark_at_the_beginning_means_nothing(self) -> None:
        """With or without one it is the same text; a second one, or one elsewhere, is a character."""
        self.assertEqual("a = 1\r\n", decode(b"\xef\xbb\xbfa = 1\r\n"))
        self.assertEqual("a = 1\r\n", decode(b"a = 1\r\n"))
        self.assertEqual("\ufeffa", decode(b"\xef\xbb\xbf" * 2 + b"a"))
        self.assertEqual("", decode(b"\xef\xbb\xbf"))

    def test_wide_characters(self) -> None:
        """UTF-16 and UTF-32 are named, with a mark and without, in either order, and what to do about it."""
        for encoding, name in {
            "utf-16": "UTF-16",
            "utf-16-le": "UTF-16LE",
            "utf-16-be": "UTF-16BE",
            "utf-32": "UTF-32",
            "utf-32-le": "UTF-32LE",
            "utf-32-be": "UTF-32BE",
        }.items():
            with self.subTest(encoding):
                error = self.refusal('[[listen]]\nhelp = "l\u00e4uft"'.encode(encoding))
                self.assertEqual(f"is {name}, not UTF-8; save it as UTF-8, or: iconv -f {name} -t UTF-8", str(error))
                self.assertIsNone(error.line)
        self.assertIn("UTF-16,", str(self.refusal(b"\xfe\xff\0a")))

    def test_another_encoding(self) -> None:
        """A byte that is not UTF-8 is named with its line and column, as an editor counts them, and its meaning."""
        error = self.refusal('# \u00e4\nhelp = "\u00e4 '.encode() + b'l\xe4uft"\n')
        self.assertEqual(2, error.line)
        self.assertEqual(
            "not UTF-8: column 12 has the byte 0xe4 (\u00e4 in Latin-1 and Windows-1252); save it as UTF-8, or:"
            " iconv -f WINDOWS-1252 -t UTF-8",
            str(error),
        )

    def test_a_mark_is_not_counted(self) -> None:
        """Nobody sees it."""
        self.assertIn("column 1 has the byte 0x80;", str(self.refusal(b"\xef\xbb\xbf\x80")))

    @given(st.binary())
    @LAW
    def test_any_bytes(self, data: bytes) -> None:
        """They are a text, or it is said why not, in one line that can be seen."""
        try:
            self.assertEqual(without_mark(data), decode(data).encode())
        except NotUTF8 as error:
            self.assertTrue(str(error).isprintable())


class DecodeLenientlyTests(unittest.TestCase):
    def test_bytes_survive(self) -> None:
        """A comment in another encoding is kept as it is."""
        self.assertEqual(b"a\xe4", decode_leniently(b"\xef\xbb\xbfa\xe4").encode(errors="surrogateescape"))

    def test_wide_characters(self) -> None:
        """A text of which no line could be read is refused."""
        self.assertRaises(NotUTF8, decode_leniently, "ann".encode("utf-16-le"))
