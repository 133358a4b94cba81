"""Chooses the key that a user signs with, as ssh(1) does: the agent's, or a file's.

Who is asked for nothing takes the first key that can sign; what cannot is said with what to do.
"""

import os
import re
import stat
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from cmdserver.auth.signatures.keys import PrivateKey, WrongSignature, from_ssh, kind_of, sign, trouble_with, verify
from cmdserver.auth.signatures.request_signing import SigningKey
from cmdserver.core.fingerprints import fingerprint_of
from cmdserver.fleet.client.ssh_agent import AgentError, AgentKey, SSHAgent
from cmdserver.sshtransport.encoding import Fields

#: Those of ssh(1) that can sign, in its order of preference.
_NAMES: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
#: An RSA key of 16,384 bits has some 13 KB.
_MOST_BYTES: Final = 1 << 16
#: As many as ssh asks for.
_TRIES: Final = 3
_OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_OPENSSH_FILE: Final = re.compile(_OPENSSH + rb"\s+([A-Za-z0-9+/=\s]+)-----END ")
_OPENSSH_MAGIC: Final = b"openssh-key-v1\0"
_PUBLIC: Final = re.compile(rb"[a-z][a-z0-9@.-]*[ \t]+([A-Za-z0-9+/]+=*)(?:[ \t\r\n]|\Z)")

#: Shows a prompt, and returns the passphrase that was typed; empty: none.
AskPassphrase = Callable[[str], str]


class NoIdentity(Exception):  # noqa: N818 - it is what it says
    """There is no key to sign with; the text says why, and what can be done."""


