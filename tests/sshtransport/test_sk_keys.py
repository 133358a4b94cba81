"""Tests of security keys: signatures that tokens have made, and what is wanted of them."""

import hashlib
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.encoding import Fields, Malformed, mpint, string, uint32
from cmdserver.sshtransport.sk_keys import ECDSA_P256, ED25519, PRESENT, parse_key, parse_signature, verify

#: Signatures of tokens, from OpenSSH's regress/unittests/sshsig/testdata: ed25519_sk.sig and ecdsa_sk.sig.
OPENSSH_SIGNATURES = {
    ED25519: (
        "U1NIU0lHAAAAAQAAAEoAAAAac2stc3NoLWVkMjU1MTlAb3BlbnNzaC5jb20AAAAgmxoNhdBiu5zpuKUJgMgrhhI54b7OatE7Yz23Tf//sscAAAAE"
        "c3NoOgAAAAh1bml0dGVzdAAAAAAAAAAGc2hhNTEyAAAAZwAAABpzay1zc2gtZWQyNTUxOUBvcGVuc3NoLmNvbQAAAEAi+7eTjW/+LQ2M+sCD+KFt"
        "H1n7VFFJon/SZFsxODyV8cWTlFKj617Ys1Ur5TV6uaEXQhck8rBA2oQIHTPANLIPARI0Vng="
    ),
    ECDSA_P256: (
        "U1NIU0lHAAAAAQAAAH8AAAAic2stZWNkc2Etc2hhMi1uaXN0cDI1NkBvcGVuc3NoLmNvbQAAAAhuaXN0cDI1NgAAAEEEoNVrmNFxPlXsTrKybBWL"
        "sclaHunkP6F5ss9qRBymcPZqMlnob/hbO6GVhadyVZjrcmykOnb31GWGrkBPzr+DwAAAAARzc2g6AAAACHVuaXR0ZXN0AAAAAAAAAAZzaGE1MTIA"
        "AAB3AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAABIAAAAIHohGwyy8iKT3zwd1TYA9V/Ioo7h/3zCJUtyq/Qigt/HAAAA"
        "IGzidTwq7D/kFa7Xjcp/KkdbIs4MfQpfAW/0OciajlpzARI0Vng="
    ),
}
#: The same directory's signed-data.
OPENSSH_DATA = b"This is a test, this is only a test"


def openssh(kind: bytes) -> tuple[bytes, bytes, bytes]:
    """Take OpenSSH's example apart, which is in the format of PROTOCOL.sshsig: key, signature and what was signed."""
    fields = Fields(b64decode(OPENSSH_SIGNATURES[kind]))
    fields.take(len("SSHSIG") + 4)
    key, namespace, reserved, algorithm, signature = (fields.string() for _ in range(5))
    fields.end()
    digest = hashlib.sha512(OPENSSH_DATA).digest()
    return key, signature, b"SSHSIG" + b"".join(map(string, (namespace, reserved, algorithm, digest)))


#: The flag for a PIN, or a fingerprint (PROTOCOL.u2f).
VERIFIED = 0x04


class Token:
    """A token made of software, which says of its holder whatever it is told to.

    Args:
        kind: The type of its key.
    """

    def __init__(self, kind: bytes) -> None:
        self.kind = kind
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(bytes(32))
        self._p256 = generate_private_key(SECP256R1())

    @property
    def blob(self) -> bytes:
        """Its public key."""
        if self.kind == ED25519:
            return string(ED25519) + string(self._ed25519.public_key().public_bytes_raw()) + string(b"ssh:")
        point = self._p256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return string(ECDSA_P256) + string(b"nistp256") + string(point) + string(b"ssh:")

    def sign(self, message: bytes, flags: int, counter: int = 7) -> bytes:
        """Sign a message."""
        content = b"".join(
            (
                hashlib.sha256(b"ssh:").digest(),
                bytes((flags,)),
                uint32(counter),
                hashlib.sha256(message).digest(),
            )
        )
        if self.kind == ED25519:
            signature = self._ed25519.sign(content)
        else:
            r, s = decode_dss_signature(self._p256.sign(content, ECDSA(SHA256())))
            signature = mpint(r.to_bytes(32, "big")) + mpint(s.to_bytes(32, "big"))
        return string(self.kind) + string(signature) + bytes((flags,)) + uint32(counter)


TOKENS = [Token(ED25519), Token(ECDSA_P256)]


