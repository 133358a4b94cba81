"""Fingerprints of keys and certificates, as OpenSSH writes them."""

from base64 import b64encode
from hashlib import sha256
from typing import Final

#: Before each, for the hash that it is made with.
PREFIX: Final = "SHA256:"


def fingerprint_of(encoded: bytes) -> str:
    """Return ``SHA256:`` and the digest in base64 without padding, as ``ssh-keygen -l`` does.

    Args:
        encoded: A public key as in RFC 4253, section 6.6; or a certificate in DER.
    """
    return PREFIX + b64encode(sha256(encoded).digest()).rstrip(b"=").decode()
