"""The roles of a configuration, and the values that they may give."""

from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from tests.config.validation.doubles import BEGINNING, ParametersTestCase, configured
from tests.doubles import FakeHost

_X = """[commands.x]
run = ["df", "{unit}", ["{lines}"], ["{since}"], "{utc}", "{listed}"]
stdin = "{body}"
environment = {TOKEN = "{token}"}
[[commands.x.parameters]]
name = "unit"
type = "choice"
choices = ["nginx", "web-1", "web-2"]
[[commands.x.parameters]]
name = "lines"
type = "integer"
required = false
[[commands.x.parameters]]
name = "since"
type = "datetime"
required = false
[[commands.x.parameters]]
name = "utc"
type = "flag"
[[commands.x.parameters]]
name = "body"
type = "text"
[[commands.x.parameters]]
name = "token"
type = "secret"
[[commands.x.parameters]]
name = "listed"
type = "choice"
choices_from = "list"
[commands.list]
run = ["df"]
read_only = true
"""
_LINES = _X.count("\n") + BEGINNING.count("\n")


class OnlyTests(ParametersTestCase):
    def assert_said(self, mistakes: list[str], warnings: list[str], only: str, commands: str = '["x"]') -> None:
        """Fail unless a role with these values has just these mistakes, or these warnings; in its lines."""
        text = f'{_X}[roles.staff]\nusers = ["ann"]\ncommands = {commands}\n{only}\n'
        with self.subTest(only):
            try:
                found = [str(each) for each in configured(text).warnings]
                expected = [f"{line + _LINES}: roles.staff.only.{rest}" for line, rest in map(_line, warnings)]
            except Mistakes as error:
                found = [str(each) for each in error.mistakes]
                expected = [f"{line + _LINES}: roles.staff.only.{rest}" for line, rest in map(_line, mistakes)]
            self.assertEqual(sorted(expected), sorted(found))

    def test_what_is_read(self) -> None:
        """Globs, by command and parameter."""
        roles = configured(
            f'{_X}[roles.staff]\nusers = ["ann"]\ncommands = ["x"]\nonly.x.unit = ["nginx", "web-*"]\n'
        ).roles
        self.assertEqual({"x": {"unit": ("nginx", "web-*")}}, roles[1].only)
        self.assertEqual({}, roles[0].only)

    def test_good_ones(self) -> None:
        """Canonical values, and globs of them."""
        self.assert_said(
            [],
            [],
            'only.x = {unit = ["web-?"], lines = ["5", "1*"], since = ["2026-*"], utc = ["false"], '
            'listed = ["a", "b*"]}',
        )
        self.assert_said([], [], 'only.x.unit = ["nginx"]', '["x*"]')

    def test_what_is_not_there(self) -> None:
        """Commands and parameters."""
        self.assert_said(["4:y: there is no command y"], [], 'only.y.unit = ["a"]')
        self.assert_said(["4:x.unti: x has no parameter unti"], [], 'only.x.unti = ["a"]')
        self.assert_said(["4:list.unit: list has no parameter unit"], [], 'only.list.unit = ["a"]', '["list"]')
        self.assert_said(['4:"x*": there is no command x*'], [], 'only."x*".unit = ["a"]')

    def test_what_cannot_be_narrowed(self) -> None:
        """Secrets and texts are nobody's list."""
        self.assert_said(["4:x.token: a secret is no value that a role can narrow"], [], 'only.x.token = ["a"]')
        self.assert_said(["4:x.body: a text is no value that a role can narrow"], [], 'only.x.body = ["a"]')

    def test_what_is_never_given(self) -> None:
        """Other spellings, and what the type does not accept."""
        self.assert_said(
            ["4:x.lines: 05 is never given to the command: its canonical form is 5"], [], 'only.x.lines = ["05"]'
        )
        self.assert_said(
            ["4:x.utc: yes is never given to the command: its canonical form is true"], [], 'only.x.utc = ["yes"]'
        )
        self.assert_said(["4:x.lines: must be a whole number"], [], 'only.x.lines = ["a"]')

    def test_what_is_without_effect(self) -> None:
        """A warning: the choices may be others tomorrow."""
        self.assert_said([], ["4:x.unit: db-* matches no choice"], 'only.x.unit = ["nginx", "db-*"]')
        self.assert_said([], ["4:x.unit: apache matches no choice"], 'only.x.unit = ["apache"]')
        self.assert_said(
            [], ["4:x: is without effect: the role does not include x"], 'only.x.unit = ["nginx"]', '["list"]'
        )

    def test_a_command_that_only_prints_choices(self) -> None:
        """Is in no role, and runs all the same for who may have the command that wants it."""
        text = BEGINNING.replace('"*"', '"x"') + _X
        found = configure(text, FakeHost(), lambda _: None).warnings
        self.assertEqual([], [str(each) for each in found])
        text += '[commands.other]\nrun = ["df"]\n'
        (warning,) = configure(text, FakeHost(), lambda _: None).warnings
        self.assertIn("commands.other: is in no role, so nobody may run it", str(warning))

    def test_no_mistake_follows_from_another(self) -> None:
        """Of a command with mistakes nothing more is said here."""
        text = '[commands.x]\nrun = ["df", "{a}"]\n[[commands.x.parameters]]\nname = "a"\n'
        text += 'type = "integer"\nminimum = "x"\n'
        self.assert_mistakes(
            ["6: commands.x.parameters[0].minimum: must be a whole number"],
            f'{text}[roles.staff]\nusers = ["ann"]\ncommands = ["x"]\nonly.x.a = ["5"]\n',
        )


def _line(text: str) -> tuple[int, str]:
    line, _, rest = text.partition(":")
    return int(line), rest
