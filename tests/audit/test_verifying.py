"""Tests of what is said of chains that are not whole."""

import re
from collections.abc import Sequence
from gzip import compress
from io import BufferedReader, BytesIO

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.chain import GENESIS, sealed
from cmdserver.audit.reading import read_lines
from cmdserver.audit.records import line_of
from cmdserver.audit.verifying import Summary, Verifier
from tests.running_doubles import requested


def chain(length: int, before: bytes = GENESIS, first: int = 1) -> list[bytes]:
    """Make lines that follow each other."""
    lines = []
    for number in range(first, first + length):
        before = sealed(before, line_of(requested(id=f"{number:016x}", time=1_700_000_000 + number)))
        lines.append(before)
    return lines


def looked_at(*files: Sequence[bytes] | bytes) -> tuple[list[str], Summary]:
    """Look at files, which are called by their numbers; of each its lines, or all of it."""
    verifier = Verifier()
    said: list[str] = []
    for number, file in enumerate(files, start=1):
        data = file if isinstance(file, bytes) else b"".join(b"%b\n" % line for line in file)
        for line in read_lines(BufferedReader(BytesIO(data)), str(number), most=10_000):
            said += verifier.feed(line)
    return [*said, *verifier.finish()], verifier.summary()


def faults(*files: Sequence[bytes] | bytes) -> list[str]:
    """Say what is wrong."""
    return looked_at(*files)[0]


def first_place(said: Sequence[str]) -> int:
    """Return the smallest number of a line that something is said of."""
    return min(int(re.match(r"1:(\d+): ", each)[1]) for each in said)  # type: ignore[index]


NUMBERS = st.integers(0, 7)
LINES = chain(8)


class OneChangeTests(SynchronousTestCase):
    """Whatever is done to one place of a chain is found there, or before."""

    @given(NUMBERS, st.data())
    def test_a_changed_byte(self, at: int, data: st.DataObject) -> None:
        """Whichever it is, in the value too."""
        line = LINES[at]
        where = data.draw(st.integers(0, len(line) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda each: each not in {10, line[where]}))
        changed = line[:where] + bytes([byte]) + line[where + 1 :]

        self.assertLessEqual(first_place(faults([*LINES[:at], changed, *LINES[at + 1 :]])), at + 1)

    @given(st.integers(1, 7), st.integers(1, 7))
    def test_lines_left_out(self, at: int, count: int) -> None:
        """Behind the first one, and before the last."""
        rest = [*LINES[:at], *LINES[at + count :]]
        assume(at < len(rest))

        self.assertLessEqual(first_place(faults(rest)), at + 1)

    @given(st.integers(1, 8), st.sampled_from([*LINES, *chain(3, b"other"), b"", b"{}", b'{"time": "x"}', b"\xff"]))
    def test_a_line_put_there(self, at: int, line: bytes) -> None:
        """A line of elsewhere, a copy of one that is there, or none at all."""
        assume(line != b"".join(LINES[at : at + 1]))  # then it is the other one that was put there
        self.assertLessEqual(first_place(faults([*LINES[:at], line, *LINES[at:]])), at + 1)

    @given(NUMBERS, NUMBERS)
    def test_two_lines_swapped(self, one: int, other: int) -> None:
        """The later one of two at the latest."""
        assume(one < other)
        lines = [*LINES]
        lines[one], lines[other] = lines[other], lines[one]

        self.assertLessEqual(first_place(faults(lines)), max(one + 1, 2))

    @given(NUMBERS, st.integers(1, 500))
    def test_a_line_cut_short(self, at: int, missing: int) -> None:
        """Within the file, or at its end without a line feed."""
        cut = LINES[at][:-missing]
        end = b"" if at == len(LINES) - 1 else b"\n"
        data = b"\n".join([*LINES[:at], cut, *LINES[at + 1 :]]) + end
        assume(cut)

        self.assertLessEqual(first_place(faults(data)), at + 1)


