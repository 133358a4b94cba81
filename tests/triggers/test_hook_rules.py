"""Tests of what a hook takes out of a request."""

import contextlib
import json
from typing import Any
from urllib.parse import quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Malformed
from cmdserver.triggers import hook_rules
from cmdserver.triggers.hook import Condition, Hook, Number, Scalar, SignatureRule, ValuePath
from cmdserver.triggers.hook_rules import (
    MOST_CHARACTERS,
    MOST_VALUES,
    HookRequest,
    JSONValue,
    find,
    is_meant,
    parse_body,
)

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"


def request(body: Any = None, headers: Any = (), query: Any = ()) -> HookRequest:
    """Make what a request says; the body as Python has it."""
    return HookRequest(body=parse_body(JSON, json.dumps(body).encode()), headers=dict(headers), query=query)


def arguments(value: Any, path: str = "body.x") -> list[tuple[str, str]]:
    """Return what a hook takes out of a body."""
    hook = Hook(
        name="h",
        command="c",
        secret_files=("/s",),
        signature=SignatureRule.parse("github"),
        arguments=(("p", ValuePath.parse(path)),),
    )
    return list(hook_rules.arguments(hook, request({"x": value})))


class BodyTests(SynchronousTestCase):
    def test_json_is_read(self) -> None:
        """With numbers as they are spelled, whatever the media type says."""
        body = b'{"a": [1, -0.50, 1e400, true, null, "\xc3\xa4"]}'

        for media in (JSON, b"application/json; charset=utf-8", None, b"text/plain"):
            self.assertEqual(
                parse_body(media, body),
                {"a": [Number("1"), Number("-0.50"), Number("1e400"), True, None, "\u00e4"]},
            )
        self.assertEqual(parse_body(JSON, b"\xef\xbb\xbf{}"), {})

    def test_nothing_says_nothing(self) -> None:
        """A sender may have nothing to say but that it is time."""
        self.assertIsNone(parse_body(JSON, b""))
        self.assertIsNone(parse_body(FORM, b""))

    def test_a_form_has_a_payload(self) -> None:
        """As GitHub sends it; other fields do not matter."""
        payload = quote_plus('{"ref": "refs/heads/\u00e4"}').encode()

        for body in (b"payload=" + payload, b"a=b&payload=" + payload, b"payload=" + payload + b"&c="):
            self.assertEqual(parse_body(FORM, body), {"ref": "refs/heads/\u00e4"})
        self.assertEqual(parse_body(b"Application/X-WWW-Form-Urlencoded;x=y", b"payload=1"), Number("1"))

    def test_what_is_no_json_is_malformed(self) -> None:
        """Among it what other parsers read in another way."""
        for body in (
            b"{",
            b"nonsense",
            b"{} {}",
            b"{'a': 1}",
            b'{"a": NaN}',
            b"[Infinity, -Infinity]",
            b'{"a": 1, "a": 2}',
            b'{"x": {"a": 1, "a": 1}}',
            b'"\xff"',
            '"x"'.encode("utf-16"),
            b'"\n"',
            b"[" * 200_000,
            b'{"a":' * 200_000,
            b"[" * 5_000 + b"]" * 5_000,
            b"\0",
            b" ",
        ):
            self.assertRaises(Malformed, parse_body, JSON, body)

    def test_a_form_without_a_payload_is_malformed(self) -> None:
        """Or with two, with what is none, or with more fields than anybody sends."""
        for body in (
            b"a=b",
            b"payload=",
            b"payload={",
            b"payload=1&payload=1",
            b"payload=%22%ff%22",
            b"payload=\xff",
            b"payload=1" + b"&a" * 50,
        ):
            self.assertRaises(Malformed, parse_body, FORM, body)

    def test_what_begins_as_json_is_no_form(self) -> None:
        """``curl -d`` says of everything that it is one."""
        self.assertEqual(parse_body(FORM, b' {"a": "b=c&payload=1"}'), {"a": "b=c&payload=1"})
        self.assertEqual(parse_body(FORM, b"[]"), [])

    def test_a_long_number_costs_nothing(self) -> None:
        """It is not made a number."""
        self.assertEqual(parse_body(JSON, b"9" * 100_000), Number("9" * 100_000))

    @given(st.binary(max_size=60) | st.text('{}[]",:0123eE.-+ntf\\u', max_size=60).map(str.encode))
    @settings(deadline=None)
    def test_any_bytes_are_read_or_malformed(self, body: bytes) -> None:
        """And nothing else is raised, whatever the media type."""
        for media in (JSON, FORM, None):
            with contextlib.suppress(Malformed):
                parse_body(media, body)


