"""Tests of what a signature says: by another implementation's signatures, and by each change of what was signed."""

import unittest
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cmdserver.auth.signatures.keys import WrongSignature, verify
from cmdserver.auth.signatures.signed_request import Message, is_signed, read, signature_base
from cmdserver.core.site import FleetHost
from tests.auth.signatures.doubles import ask_until, blob_of, kind_of
from tests.signing import COVERED, NONCE, NOW, Asked, PrivateKey, Signing

WEB = FleetHost("default", "web-1")
BODY = b'{"unit": "nginx"}'


class KeyTests(unittest.TestCase):
    """Of each type that can sign."""

    def test_types(self) -> None:
        """What another implementation has signed is right; of a bit more or less it is not."""
        keys: list[PrivateKey] = [
            ed25519.Ed25519PrivateKey.generate(),
            ec.generate_private_key(ec.SECP256R1()),
            ec.generate_private_key(ec.SECP384R1()),
            rsa.generate_private_key(65537, 2048),
        ]
        for key in keys:
            signing = Signing(key)
            kind, blob = kind_of(signing.line), blob_of(signing.line)
            for asked in (signing.ask(), signing.ask("/restart?unit=nginx", "POST", BODY)):
                request = read(asked.message())

                verify(kind, blob, request.signature, request.base)
                self.assertEqual((request.user, request.fingerprint), ("ada", signing.fingerprint))
                for signature, base in (
                    (request.signature[:-1], request.base),
                    (request.signature + b"\0", request.base),
                    (bytes([request.signature[0] ^ 1]) + request.signature[1:], request.base),
                    (request.signature, request.base + b" "),
                    (b"", request.base),
                ):
                    with self.assertRaisesRegex(WrongSignature, "wrong signature"):
                        verify(kind, blob, signature, base)

    def test_other_types(self) -> None:
        """Those that RFC 9421 has no algorithm for, and what is no key."""
        nistp521 = Signing(ec.generate_private_key(ec.SECP521R1())).line
        short = Signing(rsa.generate_private_key(65537, 1024)).line  # noqa: S505 - refused
        security_key = _security_key()
        for line in (nistp521, short, security_key):
            with self.assertRaisesRegex(WrongSignature, "cannot sign requests"):
                verify(kind_of(line), blob_of(line), b"x" * 128, b"x")
        for kind, blob in (("ssh-ed25519", b""), ("sk-ssh-ed25519@openssh.com", b"x"), ("x", b"")):
            with self.assertRaisesRegex(WrongSignature, "cannot sign requests"):
                verify(kind, blob, b"x" * 64, b"x")

    def test_another_key(self) -> None:
        """Somebody else's signature."""
        request = read(Signing().ask().message())
        other = Signing().line

        with self.assertRaises(WrongSignature):
            verify(kind_of(other), blob_of(other), request.signature, request.base)


def _security_key() -> str:
    """Make a key of a security token's, which is an Ed25519 key and an application."""
    parts = (b"sk-ssh-ed25519@openssh.com", blob_of(Signing().line)[-32:], b"ssh:")
    blob = b"".join(len(each).to_bytes(4, "big") + each for each in parts)
    return f"sk-ssh-ed25519@openssh.com {b64encode(blob).decode()}"


