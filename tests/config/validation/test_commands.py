"""The allow-list of a configuration: what commands say besides their programs."""

import unittest

from cmdserver.config.validation.commands import parse_rate
from cmdserver.core.model import Rate
from tests.config.validation.doubles import ParametersTestCase

_OPEN = "is no regular expression: missing ), unterminated subpattern at position 0"

_CHOICE = '[[commands.x.parameters]]\nname = "a"\ntype = "choice"\nchoices_from = "list"\n'
_X = f'[commands.x]\nrun = ["df", "{{a}}"]\n{_CHOICE}'


class SourceTests(ParametersTestCase):
    """``choices_from``."""

    def assert_no_source(self, why: str, source: str) -> None:
        """Fail unless `list` cannot print the choices, and this is why."""
        with self.subTest(source):
            self.assert_mistakes([f"6: commands.x.parameters[0].choices_from: {why}"], _X + source)

    def test_good_ones(self) -> None:
        """Read only, and without required parameters; values of choices that are its own, too."""
        for more in (
            "",
            '[[commands.list.parameters]]\nname = "b"\ntype = "string"\ndefault = "x"\n',
            '[[commands.list.parameters]]\nname = "b"\ntype = "flag"\n',
            '[[commands.list.parameters]]\nname = "b"\ntype = "choice"\nchoices_from = "other"\nrequired = false\n',
        ):
            other = '[commands.other]\nrun = ["df"]\nread_only = true\n'
            command = self.command(
                f'{_X}{other}[commands.list]\nrun = ["df", ["{{b}}"]]\nread_only = true\n{more}'.replace(
                    ', ["{b}"]', ', "{b}"' if "flag" in more else ', ["{b}"]' if more else ""
                )
            )
            self.assertEqual("list", command.parameters[0].source)
            self.assertTrue(command.parameters.has_sources)

    def test_there_must_be_one(self) -> None:
        """Of that name; and one whose table cannot be read is there."""
        self.assert_no_source("there is no command list", "")
        self.assert_mistakes(["7: commands.list: run is missing"], f"{_X}[commands.list]\nread_only = true\n")

    def test_it_must_change_nothing(self) -> None:
        """It is run for whoever looks at a form."""
        self.assert_no_source(
            "list is not read_only, and would be run for whoever looks at a form", '[commands.list]\nrun = ["df"]\n'
        )

    def test_nobody_gives_it_values(self) -> None:
        """Neither those that it needs, nor those that are to be listed first."""
        begin = '[commands.list]\nrun = ["df", "{b}"]\nread_only = true\n[[commands.list.parameters]]\nname = "b"\n'
        self.assert_no_source("list has a required parameter, and nobody to give it", f'{begin}type = "string"\n')
        self.assert_no_source(
            "list needs choices from another command itself",
            f'{begin}type = "choice"\nchoices_from = "other"\ndefault = "y"\n'
            '[commands.other]\nrun = ["df"]\nread_only = true\n',
        )

    def test_itself(self) -> None:
        """A command that is to be asked before it can be asked."""
        self.assert_mistakes(
            ["7: commands.x.parameters[0].choices_from: x has a required parameter, and nobody to give it"],
            _X.replace('"list"', '"x"').replace("]\n[[", "]\nread_only = true\n[["),
        )

    def test_a_pattern(self) -> None:
        """What is printed must match it."""
        self.assert_mistakes(
            [f"7: commands.x.parameters[0].pattern: {_OPEN}"],
            f'{_X}pattern = "("\n[commands.list]\nrun = ["df"]\nread_only = true\n',
        )


class CommandTests(ParametersTestCase):
    def test_a_command_without_parameters(self) -> None:
        """Is what it was."""
        command = self.command('[commands.x]\nrun = ["df", "-h"]\n')
        self.assertEqual(("/usr/bin/df", "-h"), command.argv)
        self.assertEqual(
            (None, None, (), None, 0),
            (command.template, command.stdin, command.confirm, command.rate_limit, len(command.parameters)),
        )
        invocation = command.invocation(())
        self.assertEqual((command.argv, dict(command.environment), None), tuple(invocation))

    def test_rate(self) -> None:
        """How many in how long."""
        command = self.command('[commands.x]\nrun = ["df"]\nrate_limit = "3/10m"\nconfirm = "Sure?"\n')
        self.assertEqual((Rate(3, 600), ("Sure?",)), (command.rate_limit, command.confirm))

    def test_what_people_read(self) -> None:
        """Is one line."""
        for key in ("help", "title", "section", "confirm"):
            self.assert_mistakes(
                [f"3: commands.x.{key}: must be one line without control characters"],
                f'[commands.x]\nrun = ["df"]\n{key} = "a\\u001b[31mb"\n',
            )

    def test_an_empty_question(self) -> None:
        """Is none."""
        self.assert_mistakes(
            ["3: commands.x.confirm: must not be empty"],
            '[commands.x]\nrun = ["df"]\nconfirm = ""\n',
        )


class RateTests(unittest.TestCase):
    def test_rates(self) -> None:
        """A number, a slash and a time span."""
        for text, rate in (
            ("1/1", Rate(1, 1)),
            ("3/10m", Rate(3, 600)),
            ("9999/1d", Rate(9999, 86400)),
            ("03/1h30m", Rate(3, 5400)),
        ):
            self.assertEqual(rate, parse_rate(text))

    def test_what_is_none(self) -> None:
        """It is said what would be."""
        for text in (
            "",
            "3",
            "/1m",
            "3/",
            "0/1m",
            "-1/1m",
            "10000/1m",
            "3/1m/2",
            "a/1m",
            " 3/1m",
            "3/1m\n",
            "3 / 1m",
            "3/0",
            "1.5/1m",
            "٣/1m",
        ):
            with self.subTest(text), self.assertRaises(ValueError):
                parse_rate(text)
