"""A server to try TLS clients on: it greets, repeats lines a little late, and knows who shows a certificate.

Started as a script by `test_tls_clients`; SIGHUP makes it read its files again. It says ``listening PORT`` and what
comes of a reload on standard output, and ``lost REASON`` for each connection that is gone.
"""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.core.errors import BadTLSFiles
from cmdserver.net import tls_transport
from cmdserver.net.tls_context import ServerCredentials, TLSFiles, load, peer_name
from cmdserver.net.tls_transport import TLSFactory

#: Long enough for a client's end of input to arrive before the answer is given.
LATE_SECONDS = 0.1
CHUNK = b"x" * 65_535 + b"\n"

clock: Any = reactor


def say(*words: object) -> None:
    """Tell the test."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Echo(Protocol):
    """Takes one line after the other; ends when there is none and the client has ended its input, or at ``quit``."""

    transport: Any

    def __init__(self) -> None:
        self._buffer = b""
        self._is_busy = False
        self._is_over = False
        self._chunks = 0
        self._is_flooding = False
        self._is_paused = False

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def handshakeCompleted(self) -> None:
        peer = peer_name(self.transport, datetime.now(UTC))
        self.transport.write(f"hello {', '.join(peer.names) if peer else 'stranger'}\n".encode())

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        self._proceed()

    def readConnectionLost(self) -> None:
        self._is_over = True
        self._proceed()

    def writeConnectionLost(self) -> None:
        say("output ended")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        say("lost", type(reason.value).__name__)

    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._flood()

    def stopProducing(self) -> None:
        self._chunks = 0

    def _proceed(self) -> None:
        if self._is_busy:
            return
        line, newline, rest = self._buffer.partition(b"\n")
        if newline:
            self._buffer = rest
            self._is_busy = True
            clock.callLater(LATE_SECONDS, self._answer, line)
        elif self._is_over:
            if self._buffer:
                self.transport.write(b"cut\n" if self.transport.is_input_cut else b"last: " + self._buffer + b"\n")
            self._leave()

    def _answer(self, line: bytes) -> None:
        self._is_busy = False
        word, _, count = line.partition(b" ")
        if word == b"quit":
            self._leave()
        elif word == b"flood":
            self._chunks = int(count)
            self._is_flooding = self._is_busy = True
            self._flood()
        elif self.connected:
            self.transport.write(b"echo: " + line + b"\n")
            self._proceed()

    def _flood(self) -> None:
        while self._chunks and not self._is_paused:
            self._chunks -= 1
            self.transport.write(CHUNK)
        if self._is_flooding and not self._chunks:
            self._is_flooding = self._is_busy = False
            self._proceed()

    def _leave(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()


def main(certificate: str, key: str, client_ca: str, minimum_version: Any, linger_seconds: str) -> None:
    """Listen on a port of the kernel's choice until killed."""
    vars(tls_transport)["LINGER_SECONDS"] = float(linger_seconds)
    files = TLSFiles(
        certificate=Path(certificate),
        key=Path(key),
        client_ca=Path(client_ca) if client_ca else None,
        minimum_version=minimum_version,
    )
    credentials = ServerCredentials(load(files, datetime.now(UTC)))

    def reload() -> None:
        try:
            credentials.reconfigure(load(files, datetime.now(UTC)))
        except BadTLSFiles as error:
            say("refused:", error)
        else:
            say("reloaded")

    def begin() -> None:
        signal.signal(signal.SIGHUP, lambda *_: clock.callFromThread(reload))
        say("listening", port.getHost().port)

    port = clock.listenTCP(0, TLSFactory(Factory.forProtocol(Echo), credentials, clock), interface="127.0.0.1")
    clock.callWhenRunning(begin)
    clock.run()


if __name__ == "__main__":
    main(*sys.argv[1:6])
