"""Sessions of a real client that can be had again: captured with OpenSSH 9.2, against a server whose dice are loaded.

Everything random in the server (cookies, its part of the exchange, padding) comes of the session's name, and its host
key is no secret. So what the client has sent can be given to another such server, which understands it and must answer
byte for byte what was answered then. The server lets everybody in and opens no channel; in the sessions that are
``rekeyed`` it changes keys after every other packet.
"""

import json
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from twisted.conch.ssh.service import SSHService

from cmdserver.sshtransport.encoding import Fields, string, uint32
from cmdserver.sshtransport.rekeying import RekeyLimits
from cmdserver.sshtransport.transport import ServerTransport
from tests.sshtransport.client import Factory

_FILE = Path(__file__).with_name("captured.json")

USERAUTH_REQUEST, USERAUTH_SUCCESS = 50, 52
CHANNEL_OPEN, CHANNEL_OPEN_FAILURE = 90, 92


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What went over the wire.

    Attributes:
        name: What all of the server's randomness follows from.
        rekeys: Whether the server changed keys all the time.
        from_client: What the client sent.
        from_server: What the server sent.
    """

    name: str
    rekeys: bool
    from_client: bytes
    from_server: bytes


def sessions() -> list[Session]:
    """Read all that were captured."""
    return [
        Session(
            name=each["name"],
            rekeys=each["rekeys"],
            from_client=b64decode(each["from_client"]),
            from_server=b64decode(each["from_server"]),
        )
        for each in json.loads(_FILE.read_text(encoding="ascii"))
    ]


class Greeter(SSHService):
    """Lets everybody in, and opens no channel; notes what was asked for."""

    name = b"ssh-userauth"
    protocolMessages = {USERAUTH_REQUEST: "MSG_USERAUTH_REQUEST", CHANNEL_OPEN: "MSG_CHANNEL_OPEN"}  # noqa: RUF012
    transport: ServerTransport

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def ssh_USERAUTH_REQUEST(self, packet: bytes) -> None:
        """Let somebody in."""
        self.asked.append(Fields(packet).string())
        self.transport.avatar = object()
        self.transport.logoutFunction = lambda: None
        self.transport.sendPacket(USERAUTH_SUCCESS, b"")

    def ssh_CHANNEL_OPEN(self, packet: bytes) -> None:
        """Open nothing: RFC 4254 section 5.1, administratively prohibited."""
        fields = Fields(packet)
        self.asked.append(fields.string())
        self.transport.sendPacket(
            CHANNEL_OPEN_FAILURE, uint32(fields.uint32()) + uint32(1) + string(b"no") + string(b"")
        )


class GreetingFactory(Factory):
    """Has that service."""

    def getService(self, transport: object, name: bytes) -> type[SSHService]:
        """Give it out."""
        return Greeter


def deterministic(name: str, *, rekeys: bool) -> ServerTransport:
    """Make a server of which nothing is random.

    Args:
        name: What its dice show.
        rekeys: Whether it changes keys all the time.
    """
    dice = Random(name)  # noqa: S311 # this is what it is for
    server = ServerTransport()
    server.factory = GreetingFactory()
    server.random = dice.randbytes
    server.ephemeral = lambda: X25519PrivateKey.from_private_bytes(dice.randbytes(32))
    server.seconds = lambda: 0.0
    if rekeys:
        server.rekeyLimits = RekeyLimits(packets=2)
    return server
