"""Tests of EXT_INFO."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.encoding import Malformed, string, uint32
from cmdserver.sshtransport.extension_info import MAX_EXTENSIONS, SERVER_EXTENSIONS, encode, parse


class ExtensionInfoTests(SynchronousTestCase):
    def test_what_is_written_is_read(self) -> None:
        """Names and values."""
        self.assertEqual(parse(encode(SERVER_EXTENSIONS)), dict(SERVER_EXTENSIONS))

    def test_the_message_is_that_of_the_rfc(self) -> None:
        """RFC 8308 section 2.3: a count, then names and values."""
        self.assertEqual(encode(((b"a", b"1"),)), uint32(1) + string(b"a") + string(b"1"))

    def test_too_many_are_refused(self) -> None:
        """Before any of them is read."""
        many = ((b"", b""),) * (MAX_EXTENSIONS + 1)
        for message in (encode(many), uint32(0xFFFFFFFF)):
            with self.assertRaises(Malformed):
                parse(message)
        self.assertEqual(parse(encode(many[1:])), {b"": b""})

    @given(st.binary(max_size=60))
    def test_any_bytes_are_one_or_malformed(self, data: bytes) -> None:
        """Nothing else comes of them."""
        with contextlib.suppress(Malformed):
            parse(uint32(2) + data)
