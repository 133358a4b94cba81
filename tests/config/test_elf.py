"""Headers of programs."""

import unittest
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.config.elf import Header, Read, parse
from tests.doubles import LAW


def reader(data: bytes) -> Read:
    """Give bytes from a place on, as a file does."""
    return lambda start, size: data[start : start + size]


def program(
    *, machine: int = 62, is_wide: bool = True, order: str = "little", kind: int = 3, loader: bytes = b"/lib/ld.so"
) -> bytes:
    """Make the beginning of a program with two program headers, the second of which names a loader."""

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little" if order == "little" else "big")

    width, head_bytes, header_bytes = (8, 64, 56) if is_wide else (4, 52, 32)
    place = head_bytes + 2 * header_bytes
    head = b"\x7fELF" + bytes((2 if is_wide else 1, 1 if order == "little" else 2, 1)) + bytes(9)
    head += number(kind, 2) + number(machine, 2) + number(1, 4) + number(0, width) + number(head_bytes, width)
    head += number(0, width) + number(0, 4) + number(head_bytes, 2) + number(header_bytes, 2) + number(2, 2) + bytes(6)
    first = number(6, 4).ljust(header_bytes, b"\0")
    if is_wide:
        second = number(3, 4) + number(4, 4) + number(place, 8) * 3 + number(len(loader) + 1, 8) * 2 + number(1, 8)
    else:
        second = number(3, 4) + number(place, 4) * 3 + number(len(loader) + 1, 4) * 2 + number(4, 4) + number(1, 4)
    return head + first + second + loader + b"\0"


class ParseTests(unittest.TestCase):
    def test_all_shapes(self) -> None:
        """Of 32 and 64 bits, and with either end first."""
        for is_wide in (True, False):
            for order in ("little", "big"):
                with self.subTest(is_wide=is_wide, order=order):
                    header = parse(reader(program(machine=21, is_wide=is_wide, order=order)))
                    self.assertEqual(Header(machine=21, byte_order=order, is_object=False, loader="/lib/ld.so"), header)

    def test_object_files(self) -> None:
        """They say what they are."""
        header = parse(reader(program(kind=1)))
        assert header is not None
        self.assertTrue(header.is_object)

    def test_no_loader(self) -> None:
        """A program that is linked statically needs none."""
        for data in (program(loader=b""), program()[:64], program()[:20]):
            header = parse(reader(data))
            assert header is not None
            self.assertIsNone(header.loader)

    def test_a_real_one(self) -> None:
        """The program that runs this test is for this host, and the loader that it names is there."""
        data = Path("/proc/self/exe").read_bytes()
        header = parse(reader(data))
        assert header is not None
        self.assertTrue(header.loader is None or Path(header.loader).exists())
        self.assertTrue(header.runs_beside(header))

    def test_machines(self) -> None:
        """A host runs programs of its machine, and of the one of 32 bits that belongs to it; no others."""

        def of(machine: int, order: str = "little") -> Header:
            return Header(machine=machine, byte_order=order, is_object=False, loader=None)

        for one, other, runs in (
            (of(62), of(62), True),
            (of(62), of(3), True),
            (of(3), of(62), True),
            (of(183), of(40), True),
            (of(62), of(183), False),
            (of(62), of(40), False),
            (of(8), of(8, "big"), False),
            (of(168), of(168), True),
        ):
            with self.subTest(one=one, other=other):
                self.assertIs(runs, one.runs_beside(other))
        self.assertEqual(("AArch64", "machine 168 of ELF"), (of(183).machine_name, of(168).machine_name))

    def test_what_is_none(self) -> None:
        """Text, what is cut off, and what is of no class or order."""
        for data in (b"", b"#!/bin/sh", program()[:19], b"\x7fELF" + b"\3\1" + bytes(60), b"\x7fELF\1\3" + bytes(60)):
            self.assertIsNone(parse(reader(data)))

    @given(st.binary(max_size=200), st.integers(0, 199))
    @LAW
    def test_any_bytes(self, junk: bytes, place: int) -> None:
        """Whatever a file says, no place beyond any file and no more than a little is asked for."""
        data = program()
        data = data[:place] + junk + data[place + len(junk) :]

        def read(start: int, size: int) -> bytes:
            self.assertLess(start, 1 << 62)
            self.assertLessEqual(size, 1 << 16)
            return data[start : start + size]

        parse(read)
