"""Tests of what ``help`` says."""

import json
import unittest

from cmdserver.frontends.common.help_text import (
    TerminalView,
    command_text,
    example,
    help_json,
    list_text,
    usage,
    word_text,
)
from cmdserver.frontends.common.text_width import width_of
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.text_types import Choice, Flag, Secret
from tests.checks.doubles import PLUGIN
from tests.doubles import a_command, with_parameters
from tests.parameters.doubles import a_parameter

UNIT = a_parameter(
    "unit", label="Unit", type_=Choice(choices={"nginx": "The web server", "db": "db"}), help="Which service"
)
LINES = a_parameter("lines", Integer(minimum=1, maximum=500), is_required=False, default=("50",))
NAMES = a_parameter("names", is_required=False, repeat=3, example="a b")
UTC = a_parameter("utc", Flag(gives=("-u",)), is_required=False)
KEY = a_parameter("key", Secret(), is_required=False, default=("hunter2",))


WORDS = """\
Words (help WORD says more):
  help  explain  runs  start  attach  stop  whoami  who  session  json  quit
"""


class ListTests(unittest.TestCase):
    def test_text(self) -> None:
        """Commands stand in a table with their help; the words take one line."""
        commands = [a_command(name="df", help="How full"), a_command(name="a-rather-long-name", help="")]

        self.assertEqual(
            f"Commands:\n  df                  How full\n  a-rather-long-name\n{WORDS}", list_text(commands).decode()
        )

    def test_what_changes_something(self) -> None:
        """It is marked, in a column of its own."""
        commands = [
            a_command(name="df", help="How full"),
            a_command(name="restart", title="Restart", help="now", read_only=False, section="Shop"),
            a_command(name="halt", help="", read_only=False, section="Shop"),
        ]

        self.assertEqual(
            list_text(commands).decode().removesuffix(WORDS),
            """\
Commands:
  df                How full
Shop:
  restart  changes  Restart: now
  halt     changes
""",
        )

    def test_the_width_of_a_terminal(self) -> None:
        """No row exceeds it, but words are not lost."""
        for columns in range(10, 100):
            terminal = TerminalView(columns, (("clear", "clears"),))
            commands = [a_command(help="日" * 60), a_command(name="restart", read_only=False)]
            rows = list_text(commands, terminal).decode().splitlines()
            self.assertLessEqual(max(sum(map(width_of, row)) for row in rows), columns)
            self.assertLessEqual({"explain", "attach", "clear"}, set(" ".join(rows).split()), columns)
        self.assertIn("日" * 60, list_text(commands, TerminalView(0)).decode())

    def test_sections(self) -> None:
        """They come in the order in which they are begun, what has none before them; titles stand before the help."""
        commands = [
            a_command(name="b", section="Services", title="Restart", help="at once"),
            a_command(name="c", section="Logs", title="Journal", help=""),
            a_command(name="d", help="H"),
            a_command(name="e", section="Services", help=""),
        ]
        lines = [line.split() for line in list_text(commands).decode().removesuffix(WORDS).splitlines()]

        self.assertEqual(
            lines,
            [
                *(["Commands:"], ["d", "H"]),
                *(["Services:"], ["b", "Restart:", "at", "once"], ["e"]),
                *(["Logs:"], ["c", "Journal"]),
            ],
        )

    def test_text_without_commands(self) -> None:
        """Who may run nothing is told so."""
        self.assertEqual(f"Commands:\n  (none)\n{WORDS}", list_text([]).decode())

    def test_help_of_several_lines(self) -> None:
        """A help text cannot forge another line of the table."""
        self.assertIn(b"  df  a^Jb\n", list_text([a_command(help="a\nb")]))
        self.assertIn(b"a^Jb:\n", list_text([a_command(section="a\nb")]))


class WordTests(unittest.TestCase):
    def test_each(self) -> None:
        """Each word that is listed is explained, in the spelling that is typed."""
        for word in WORDS.splitlines()[1].split():
            self.assertRegex(word_text(word) or b"", rf"\Ausage: {word}( [A-Z\[][^\n]*)?\n\n[A-Z][^\n]*\n\Z".encode())

    def test_what_is_none(self) -> None:
        """Everything else is a command, perhaps; words of a prompt are explained there."""
        self.assertIsNone(word_text("clear"))
        self.assertEqual(word_text("clear", TerminalView(0, (("clear", "does"),))), b"usage: clear\n\nDoes\n")