class ChangeTests(unittest.TestCase):
    """Whatever is changed on the way is another request, or none."""

    def setUp(self) -> None:
        self.signing = Signing()
        self.asked = self.signing.ask("/restart?unit=nginx", "POST", BODY)

    def is_right(self, message: Message) -> bool:
        """Whether a request is as it was signed."""
        try:
            request = read(message)
            verify("ssh-ed25519", blob_of(self.signing.line), request.signature, request.base)
            request.require_meant(WEB)
            request.require_timely(NOW)
        except WrongSignature:
            return False
        return True

    def changed(self, **fields: str | None) -> Message:
        """Return the request with other fields; None takes one away."""
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        before = {name.lower(): value for name, value in self.asked.headers.items()}
        after = {name: value for name, value in {**before, **names}.items() if value is not None}
        return Message(self.asked.method, self.asked.target, after.get, self.asked.body)

    def test_as_it_was(self) -> None:
        """Nothing is changed."""
        self.assertTrue(self.is_right(self.asked.message()))
        self.assertTrue(self.is_right(self.changed(accept="text/plain")))

    def test_the_request(self) -> None:
        """Method, path, query, and each of them written otherwise; and the body."""
        message = self.asked.message()
        for different in (
            replace(message, method="GET"), replace(message, target="/reboot?unit=nginx"),
            replace(message, target="/%72estart?unit=nginx"), replace(message, target="/restart?unit=nginx&x=y"),
            replace(message, target="/restart"), replace(message, target="/restart?"),
            replace(message, target="http://host/restart?unit=nginx"), replace(message, target="/restart?unit=nginx "),
            replace(message, body=b'{"unit": "sshd!"}'), replace(message, body=b""),
        ):  # fmt: skip
            self.assertFalse(self.is_right(different), different)

    def test_the_fields(self) -> None:
        """What is covered, and what says what is covered."""
        given = self.asked.headers["Signature-Input"]
        for name, value in (
            ("content-type", "application/x-www-form-urlencoded"), ("content-type", None), ("content-digest", None),
            ("content-digest", "sha-256=:AAAA:"), ("content-digest", "md5=:AAAA:"), ("content-digest", "sha-256=1"),
            ("content-encoding", "gzip"), ("cmdserver-audience", 'default;hosts=("web-1" "db-1")'),
            ("cmdserver-audience", None), ("cmdserver-audience", "default"), ("signature", None),
            ("signature-input", None),
            ("signature", self.asked.headers["Signature"] + ", b=:AAAA:"), ("signature-input", given + ", b=()"),
            ("signature-input", given + ", " + given), ("signature", "cmdserver=:AAAA:"), ("signature", "cmdserver=1"),
            ("signature-input", "cmdserver=1"), ("signature-input", "cmdserver=("), ("signature-input", "cmdserver"),
            ("signature-input", given.replace(NONCE, NONCE[::-1])), ("signature-input", given.replace("ada:", "bob:")),
            ("signature-input", given.replace('"@method" ', "")),
            ("signature-input", given.replace("expires=17", "expires=27")),
            ("signature-input", given.replace('tag="cmdserver"', 'tag="other"')),
            ("signature-input", given + ';alg="ed25519"'),
            ("signature-input", given.replace('"@method"', '"@method";req')), ("signature-input", given + ";x\u00e9"),
            ("signature-input", given.replace('"@method"', '"@method" "@method"')),
            ("signature-input", "\u00e9cmdserver"),
        ):  # fmt: skip
            self.assertFalse(self.is_right(self.changed(**{name: value})), (name, value))

    def test_what_is_signed_and_is_too_little(self) -> None:
        """By a caller who has forgotten something, or takes their time."""
        ask: Callable[..., Asked] = self.signing.ask
        self.assertTrue(self.is_right(ask().message()))
        for asked in (
            *(ask(covered=[each for each in COVERED if each != missing]) for missing in COVERED),
            ask(covered=(*COVERED, "@authority")), ask(nonce="short"), ask(nonce="x" * 129), ask(tag="other"),
            ask(tag=None), ask(label="other"), ask(key_id="ada"), ask(key_id=":SHA256:x"), ask(include_alg=True),
            ask(created=NOW - 66), ask(created=NOW + 6), ask(audience='default;hosts=("web-2")'),
            ask(audience='other;hosts=("web-1")'), ask(created=NOW - 61, expires=ask_until(NOW)),
            ask(created=NOW, expires=ask_until(NOW)),
        ):  # fmt: skip
            self.assertFalse(self.is_right(asked.message()), asked)
        unread = replace(ask().message(), body=b"x")
        self.assertFalse(self.is_right(unread), "a body where none was signed")

    def test_why(self) -> None:
        """Each reason by itself, whether or not the signature would be right."""
        given = self.asked.headers["Signature-Input"]
        no_digest = given.replace(self.signing.fingerprint, "SHA256:x")
        with_method = given.replace('"@method"', '"@method" "@method"')
        extra = self.signing.ask(covered=(*COVERED, "accept"), headers={"Accept": "text/plain"})
        for message, reason in (
            (extra.message(), "it covers @method, @path, @query, accept"),
            (self.changed(content_digest="md5=:AAAA:"), "not what was signed"),
            (self.changed(content_digest="sha-256=1"), "not what was signed"),
            (self.changed(signature_input=given.replace('"@method"', '"@method";req')), "or with a parameter"),
            (self.changed(signature_input=given.replace('"@method"', "method")), "or with a parameter"),
            (self.changed(signature_input=with_method), "covers a component twice"),
            (self.changed(signature_input=f"{given}, {given}"), "cmdserver is there twice"),
            (self.changed(signature_input=given.replace(";nonce", ";created=1;nonce")), "created is there twice"),
            (self.changed(signature_input=given.replace(NONCE, NONCE[:15])), "its tag or its nonce"),
            (self.changed(signature_input=given.replace(NONCE, NONCE[:15] + " ")), "its tag or its nonce"),
            (self.changed(signature_input=given.replace("ada:SHA256", ":SHA256")), "its keyid is not like"),
            (self.changed(signature_input=given.replace(self.signing.fingerprint, "SHA256:")), "its keyid is not like"),
            (self.changed(signature_input=given.replace(self.signing.fingerprint, "x")), "its keyid is not like"),
            (self.changed(content_type="text/\u00e9"), "content-type is not printable ASCII"),
            (self.changed(content_type="text/a\nb"), "content-type is not printable ASCII"),
            (self.changed(last_event_id="0123456789abcdef.0"), "last-event-id says something else"),
            (self.changed(cmdserver_stop="1"), "cmdserver-stop says something else"),
            (self.changed(prefer="respond-async"), "prefer says something else"),
            (self.changed(content_encoding="gzip"), "content-encoding says something else"),
            (replace(self.asked.message(), method="G\u00e9T"), "has no method"),
            (self.changed(signature_input=no_digest), "its keyid is not like"),
            (replace(self.asked.message(), target="*"), "target is not a path"),
            (replace(self.asked.message(), target="http://host/restart"), "target is not a path"),
            (replace(self.asked.message(), target="/a\nb"), "target is not a path"),
        ):  # fmt: skip
            with self.assertRaisesRegex(WrongSignature, reason):
                read(message)

    def test_time(self) -> None:
        """Sixty seconds, and five for clocks that differ."""
        for age, expected in ((-6, False), (-5, True), (0, True), (65, True), (66, False)):
            self.assertEqual(self.is_right(self.signing.ask(created=NOW - age).message()), expected, age)

    def test_whether_it_is_signed(self) -> None:
        """By us: what a proxy has signed, under another label, is for somebody else."""
        self.assertTrue(is_signed(self.asked.message().field))
        self.assertFalse(is_signed(self.signing.ask(label="proxy", tag="x").message().field))
        self.assertFalse(is_signed(lambda _: None))

    @given(st.text(max_size=60), st.text(max_size=60))
    def test_any_text(self, given: str, signature: str) -> None:
        """Nothing but `WrongSignature` comes of any fields."""
        fields = {"signature-input": f"cmdserver{given}", "signature": f"cmdserver{signature}"}
        with self.assertRaises(WrongSignature):
            read(Message("GET", "/", fields.get, b""))


