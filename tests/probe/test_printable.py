"""Tests of text that a target says, in a line that others read."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.printable import shown


class ShownTests(SynchronousTestCase):
    def test_ordinary_text(self) -> None:
        """It stays as it is, in every language."""
        self.assertEqual(shown("220 mail.example.org grüßt\r\n"), "220 mail.example.org grüßt")

    def test_what_would_break_out(self) -> None:
        """Neither a second line, nor performance data, nor a terminal's sequences, nor turned text."""
        self.assertEqual(shown("a\nOK | 'x'=1\x1b[2J\u202eb"), "a\\x0aOK \\x7c 'x'=1\\x1b[2J\\u{202e}b")

    def test_octets(self) -> None:
        """What is no UTF-8 is shown as numbers."""
        self.assertEqual(shown(b"caf\xc3\xa9 \xff\x00"), "café \\xff\\x00")

    def test_a_cut_is_seen(self) -> None:
        """It says how much there is more."""
        self.assertEqual(shown("x" * 12, 10), "xxxxxxxxxx [2 more]")
        self.assertEqual(shown("x" * 10, 10), "xxxxxxxxxx")

    @given(st.one_of(st.text(), st.binary()))
    def test_whatever_is_said(self, said: str | bytes) -> None:
        """It is one line of printable text without the border of performance data."""
        text = shown(said)

        self.assertNotIn("|", text)
        self.assertEqual([each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}], [])