class FindTests(SynchronousTestCase):
    def find(self, path: str, **said: Any) -> JSONValue:
        """Return what is at a path."""
        return find(ValuePath.parse(path), request(**said))

    def test_keys_and_indices_lead_into_the_body(self) -> None:
        """As deep as it is; a key of an object may look like an index."""
        body = {"commits": [{"id": "a"}, {"id": "b"}], "1": {"0": "c"}, "empty": ""}

        self.assertEqual(self.find("body.commits.1.id", body=body), "b")
        self.assertEqual(self.find("body.1.0", body=body), "c")
        self.assertEqual(self.find("body.empty", body=body), "")
        self.assertEqual(self.find("body.0", body=["x"]), "x")

    def test_what_is_not_there_is_nothing(self) -> None:
        """An index beyond the end, or from it, a key of what has none, an attribute of Python's."""
        body = {"list": ["a"], "text": "abc", "number": 1, "null": None, "true": True}
        for path in (
            "list.1",
            "list.-1",
            "list.00000000000",
            "list.\u0660",
            "list.\u00b2",
            "list." + "9" * 5000,
            "list.a",
            "text.0",
            "number.0",
            "null.a",
            "true.a",
            "other",
            "__class__",
            "text.upper",
        ):
            self.assertIsNone(self.find(f"body.{path}", body=body), path)
        nothings: list[object] = [None, "text", 5, True, []]
        for nothing in nothings:
            self.assertIsNone(self.find("body.a", body=nothing))

    def test_header_fields_have_names_of_any_case(self) -> None:
        """One that is there twice has two values."""
        headers = {"x-github-event": ["push"], "x-two": ["a", "b"]}

        self.assertEqual(self.find("header.X-GitHub-Event", headers=headers), "push")
        self.assertEqual(self.find("header.x-two", headers=headers), ["a", "b"])
        self.assertIsNone(self.find("header.x-other", headers=headers))

    def test_fields_of_the_query_have_names(self) -> None:
        """Of the case that they have."""
        query = [("a", "1"), ("b", "x"), ("b", "y"), ("c", "")]

        self.assertEqual(self.find("query.a", query=query), "1")
        self.assertEqual(self.find("query.b", query=query), ["x", "y"])
        self.assertEqual(self.find("query.c", query=query), "")
        self.assertIsNone(self.find("query.A", query=query))


class ConditionTests(SynchronousTestCase):
    def holds(self, value: object, *any_of: Scalar) -> bool:
        """Whether a value of the body is one of some."""
        return is_meant([Condition(ValuePath.parse("body.x"), any_of)], request({"x": value}))

    def test_a_value_is_one_of_some(self) -> None:
        """Strings, numbers as they are spelled, and booleans."""
        self.assertTrue(self.holds("main", "main"))
        self.assertTrue(self.holds("main", "other", "main"))
        self.assertTrue(self.holds(1, Number("1")))
        self.assertTrue(self.holds(False, False))
        self.assertTrue(self.holds("", ""))

    def test_another_value_is_not(self) -> None:
        """Of another case, of another type, with more around it."""
        for value, wanted in (
            ("Main", "main"),
            ("main ", "main"),
            ("mainline", "main"),
            ("1", Number("1")),
            (1, "1"),
            (1.0, Number("1")),
            (True, "true"),
            ("true", True),
            (True, False),
            (True, Number("1")),
            (1, True),
            (["main"], "main"),
            ({"main": "main"}, "main"),
            (None, "None"),
            (None, "null"),
            ("x", "*"),
        ):
            self.assertFalse(self.holds(value, wanted), (value, wanted))
        self.assertFalse(self.holds("main"))

    def test_a_value_that_is_missing_is_equal_to_nothing(self) -> None:
        """Not even to an empty text."""
        missing = Condition(ValuePath.parse("body.y"), ("",))

        self.assertFalse(is_meant([missing], request({"x": ""})))
        self.assertFalse(is_meant([missing], request()))

    def test_all_conditions_hold(self) -> None:
        """Each of them; none is no condition."""
        yes, no = (Condition(ValuePath.parse("body.x"), (each,)) for each in ("a", "b"))
        said = request({"x": "a"})

        self.assertTrue(is_meant([yes, yes], said))
        for conditions in ([yes, no], [no, yes], [no]):
            self.assertFalse(is_meant(conditions, said))
        self.assertTrue(is_meant([], said))

    def test_a_field_that_is_there_twice_meets_no_condition(self) -> None:
        """Whoever put the second one there might mean the first."""
        event = Condition(ValuePath.parse("header.X-Event"), ("push",))

        self.assertTrue(is_meant([event], request(headers={"x-event": ["push"]})))
        self.assertFalse(is_meant([event], request(headers={"x-event": ["push", "push"]})))


class ArgumentTests(SynchronousTestCase):
    def test_scalars_are_values(self) -> None:
        """As JSON spells them."""
        for value, text in (("a b", "a b"), ("", ""), (5, "5"), (-1.5, "-1.5"), (True, "true"), (False, "false")):
            self.assertEqual(arguments(value), [("p", text)])

    def test_a_list_is_several_values(self) -> None:
        """For a parameter that takes several; the command says whether it does."""
        self.assertEqual(arguments(["a", 1, True]), [("p", "a"), ("p", "1"), ("p", "true")])

    def test_anything_else_is_no_value(self) -> None:
        """A list with something else in it is none as a whole: nobody has meant a part of it."""
        for value in (None, {}, {"a": "b"}, [], [["a"]], ["a", None], ["a", {}]):
            self.assertEqual(arguments(value), [])
        self.assertEqual(arguments("a", "body.other"), [])

    def test_values_stay_what_they_are(self) -> None:
        """Nothing is split, expanded or taken for a name."""
        for value in ("a=b", "--all", "p=x", "$(id)", "a\nb", "\ud800", "{x}"):
            self.assertEqual(arguments(value), [("p", value)])

    def test_there_is_a_most_of_everything(self) -> None:
        """What no parameter takes is not written down either."""
        self.assertEqual(len(arguments(["a"] * MOST_VALUES)), MOST_VALUES)
        self.assertEqual(len(arguments("a" * MOST_CHARACTERS)[0][1]), MOST_CHARACTERS)
        self.assertRaises(Malformed, arguments, ["a"] * (MOST_VALUES + 1))
        self.assertRaises(Malformed, arguments, "a" * (MOST_CHARACTERS + 1))
        self.assertRaises(Malformed, arguments, ["a", "b" * (MOST_CHARACTERS + 1)])
