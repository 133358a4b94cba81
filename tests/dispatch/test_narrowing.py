"""The values that roles may give."""

import unittest

from cmdserver.core.model import Rule
from cmdserver.dispatch.narrowing import MOST_CHOICES, listed, narrowed, objections, permits, with_parameters
from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.mistakes import BadValues
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import Choice, Flag
from tests.dispatch.doubles import taking
from tests.parameters.doubles import a_parameter, optional

_UNIT = a_parameter("unit", Choice(choices={"nginx": "Web", "web-1": "W1", "web-2": "W2", "db": "DB"}), example="db")
_LINES = optional("lines", Integer(), default=("50",))
_UTC = optional("utc", Flag(gives=("-u",)))
_X = taking("x", _UNIT, _LINES, _UTC)


def rule(**only: tuple[str, ...]) -> Rule:
    """Make a rule of a role that may give these values."""
    return Rule(role="r", pattern="*", only=only)


def shown(*rules: Rule) -> dict[str, Parameter]:
    """Return the parameters as whoever has these rules sees them."""
    return {each.name: each for each in narrowed(_X, rules).parameters}


def choices(parameter: Parameter) -> list[str]:
    """Name the choices."""
    assert isinstance(parameter.type, Choice)
    return list(parameter.type.choices)


class PermitsTests(unittest.TestCase):
    def assert_permitted(self, expected: bool, one: Rule, *words: str) -> None:
        """Fail unless a role may give these values, or not."""
        self.assertEqual(expected, permits(one, _X, _X.parameters.bind(words)), words)

    def test_what_is_given(self) -> None:
        """Each value must match one of the globs, whole."""
        one = rule(unit=("nginx", "web-*"))
        for unit, is_permitted in (("nginx", True), ("web-1", True), ("db", False)):
            self.assert_permitted(is_permitted, one, unit)
        self.assert_permitted(True, rule(), "db")

    def test_defaults(self) -> None:
        """They are values like others."""
        self.assert_permitted(False, rule(lines=("5",)), "db")
        self.assert_permitted(True, rule(lines=("5",)), "db", "5")
        self.assert_permitted(True, rule(lines=("50",)), "db")

    def test_flags(self) -> None:
        """One that is not given is false, and that is judged."""
        self.assert_permitted(False, rule(utc=("true",)), "db")
        self.assert_permitted(False, rule(utc=("true",)), "db", "utc=no")
        self.assert_permitted(True, rule(utc=("true",)), "db", "utc=yes")
        self.assert_permitted(False, rule(utc=("false",)), "db", "utc=yes")
        self.assert_permitted(True, rule(utc=("false",)), "db")

    def test_what_is_not_given(self) -> None:
        """Is no value that anybody could object to."""
        command = taking("x", optional("a"))
        self.assertTrue(permits(rule(a=("b",)), command, ()))
        self.assertTrue(permits(rule(gone=("b",)), command, ()))

    def test_several_values(self) -> None:
        """All of them."""
        command = taking("x", a_parameter("a", repeat=3))
        for words, is_permitted in ((["b"], True), (["b", "b"], True), (["b", "c"], False), (["c", "b"], False)):
            self.assertEqual(is_permitted, permits(rule(a=("b",)), command, command.parameters.bind(words)))


class NarrowedTests(unittest.TestCase):
    def test_choices(self) -> None:
        """Those of all roles together, in the order of the file; an example only if it is among them."""
        unit = shown(rule(unit=("web-2", "web-1")), rule(unit=("nginx",)))["unit"]
        self.assertEqual((["nginx", "web-1", "web-2"], ""), (choices(unit), unit.example))
        self.assertEqual("db", shown(rule(unit=("d*",)))["unit"].example)

    def test_a_role_that_narrows_nothing(self) -> None:
        """Nothing is narrowed then; of a parameter neither, if one role does not speak of it."""
        self.assertIs(_X, narrowed(_X, [rule(unit=("db",)), rule()]))
        self.assertEqual(_UNIT, shown(rule(unit=("db",)), rule(lines=("5",)))["unit"])

    def test_nobody(self) -> None:
        """Whom no role lets anything do may give nothing."""
        self.assertEqual([], choices(shown()["unit"]))
        self.assertEqual((), shown()["lines"].only)

    def test_defaults(self) -> None:
        """One that may not be given is none, and the parameter is required then."""
        lines = shown(rule(lines=("1?", "5")))["lines"]
        self.assertEqual((None, True, ("1?", "5")), (lines.default, lines.is_required, lines.only))
        lines = shown(rule(lines=("5*",)))["lines"]
        self.assertEqual((("50",), False), (lines.default, lines.is_required))
        utc = shown(rule(utc=("true",)))["utc"]
        self.assertFalse(utc.is_required, "a flag is false where it is not given")

    def test_what_is_said(self) -> None:
        """Nothing that the caller may not give is in a message or among suggestions."""
        command = narrowed(_X, [rule(unit=("web-*",), lines=("5",))])
        for words in ([], ["db"], ["dbb"], ["nginx"], ["web-9"], ["db", "50"]):
            with self.assertRaises(BadValues) as raised:
                command.parameters.bind(words)
            for secret in ("nginx", "db", "50"):
                self.assertNotIn(secret, str(raised.exception), words)


