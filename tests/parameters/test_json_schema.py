"""Tests of parameters as JSON Schema describes them."""

import re
from decimal import Decimal
from ipaddress import ip_network
from unittest import TestCase

from cmdserver.parameters.declaration import Parameter
from cmdserver.parameters.host_type import Host
from cmdserver.parameters.json_schema import ecma, schema_of
from cmdserver.parameters.number_types import Duration, Integer, Number, Port
from cmdserver.parameters.parameter_type import ParameterType
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import Choice, Flag, Secret, String, Text
from cmdserver.parameters.time_types import Date, DateTime


def schema(type_: ParameterType, **differences: object) -> dict[str, object]:
    """Describe a parameter, without its description."""
    made = dict(schema_of(Parameter(name="x", label="X", type=type_, **differences)))  # type: ignore[arg-type]
    del made["description"]
    return made


class SchemaTests(TestCase):
    def test_types(self) -> None:
        """Each type has what JSON Schema has for it."""
        cases: list[tuple[ParameterType, dict[str, object]]] = [
            (Choice(choices={"a": "A", "b": "B"}), {"type": "string", "enum": ["a", "b"]}),
            (Integer(minimum=0), {"type": "integer", "minimum": 0}),
            (Number(maximum=Decimal("1.5")), {"type": "number", "maximum": 1.5}),
            (Port(), {"type": "integer", "minimum": 1, "maximum": 65535}),
            (Flag(), {"type": "boolean"}),
            (Date(), {"type": "string", "format": "date"}),
            (DateTime(), {"type": "string", "format": "date-time"}),
            (Text(), {"type": "string"}),
            (Host(networks=(ip_network("10.0.0.0/8"),)), {"type": "string", "minLength": 1, "maxLength": 253}),
        ]
        for type_, expected in cases:
            self.assertEqual(schema(type_), expected)

    def test_secrets(self) -> None:
        """They are written and never read, and their defaults and examples are nobody's business."""
        made = schema_of(Parameter(name="x", label="X", type=Secret(), default=("hunter2",), example="hunter3"))
        self.assertEqual((made["format"], made["writeOnly"]), ("password", True))
        self.assertNotIn("hunter", str(made))

    def test_defaults_are_json(self) -> None:
        """As the type has them; of several values an array."""
        cases: list[tuple[ParameterType, str, object]] = [
            (Integer(), "5", 5),
            (Number(), "0.5", 0.5),
            (Flag(), "true", True),
            (String(), "5", "5"),
        ]
        for type_, default, expected in cases:
            self.assertEqual(schema(type_, default=(default,))["default"], expected)
        several = schema(Integer(), default=("1", "2"), repeat=3)
        self.assertEqual((several["type"], several["default"], several["maxItems"]), ("array", [1, 2], 3))
        self.assertEqual(several["items"], {"type": "integer"})

    def test_descriptions(self) -> None:
        """What it is for, what is accepted, an example."""
        parameter = Parameter(name="x", label="X", help="How many.", type=Integer(minimum=1), example="7")
        self.assertEqual(schema_of(parameter)["description"], "How many. A whole number, 1 or more. Example: 7")

    def test_lists_of_other_commands(self) -> None:
        """Only what a line must look like is known."""
        self.assertIn("pattern", schema(Choice(source="services")))
        self.assertEqual(schema(Choice(source="services", pattern=Pattern(r"(?i)a"))), {"type": "string"})

    def test_patterns_of_ours(self) -> None:
        """They accept what the types accept."""
        cases: list[tuple[ParameterType, tuple[str, ...], tuple[str, ...]]] = [
            (String(), ("a", "a-b c", "ü"), ("-a", "a\nb", "a\x1b", "a\u2028")),
            (String(may_begin_with_dash=True), ("-a",), ("\n",)),
            (Duration(), ("90", "90s", "1h30m", "1d"), ("", "1x", "m", "30m1h")),
            (Choice(source="x"), ("a.b@c:1",), ("-a", " a", "a" * 129)),
        ]
        for type_, good, bad in cases:
            pattern = str(schema(type_)["pattern"]).replace("$", r"\Z")  # Python's $ is also before a last line break
            self.assertTrue(all(re.search(pattern, each) for each in good), pattern)
            self.assertFalse(any(re.search(pattern, each) for each in bad), pattern)


class EcmaTests(TestCase):
    def test_what_means_the_same(self) -> None:
        """It must match all of a text there too."""
        for text in (
            r"[a-z][a-z0-9-]{0,62}", r"(?:a|b)+?\.[^/]*", r"\d{4}-\d\d", "a(b)c|d", r"[\w.-]+@[\w-]+", "ü{2,}",
        ):  # fmt: skip
            self.assertEqual(ecma(Pattern(text)), f"^(?:{text})$")

    def test_what_may_not(self) -> None:
        """It is left out: ECMAScript has no such thing, or another one."""
        for text in (
            r"(?i)a", r"(?P<a>b)", r"(?=a)b", r"(?<!a)b", r"a\Z", r"\Aa", r"\s+", r"a++", r"a{,3}", r"[]a]", r"(a)\1",
            r"a{2}+", r"\-", r"(?>a)b",
        ):  # fmt: skip
            self.assertIsNone(ecma(Pattern(text)), text)
