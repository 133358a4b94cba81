"""A client for the transport, on Conch's and our own framing; and a wire on which nothing takes time."""

from collections.abc import Callable, Iterable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.service import SSHService
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from cmdserver.sshtransport import strict
from cmdserver.sshtransport.encoding import Fields, mpint, string
from cmdserver.sshtransport.key_exchange import exchange_hash, sha256
from cmdserver.sshtransport.negotiation import EXTENSION_INFO_CLIENT, KexInit
from cmdserver.sshtransport.protected import ProtectedTransport
from cmdserver.sshtransport.transport import ServerTransport

#: What the tests' own service takes, and says.
TALK = 50
#: A key that is no secret.
HOST_KEY = Key(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))

_CIPHERTEXT_BYTES = 1088


class ClientTransport(ProtectedTransport, SSHClientTransport):
    """The client's side, which trusts every host key that has signed; its subclasses say what they do then."""

    ourVersionString = b"SSH-2.0-Tests"
    #: What it announces beside methods.
    marks: tuple[bytes, ...] = (EXTENSION_INFO_CLIENT, strict.CLIENT_MARKER)

    _peer_method_number = strict.KEX_REPLY

    def _markers(self) -> tuple[bytes, ...]:
        return self.marks

    def _is_peer_strict(self, theirs: KexInit) -> bool:
        return strict.SERVER_MARKER in theirs.key_exchanges and strict.CLIENT_MARKER in self.marks

    def _may_exchange_again(self) -> bool:
        return self.service is not None

    def _is_agreed(self) -> None:
        self._classical = X25519PrivateKey.generate()
        self._part_sent = self._classical.public_key().public_bytes_raw()
        if self._agreed.key_exchange.startswith(b"mlkem"):
            self._quantum = MLKEM768PrivateKey.generate()
            self._part_sent = self._quantum.public_key().public_bytes_raw() + self._part_sent
        self._send(strict.KEX_INIT, string(self._part_sent))

    def ssh_KEX_DH_GEX_GROUP(self, packet: bytes) -> None:
        """Take the server's part, which shares its number with others."""
        fields = Fields(packet)
        host_key, theirs, signature = fields.string(), fields.string(), fields.string()
        fields.end()
        secret = self._secret(theirs)
        hashed = exchange_hash(
            versions=(self.ourVersionString, self.otherVersionString),
            kexinits=(self.ourKexInitPayload, self.otherKexInitPayload),
            host_key=host_key,
            publics=(self._part_sent, theirs),
            secret=secret,
        )
        assert Key.fromString(host_key).verify(signature, hashed)
        self._use_secret(secret, hashed)

    def _secret(self, theirs: bytes) -> bytes:
        if not self._agreed.key_exchange.startswith(b"mlkem"):
            return mpint(self._classical.exchange(X25519PublicKey.from_public_bytes(theirs)))
        quantum = self._quantum.decapsulate(theirs[:_CIPHERTEXT_BYTES])
        classical = self._classical.exchange(X25519PublicKey.from_public_bytes(theirs[_CIPHERTEXT_BYTES:]))
        return string(sha256(quantum + classical))

    def ssh_NEWKEYS(self, packet: bytes) -> None:
        """Ask for the service once there are keys."""
        is_first = self._is_first
        super().ssh_NEWKEYS(packet)
        if is_first:
            self.connectionSecure()


class Talk(SSHService):
    """A service that keeps what it is told."""

    name = b"ssh-userauth"
    protocolMessages = {TALK: "MSG_TALK"}  # noqa: RUF012 # as Conch has it

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.is_stopped = False

    def ssh_TALK(self, packet: bytes) -> None:
        """Hear something; an empty message is one that a parser stumbles over."""
        assert self.transport is not None
        self.heard.append(packet)
        if packet == b"echo":
            self.transport.sendPacket(TALK, b"echoed")
        ord(packet[:1])

    def serviceStopped(self) -> None:
        """Hear that the connection is over."""
        self.is_stopped = True


class TalkingClient(ClientTransport):
    """A client that starts the service `Talk`."""

    def connectionSecure(self) -> None:
        """Start it."""
        self.requestService(Talk())


class Factory:
    """What the server's transport needs of a Conch factory."""

    privateKeys = {b"ssh-ed25519": HOST_KEY}  # noqa: RUF012
    publicKeys = {b"ssh-ed25519": HOST_KEY.public()}  # noqa: RUF012

    def getService(self, transport: object, name: bytes) -> type[SSHService] | None:
        """Give out the one service there is, by each name that Conch's factories know."""
        return Talk if name in {b"ssh-userauth", b"ssh-connection"} else None


class TalkingServer(ServerTransport):
    """A server that has the service `Talk`, and notes what it is told about its output."""

    def __init__(self) -> None:
        self.factory = Factory()
        self.output: list[str] = []

    def outputHeld(self) -> None:
        """Note it."""
        self.output.append("held")

    def outputReleased(self) -> None:
        """Note it."""
        self.output.append("released")

    def log_in(self) -> None:
        """Do what authentication does."""
        self.avatar = object()
        self.logoutFunction = lambda: self.output.append("logged out")


def talk(side: ProtectedTransport) -> Talk:
    """Get the service that runs on one side."""
    assert isinstance(side.service, Talk)
    return side.service


class Wire:
    """A server, a client, and what is between them.

    Args:
        server: Not connected yet.
        client: Not connected yet.
        pieces: Cuts what is delivered into pieces.
    """

    def __init__(
        self,
        server: ServerTransport,
        client: ClientTransport,
        pieces: Callable[[bytes], Iterable[bytes]] = lambda data: [data],
    ) -> None:
        self.server, self.client = server, client
        self._pieces = pieces
        self.to_server, self.to_client = b"", b""
        for side in (server, client):
            side.makeConnection(StringTransport())

    def deliver(self) -> bool:
        """Bring what was written to the other side, once; tell whether there was anything."""
        from_server, from_client = taken(self.server), taken(self.client)
        self.to_client += from_server
        self.to_server += from_client
        for side, data in ((self.client, from_server), (self.server, from_client)):
            for piece in self._pieces(data):
                side.dataReceived(piece)
        return bool(from_server or from_client)

    def settle(self) -> None:
        """Bring everything to the other side until nobody has anything more to say."""
        for _ in range(1000):
            if not self.deliver():
                return
        raise AssertionError("this never ends")


def taken(side: ProtectedTransport) -> bytes:
    """Take what a side has written."""
    data: bytes = side.transport.value()
    side.transport.clear()
    return data


def connected(
    server: TalkingServer | None = None, client: ClientTransport | None = None, *, logged_in: bool = True
) -> Wire:
    """Make a server and a client that have exchanged keys and run `Talk`."""
    wire = Wire(server or TalkingServer(), client or TalkingClient())
    wire.settle()
    if logged_in:
        assert isinstance(wire.server, TalkingServer)
        wire.server.log_in()
    return wire


def cut(side: Any) -> None:
    """End a side's connection."""
    side.connectionLost(Failure(ConnectionDone()))
