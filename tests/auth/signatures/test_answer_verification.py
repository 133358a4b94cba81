"""Tests of answers: what a host has signed is one, and whatever is changed on the way is none."""

import unittest
from base64 import b64encode
from hashlib import sha256, sha512
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, algorithms
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.auth.signatures.answer_verification import Answer, signer, verify_answer
from cmdserver.auth.signatures.keys import WrongSignature
from cmdserver.auth.signatures.signed_answer import AnswerSigner
from tests.auth.signatures.doubles import blob_of
from tests.signing import NOW, Answered, Asked, Keys, Signing
from tests.signing import verify_answer as verify_by_another

HOST = "web-1"
BODY = b'{"code": "ok"}'
TYPE = "application/json"
ASKED = b"s" * 64
OTHER_SIGNATURE = b"t" * 64
COVERED = ("@status", "content-type", "content-digest", "cmdserver-host", '"signature";req;key="cmdserver"')


class AnswerTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.signing = Signing()
        assert isinstance(self.signing.key, Ed25519PrivateKey)
        self.key = self.signing.key
        self.blob = blob_of(self.signing.line)
        signed = AnswerSigner(self.key, HOST).sign(ASKED, 200, TYPE, BODY, NOW)
        self.fields = {"content-type": TYPE, **{name.lower(): value for name, value in signed}}
        self.given = self.fields["signature-input"]

    def answer(self, status: int = 200, body: bytes = BODY, **fields: str | None) -> Answer:
        """Return the answer with other fields; None takes one away."""
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        after = {name: value for name, value in {**self.fields, **names}.items() if value is not None}
        return Answer(status, after.get, body)

    def verify(self, answer: Answer, **differences: Any) -> None:
        """Verify it as an answer of the host that was asked."""
        options = {"request_signature": ASKED, "host": HOST, "keys": [self.blob]}
        verify_answer(answer, **{**options, **differences})

    def assert_refused(self, reason: str, answer: Answer, **differences: Any) -> None:
        """It is none, for a reason."""
        with self.assertRaisesRegex(WrongSignature, reason):
            self.verify(answer, **differences)


