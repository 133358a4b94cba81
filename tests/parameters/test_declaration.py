"""What a parameter is."""

import unittest

from cmdserver.parameters.declaration import is_parameter_name, matches_any
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.text_types import Choice, Flag, Secret
from tests.parameters.doubles import a_parameter, optional


class NameTests(unittest.TestCase):
    def test_names(self) -> None:
        """As the contract has them; `follow` means something else in an address."""
        for name in ("a", "unit", "a_b", "a1", "a" * 32, "follow_", "followed"):
            self.assertTrue(is_parameter_name(name), name)
        for name in ("", "A", "1a", "_a", "a-b", "a b", "a" * 33, "a\n", "ä", "follow", "a=b", "--"):
            self.assertFalse(is_parameter_name(name), name)


class ParameterTests(unittest.TestCase):
    def test_kinds(self) -> None:
        """What it is asked for."""
        flag, secret = optional("f", Flag()), a_parameter("s", Secret(), default=("hunter2",), example="hunter3")
        listed = a_parameter("c", Choice(source="units"))
        self.assertEqual((True, False, False), (flag.is_flag, flag.is_secret, flag.has_always_value))
        self.assertEqual((False, True, True), (secret.is_flag, secret.is_secret, secret.has_always_value))
        self.assertEqual(
            ("units", None, None), (listed.source, flag.source, a_parameter("c", Choice(choices={})).source)
        )
        self.assertEqual((("false",), ()), (flag.unset, secret.unset))

    def test_there_is_always_a_value(self) -> None:
        """If it is required, or has a default; a flag may be false, which gives none."""
        self.assertTrue(optional("a", default=("x",)).has_always_value)
        self.assertFalse(optional("a").has_always_value)
        self.assertFalse(optional("a", Flag(), default=("true",)).has_always_value)

    def test_it_does_not_show_its_default(self) -> None:
        """A secret's would be in every log line that has a command in it."""
        self.assertNotIn("hunter", repr(a_parameter("s", Secret(), default=("hunter2",), example="hunter3")))

    def test_only(self) -> None:
        """Each value must match one of the globs, whole and exactly."""
        narrowed = a_parameter(only=("nginx", "web-*"))
        for values in ((), ("nginx",), ("web-1", "nginx"), ("web-",)):
            self.assertTrue(narrowed.permits(values), values)
        for values in (("db",), ("nginx", "db"), ("Nginx",), ("nginx ",), ("a-web-1",), ("",)):
            self.assertFalse(narrowed.permits(values), values)
        self.assertTrue(a_parameter().permits(("anything",)))
        self.assertFalse(a_parameter(only=()).permits(("anything",)))

    def test_globs(self) -> None:
        """Those of roles: a line break is a character like others."""
        self.assertTrue(matches_any("a\nb", ["a*b"]))
        self.assertFalse(matches_any("ab", []))

    def test_what_is_accepted(self) -> None:
        """Words of the type, with what the roles add to it, and nothing else."""
        number = Integer(minimum=1)
        self.assertEqual("a whole number, 1 or more", a_parameter("n", number).accepts)
        self.assertEqual("one of 5, 6", a_parameter("n", number, only=("5", "6")).accepts)
        self.assertEqual(
            "a whole number, 1 or more, and match 6 or 5*", a_parameter("n", number, only=("6", "5*")).accepts
        )

    def test_refusals(self) -> None:
        """Of a value that the type accepts, and no role may give; the nearest that one may give are suggested."""
        choice = a_parameter("c", Choice(choices={"web-1": "", "web-2": ""}), only=("web-*",))
        refusal = choice.refusal(("web-9",))
        self.assertEqual(("must be one of web-1, web-2", {"web-1", "web-2"}), (str(refusal), set(refusal.suggestions)))
        self.assertEqual("must be among what your roles may give", str(choice.refusal(())))
        self.assertEqual("must be one of a", str(a_parameter(only=("a",)).refusal(("b",))))
