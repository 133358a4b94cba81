"""One end of the socket between daemon and runner: packets sent when there is room, and received when they are there.

Rule: a socket that takes no descriptors makes no room for them (`Channel.receive`), so the kernel closes whatever a
daemon that was taken over sends along to the runner.
"""

import errno
import os
import socket
from array import array
from collections import deque

from cmdserver.config.schema.callers import MOST_SECRET_FILES
from cmdserver.privsep.messages import REPORT_BYTES, REQUEST_BYTES, Report, Request, encode

#: Standard output and standard error; or the configuration and the files that it names for TLS and for hooks.
_MOST_DESCRIPTORS = 4 + MOST_SECRET_FILES
_ROOM = socket.CMSG_LEN(_MOST_DESCRIPTORS * array("i").itemsize)
#: Until what the host had no memory for is tried again.
RETRY_SECONDS = 0.2
#: What it says then: too many descriptors on their way, no memory.
_NO_ROOM = frozenset({errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM})


class Channel:
    """A message channel over a SOCK_SEQPACKET socket, which is ours from now on, and non-blocking."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._waiting: deque[tuple[bytes, tuple[int, ...]]] = deque()
        #: Whether the kernel had no room for what waits, and will not say when it has: try again `RETRY_SECONDS` later.
        self.is_short = False

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._connection.fileno()

    @property
    def is_clogged(self) -> bool:
        """Whether packets wait because the other end has to read first, see `flush`."""
        return bool(self._waiting)

    def send_at_once(self, packet: bytes) -> bool:
        """Send a message that is encoded already, if there is room; return whether it was sent."""
        if self._waiting:
            return False
        try:
            self._connection.send(packet)
        except OSError:  # whatever it is, `send` meets with it, too
            return False
        return True

    def post(self, message: Request | Report, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message, now or when there is room; the descriptors are closed here when they have been sent."""
        self.send(encode(message), descriptors)

    def send(self, packet: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message that is encoded already; see `post`."""
        self._waiting.append((packet, descriptors))
        if len(self._waiting) == 1:
            self.flush()

    def flush(self) -> None:
        """Send what there is room for."""
        self.is_short = False
        while self._waiting:
            packet, descriptors = self._waiting[0]
            try:
                if descriptors:
                    socket.send_fds(self._connection, [packet], descriptors)
                else:
                    self._connection.send(packet)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self.is_short = True
                    return
                # The other end is gone, as the next attempt to receive will show.
            self._waiting.popleft()
            close_all(descriptors)

    def receive(self) -> bytes | None:
        """Receive one packet, and no descriptors; None if there is none, empty if the other end is gone."""
        try:
            return self._connection.recv(REQUEST_BYTES + 1)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b""

    def receive_with_descriptors(self) -> tuple[bytes, tuple[int, ...]] | None:
        """Receive one packet and the descriptors that came with it, which are the caller's; else as `receive`."""
        try:
            # Not socket.recv_fds: Python 3.11's ignores its flags.
            packet, ancillary, _, _ = self._connection.recvmsg(REPORT_BYTES, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            return b"", ()
        if not ancillary:
            return packet, ()
        descriptors = array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content)
        return packet, tuple(descriptors)

    def end_sending(self) -> None:
        """Let the other end see that nothing more comes."""
        self._connection.shutdown(socket.SHUT_WR)

    def drop_waiting(self) -> None:
        """Forget the packets that wait, and close their descriptors; in a process that has copies of them, say."""
        for _, descriptors in self._waiting:
            close_all(descriptors)
        self._waiting.clear()

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()


def close_all(descriptors: tuple[int, ...]) -> None:
    """Close descriptors that nobody waits for any more."""
    for descriptor in descriptors:
        os.close(descriptor)