class OwnAnswerTests(AnswerTestCase):
    """As `AnswerSigner` makes them."""

    def test_as_it_was(self) -> None:
        """Nothing is changed; what is not covered may be."""
        self.verify(self.answer())
        self.verify(self.answer(retry_after="3"))
        self.assertEqual(signer(self.answer()), self.signing.fingerprint)

    def test_several_keys(self) -> None:
        """Of a host that is to have another key soon."""
        self.verify(self.answer(), keys=[blob_of(Signing().line), self.blob])
        self.verify(self.answer(), keys=iter([self.blob]))

    def test_case_of_names(self) -> None:
        """It matters as little as in whom a request is for."""
        self.verify(self.answer(), host="WEB-1")

    def test_what_was_answered(self) -> None:
        """Status, type and body; in each the reason is its own."""
        self.assert_refused("^wrong signature$", self.answer(status=503))
        self.assert_refused("^wrong signature$", self.answer(content_type="text/html"))
        self.assert_refused("there is no content-type", self.answer(content_type=None))
        self.assert_refused("not printable ASCII", self.answer(content_type="text/\u00e9"))
        self.assert_refused("its body is not what was signed", self.answer(body=BODY + b" "))
        self.assert_refused("its body is not what was signed", self.answer(body=b""))
        self.assert_refused("has an encoding", self.answer(content_encoding="gzip"))

    def test_the_digest(self) -> None:
        """Of another body, by a weak hash, by none; and a right one that is not what was signed."""
        other = b"{}"
        weak = f"sha-256=:{b64encode(sha256(other).digest()).decode()}:"
        self.assert_refused("^wrong signature$", self.answer(body=other, content_digest=weak))
        for digest in ("md5=:AAAA:", "sha-256=1", "sha-256=:AAAA:", "", "sha-256"):
            self.assert_refused("its body is not what was signed", self.answer(content_digest=digest))
        self.assert_refused("there is no content-digest", self.answer(content_digest=None))
        self.assert_refused("content-digest cannot be read", self.answer(content_digest="("))
        wrong = self.fields["content-digest"] + ", sha-512=:AAAA:"
        self.assert_refused("its body is not what was signed", self.answer(content_digest=wrong))
        right = f"{self.fields['content-digest']}, sha-512=:{b64encode(sha512(BODY).digest()).decode()}:"
        self.assert_refused("^wrong signature$", self.answer(content_digest=right))

    def test_whose(self) -> None:
        """Of another host, with its own name or with this one; of a key that is not known, or not of a host's type."""
        self.assert_refused("it is by web-2, not by web-1", self.answer(cmdserver_host="web-2"))
        self.assert_refused("it is by web-1, not by web-2", self.answer(), host="web-2")
        self.assert_refused("^wrong signature$", self.answer(cmdserver_host="web-2"), host="web-2")
        self.assert_refused("there is no cmdserver-host", self.answer(cmdserver_host=None))
        self.assert_refused("not known to have", self.answer(), keys=[blob_of(Signing().line)])
        self.assert_refused("not known to have", self.answer(), keys=[])
        other = Signing()
        claimed = self.given.replace(self.signing.fingerprint, other.fingerprint)
        self.assert_refused("not known to have", self.answer(signature_input=claimed))
        self.assert_refused("^wrong signature$", self.answer(signature_input=claimed), keys=[blob_of(other.line)])

    def test_which_question(self) -> None:
        """An answer to another one is none."""
        self.assert_refused("^wrong signature$", self.answer(), request_signature=OTHER_SIGNATURE)

    def test_the_signature(self) -> None:
        """Another, none, several, and what is none."""
        given = self.fields["signature"]
        other = f"cmdserver=:{b64encode(OTHER_SIGNATURE).decode()}:"
        self.assert_refused("^wrong signature$", self.answer(signature=other))
        self.assert_refused("there is no signature", self.answer(signature=None))
        for signature in (
            "", "cmdserver", "cmdserver=1", "cmdserver=:AAAA:", f"{given}, {given}", f"{given}, b=:AAAA:",
            given.replace("cmdserver", "other"), f"x{given}", f"{given};x", f"a=:AAAA:, {given}",
        ):  # fmt: skip
            self.assert_refused("there is not exactly one signature", self.answer(signature=signature))

    def test_what_is_covered(self) -> None:
        """Exactly that, and nothing twice."""
        for component in self.given.partition("(")[2].partition(")")[0].split(" "):
            for changed in ("", f"{component} {component}", f"{component};x", f"{component};req"):
                given = self.given.replace(component, changed)
                self.assert_refused("it covers|is there twice", self.answer(signature_input=given))
        for changed in (
            self.given.replace(";req", ""), self.given.replace(';key="cmdserver"', ""),
            self.given.replace(";req", ";req=?0"), self.given.replace('key="cmdserver"', "key=cmdserver"),
            self.given.replace('("', '("date" "'), self.given.replace('"@status"', "status"),
            self.given.replace('"@status"', ":AAAA:"), self.given.replace('"@status"', "1.5"), "cmdserver=()",
        ):  # fmt: skip
            self.assert_refused("it covers", self.answer(signature_input=changed))

    def test_what_says_so(self) -> None:
        """A second label, another one, another parameter, and what is none."""
        for changed, reason in (
            (f"{self.given}, b=()", "not exactly one signature"),
            (f"{self.given}, {self.given}", "is there twice"),
            (self.given.replace("cmdserver=", "other="), "not exactly one signature"),
            ("", "not exactly one signature"),
            (None, "there is no signature-input"),
            ("cmdserver", "are not as RFC 9421 has them"),
            ("cmdserver=1", "are not as RFC 9421 has them"),
            ("cmdserver=(", "cannot be read"),
            ("\u00e9", "not printable ASCII"),
            (f'{self.given};alg="ed25519"', "its parameters are not"),
            (f"{self.given};expires={NOW}", "its parameters are not"),
            (self.given.replace(f"created={NOW};", ""), "its parameters are not"),
            (self.given.replace(f"created={NOW}", "created=1.5"), "its parameters are not"),
            (self.given.replace(f"created={NOW}", "created"), "its parameters are not"),
            (self.given.replace('tag="cmdserver-answer"', 'tag="cmdserver"'), "its tag or its keyid"),
            (self.given.replace('tag="cmdserver-answer"', "tag=cmdserver-answer"), "its tag or its keyid"),
            (self.given.replace(f'"{self.signing.fingerprint}"', "1"), "its tag or its keyid"),
        ):
            self.assert_refused(reason, self.answer(signature_input=changed))
            with self.assertRaisesRegex(WrongSignature, reason):
                signer(self.answer(signature_input=changed))
        later = self.given.replace(f"created={NOW}", f"created={NOW + 1}")
        self.assert_refused("^wrong signature$", self.answer(signature_input=later))

    def test_keys_of_other_types(self) -> None:
        """Hosts sign with Ed25519, so another key that is listed for one is none that could have."""
        signing = Signing(ec.generate_private_key(ec.SECP256R1()))
        claimed = self.given.replace(self.signing.fingerprint, signing.fingerprint)
        answer = self.answer(signature_input=claimed)
        self.assert_refused("cannot sign", answer, keys=[blob_of(signing.line)])

    @given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40))
    def test_any_text(self, given: str, signature: str, digest: str) -> None:
        """Nothing but `WrongSignature` comes of any fields."""
        for fields in (
            {"signature-input": f"cmdserver{given}", "signature": f"cmdserver{signature}"},
            {"signature": signature},
            {"content-digest": digest},
        ):
            with self.assertRaises(WrongSignature):
                self.verify(Answer(200, {**self.fields, **fields}.get, BODY))

    @given(st.integers(min_value=0), st.binary(min_size=1, max_size=4))
    def test_any_change(self, at: int, new: bytes) -> None:
        """Whatever is written into a field that is covered, it is another answer."""
        for name in ("content-digest", "content-type", "cmdserver-host"):
            old = self.fields[name]
            place = at % len(old)
            changed = old[:place] + new.decode("latin-1") + old[place + 1 :]
            if changed.strip() != old:
                with self.assertRaises(WrongSignature, msg=changed):
                    self.verify(Answer(200, {**self.fields, name: changed}.get, BODY))


