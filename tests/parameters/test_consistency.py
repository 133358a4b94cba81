"""What does not go together."""

import unittest

from cmdserver.parameters.consistency import inconsistencies
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.template import Template, parse_pieces
from cmdserver.parameters.text_types import Flag, Secret, Text
from tests.parameters.doubles import a_parameter, optional
from tests.parameters.test_template import template


class ConsistencyTests(unittest.TestCase):
    def assert_found(self, expected: list[str], parameters: list[Parameter], what: Template, confirm: str = "") -> None:
        """Fail unless just this is found."""
        found = [
            f"{'.'.join(map(str, path))}: {text}"
            for path, text in inconsistencies(parameters, what, parse_pieces(confirm))
        ]
        self.assertEqual(expected, found)

    def test_nothing(self) -> None:
        """All that the contract allows."""
        parameters = [
            a_parameter("a"),
            optional("d", default=("x",)),
            optional("o"),
            optional("f", Flag()),
            a_parameter("r", repeat=3),
            a_parameter("s", Secret()),
            a_parameter("t", Text()),
        ]
        whole = template(
            *("{a}{d}", ["{o}", "x{o}{a}"], "{f}", ["{f}", "{a}"], "{r}", ["-r", "{r}"]),
            environment={"A": "{a}{d}{s}{f}"},
            stdin="{a}{d}{s}{t}{f}",
        )
        self.assert_found([], parameters, whole, "{a} {d} {o} {f} {r}?")

    def test_names_that_are_no_parameters(self) -> None:
        """Wherever they stand, once at each place."""
        text = "{x} is no parameter; braces are written {{ and }}"
        self.assert_found(
            [f"run: {text}", f"run: {text}", f"environment.A: {text}", f"stdin: {text}", f"confirm: {text}"],
            [],
            template("{x}{x}", ["{x}"], environment={"A": "{x}"}, stdin="{x}"),
            "{x}?",
        )
        self.assert_found(["run: { a } is no parameter; braces are written {{ and }}"], [], template("{ a }"))

    def test_parameters_that_are_used_nowhere(self) -> None:
        """A question is no use."""
        self.assert_found(
            ["parameters.1: b is used nowhere: neither in run, nor in environment, nor in stdin"],
            [a_parameter("a"), a_parameter("b")],
            template("{a}"),
            "{b}?",
        )

    def test_secrets_and_texts(self) -> None:
        """They stand where the contract says, and nowhere else."""
        secret, text = a_parameter("s", Secret()), a_parameter("t", Text())
        self.assert_found(
            [
                "run: {s} is a secret, which may stand in environment and stdin only",
                "confirm: {s} is a secret, which may stand in environment and stdin only",
            ],
            [secret],
            template(["x{s}"]),
            "{s}?",
        )
        self.assert_found(
            [
                "run: {t} is a text, which may stand in stdin only",
                "environment.T: {t} is a text, which may stand in stdin only",
                "confirm: {t} is a text, which may stand in stdin only",
            ],
            [text],
            template("{t}", environment={"T": "{t}"}, stdin="{t}"),
            "{t}",
        )

    def test_what_may_be_left_out(self) -> None:
        """Stands where it can be."""
        self.assert_found(
            ['run: {o} may be left out, so it must stand in a nested list, such as ["--option", "{o}"]'],
            [optional("o", Integer())],
            template("{o}", ["{o}"]),
        )
        why = "{o} may be left out, and nothing can be left out here: give it a default, or make it required"
        self.assert_found(
            [f"environment.O: {why}", f"stdin: {why}"],
            [optional("o")],
            template(["{o}"], environment={"O": "{o}"}, stdin="{o}"),
        )

    def test_whole_elements(self) -> None:
        """For flags, and for what takes several values."""
        flag, several = optional("f", Flag()), a_parameter("r", repeat=2)
        self.assert_found(
            ["run: {f} gives words of its own, so it must be a whole element"], [flag], template("{f}", "x{f}")
        )
        self.assert_found(
            ["run: {r} takes several values, so it must be a whole element"], [several], template("{r}", ["-r{r}"])
        )
        why = "{r} takes several values, so it can stand in run only"
        self.assert_found(
            [f"environment.R: {why}", f"stdin: {why}"],
            [several],
            template("{r}", environment={"R": "{r}"}, stdin="{r}"),
        )
