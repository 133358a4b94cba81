"""Tests of the terminal, looked at as a person does: through another terminal, pyte, which shows what was drawn."""

from collections.abc import Sequence

import pyte
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.ssh.terminal.earlier_lines import MOST_LINES, EarlierLines
from cmdserver.frontends.ssh.terminal.terminal import KEYS_IN_A_ROW, TYPE_AHEAD, Gesture, Terminal
from tests.doubles import LAW

COLUMNS, ROWS = 20, 12
WORDS = ("df", "dmesg", "uptime", "uptime-long")

UP, DOWN, LEFT, RIGHT = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[C"


class Person:
    """Types, and looks at the screen.

    Args:
        columns: The terminal's width.
        line_bytes: The longest line.
        words: What Tab completes to.
        prompt: Where a line is expected.
        is_plain: Whether the terminal is.
    """

    def __init__(
        self,
        columns: int = COLUMNS,
        line_bytes: int = 1000,
        words: Sequence[str] | None = WORDS,
        prompt: str = "> ",
        *,
        is_plain: bool = False,
    ) -> None:
        self._prompt = prompt
        self.asked: list[str] = []
        self.shown = b""
        self._screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.earlier = EarlierLines()
        self.terminal = Terminal(line_bytes, self._complete, self.earlier, is_plain=is_plain)
        self.terminal.resize(columns)
        self.words = words
        self.lines: list[str | Gesture] = []
        self.prompt()

    def _complete(self, before: str) -> Sequence[str] | None:
        self.asked.append(before)
        return self.words

    def prompt(self) -> None:
        """Be asked for a line."""
        self.terminal.ask(self._prompt)
        self.look()

    def types(self, *data: bytes | str) -> "Person":
        """Type, and be asked again after each line."""
        for each in data:
            self.terminal.feed(each.encode() if isinstance(each, str) else each)
            goes_on = True
            while goes_on:
                line = self.terminal.read()
                goes_on = self.terminal.has_keys
                self.look()
                if line is Gesture.COMPLETE:
                    self.words = WORDS
                    self.terminal.complete()
                    self.look()
                elif line is not None:
                    self.lines.append(line)
                    if isinstance(line, str):
                        self.earlier.add(line)
                    self.prompt()
        return self

    def look(self) -> None:
        """Let what is shown appear."""
        shown = self.terminal.show()
        self.shown += shown
        self._stream.feed(shown)

    @property
    def rows(self) -> list[str]:
        """What is on the screen, without what is blank."""
        return [row.rstrip() for row in self._screen.display if row.strip()]

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column."""
        return self._screen.cursor.y, self._screen.cursor.x


class EditingTests(SynchronousTestCase):
    def test_typing(self) -> None:
        """What is typed is shown, and is a line when Enter is pressed."""
        person = Person().types("df -h")

        self.assertEqual((person.rows, person.cursor), (["> df -h"], (0, 7)))
        self.assertEqual(person.types("\r").lines, ["df -h"])
        self.assertEqual(person.rows, ["> df -h", ">"])

    def test_moving(self) -> None:
        """Arrows, Home and End, Ctrl-A and Ctrl-E, and word by word."""
        cases = {
            LEFT + LEFT + b"x": "one txwo",
            LEFT + RIGHT + b"x": "one twox",
            b"\x01x": "xone two",
            b"\x01\x05x": "one twox",
            b"\x1b[Hx\x1b[Fy": "xone twoy",
            b"\x1bbx": "one xtwo",
            b"\x1bb\x1bb\x1bfx": "onex two",
            b"\x01\x1b[1;5C\x1b[1;5Cx": "one twox",
        }
        for typed, line in cases.items():
            self.assertEqual(Person().types("one two", typed, "\r").lines, [line], typed)

    def test_deleting(self) -> None:
        """Backspace, Delete, Ctrl-D, Ctrl-K, Ctrl-U, Ctrl-W, Alt-D."""
        cases = {
            b"\x7f": "one tw",
            b"\x08\x08": "one t",
            b"\x01\x1b[3~": "ne two",
            b"\x01\x04": "ne two",
            b"\x1bb\x0b": "one ",
            b"\x1bb\x15": "two",
            b"\x17": "one ",
            b" \x17\x17": "",
            b"\x01\x1bd": " two",
        }
        for typed, line in cases.items():
            self.assertEqual(Person().types("one two", typed, "\r").lines, [line], typed)

    def test_putting_back(self) -> None:
        """Ctrl-Y puts in what was killed."""
        self.assertEqual(Person().types("one two", b"\x17\x01\x19", "\r").lines, ["twoone "])

    def test_bell(self) -> None:
        """What cannot be done is heard, and nothing else happens."""
        for typed in (b"\x7f", LEFT, RIGHT, b"\x1b[3~", UP, DOWN, b"\x19", b"\x17", b"\x1b[15~", b"\x1bf"):
            person = Person()
            person.shown = b""
            person.types(typed)

            self.assertTrue(person.shown.startswith(b"\a"), typed)
            self.assertEqual(person.rows, [">"])

    def test_wide_characters(self) -> None:
        """A character of two columns is one character, and is gone with one Backspace."""
        person = Person().types("日本語", b"\x7f", LEFT)

        self.assertEqual(person.cursor, (0, 4))
        self.assertEqual(person.types(b"x\r").lines, ["日x本"])

    def test_combining_characters(self) -> None:
        """What is drawn over a character goes with it."""
        self.assertEqual(Person().types("cafe\u0301", b"\x7fx\r").lines, ["cafx"])
        self.assertEqual(Person().types("cafe", "\u0301", LEFT, b"\x7f\r").lines, ["cae\u0301"])

    def test_long_lines(self) -> None:
        """A line may have several rows, and the cursor moves through all of them."""
        person = Person().types("abcdefghijklmnopqrstuvwxyz")

        self.assertEqual((person.rows, person.cursor), (["> abcdefghijklmnopqr", "stuvwxyz"], (1, 8)))
        person.types(LEFT * 10, "X")
        self.assertEqual((person.rows, person.cursor), (["> abcdefghijklmnopXq", "rstuvwxyz"], (0, 19)))
        person.types(b"\x05" + b"\x7f" * 8)
        self.assertEqual((person.rows, person.cursor), (["> abcdefghijklmnopXq", "r"], (1, 1)))

    def test_rows_that_are_just_full(self) -> None:
        """After the last column comes the first of the next row."""
        person = Person().types("a" * 18)

        self.assertEqual(person.cursor, (1, 0))
        self.assertEqual(person.types("b").rows, ["> " + "a" * 18, "b"])
        self.assertEqual(person.types(b"\x7f\x7f").rows, ["> " + "a" * 17])

    def test_a_wide_character_is_not_cut(self) -> None:
        """What has no room in the last column is in the next row, as terminals do it (but pyte does not)."""
        person = Person().types("a" * 17, "日")
        person.shown = b""
        person.types(LEFT)

        up_one_row, to_its_beginning = b"\x1b[1A", b"\r"
        self.assertTrue(person.shown.startswith(up_one_row), person.shown)
        self.assertTrue(person.shown.endswith("日".encode() + to_its_beginning), person.shown)

    def test_entering_from_the_middle(self) -> None:
        """What comes next is below the line, wherever the cursor was in it."""
        person = Person().types("abcdefghijklmnopqrstuvwxyz", b"\x01\r")

        self.assertEqual((person.rows, person.cursor), (["> abcdefghijklmnopqr", "stuvwxyz", ">"], (2, 2)))

    def test_other_widths(self) -> None:
        """A window that was made wider is used; a width that says nothing is 80 columns."""
        for columns in (0, 80):
            person = Person(80)
            person.terminal.resize(columns)
            self.assertEqual(person.types("a" * 70, LEFT, "b").rows, ["> " + "a" * 69 + "ba"])

    def test_clearing_the_screen(self) -> None:
        """Ctrl-L leaves the prompt and the line, at the top."""
        person = Person().types("one\r", "two", LEFT, b"\x0c")

        self.assertEqual((person.rows, person.cursor), (["> two"], (0, 4)))

    def test_too_long(self) -> None:
        """A line is no longer than lines may be; what is too much is not taken, in whole characters."""
        person = Person(line_bytes=10).types("12345678", "日", "9", "0", "x")

        self.assertEqual(person.types("\r").lines, ["1234567890"])
        self.assertIn(b"\a", person.shown)
        self.assertEqual(person.types("1234567890", b"\x7f\x7f\x7f", "日\r").lines[-1], "1234567日")


class HistoryTests(SynchronousTestCase):
    def test_going_back(self) -> None:
        """Up goes back line by line, Down forward, to what was being typed."""
        person = Person().types("one\rtwo\r", "thr")

        self.assertEqual(person.types(UP).rows[-1], "> two")
        self.assertEqual(person.types(UP).rows[-1], "> one")
        self.assertEqual(person.types(UP).rows[-1], "> one")
        self.assertEqual(person.types(DOWN, DOWN).rows[-1], "> thr")

    def test_lines_worth_remembering(self) -> None:
        """Blank lines, lines like the one before, and very long ones are not."""
        person = Person(line_bytes=5000).types("one\r\r  \rone\r", "x" * 600, "\r")

        self.assertEqual(person.types(UP).rows[-1], "> one")
        self.assertEqual(person.types(UP).rows[-1], "> one")

    def test_an_old_line_can_be_edited(self) -> None:
        """What is made of it is another line; the old one stays as it was."""
        self.assertEqual(Person().types("df\r", UP, "x\r", UP, UP, "\r").lines, ["df", "dfx", "df"])

    def test_history_is_bounded(self) -> None:
        """Lines that are too old are forgotten."""
        person = Person().types(*[f"{number}\r" for number in range(MOST_LINES + 50)])

        self.assertEqual(person.types(UP * (MOST_LINES + 100)).rows[-1], "> 50")


class SearchTests(SynchronousTestCase):
    """Ctrl-R, as in readline."""

    def search(self, *typed: bytes | str, columns: int = 60) -> Person:
        """Search in some lines."""
        return Person(columns).types("df /home\r", "uptime\r", "df /srv\r", "x", b"\x12", *typed)

    def test_as_it_is_typed(self) -> None:
        """The newest line that has the text is shown, the cursor where it is."""
        self.assertEqual(self.search().rows[-1], "(reverse-i-search)`': x")
        person = self.search("d", "f ")

        self.assertEqual((person.rows[-1], person.cursor[1]), ("(reverse-i-search)`df ': df /srv", 25))
        person.types("/h")
        self.assertEqual((person.rows[-1], person.cursor[1]), ("(reverse-i-search)`df /h': df /home", 27))

    def test_again(self) -> None:
        """Ctrl-R once more goes on to older lines, and rings where there is none."""
        person = self.search("df", b"\x12")
        self.assertEqual(person.rows[-1], "(reverse-i-search)`df': df /home")
        person.shown = b""
        person.types(b"\x12")
        self.assertEqual(person.rows[-1], "(failed reverse-i-search)`df': df /home")
        self.assertIn(b"\a", person.shown)

    def test_entering(self) -> None:
        """Enter runs what was found."""
        person = self.search("up\r")

        self.assertEqual((person.lines[-1], person.rows[-2:]), ("uptime", ["> uptime", ">"]))

    def test_other_keys(self) -> None:
        """They end the search, and do with what was found what they always do."""
        for key, line in {
            RIGHT: "upZtime",
            b"\x05": "uptimeZ",
            b"\x01": "Zuptime",
            UP: "df /homeZ",
            DOWN: "df /srvZ",
        }.items():
            self.assertEqual(self.search("pt", key, "Z\r").lines[-1], line, key)

    def test_escape(self) -> None:
        """It ends the search; and what it may be the beginning of is still that."""
        self.assertEqual(self.search("pt", b"\x1b").rows[-1], "> uptime")
        self.assertEqual(self.search("pt", b"\x1b", b"[CZ\r").lines[-1], "upZtime")

    def test_giving_up(self) -> None:
        """Ctrl-G brings back what was typed before; Ctrl-C forgets all of it."""
        person = self.search("up", b"\x07")
        self.assertEqual((person.rows[-1], person.cursor[1]), ("> x", 3))
        self.assertEqual(person.types("y\r").lines[-1], "xy")
        person = self.search("up", b"\x03")
        self.assertEqual((person.lines[-1], person.rows[-1]), (Gesture.INTERRUPT, ">"))

    def test_nothing_is_found(self) -> None:
        """What was typed before the search stays."""
        person = self.search("z")
        self.assertEqual(person.rows[-1], "(failed reverse-i-search)`z': x")
        self.assertEqual(person.types("\r").lines[-1], "x")

    def test_rubbing_out(self) -> None:
        """Backspace looks for less again, from the newest line on; where there is nothing to rub out it rings."""
        person = self.search("df /h", b"\x7f")
        self.assertEqual(person.rows[-1], "(reverse-i-search)`df /': df /srv")
        person = self.search("z", b"\x7f")
        self.assertEqual(person.rows[-1], "(reverse-i-search)`': x")
        person.shown = b""
        self.assertIn(b"\a", person.types(b"\x7f").shown)

    def test_the_last_search(self) -> None:
        """Ctrl-R twice looks for the same again."""
        person = self.search("up\r", b"\x12", b"\x12")

        self.assertEqual(person.rows[-1], "(reverse-i-search)`up': uptime")

    def test_much_to_search_for(self) -> None:
        """It is bounded."""
        person = self.search("z" * 256)
        person.shown = b""
        self.assertIn(b"\a", person.types("z").shown)

    def test_narrow_windows(self) -> None:
        """A search over several rows leaves none of them behind."""
        person = self.search("df /h", columns=12)
        self.assertEqual(person.types("\r").rows[-2:], ["> df /home", ">"])

    def test_nothing_to_search_in(self) -> None:
        """Then nothing is found."""
        self.assertEqual(Person(60).types(b"\x12", b"\x12").rows, ["(reverse-i-search)`':"])


class CompletionTests(SynchronousTestCase):
    def test_the_only_word(self) -> None:
        """It is completed, with a blank behind it."""
        self.assertEqual(Person().types("dm\t\r").lines, ["dmesg "])

    def test_as_far_as_it_is_certain(self) -> None:
        """What all words begin with is put in; Tab once more shows what there is."""
        person = Person(40).types("u\t")

        self.assertEqual(person.rows, ["> uptime"])
        person.types("\t")
        self.assertEqual(person.rows, ["> uptime", "uptime       uptime-long", "> uptime"])

    def test_nothing_to_complete(self) -> None:
        """A word that begins none stays as it is."""
        self.assertEqual(Person().types("x\t\t\r").lines, ["x"])

    def test_within_a_line(self) -> None:
        """What is behind the cursor stays there; what is before it is what the words are chosen by."""
        person = Person().types("help d y", LEFT, LEFT, "m\t\r")

        self.assertEqual((person.lines, person.asked), (["help dmesg  y"], ["help dm"]))

    def test_in_columns(self) -> None:
        """Many words are shown in columns, down and then across."""
        person = Person(20, words=["a1", "a2", "a3", "a4", "a5", "a6", "a7"]).types("\t\t")

        self.assertEqual(person.rows, ["> a", "a1  a3  a5  a7", "a2  a4  a6", "> a"])

    def test_behind_an_equals_sign(self) -> None:
        """There comes a value, and no blank."""
        self.assertEqual(Person(words=["unit="]).types("u\tnginx\r").lines, ["unit=nginx"])

    def test_what_is_not_known_yet(self) -> None:
        """It is completed when it is; what was typed ahead waits for that."""
        person = Person(words=None).types("dm\tx\r")

        self.assertEqual((person.lines, person.asked), (["dmesg x"], ["dm", "dm"]))

    def test_another_prompt(self) -> None:
        """Its answer is no line to search for, and the next prompt is the usual one."""
        person = Person().types("df\r")
        person.terminal.ask("[y/N] ", is_question=True)
        person.look()
        self.assertEqual(person.rows[-1].strip()[-5:], "[y/N]")
        person.types(b"\x12", "y\r")
        self.assertEqual(person.rows[-1], ">")

        self.assertEqual(person.lines, ["df", "y"])


class PromptTests(SynchronousTestCase):
    def test_a_wide_prompt(self) -> None:
        """A prompt takes the columns that it takes, on as many rows."""
        wide = {"日本> ": (0, 6), "ann@日本日本日本> ": (1, 6), "e\u0301e\u0301> ": (0, 4), "x" * 12: (1, 0)}
        for prompt, place in wide.items():
            person = Person(columns=12, prompt=prompt).types("ab", LEFT, LEFT)
            self.assertEqual(person.cursor, place, prompt)


class PlainTests(SynchronousTestCase):
    """A terminal that shows control sequences as text."""

    def test_editing(self) -> None:
        """The line is drawn anew, with nothing but CR and BS."""
        person = Person(60, is_plain=True).types("fxils", LEFT * 3, b"\x7f", "a")
        self.assertEqual((person.rows, person.cursor), (["> fails"], (0, 4)))
        person.types(b"\x15", "日本", LEFT)
        self.assertEqual(person.cursor, (0, 4))
        person.types("\r", UP, b"\x01", "x")
        self.assertEqual((person.lines, person.cursor), (["日本ils"], (1, 3)))

    def test_no_sequence_is_sent(self) -> None:
        """Whatever is typed."""
        person = Person(20, is_plain=True).types(
            "one\r", "d\t\t", b"\x0c", b"\x12", "n", b"\x07", "x" * 40, LEFT * 5, "y\r", b"\x03"
        )
        self.assertNotIn(b"\x1b", person.shown)

    def test_searching(self) -> None:
        """The prompt of the search gives way to the usual one."""
        person = Person(60, is_plain=True).types("uptime\r", b"\x12", "pt", b"\x05")
        self.assertEqual((person.rows[-1], person.cursor), ("> uptime", (1, 8)))


class GestureTests(SynchronousTestCase):
    def test_interrupt(self) -> None:
        """Ctrl-C forgets what was typed."""
        person = Person().types("reboot", LEFT, b"\x03", "df\r")

        self.assertEqual(person.lines, [Gesture.INTERRUPT, "df"])
        self.assertEqual(person.rows, ["> reboot^C", "> df", ">"])

    def test_leaving(self) -> None:
        """Ctrl-D leaves where nothing is typed."""
        self.assertEqual(Person().types(b"\x04").lines, [Gesture.LEAVE])

    def test_interrupting_what_was_typed_ahead(self) -> None:
        """Ctrl-C takes what was typed before it along, and nothing that comes after it."""
        terminal = Terminal(100, lambda _: (), EarlierLines())
        terminal.feed(b"df\ruptime\r\x03who\r")

        self.assertTrue(terminal.take_interrupt())
        self.assertFalse(terminal.take_interrupt())
        self.assertEqual(terminal.read(), "who")

    def test_much_typed_ahead(self) -> None:
        """What is typed ahead is counted, whatever keys it is."""
        terminal = Terminal(100, lambda _: (), EarlierLines())
        terminal.feed(b"x" * (TYPE_AHEAD - 2) + b"\r")
        self.assertFalse(terminal.is_full)
        terminal.feed(b"x")
        self.assertTrue(terminal.is_full)

        self.assertIsNotNone(terminal.read())
        self.assertFalse(terminal.is_full)

    def test_keys_are_taken_in_turns(self) -> None:
        """A flood of keys is looked at a few at a time."""
        terminal = Terminal(100, lambda _: (), EarlierLines())
        terminal.feed(b"\x7f" * (KEYS_IN_A_ROW + 1))

        self.assertIsNone(terminal.read())
        self.assertTrue(terminal.has_keys)
        terminal.read()
        self.assertFalse(terminal.has_keys)


#: Keys and texts that tests of laws press in any order.
PRESSED = st.lists(
    st.one_of(
        st.sampled_from(
            [UP, DOWN, LEFT, RIGHT, b"\x01", b"\x05", b"\x7f", b"\x0b", b"\x15", b"\x17", b"\x19", b"\x04x", b"\t"]
        ),
        st.text("ab 日é-", max_size=30).map(str.encode),
        st.just(b"\r"),
    ),
    max_size=30,
)


class LawTests(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=50)), st.integers(0, 30))
    @LAW
    def test_any_bytes(self, chunks: list[bytes], columns: int) -> None:
        """Any bytes at any width give bytes, and lines without a control character that are not too long."""
        person = Person(max(columns, 2), line_bytes=40)
        person.terminal.resize(columns)
        person.types(*chunks)

        for line in person.lines:
            if isinstance(line, str):
                self.assertLessEqual(len(line.encode()), 40)
                self.assertTrue(all(each >= " " for each in line))

    @given(PRESSED, st.integers(4, 30))
    @LAW
    def test_what_is_shown_is_what_there_is(self, pressed: list[bytes], columns: int) -> None:
        """Whatever was pressed, the rows below the last prompt are those of the line that is edited."""
        person = Person(columns, line_bytes=60)
        person.types(*pressed)
        shown = person.rows
        person.types(b"\x0c")

        edited = person.rows
        self.assertEqual(shown[-len(edited) :], edited)