class CommandTests(unittest.TestCase):
    def test_without_parameters(self) -> None:
        """There is little to say."""
        self.assertEqual(command_text(a_command(help="How full")), b"usage: df\n\nHow full\n")

    def test_checks(self) -> None:
        """It is said, whatever else is."""
        for help_, line in (("How full", "How full (check)"), ("", "(check)")):
            told = command_text(a_command(check=PLUGIN, help=help_)).decode()
            self.assertEqual(told, f"usage: df\n\n{line}\n")
        self.assertNotIn("(check)", command_text(a_command()).decode())
        (listed,) = json.loads(help_json([a_command(check=PLUGIN)]))["commands"]
        self.assertIs(listed["check"], True)

    def test_with_parameters(self) -> None:
        """Usage, what it does, each parameter with what it accepts, an example."""
        command = a_command(name="journal", help="The log", **with_parameters(UNIT, LINES, NAMES, UTC))

        self.assertEqual(
            command_text(command).decode(),
            """\
usage: journal UNIT [LINES] [NAMES...] [UTC]  (or NAME=VALUE, in any order)

The log

  unit   Which service. One of nginx, db
  lines  A whole number from 1 to 500 (default: 50)
  names  A line of 1 to 256 characters, up to 3 values (optional)
  utc    True or false (optional)

example: journal unit=nginx lines=50 'names=a b'
""",
        )

    def test_secrets(self) -> None:
        """Nobody is told the default of one, nor shown how it is given."""
        command = a_command(**with_parameters(UNIT, KEY))

        self.assertNotIn(b"hunter2", command_text(command) + help_json([command]))
        self.assertIn(b"(default: ***)", command_text(command))
        self.assertEqual(list(example(command)), ["df", "unit=nginx"])

    def test_no_example(self) -> None:
        """Where no value is known for what is required there is none."""
        self.assertEqual(example(a_command(**with_parameters(a_parameter("x"), UNIT))), ())

    def test_usage_of_what_takes_nothing(self) -> None:
        """It is the name."""
        self.assertEqual(usage(a_command()), "df")


class JSONTests(unittest.TestCase):
    def test_what_programs_get(self) -> None:
        """The same keys of each command, whether it has a title, a section, a parser and parameters, or not."""
        self.assertEqual(
            b'{"commands": [{"name": "df", "title": "df", "section": null, "help": "\\u00e9", "read_only": true,'
            b' "parser": null, "check": false, "parameters": []}]}\n',
            help_json(iter([a_command(help="\u00e9")])),
        )
        (record,) = json.loads(help_json([a_command(title="T", section="S", parser="df")]))["commands"]
        self.assertEqual((record["title"], record["section"], record["parser"]), ("T", "S", "df"))

    def test_addresses(self) -> None:
        """Where commands have some."""
        (record,) = json.loads(help_json([a_command()], lambda command: f"/ops/{command.name}"))["commands"]
        self.assertEqual(record["address"], "/ops/df")

    def test_parameters(self) -> None:
        """Each with what it accepts."""
        command = a_command(**with_parameters(UNIT, LINES, UTC))
        unit, lines, utc = json.loads(help_json([command]))["commands"][0]["parameters"]

        self.assertEqual(
            unit,
            {
                "name": "unit",
                "type": "choice",
                "label": "Unit",
                "help": "Which service",
                "accepts": "one of nginx, db",
                "required": True,
                "default": None,
                "example": None,
                "repeat": 1,
                "schema": {
                    "type": "string",
                    "enum": ["nginx", "db"],
                    "description": "Which service. One of nginx, db.",
                },
                "choices": [{"value": "nginx", "label": "The web server"}, {"value": "db", "label": "db"}],
            },
        )
        self.assertEqual((lines["default"], lines["minimum"], lines["maximum"]), (["50"], 1, 500))
        self.assertEqual((utc["type"], utc["required"]), ("flag", False))

    def test_numbers_beyond_a_float(self) -> None:
        """A whole number is told as it is."""
        wide = a_parameter("n", Integer(maximum=10**39))
        (record,) = json.loads(help_json([a_command(**with_parameters(wide))]))["commands"]

        self.assertEqual(record["parameters"][0]["maximum"], 10**39)
