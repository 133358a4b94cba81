"""A connection at its client's pace: how bytes travel, by when, and how each direction ends.

Input: telnet's commands are taken out first. About one line is kept; the rest waits in the network until there is room,
and `PeerLiveness` watches the client meanwhile, as it does when the client has ended its input. Output: a run is paused
while its output waits to be sent. The end: what is written is sent first, and a client that still sends is not cut off.

A base class of what knows the meaning of lines, for the reason that `Backpressure` has.
"""

from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.core.errors import Malformed
from cmdserver.core.output import Stream
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.line_loop import LineLoop
from cmdserver.frontends.common.line_protocol import LineBuffer
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.line.states import ENDED, TRANSITIONS, Event, State
from cmdserver.frontends.line.telnet import IAC, Interrupt, Reply, Telnet, Text
from cmdserver.net.backpressure import Backpressure
from cmdserver.net.tcp import LINGER_SECONDS, close_at_once

#: What a client is told that speaks no TLS where that is spoken.
SPEAKS_TLS: Final = "this port speaks TLS; try: openssl s_client -quiet -connect HOST:PORT"


@implementer(IHalfCloseableProtocol)
class PacedConnection(Backpressure, LineLoop, Protocol):
    """One connection."""

    #: TCP's, or that of something around it; Twisted's interfaces do not say all that we use of it.
    transport: Any

    # Most connections are idle, and there may be ten thousand: an attribute is in the instance only once it changes.
    state = State.HANDSHAKE
    _is_input_paused = False
    _is_input_over = False
    #: From the first byte on that may be telnet's.
    _telnet: Telnet | None = None

    def __init__(self, front_end: FrontEnd, source: str) -> None:
        self._front_end = front_end
        self._connections = front_end.connections
        self._limits = front_end.context.limits
        self._buffer = LineBuffer(self._limits().line_bytes)
        self.source = source

    # For subclasses

    def interrupted(self) -> None:
        """Take a Ctrl-C, for which telnet has a command."""
        raise NotImplementedError

    def refuse_input(self, malformed: Malformed) -> None:
        """Say what is wrong, and close: nothing that follows can be understood."""
        raise NotImplementedError

    # As called by TLS

    def answer_plain(self, data: bytes) -> bytes:
        """See `PlainTextReceiver`; what the client has sent may be a name, and is written down nowhere."""
        del data
        stranger = self._front_end.listener_auth.stranger(self.source)
        return error_text(self._front_end.context.dispatcher.refuse(stranger, Malformed(SPEAKS_TLS)))

    # The state, and what depends on it

    @property
    def _clock(self) -> IReactorTime:
        return self._front_end.context.clock

    @property
    def _is_closing(self) -> bool:
        """Whether all is said, or nobody is there to hear it."""
        return self.state in ENDED

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state][event]

    def _expect(self) -> None:
        """Restart the deadline by the state; that of output that is not taken stays, and so does that of a login."""
        if self.is_output_full:
            return
        if self.state is State.BUSY:
            self._connections.expect_nothing(self)
        elif self.state is State.READY:
            self._connections.expect_within(self, self._limits().idle_seconds)

    # Output

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:  # noqa: ARG002 - there is one for both
        """Send bytes of an answer."""
        self.transport.write(data if self._telnet is None else self._telnet.encode(data))

    def say(self, prompt: bytes) -> None:
        """Send a prompt."""
        self.write(prompt)

    def close(self) -> None:
        """Send what is left to send, and close. Idempotent."""
        if self._is_closing:
            return
        self._move(Event.CLOSE)
        has_unread = self._is_input_paused or bool(self._buffer)
        self._buffer.clear()
        if has_unread and not self._is_input_over:
            self._expect_end()
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()
            self._read_on()
        else:
            close_at_once(self.transport)
            if self.state is State.CLOSING:  # something is still to be sent
                self._expect_end()

    def _expect_end(self) -> None:
        self._connections.unwatch(self)
        self._connections.expect_within(self, self._limits().idle_seconds)

    def _read_on(self) -> None:
        """Read more input, for which there is room."""
        if self._is_input_paused:
            self._is_input_paused = False
            self._connections.unwatch(self)
            self.transport.resumeProducing()

    # Protocol

    def connectionMade(self) -> None:
        self._connections.opened(self)
        self._connections.expect_within(self, self._limits().login_seconds)
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self.state in ENDED:
            return
        if self._telnet is None and IAC not in data:
            self._buffer.feed(data)
            self.proceed()
        else:
            self._take_telnet(data)
        # Who does not take our answers to telnet's questions is to ask no more of them.
        is_full = self._buffer.is_full or (self._telnet is not None and self.is_output_full)
        if is_full and not self._is_closing and not self._is_input_paused:
            self._is_input_paused = True
            self.transport.pauseProducing()
            self._connections.watch(self)

    def _take_telnet(self, data: bytes) -> None:
        """Take input that may have telnet's commands in it, one thing after the other."""
        if self._telnet is None:
            self._telnet = Telnet()
        try:
            for received in self._telnet.feed(data):
                match received:
                    case Text(text):
                        self._buffer.feed(text)
                        self.proceed()
                    case Reply(reply):
                        self.transport.write(reply)
                    case Interrupt():
                        self.interrupted()
                if self._is_closing:
                    return
        except Malformed as malformed:
            self.refuse_input(malformed)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - IProtocol has it
        self._move(Event.LOST)
        self._source = None
        self._connections.closed(self)

    # IHalfCloseableProtocol

    def readConnectionLost(self) -> None:
        """Answer what was asked before the client ended its input, and close."""
        self._is_input_over = True
        if self._is_closing:
            self.transport.loseConnection()
            return
        if self._telnet is not None:
            self._buffer.feed(self._telnet.finish())
        self.proceed()
        if not self._is_closing:
            self._connections.watch(self)

    def writeConnectionLost(self) -> None:
        self._connections.expect_within(self, LINGER_SECONDS)

    # IPushProducer

    def pauseProducing(self) -> None:
        """Pause: the client does not keep up, and has ``idle_seconds`` to take what there is."""
        super().pauseProducing()
        if self.state is State.BUSY or self.state is State.READY:
            self._connections.expect_within(self, self._limits().idle_seconds)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self._is_closing:
            return
        if self._telnet is not None and not self._buffer.is_full:
            self._read_on()
        self._expect()
        self.proceed()