class OtherImplementationTests(AnswerTestCase):
    """http-message-signatures, which signs and verifies."""

    def signed(self, covered: tuple[str, ...] = COVERED, **differences: Any) -> Answer:
        """Sign an answer by it."""
        asked = Asked("GET", "http://host/uptime", {"Signature": f"cmdserver=:{b64encode(ASKED).decode()}:"})
        headers = {"Content-Type": TYPE, "Cmdserver-Host": HOST}
        answered = Answered(200, headers, asked)
        options = {
            "key_id": self.signing.fingerprint,
            "created": None,
            "label": "cmdserver",
            "tag": "cmdserver-answer",
            "include_alg": False,
            "body": BODY,
        }
        signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=Keys(self.key))
        signer.sign(answered, covered_component_ids=covered, **{**options, **differences})
        fields = {name.lower(): value for name, value in answered.headers.items()}
        return Answer(200, fields.get, BODY)

    def test_it_signs(self) -> None:
        """What it has signed is an answer, in whatever order it covers what has to be covered."""
        self.verify(self.signed())
        self.verify(self.signed(COVERED[::-1]))

    def test_it_signs_something_else(self) -> None:
        """Rightly, and it is none all the same."""
        for missing in COVERED:
            if missing != "content-digest":  # which it adds by itself
                covered = tuple(each for each in COVERED if each != missing)
                self.assert_refused("it covers", self.signed(covered))
        self.assert_refused("it covers", self.signed((*COVERED, '"@method";req')))
        self.assert_refused("its tag", self.signed(tag="cmdserver"))
        self.assert_refused("its parameters", self.signed(tag=None))
        self.assert_refused("its parameters", self.signed(include_alg=True))
        self.assert_refused("its parameters", self.signed(nonce="0123456789abcdef"))
        self.assert_refused("not exactly one signature", self.signed(label="other"))

    def test_it_verifies(self) -> None:
        """The same that is verified here."""
        asked = Asked("GET", "http://host/uptime", {"Signature": f"cmdserver=:{b64encode(ASKED).decode()}:"})
        verify_by_another(Answered(200, dict(self.fields), asked), BODY, self.signing.line)