class WordsTests(SynchronousTestCase):
    """What is said."""

    def test_a_whole_chain(self) -> None:
        """Nothing; and what was looked at."""
        said, summary = looked_at(LINES[:3], compress(b"\n".join(LINES[3:6]) + b"\n"), LINES[6:])

        self.assertEqual(said, [])
        self.assertEqual((summary.lines, summary.unchained, summary.torn, summary.has_beginning), (8, 0, 0, True))
        self.assertEqual(summary.first_time, "2023-11-14T22:13:21.000Z")
        self.assertEqual(summary.last_time, "2023-11-14T22:13:28.000Z")
        self.assertIn(summary.head.encode(), LINES[-1])

    def test_a_chain_whose_beginning_is_elsewhere(self) -> None:
        """That is no fault: files do not last for ever."""
        said, summary = looked_at(LINES[3:])

        self.assertEqual((said, summary.has_beginning), ([], False))

    def test_nothing_to_look_at(self) -> None:
        """No line is no fault; lines without a single value are."""
        self.assertEqual(looked_at(b"")[0], [])
        self.assertEqual(faults([b"{}", b"{}"]), ["1: no line has a chain value"])

    def test_each_kind(self) -> None:
        """Each thing is called by its name, once, and nothing else is said because of it."""
        other = sealed(b"x", line_of(requested()))
        changed = LINES[3].replace(b'"ok"', b'"no"')
        for lines, text in (
            ([*LINES[:3], changed, *LINES[4:]], "1:4: was changed"),
            ([*LINES[:3], LINES[3][:-9], *LINES[4:]], "1:4: is cut short"),
            ([*LINES[:3], *LINES[4:]], "1:4: lines between 1:3 and this one were left out or moved"),
            ([*LINES[:3], other, *LINES[3:]], "1:4: was put here: the next line was written behind the one before it"),
            ([*LINES[:3], b"{}", *LINES[3:]], "1:4: was put here: the next line was written behind the one before it"),
            ([*LINES[:3], LINES[2], *LINES[3:]], "1:4: is a copy of the line before it"),
            ([*LINES[:3], LINES[0]], "1:4: the chain begins anew here: lines before it were left out or put there"),
            ([*LINES[:3], changed], "1:4: was changed, or lines between 1:3 and 1:4 were left out"),
            ([changed, *LINES[4:]], "1:1: was changed, or lines between it and 1:2 were left out"),
            ([*LINES[:3], LINES[3][:-9]], "1:4: is cut short"),
        ):
            self.assertEqual(faults(lines), [text])

    def test_two_lines_changed(self) -> None:
        """Both are named; what lies between two of them alone has nobody to speak for it."""

        def said(one: int, other: int) -> list[str]:
            return faults(
                [line.replace(b'"ok"', b'"no"') if at in {one, other} else line for at, line in enumerate(LINES, 1)]
            )

        self.assertEqual(said(3, 7), ["1:3: was changed", "1:7: was changed"])
        self.assertEqual(said(3, 4), ["1:3: was changed", "1:4: was changed as well, or the next line was"])
        self.assertEqual(
            said(3, 5), ["1:3: was changed", *(f"1:{at}: was changed as well, or the next line was" for at in (4, 5))]
        )

    def test_a_made_up_line_with_a_value_made_anew(self) -> None:
        """Whoever makes one value anew, and not all later ones, is found at the next line."""
        forged = sealed(LINES[2], line_of(requested(id="forged")))

        self.assertEqual(
            faults([*LINES[:3], forged, *LINES[4:]]), ["1:5: lines between 1:4 and this one were left out or moved"]
        )

    def test_what_it_cannot_find(self) -> None:
        """Whoever makes all of them anew, or cuts off the end, is not found: a copy elsewhere must tell."""
        self.assertEqual(faults([*LINES[:3], *chain(5, LINES[2], 30)]), [])
        self.assertEqual(faults(LINES[:5]), [])

    def test_part_of_a_line_that_the_next_one_covers(self) -> None:
        """A full disk, or a crash, has left it; the daemon has gone on behind it, so nobody else has."""
        torn = line_of(requested())[:40]
        after = chain(2, torn)

        for files in (([*LINES, torn, *after],), (b"\n".join([*LINES, torn]), after)):
            said, summary = looked_at(*files)
            self.assertEqual((said, summary.torn), ([], 1))

    def test_a_line_that_nobody_wrote_and_the_next_one_covers(self) -> None:
        """What was put there while the daemon was down, and is no part of a line, is no accident."""
        for forged in (b"{}", b"hello", line_of(requested())):
            (said,) = faults([*LINES, forged, *chain(2, forged)])
            self.assertIn("1:9: has no chain value", said)

    def test_lines_of_a_version_without_a_chain(self) -> None:
        """They are counted; the chain covers the last of them."""
        old = [line_of(requested(id=str(number))) for number in range(3)]
        new = chain(3, old[-1])

        said, summary = looked_at([*old, *new])

        self.assertEqual((said, summary.unchained, summary.has_beginning), ([], 3, True))
        self.assertEqual(faults([*old[:2], *new]), ["1:2: was changed, or lines between it and 1:3 were left out"])
        self.assertIn("a chain begins here", faults([*old, *LINES])[0])

    def test_a_line_without_end(self) -> None:
        """It is not kept in memory, and what is behind it is looked at."""
        (said,) = faults([*LINES[:3], b"x" * 50_000, *LINES[4:]])

        self.assertEqual(said, "1:4: is longer than 10000 bytes, and was not read to its end")

    def test_a_missing_line_feed(self) -> None:
        """Something was cut off."""
        self.assertEqual(faults(b"\n".join(LINES)), ["1:8: is cut short: the end of the line is missing"])
