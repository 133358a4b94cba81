"""Tests of what a run says as HTML: with cases that a browser shows too, and with whatever programs print."""

import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path
from typing import TypedDict
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.escaping import Printable
from cmdserver.core.output import Stream
from cmdserver.frontends.web.pages.output.output_html import MOST_CELLS, MOST_CREDIT, OutputHtml
from tests.doubles import LAW


class Case(TypedDict, total=False):
    """One of `CASES`: pieces of output, and the texts that are seen, with the classes that hold for each."""

    name: str
    has_colours: bool
    pieces: list[tuple[str, str]]
    runs: list[tuple[str, str]]


CASES: list[Case] = json.loads((Path(__file__).parent / "output_cases.json").read_text("utf-8"))

#: All markup that there may be.
_TAG = re.compile(
    r"<span(?: class=\"(?:line|err|again|(?:(?:mix|out|k|c[0-7]|b|u)(?: (?!\")|(?=\")))+)\")?>"
    r"|</span>|<span id=\"end\"></span>"
)

#: What matters, often; and whatever else there is.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["\n", "\r", "\r\n", "\x1b[31m", "\x1b[7;44m", "\x1b[0m", "\x1b[", "\x1b", "<b>", "&amp;", '"']
        ),
        st.text(max_size=5),
    )
).map("".join)
SAID = st.lists(st.tuples(st.sampled_from(Stream), st.one_of(TEXTS.map(str.encode), st.binary(max_size=8))))


def html_of(pieces: Iterable[tuple[Stream, bytes]], *, colours: bool = True) -> str:
    """Make the HTML of what a run says."""
    made = OutputHtml(colours=colours)
    said = [made.feed(stream, chunk) for stream, chunk in pieces]
    return "".join((*said, made.finish()))


