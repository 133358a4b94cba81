"""Which names ``allow`` may have."""

import unittest

from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from tests.doubles import FakeHost

_FILE = """
[[listen]]
protocol = "line"
endpoint = "tcp:2022:interface=127.0.0.1"
login = "never"
{}
[commands.df]
run = ["df"]
{}
[roles.anonymous]
commands = ["df"]
{}
[defaults]
{}
"""


def mistakes(*allow: str) -> list[str]:
    """Read a file with these lines in a listener, a command, a role and the defaults; list its mistakes."""
    try:
        configure(_FILE.format(*allow), FakeHost(), lambda _: None)
    except Mistakes as error:
        return [str(each) for each in error.mistakes]
    return []


class AllowanceTests(unittest.TestCase):
    def test_names_that_there_are(self) -> None:
        """They are good, wherever they may silence something or not: that is for lint to say."""
        line = 'allow = ["shell", "plaintext-listener"]'
        self.assertEqual([], mistakes(line, line, line, ""))

    def test_a_name_that_there_is_not(self) -> None:
        """It is a mistake at its place, with the nearest names."""
        for place, found in enumerate(
            (
                "6: listen[0].allow: there is no rule plaintext-listner of check --lint; did you mean plaintext-list",
                "9: commands.df.allow: there is no rule plaintext-listner of check --lint; did you mean plaintext-list",
                "12: roles.anonymous.allow: there is no rule plaintext-listner of check --lint; did you mean plaint",
            )
        ):
            lines = ["", "", "", ""]
            lines[place] = 'allow = ["plaintext-listner"]'
            (mistake,) = mistakes(*lines)
            self.assertIn(found, mistake)

    def test_a_name_that_is_like_none(self) -> None:
        """All of them are listed; a long one is cut, and compared with none."""
        (mistake,) = mistakes("", f'allow = ["{"x" * 10000}"]', "", "")
        self.assertIn("they are code-from-caller, ", mistake)
        self.assertLess(len(mistake), 1000)

    def test_no_default(self) -> None:
        """It would silence what is yet to be written."""
        (mistake,) = mistakes("", "", "", 'allow = ["shell"]')
        self.assertIn("defaults.allow: is each command's own, and has no default", mistake)