class AgentIdentity:
    """A key that the agent holds."""

    def __init__(self, agent: SSHAgent, key: AgentKey) -> None:
        self._agent = agent
        self.key = key

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` calls it."""
        return fingerprint_of(self.key.blob)

    def sign(self, content: bytes) -> bytes:
        """Have it signed, and see that it is.

        Raises:
            AgentError: It is not.
        """
        answer = self._agent.sign(self.key, content)
        try:
            signature = from_ssh(self.key.kind, self.key.blob, answer)
            verify(self.key.kind, self.key.blob, signature, content)
        except WrongSignature as wrong:
            raise AgentError(f"ssh-agent has not signed with the key {self.fingerprint}: {wrong}") from None
        return signature


class FileIdentity:
    """A private key that was read from a file."""

    def __init__(self, key: PrivateKey, blob: bytes) -> None:
        self._key = key
        self._blob = blob

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` calls it."""
        return fingerprint_of(self._blob)

    def sign(self, content: bytes) -> bytes:
        """Sign."""
        return sign(self._key, content)


def find_identity(
    identity_file: Path | None, agent_socket: str | None, ask_passphrase: AskPassphrase, home: Path
) -> SigningKey:
    """Find the key that signs. It blocks: call it in a thread.

    Args:
        identity_file: A private key, or the public half of one that the agent holds; None: the agent's first key that
            can sign, or else the first of those that ``ssh-keygen`` makes.
        agent_socket: What ``$SSH_AUTH_SOCK`` says; None or empty: there is no agent.
        ask_passphrase: Asked up to three times, if a key in a file has one.
        home: Of the user.

    Raises:
        NoIdentity: There is none.
    """
    held: Sequence[AgentIdentity] = ()
    troubles = []
    try:
        held = _held(agent_socket)
    except AgentError as error:
        # A socket of yesterday's is no reason not to take the file.
        troubles.append(str(error))
    if identity_file is not None:
        trouble = f"{identity_file}: there is no such file"
        try:
            if identity := _of_file(identity_file, held, ask_passphrase):
                return identity
        except NoIdentity as error:
            trouble = str(error)
        raise NoIdentity("\n".join([trouble, *troubles]))
    for each in held:
        if (reason := trouble_with(each.key.kind, each.key.blob)) is None:
            return each
        troubles.append(f"{each.key.comment or each.key.kind} in ssh-agent: {reason}")
    for name in _NAMES:
        try:
            if identity := _of_file(home / ".ssh" / name, (), ask_passphrase):
                return identity
        except NoIdentity as error:
            troubles.append(str(error))
    advice = "there is no key to sign with: add one with ssh-add, name one with --identity, or make one with ssh-keygen"
    raise NoIdentity("\n".join([advice, *troubles]))


def _held(agent_socket: str | None) -> Sequence[AgentIdentity]:
    if not agent_socket:
        return ()
    agent = SSHAgent(agent_socket)
    return [AgentIdentity(agent, key) for key in agent.list_keys()]


def _of_file(path: Path, held: Sequence[AgentIdentity], ask: AskPassphrase) -> SigningKey | None:
    """Return the key of a file, which the agent may hold; None if there is neither half of it."""
    file = _read(path)
    public = _public_half(file) or _public_half(_read(path.with_name(f"{path.name}.pub")))
    if public is not None:
        _require_usable(path, public)
        for each in held:
            if each.key.blob == public:
                return each
    elif file is None:
        return None
    if file is None or _PUBLIC.match(file.content):
        raise NoIdentity(f"{path}: ssh-agent does not hold the private half of this key; ssh-add adds it")
    _require_private(path, file.status)
    key = _load(path, file.content, ask)
    blob = _blob(path, key)
    _require_usable(path, blob)
    return FileIdentity(key, blob)


class _File(NamedTuple):
    content: bytes
    status: os.stat_result


def _read(path: Path) -> _File | None:
    """Read a file; None if it is not there."""
    try:
        with path.open("rb") as file:
            content, status = file.read(_MOST_BYTES + 1), os.fstat(file.fileno())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NoIdentity(f"{path}: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise NoIdentity(f"{path}: it is too long for a key")
    return _File(content, status)


def _public_half(file: _File | None) -> bytes | None:
    """Return the public key that a file has in the clear, as RFC 4253, section 6.6, has it; None if it has none.

    OpenSSH's private keys have theirs before the part that has a passphrase (PROTOCOL.key).
    """
    if file is None:
        return None
    private, public = _OPENSSH_FILE.search(file.content), _PUBLIC.match(file.content)
    try:
        if private is not None:
            fields = Fields(b64decode(private[1]))
            if fields.take(len(_OPENSSH_MAGIC)) != _OPENSSH_MAGIC:
                return None
            for _ in ("cipher", "kdf", "its options"):
                fields.string()
            blob = fields.string() if fields.uint32() == 1 else b""
        else:
            blob = b64decode(public[1], validate=True) if public is not None else b""
        kind_of(blob)
    except ValueError:
        return None
    return blob


def _require_usable(path: Path, blob: bytes) -> None:
    if (trouble := trouble_with(kind_of(blob), blob)) is not None:
        raise NoIdentity(f"{path}: {trouble}")


def _require_private(path: Path, status: os.stat_result) -> None:
    """Refuse a file that others can read, as ssh does: only of the user's own files."""
    if status.st_uid == os.geteuid() and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(status.st_mode)
        raise NoIdentity(f"{path}: others can read this private key (mode {mode:04o}); chmod 600 makes it yours alone")


def _load(path: Path, content: bytes, ask: AskPassphrase) -> PrivateKey:
    try:
        return _parsed(path, content, None)
    except TypeError:
        pass
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoIdentity(f"{path}: it is no private key that can be read: {error}") from None
    trouble = "it needs its passphrase"
    for _ in range(_TRIES):
        passphrase = ask(f"Enter passphrase for key '{path}': ")
        if not passphrase:
            break
        try:
            return _parsed(path, content, os.fsencode(passphrase))
        except (ValueError, InvalidTag, UnsupportedAlgorithm):
            # What a wrong passphrase makes of a key is found to be none in one way or another.
            trouble = "the passphrase is wrong, or the cipher is unknown"
    raise NoIdentity(f"{path}: {trouble}; ssh-add asks for it once")


def _parsed(path: Path, content: bytes, password: bytes | None) -> PrivateKey:
    """Read a private key; raises a TypeError if it has a passphrase and none is given."""
    load = load_ssh_private_key if _OPENSSH in content else load_pem_private_key
    key = load(content, password)
    if isinstance(key, PrivateKey):
        return key
    raise NoIdentity(f"{path}: keys of this type cannot sign requests: make another, with ssh-keygen -t ed25519")


def _blob(path: Path, key: PrivateKey) -> bytes:
    try:
        return b64decode(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])
    except ValueError:
        raise NoIdentity(f"{path}: SSH has no such keys") from None
