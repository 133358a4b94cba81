"""SSH keys as RFC 9421 signs with them: which algorithm, in which form.

The algorithm is the key's, and never what a message says. Pure.
"""

from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

from cmdserver.auth.authorized_keys import MIN_RSA_BITS
from cmdserver.core.fingerprints import fingerprint_of

#: RFC 9421, sections 3.3.4 and 3.3.5: the hash of each curve, and the bytes of each half of a signature.
_CURVES: Final[dict[str, tuple[HashAlgorithm, int]]] = {
    SECP256R1.name: (SHA256(), 32),
    SECP384R1.name: (SHA384(), 48),
}
_KINDS: Final = frozenset({"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ssh-rsa"})


class WrongSignature(Exception):  # noqa: N818 - it is what it says
    """A signature is not what it should be; the text says why, for the audit file."""


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
    try:
        # The library takes a security key for a plain one, whose signatures are others.
        key = load_ssh_public_key(f"{kind} {b64encode(blob).decode()}".encode()) if kind in _KINDS else None
    except (ValueError, UnsupportedAlgorithm):
        key = None
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


def _as_der(signature: bytes, size: int) -> bytes:
    """Return both numbers of an ECDSA signature as cryptography takes them."""
    if len(signature) != 2 * size:
        raise InvalidSignature
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))


def fingerprint(key: Ed25519PrivateKey) -> str:
    """Say what ``ssh-keygen -l`` calls a key."""
    _, encoded = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()
    return fingerprint_of(b64decode(encoded))
