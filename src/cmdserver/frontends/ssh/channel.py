"""One channel's output and input, each within its window (RFC 4254, section 5.2).

Output waits here until the client has made room for it, and its producer is paused meanwhile. Input is acknowledged
only when somebody wants more, so that a flood waits at the client.
"""

from collections import deque
from enum import Enum, auto
from typing import Final, Protocol

from cmdserver.core.output import Stream
from cmdserver.frontends.ssh.exit_status import ExitStatus
from cmdserver.net.backpressure import Backpressure
from cmdserver.sshtransport.encoding import Malformed, string, uint32

#: What a client may send before it is acknowledged, and in one packet, in bytes; for keys and lines, not for files.
WINDOW_BYTES: Final = 65_536
PACKET_BYTES: Final = 32_768

#: RFC 4254, section 5.2: a window is never larger.
_LARGEST_WINDOW: Final = 0xFFFFFFFF
#: The most output in one packet, in bytes, whatever the client would take; larger ones gain nothing.
_LARGEST_PACKET: Final = 32_768

# RFC 4254, section 9
WINDOW_ADJUST, DATA, EXTENDED_DATA, EOF, CLOSE, REQUEST = 93, 94, 95, 96, 97, 98
CHANNEL_SUCCESS, CHANNEL_FAILURE = 99, 100
_STDERR: Final = uint32(1)


class Link(Protocol):
    """The connection, as its channels and what runs in them see it."""

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """Send a packet."""

    @property
    def isOutputHeld(self) -> bool:
        """Whether more output would have to be kept in memory by the transport."""

    def request_began(self) -> None:
        """Count one more request that is being answered."""

    def request_ended(self) -> None:
        """Count one less."""

    def heard(self) -> None:
        """Hear that the client has used a session, and so is not idle."""


class Sending(Enum):
    """The state of a channel's output; each may follow those above it."""

    OPEN = auto()
    #: EOF, the exit status and CLOSE will follow the output that waits; no more is taken.
    EOF_PENDING = auto()
    #: CLOSE has been sent, and nothing may follow it (RFC 4254, section 5.3).
    CLOSED = auto()


class Channel(Backpressure):
    """A channel.

    Args:
        link: Sends its packets.
        peer_number: The client's number for it.
        peer_window: Bytes that the client has room for.
        peer_packet: The longest packet of data that the client takes, in bytes.
    """

    def __init__(self, link: Link, peer_number: int, peer_window: int, peer_packet: int) -> None:
        self.link = link
        self._to = uint32(peer_number)
        self._peer_window = peer_window
        self._peer_packet = min(max(peer_packet, 1), _LARGEST_PACKET)
        #: What the client may still send.
        self._window = WINDOW_BYTES
        self._waiting: deque[tuple[Stream, bytes]] = deque()
        #: How much of the first of them has been sent.
        self._offset = 0
        self.is_output_full = link.isOutputHeld
        self._exit_status: ExitStatus | None = None
        self.sending = Sending.OPEN
        #: Whether the client has sent EOF.
        self.is_input_over = False

    # Output

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        """Send output as soon as there is room for it; dropped once the channel is to be closed."""
        if data and self.sending is Sending.OPEN:
            self._waiting.append((stream, data))
            self.send_waiting()

    def exit(self, exit_status: ExitStatus | None) -> None:
        """Close the channel when all output is sent, and tell how what ran has ended; None: nothing ran.

        Only the first time counts.
        """
        if self.sending is Sending.OPEN:
            self.sending, self._exit_status = Sending.EOF_PENDING, exit_status
            self.send_waiting()

    @property
    def is_full(self) -> bool:
        """Whether output waits, or more would."""
        return bool(self._waiting) or self.link.isOutputHeld

    def send_waiting(self) -> None:
        """Send what there is room for."""
        waiting, link = self._waiting, self.link
        while waiting and self._peer_window and not link.isOutputHeld:
            stream, data = waiting[0]
            chunk = data[self._offset : self._offset + min(self._peer_window, self._peer_packet)]
            self._offset += len(chunk)
            if self._offset == len(data):
                waiting.popleft()
                self._offset = 0
            self._peer_window -= len(chunk)
            said = len(chunk).to_bytes(4, "big") + chunk  # an SSH string, without a call of ours
            if stream is Stream.STDOUT:
                link.sendPacket(DATA, self._to + said)
            else:
                link.sendPacket(EXTENDED_DATA, self._to + _STDERR + said)
        if self.sending is Sending.EOF_PENDING and not self.is_full:
            self._send_exit_status()
            self.close()
        self.steer()

    def steer(self) -> None:
        """Pause the source of output while some waits, and resume it when none does."""
        if self.is_full != self.is_output_full:
            (self.resumeProducing if self.is_output_full else self.pauseProducing)()

    def close(self) -> None:
        """Close the channel now; output that waits is dropped. A no-op if it is closed."""
        if self.sending is not Sending.CLOSED:
            self.sending = Sending.CLOSED
            self._waiting.clear()
            self.link.sendPacket(CLOSE, self._to)

    def reply(self, *, is_granted: bool) -> None:
        """Answer a request."""
        if self.sending is not Sending.CLOSED:
            self.link.sendPacket(CHANNEL_SUCCESS if is_granted else CHANNEL_FAILURE, self._to)

    def widen(self, length: int) -> None:
        """Add to the room that the client has for output, and use it."""
        self._peer_window = min(self._peer_window + length, _LARGEST_WINDOW)
        self.send_waiting()

    # Input

    def take(self, data: bytes) -> bytes:
        """Count input, and return it.

        Raises:
            Malformed: There was no room for so much.
        """
        self._window -= len(data)
        if self._window < 0 or len(data) > PACKET_BYTES:
            raise Malformed("against the protocol")
        return data

    def read_on(self) -> None:
        """Let the client send more, once half of its window is used up."""
        if self._window <= WINDOW_BYTES // 2 and self.sending is not Sending.CLOSED:
            self.link.sendPacket(WINDOW_ADJUST, self._to + uint32(WINDOW_BYTES - self._window))
            self._window = WINDOW_BYTES

    # Steps

    def _send_exit_status(self) -> None:
        exit_status, to = self._exit_status, self._to
        if exit_status is None:
            return
        if exit_status.signal is None:
            details = string(b"exit-status") + b"\0" + uint32(exit_status.status & 0xFFFFFFFF)
        else:
            # No core was dumped, and there is no message, in no language (RFC 4254, section 6.10).
            details = string(b"exit-signal") + b"\0" + string(exit_status.signal_name) + b"\0" + string(b"") * 2
        self.link.sendPacket(EOF, to)
        self.link.sendPacket(REQUEST, to + details)
