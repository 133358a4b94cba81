"""The daemon's end of the socket to the runner: packets sent when there is room, and received with their descriptors.

Rule of this file: it acts on nothing that it receives.
"""

import socket
from collections import deque

from cmdserver.privsep.messages import REPORT_BYTES, Report, decode_report

#: Standard output and standard error; or the configuration and the files that it names for TLS.
_MOST_DESCRIPTORS = 4
#: A report, and the descriptors that came with it.
Received = tuple[Report, tuple[int, ...]]


class Packets:
    """The socket.

    Args:
        connection: A SOCK_SEQPACKET socket; ours from now on.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._waiting: deque[bytes] = deque()

    def fileno(self) -> int:
        """Say what to watch."""
        return self._connection.fileno()

    @property
    def is_clogged(self) -> bool:
        """Whether something waits for room, see `flush`."""
        return bool(self._waiting)

    def send(self, packet: bytes) -> None:
        """Send a packet, now or when there is room."""
        self._waiting.append(packet)
        if len(self._waiting) == 1:
            self.flush()

    def flush(self) -> None:
        """Send what there is room for."""
        while self._waiting:
            try:
                self._connection.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError:  # nobody is there, as the next attempt to receive will show
                self._waiting.clear()
                return
            self._waiting.popleft()

    def receive(self) -> Received:
        """Take one report.

        Raises:
            BlockingIOError: There is none.
            ConnectionResetError: Nobody is there.
            ValueError: The same: an empty packet is the end, and no report.
        """
        packet, descriptors, _, _ = socket.recv_fds(
            self._connection, REPORT_BYTES, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        return decode_report(packet), tuple(descriptors)

    def say_goodbye(self) -> None:
        """Send nothing more."""
        self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the socket."""
        self._connection.close()
