"""What one writes first: a line server in Twisted that runs a program for whoever asks, and gives no thought to more.

No limits, no audit, the reactor's own way to start processes, the listen queue that one gets by default.
`run.py` measures it beside cmdserver, to show what the thought is worth.

    naive.py PORT PROGRAM
"""

import resource
import sys

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.internet.utils import getProcessOutput
from twisted.protocols.basic import LineReceiver


class Naive(LineReceiver):
    """Greets, runs the program at the first line, answers, hangs up."""

    delimiter = b"\n"
    program = ""

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """Greet."""
        self.sendLine(b"What can I do for you?")

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        """Answer."""
        if line != b"uptime":
            self.sendLine(b"no such command")
            self.transport.loseConnection()
            return
        output = getProcessOutput(self.program)
        output.addCallbacks(self.transport.write, lambda failure: self.sendLine(failure.getErrorMessage().encode()))
        output.addBoth(lambda _: self.transport.loseConnection())


def main() -> None:
    port, Naive.program = int(sys.argv[1]), sys.argv[2]
    # As `ulimit -n` in whatever would start it: otherwise it could not hold the idle connections.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    reactor.listenTCP(port, Factory.forProtocol(Naive), interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
