"""Lines of mistakes in a TOML text."""

import tomllib
import unittest

from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.config.source_map import Path, lines_of, nearest_line
from tests.doubles import LAW


def line_of(text: str, path: Path) -> int | None:
    """Find the line of a value."""
    return nearest_line(lines_of(text), path)


_TEXT = """\
state_dir = "/x"  # 1
limits.running = 4

[[listen]]
protocol = "line"
  endpoint = "tcp:1"

[[ listen ]] # the second
protocol = "line"

[commands]
[commands.df]
run = [
    "df",
    "-h",
]
[commands."up.time"]
"run" = ["uptime"]
environment.A = "1"
environment = { B = "2" }

[[a.b]]
[a.b.c]
x = 1
[[a.b]]
[[a.b.d]]
y = 1
[[a.b.d]]
y = 2
"""

_KEYS = st.sampled_from(["a", "b", "listen", "x"])
_PATHS = st.lists(_KEYS | st.integers(0, 2), max_size=4).map(tuple)
#: Of these nearly every line that could mislead is made.
_PIECES = st.sampled_from(
    ["[", "[[", "]", "]]", "{", "}", "=", "#", '"', '"""', "'", "\n", "\r\n", "a", "b.c", ".", ",", " ", "1", "\u2028"]
)


class LineOfTests(unittest.TestCase):
    def test_lines(self) -> None:
        """Tables, elements of arrays of tables, and keys in any spelling have the line on which they begin."""
        cases: dict[Path, int] = {
            ("state_dir",): 1,
            ("limits", "running"): 2,
            ("limits",): 2,
            ("listen", 0): 4,
            ("listen", 0, "protocol"): 5,
            ("listen", 0, "endpoint"): 6,
            ("listen", 1): 8,
            ("listen", 1, "protocol"): 9,
            ("commands",): 11,
            ("commands", "df"): 12,
            ("commands", "df", "run"): 13,
            ("commands", "up.time"): 17,
            ("commands", "up.time", "run"): 18,
            ("commands", "up.time", "environment", "A"): 19,
            ("a", "b", 0): 22,
            ("a", "b", 0, "c", "x"): 24,
            ("a", "b", 1): 25,
            ("a", "b", 1, "d", 0, "y"): 27,
            ("a", "b", 1, "d", 1): 28,
            ("a", "b", 1, "d", 1, "y"): 29,
        }
        for path, line in cases.items():
            with self.subTest(path):
                self.assertEqual(line, line_of(_TEXT, path))

    def test_the_nearest(self) -> None:
        """What is not found itself has the line of what is around it."""
        cases: dict[Path, int] = {
            ("listen", 1, "endpoint"): 8,
            ("commands", "df", "run", 1): 13,
            ("commands", "nothing"): 11,
            ("commands", "df", "help", "x"): 12,
            ("a", "b", 1, "d", 1, "z"): 28,
        }
        for path, line in cases.items():
            with self.subTest(path):
                self.assertEqual(line, line_of(_TEXT, path))

    def test_implied_tables(self) -> None:
        """A table that has no header of its own begins with the first that is in it."""
        text = "x = 1\n[a.b.c]\ny = 1\n[a.b]\n[[d.e]]"
        self.assertEqual([2, 2, 5], [line_of(text, ("a",)), line_of(text, ("a", "z")), line_of(text, ("d",))])

    def test_nowhere(self) -> None:
        """What is not in the text, and has nothing around it, has no line."""
        for path in ((), ("roles",), ("roles", "admin", "users"), (0,)):
            with self.subTest(path):
                self.assertIsNone(line_of(_TEXT, path))
        self.assertIsNone(line_of("", ("a",)))

    def test_windows_line_ends(self) -> None:
        """CRLF ends a line once."""
        self.assertEqual(3, line_of("a = 1\r\n\r\nb = 2\r\n", ("b",)))

    def test_lines_are_those_of_toml(self) -> None:
        """Only LF and CRLF end a line, as in TOML and in editors; NEL and the separators in a comment do not."""
        for character in "\x85\u2028\u2029":
            with self.subTest(character):
                text = f"# a{character}b\nkey = 1"
                tomllib.loads(text)
                self.assertEqual(2, line_of(text, ("key",)))

    def test_multi_line_strings_raise_nothing(self) -> None:
        """Text in a string that looks like a table may mislead, but not break anything."""
        for looks_like in ("[a = {} #]", "[a = { b = 1, c = 2 } #]", "[a = " + "{a=" * 5000 + "1" + "}" * 5000 + " #]"):
            with self.subTest(looks_like[:20]):
                text = f'help = """\n{looks_like}\n"""\nkey = 1'
                tomllib.loads(text)
                self.assertEqual(4, line_of(text, ("key",)))

    @given(st.text() | st.lists(_PIECES, max_size=30).map("".join), _PATHS)
    @example("= 1", ("a",))
    @example("[]", ("a",))
    @LAW
    def test_any_text(self, text: str, path: Path) -> None:
        """Any text and path give a line of the text or None, never an exception."""
        line = line_of(text, path)
        if line is not None:
            self.assertTrue(1 <= line <= text.count("\n") + 1, line)

    @given(st.lists(st.sampled_from(["[[a]]", "[[b]]", "x = 1", "", "# c"]), max_size=12))
    @LAW
    def test_elements_are_counted(self, lines: list[str]) -> None:
        """The element of an array of tables is where its n-th header is."""
        text = "\n".join(lines)
        headers = [number for number, line in enumerate(lines, start=1) if line == "[[a]]"]
        self.assertEqual(headers, [line_of(text, ("a", index)) for index in range(len(headers))])