class _Seen(HTMLParser):
    """What somebody sees of output, as texts and the names of classes that hold for each."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        #: For each open element its names, and what it has said.
        self._open: list[tuple[str, list[tuple[str, str]]]] = [("", [])]
        self.feed(html)
        self.close()
        assert len(self._open) == 1, "an element is left open"

    @property
    def runs(self) -> list[tuple[str, str]]:
        """The texts in order; those that look alike are one."""
        joined = []
        for names, group in groupby(self._open[0][1], key=lambda run: run[1]):
            joined.append(("".join(text for text, _ in group), names))
        return joined

    @property
    def text(self) -> str:
        """All of the text."""
        return "".join(text for text, _ in self.runs)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs).get("class") or ""
        if names == "again":
            self._open[-1][1].clear()
        self._open.append((names, []))

    def handle_endtag(self, tag: str) -> None:
        own, runs = self._open.pop()
        own = own.replace("again", "").replace("line", "")
        said = [(text, " ".join(sorted({*own.split(), *names.split()}))) for text, names in runs]
        self._open[-1][1].extend(said or ([("", own)] if own == "err" else []))

    def handle_data(self, data: str) -> None:
        self._open[-1][1].append((data, ""))


def printed(pieces: Iterable[tuple[Stream, bytes]]) -> str:
    """Return what `Printable` makes of each stream, in order."""
    printable = {stream: Printable() for stream in Stream}
    said = [printable[stream].feed(chunk).decode(errors="replace") for stream, chunk in pieces]
    return "".join((*said, *(each.finish().decode(errors="replace") for each in printable.values())))


class CaseTests(TestCase):
    maxDiff = None

    def test_cases(self) -> None:
        """What is seen of each; `tests.integration.test_web_output` looks at them in a browser."""
        for case in CASES:
            with self.subTest(case["name"]):
                pieces = [
                    (Stream.STDERR if name == "err" else Stream.STDOUT, said.encode()) for name, said in case["pieces"]
                ]
                seen = _Seen(html_of(pieces, colours=case.get("has_colours", True)))
                self.assertEqual(seen.runs, [tuple(run) for run in case["runs"]])

    def test_a_piece_at_a_time(self) -> None:
        """Text is sent at once, and a line that is written over comes again as soon as that is."""
        made = OutputHtml(colours=True)

        said = [made.feed(Stream.STDOUT, chunk) for chunk in (b"a\nb", b"c", b"\rB", b"\n", b"d\re\n")]
        self.assertEqual(
            said,
            [
                'a\n<span class="line"><span>b</span>',
                "<span>c</span>",
                '<span class="again">Bc</span>',
                "</span>\n",
                "e\n",
            ],
        )
        self.assertEqual(made.finish(), '<span id="end"></span>')

    def test_nothing(self) -> None:
        """Of no output there is no HTML, so that the style sheet can say so."""
        self.assertEqual(html_of([(Stream.STDOUT, b"")]), "")

    def test_characters_in_pieces(self) -> None:
        """A character is not told before it is complete."""
        self.assertEqual(_Seen(html_of([(Stream.STDOUT, bytes([each])) for each in "äöü€".encode()])).text, "äöü€")


class LawTests(TestCase):
    @LAW
    @given(said=SAID, colours=st.booleans())
    def test_only_our_markup(self, said: list[tuple[Stream, bytes]], colours: bool) -> None:
        """Whatever is said, all of it is text but our elements, none of which is left open or holds a line break."""
        html = html_of(said, colours=colours)

        rest = _TAG.sub("", html)
        self.assertNotRegex(rest, "[<>\"'\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
        self.assertNotRegex(rest, "&(?!(lt|gt|amp|quot|#x27);)")
        depth = 0
        for token in re.finditer(r"<span|</span|\n", html):
            depth += {"<span": 1, "</span": -1}.get(token[0], 0)
            self.assertFalse(token[0] == "\n" and depth, html)
        self.assertEqual(_Seen(html).text.count("\n"), rest.count("\n"))

    @LAW
    @given(said=SAID)
    def test_text_is_what_printable_says(self, said: list[tuple[Stream, bytes]]) -> None:
        """Without CR and without colours the text is that of a terminal, whatever bytes there are."""
        said = [(Stream.STDOUT, chunk.replace(b"\r", b"")) for _, chunk in said]

        self.assertEqual(_Seen(html_of(said, colours=False)).text, printed(said))

    @LAW
    @given(text=TEXTS, stream=st.sampled_from(Stream), size=st.integers(1, 9))
    def test_pieces_make_no_difference(self, text: str, stream: Stream, size: int) -> None:
        """Wherever pieces end, the same is seen."""
        data = text.encode()
        pieces = [(stream, data[at : at + size]) for at in range(0, len(data), size)]

        self.assertEqual(_Seen(html_of(pieces)).runs, _Seen(html_of([(stream, data)])).runs)

    @LAW
    @given(text=st.text(st.sampled_from("ab\r\n"), max_size=40))
    def test_cr_as_on_a_terminal(self, text: str) -> None:
        """A model with a cursor says the same."""
        lines, column = [""], 0
        for character in text:
            if character == "\n":
                lines, column = [*lines, ""], 0
            elif character == "\r":
                column = 0
            else:
                lines[-1] = lines[-1][:column] + character + lines[-1][column + 1 :]
                column += 1

        pieces = [(Stream.STDOUT, character.encode()) for character in text]
        self.assertEqual(_Seen(html_of(pieces)).text, "\n".join(lines))


class BoundTests(TestCase):
    """What is said again, and kept, has bounds, whatever programs do."""

    def test_a_line_that_changes_all_the_time(self) -> None:
        """HTML is at most some times what was fed, and what was kept for later is there at the end."""
        made = OutputHtml(colours=True)
        cells = b"".join(b"\x1b[3%dm%c" % (each % 8, 97 + each % 26) for each in range(4000))
        made.feed(Stream.STDOUT, cells)
        fed = said = 0
        for each in range(5000):
            chunk = b"\r%c" % (65 + each % 26)
            fed += len(chunk)
            said += len(made.feed(Stream.STDOUT, chunk))

        self.assertLess(said, 8 * fed + 2 * MOST_CREDIT)
        self.assertTrue(_Seen('<span class="line">' + made.finish()).text.startswith(chr(65 + 4999 % 26)))

    def test_a_line_without_end(self) -> None:
        """Of a long line nothing is kept; a CR in it begins another, as what was sent cannot be written over."""
        made = OutputHtml(colours=True)
        said = made.feed(Stream.STDOUT, b"x" * MOST_CELLS) + made.feed(Stream.STDOUT, b"\ry")
        self.assertEqual(_Seen(said + made.finish()).text, "y" + "x" * (MOST_CELLS - 1))

        made = OutputHtml(colours=True)
        said = made.feed(Stream.STDOUT, b"x" * MOST_CELLS + b"x") + made.feed(Stream.STDOUT, b"\ry")
        self.assertEqual(_Seen(said + made.finish()).text, "x" * MOST_CELLS + "x\ny")

    def test_sequences_alone(self) -> None:
        """A million sequences say nothing, and leave nothing open."""
        self.assertEqual(html_of([(Stream.STDOUT, b"\x1b[1;31m" * 20_000), (Stream.STDOUT, b"x")]).count("<span"), 3)
        self.assertEqual(html_of([(Stream.STDOUT, b"\x1b[" + b"1;" * 100_000)]).count("<span"), 4)
