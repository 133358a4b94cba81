"""A connection at the pace of whoever is at its other end, within limits, and how its two directions end.

Input: telnet's commands are taken out first. What comes is kept up to one line and a little; the rest waits in the
network until there is room, and `PeerLiveness` watches for the client meanwhile, as it does when the client has ended
its input. Output: a run is paused while what it has said waits to be sent. Time: a client may take so long to ask, and
so long to take its answer. The end: what is written is sent first, and a client that is still sending is not cut short.

Rule of this file: it knows bytes, and in which direction they go; what they say is for the class that inherits it. (It
is inherited, not owned: two objects that know each other are garbage that only the collector finds, and most
connections are there for one request.)
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.config.schema import Limits
from cmdserver.core.errors import Malformed
from cmdserver.core.model import Producer, Stream
from cmdserver.frontends.common.line_protocol import LineBuffer
from cmdserver.frontends.line.telnet import IAC, Interrupt, Reply, Telnet, Text
from cmdserver.net.connection_table import Connections
from cmdserver.net.lingering import LINGER_SECONDS


@implementer(IHalfCloseableProtocol, IPushProducer)
class PacedConnection(Protocol):
    """One connection, to be inherited by what knows the meaning of its lines.

    Args:
        connections: All of the listener's.
        limits: As they are now.
        source: Where the client calls from.
    """

    #: TCP's, or that of something around it; Twisted's interfaces do not say all that we use of it.
    transport: Any

    # Most connections are idle, and there may be ten thousand: what is as it was at first stays in the class.
    _producer: Producer | None = None
    _is_output_full = False
    _is_input_paused = False
    _is_input_over = False
    #: Everything is said, or nobody is there to hear it.
    _is_closing = False
    #: ``login_seconds`` run, from the accept or from the word ``login``; nothing prolongs them.
    _is_on_trial = True
    #: From the first byte on that may be telnet's.
    _telnet: Telnet | None = None

    def __init__(self, connections: "Connections[PacedConnection]", limits: Callable[[], Limits], source: str) -> None:
        self._connections = connections
        self._limits = limits
        self._buffer = LineBuffer(limits().line_bytes)
        self.source = source

    # What the inheritor says and does

    @property
    def _is_busy(self) -> bool:
        """Whether lines wait for something that is not the client's to do."""
        raise NotImplementedError

    def _proceed(self) -> None:
        """Answer what has come as far as that is possible now; called whenever more may be."""
        raise NotImplementedError

    def interrupted(self) -> None:
        """The client has pressed Ctrl-C, which telnet says otherwise than with a byte."""
        raise NotImplementedError

    def refuse_input(self, malformed: Malformed) -> None:
        """Nothing that comes can be understood any more."""
        raise NotImplementedError

    def overdue(self) -> None:
        """What was expected did not come in time."""
        raise NotImplementedError

    def close_when_idle(self) -> None:
        """Close as soon as what is being answered has been."""
        raise NotImplementedError

    # What the inheritor asks for, and the interpreter

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:  # noqa: ARG002 - there is one for both
        """Send bytes of an answer."""
        self.transport.write(data if self._telnet is None else self._telnet.encode(data))

    def follow(self, producer: Producer | None) -> None:
        """Let the client's pace be the flow's."""
        self._producer = producer
        if producer is not None and self._is_output_full:
            producer.pauseProducing()

    def _expect_line(self) -> None:
        """It is the client's turn, unless it is ours, or it has been told by when."""
        if self._is_on_trial or self._is_output_full:
            return
        if self._is_busy:
            self._connections.expect_nothing(self)
        else:
            self._connections.expect_within(self, self._limits().idle_seconds)

    def _read_on(self) -> None:
        """There is room for more input."""
        if self._is_input_paused:
            self._is_input_paused = False
            self._connections.unwatch(self)
            self.transport.resumeProducing()

    def _close(self) -> None:
        """Send what is left to send, and part; twice is the same as once."""
        if self._is_closing:
            return
        self._is_closing = True
        has_unread = len(self._buffer) or self._is_input_paused
        self._buffer.clear()
        self._connections.unwatch(self)
        self._connections.expect_within(self, self._limits().idle_seconds)
        self.transport.unregisterProducer()
        if has_unread and not self._is_input_over:
            self.transport.loseWriteConnection()
            self._read_on()
        else:
            self.transport.loseConnection()

    # Protocol, as called by the transport

    def connectionMade(self) -> None:
        """Wait for the client, and be told how it keeps up."""
        self._connections.opened(self)
        self._connections.expect_within(self, self._limits().login_seconds)
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Take what came; what comes after everything was said is dropped."""
        if self._is_closing:
            return
        if self._telnet is None and IAC not in data:
            self._buffer.feed(data)
            self._proceed()
        else:
            self._take_telnet(data)
        # Who does not take our answers to telnet's questions is to ask no more of them.
        is_full = self._buffer.is_full or (self._telnet is not None and self._is_output_full)
        if is_full and not self._is_closing and not self._is_input_paused:
            self._is_input_paused = True
            self.transport.pauseProducing()
            self._connections.watch(self)

    def _take_telnet(self, data: bytes) -> None:
        """Take what may have telnet's commands in it, one thing after the other."""
        if self._telnet is None:
            self._telnet = Telnet()
        try:
            for received in self._telnet.feed(data):
                match received:
                    case Text(text):
                        self._buffer.feed(text)
                        self._proceed()
                    case Reply(reply):
                        self.transport.write(reply)
                    case Interrupt():
                        self.interrupted()
                if self._is_closing:
                    return
        except Malformed as malformed:
            self.refuse_input(malformed)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - IProtocol has it
        """The connection is gone."""
        self._is_closing = True
        self._producer = None
        self._connections.closed(self)

    # IHalfCloseableProtocol

    def readConnectionLost(self) -> None:
        """The client ends its input: what it has asked is still answered."""
        self._is_input_over = True
        if self._is_closing:
            self.transport.loseConnection()
            return
        if self._telnet is not None:
            self._buffer.feed(self._telnet.finish())
        self._proceed()
        if not self._is_closing:
            self._connections.watch(self)

    def writeConnectionLost(self) -> None:
        """Everything is said, and the client knows; see `LINGER_SECONDS`."""
        self._connections.expect_within(self, LINGER_SECONDS)

    # IPushProducer: what we produce is answers

    def pauseProducing(self) -> None:
        """The client does not keep up: it is to take what there is within ``idle_seconds``."""
        self._is_output_full = True
        if self._producer is not None:
            self._producer.pauseProducing()
        if not self._is_on_trial:
            self._connections.expect_within(self, self._limits().idle_seconds)

    def resumeProducing(self) -> None:
        """It has caught up."""
        self._is_output_full = False
        if self._is_closing:
            return
        if self._producer is not None:
            self._producer.resumeProducing()
        if self._telnet is not None and not self._buffer.is_full:
            self._read_on()
        self._expect_line()
        self._proceed()

    def stopProducing(self) -> None:
        """The connection is gone; connectionLost sees to that."""
