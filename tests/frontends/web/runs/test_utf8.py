"""Tests of pieces that may end within a character."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.frontends.web.runs.utf8 import CompleteCharacters
from tests.doubles import LAW


class WholeTests(unittest.TestCase):
    @LAW
    @given(st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=4).map(str.encode)), max_size=8))
    def test_nothing_is_lost_or_changed(self, pieces: list[bytes]) -> None:
        """All pieces that come out are all that went in, in whatever bytes."""
        whole = CompleteCharacters()

        out = [whole.feed(piece) for piece in pieces]

        self.assertEqual(b"".join([*out, whole.finish()]), b"".join(pieces))

    @LAW
    @given(st.text(max_size=20), st.data())
    def test_no_character_is_divided(self, text: str, data: st.DataObject) -> None:
        """However UTF-8 is cut into pieces, each piece that comes out is UTF-8."""
        encoded = text.encode()
        cuts = sorted(data.draw(st.lists(st.integers(0, len(encoded)), max_size=5)))
        whole = CompleteCharacters()

        out = [whole.feed(encoded[start:end]) for start, end in zip([0, *cuts], [*cuts, len(encoded)], strict=True)]

        self.assertEqual("".join(piece.decode() for piece in out), text)
        self.assertEqual(whole.finish(), b"")

    def test_what_needs_no_change_is_not_copied(self) -> None:
        """The readers of a shared run share its bytes."""
        chunk = "fünf\n".encode()
        self.assertIs(CompleteCharacters().feed(chunk), chunk)
