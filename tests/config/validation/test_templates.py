"""The template of a configuration's command."""

from cmdserver.parameters.template import Element, Place, Template
from tests.config.validation.doubles import ParametersTestCase

_STRING = '[[commands.x.parameters]]\nname = "a"\ntype = "string"\n'


class TemplateTests(ParametersTestCase):
    def test_places(self) -> None:
        """In `run`, `environment`, `stdin` and `confirm`; the environment that all have is literal."""
        command = self.command(
            '[commands.x]\nrun = ["df", "--x={a}", ["-y", "{a}"], "{{b}}"]\nstdin = "{a}\\n"\nconfirm = "Really {a}?"\n'
            f'environment = {{A = "{{a}}", B = "{{{{"}}\n{_STRING}'
        )
        self.assertEqual(
            Template(
                elements=(
                    Element((("--x=", Place("a")),)),
                    Element((("-y",), (Place("a"),)), is_nested=True),
                    Element((("{", "b", "}"),)),
                ),
                environment=(
                    ("A", (Place("a"),)),
                    ("B", ("{",)),
                    ("HOME", ("/",)),
                    ("LANG", ("C",)),
                    ("PATH", (dict(command.environment)["PATH"],)),
                ),
                stdin=(Place("a"), "\n"),
            ),
            command.template,
        )
        self.assertEqual(("Really ", Place("a"), "?"), command.confirm)
        self.assertEqual((("/usr/bin/df",), None), (command.argv, command.stdin))
        self.assertEqual(("df", "--x={a}", "-y", "{a}", "{{b}}"), command.run)

    def test_without_parameters(self) -> None:
        """Braces are ordinary characters, everywhere."""
        command = self.command(
            '[commands.x]\nrun = ["df", "{a}", "{{", "}"]\nstdin = "{}\\n"\nconfirm = "{a}?"\n'
            'environment = {A = "{x}"}\n'
        )
        self.assertEqual(("/usr/bin/df", "{a}", "{{", "}"), command.argv)
        self.assertEqual((None, b"{}\n", ("{a}?",)), (command.template, command.stdin, command.confirm))
        self.assertEqual("{x}", dict(command.environment)["A"])
        self.assertIsNone(self.command('[commands.x]\nrun = ["df"]\n').stdin)
        self.assertEqual(b"", self.command('[commands.x]\nrun = ["df"]\nstdin = ""\n').stdin)

    def test_the_program(self) -> None:
        """Is in the file."""
        for run, expected in (
            ('["df{a}", "{a}"]', ["no executable df{a} on", "begins with the program, which no value can be"]),
            ('[["df", "x"], "{a}"]', ["begins with the program, which is in no nested list"]),
        ):
            with self.subTest(run), self.assertRaises(Exception) as raised:
                self.command(f"[commands.x]\nrun = {run}\n{_STRING}")
            found = [str(each) for each in raised.exception.mistakes]  # type: ignore[attr-defined]
            self.assertEqual(len(expected), len(found), found)
            for text in expected:
                self.assertTrue(any(text in each for each in found), found)

    def test_nested_lists_are_for_parameters(self) -> None:
        """A command without any has none."""
        self.assert_mistakes(
            ["2: commands.x.run: has a nested list, which is for parameters, and there are none"],
            '[commands.x]\nrun = ["df", ["a"]]\n',
        )

    def test_braces(self) -> None:
        """One that stands alone is a mistake, each at its place; names that are no parameters are told too."""
        alone = "has a {} that stands alone; braces are written {{{{ and }}}}".format
        self.assert_mistakes(
            [
                f"2: commands.x.run: {alone('{')}",
                "2: commands.x.run: has {} without a parameter's name in it; braces are written {{ and }}",
                "2: commands.x.run: {b} is no parameter; braces are written {{ and }}",
                f"3: commands.x.environment.A: {alone('}')}",
                f"4: commands.x.stdin: {alone('{')}",
                f"5: commands.x.confirm: {alone('}')}",
            ],
            '[commands.x]\nrun = ["df", "{", ["{}"], "{b}"]\nenvironment = {A = "}"}\nstdin = "{a"\nconfirm = "}"\n'
            + _STRING,
        )

    def test_what_does_not_go_together(self) -> None:
        """Is told with its place."""
        self.assert_mistakes(
            ['2: commands.x.run: {a} may be left out, so it must stand in a nested list, such as ["--option", "{a}"]'],
            f'[commands.x]\nrun = ["df", "{{a}}"]\n{_STRING}required = false\n',
        )
        self.assert_mistakes(
            ["3: commands.x.parameters[0]: a is used nowhere: neither in run, nor in environment, nor in stdin"],
            f'[commands.x]\nrun = ["df"]\n{_STRING}',
        )

    def test_a_question_is_one_line(self) -> None:
        """People are asked at a prompt."""
        self.assert_mistakes(
            ["3: commands.x.confirm: must be one line without control characters"],
            '[commands.x]\nrun = ["df"]\nconfirm = "a\\nb"\n',
        )
