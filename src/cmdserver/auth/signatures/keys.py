"""SSH keys as RFC 9421 signs with them: which algorithm, in which form.

The algorithm is the key's, and never what a message says. Pure.
"""

from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

from cmdserver.auth.authorized_keys import MIN_RSA_BITS
from cmdserver.core.fingerprints import fingerprint_of
from cmdserver.sshtransport.encoding import Fields, Malformed

#: Private keys of the kinds that can sign.
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
_PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

#: RFC 9421, sections 3.3.4 and 3.3.5: the hash of each curve, and the bytes of each half of a signature.
_CURVES: Final[dict[str, tuple[HashAlgorithm, int]]] = {
    SECP256R1.name: (SHA256(), 32),
    SECP384R1.name: (SHA384(), 48),
}
#: What SSH calls the algorithm of each kind (RFC 8332 for RSA: never SHA-1).
_SSH_ALGORITHMS: Final = {
    "ssh-ed25519": "ssh-ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ssh-rsa": "rsa-sha2-256",
}


class WrongSignature(Exception):  # noqa: N818 - it is what it says
    """A signature is not what it should be; the text says why, for whoever may know: not for who sent it."""


def verify(kind: str, blob: bytes, signature: bytes, signed: bytes) -> None:
    """Verify a signature.

    Args:
        kind: Of the key: ``ssh-ed25519``, say.
        blob: The key, as RFC 4253, section 6.6, has it.
        signature: As RFC 9421, section 3.3, has it.
        signed: What was signed.

    Raises:
        WrongSignature: It is not by the key, or keys of the kind cannot sign such messages.
    """
    key = _load(kind, blob)
    try:
        match key:
            case Ed25519PublicKey():
                key.verify(signature, signed)
            case EllipticCurvePublicKey() if key.curve.name in _CURVES:
                algorithm, size = _CURVES[key.curve.name]
                key.verify(_as_der(signature, size), signed, ECDSA(algorithm))
            case RSAPublicKey() if key.key_size >= MIN_RSA_BITS:
                key.verify(signature, signed, PKCS1v15(), SHA256())
            case _:
                raise WrongSignature(f"a key of type {kind} cannot sign requests")
    except InvalidSignature:
        raise WrongSignature("wrong signature") from None


def _load(kind: str, blob: bytes) -> _PublicKey | None:
    """Return a key that RFC 9421 has an algorithm for, whatever its size; else None."""
    # The library takes a security key for a plain one, whose signatures are others.
    if kind not in _SSH_ALGORITHMS:
        return None
    try:
        key = load_ssh_public_key(f"{kind} {b64encode(blob).decode()}".encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, _PublicKey) else None


def kind_of(blob: bytes) -> str:
    """Say of which kind a key is that RFC 4253, section 6.6, describes.

    Raises:
        ValueError: It is none.
    """
    kind = Fields(blob).string()
    if not kind.isascii() or not kind.decode("ascii").isprintable():
        raise ValueError("a key has no kind")
    return kind.decode("ascii")


def trouble_with(kind: str, blob: bytes) -> str | None:
    """Say why a key cannot sign requests, for its owner; None if it can."""
    match _load(kind, blob):
        case RSAPublicKey(key_size=size) if size < MIN_RSA_BITS:
            return f"an RSA key of {size} bits cannot sign requests: {MIN_RSA_BITS} are the least"
        case None if kind in _SSH_ALGORITHMS:
            return f"the {kind} key is damaged"
        case None if kind.endswith("-cert-v01@openssh.com"):
            return "a certificate cannot sign requests: use the key that it was made for"
        case None if kind.startswith("sk-"):
            return (
                f"a security key ({kind[:64]}) cannot sign requests, as it signs more than it is given: use another key"
            )
        case None:
            return f"keys of type {kind[:64]} cannot sign requests: make another, with ssh-keygen -t ed25519"
    return None


def sign(key: PrivateKey, content: bytes) -> bytes:
    """Sign as RFC 9421, section 3.3, has it, with a key that `trouble_with` knows nothing against."""
    if isinstance(key, EllipticCurvePrivateKey):
        algorithm, size = _CURVES[key.curve.name]
        r, s = decode_dss_signature(key.sign(content, ECDSA(algorithm)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(content, PKCS1v15(), SHA256()) if isinstance(key, RSAPrivateKey) else key.sign(content)


def from_ssh(kind: str, blob: bytes, signature: bytes) -> bytes:
    """Rewrite a signature of SSH's as RFC 9421 has it; whether it is right is not known by that.

    Args:
        kind: Of the key.
        blob: The key.
        signature: As RFC 4253, section 6.6, RFC 5656, section 3.1.2, and RFC 8332, section 3, have it.

    Raises:
        WrongSignature: It is none of such a key.
    """
    key = _load(kind, blob)
    try:
        algorithm, content = _two_strings(signature)
        if key is None or algorithm != _SSH_ALGORITHMS[kind].encode():
            raise WrongSignature(f"a {kind} key is not to sign as {algorithm[:64].decode('ascii', 'replace')!a}")
        if isinstance(key, EllipticCurvePublicKey):
            _, size = _CURVES[key.curve.name]
            return b"".join(_half(number, size) for number in _two_strings(content))
    except Malformed:
        raise WrongSignature("it is no signature of SSH's") from None
    # There are signers that leave out zeros at the beginning, as OpenSSH's own verification knows.
    return content.rjust((key.key_size + 7) // 8, b"\0") if isinstance(key, RSAPublicKey) else content


def _two_strings(data: bytes) -> tuple[bytes, bytes]:
    fields = Fields(data)
    strings = fields.string(), fields.string()
    fields.end()
    return strings


def _half(mpint: bytes, size: int) -> bytes:
    """Write a number of an ECDSA signature with that many bytes; SSH has a zero before a high bit, and no others."""
    if len(number := mpint.lstrip(b"\0")) > size:
        raise Malformed("too large a number")
    return number.rjust(size, b"\0")


def _as_der(signature: bytes, size: int) -> bytes:
    """Return both numbers of an ECDSA signature as cryptography takes them."""
    if len(signature) != 2 * size:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def fingerprint(key: Ed25519PrivateKey) -> str:
    """Say what ``ssh-keygen -l`` calls a key."""
    _, encoded = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()
    return fingerprint_of(b64decode(encoded))
