"""SSH host keys in the state directory: OpenSSH's or PEM, without a passphrase; made if they are missing.

An SSH listener reads them when the daemon starts, so that one that is damaged keeps it from starting and not its
clients from connecting.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from twisted.logger import Logger

from cmdserver.core.errors import CannotStart
from cmdserver.core.text_encoding import without_mark
from cmdserver.files.atomic_file import locked, replace
from cmdserver.files.safe_path import read_file

_ED25519 = "ssh_host_ed25519_key"
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"

_LOCK_SECONDS = 10.0
#: SSH clients in use still ask for RSA; 3072 bits are worth the 128 of the other keys (NIST SP 800-57, table 2).
_RSA_BITS = 3072

HostKey = Ed25519PrivateKey | RSAPrivateKey

_log = Logger()


def require_host_keys(directory: Path) -> tuple[Path, ...]:
    """Make the SSH host keys that are missing; RSA takes from 0.1 s to 2 s, so call it in a thread if a reactor runs.

    Returns:
        Where the private ones are, the best first; each has its public one beside it, in ``.pub``.

    Raises:
        CannotStart: One cannot be written.
    """
    kinds: dict[str, Callable[[], HostKey]] = {
        _ED25519: Ed25519PrivateKey.generate,
        "ssh_host_rsa_key": lambda: generate_private_key(public_exponent=65537, key_size=_RSA_BITS),
    }
    _make_missing(directory, kinds)
    return tuple(directory / name for name in kinds)


def require_ed25519_key(directory: Path) -> Ed25519PrivateKey:
    """Read the host's Ed25519 key; make it if it is missing.

    Raises:
        CannotStart: It can be neither read nor made, or is of another kind.
    """
    path = directory / _ED25519
    _make_missing(directory, {_ED25519: Ed25519PrivateKey.generate})
    key = _read(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise CannotStart(f"cmdserver: the SSH host key {path} is no Ed25519 key")
    return key


def _make_missing(directory: Path, kinds: Mapping[str, Callable[[], HostKey]]) -> None:
    """Make those that are missing, under a lock, which is not waited for if none is."""
    if all((directory / name).exists() for name in kinds):
        return
    try:
        with locked(directory, _LOCK_SECONDS):
            for name, generate in kinds.items():
                if not (directory / name).exists():
                    _write(directory / name, generate())
                    _log.info("made an SSH host key: {path}", path=str((directory / name).absolute()))
    except OSError as error:
        raise CannotStart(f"cmdserver: SSH host keys in {directory}: {error.strerror}") from error


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


def _write(path: Path, key: HostKey) -> None:
    """Write a key pair as ssh-keygen does; the private one last, as it is what says that there is one."""
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    replace(path.with_name(f"{path.name}.pub"), public + b"\n")
    replace(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
