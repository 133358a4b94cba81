"""A channel over a real socket pair, for tests of either end."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep.channel import Channel
from cmdserver.privsep.messages import Report, Trouble, decode_report

#: Of a few bytes; many more than a socket takes.
_FLOOD = 20_000


class ChannelTestCase(SynchronousTestCase):
    """The runner's channel, and the daemon's end of its socket."""

    def setUp(self) -> None:
        self.daemon, runner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.daemon.close)
        self.addCleanup(runner.close)
        self.daemon.setblocking(False)
        self.channel = Channel(runner)

    def heard(self) -> list[Report]:
        """Read what the daemon has been sent."""
        reports: list[Report] = []
        while True:
            try:
                packet = self.daemon.recv(65536)
            except BlockingIOError:
                return reports
            if not packet:
                return reports
            reports.append(decode_report(packet))

    def clog(self) -> int:
        """Post until there is no room; return how many reports that took."""
        for number in range(_FLOOD):
            self.channel.post(Trouble("x"), ())
            if self.channel.is_clogged:
                return number + 1
        raise AssertionError("there is always room")
