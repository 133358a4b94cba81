"""Mistakes of types, as whoever writes the file reads them."""

import enum
import unittest
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from cmdserver.config import wording
from cmdserver.config.decoding import TomlReader


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(Struct, kw_only=True):
    depth: int = 0


class Outer(Struct, kw_only=True):
    number: Annotated[int, Meta(ge=1, le=9)] = 1
    seconds: Annotated[float, Meta(gt=0)] = 1.0
    line_bytes: int = 1
    word: Annotated[str, Meta(min_length=1, max_length=5)] = "x"
    flag: bool = False
    words: Annotated[list[str], Meta(min_length=1)] = field(default_factory=lambda: ["x"])
    numbers: Annotated[list[int], Meta(max_length=2)] = field(default_factory=list)
    mixed: list[str | list[str]] = field(default_factory=list)
    place: Annotated[str, Meta(examples=["/x"])] | list[str] = "x"
    colour: Colour | None = None
    version: Literal["1.2", "1.3"] = "1.2"
    environment: dict[str, str] = field(default_factory=dict)
    only: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)
    listen: list[Inner | None] = field(default_factory=list)
    commands: dict[str, Inner | None] = field(default_factory=dict)


class WordingTests(unittest.TestCase):
    maxDiff = None

    def assert_said(self, cases: dict[str, str]) -> None:
        """Fail unless each line has one mistake, said like this."""
        for line, expected in cases.items():
            with self.subTest(line):
                reader = TomlReader(line)
                reader.homes = lambda: wording.homes_of(Outer)
                reader.read(Outer)
                self.assertEqual([f"1: {expected}"], [str(each) for each in reader.mistakes])

    def test_types(self) -> None:
        """What it must be, how that is written, and what is there."""
        self.assert_said(
            {
                'number = "x"': 'number: must be a whole number, not "x"',
                'number = "3"': 'number: must be a whole number without quotes, not "3"',
                "number = true": "number: must be a whole number, not true",
                "number = 1.5": "number: must be a whole number, not 1.5",
                'seconds = "30s"': 'seconds: must be a number of seconds, not "30s"',
                'seconds = "-1.5"': 'seconds: must be a number of seconds without quotes, not "-1.5"',
                'line_bytes = "64k"': 'line_bytes: must be a whole number of bytes, not "64k"',
                "seconds = 1979-05-27": "seconds: must be a number, not a date or a time",
                "word = 3": "word: must be a text in quotes, not 3",
                f"word = 0x{'f' * 5000}": "word: must be a text in quotes, not a number of so many digits",
                "word = [1]": "word: must be a text in quotes, not a list",
                'flag = "true"': 'flag: must be true or false without quotes, not "true"',
                "flag = 1": "flag: must be true or false, not 1",
                "inner = 3": "inner: must be a table, not 3",
                f"word = {'1' * 1000}": f"word: must be a text in quotes, not {'1' * 60}...",
            }
        )

    def test_lists(self) -> None:
        """A list is shown with what is there; in a list the one that is wrong is counted, and not shown."""
        self.assert_said(
            {
                'words = "df -h"': 'words: must be a list, as in ["df", "-h"], not "df -h"',
                'words = "it\'s"': 'words: must be a list, as in ["it\'s"], not "it\'s"',
                "numbers = 3": "numbers: must be a list, as in [3], not 3",
                "words = 2020-01-01": "words: must be a list, not a date or a time",
                "words = []": "words: must not be empty",
                "numbers = [1, 2, 3]": "numbers: must have at most 2 values",
                "words = ['a', 2]": "words: value 2 must be a text in quotes",
                "mixed = ['a', ['b', 3]]": "mixed: value 2 must be a text in quotes",
                "mixed = [3]": "mixed: value 1 must be a text in quotes or a list",
                "place = 2022": 'place: must be a text in quotes or a list, as in "/x", not 2022',
                f'words = "{"x" * 70}"': f'words: must be a list, not "{"x" * 59}...',
            }
        )

    def test_ranges(self) -> None:
        """The bound that was passed."""
        self.assert_said(
            {
                "number = 0": "number: must be at least 1, not 0",
                "number = 10": "number: must be at most 9, not 10",
                "seconds = 0": "seconds: must be more than 0, not 0",
                'word = ""': "word: must not be empty",
                'word = "123456"': "word: must have at most 5 characters",
            }
        )

    def test_choices(self) -> None:
        """Those that there are."""
        self.assert_said(
            {
                'colour = "blue"': 'colour: must be one of red, green, not "blue"',
                "colour = 1": "colour: must be one of red, green, in quotes, not 1",
                "version = 1.2": "version: must be one of 1.2, 1.3, in quotes, not 1.2",
            }
        )

    def test_tables(self) -> None:
        """One, several, or several by their names, each with brackets of its own; values in them are not shown."""
        self.assert_said(
            {
                "[[inner]]": "inner: must be a table: [inner], once, and not [[inner]]",
                "[listen]": "listen: may be there several times, so it is written [[listen]], and not [listen]",
                "[[commands]]": "commands: has a table for each name: [commands.NAME], and not [[commands]]",
                "commands = 3": 'commands: must be a table, as in { NAME = "value" }, not 3',
                'environment = ["A=1"]': 'environment: must be a table, as in { NAME = "value" }, not a list',
                "environment = { A = 12345 }": "environment.A: must be a text in quotes",
                "only = { a = { b = 3 } }": "only.a.b: must be a list",
                "only = { a = 3 }": 'only.a: must be a table, as in { NAME = "value" }, not 3',
            }
        )

    def test_unknown_keys(self) -> None:
        """What is written like it, else where it belongs."""
        self.assert_said(
            {
                "nummer = 3": "nummer: unknown key; did you mean number?",
                "line = 3": "line: unknown key; did you mean line_bytes?",
            }
        )
        homes = wording.homes_of(Outer)
        self.assertEqual("unknown key", wording.unknown_key("zzz", ["depth"], homes))
        self.assertEqual(
            "unknown key; flag belongs at the top of the file, before all tables",
            wording.unknown_key("flag", ["depth"], homes),
        )
        self.assertEqual(
            "unknown key; commands belongs in a header of its own: [commands.NAME]",
            wording.unknown_key("commands", ["depth"], homes),
        )
        self.assertEqual(
            "unknown key; depth belongs in [inner] or in [[listen]] or in [commands.NAME]",
            wording.unknown_key("depth", ["flag"], homes),
        )

    def test_whatever_msgspec_says(self) -> None:
        """What is not known here is said in its words."""
        matching = Annotated[str, Meta(pattern="^a")]
        with self.assertRaises(msgspec.ValidationError) as raised:
            msgspec.convert("b", matching)

        self.assertEqual(
            "Expected `str` matching regex '^a', not \"b\"", wording.wrong_value(raised.exception, "b", matching)
        )
