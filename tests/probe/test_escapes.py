"""Tests of bytes on a command line."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.errors import WrongUsage
from cmdserver_probe.escapes import unescape


class UnescapeTests(SynchronousTestCase):
    def test_all_escapes(self) -> None:
        """Each has its octets."""
        self.assertEqual(unescape(r"a\r\n\t\0\x41\xffz"), b"a\r\n\t\0A\xffz")

    def test_backslashes(self) -> None:
        """Two are one, and what follows is no escape."""
        self.assertEqual(unescape(r"\\n"), b"\\n")
        self.assertEqual(unescape(r"\\\n"), b"\\\n")
        self.assertEqual(unescape(r"\\\\"), b"\\\\")

    def test_other_text(self) -> None:
        """It is UTF-8."""
        self.assertEqual(unescape("ü€"), "ü€".encode())

    def test_no_escapes(self) -> None:
        """What is none is not guessed at."""
        for text in (r"\q", r"\x4", r"\xzz", "\\", "\\\u00fc"):
            with self.subTest(text), self.assertRaisesRegex(WrongUsage, "is no escape; there are"):
                unescape(text)
