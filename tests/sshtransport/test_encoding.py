"""Tests of the data types of SSH messages; any bytes give values or Malformed."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.encoding import Fields, Malformed, mpint, name_list, string, uint32

READERS = ["boolean", "byte", "uint32", "string", "name_list", "rest", "end"]
names = st.lists(st.from_regex(r"[!-+\--~]{1,20}", fullmatch=True).map(str.encode), max_size=5).map(tuple)


class FieldsTests(SynchronousTestCase):
    @given(st.binary(max_size=50), st.lists(st.sampled_from(READERS), max_size=5))
    def test_any_bytes_are_read_or_malformed(self, data: bytes, readers: list[str]) -> None:
        """Nothing else comes of any bytes, however they are read."""
        fields = Fields(data)
        with contextlib.suppress(Malformed):
            for reader in readers:
                getattr(fields, reader)()

    @given(st.binary(max_size=50), st.integers(0, 0xFFFFFFFF), names, st.binary(max_size=9))
    def test_what_is_written_is_read(self, data: bytes, number: int, listed: tuple[bytes, ...], rest: bytes) -> None:
        """Each type, one after the other."""
        fields = Fields(string(data) + uint32(number) + name_list(listed) + b"\2" + rest)

        self.assertEqual((fields.string(), fields.uint32(), fields.name_list()), (data, number, listed))
        self.assertEqual((fields.boolean(), fields.rest()), (True, rest))
        fields.end()

    def test_what_is_announced_must_be_there(self) -> None:
        """A string that is shorter than its length is none."""
        for data in (b"", b"\0\0\0", b"\0\0\0\4abc", b"\xff\xff\xff\xff"):
            with self.subTest(data=data), self.assertRaises(Malformed):
                Fields(data).string()

    def test_names_are_printable_and_not_empty(self) -> None:
        """RFC 4251 section 6."""
        for text in (b",", b"a,", b",a", b"a,,b", b"a\n", b"\xc3\xa9", b"\0"):
            with self.subTest(text=text), self.assertRaises(Malformed):
                Fields(string(text)).name_list()

    def test_what_is_left_over_is_noticed(self) -> None:
        """A message that is longer than its fields is no such message."""
        with self.assertRaises(Malformed):
            Fields(b"x").end()


class MpintTests(SynchronousTestCase):
    def test_the_examples_of_the_rfc(self) -> None:
        """RFC 4251 section 5, of those that are not negative; with leading zeros too."""
        for digits, written in {
            "": "00000000",
            "0000": "00000000",
            "09a378f9b2e332a7": "0000000809a378f9b2e332a7",
            "0009a378f9b2e332a7": "0000000809a378f9b2e332a7",
            "80": "000000020080",
        }.items():
            with self.subTest(digits):
                self.assertEqual(mpint(bytes.fromhex(digits)).hex(), written)
