"""Terminal control sequences: shown, never obeyed."""

import re
import tomllib
import unittest

from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.core.escaping import Printable, ends_line, printable_line, toml_string, visible
from tests.doubles import LAW

_OUTPUT = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"\r", b"\n", b"\x1b[2J", b"\xc2", b"\x9b", b"\xe2\x82\xac", b"\xe2", b"\xf0\x9f", b"a", b"\x7f"]),
    max_size=20,
).map(b"".join)

_COLOURFUL = st.lists(
    st.sampled_from(
        [
            b"\x1b",
            b"[",
            b"3",
            b"1;",
            b":",
            b"m",
            b"\x1b[31m",
            b"\x1b[0m",
            b"\r",
            b"\n",
            b"\x9b",
            b"\xc2",
            b">",
            b"1" * 40,
        ]
    )
    | _OUTPUT,
    max_size=20,
).map(b"".join)


def _shown(*chunks: bytes) -> bytes:
    printable = Printable()
    return b"".join([*map(printable.feed, chunks), printable.finish()])


class PrintableTests(unittest.TestCase):
    def test_controls_are_made_visible(self) -> None:
        """Control characters look as ``cat -v`` shows them."""
        cases = {
            b"\x1b[31mred\x1b[0m": b"^[[31mred^[[0m",
            b"\0\a\b\v\f\x0e\x1f": b"^@^G^H^K^L^N^_",
            b"\x7f": b"^?",
            b"a\rb": b"a^Mb",
            b"a\r": b"a^M",
            b"\r\r\n": b"^M\r\n",
            b"\x9b2J": b"M-^[2J",
            b"\x80\x9f": b"M-^@M-^_",
            "\x9b2J\x85".encode(): b"M-^[2JM-^E",
        }
        for output, shown in cases.items():
            with self.subTest(output):
                self.assertEqual(shown, _shown(output))

    def test_everything_else_is_left_alone(self) -> None:
        """Text, tabs, both line ends and bytes of other encodings are as they were."""
        for output in (b"a\tb\nc\r\nd", "\u00e9\u20ac\U0001f600".encode(), b"\xe9t\xe9", b"\xff\xfe", b"\xe2\xa0", b""):
            with self.subTest(output):
                self.assertEqual(output, _shown(output))

    def test_continuation_bytes_are_no_controls(self) -> None:
        """A byte from 0x80 to 0x9f within a character is part of it."""
        output = "\u011b\u0440\u4e00".encode()
        self.assertEqual(output, _shown(output))
        self.assertEqual(output, _shown(*(bytes([byte]) for byte in output)))

    def test_what_may_be_shown_is_not_held_back(self) -> None:
        """Only a CR, or the beginning of a character, waits for what comes next."""
        printable = Printable()
        self.assertEqual(b"ab", printable.feed(b"ab\r"))
        self.assertEqual(b"\r\nc", printable.feed(b"\nc\xe2\x82"))
        self.assertEqual("\u20ac".encode(), printable.feed(b"\xac"))
        self.assertEqual(b"", printable.feed(b"\r"))
        self.assertEqual(b"^Md", printable.feed(b"d"))
        self.assertEqual(b"", printable.finish())

    def test_finish(self) -> None:
        """What was held back comes at the end, once, and then there is room for more output."""
        printable = Printable()
        printable.feed(b"\xe2\r")
        printable.feed(b"\r")
        self.assertEqual(b"^M", printable.finish())
        self.assertEqual(b"", printable.finish())
        printable.feed(b"\xe2")
        self.assertEqual(b"\xe2", printable.finish())
        self.assertEqual(b"\n", printable.feed(b"\n"))

    @given(_OUTPUT)
    @example(b"\xc2\x1b\x9b")
    @example(b"\xe2\r\x80\xa8\r")
    @example(b"\xed\xa0\x9b")
    @LAW
    def test_no_control_gets_through(self, output: bytes) -> None:
        """What is shown has no C0 control but tab, LF and CRLF, no DEL, and no C1 control in either of its forms."""
        text = _shown(output).decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        forbidden = {*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), *range(0xDC80, 0xDCA0)}
        self.assertEqual(set(), forbidden & set(map(ord, text)))

    @given(st.lists(_OUTPUT, max_size=6))
    @LAW
    def test_any_chunking(self, chunks: list[bytes]) -> None:
        """However output is cut into chunks, the same is shown."""
        output = b"".join(chunks)
        self.assertEqual(_shown(output), _shown(*chunks))
        self.assertEqual(_shown(output), _shown(*(bytes([byte]) for byte in output)))

    @given(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])) | st.sampled_from(["\t", "\n", "\r\n"])
        )
    )
    @LAW
    def test_harmless_text_is_left_alone(self, parts: list[str]) -> None:
        """UTF-8 without control characters is shown as it is."""
        output = "".join(parts).encode()
        self.assertEqual(output, _shown(output))

    @given(st.lists(st.integers(0xA0, 0xFF) | st.integers(0x20, 0x7E)).map(bytes))
    @LAW
    def test_harmless_bytes_are_left_alone(self, output: bytes) -> None:
        """Bytes that are no control characters in any encoding are shown as they are."""
        self.assertEqual(output, _shown(output))


