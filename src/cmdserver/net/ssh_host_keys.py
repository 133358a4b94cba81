"""SSH host keys from their files: OpenSSH's or PEM, without a passphrase.

They are read when the daemon starts, so that one that is damaged keeps it from starting and not its clients from
connecting.
"""

from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from cmdserver.core.errors import CannotStart
from cmdserver.core.text_encoding import without_mark
from cmdserver.files.safe_path import read_file

_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"

HostKey = Ed25519PrivateKey | RSAPrivateKey


def read_host_keys(paths: Iterable[Path]) -> tuple[HostKey, ...]:
    """Read private keys, in the order of their files.

    Raises:
        CannotStart: One cannot be read, or is no Ed25519 or RSA key; the text says which.
    """
    return tuple(map(_read, paths))


def _read(path: Path) -> HostKey:
    try:
        content = without_mark(read_file(path))
        load = load_ssh_private_key if content.startswith(_OPENSSH) else load_pem_private_key
        # To prove the primes takes a tenth of a second at every start; `_require_good` asks what matters instead.
        key = load(content, password=None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, RSAPrivateKey):
            _require_good(key)
    except PermissionError as error:
        text = f"{error.strerror}; it must belong to the daemon's user, as its directory does"
        raise CannotStart(f"cmdserver: the SSH host key {path.absolute()}: {text}") from error
    except OSError as error:
        raise CannotStart(f"cmdserver: the SSH host key {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        text = f"is damaged, or has a passphrase; ssh-keygen -y -f {path} says more"
        raise CannotStart(f"cmdserver: the SSH host key {path} {text}; removed, it is made anew") from error
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        raise CannotStart(f"cmdserver: the SSH host key {path} is neither an Ed25519 nor an RSA key")
    return key


def _require_good(key: RSAPrivateKey) -> None:
    """Raise a ValueError unless what a key signs can be verified: one that is damaged would give itself away."""
    try:
        key.public_key().verify(key.sign(b"", PKCS1v15(), SHA256()), b"", PKCS1v15(), SHA256())
    except InvalidSignature:
        raise ValueError("what it signs cannot be verified") from None
