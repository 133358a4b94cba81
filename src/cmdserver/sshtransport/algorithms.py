"""What is offered, in our order of preference, and why.

Offered is what OpenSSH's server offers today, less what has a known weakness or is there for the old only:

* Key exchange: ML-KEM with X25519 (a recording of today stays secret if either holds), and X25519 alone for the many
  clients without ML-KEM. No NIST curves, whose implementations are the easiest to get wrong; no finite-field groups,
  which cost a server much and who asks nothing (DHEat, CVE-2002-20001).
  `cryptography` has no sntrup761.
* Host keys: no ECDSA, which gives the key away if a nonce ever repeats; no SHA-1 (``ssh-rsa``), no DSA.
* Ciphers: those that authenticate, and counter mode with encrypt-then-MAC. Encrypt-and-MAC (RFC 4253's own
  ``hmac-sha2-256`` and its like) is offered to legacy peers alone: it decrypts what it has not verified,
  and its tag is of the plaintext. No CBC (CVE-2008-5161), no 3DES (CVE-2016-2183).
* Compression: none. Before authentication it would be zlib's attack surface for strangers; after it, lengths would
  tell of contents.
"""

import re
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from msgspec import Struct

KEY_EXCHANGES: Final = (b"mlkem768x25519-sha256", b"curve25519-sha256", b"curve25519-sha256@libssh.org")

#: What we sign key exchanges with, if there is such a key.
HOST_KEYS: Final = (b"ssh-ed25519", b"rsa-sha2-512", b"rsa-sha2-256")

#: For the ciphers that do not authenticate.
MACS: Final = (b"hmac-sha2-256-etm@openssh.com", b"hmac-sha2-512-etm@openssh.com")

#: Encrypt-and-MAC: for legacy peers alone, see below, and last.
LEGACY_MACS: Final = (b"hmac-sha2-256", b"hmac-sha2-512")

#: How peers identify themselves of which many have nothing better, or are told to use nothing better: dropbear before
#: 2020.79, libssh before 0.9, and what is built on them; libssh2 before 1.11 (PHP, libgit2, curl on Debian 12 and
#: Ubuntu 22.04); SSH.NET before 2024, whose version is no part of what it says. As OpenSSH's compat.c, this goes by
#: what they say of themselves; who lies gets weaker protection for its own connection and nobody else's.
_LEGACY_PEER: Final = re.compile(
    rb"SSH-2\.0-(dropbear|libssh_|libssh2_(0|1\.[0-9]|1\.10)\.|Renci\.SshNet\.SshClient\.0\.0\.1\Z)"
)

COMPRESSIONS: Final = (b"none",)

#: What users may sign with, whatever our host keys are; told to clients as ``server-sig-algs``. ``ssh-rsa``, which is
#: SHA-1, is not among them.
USER_KEYS: Final = (
    b"ssh-ed25519",
    b"sk-ssh-ed25519@openssh.com",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
)


class CipherSizes(Struct, frozen=True, kw_only=True):
    """What a cipher needs, in bytes."""

    key: int
    #: The initial counter or nonce; 0 if it is made of sequence numbers.
    nonce: int
    #: Whether it needs no MAC beside it.
    is_authenticated: bool


CIPHER_SIZES: Final[Mapping[bytes, CipherSizes]] = {
    b"chacha20-poly1305@openssh.com": CipherSizes(key=64, nonce=0, is_authenticated=True),
    b"aes256-gcm@openssh.com": CipherSizes(key=32, nonce=12, is_authenticated=True),
    b"aes128-gcm@openssh.com": CipherSizes(key=16, nonce=12, is_authenticated=True),
    b"aes256-ctr": CipherSizes(key=32, nonce=16, is_authenticated=False),
    b"aes192-ctr": CipherSizes(key=24, nonce=16, is_authenticated=False),
    b"aes128-ctr": CipherSizes(key=16, nonce=16, is_authenticated=False),
}
CIPHERS: Final = tuple(CIPHER_SIZES)

MAC_HASHES: Final[Mapping[bytes, type[HashAlgorithm]]] = {
    b"hmac-sha2-256-etm@openssh.com": SHA256,
    b"hmac-sha2-512-etm@openssh.com": SHA512,
    b"hmac-sha2-256": SHA256,
    b"hmac-sha2-512": SHA512,
}


def key_type(algorithm: bytes) -> bytes:
    """Name the type of key that an algorithm signs with (RFC 8332 section 3)."""
    return b"ssh-rsa" if algorithm.startswith(b"rsa-sha2-") else algorithm


def is_legacy(identification: bytes) -> bool:
    """Tell whether a peer's identification line is that of one which has no encrypt-then-MAC, as far as is known."""
    return _LEGACY_PEER.match(identification) is not None
