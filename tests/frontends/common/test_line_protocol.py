"""The line protocol: what bytes mean, and what they can never do."""

import contextlib
import re
import shlex
import unittest

from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.core.errors import BadArgument, Code, Malformed, Refusal
from cmdserver.core.names import RESERVED_WORDS
from cmdserver.frontends.common.line_protocol import (
    Attach,
    Explain,
    Help,
    Line,
    LineBuffer,
    Request,
    Run,
    Runs,
    Start,
    Stop,
    Word,
    parse,
    split,
    wants_json,
)
from tests.doubles import LAW

#: Pieces from which lines that nearly mean something are made.
_PIECES = [b"json", b"help", b"explain", b"login", b"quit", b"uptime", b" ", b"\t", b"\r", b'"', b"'", b"\\", b"\0"]
_PIECES += [b"#", b"$(x)", b"\xff", b"\xc2\x9b", b"\xc3\xa9", b"\xe2\x80\xa8"]
_LINES = st.binary(max_size=40) | st.lists(st.sampled_from(_PIECES), max_size=12).map(b"".join)

#: Streams in which lines of about the limit's length, blank lines and both line ends are frequent.
_STREAMS = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"\t", b"a", b"bc", b"defgh", b"ijklmnop", b"\xff"]), max_size=20
).map(b"".join)
_LIMIT = 8


class ParseTests(unittest.TestCase):
    def test_requests(self) -> None:
        """Each word of the protocol has its own request, and every other word is a command's name."""
        cases: list[tuple[bytes, Request]] = [
            (b"uptime", Run(("uptime",))),
            (b"df -h /", Run(("df", "-h", "/"))),
            (b"HELP", Run(("HELP",))),
            (b"metrics", Run(("metrics",))),
            (b"help", Help()),
            (b"help df", Help("df")),
            (b"explain df -h", Explain(("df", "-h"))),
            (b"explain", Explain(())),
            (b"explain json", Explain(("json",))),
            (b"whoami", Word.WHOAMI),
            (b"who", Word.WHO),
            (b"session", Word.SESSION),
            (b"quit", Word.QUIT),
            (b"runs", Runs()),
            (b"runs state=failed 'user=a b'", Runs(("state=failed", "user=a b"))),
            (b"start df -h", Start(("df", "-h"))),
            (b"attach 0123", Attach("0123")),
            (b"stop '\\'", Stop("\\")),
            (b"runsx", Run(("runsx",))),
        ]
        for line, request in cases:
            with self.subTest(line):
                self.assertEqual(Line(request, as_json=False), parse(line))

    def test_json_before_a_question(self) -> None:
        """``json`` asks the same question for programs."""
        cases: list[tuple[bytes, Request]] = [
            (b"json uptime", Run(("uptime",))),
            (b"json help df", Help("df")),
            (b"json explain 'df'", Explain(("df",))),
            (b"json who", Word.WHO),
            (b"json whoami", Word.WHOAMI),
            (b"json runs limit=3", Runs(("limit=3",))),
            (b"json start df", Start(("df",))),
            (b"json attach x", Attach("x")),
            (b"json stop x", Stop("x")),
        ]
        for line, request in cases:
            with self.subTest(line):
                self.assertEqual(Line(request, as_json=True), parse(line))

    def test_misplaced_words(self) -> None:
        """A word of the protocol is never taken for a command, whatever stands beside it."""
        cases = {
            b"json": "json needs a line after it: json LINE",
            b"json json uptime": "json takes another line after it, not itself",
            b"json session": "session has no answer that could be JSON",
            b"json quit": "quit has no answer that could be JSON",
            b"json login": "login has no answer that could be JSON",
            b"help df uptime": "help takes one command at most",
            b"whoami now": "whoami takes no arguments",
            b"who ''": "who takes no arguments",
            b"session 5": "session takes no arguments",
            b"quit now": "quit takes no arguments",
            b"login admin": "login takes no arguments",
            b"start": "start needs a command: start NAME",
            b"start runs": "start needs a command: start NAME",
            b"start json df": "start needs a command: start NAME",
            b"attach": "attach needs the id of a run: attach ID",
            b"attach a b": "attach needs the id of a run: attach ID",
            b"stop": "stop needs the id of a run: stop ID",
            b"json stop a b": "stop needs the id of a run: stop ID",
        }
        for line, text in cases.items():
            with self.subTest(line):
                with self.assertRaises(BadArgument) as raised:
                    parse(line)
                self.assertEqual(text, str(raised.exception))
                self.assertEqual(Code.BAD_ARGUMENT, raised.exception.code)

    def test_every_word_is_a_word(self) -> None:
        """None of the reserved words can be read as a command to run."""
        for word in RESERVED_WORDS:
            with self.subTest(word):
                try:
                    line = parse(word.encode())
                except BadArgument:
                    continue
                self.assertNotIsInstance(line.request, Run)

    @given(_LINES)
    @LAW
    def test_any_bytes(self, line: bytes) -> None:
        """Any bytes give a Line or a Refusal, never another exception."""
        try:
            parsed = parse(line)
        except Refusal as refusal:
            self.assertIn(refusal.code, {Code.MALFORMED, Code.BAD_ARGUMENT})
            self.assertTrue(str(refusal).isprintable())
        else:
            self.assertIsInstance(parsed, Line)

    @given(_LINES)
    @LAW
    def test_json_is_answered_with_json(self, line: bytes) -> None:
        """Whoever wants JSON of a line that is a request is answered with JSON."""
        try:
            parsed = parse(line)
        except Refusal:
            return
        if wants_json(line):
            self.assertTrue(parsed.as_json)

    def test_wants_json(self) -> None:
        """A sender wants JSON if the first word says so, even if the rest is no request."""
        for line in (b"json", b" json x", b"\tjson\tx\r", b"json 'unbalanced", b"json \xff"):
            with self.subTest(line):
                self.assertTrue(wants_json(line))
        for line in (b"", b"jsonx", b"help json", b"\xffjson"):
            with self.subTest(line):
                self.assertFalse(wants_json(line))

    def test_refusals_of_quoted_json_are_json(self) -> None:
        """A quoted ``json`` is the word json, as in a shell, for refusals too."""
        lines = [b'"json" whoami now', b"'json' whoami now", b"js\\on whoami now"]
        self.assertEqual([], [line for line in lines if not wants_json(line)])


