"""What daemon and parsing process say to each other."""

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.privsep.parsing.messages import (
    PACKET_BYTES,
    Answer,
    Cancel,
    Kind,
    Parse,
    decode_answer,
    decode_request,
)
from tests.doubles import LAW


class MessagesTests(TestCase):
    def test_back_and_forth(self) -> None:
        """What is encoded is decoded."""
        for request in (Parse(1, "df"), Parse(1 << 60, "apt-cache-show"), Cancel(7)):
            self.assertEqual(decode_request(request.encode()), request)
            self.assertLess(len(request.encode()), PACKET_BYTES)
        for kind in Kind:
            self.assertEqual(decode_answer(Answer(7, kind).encode()), Answer(7, kind))

    @LAW
    @given(
        st.binary() | st.sampled_from([b"", b"parse", b"parse x df", b"cancel", b"cancel 1 2", b"1 1", b"0 x", b"99 1"])
    )
    def test_anything_else(self, packet: bytes) -> None:
        """Is refused by a ValueError, which an empty packet is, too."""
        for decode in (decode_request, decode_answer):
            try:
                self.assertEqual(decode(packet).encode().split(b" ")[0], packet.split(b" ")[0].lstrip(b"+0") or b"0")
            except ValueError:
                continue
        with self.assertRaises(ValueError):
            decode_request(b"")