class ColourTests(unittest.TestCase):
    """Where sequences that select colours are left alone, and these alone."""

    def shown(self, *chunks: bytes) -> bytes:
        """Show output with its colours."""
        printable = Printable()
        printable.keeps_colours = True
        return b"".join([*map(printable.feed, chunks), printable.finish()])

    def test_colours(self) -> None:
        """They are as they were, whatever their parameters are."""
        for parameters in (b"", b"0", b"1;31", b"38;2;1;2;3;48:2::4:5:6", b"1" * 64):
            output = b"a\x1b[" + parameters + b"mb\x1b[0m\r\n"
            self.assertEqual(output, self.shown(output))

    def test_everything_else_is_made_visible(self) -> None:
        """What is not quite a colour is none."""
        cases = {
            b"\x1b[2J\x1b[H": b"^[[2J^[[H",
            b"\x1b[>4;1m": b"^[[>4;1m",
            b"\x1b[?25m": b"^[[?25m",
            b"\x1b[31 m": b"^[[31 m",
            b"\x1b[3\x1b[0m": b"^[[3\x1b[0m",
            b"\x1b\x1b[0m": b"^[\x1b[0m",
            b"\x1b[" + b"1" * 65 + b"m": b"^[[" + b"1" * 65 + b"m",
            b"\x9b31m": b"M-^[31m",
            "\x9b31m".encode(): b"M-^[31m",
            "\x1b[\u0663m".encode(): "^[[\u0663m".encode(),
            b"\x1b]0;title\a": b"^[]0;title^G",
            b"\x1b[31": b"^[[31",
            b"a\r\x1b[0mb": b"a^M\x1b[0mb",
        }
        for output, shown in cases.items():
            with self.subTest(output):
                self.assertEqual(shown, self.shown(output))

    def test_colours_are_taken_back(self) -> None:
        """At the end, if that was not done already, and once."""
        self.assertEqual(b"\x1b[31mred\x1b[0m", self.shown(b"\x1b[31mred"))
        for reset in (b"\x1b[m", b"\x1b[0m", b"\x1b[00;m"):
            self.assertEqual(b"\x1b[31mred" + reset, self.shown(b"\x1b[31mred" + reset))
        self.assertEqual(b"\x1b[0;31mred\x1b[0m", self.shown(b"\x1b[0;31mred"))
        printable = Printable()
        printable.keeps_colours = True
        printable.feed(b"\x1b[1m")
        self.assertEqual((b"\x1b[0m", b"", b""), (printable.reset(), printable.reset(), printable.finish()))

    def test_a_beginning_is_held_back(self) -> None:
        """What may become a colour waits, as long as it may."""
        printable = Printable()
        printable.keeps_colours = True
        chunks = (b"a\x1b", b"[3", b"1m", b"b\x1b[", b"1" * 64, b"1")
        shown = [printable.feed(chunk) for chunk in chunks]
        self.assertEqual([b"a", b"", b"\x1b[31m", b"b", b"", b"^[[" + b"1" * 65], shown)

    @given(_COLOURFUL, st.booleans())
    @LAW
    def test_nothing_else_gets_through(self, output: bytes, keeps_returns: bool) -> None:
        """What is shown is colours, line ends, tabs and what is no control; and colours end with it."""
        printable = Printable(keeps_returns=keeps_returns)
        printable.keeps_colours = True
        shown = printable.feed(output) + printable.finish()
        text = shown.decode("utf-8", "surrogateescape")
        colours = re.findall("\x1b\\[[0-9;:]*m", text)
        rest = re.sub("\x1b\\[[0-9;:]*m", "", text).replace("\r" if keeps_returns else "\r\n", "\n")
        forbidden = {*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), *range(0xDC80, 0xDCA0)}
        self.assertEqual(set(), forbidden & set(map(ord, rest)))
        self.assertTrue(not colours or not colours[-1][2:-1].strip("0;:"), shown)

    @given(st.lists(_COLOURFUL, max_size=6))
    @LAW
    def test_any_chunking(self, chunks: list[bytes]) -> None:
        """However output is cut into chunks, the same is shown."""
        output = b"".join(chunks)
        self.assertEqual(self.shown(output), self.shown(*chunks))
        self.assertEqual(self.shown(output), self.shown(*(bytes([byte]) for byte in output)))