class SplitTests(unittest.TestCase):
    def test_as_a_shell_does(self) -> None:
        """Quotes and backslashes mean what they mean to a POSIX shell."""
        cases = {
            b"a  b\tc": ("a", "b", "c"),
            b" a ": ("a",),
            b"a 'b c' \"d 'e\"": ("a", "b c", "d 'e"),
            b'a"b"c': ("abc",),
            b"''": ("",),
            b"a\\ b": ("a b",),
            b"'a\tb'": ("a\tb",),
            b'"a\\"b" \'c\\d\'': ('a"b', "c\\d"),
            "\u00e9\u00a0x".encode(): ("\u00e9\u00a0x",),
        }
        for line, words in cases.items():
            with self.subTest(line):
                self.assertEqual(words, split(line))

    def test_no_expansion(self) -> None:
        """What a shell would expand, run or take for a comment is text."""
        line = b"$HOME ~ * {a,b} `id` $(id) a;b a|b a>b a&b !! # x"
        self.assertEqual(tuple(line.decode().split()), split(line))

    def test_one_return_at_the_end(self) -> None:
        """CRLF ends a line; a CR anywhere else is a control character."""
        self.assertEqual(("a",), split(b"a\r"))
        for line in (b"a\r\r", b"a\rb", b"\ra"):
            with self.subTest(line), self.assertRaises(Malformed):
                split(line)

    def test_malformed(self) -> None:
        """What is no line is refused with the reason."""
        cases = {
            b"": "the line has no words",
            b" \t \r": "the line has no words",
            b"ab\xff": "the line is not UTF-8: byte 3 is 0xff",
            b"\xed\xa0\x80": "the line is not UTF-8: byte 1 is 0xed",
            "uptime".encode("utf-16"): (
                "the line is UTF-16, not UTF-8; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8"
            ),
            "uptime\r".encode("utf-16-le"): (
                "the line is UTF-16LE, not UTF-8; save it as UTF-8, or: iconv -f UTF-16LE -t UTF-8"
            ),
            b"\xc0\xaf": "the line is not UTF-8: byte 1 is 0xc0",
            b"a\0b": "the line has a control character (0x00) in it",
            b"a\x1b[2J": "the line has a control character (0x1b) in it",
            b"a\nb": "the line has a control character (0x0a) in it",
            b"a\x7f": "the line has a control character (0x7f) in it",
            b"'a": "unbalanced quotes: no closing quotation",
            b'"a': "unbalanced quotes: no closing quotation",
            b"a\\": "unbalanced quotes: no escaped character",
        }
        for line, text in cases.items():
            with self.subTest(line):
                with self.assertRaises(Malformed) as raised:
                    split(line)
                self.assertEqual(text, str(raised.exception))

    def test_no_control_character_gets_through(self) -> None:
        """No control character but the tab is part of a request, quoted or not."""
        self.assertEqual([], _accepted([*range(0x09), *range(0x0A, 0x20), 0x7F]))

    def test_no_c1_control_character_gets_through(self) -> None:
        """The control characters of ECMA-48 that UTF-8 takes two bytes for are control characters too."""
        self.assertEqual([], _accepted([*range(0x80, 0xA0)]))

    @given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\"'\\") | st.just("\t")))
    @example("a\u00a0b\u2003c\u3000d\u2028e")
    @example("a#b #c")
    @LAW
    def test_the_fast_path(self, text: str) -> None:
        """The split of a text without quotes is that of shlex."""
        expected = tuple(shlex.split(text))
        if expected:
            self.assertEqual(expected, split(text.encode()))
        else:
            with self.assertRaises(Malformed):
                split(text.encode())


