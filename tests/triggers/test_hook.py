"""Tests of what the configuration can say of a hook."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.triggers.hook import Number, Place, Scheme, SignatureRule, ValuePath, secret_of


class SignatureRuleTests(SynchronousTestCase):
    def test_there_are_three(self) -> None:
        """With the header fields of those who have invented them, or one's own."""
        for text, scheme, header in (
            ("github", Scheme.GITHUB, "X-Hub-Signature-256"),
            ("gitlab", Scheme.GITLAB, "X-Gitlab-Token"),
            ("hmac-sha256:X-Signature", Scheme.HMAC_SHA256, "X-Signature"),
        ):
            self.assertEqual(SignatureRule.parse(text), SignatureRule(scheme, header))

    def test_anything_else_is_a_mistake(self) -> None:
        """An algorithm that is not safe above all."""
        for text in (
            "",
            "none",
            "GitHub",
            "github:",
            "github:X-Other",
            "gitlab:X",
            "hmac-sha256",
            "hmac-sha256:",
            "hmac-sha1:X-Signature",
            "sha256:X",
            "hmac-sha256:X Signature",
            "hmac-sha256:X:Y",
            "hmac-sha256:X\r\nY",
            f"hmac-sha256:{'X' * 101}",
        ):
            self.assertRaises(ValueError, SignatureRule.parse, text)


class ValuePathTests(SynchronousTestCase):
    def test_paths_are_read(self) -> None:
        """Dots part the keys of a body; a name of a header field or a query may have some."""
        for text, place, keys in (
            ("body.ref", Place.BODY, ("ref",)),
            ("body.commits.0.id", Place.BODY, ("commits", "0", "id")),
            ("header.X-GitHub-Event", Place.HEADER, ("X-GitHub-Event",)),
            ("header.x.y", Place.HEADER, ("x.y",)),
            ("query.a.b", Place.QUERY, ("a.b",)),
        ):
            self.assertEqual(ValuePath.parse(text), ValuePath(place, keys))
            self.assertEqual(str(ValuePath.parse(text)), text)

    def test_anything_else_is_a_mistake(self) -> None:
        """No place, no key, or a header field that cannot be."""
        for text in ("", "body", "body.", "body..a", "body.a.", ".a", "form.a", "Body.a", "header.", "header.a b"):
            self.assertRaises(ValueError, ValuePath.parse, text)
        for text in ("query.", "query", "header", "header.\u00e4", "body" + ".a" * 33):
            self.assertRaises(ValueError, ValuePath.parse, text)

    @given(st.text(max_size=20) | st.text("bodyhequr.012", max_size=20))
    @settings(deadline=None)
    def test_any_text_is_a_path_or_a_mistake(self, text: str) -> None:
        """And is spelled as it was read."""
        with contextlib.suppress(ValueError):
            self.assertEqual(str(ValuePath.parse(text)), text)


class SecretTests(SynchronousTestCase):
    def test_the_last_line_break_is_no_part(self) -> None:
        """One, of Unix or Windows; everything else is, as who made the secret has seen it."""
        for content, secret in (
            (b"s", b"s"),
            (b"s\n", b"s"),
            (b"s\r\n", b"s"),
            (b"s\n\n", b"s\n"),
            (b" s \n", b" s "),
            (b"\xff\x00\n", b"\xff\x00"),
        ):
            self.assertEqual(secret_of(content), secret)

    def test_nothing_is_no_secret(self) -> None:
        """Everybody knows that one."""
        for content in (b"", b"\n", b"\r\n"):
            self.assertRaises(ValueError, secret_of, content)


class ScalarTests(SynchronousTestCase):
    def test_values_of_different_types_are_not_equal(self) -> None:
        """As JSON has them: the text 1 is not the number 1, which is not 1.0 and not true."""
        values: list[object] = ["1", Number("1"), Number("1.0"), True, "true", False]

        for index, value in enumerate(values):
            self.assertEqual([each == value for each in values].index(True), index)
            self.assertEqual(values.count(value), 1)