class ReturnTests(unittest.TestCase):
    """Where a CR begins the line anew."""

    def test_progress(self) -> None:
        """It is shown at once, and everything else as ever."""
        printable = Printable(keeps_returns=True)
        self.assertEqual(b"10%\r", printable.feed(b"10%\r"))
        self.assertEqual(b"20%\r\r\n^[[31m", printable.feed(b"20%\r\r\n\x1b[31m"))
        printable.keeps_colours = True
        self.assertEqual(b"30%\r", printable.feed(b"30%\r"))
        self.assertEqual(b"", printable.finish())


class EndsLineTests(unittest.TestCase):
    def test_colours_do_not_move_the_cursor(self) -> None:
        """It is where it was without them."""
        cases = {
            b"a\n": True,
            b"a\n\x1b[0m": True,
            b"a\n\x1b[0m\x1b[31m": True,
            b"a\x1b[0m": False,
            b"a": False,
            b"m": False,
            b"[31m": False,
            b"\n\x1b[31\x1b[m": False,
            b"\n" + b"\x1b[" + b"1" * 64 + b"m": True,
            b"\n" + b"\x1b[" + b"1" * 65 + b"m": False,
            b"\n" + b"\x1b[m" * 16_000: True,
        }
        for data, expected in cases.items():
            self.assertIs(ends_line(data, not expected), expected, data)
        for was_at_start in (True, False):
            self.assertIs(ends_line(b"\x1b[0m", was_at_start), was_at_start)


class PrintableLineTests(unittest.TestCase):
    def test_line_ends_become_visible(self) -> None:
        """What could end a line, for anybody, cannot within a quoted line."""
        cases = {
            "a\nb\r\tc": "a^Jb^M^Ic",
            "\x1b[2J\x7f": "^[[2J^?",
            "\x85\x9b": "M-^EM-^[",
            "a\u2028b\u2029": "a?b?",
            "\udc9b": "M-^[",
            "df \u00e9\u20ac": "df \u00e9\u20ac",
        }
        for text, expected in cases.items():
            with self.subTest(ascii(text)):
                self.assertEqual(expected, printable_line(text))

    @given(st.text())
    @LAW
    def test_one_line_stays_one(self, text: str) -> None:
        """No text has more than one line, or a control character, afterwards."""
        line = printable_line(text)
        self.assertLessEqual(len(line.splitlines()), 1)
        self.assertEqual([], [each for each in line if ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0])

    @given(st.text())
    @LAW
    def test_twice_is_once(self, text: str) -> None:
        """What is printable already is not changed again."""
        self.assertEqual(printable_line(text), printable_line(printable_line(text)))


class VisibleTests(unittest.TestCase):
    def test_what_cannot_be_seen_is_shown(self) -> None:
        """Each kind of character that looks like nothing, like a space, or moves others about is its escape."""
        cases = {
            "upt\u200bime": "upt\\u200bime",
            "\ufeffuptime": "\\ufeffuptime",
            "df\u00a0-h": "df\\xa0-h",
            "\u202eemit\u202c": "\\u202eemit\\u202c",
            "a\tb\n\x1b[2J": "a\\tb\\n\\x1b[2J",
            "\x9b\u2028": "\\x9b\\u2028",
            "d\ufe0ff\u3164": "d\\ufe0ff\\u3164",
            "\u2800\U000e0100": "\\u2800\\U000e0100",
            "\ud800": "\\ud800",
        }
        for text, expected in cases.items():
            with self.subTest(ascii(text)):
                self.assertEqual(expected, visible(text))

    def test_what_can_be_seen_is_left_alone(self) -> None:
        """Words of any language, and spaces between them."""
        for text in ("", "df -h", "l\u00e4uft \u306f\u3044", "e\u0301"):
            with self.subTest(text):
                self.assertEqual(text, visible(text))

    @given(st.text())
    @LAW
    def test_it_is_printable(self, text: str) -> None:
        """Whatever it is given, and a second time changes nothing."""
        self.assertTrue(visible(text).isprintable())
        self.assertEqual(visible(text), visible(visible(text)))


class TomlStringTests(unittest.TestCase):
    @LAW
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
    @example('\x7f"\\\n')
    def test_it_is_read_back(self, text: str) -> None:
        """Whatever a text is, TOML reads it as it was."""
        self.assertEqual(tomllib.loads(f"a = {toml_string(text)}"), {"a": text})