def _accepted(codes: list[int]) -> list[str]:
    """Return the characters that may stand in a line, bare or quoted."""
    accepted = []
    for code in codes:
        for line in (f"a{chr(code)}b", f"'a{chr(code)}b'"):
            with contextlib.suppress(Malformed):
                split(line.encode())
                accepted.append(chr(code))
    return accepted


def _lines_of(chunks: list[bytes], limit: int = _LIMIT) -> tuple[list[bytes], bool]:
    """Feed chunks as a connection does; return the lines, and whether they ended in Malformed."""
    buffer = LineBuffer(limit)
    lines: list[bytes] = []
    held = 0
    try:
        for chunk in chunks:
            buffer.feed(chunk)
            held += len(chunk)
            assert len(buffer) <= held
            while (line := buffer.next_line()) is not None:
                lines.append(line)
            held = len(buffer)
            assert held <= limit + 1  # what is left is the beginning of one line
            assert not buffer.is_full  # or reading would stop for ever
        if (line := buffer.last_line()) is not None:
            lines.append(line)
        assert not len(buffer)
    except Malformed:
        return lines, True
    return lines, False


def _expected_lines(data: bytes, limit: int = _LIMIT) -> tuple[list[bytes], bool]:
    """Say the same by the book: a line has at most ``limit`` bytes before its LF or CRLF."""
    *ended, rest = data.split(b"\n")
    lines: list[bytes] = []
    for line in ended:
        if stripped := line.lstrip(b" \t\r"):
            if len(stripped.removesuffix(b"\r")) > limit:
                return lines, True
            lines.append(stripped)
    rest = rest.lstrip(b" \t\r")
    if len(rest.removesuffix(b"\r")) > limit:
        return lines, True
    if rest := rest.rstrip(b" \t\r"):
        lines.append(rest)
    return lines, False


