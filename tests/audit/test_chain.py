"""Tests of the chain: its arithmetic, as the contract has it, and how it goes on behind what was written in part."""

import json
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.chain import GENESIS, Tail, sealed, take_apart


class ChainTests(SynchronousTestCase):
    def test_the_first_line(self) -> None:
        """It is hashed behind 64 zeros, in ASCII, and is JSON all the same."""
        line = sealed(GENESIS, b'{"a": 1}')

        value = sha256(b"0" * 64 + b'{"a": 1}').hexdigest()
        self.assertEqual(line, b'{"a": 1,"chain":"%b"}' % value.encode())
        self.assertEqual(json.loads(line), {"a": 1, "chain": value})

    def test_the_next_line(self) -> None:
        """It is hashed behind all of the line before it, chain value included."""
        first = sealed(GENESIS, b'{"a": 1}')

        second = sealed(first, b'{"b": 2}')

        value = sha256(first + b'{"b": 2}').hexdigest()
        self.assertEqual(second, b'{"b": 2,"chain":"%b"}' % value.encode())

    @given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1))
    def test_what_was_sealed_is_found_again(self, record: dict[str, str]) -> None:
        """Whatever a record has in it, its own chain value is the one that counts."""
        bare = json.dumps({**record, "arguments": [',"chain":"' + "0" * 64 + '"}']}).encode()

        apart = take_apart(sealed(GENESIS, bare))

        assert apart is not None
        self.assertEqual(apart.bare, bare)
        self.assertTrue(apart.follows(GENESIS))
        self.assertFalse(apart.follows(b"something else"))

    def test_lines_without_a_value(self) -> None:
        """Nothing else is taken for one."""
        value = "a" * 64
        for line in (
            "",
            "{}",
            '{"a": 1}',
            f',"chain":"{value}"',
            f'{{"a": 1,"chain":"{value}"}} ',
            f'{{"a": 1,"chain":"{value.upper()}"}}',
            f'{{"a": 1,"chain":"{value[1:]}"}}',
        ):
            self.assertIsNone(take_apart(line.encode()), line)


class TailTests(SynchronousTestCase):
    """What the next line is written behind."""

    @given(st.lists(st.binary(min_size=1).filter(lambda each: b"\n" not in each), min_size=1), st.data())
    def test_it_is_the_end_of_the_file(self, lines: list[bytes], data: st.DataObject) -> None:
        """Whatever part of each write gets into the file: the tail is what a reader would find there."""
        tail, file = Tail(b"earlier"), b"earlier\n"
        for line in lines:
            meant = (b"\n" if tail.is_torn else b"") + line + b"\n"
            written = meant[: data.draw(st.integers(0, len(meant)))]
            tail, file = tail.after(written), file + written

            self.assertEqual(tail.is_torn, not file.endswith(b"\n"))
            self.assertEqual(tail.line, file.removesuffix(b"\n").rpartition(b"\n")[2])
