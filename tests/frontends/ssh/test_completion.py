"""Tests of what Tab completes to."""

import unittest

from cmdserver.core.names import RESERVED_WORDS
from cmdserver.frontends.ssh.completion import completions
from cmdserver.frontends.ssh.prompt_words import PromptWord
from cmdserver.parameters.text_types import Choice, Flag
from tests.doubles import a_command, with_parameters
from tests.parameters.doubles import a_parameter

UNIT = a_parameter("unit", Choice(choices={"nginx": "", "php-fpm": "", "two words": ""}))
MODE = a_parameter("mode", Choice(choices={"fast": "", "slow": ""}), is_required=False, repeat=2)
UTC = a_parameter("utc", Flag(), is_required=False)
OFFERED = {
    each.name: each
    for each in (a_command(), a_command(name="restart", **with_parameters(UNIT, MODE, a_parameter("why"), UTC)))
}


class CompletionTests(unittest.TestCase):
    def after(self, before: str) -> set[str]:
        """Return what may come."""
        return set(completions(before, OFFERED))

    def test_first_words(self) -> None:
        """Names of commands, words of the protocol, and those of the prompt."""
        for before in ("json ", "json re", " json re"):
            self.assertEqual(self.after(before), {"df", "restart", *RESERVED_WORDS}, before)
        for before in ("", "re", "  re"):
            self.assertEqual(self.after(before), {"df", "restart", *RESERVED_WORDS, *PromptWord}, before)

    def test_names(self) -> None:
        """Some words take a command."""
        for before in ("help ", "explain d", "json help "):
            self.assertEqual(self.after(before), {"df", "restart"}, before)
        for before in ("df ", "help df ", "nosuch ", "who ", "help restart "):
            self.assertEqual(self.after(before), set(), before)

    def test_values(self) -> None:
        """Behind a name: the values of the first parameter, and the names of all; none that would need quotes."""
        names = {"unit=", "mode=", "why=", "utc="}
        for before in ("restart ", "restart ng", "explain restart ", "json explain restart "):
            self.assertEqual(self.after(before), {"nginx", "php-fpm", *names}, before)

    def test_named_values(self) -> None:
        """Behind a parameter's name: its values."""
        for before in ("restart unit=", "restart nginx unit=n"):
            self.assertEqual(self.after(before), {"unit=nginx", "unit=php-fpm"}, before)
        self.assertEqual(self.after("restart utc="), {"utc=true", "utc=false"})
        self.assertEqual(self.after("restart why="), set())
        self.assertEqual(self.after("restart nosuch="), self.after("restart "))

    def test_what_is_given_is_not_offered_again(self) -> None:
        """But for what takes several values."""
        self.assertEqual(self.after("restart nginx "), {"mode=", "why=", "utc=", "fast", "slow"})
        self.assertEqual(self.after("restart unit=nginx mode=fast "), {"mode=", "why=", "utc="})
        self.assertEqual(self.after("restart nginx fast slow "), {"mode=", "why=", "utc="})
        self.assertEqual(self.after("restart nginx fast slow because true "), {"mode="})
        self.assertEqual(self.after("restart nginx fast slow because true more "), {"mode="})

    def test_behind_two_dashes(self) -> None:
        """All is positional."""
        self.assertEqual(self.after("restart -- "), {"nginx", "php-fpm"})
        self.assertEqual(self.after("restart -- nginx fast slow because true more "), set())

    def test_what_a_role_may_not_give(self) -> None:
        """It is not offered."""
        command = a_command(**with_parameters(a_parameter("utc", Flag(), is_required=False, only=("false",))))

        self.assertEqual(completions("df utc=", {"df": command}), ["utc=false"])
