"""Tests of signatures, as an attacker."""

import hashlib
import hmac

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.triggers.hook import SignatureRule
from cmdserver.triggers.signatures import is_right

GITHUB = SignatureRule.parse("github")
GITLAB = SignatureRule.parse("gitlab")
PLAIN = SignatureRule.parse("hmac-sha256:X-Signature")
SECRET = b"It's a Secret to Everybody"
BODY = b"Hello, World!"
#: GitHub's own example, of its page "Validating webhook deliveries".
DIGEST = b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def digest(body: bytes, secret: bytes = SECRET, algorithm: str = "sha256") -> bytes:
    """Sign."""
    return hmac.digest(secret, body, algorithm).hex().encode()


class DigestTests(SynchronousTestCase):
    def test_the_right_one_is_right(self) -> None:
        """Of GitHub with its prefix; the plain one with or without it; hexadecimal digits of any case."""
        for rule, value in (
            (GITHUB, b"sha256=" + DIGEST),
            (GITHUB, b"sha256=" + DIGEST.upper()),
            (PLAIN, DIGEST),
            (PLAIN, DIGEST.upper()),
            (PLAIN, b"sha256=" + DIGEST),
        ):
            self.assertIs(is_right(rule, [SECRET], [value], BODY), True)

    def test_another_body_is_not_signed(self) -> None:
        """Not even by a byte, or none."""
        for rule in (GITHUB, PLAIN):
            for body in (BODY + b"\n", BODY[:-1], b"", BODY.lower()):
                self.assertIs(is_right(rule, [SECRET], [b"sha256=" + DIGEST], body), False)

    def test_what_is_no_such_signature_is_not_right(self) -> None:
        """Another algorithm, another secret, parts of the right one, digits that are none, things around it."""
        for value in (
            b"",
            b"sha256=",
            b"sha256=" + DIGEST[:-1],
            b"sha256=" + DIGEST + b"0",
            b"sha256=" + DIGEST[:-1] + b"8",
            b"sha256=" + digest(BODY, b"another"),
            b"sha256=" + digest(BODY, b""),
            b"sha1=" + digest(BODY, algorithm="sha1"),
            b"sha1=" + DIGEST,
            b"sha512=" + digest(BODY, algorithm="sha512"),
            b"sha256=sha256=" + DIGEST,
            b"SHA256=" + DIGEST,
            b"sha256:" + DIGEST,
            b"sha256=" + DIGEST + b"\n",
            b"sha256= " + DIGEST,
            b"sha256=" + DIGEST + b",sha256=" + DIGEST,
            b"sha256=" + hashlib.sha256(BODY).hexdigest().encode(),
            b"sha256=" + SECRET,
            SECRET,
            b"sha256=" + "\u0661".encode() * 64,
            b"\xff" * 64,
        ):
            self.assertIs(is_right(GITHUB, [SECRET], [value], BODY), False, value)
            self.assertIs(is_right(PLAIN, [SECRET], [value], BODY), False, value)
        self.assertIs(is_right(GITHUB, [SECRET], [DIGEST], BODY), False)

    def test_an_empty_body_is_signed_too(self) -> None:
        """And nothing else is by that."""
        self.assertIs(is_right(PLAIN, [SECRET], [digest(b"")], b""), True)
        self.assertIs(is_right(PLAIN, [SECRET], [digest(b"")], b"{}"), False)

    @given(st.binary(max_size=100), st.binary(max_size=40))
    @settings(deadline=None)
    def test_no_bytes_are_right_by_chance(self, value: bytes, body: bytes) -> None:
        """And none raise anything."""
        for rule in (GITHUB, PLAIN, GITLAB):
            self.assertIs(is_right(rule, [SECRET], [value], body), value == SECRET and rule is GITLAB)


class TokenTests(SynchronousTestCase):
    def test_the_token_is_the_secret(self) -> None:
        """Byte for byte, whatever the body is."""
        self.assertIs(is_right(GITLAB, [SECRET], [SECRET], BODY), True)
        self.assertIs(is_right(GITLAB, ["sch\u00f6n".encode()], ["sch\u00f6n".encode()], b""), True)

    def test_another_token_is_not_right(self) -> None:
        """Nor a digest by it."""
        for value in (b"", SECRET[:-1], SECRET + b" ", SECRET.upper(), b"sha256=" + DIGEST, DIGEST, b"\xff"):
            self.assertIs(is_right(GITLAB, [SECRET], [value], BODY), False, value)


class SecretsTests(SynchronousTestCase):
    def test_any_of_several_will_do(self) -> None:
        """The old one and the new one, while one takes the other's place."""
        for secrets in ([SECRET, b"new"], [b"old", SECRET], [b"a", SECRET, b"b"]):
            self.assertIs(is_right(GITHUB, secrets, [b"sha256=" + DIGEST], BODY), True)
            self.assertIs(is_right(GITLAB, secrets, [SECRET], BODY), True)
        self.assertIs(is_right(GITLAB, [b"old", b"new"], [SECRET], BODY), False)

    def test_no_secret_is_no_password(self) -> None:
        """Nothing is right where there is none, or an empty one."""
        empty: list[list[bytes]] = [[], [b""], [b"", b""]]
        for secrets in empty:
            self.assertIs(is_right(GITLAB, secrets, [b""], BODY), False)
            self.assertIs(is_right(PLAIN, secrets, [digest(BODY, b"")], BODY), False)

    def test_there_is_one_signature(self) -> None:
        """Neither none nor two, of which another might be looked at."""
        right = b"sha256=" + DIGEST
        wrong: list[list[bytes]] = [[], [right, right], [right, b"x"], [b"x", right]]
        for values in wrong:
            self.assertIs(is_right(GITHUB, [SECRET], values, BODY), False)
            self.assertIs(is_right(GITLAB, [right], values, BODY), False)
