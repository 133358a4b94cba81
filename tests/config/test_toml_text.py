"""What is no TOML, in words for whoever writes the file."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.config.source_map import Path
from cmdserver.config.toml_text import NotTOML, parse
from tests.doubles import LAW


class NotTOMLTests(unittest.TestCase):
    maxDiff = None

    def assert_said(self, text: str, line: int | None, path: Path, expected: str) -> None:
        """Fail unless a text is no TOML, and this is why, and where."""
        with self.subTest(text), self.assertRaises(NotTOML) as raised:
            parse(text)
        self.assertEqual((line, path, expected), (raised.exception.line, raised.exception.path, str(raised.exception)))

    def test_toml(self) -> None:
        """What is TOML is read."""
        self.assertEqual({"a": 1, "b": {"c": "x"}}, parse("a = 1\r\n[b]\r\nc = 'x'\r\n"))

    def test_words_without_quotes(self) -> None:
        """What other formats take for a value: what to write is said."""
        for value, advice in {
            "line": 'a text stands between quotes: "line"',
            "127.0.0.1:22": "",
            "tcp:2022": 'a text stands between quotes: "tcp:2022"',
            "yes": "TOML writes true or false",
            "Off": "TOML writes true or false",
            "True": "TOML writes true",
            "null": "leave the key out where it has no value",
            "\u201cdf\u201d": "\u201c is no quote: TOML takes \" and '",
        }.items():
            if advice:
                self.assert_said(f"[a]\nb = {value}", 2, ("a", "b"), f"not TOML: Invalid value (column 5); {advice}")

    def test_what_goes_on_over_lines(self) -> None:
        """The key is the one whose value has no end, not the one that stands where that is noticed."""
        said = "not TOML: an array without ] at its end, or without a comma between two values (column 1)"
        self.assert_said('[a]\nrun = ["df"\nhelp = "x"', 3, ("a", "run"), said)
        self.assert_said('[a]\nrun = [\n"df"\n\n[b]\nx = 1', 5, ("a", "run"), said)
        # It might be an array in it.
        self.assert_said('[a]\nrun = [\n"df",\n\n[b]\nx = 1', 5, ("a", "run"), said.replace("column 1", "column 2"))
        said = "not TOML: a string without a quote at its end (seen at the end of the file)"
        self.assert_said('x = 1\n[a]\nb = """\n[c]\nd = 1\n', 3, ("a", "b"), said)

    def test_strings(self) -> None:
        """One that does not end on its line."""
        said = "not TOML: a string without a quote at its end; one of several lines stands in three of them (column 12)"
        self.assert_said('[a]\nrun = ["df]\nx = 1', 2, ("a", "run"), said)

    def test_other_formats(self) -> None:
        """Colons, keys without values, and headers that are half there."""
        self.assert_said("[a]\nb: 1", 2, ("a",), "not TOML: a key is followed by = and its value (column 2)")
        self.assert_said("[a]\nb = 1\n[limits\n", 3, ("a", "b"), "not TOML: a table is named as in [limits] (column 8)")
        said = "not TOML: a table of an array is named as in [[listen]] (column 9)"
        self.assert_said("[[listen]\na = 1", 1, ("listen", 0), said)
        self.assert_said(
            "[a]\nb = 1 c = 2",
            2,
            ("a", "b"),
            "not TOML: something behind the value; each key has its own line (column 7)",
        )

    def test_comments_of_others(self) -> None:
        """What begins a comment elsewhere."""
        for text in ("; x", "// x"):
            self.assert_said(
                f"[a]\n{text}\n", 2, ("a",), "not TOML: Invalid statement (column 1); a comment begins with #"
            )

    def test_what_is_there_twice(self) -> None:
        """Both places are named, wherever the parser notices."""
        self.assert_said("[a]\nx = 1\ny = 2\nx = 3\nz = 4", 4, ("a", "x"), "is there twice, first in line 2")
        self.assert_said("[a]\nx = 1\nx = 3", 3, ("a", "x"), "is there twice, first in line 2")
        self.assert_said("[a]\nx = 1\n[b]\n[a]\n", 4, ("a",), "is there twice, first in line 1")

    def test_what_has_no_place(self) -> None:
        """Python's own limits are no place in the text."""
        for text in ("a = " + "[" * 5000, f"a = {'1' * 5000}"):
            with self.assertRaises(NotTOML) as raised:
                parse(text)
            self.assertTrue(str(raised.exception).startswith("not TOML: "))

    def test_a_large_file(self) -> None:
        """The beginning of a statement is looked for in no file that takes long to read."""
        text = f"a = [\n# {'x' * (1 << 18)}\nb = 1"
        with self.assertRaises(NotTOML) as raised:
            parse(text)
        self.assertEqual((3, ("b",)), (raised.exception.line, raised.exception.path))

    @given(st.text(alphabet="ab=[]{}\"'\n\r\\#., 1\u201c"))
    @LAW
    def test_any_text(self, text: str) -> None:
        """It is TOML, or `NotTOML` with a line that there is."""
        try:
            parse(text)
        except NotTOML as error:
            self.assertTrue(error.line is None or 1 <= error.line <= text.count("\n") + text.count("\r") + 1)