class VectorTests(unittest.TestCase):
    """The test vectors of RFC 9421, appendix B, for what both have."""

    def is_right(self, public: str, values: list[tuple[Any, str]], key_id: str, signature: str) -> None:
        """Verify what is signed."""
        line = load_der_public_key(b64decode(public)).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        member = ([component for component, _ in values], {"created": 1618884473, "keyid": key_id})
        verify(kind_of(line), blob_of(line), b64decode(signature), signature_base(values, member))

    def test_ed25519(self) -> None:
        """B.2.6."""
        self.is_right(
            "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=",
            [
                (("date", {}), "Tue, 20 Apr 2021 02:07:55 GMT"),
                (("@method", {}), "POST"),
                (("@path", {}), "/foo"),
                (("@authority", {}), "example.com"),
                (("content-type", {}), "application/json"),
                (("content-length", {}), "18"),
            ],
            "test-key-ed25519",
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        )

    def test_ecdsa(self) -> None:
        """B.2.4."""
        digest = "mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ=="
        self.is_right(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0Ek"
            "jqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==",
            [
                (("@status", {}), "200"),
                (("content-type", {}), "application/json"),
                (("content-digest", {}), f"sha-512=:{digest}:"),
                (("content-length", {}), "23"),
            ],
            "test-key-ecc-p256",
            "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==",
        )
