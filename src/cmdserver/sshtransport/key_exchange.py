"""The server's part of the key exchange methods, and what keys are made of: RFC 8731, RFC 4253 sections 7.2 and 8.

Rule: a private key lives for one call.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from msgspec import Struct

from cmdserver.sshtransport.encoding import mpint, string

X25519_BYTES: Final = 32
#: FIPS 203, table 3.
MLKEM768_KEY_BYTES: Final = 1184


class BadPublicKey(Exception):  # noqa: N818
    """What the client gave is no key of the method, or one that makes the secret foreseeable."""


class Exchanged(Struct, frozen=True, kw_only=True):
    """What a method comes to."""

    #: Our part, for the client.
    answer: bytes
    #: What only both know, encoded as it is hashed: ``K`` of RFC 4253 section 8.
    secret: bytes


def curve25519_sha256(theirs: bytes, private: X25519PrivateKey) -> Exchanged:
    """Exchange keys as in RFC 8731, with the client's public key and one of ours, which is used once.

    Raises:
        BadPublicKey: It has another length, or is of low order: the secret would be all zeros (section 3).
    """
    return Exchanged(answer=private.public_key().public_bytes_raw(), secret=mpint(_x25519(theirs, private)))


def mlkem768x25519_sha256(theirs: bytes, private: X25519PrivateKey) -> Exchanged:
    """Exchange keys as in draft-ietf-sshm-mlkem-hybrid-kex, with ML-KEM-768, which comes first, and X25519 at once.

    Raises:
        BadPublicKey: They have another length, or one of them is no key.
    """
    if len(theirs) != MLKEM768_KEY_BYTES + X25519_BYTES:
        raise BadPublicKey
    classical = _x25519(theirs[MLKEM768_KEY_BYTES:], private)
    try:
        quantum, ciphertext = MLKEM768PublicKey.from_public_bytes(theirs[:MLKEM768_KEY_BYTES]).encapsulate()
    except ValueError:
        raise BadPublicKey from None
    answer = ciphertext + private.public_key().public_bytes_raw()
    return Exchanged(answer=answer, secret=string(sha256(quantum + classical)))


Method = Callable[[bytes, X25519PrivateKey], Exchanged]

#: All of them hash with SHA-256.
METHODS: Final[Mapping[bytes, Method]] = {
    b"mlkem768x25519-sha256": mlkem768x25519_sha256,
    b"curve25519-sha256": curve25519_sha256,
    b"curve25519-sha256@libssh.org": curve25519_sha256,
}


def sha256(data: bytes) -> bytes:
    """Hash something."""
    digest = Hash(SHA256())
    digest.update(data)
    return digest.finalize()


def exchange_hash(
    versions: tuple[bytes, bytes],
    kexinits: tuple[bytes, bytes],
    host_key: bytes,
    publics: tuple[bytes, bytes],
    secret: bytes,
) -> bytes:
    """Make the hash ``H`` of what both sides have seen (RFC 4253 section 8); of each pair the client's comes first.

    Args:
        versions: The identifications, without line end.
        kexinits: With their number.
        host_key: The server's public key.
        publics: The parts of the method.
        secret: ``K``, encoded.
    """
    return sha256(b"".join(map(string, (*versions, *kexinits, host_key, *publics))) + secret)


class KeyMaterial(Struct, frozen=True, kw_only=True):
    """What keys are derived from (RFC 4253 section 7.2)."""

    #: ``K``, encoded.
    secret: bytes
    #: ``H``.
    exchange_hash: bytes
    #: The first ``H`` of this connection.
    session_id: bytes

    def derive(self, letter: bytes, size: int) -> bytes:
        """Derive a key of so many bytes; the letter, A to F, says which."""
        seed = self.secret + self.exchange_hash
        key = sha256(seed + letter + self.session_id)
        while len(key) < size:
            key += sha256(seed + key)
        return key[:size]


def _x25519(theirs: bytes, private: X25519PrivateKey) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise BadPublicKey from None
