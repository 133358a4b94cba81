"""Tests of the fields of a request's body."""

import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Malformed
from cmdserver.frontends.web.http.form_data import MOST_FIELDS, UnsupportedBody, of_body
from tests.doubles import LAW

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"


class FieldsTests(unittest.TestCase):
    def test_forms(self) -> None:
        """A form's fields come in their order, empty ones too."""
        self.assertEqual(of_body(FORM + b"; charset=utf-8", b"a=1&b=&a=%C3%A4"), [("a", "1"), ("b", ""), ("a", "ä")])

    def test_json(self) -> None:
        """An object's members are fields; numbers are spelled as they came, however long."""
        body = '\ufeff{"s": "x y", "i": 007, "f": 1.50e3, "t": true, "n": false}'.replace("007", "1" + "0" * 5000)
        for media in (JSON, b"Application/JSON;charset=utf-8", b"application/cloudevents+json"):
            self.assertEqual(
                of_body(media, body.encode()),
                [("s", "x y"), ("i", "1" + "0" * 5000), ("f", "1.50e3"), ("t", "true"), ("n", "false")],
            )
        self.assertEqual(of_body(JSON, b"{}"), [])
        self.assertEqual(of_body(JSON, b'{"a": "1", "a": "2"}'), [("a", "1"), ("a", "2")], "none is lost")

    def test_arrays_and_null(self) -> None:
        """An array is several fields of its name, and null none, nor is an empty array."""
        body = b'{"a": ["x", 1, true], "b": null, "c": [], "a": "y"}'
        self.assertEqual(of_body(JSON, body), [("a", "x"), ("a", "1"), ("a", "true"), ("a", "y")])

    def test_no_body(self) -> None:
        """Nothing is no fields, whatever it calls itself."""
        for media in (None, FORM, JSON, b"text/plain"):
            self.assertEqual(of_body(media, b""), [])

    def test_what_is_no_object(self) -> None:
        """Other JSON, and what is none, is refused."""
        for body in (b"[]", b"1", b"null", b'"x"', b"{", b"{a: 1}", b"[" * 60_000, b'{"a":' * 9000, b"\xff", b"NaN"):
            with self.assertRaises(Malformed, msg=body[:20]) as caught:
                of_body(JSON, body)
            self.assertNotIsInstance(caught.exception, UnsupportedBody)

    def test_what_is_no_value(self) -> None:
        """Members that are no single value are refused by name."""
        for value in ("{}", "NaN", "Infinity", "[[]]", '["x", {}]', "[null]", '[{"a": 1}]'):
            with self.assertRaisesRegex(Malformed, '"labels" is neither a string, nor a number, nor a boolean, nor an'):
                of_body(JSON, b'{"labels": %s}' % value.encode())

    def test_too_many(self) -> None:
        """Fields are counted, whatever they are spelled in."""
        many = {str(number): "x" for number in range(MOST_FIELDS + 1)}
        for media, body in ((JSON, json.dumps(many).encode()), (FORM, b"&".join([b"a=b"] * (MOST_FIELDS + 1)))):
            with self.assertRaises(Malformed):
                of_body(media, body)
        with self.assertRaises(Malformed):
            of_body(JSON, json.dumps({"a": ["x"] * (MOST_FIELDS + 1)}).encode())
        del many["0"]
        self.assertEqual(len(of_body(JSON, json.dumps(many).encode())), MOST_FIELDS)

    def test_other_types(self) -> None:
        """What is neither is refused with what would do."""
        for media in (b"text/plain", b"multipart/form-data; boundary=x", b"", None, b"text/json", b"application/xml"):
            with self.assertRaisesRegex(UnsupportedBody, r"a form .* or a JSON object"):
                of_body(media, b"{}")

    @LAW
    @given(st.binary(max_size=80))
    def test_any_bytes(self, body: bytes) -> None:
        """Any body gives fields or is refused, and is never another exception."""
        for media in (FORM, JSON):
            try:
                found = of_body(media, body)
            except Malformed:
                continue
            self.assertTrue(all(isinstance(text, str) for pair in found for text in pair))
