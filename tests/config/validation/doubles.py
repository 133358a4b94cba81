"""Configurations with commands that take values."""

import unittest

from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from cmdserver.core.model import Command
from tests.doubles import FakeHost

BEGINNING = """[[listen]]
protocol = "line"
endpoint = "tcp:2022:interface=127.0.0.1"
login = "optional"
[roles.anonymous]
commands = ["*"]
"""


def configured(text: str) -> Configuration:
    """Read a configuration whose listener and roles are of no importance."""
    return configure(BEGINNING + text, FakeHost(), lambda _: None)


class ParametersTestCase(unittest.TestCase):
    maxDiff = None

    def assert_mistakes(self, expected: list[str], text: str) -> None:
        """Fail unless a text has just these mistakes; their lines are counted from its first, which is 1."""
        with self.assertRaises(Mistakes) as raised:
            configured(text)
        before = BEGINNING.count("\n")
        found = [f"{(each.line or 0) - before}: {str(each).partition(': ')[2]}" for each in raised.exception.mistakes]
        self.assertEqual(sorted(expected), sorted(found))

    def places(self, text: str) -> list[str]:
        """Say where a text is mistaken, as `assert_mistakes` does, without the reasons."""
        with self.assertRaises(Mistakes) as raised:
            configured(text)
        before = BEGINNING.count("\n")
        return [f"{(each.line or 0) - before}: {str(each).split(': ')[1]}" for each in raised.exception.mistakes]

    def assert_mistake(self, expected: str, *lines: str) -> None:
        """Fail unless the last line of a parameter `a` is the one that is mistaken, and this is why."""
        key = lines[-1].split()[0]
        text = '[commands.x]\nrun = ["df", ["{a}"]]\n[[commands.x.parameters]]\nname = "a"\n' + "\n".join(lines)
        with self.subTest(lines):
            self.assert_mistakes([f"{4 + len(lines)}: commands.x.parameters[0].{key}: {expected}"], text)

    def command(self, text: str) -> Command:
        """Return the first command of a text without mistakes."""
        return configured(text).commands[0]
