"""The daemon's end of the socket to the runner: packets sent when there is room, and received with their descriptors.

Rule of this file: it acts on nothing that it receives.
"""

import socket
from collections import deque

from cmdserver.privsep.messages import REPORT_BYTES, Fetch, Fetched, Ready, Report, decode_report, encode

#: Standard output and standard error; or the configuration and the files that it names for TLS.
_MOST_DESCRIPTORS = 4
#: To wait for the runner, which is asked for a file only if we may not open it ourselves.
FETCH_SECONDS = 2.0

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
        #: Reports that came while we waited for another one.
        self.backlog: list[Received] = []

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

    def fetch(self, name: str) -> tuple[Fetched, tuple[int, ...]]:
        """Ask for a credential file, and wait for the answer; other reports that come meanwhile are in `backlog` then.

        Raises:
            OSError: There is no answer, or nobody is there.
            ValueError: The same.
        """
        self._connection.settimeout(FETCH_SECONDS)
        try:
            self._connection.send(encode(Fetch(name)))
            while True:
                report, descriptors = self.receive()
                if isinstance(report, Fetched) and report.name == name:
                    return report, descriptors
                # About others, who are told when whoever waits here is done; or an answer that comes too late.
                self.backlog.append((report, descriptors))
                if isinstance(report, Ready):
                    raise ConnectionResetError
        finally:
            self._connection.setblocking(False)

    def say_goodbye(self) -> None:
        """Send nothing more."""
        self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the socket."""
        self._connection.close()