class VerifyTests(SynchronousTestCase):
    def test_signatures_of_real_tokens_are_verified(self) -> None:
        """Those of OpenSSH's own tests."""
        for kind in OPENSSH_SIGNATURES:
            with self.subTest(kind=kind):
                key, signature, signed = openssh(kind)

                self.assertTrue(verify(key, signature, signed))
                self.assertFalse(verify(key, signature, signed + b"."))

    def test_somebody_must_have_touched_the_token(self) -> None:
        """No other flag counts: a PIN says who it was, and not that somebody is there now."""
        for token in TOKENS:
            for flags, is_good in ((0, False), (VERIFIED, False), (PRESENT, True), (0xFF, True), (0xFE, False)):
                with self.subTest(token.kind, flags=flags):
                    self.assertIs(verify(token.blob, token.sign(b"message", flags), b"message"), is_good)

    def test_flags_and_counter_are_signed(self) -> None:
        """A presence that is claimed afterwards is none."""
        for token in TOKENS:
            with self.subTest(token.kind):
                signature = token.sign(b"message", 0)
                claimed = signature[:-5] + bytes((PRESENT,)) + signature[-4:]
                counted = token.sign(b"message", PRESENT)[:-1] + b"\xff"

                self.assertFalse(verify(token.blob, claimed, b"message"))
                self.assertFalse(verify(token.blob, counted, b"message"))

    def test_the_types_must_be_the_same(self) -> None:
        """A signature of another kind of key is none of this one."""
        ed25519, p256 = TOKENS
        renamed = ed25519.sign(b"message", PRESENT).replace(string(ED25519), string(ECDSA_P256))

        self.assertFalse(verify(ed25519.blob, p256.sign(b"message", PRESENT), b"message"))
        self.assertFalse(verify(ed25519.blob, renamed, b"message"))

    @given(st.sampled_from(TOKENS), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
    def test_no_bit_can_be_changed(self, token: Token, place: float, bit: int) -> None:
        """Whatever is changed in a signature, it is good no more."""
        signature = bytearray(token.sign(b"message", PRESENT))
        signature[int(len(signature) * place)] ^= 1 << bit

        self.assertFalse(verify(token.blob, bytes(signature), b"message"))

    @given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(TOKENS))
    def test_any_bytes_are_answered(self, one: bytes, other: bytes, token: Token) -> None:
        """With no, unless they are a signature."""
        self.assertFalse(verify(one, other, b"message"))
        self.assertFalse(verify(token.blob, one, b"message"))
        self.assertFalse(verify(token.blob, string(token.kind) + string(one) + bytes((PRESENT,)) + uint32(1), b"m"))


class NumberTests(SynchronousTestCase):
    def test_numbers_of_a_signature_are_positive_and_not_long(self) -> None:
        """What ECDSA cannot have made is refused before it is computed with."""
        token = TOKENS[1]
        for number in (b"", b"\0", b"\x80", b"\1" * 34):
            with self.subTest(number=number):
                pair = string(string(number) + string(b"\1"))

                self.assertFalse(
                    verify(token.blob, string(ECDSA_P256) + pair + bytes((PRESENT,)) + uint32(1), b"message")
                )


class ParseTests(SynchronousTestCase):
    def test_keys_and_signatures_say_what_they_are(self) -> None:
        """Type, application, flags and counter."""
        for token in TOKENS:
            with self.subTest(token.kind):
                key, signature = parse_key(token.blob), parse_signature(token.sign(b"message", VERIFIED, 99))

                self.assertEqual((key.type, key.application), (token.kind, b"ssh:"))
                self.assertEqual((signature.type, signature.flags, signature.counter), (token.kind, VERIFIED, 99))

    def test_what_is_no_key_is_refused(self) -> None:
        """Other types, other curves, points that are none, and what is left over."""
        p256 = TOKENS[1].blob
        for blob in (
            b"",
            string(b"ssh-ed25519") + string(bytes(32)),
            string(ED25519) + string(bytes(31)) + string(b"ssh:"),
            p256.replace(b"\0\0\0\x08nistp256", b"\0\0\0\x08nistp384"),
            string(ECDSA_P256) + string(b"nistp256") + string(b"\4" + bytes(64)) + string(b"ssh:"),
            p256 + b"x",
            p256[:-1],
        ):
            with self.subTest(blob=blob), self.assertRaises(Malformed):
                parse_key(blob)
