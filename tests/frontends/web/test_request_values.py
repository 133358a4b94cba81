"""Tests of the values that requests give to commands, and of our own fields beside them."""

from unittest import TestCase

from cmdserver.core.errors import Malformed
from cmdserver.frontends.web.http.target import parse_target
from cmdserver.frontends.web.pages.layout import OWN_FIELDS
from cmdserver.frontends.web.request_values import FOLLOW, values_of
from cmdserver.parameters.declaration import is_parameter_name
from tests.frontends.web.samples import JOURNAL, PEEK, SETPW


class AskedTests(TestCase):
    def test_paths_are_positional(self) -> None:
        """Whatever stands in them; a slash at the end is nothing."""
        for path, words in (
            (b"/df", ("df",)),
            (b"/df/", ("df",)),
            (b"/df/a/b", ("df", "a", "b")),
            (b"/df/unit=nginx", ("df", "--", "unit=nginx")),
            (b"/df/a/--/b/", ("df", "--", "a", "--", "b")),
            (b"/df/a%2Fb", ("df", "a/b")),
        ):
            self.assertEqual(values_of(parse_target(path), ()).words, words)

    def test_fields(self) -> None:
        """Those of the query come first; ours are taken out, by their exact names."""
        form = [("csrf-token", "x"), ("token", "y"), ("csrf_token", "z"), ("run-confirmed", "yes")]
        asked = values_of(parse_target(b"/df?form-sent=yes&unit=nginx&csrf-token=x"), form)

        self.assertEqual(asked.query, [("unit", "nginx")])
        self.assertEqual(asked.fields, [("unit", "nginx"), ("token", "y"), ("csrf_token", "z")])
        self.assertTrue(asked.is_confirmed)

    def test_no_parameter_is_called_as_our_fields(self) -> None:
        """So that none is lost."""
        self.assertFalse(any(map(is_parameter_name, {*OWN_FIELDS, FOLLOW})))

    def test_follow(self) -> None:
        """It stands in the query, with no value or one that says yes, and is no value of a command's."""
        for query, is_followed in ((b"follow", True), (b"follow=1", True), (b"follow=", True), (b"follow=no", False)):
            asked = values_of(parse_target(b"/df?unit=nginx&" + query), ())
            self.assertEqual((asked.is_followed, asked.query), (is_followed, [("unit", "nginx")]))
        with self.assertRaisesRegex(Malformed, "follow must be true or false, or have no value"):
            values_of(parse_target(b"/df?follow=maybe"), ())

    def test_follow_in_a_body(self) -> None:
        """There it is a value like others, and so a mistake."""
        asked = values_of(parse_target(b"/df"), [("follow", "")])

        self.assertEqual((asked.is_followed, asked.fields), (False, [("follow", "")]))

    def test_no_link_says_yes(self) -> None:
        """Only a form does: who sees the question has its page."""
        self.assertFalse(values_of(parse_target(b"/df?run-confirmed=yes"), [("unit", "nginx")]).is_confirmed)

    def test_empty(self) -> None:
        """A form that was sent with nothing in it is not the same as nothing."""
        self.assertTrue(values_of(parse_target(b"/df"), ()).is_empty)
        for target in (b"/df/x", b"/df?unit=", b"/df?form-sent=yes"):
            self.assertFalse(values_of(parse_target(target), ()).is_empty)

    def test_secrets_in_addresses(self) -> None:
        """They are found in the query and in the path, and nowhere else."""
        for target, command in (
            (b"/setpw?user=ann&password=hunter2", SETPW),
            (b"/setpw/ann/hunter2", SETPW),
            (b"/setpw/hunter2?user=ann&password=", SETPW),
            (b"/peek/ann/1234", PEEK),
        ):
            found = values_of(parse_target(target), ()).secrets_in_address(command)
            assert found is not None, target
            (mistake,) = found.mistakes
            self.assertIn(mistake.parameter, {"password", "pin"})
            self.assertNotIn("hunter2", str(found))
        for target, form, command in (
            (b"/setpw?user=ann", [("password", "hunter2")], SETPW),
            (b"/setpw/ann", [("password", "hunter2")], SETPW),
            (b"/journal/nginx/5", [], JOURNAL),
        ):
            self.assertIsNone(values_of(parse_target(target), form).secrets_in_address(command))
