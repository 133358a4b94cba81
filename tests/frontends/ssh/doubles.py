"""A connection that keeps what is sent through it, and a client on the other side of it who reads packets."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Caller, Command
from cmdserver.core.site import Site
from cmdserver.frontends.common.interpreter import Interpreter
from cmdserver.frontends.ssh.channels import Channels
from cmdserver.frontends.ssh.kept_lines import LineHistory
from cmdserver.frontends.ssh.programs import Context
from cmdserver.sshtransport.encoding import Fields, string, uint32
from tests.running_doubles import Composition, command

ADA = Caller(name="ada", protocol="ssh", source="192.0.2.1", method="publickey")

WINDOW = 1 << 20
PACKET = 1 << 15

# RFC 4254, section 9
GLOBAL, SUCCESS, FAILURE = 80, 81, 82
OPEN, OPENED, NOT_OPENED, ADJUST, DATA, EXTENDED, EOF, CLOSE, REQUEST, DONE, NOT_DONE = range(90, 101)


class FakeConnection:
    """What channels send their packets through."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.isOutputHeld = False
        #: Requests that are being answered.
        self.active_requests = 0
        #: How often the client has shown that it is not idle.
        self.heard_of = 0
        #: Called after each packet, as a transport below may say that it is full.
        self.when_sent: Callable[[], object] = lambda: None

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        self.sent.append((messageType, payload))
        self.when_sent()

    def request_began(self) -> None:
        self.active_requests += 1

    def request_ended(self) -> None:
        self.active_requests -= 1

    def heard(self) -> None:
        self.heard_of += 1


class MemoryLines:
    """A `LineHistory` that is gone with its test; lines by user."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}

    def read(self, user: str) -> Sequence[str]:
        return tuple(self.kept.get(user, ()))

    def add(self, user: str, line: str) -> None:
        self.kept.setdefault(user, []).append(line)


class Client:
    """Somebody who has logged in, and speaks to channels in packets.

    Args:
        test: For its duration.
        commands: The allow-list.
        caller: Who it is.
        permits_pty: Whether there are terminals.
        line_bytes: The longest line.
        line_history: What was typed before; None: nothing.
        rest: For `Composition`.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        *commands: Command,
        caller: Caller = ADA,
        permits_pty: bool = True,
        line_bytes: int = 8192,
        line_history: LineHistory | None = None,
        **rest: Any,
    ) -> None:
        self.composition = Composition(test, *(commands or (command(), command("df"))), **rest)
        self.connection = FakeConnection()
        dispatcher = self.composition.dispatcher
        caller = replace(caller, permits_pty=permits_pty)
        #: What the administrator calls the host.
        self.site = Site(name="shop1")
        self.line_history = line_history if line_history is not None else MemoryLines()
        self.channels = Channels(
            self.connection,
            Context(
                caller,
                dispatcher,
                Interpreter(dispatcher),
                self.composition.clock,
                line_bytes,
                lambda: self.site,
                self.line_history,
            ),
        )

    def sends(self, number: int, payload: bytes) -> None:
        """Send a packet."""
        self.channels.packetReceived(number, payload)

    def opens(self, kind: bytes = b"session", window: int = WINDOW, packet: int = PACKET, number: int = 7) -> "Session":
        """Ask for a channel."""
        self.sends(OPEN, string(kind) + uint32(number) + uint32(window) + uint32(packet))
        return Session(self, number)

    def asks(self, line: str, *, terminal: bool = False, **how: Any) -> "Session":
        """Ask for a command, in a channel of its own."""
        session = self.opens(**how)
        if terminal:
            session.requests(b"pty-req", pty())
        session.requests(b"exec", string(line.encode()))
        return session

    def kinds(self) -> list[int]:
        """What was sent to it, by kind."""
        return [number for number, _ in self.connection.sent]

    def turn(self) -> None:
        """Let everything happen that waits for the next turn of the reactor."""
        self.composition.turn()


class Session:
    """A channel, as the client sees it.

    Args:
        client: Whose it is.
        number: What the client calls it.
    """

    def __init__(self, client: Client, number: int) -> None:
        self._client = client
        self.number = number
        opened = [
            payload for kind, payload in client.connection.sent if kind == OPENED and payload[:4] == uint32(number)
        ]
        self.is_open = bool(opened)
        #: What the server calls it.
        self.peer = int.from_bytes(opened[-1][4:8], "big") if opened else 0

    # What it sends

    def sends(self, number: int, payload: bytes = b"") -> None:
        """Send a packet about the channel."""
        self._client.sends(number, uint32(self.peer) + payload)

    def requests(self, kind: bytes, details: bytes = b"", *, wants_reply: bool = True) -> bool | None:
        """Ask for something; return whether that is done, None for no reply."""
        before = len(self._client.connection.sent)
        self.sends(REQUEST, string(kind) + (b"\1" if wants_reply else b"\0") + details)
        replies = [number for number, _ in self._client.connection.sent[before:] if number in {DONE, NOT_DONE}]
        return replies[0] == DONE if replies else None

    def types(self, data: bytes | str) -> None:
        """Send data."""
        self.sends(DATA, string(data if isinstance(data, bytes) else data.encode()))

    def ends_input(self) -> None:
        """Send EOF."""
        self.sends(EOF)

    def closes(self) -> None:
        """Close it."""
        self.sends(CLOSE)

    def widens(self, length: int) -> None:
        """Make room."""
        self.sends(ADJUST, uint32(length))

    # What it gets

    def _payloads(self, *kinds: int) -> Sequence[bytes]:
        return [
            payload[4:]
            for kind, payload in self._client.connection.sent
            if kind in kinds and payload[:4] == uint32(self.number)
        ]

    @property
    def stdout(self) -> bytes:
        """What came to standard output."""
        return b"".join(Fields(payload).string() for payload in self._payloads(DATA))

    @property
    def stderr(self) -> bytes:
        """What came to standard error."""
        return b"".join(Fields(payload[4:]).string() for payload in self._payloads(EXTENDED))

    @property
    def packets(self) -> list[int]:
        """How long each packet of output was."""
        return [len(payload) - 4 for payload in self._payloads(DATA)]

    @property
    def ending(self) -> int | str | None:
        """The exit status, or the name of the signal; None if it goes on."""
        for payload in self._payloads(REQUEST):
            fields = Fields(payload)
            kind = fields.string()
            fields.boolean()
            if kind == b"exit-status":
                return fields.uint32()
            if kind == b"exit-signal":
                return fields.string().decode()
        return None

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed it."""
        return bool(self._payloads(CLOSE))

    @property
    def room(self) -> int:
        """How much room was made for input, after that of the beginning."""
        return sum(int.from_bytes(payload, "big") for payload in self._payloads(ADJUST))


def pty(columns: int = 80, name: bytes = b"xterm") -> bytes:
    """Spell a request for a terminal."""
    return string(name) + b"".join(map(uint32, (columns, 24, 0, 0))) + string(b"\0")
