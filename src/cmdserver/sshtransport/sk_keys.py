"""Security keys: public keys and signatures of FIDO tokens, OpenSSH's PROTOCOL.u2f.

A token signs more than it is given: the application that it was made for, whether somebody touched it or typed a PIN,
and how often it has signed. A signature counts only if somebody touched the token (the option ``no-touch-required``
changes nothing).
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from cmdserver.sshtransport.encoding import Fields, Malformed, uint32
from cmdserver.sshtransport.key_exchange import sha256

ED25519: Final = b"sk-ssh-ed25519@openssh.com"
ECDSA_P256: Final = b"sk-ecdsa-sha2-nistp256@openssh.com"
TYPES: Final = frozenset({ED25519, ECDSA_P256})

#: The flag of a signature which says that somebody touched the token.
PRESENT: Final = 0x01

#: No number of P-256 has more; one more byte says that it is not negative.
_MAX_NUMBER_BYTES: Final = 33


class SecurityKey(Struct, frozen=True, kw_only=True):
    """The public half of what a token has."""

    key: Ed25519PublicKey | EllipticCurvePublicKey
    #: What the key was made for, ``ssh:`` mostly.
    application: bytes

    @property
    def type(self) -> bytes:
        """The key's type, which is the signature's too."""
        return ED25519 if isinstance(self.key, Ed25519PublicKey) else ECDSA_P256


class SecurityKeySignature(Struct, frozen=True, kw_only=True):
    """What a token answers with."""

    #: The type of its key.
    type: bytes
    #: Of Ed25519 as it is; of ECDSA two numbers.
    signature: bytes
    #: See `PRESENT`.
    flags: int
    #: How often the token, or this key of it, has signed; some have none and say 0.
    counter: int


def parse_key(blob: bytes) -> SecurityKey:
    """Read a public key, as in an authorized_keys file, decoded.

    Raises:
        Malformed: It is no security key.
    """
    fields = Fields(blob)
    kind = fields.string()
    if kind not in TYPES:
        raise Malformed("no security key")
    if kind == ECDSA_P256 and fields.string() != b"nistp256":
        raise Malformed("another curve than the type's")
    point, application = fields.string(), fields.string()
    fields.end()
    try:
        if kind == ED25519:
            return SecurityKey(key=Ed25519PublicKey.from_public_bytes(point), application=application)
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        raise Malformed("no point of the curve") from None
    return SecurityKey(key=key, application=application)


def parse_signature(blob: bytes) -> SecurityKeySignature:
    """Read a signature.

    Raises:
        Malformed: It is none of a security key.
    """
    fields = Fields(blob)
    kind = fields.string()
    if kind not in TYPES:
        raise Malformed("no signature of a security key")
    signature = SecurityKeySignature(type=kind, signature=fields.string(), flags=fields.byte(), counter=fields.uint32())
    fields.end()
    return signature


def verify(key_blob: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a token with this key has signed this message, and somebody has touched it.

    Args:
        key_blob: The public key.
        signature: As it was sent.
        message: What should have been signed: in SSH, the session and the request (RFC 4252 section 7).

    Returns:
        False for whatever is not such a signature, malformed ones included.
    """
    try:
        key, signed = parse_key(key_blob), parse_signature(signature)
        if signed.type != key.type or not signed.flags & PRESENT:
            return False
        _verify(key, signed, message)
    except (Malformed, InvalidSignature):
        return False
    return True


def _verify(key: SecurityKey, signed: SecurityKeySignature, message: bytes) -> None:
    content = sha256(key.application) + bytes((signed.flags,)) + uint32(signed.counter) + sha256(message)
    if isinstance(key.key, Ed25519PublicKey):
        key.key.verify(signed.signature, content)
    else:
        fields = Fields(signed.signature)
        r, s = _number(fields.string()), _number(fields.string())
        fields.end()
        key.key.verify(encode_dss_signature(r, s), content, ECDSA(SHA256()))


def _number(digits: bytes) -> int:
    number = int.from_bytes(digits, "big", signed=True)
    if number <= 0 or len(digits) > _MAX_NUMBER_BYTES:
        raise Malformed("no number of a signature")
    return number
