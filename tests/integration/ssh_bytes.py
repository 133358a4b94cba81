"""A server to try SSH clients on: on the SSH transport and Conch's authentication and channels, with nothing of ours.

Started as a script by `test_ssh_transport` with a limit of bytes for rekeying, or 0 for the default. The user is
``visitor`` and the password ``let me in``. A client can have ``give N`` (so many bytes), ``take`` (which counts and
hashes what it sends) and everything else repeated. The server says ``listening PORT``, then a line for each exchange of
keys, and ``lost`` at the end of each connection.
"""

import hashlib
import struct
import sys
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from twisted.conch.avatar import ConchUser
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from cmdserver.sshtransport.encoding import Fields
from cmdserver.sshtransport.rekeying import RekeyLimits
from cmdserver.sshtransport.transport import ServerTransport

CHUNK_BYTES = 1 << 16
#: A prime, so that no chunk can be taken for its neighbour.
PERIOD = 251
clock: Any = reactor


def say(*words: object) -> None:
    """Tell the test."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def pattern(size: int, start: int = 0) -> bytes:
    """Make a stretch of bytes that tell, to some extent, where they belong."""
    skipped = start % PERIOD
    return (bytes(range(PERIOD)) * ((skipped + size) // PERIOD + 1))[skipped : skipped + size]


class Transport(ServerTransport):
    """Tells of keys, and stops the one producer there is while output is held."""

    def _is_agreed(self) -> None:
        agreed = self._agreed
        names = (agreed.key_exchange, agreed.host_key, agreed.outward.cipher, agreed.outward.mac or b"-")
        say("keys", *(name.decode() for name in names), "strict" if self._is_strict else "not-strict")

    def outputReleased(self) -> None:
        """Go on."""
        for channel in getattr(self, "avatar", Visitor()).open:
            channel.give()

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        """Tell of it."""
        super().connectionLost(reason)
        say("lost")


class Channel(SSHChannel):
    """One command."""

    name = b"session"
    conn: Any

    def channelOpen(self, specificData: bytes) -> None:
        """Wait for the command."""
        self.size, self.digest = 0, hashlib.sha256()
        self.to_give, self.given = -1, 0
        self.conn.transport.avatar.open.append(self)

    def request_exec(self, data: bytes) -> bool:
        """Start it once the client knows that it was started."""
        words = Fields(data).string().split(b" ")
        clock.callLater(0, self._run, words)
        return True

    def _run(self, words: list[bytes]) -> None:
        match words:
            case [b"give", size]:
                self.to_give = int(size)
                self.give()
            case [b"take"]:
                pass
            case _:
                self.write(b" ".join(words) + b"\n")
                self._finish()

    def give(self) -> None:
        """Give as much as can be taken now."""
        transport = self.conn.transport
        while self.to_give > 0 and not transport.isOutputHeld and not self.buf:
            size = min(CHUNK_BYTES, self.to_give)
            start, self.given, self.to_give = self.given, self.given + size, self.to_give - size
            self.write(pattern(size, start))
        if self.to_give == 0 and not self.buf:
            self.to_give = -1
            self._finish()

    def addWindowBytes(self, data: int) -> None:
        """Go on when the client's window is open again; startWriting comes before Conch has sent what it has left."""
        super().addWindowBytes(data)
        self.give()

    def dataReceived(self, data: bytes) -> None:
        """Count and hash."""
        self.size += len(data)
        self.digest.update(data)

    def eofReceived(self) -> None:
        """Say what it came to."""
        if self.size:
            self.write(f"{self.size} {self.digest.hexdigest()}\n".encode())
            self._finish()

    def _finish(self) -> None:
        self.conn.sendRequest(self, b"exit-status", struct.pack(">L", 0))
        self.loseConnection()


class Visitor(ConchUser):
    """Whoever knows the password."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Channel] = []
        self.channelLookup[b"session"] = Channel


@implementer(IRealm)
class Realm:
    """Has one user."""

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: object
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        """Give it out."""
        return IConchUser, Visitor(), lambda: None


class ServerFactory(SSHFactory):
    """Has two host keys of its own."""

    protocol = Transport

    def __init__(self) -> None:
        self.portal = Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse(visitor=b"let me in")])
        self.privateKeys = {
            b"ssh-ed25519": Key(Ed25519PrivateKey.generate()),
            b"ssh-rsa": Key(generate_private_key(65537, 3072)),
        }
        self.publicKeys = {name: key.public() for name, key in self.privateKeys.items()}


def main() -> None:
    """Listen on any port."""
    if size := int(sys.argv[1]):
        Transport.rekeyLimits = RekeyLimits(size=size)
    port = clock.listenTCP(0, ServerFactory(), interface="127.0.0.1")
    say("listening", port.getHost().port)
    clock.run()


if __name__ == "__main__":
    main()
