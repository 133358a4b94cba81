"""Tests of what bytes from a terminal mean: any bytes, cut anywhere, give keys and never an exception."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.ssh.terminal.keys import Key, KeyDecoder, Text
from tests.doubles import LAW


def keys(*chunks: bytes) -> list[Key | Text]:
    """Decode chunks as they come; texts that follow one another are joined."""
    decoder = KeyDecoder()
    found: list[Key | Text] = []
    for chunk in chunks:
        for key in decoder.feed(chunk):
            if isinstance(key, Text) and found and isinstance(found[-1], Text):
                found[-1] = Text(found[-1].text + key.text)
            else:
                found.append(key)
    return found


def one_by_one(data: bytes) -> list[bytes]:
    """Cut data into bytes."""
    return [data[index : index + 1] for index in range(len(data))]


class KeyTests(SynchronousTestCase):
    def test_characters(self) -> None:
        """What is no control character is text, whatever it takes in UTF-8."""
        for text in ("df -h", "日本語", "e\u0301", "\u00a0", "🙂\u200d"):
            self.assertEqual(keys(text.encode()), [Text(text)])
            self.assertEqual(keys(*one_by_one(text.encode())), [Text(text)])

    def test_bytes_that_are_no_characters(self) -> None:
        """What is not UTF-8 is shown as such; control characters of Latin-1 are no text."""
        self.assertEqual(keys(b"a\xffb"), [Text("a\ufffdb")])
        self.assertEqual(keys("\x9b31m".encode()), [Key.UNKNOWN, Text("31m")])

    def test_control_characters(self) -> None:
        """They are the keys that they are in every shell."""
        pressed = keys(b"\x01\x02\x03\x04\x05\x06\x08\x09\x0b\x0c\x0e\x10\x15\x17\x19\x7f\x00\x1a")

        self.assertEqual(
            pressed,
            [
                Key.HOME,
                Key.LEFT,
                Key.INTERRUPT,
                Key.END_OF_INPUT,
                Key.END,
                Key.RIGHT,
                Key.BACKSPACE,
                Key.TAB,
                Key.KILL_TO_END,
                Key.CLEAR_SCREEN,
                Key.DOWN,
                Key.UP,
                Key.KILL_TO_START,
                Key.KILL_WORD_LEFT,
                Key.YANK,
                Key.BACKSPACE,
                Key.UNKNOWN,
                Key.UNKNOWN,
            ],
        )

    def test_line_ends(self) -> None:
        """CR, LF and CRLF are each one Enter, however they are cut."""
        for end in (b"\r", b"\n", b"\r\n"):
            self.assertEqual(keys(b"a" + end + b"b"), [Text("a"), Key.ENTER, Text("b")])
            self.assertEqual(keys(*one_by_one(b"a" + end)), [Text("a"), Key.ENTER])
        self.assertEqual(keys(b"\n\n\r\r"), [Key.ENTER] * 4)

    def test_cursor_keys(self) -> None:
        """Arrows, Home, End and Delete, in all spellings that terminals have."""
        spelled = {
            Key.UP: ["[A", "OA"],
            Key.DOWN: ["[B", "OB"],
            Key.RIGHT: ["[C", "OC"],
            Key.LEFT: ["[D", "OD"],
            Key.HOME: ["[H", "OH", "[1~", "[7~"],
            Key.END: ["[F", "OF", "[4~", "[8~"],
            Key.DELETE: ["[3~"],
            Key.WORD_LEFT: ["[1;5D", "b"],
            Key.WORD_RIGHT: ["[1;5C", "f"],
            Key.KILL_WORD_RIGHT: ["d"],
            Key.KILL_WORD_LEFT: ["\x7f"],
            Key.UNKNOWN: ["[15~", "z"],
        }
        for key, spellings in spelled.items():
            for spelling in spellings:
                data = f"\x1b{spelling}".encode()
                self.assertEqual(keys(*one_by_one(data)), [key], spelling)

    def test_escape_is_no_trap(self) -> None:
        """Whoever has pressed Esc by mistake can still interrupt, and enter."""
        self.assertEqual(keys(b"\x1b\x03"), [Key.INTERRUPT])
        self.assertEqual(keys(b"\x1b[\r"), [Key.ENTER])
        self.assertEqual(keys(b"\x1b]what\x03df"), [Key.INTERRUPT, Text("df")])
        self.assertEqual(keys(b"\x1b\x1b[A"), [Key.UP])

    def test_answers_of_terminals_are_not_typed(self) -> None:
        """What a terminal reports when something has asked it is no text."""
        for report in (b"\x1b]11;rgb:0000/0000/0000\x07", b"\x1b]11;rgb:0/0/0\x1b\\", b"\x1bP>|xterm\x1b\\"):
            self.assertEqual(keys(*one_by_one(report)), [], report)
        self.assertEqual(keys(b"\x1b[24;80R"), [Key.UNKNOWN])

    def test_what_is_pasted_is_not_pressed(self) -> None:
        """Within a bracketed paste there are no keys: line ends are blanks, and nothing is interrupted."""
        pasted = keys(b"\x1b[200~one\r\ntwo\tthree\x03\x1b[A\x1b[201~\r")

        self.assertEqual(pasted, [Text("one two three"), Key.ENTER])

    def test_endless_sequences_end(self) -> None:
        """No sequence swallows what is typed for ever."""
        self.assertEqual(keys(b"\x1b[" + b"1" * 62 + b"df"), [Key.UNKNOWN, Text("df")])
        self.assertEqual(keys(b"\x1b]" + b"x" * 4094, b"df"), [Text("df")])

    @given(st.lists(st.binary()))
    @LAW
    def test_any_bytes(self, chunks: list[bytes]) -> None:
        """Any bytes give keys; how they are cut makes no difference; no text has a control character in it."""
        whole = keys(b"".join(chunks))

        self.assertEqual(whole, keys(*chunks))
        for key in whole:
            if isinstance(key, Text):
                self.assertFalse([each for each in key.text if each < " " or "\x7f" <= each <= "\x9f"])
