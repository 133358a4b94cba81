"""From TOML to values, with all mistakes at once."""

import unittest
from typing import Annotated

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Meta, Struct, field

from cmdserver.config.decoding import Mistake, Mistakes, TomlReader, dotted
from cmdserver.config.schema.settings import Settings
from tests.doubles import LAW

_DOCUMENT = """\
state_dir = "/var/lib/x"

[[listen]]
protocol = "line"
endpoint = ["tcp:1", "tcp:2"]
login = "never"

[commands.df]
run = ["df", "-h"]
timeout_seconds = 1.5
environment = { A = "1" }

[roles.anonymous]
commands = ["df"]

[limits]
running = 8
unauthenticated = "1:2:3"
"""


#: What is put into it.
_DAMAGE = [
    "",
    "[",
    "]",
    "[[",
    "]]",
    "{}",
    '"',
    '"""',
    "'",
    "=",
    "#",
    ".",
    ",",
    "\n",
    "\0",
    "\u2028",
    "-1",
    "true",
    "nan",
]
_DAMAGE += ["inf", "2020-01-01", "1e400", "listen", "commands", "run", "x"]


class Inner(Struct, frozen=True, kw_only=True):
    size: Annotated[int, Meta(ge=1, le=9)]
    colour: str = "red"


class Outer(Struct, frozen=True, kw_only=True):
    one: Inner = field(default_factory=lambda: Inner(size=1))
    many: list[Inner | None] = field(default_factory=list)
    named: dict[str, Inner | None] = field(default_factory=dict)
    words: str | list[str] | None = None


def _read(text: str) -> tuple[Outer | None, list[str]]:
    reader = TomlReader(text)
    return reader.read(Outer), [str(mistake) for mistake in reader.mistakes]


class ReaderTests(unittest.TestCase):
    def test_nothing(self) -> None:
        """An empty text is all defaults."""
        self.assertEqual((Outer(), []), _read(""))

    def test_values(self) -> None:
        """Tables, arrays of tables, tables by name and plain values become what they stand for."""
        text = "words = ['a']\n[one]\nsize = 2\n[[many]]\nsize = 3\ncolour = 'blue'\n[[many]]\nsize = 4\n"
        text += "[named.x]\nsize = 5"
        expected = Outer(
            one=Inner(size=2),
            many=[Inner(size=3, colour="blue"), Inner(size=4)],
            named={"x": Inner(size=5)},
            words=["a"],
        )
        self.assertEqual((expected, []), _read(text))

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake of a file is told, each with its line and place, and what was written."""
        text = """\