class FlagTests(unittest.TestCase):
    def test_a_default_that_may_not_be_given(self) -> None:
        """Left out, the flag would be that, so it must be given."""
        deep = optional("deep", Flag(), default=("true",))
        (parameter,) = narrowed(taking("wipe", deep), [rule(deep=("false",))]).parameters

        self.assertEqual((parameter.default, parameter.is_required), (None, True))


class ObjectionTests(unittest.TestCase):
    def said(self, command: list[Rule], *words: str) -> list[str]:
        """Say what is objected to."""
        return [str(each) for each in objections(narrowed(_X, command), _X.parameters.bind(words))]

    def test_values(self) -> None:
        """Of each parameter; as if there were no such choice."""
        one = [rule(unit=("web-*",), lines=("5",), utc=("true",))]
        self.assertEqual(
            ["unit must be one of web-1, web-2", "lines must be one of 5", "utc must be one of true"],
            self.said(one, "db"),
        )
        self.assertEqual(["unit must be one of web-1, web-2"], self.said(one, "db", "5", "yes"))

    def test_values_that_no_role_may_give_together(self) -> None:
        """Each of them one may."""
        two = [rule(unit=("web-1",), lines=("5",)), rule(unit=("db",), lines=("7",))]
        self.assertEqual(["each of the values may be given, but not all of them together"], self.said(two, "db", "5"))


class ListedTests(unittest.TestCase):
    """What a command prints is not to be trusted."""

    def listed(self, output: bytes, parameter: Parameter | None = None) -> list[str]:
        """Say which choices are made of an output."""
        return choices(listed(parameter or a_parameter("unit", Choice(source="list")), output))

    def test_lines(self) -> None:
        """In their order, each once."""
        self.assertEqual(["nginx", "db"], self.listed(b"nginx\ndb\n\nnginx\n"))
        self.assertEqual(["nginx"], self.listed(b"nginx"))
        self.assertEqual([], self.listed(b""))

    def test_lines_that_are_no_choices(self) -> None:
        """Those that do not match, would be options, or have bytes that nobody can ask for; no part of them either."""
        self.assertEqual(
            ["ok"], self.listed(b"-rf\na b\n\xff\n\x1b[31m\na\x0bb\na\x0cb\na\xe2\x80\xa8b\na\x85b\nc\rd\nok\n$(id)\n")
        )
        free = a_parameter("unit", Choice(source="list", pattern=Pattern(".*")))
        self.assertEqual(["a b", "ä"], self.listed("-rf\na b\nä\n".encode() + b"\xff\na\x00\n", free))
        self.assertEqual(["a"], self.listed(b"a\nb\n", a_parameter("u", Choice(source="l", pattern=Pattern("a")))))

    def test_a_thousand_lines(self) -> None:
        """As many count, whether they are choices or not."""
        self.assertEqual(MOST_CHOICES, len(self.listed(b"".join(b"%d\n" % number for number in range(5000)))))
        self.assertEqual(["a"], self.listed(b"a\n" + b"-\n" * (MOST_CHOICES - 1) + b"b\n"))

    def test_only(self) -> None:
        """Those that the caller may give."""
        self.assertEqual(["web-1"], self.listed(b"db\nweb-1\n", a_parameter("u", Choice(source="l"), only=("web-*",))))

    def test_a_command_with_them(self) -> None:
        """Is the same otherwise."""
        filled = with_parameters(_X, [_LINES])
        self.assertEqual(([_LINES], _X.template, "x"), ([*filled.parameters], filled.template, filled.name))