class LineBufferTests(unittest.TestCase):
    def test_lines(self) -> None:
        """Lines come out without LF, in order, one at a time."""
        buffer = LineBuffer(64)
        buffer.feed(b"uptime\ndf -h\r\nwho")
        self.assertEqual([b"uptime", b"df -h\r", None], [buffer.next_line() for _ in range(3)])
        self.assertEqual([b"who", None], [buffer.last_line(), buffer.last_line()])

    def test_a_byte_order_mark_at_the_beginning_means_nothing(self) -> None:
        """PowerShell's pipes begin with one; it may come in pieces, and is no part of a line or an answer."""
        for cut in range(4):
            with self.subTest(cut):
                buffer = LineBuffer(6)
                buffer.feed(b"\xef\xbb\xbfuptime\r\n"[:cut])
                self.assertIsNone(buffer.next_line())
                buffer.feed(b"\xef\xbb\xbfuptime\r\n"[cut:])
                self.assertEqual(b"uptime\r", buffer.next_line())
        buffer = LineBuffer(64)
        buffer.feed(b"\xef\xbb\xbfann\n")
        self.assertEqual(b"ann", buffer.next_answer())

    def test_a_mark_alone_is_no_line(self) -> None:
        """A pipe of nothing but a mark asks nothing."""
        buffer = LineBuffer(64)
        buffer.feed(b"\xef\xbb\xbf")
        self.assertEqual([None, None], [buffer.next_line(), buffer.last_line()])

    def test_a_mark_elsewhere_is_a_character(self) -> None:
        """Behind the beginning it belongs to its line, also where that begins a piece."""
        buffer = LineBuffer(64)
        buffer.feed(b"a\n")
        self.assertEqual(b"a", buffer.next_line())
        buffer.feed(b"\xef\xbb\xbfb\n\xef\xbb\xbf\xef\xbb\xbf\n")
        self.assertEqual(b"\xef\xbb\xbfb", buffer.next_line())
        self.assertEqual(b"\xef\xbb\xbf" * 2, buffer.next_line())

    def test_blank_lines_are_nothing(self) -> None:
        """Blank lines, and blanks before a word, are skipped."""
        buffer = LineBuffer(4)
        buffer.feed(b"\n" * 1000 + b" \t\r\n" * 1000 + b"   df\n \n")
        self.assertEqual([b"df", None, None], [buffer.next_line(), buffer.next_line(), buffer.last_line()])
        self.assertEqual(0, len(buffer))

    def test_the_limit_is_exact(self) -> None:
        """A line of just the limit is a line with either end, one byte more is none."""
        for end in (b"\n", b"\r\n"):
            with self.subTest(end):
                buffer = LineBuffer(4)
                buffer.feed(b"abcd" + end)
                self.assertEqual(b"abcd" + end[:-1], buffer.next_line())
                buffer.feed(b"abcde" + end)
                with self.assertRaises(Malformed) as raised:
                    buffer.next_line()
                self.assertEqual("the line is longer than 4 bytes", str(raised.exception))

    def test_a_line_without_end_is_refused_early(self) -> None:
        """A line that is too long is refused before its end has come."""
        buffer = LineBuffer(4)
        buffer.feed(b"abcdef")
        self.assertRaises(Malformed, buffer.next_line)

    def test_the_longest_line_when_its_lf_comes_late(self) -> None:
        """A line of just the limit is a line even if the network parts its CR from its LF."""
        buffer = LineBuffer(4)
        buffer.feed(b"abcd\r")
        self.assertIsNone(buffer.next_line())
        buffer.feed(b"\n")
        self.assertEqual(b"abcd\r", buffer.next_line())

    def test_full(self) -> None:
        """It is full as soon as it holds more than the longest line with its CRLF could need before the LF."""
        buffer = LineBuffer(4)
        buffer.feed(b"abcd\r")
        self.assertFalse(buffer.is_full)
        buffer.feed(b"\n")
        self.assertTrue(buffer.is_full)
        buffer.next_line()
        self.assertFalse(buffer.is_full)

    def test_clear(self) -> None:
        """After a line without end it can start afresh, with nothing left of it."""
        buffer = LineBuffer(4)
        buffer.feed(b"abc")
        buffer.next_line()
        buffer.feed(b"defgh")
        self.assertRaises(Malformed, buffer.next_line)
        buffer.clear()
        self.assertEqual(0, len(buffer))
        buffer.feed(b" df\n")
        self.assertEqual(b"df", buffer.next_line())

    def test_after_the_last_line(self) -> None:
        """After the last line nothing of it is left to mislead the next search."""
        buffer = LineBuffer(8)
        buffer.feed(b"abcdef")
        buffer.next_line()
        self.assertEqual(b"abcdef", buffer.last_line())
        buffer.feed(b" g\nh\n")
        self.assertEqual([b"g", b"h"], [buffer.next_line(), buffer.next_line()])

    @given(_STREAMS)
    @LAW
    def test_by_the_book(self, data: bytes) -> None:
        """The lines of a stream are what is between its ends, up to the first that is too long."""
        self.assertEqual(_expected_lines(data), _lines_of([data]))

    @given(_STREAMS, st.data())
    @LAW
    def test_any_chunking(self, data: bytes, draw: st.DataObject) -> None:
        """However a stream is cut into chunks, its lines, and its Malformed, are the same."""
        cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)))))
        chunks = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        self.assertEqual(_lines_of([data]), _lines_of(chunks))

    @given(_STREAMS)
    @LAW
    def test_byte_by_byte(self, data: bytes) -> None:
        """A stream that comes byte by byte has the same lines as one that comes at once."""
        self.assertEqual(_expected_lines(data), _lines_of(re.findall(rb"(?s).", data)))