wrods = 1
one = 5
[[many]]
size = 10
[[many]]
colour = "x"
[[many]]
size = "1"
sice = 1
[named]
x = []
y.size = true
"""
        expected = [
            "1: wrods: unknown key; did you mean words?",
            "2: one: must be a table, not 5",
            "4: many[0].size: must be at most 9, not 10",
            "5: many[1]: size is missing",
            "9: many[2].sice: unknown key; did you mean size?",
            '8: many[2].size: must be a whole number without quotes, not "1"',
            "11: named.x: must be a table, not a list",
            "12: named.y.size: must be a whole number, not true",
        ]
        outer, mistakes = _read(text)
        self.assertEqual(sorted(expected), sorted(mistakes))
        self.assertEqual(Outer(many=[None] * 3, named={"x": None, "y": None}), outer)

    def test_what_can_be_read_is_read(self) -> None:
        """A key with a mistake has its default, a table that lacks a required one is None in its place."""
        outer, mistakes = _read("words = 3\n[named.x]\nsize = 2\ncolour = 3\n[named.y]\ncolour = 'blue'")
        self.assertEqual(3, len(mistakes))
        self.assertEqual(Outer(named={"x": Inner(size=2), "y": None}), outer)

    def test_wrong_containers(self) -> None:
        """What is no array, or no table, is said to be none."""
        for text in ("many = 3", "many = {}", "named = []", "named = 1", "many = [1]", "many = [[]]", "named.x = 1"):
            with self.subTest(text):
                outer, mistakes = _read(text)
                self.assertEqual(1, len(mistakes))
                assert outer is not None
                self.assertEqual([], [each for each in (*outer.many, *outer.named.values()) if each is not None])

    def test_within_a_value(self) -> None:
        """A mistake within a value names the place in it."""
        self.assertEqual(["1: words: value 2 must be a text in quotes"], _read("words = ['a', 2]")[1])

    def test_long_values_are_cut(self) -> None:
        """Of a value that is wrong only its beginning is told."""
        (mistake,) = _read(f"[one]\nsize = '{'x' * 1000}'")[1]
        self.assertEqual(f'2: one.size: must be a whole number, not "{"x" * 59}...', mistake)

    def test_what_cannot_be_seen(self) -> None:
        """An invisible character where the text stops making sense is named; one in a name is shown."""
        for text, expected in {
            "words = 'x'\n\u200bone = 1": (
                "2: words: not TOML: Invalid statement (column 1),"
                " where a character is that cannot be seen: U+200B ZERO WIDTH SPACE"
            ),
            "words =\u00a0'x'": (
                "1: words: not TOML: Invalid value (column 8),"
                " where a character is that cannot be seen: U+00A0 NO-BREAK SPACE"
            ),
            "'wor\u200bds' = 'x'": '1: "wor\\u200bds": unknown key; did you mean words?',
            "words = \n": "1: words: not TOML: Invalid value (column 9)",
        }.items():
            with self.subTest(expected):
                self.assertEqual([expected], _read(text)[1])

    def test_what_the_parser_says(self) -> None:
        """Its words are put into ours: keys as TOML has them, and what to do about a path of Windows."""
        for text, expected in {
            "[one]\n[one]": "2: one: is there twice, first in line 1",
            "[named.'a b']\n[named.'a b']": '2: named."a b": is there twice, first in line 1',
            'words = "C:\\Tools"': (
                "1: words: not TOML: a \\ in a string that means nothing;"
                " write two, or the string in single quotes (column 14)"
            ),
            'words = """': ("1: words: not TOML: a string without a quote at its end (seen at the end of the file)"),
        }.items():
            with self.subTest(expected):
                self.assertEqual([expected], _read(text)[1])

    def test_warnings(self) -> None:
        """They have their places, as mistakes have, and are none."""
        reader = TomlReader("words = 'x'\n[one]\nsize = 1")
        reader.warn(("one", "size"), "is\u200b small")
        self.assertEqual(["3: one.size: is\\u200b small"], [str(each) for each in reader.warnings])
        self.assertEqual([], reader.mistakes)

    def test_not_toml(self) -> None:
        """A text that is no TOML has this one mistake, with its line."""
        outer, (mistake,) = _read("a = 1\nb = = 2")
        self.assertIsNone(outer)
        self.assertEqual("2: b: not TOML: Invalid value (column 5)", mistake)

    def test_numbers_too_long_for_python(self) -> None:
        """A number of thousands of digits is a mistake, not a crash (Python refuses to convert such)."""
        for number in ("1" * 5000, "0x" + "f" * 5000):
            with self.subTest(number[:5]):
                self.assertEqual(1, len(_read(f"[one]\nsize = {number}")[1]))

    def test_nesting_too_deep_for_python(self) -> None:
        """Arrays or tables nested by the thousand are a mistake, not a crash."""
        for text in ("words = " + "[" * 5000 + "]" * 5000, "words = " + "{a=" * 5000 + "1" + "}" * 5000):
            with self.subTest(text[:12]):
                self.assertEqual(1, len(_read(text)[1]))

    def test_text_that_looks_like_a_table(self) -> None:
        """A mistake after a string that looks like a table is told all the same."""
        text = 'words = """\n[a = {} #]\n"""\n[one]\nsize = 10'
        self.assertEqual(["5: one.size: must be at most 9, not 10"], _read(text)[1])

    @given(st.text())
    @LAW
    def test_any_text(self, text: str) -> None:
        """Any text gives Settings or mistakes, never another exception."""
        self._read_settings(text)

    @given(
        st.lists(
            st.tuples(
                st.integers(0, len(_DOCUMENT)),
                st.integers(0, 12),
                st.sampled_from(_DAMAGE),
            ),
            max_size=6,
        )
    )
    @example([(0, 0, "[[listen]]\n"), (0, 0, "listen = {}\n")])
    @LAW
    def test_any_damage(self, damage: list[tuple[int, int, str]]) -> None:
        """A good file, damaged anyhow, gives Settings or mistakes, never another exception."""
        text = _DOCUMENT
        for start, length, put in damage:
            text = text[:start] + put + text[start + length :]
        self._read_settings(text)

    def test_the_undamaged(self) -> None:
        """The file that is damaged above is a good one."""
        reader = TomlReader(_DOCUMENT)
        self.assertIsInstance(reader.read(Settings), Settings)
        self.assertEqual([], reader.mistakes)

    def _read_settings(self, text: str) -> None:
        reader = TomlReader(text)
        settings = reader.read(Settings)
        if settings is None:
            self.assertTrue(reader.mistakes)
        for mistake in reader.mistakes:
            self.assertTrue(mistake.text)
            self.assertTrue(mistake.line is None or 1 <= mistake.line <= text.count("\n") + 1)


class MistakeTests(unittest.TestCase):
    def test_spelling(self) -> None:
        """A mistake is said as compilers do, with as much of its place as is known."""
        self.assertEqual("3: listen[0].tls: no", str(Mistake(("listen", 0, "tls"), "no", 3)))
        self.assertEqual("limits: no", str(Mistake(("limits",), "no")))
        self.assertEqual("no", str(Mistake((), "no")))

    def test_all(self) -> None:
        """Mistakes together are a line each."""
        mistakes = [Mistake(("a",), "x", 1), Mistake(("b",), "y")]
        self.assertEqual("1: a: x\nb: y", str(Mistakes(mistakes)))
        self.assertEqual(mistakes, Mistakes(mistakes).mistakes)


class DottedTests(unittest.TestCase):
    def test_spelling(self) -> None:
        """Keys have dots between them, indices brackets."""
        self.assertEqual("listen[0].endpoint[1]", dotted(("listen", 0, "endpoint", 1)))
        self.assertEqual("", dotted(()))

    def test_keys_that_need_quotes(self) -> None:
        """A key that TOML takes in quotes only is quoted, so that it can be found, and makes no line of its own."""
        self.assertEqual('commands."a.b".run', dotted(("commands", "a.b", "run")))
        self.assertEqual(1, len(str(Mistake(("a\nb",), "unknown key")).splitlines()))
