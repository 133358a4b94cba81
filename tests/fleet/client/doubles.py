"""Agents in a thread each, with keys and without honesty; and the programs of OpenSSH."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384

from cmdserver.sshtransport.encoding import Fields, mpint, string, uint32
from tests.auth.signatures.doubles import blob_of, kind_of
from tests.signing import PrivateKey, Signing

HAS_OPENSSH = all(shutil.which(name) for name in ("ssh-agent", "ssh-add", "ssh-keygen"))

#: What an agent does with a connection.
Behaviour = Callable[[socket.socket], None]
FAILURE = b"\x05"
GARBLED = (
    b"", b"\x06", b"\x0b\0\0\0\0", b"\x0c", b"\x0c\0\0\0", b"\x0c\0\0\0\1", b"\x0c\0\0\0\0x", b"\x0c\xff\xff\xff\xff",
    b"\x0c\0\0\0\1" + string(b"") + string(b""), b"\x0c\0\0\0\1" + string(string(b"ssh-\xff")) + string(b""),
    b"\x0c\0\0\0\1" + string(string(b"a\nb")) + string(b""),
    b"\x0c\0\0\0\1" + string(string(b"ssh-ed25519")), b"\x0e", b"\x0e\0\0\0\5abcd", b"\x0e\0\0\0\0x", b"\xff" * 100,
)  # fmt: skip


@contextmanager
def serving(behave: Behaviour) -> Iterator[str]:
    """Serve all who connect, one after the other; give the socket's path."""
    with TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
        path = f"{directory}/agent"
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, behave))
        thread.start()
        try:
            yield path
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, behave: Behaviour) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError):
                behave(client)


def read_message(client: socket.socket) -> bytes:
    """Read what is asked."""
    with client.makefile("rb") as file:
        return file.read(int.from_bytes(file.read(4), "big"))


def saying(answer: bytes) -> Behaviour:
    """Answer everything with these bytes, whose length need not be before them."""

    def behave(client: socket.socket) -> None:
        read_message(client)
        client.sendall(answer)

    return behave


class FakeAgent:
    """What ssh-agent does, and what it never does.

    Args:
        keys: Those that it holds.
        others: Public keys of others, that it has and cannot sign with.
    """

    def __init__(self, *keys: PrivateKey, others: Sequence[bytes] = ()) -> None:
        self.keys = {blob_of(Signing(key).line): key for key in keys}
        self.others = others
        self.flags: list[int] = []
        #: Whether RSA keys sign with SHA-1, as agents did that knew of no flags.
        self.is_old = False
        #: What is signed instead of what is asked; None: nothing instead.
        self.instead: bytes | None = None

    def __call__(self, client: socket.socket) -> None:
        client.sendall(string(self.answer(read_message(client))))

    def answer(self, message: bytes) -> bytes:
        """Answer a message."""
        fields = Fields(message)
        if fields.byte() == 11:
            held = [*self.others, *self.keys]
            return bytes([12]) + uint32(len(held)) + b"".join(string(blob) + string(b"a\x1bkey") for blob in held)
        key, content = self.keys.get(fields.string()), fields.string()
        self.flags.append(fields.uint32())
        if key is None:
            return FAILURE
        return bytes([14]) + string(self._sign(key, content if self.instead is None else self.instead))

    def _sign(self, key: PrivateKey, content: bytes) -> bytes:
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return string(b"ssh-ed25519") + string(key.sign(content))
        if isinstance(key, ec.EllipticCurvePrivateKey):
            hashed = SHA384() if key.curve.name == "secp384r1" else SHA256()
            numbers = decode_dss_signature(key.sign(content, ec.ECDSA(hashed)))
            halves = b"".join(mpint(number.to_bytes(66, "big")) for number in numbers)
            return string(kind_of(Signing(key).line).encode()) + string(halves)
        if self.is_old:
            return string(b"ssh-rsa") + string(key.sign(content, PKCS1v15(), SHA1()))  # noqa: S303 - refused
        return string(b"rsa-sha2-256") + string(key.sign(content, PKCS1v15(), SHA256()).lstrip(b"\0"))


@contextmanager
def ssh_agent(directory: Path) -> Iterator[str]:
    """Run the real one; give the socket's path."""
    path = str(directory / "agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            # It says where it listens as soon as it does.
            assert process.stdout.readline().startswith(b"SSH_AUTH_SOCK=")
            yield path
        finally:
            process.terminate()


def ssh_keygen(path: Path, *words: str, passphrase: str = "") -> Path:
    """Make a key with OpenSSH's program."""
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-C", "of ada", "-f", path, *words], check=True, timeout=60)
    return path


def ssh_add(agent: str, *words: str) -> None:
    """Add a key to the real agent."""
    environment = {"SSH_AUTH_SOCK": agent, "PATH": "/usr/bin:/bin"}
    subprocess.run(["ssh-add", "-q", *words], check=True, timeout=60, env=environment, stdin=subprocess.DEVNULL)
