"""One session's two streams, each within its window (RFC 4254, section 5).

What is written goes no faster than the client makes room for it, and what it comes from is paused meanwhile; what the
client sends is acknowledged only when somebody wants more, so that a flood waits on its own side.
Rule of this file: it knows windows and packets, not what they are for.
"""

from collections import deque
from typing import Protocol

from cmdserver.core.model import Producer
from cmdserver.frontends.ssh.ending import ExitStatus
from cmdserver.sshtransport.encoding import string, uint32

#: What a client may send before we have taken it up, and in one packet; for keys and lines, not for files.
WINDOW_BYTES = 65_536
PACKET_BYTES = 32_768

#: RFC 4254, section 5.2: a window is never larger.
_LARGEST_WINDOW = 0xFFFFFFFF
#: What we put into one packet, whatever the client would take; larger ones gain nothing.
_LARGEST_PACKET = 32_768

# RFC 4254, section 9
WINDOW_ADJUST, DATA, EXTENDED_DATA, EOF, CLOSE, REQUEST = 93, 94, 95, 96, 97, 98
_STDERR = 1


class Link(Protocol):
    """The connection, as a channel sees it."""

    def sendPacket(self, messageType: int, payload: bytes) -> None:
        """Send a packet."""

    def stirred(self) -> None:
        """Something has begun or ended: what is waited for may be something else now."""

    @property
    def isOutputHeld(self) -> bool:
        """Whether more than what was sent already would have to be kept in memory."""


class Channel:
    """What can be written to, and how much may be read.

    Args:
        link: Carries it.
        peer_number: The client's name for it.
        peer_window: Bytes that the client has room for.
        peer_packet: The longest packet of data that it takes.
    """

    def __init__(self, link: Link, peer_number: int, peer_window: int, peer_packet: int) -> None:
        self._link = link
        self._peer_number = peer_number
        self._peer_window = peer_window
        self._peer_packet = min(max(peer_packet, 1), _LARGEST_PACKET)
        #: What the client may still send.
        self._window = WINDOW_BYTES
        #: Not sent yet: whether it is standard error, and the bytes.
        self._waiting: deque[tuple[bool, bytes]] = deque()
        #: Of the first of them, what has been sent.
        self._offset = 0
        self._producer: Producer | None = None
        self._is_flow_paused = False
        self._ending: ExitStatus | None = None
        self._has_closed = False

    # Writing

    def out(self, data: bytes) -> None:
        """Write to standard output."""
        self._write(False, data)

    def err(self, data: bytes) -> None:
        """Write to standard error."""
        self._write(True, data)

    def follow(self, producer: Producer | None) -> None:
        """Pause and resume ``producer`` as the client keeps up; None: there is nothing to pause any more."""
        self._producer = producer
        self._is_flow_paused = False
        self.steer()

    def exit(self, ending: ExitStatus) -> None:
        """Say how it ended, and close, as soon as everything is sent; only the first time counts."""
        if self._ending is None:
            self._ending = ending
            self.send_on()

    @property
    def is_exiting(self) -> bool:
        """Whether it has been said how it ended."""
        return self._ending is not None

    @property
    def is_full(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._waiting) or self._link.isOutputHeld

    def send_on(self) -> None:
        """Send what may be sent: there is room, or something new."""
        while self._waiting and self._peer_window and not self._link.isOutputHeld and not self._has_closed:
            is_error, data = self._waiting[0]
            chunk = data[self._offset : self._offset + min(self._peer_window, self._peer_packet)]
            self._offset += len(chunk)
            if self._offset == len(data):
                self._waiting.popleft()
                self._offset = 0
            self._peer_window -= len(chunk)
            number, kind = (EXTENDED_DATA, uint32(_STDERR)) if is_error else (DATA, b"")
            self._link.sendPacket(number, uint32(self._peer_number) + kind + string(chunk))
        if not self._waiting and self._ending is not None and not self._link.isOutputHeld:
            self._say_ending(self._ending)
            self.close()
        self.steer()

    def steer(self) -> None:
        """Pause the flow while something waits, and let it go on when nothing does."""
        if self._producer is None or self.is_full == self._is_flow_paused:
            return
        self._is_flow_paused = self.is_full
        if self._is_flow_paused:
            self._producer.pauseProducing()
        else:
            self._producer.resumeProducing()

    def close(self) -> None:
        """Close our side; what was not sent is forgotten."""
        if not self._has_closed:
            self._has_closed = True
            self._waiting.clear()
            self._link.sendPacket(CLOSE, uint32(self._peer_number))
            self._link.stirred()

    def stirred(self) -> None:
        """See `Link`."""
        self._link.stirred()

    def reply(self, number: int) -> None:
        """Answer a request."""
        if not self._has_closed:
            self._link.sendPacket(number, uint32(self._peer_number))

    # Reading

    def take(self, length: int) -> bool:
        """Take note of so many bytes that came; return whether there was room for them."""
        self._window -= length
        return self._window >= 0 and length <= PACKET_BYTES

    def read_on(self) -> None:
        """Make room for as much as at first, once half of it is used up."""
        if self._window <= WINDOW_BYTES // 2 and not self._has_closed:
            self._link.sendPacket(WINDOW_ADJUST, uint32(self._peer_number) + uint32(WINDOW_BYTES - self._window))
            self._window = WINDOW_BYTES

    def widen(self, length: int) -> None:
        """The client has room for more."""
        self._peer_window = min(self._peer_window + length, _LARGEST_WINDOW)
        self.send_on()

    # Steps

    def _write(self, is_error: bool, data: bytes) -> None:  # noqa: FBT001 - see out and err
        if data and not self._has_closed and self._ending is None:
            self._waiting.append((is_error, data))
            self.send_on()

    def _say_ending(self, ending: ExitStatus) -> None:
        if self._has_closed:
            return
        to = uint32(self._peer_number)
        self._link.sendPacket(EOF, to)
        if ending.signal is None:
            self._link.sendPacket(REQUEST, to + string(b"exit-status") + b"\0" + uint32(ending.status & 0xFFFFFFFF))
        else:
            # No core was dumped, and there is nothing to add, in no language (RFC 4254, section 6.10).
            rest = b"\0" + string(b"") + string(b"")
            self._link.sendPacket(REQUEST, to + string(b"exit-signal") + b"\0" + string(ending.signal_name) + rest)
