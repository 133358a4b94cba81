"""Tests of signing: what is signed is what hosts take, and what another implementation takes."""

import unittest
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureAlgorithm, algorithms
from msgspec.structs import replace

from cmdserver.auth.signatures.audience import Audience
from cmdserver.auth.signatures.keys import WrongSignature, verify
from cmdserver.auth.signatures.keys import sign as sign_with
from cmdserver.auth.signatures.request_signing import Question, SignedQuestion, sign
from cmdserver.auth.signatures.signed_request import MOST_SECONDS, Message, SignedRequest, read
from cmdserver.core.site import FleetHost
from tests.auth.signatures.doubles import blob_of, kind_of
from tests.signing import COVERED, NONCE, NOW, Asked, Keys, PrivateKey, Signing

GET = Question("GET", "/uptime")
POST = Question("POST", "/restart?unit=nginx%20x", "application/json", b'{"unit": "nginx"}')
AUDIENCE = Audience("default", ("web-1", "db-*"))
KEYS: tuple[tuple[PrivateKey, type[HTTPSignatureAlgorithm]], ...] = (
    (ed25519.Ed25519PrivateKey.generate(), algorithms.ED25519),
    (ec.generate_private_key(ec.SECP256R1()), algorithms.ECDSA_P256_SHA256),
    (ec.generate_private_key(ec.SECP384R1()), algorithms.ECDSA_P384_SHA384),
    (rsa.generate_private_key(65537, 2048), algorithms.RSA_V1_5_SHA256),
)


class SoftKey:
    """A key in memory, which notes what it has signed."""

    def __init__(self, key: PrivateKey) -> None:
        self.key = key
        self.signed: list[bytes] = []
        signing = Signing(key)
        self.kind, self.blob, self.fingerprint = kind_of(signing.line), blob_of(signing.line), signing.fingerprint

    def sign(self, content: bytes) -> bytes:
        """Sign."""
        self.signed.append(content)
        return sign_with(self.key, content)


class AnyTimeVerifier(HTTPMessageVerifier):
    """The other implementation, without a clock."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Take every time."""


def signed(question: Question, key: SoftKey, **differences: Any) -> SignedQuestion:
    """Sign as ada."""
    options = {"user": "ada", "audience": AUDIENCE, "created": NOW, "nonce": NONCE}
    return sign(question, key, **{**options, **differences})


def as_read(question: Question, key: SoftKey, sent: SignedQuestion) -> SignedRequest:
    """Read and verify it as a host does."""
    fields = {name.lower(): value for name, value in sent.fields}
    request = read(Message(question.method, question.target, fields.get, question.body))
    verify(key.kind, key.blob, request.signature, request.base)
    return request


class SigningTests(unittest.TestCase):
    def test_hosts_take_it(self) -> None:
        """With a body and without, by each type of key: who asks, whom, and for how long."""
        for private, _ in KEYS:
            key = SoftKey(private)
            for question in (GET, POST):
                sent = signed(question, key)
                request = as_read(question, key, sent)

                self.assertEqual((request.user, request.fingerprint), ("ada", key.fingerprint))
                self.assertEqual((request.created, request.expires), (NOW, NOW + MOST_SECONDS))
                self.assertEqual((request.nonce, request.audience), (NONCE, AUDIENCE))
                self.assertEqual((request.signature, [request.base]), (sent.signature, key.signed[-1:]))
                request.require_meant(FleetHost("default", "db-7"))
                request.require_timely(NOW)

    def test_another_implementation_takes_it(self) -> None:
        """It says that all is covered that has to be."""
        for private, algorithm in KEYS:
            key = SoftKey(private)
            for question in (GET, POST):
                fields = dict(signed(question, key).fields)
                asked = Asked(question.method, f"http://host{question.target}", fields, question.body)
                of_body = ("content-type", "content-digest") if question.body else ()
                verifier = AnyTimeVerifier(signature_algorithm=algorithm, key_resolver=Keys(private.public_key()))
                (result,) = verifier.verify(
                    asked,
                    max_age=None,
                    expect_tag="cmdserver",
                    require_components=(*COVERED, *of_body),
                    body=question.body or None,
                )
                self.assertEqual(len(result.covered_components), 1 + len(COVERED) + len(of_body))

    def test_what_is_sent(self) -> None:
        """These fields; of a body that is not there neither a type nor a digest."""
        key = SoftKey(KEYS[0][0])
        ours = ("Cmdserver-Audience", "Signature-Input", "Signature")
        of_body = ("Content-Type", "Content-Digest")

        self.assertEqual(tuple(name for name, _ in signed(replace(GET, content_type="x/y"), key).fields), ours)
        self.assertEqual(tuple(name for name, _ in signed(POST, key).fields), (ours[0], *of_body, *ours[1:]))
        self.assertEqual(dict(signed(GET, key).fields)["Cmdserver-Audience"], 'default;hosts=("web-1" "db-*")')

    def test_for_a_shorter_time(self) -> None:
        """As long as its caller says."""
        key = SoftKey(KEYS[0][0])

        self.assertEqual(as_read(GET, key, signed(GET, key, seconds=10)).expires, NOW + 10)

    def test_each_is_another(self) -> None:
        """By its nonce, its time, its audience, and what is asked."""
        key = SoftKey(KEYS[0][0])
        for differences in ({"nonce": NONCE[::-1]}, {"created": NOW + 1}, {"audience": Audience("prod", ("a",))}):
            self.assertNotEqual(signed(GET, key, **differences).signature, signed(GET, key).signature)
        for question in (POST, replace(GET, method="POST"), replace(GET, target="/uptime?x")):
            signature = dict(signed(GET, key).fields)["Signature"]
            self.assertNotEqual(dict(signed(question, key).fields)["Signature"], signature)

    def test_what_no_host_would_take(self) -> None:
        """It is refused before it is signed."""
        key = SoftKey(KEYS[0][0])
        for question in (
            replace(GET, target="uptime"), replace(GET, target="/a b"), replace(GET, target="/\u00e9"),
            replace(GET, target="http://host/uptime"), replace(POST, content_type=""),
            replace(POST, content_type="text/\u00e9"), replace(POST, content_type="text/a\nb"),
        ):  # fmt: skip
            with self.assertRaises(WrongSignature):
                signed(question, key)
        self.assertEqual(key.signed, [])
