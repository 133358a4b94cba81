"""Tests of the methods, with known answers; whole exchanges are in test_captured and test_transport."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport.encoding import mpint, string
from cmdserver.sshtransport.key_exchange import BadPublicKey, KeyMaterial, curve25519_sha256, mlkem768x25519_sha256

#: RFC 7748 section 6.1.
ALICE = X25519PrivateKey.from_private_bytes(
    bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
)
ALICE_PUBLIC = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
BOB_PUBLIC = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
#: Some points of low order, with which every secret is zero.
LOW_ORDER = (
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
)


class Curve25519Tests(SynchronousTestCase):
    def test_the_rfcs_example(self) -> None:
        """RFC 7748's secret, as a number (RFC 8731 section 3.1)."""
        exchanged = curve25519_sha256(BOB_PUBLIC, ALICE)

        self.assertEqual((exchanged.answer, exchanged.secret), (ALICE_PUBLIC, mpint(SHARED)))

    def test_what_is_no_key_is_refused(self) -> None:
        """Other lengths, and points that make the secret zero (RFC 8731 section 3)."""
        for public in (b"", bytes(31), bytes(33), *LOW_ORDER):
            with self.subTest(public=public.hex()), self.assertRaises(BadPublicKey):
                curve25519_sha256(public, ALICE)


class MLKEMTests(SynchronousTestCase):
    def setUp(self) -> None:
        """Make the client's key."""
        self.private = MLKEM768PrivateKey.generate()
        self.public = self.private.public_key().public_bytes_raw()

    def test_the_secret_is_made_of_both(self) -> None:
        """draft-ietf-sshm-mlkem-hybrid-kex: a hash of ML-KEM's and X25519's secrets, as a string."""
        exchanged = mlkem768x25519_sha256(self.public + BOB_PUBLIC, ALICE)

        ciphertext, classical = exchanged.answer[:1088], exchanged.answer[1088:]
        quantum = self.private.decapsulate(ciphertext)
        self.assertEqual(classical, ALICE_PUBLIC)
        self.assertEqual(exchanged.secret, string(hashlib.sha256(quantum + SHARED).digest()))

    def test_what_is_no_key_is_refused(self) -> None:
        """Other lengths, points of low order, and what has no coefficients of the field (FIPS 203 section 7.2)."""
        for public in (
            b"",
            self.public,
            BOB_PUBLIC,
            self.public + BOB_PUBLIC[:-1],
            self.public + BOB_PUBLIC + b"x",
            self.public + LOW_ORDER[0],
            b"\xff" * 1184 + BOB_PUBLIC,
        ):
            with self.subTest(public=public.hex()), self.assertRaises(BadPublicKey):
                mlkem768x25519_sha256(public, ALICE)


class KeyMaterialTests(SynchronousTestCase):
    def test_long_keys_go_on_with_hashes_of_what_there_is(self) -> None:
        """RFC 4253 section 7.2: K1 = H(K, H, letter, session), K2 = H(K, H, K1), K3 = H(K, H, K1, K2)."""
        material = KeyMaterial(secret=b"K", exchange_hash=b"H", session_id=b"S")
        first = hashlib.sha256(b"KHCS").digest()
        second = hashlib.sha256(b"KH" + first).digest()
        third = hashlib.sha256(b"KH" + first + second).digest()

        self.assertEqual(material.derive(b"C", 80), (first + second + third)[:80])
        self.assertEqual(material.derive(b"C", 0), b"")
