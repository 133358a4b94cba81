"""The line door: bytes of a connection to lines, lines to the interpreter, answers back.

One request a connection, unless it says ``session``. Reading goes on while a request is answered, so that a client that
goes away is noticed, until enough has come for the next line; then the network waits, and `Hangups` watches. Writing
never runs ahead of the client: a run is paused, and no further line is looked at, while output waits to be sent.

Rule of this file: it knows transports, not policies; what lines mean is the interpreter's.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver import wire
from cmdserver.connections import Connections
from cmdserver.entrance import Entrance
from cmdserver.errors import BadArgument, Busy, Malformed, Refusal, RequestError, Throttled
from cmdserver.identity import Credentials, Door, Login, Offence
from cmdserver.interpreter import Interpreter
from cmdserver.listening import endpoint_of, source_of
from cmdserver.lobby import FrontEnd, Lobby
from cmdserver.model import Caller, Flow
from cmdserver.rendering import error_text
from cmdserver.settings import Limits

GREETING = b"What can I do for you?\n"
#: What OpenSSL says of a client's certificate that is expired, or signed by nobody whom we know.
CERTIFICATE_REFUSED = "certificate verify failed"

#: Clients for whom there is no room and who are told so, at once; the rest are closed without a word.
MOST_PARTING = 100
#: How long a client that was told everything may go on sending before it is cut off. To close at once with bytes unread
#: would make the kernel send a reset, and the answer could be lost with it (RFC 9112, section 9.6).
LINGER_SECONDS = 2.0
#: Lines of one connection that are answered in a row before others have a turn.
LINES_IN_A_ROW = 16

#: What a client's verified certificate says, given its transport and source; None if it has shown none.
CertificateOf = Callable[[Any, str], Credentials | None]

_log = Logger()


@implementer(IHandshakeListener, IHalfCloseableProtocol, IPushProducer)
class LineConnection(Protocol):
    """One client, from accept to the end.

    Args:
        front_end: What all connections of the door share.
        source: Where the client calls from.
    """

    #: TCP's, or that of something around it; Twisted's interfaces do not say all that we use of it.
    transport: Any

    # Most connections are idle, and there may be ten thousand: what is as it was at first stays in the class.
    _caller: Caller | None = None
    _answering: Deferred[None] | None = None
    _flow: Flow | None = None
    _is_session = False
    _is_output_full = False
    _is_input_paused = False
    _is_input_over = False
    _is_closing = False
    _is_proceeding = False
    _has_greeted = False
    #: False until TLS has its keys: before that nothing can be said.
    _can_speak = False
    _is_leaving = False
    #: ``login_seconds`` run, from the accept or from the word ``login``; nothing prolongs them.
    _is_on_trial = True
    #: Until it is known who this is, at a door that asks.
    _entrance: Entrance | None = None

    def __init__(self, front_end: "LineFrontEnd", source: str) -> None:
        self._front_end = front_end
        self._connections = front_end.connections
        self._buffer = wire.LineBuffer(front_end.lobby.limits().line_bytes)
        self.source = source

    # Protocol, as called by the transport

    def connectionMade(self) -> None:
        """Greet, and wait for the first line; over TLS when it is known who has which certificate."""
        self._connections.opened(self)
        if self._front_end.door.login is not Login.NEVER:
            self._entrance = Entrance(self._front_end.door, self)
        self._connections.expect_within(self, self._front_end.limits.login_seconds)
        self.transport.registerProducer(self, True)
        if self._front_end.certificate_of is None:
            self._can_speak = True
            self._begin()

    def handshakeCompleted(self) -> None:
        """TLS has its keys: a client with a certificate is not asked who it is."""
        self._can_speak = True
        certificate = self._front_end.certificate_of and self._front_end.certificate_of(self.transport, self.source)
        if certificate is not None and self._entrance is not None:
            self._entrance.log_in(certificate)
        else:
            self._begin()

    def _begin(self) -> None:
        if self._entrance is not None and self._front_end.door.login is Login.REQUIRED:
            self._entrance.ask()
        else:
            self.say(GREETING)

    def dataReceived(self, data: bytes) -> None:
        """Take what came; answer if there is nothing to be answered first."""
        if self._is_closing:
            return
        self._buffer.feed(data)
        if not self._is_busy and not self._is_output_full:
            self._proceed()
        if self._buffer.is_full and not self._is_closing and not self._is_input_paused:
            self._is_input_paused = True
            self.transport.pauseProducing()
            self._connections.watch(self)

    def readConnectionLost(self) -> None:
        """The client ends its input: what it has asked is still answered."""
        self._is_input_over = True
        if self._is_closing:
            self.transport.loseConnection()
            return
        self._proceed()
        if not self._is_closing:
            self._connections.watch(self)

    def writeConnectionLost(self) -> None:
        """Everything is said, and the client knows; see `LINGER_SECONDS`."""
        self._connections.expect_within(self, LINGER_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, and with it the wish for an answer."""
        self._is_closing = True
        self._flow = None
        if self._entrance is not None:
            is_refused = not self._can_speak and CERTIFICATE_REFUSED in str(reason.value)
            if is_refused:
                self._front_end.door.refused_in_handshake(self.source, CERTIFICATE_REFUSED)
            self._entrance.leave(Offence.AUTHFAIL if is_refused else Offence.NOAUTH)
        self._connections.closed(self)
        if self._answering is not None:
            self._answering.cancel()

    # IPushProducer, as called by the transport: what we produce is answers

    def pauseProducing(self) -> None:
        """The client does not keep up."""
        self._is_output_full = True
        if self._flow is not None:
            self._flow.pause()
        if not self._is_on_trial:
            self._connections.expect_within(self, self._front_end.limits.idle_seconds)

    def resumeProducing(self) -> None:
        """It has caught up."""
        self._is_output_full = False
        if self._is_closing:
            return
        if self._flow is not None:
            self._flow.resume()
        self._expect_line()
        if not self._is_busy:
            self._proceed()

    def stopProducing(self) -> None:
        """The connection is gone; connectionLost sees to that."""

    # Output, as used by the interpreter

    def write(self, data: bytes) -> None:
        """Send bytes of an answer."""
        self.transport.write(data)

    def follow(self, flow: Flow | None) -> None:
        """Let the client's pace be the flow's."""
        self._flow = flow
        if flow is not None and self._is_output_full:
            flow.pause()

    # Client, as its entrance sees it

    def say(self, prompt: bytes) -> None:
        """Ask, or greet; the first time at once: a socket that nothing was written to has room for it."""
        handle = self.transport.getHandle()
        if isinstance(handle, socket.socket) and not self._has_greeted:
            self._has_greeted = True
            with contextlib.suppress(OSError):  # the client is gone, as the reactor will notice
                handle.send(prompt)
        else:
            self.write(prompt)

    def let_in(self, caller: Caller) -> None:
        """The client has logged in; lines that it has sent ahead are answered now."""
        self._caller = caller
        if not self._is_closing:
            self._is_on_trial = False
            self._expect_line()
            self.say(GREETING)
            self._proceed()

    def send_away(self, farewell: bytes) -> None:
        """The client has not."""
        self.write(farewell)
        self._close()

    # What the front end asks

    def overdue(self) -> None:
        """What was expected did not come in time."""
        if self._is_closing or self._is_output_full:
            self.transport.abortConnection()
            return
        limits = self._front_end.limits
        seconds = limits.login_seconds if self._is_on_trial else limits.idle_seconds
        if self._entrance is not None and self._entrance.is_busy:
            self._entrance.give_up()
            self.write(error_text(Busy("too many logins are being checked", seconds)))
        else:
            if self._entrance is not None:
                self._entrance.leave(Offence.GRACE_EXCEEDED)
            self.write(f"cmdserver: nothing was asked within {seconds:g} s\n".encode())
        if self._can_speak:
            self._close()
        else:
            self.transport.abortConnection()

    def come_to_an_end(self) -> None:
        """Close as soon as what was asked has been answered, if only by `busy`."""
        self._is_leaving = True
        if not self._is_busy and not self._is_output_full:
            self._proceed()

    @property
    def _is_busy(self) -> bool:
        """Whether lines wait, for an answer before them or for a login."""
        return self._answering is not None or (self._entrance is not None and self._entrance.is_busy)

    # One line after the other

    def _proceed(self) -> None:
        """Answer lines until there is a reason to wait."""
        if self._is_proceeding:
            return
        self._is_proceeding = True
        for _ in range(LINES_IN_A_ROW):
            if self._is_busy or self._is_output_full or self._is_closing or not self._take_line():
                break
        else:
            self._front_end.lobby.clock.callLater(0, self._proceed_if_open)
        self._is_proceeding = False

    def _proceed_if_open(self) -> None:
        if not self._is_closing and not self._is_busy and not self._is_output_full:
            self._proceed()

    def _take_line(self) -> bool:
        """Perform the next line; return whether there was one."""
        try:
            is_answer = self._entrance is not None and self._entrance.is_asking
            line = self._buffer.next_answer() if is_answer else self._buffer.next_line()
            if line is None and self._is_input_over:
                line = self._last_line(is_answer=is_answer)
        except Malformed as malformed:
            self._refuse(malformed, as_json=False)
            self._close()
            return False
        if line is not None:
            if self._entrance is not None and is_answer:
                self._answer_prompt(self._entrance, line)
            else:
                self._perform(line)
            return True
        if self._is_input_over or self._is_leaving:
            self._close()
        else:
            self._read_on()
        return False

    def _last_line(self, *, is_answer: bool) -> bytes | None:
        """Take a last line that has no LF, unless somebody on the way may have cut it short."""
        line = self._buffer.last_answer() if is_answer else self._buffer.last_line()
        if line is not None and getattr(self.transport, "is_input_cut", False):
            cut = "the last line may be incomplete; end it with a line break"
            raise Malformed(cut)
        return line

    def _answer_prompt(self, entrance: Entrance, line: bytes) -> None:
        try:
            self._locate()
        except Busy as busy:
            self.send_away(error_text(busy))
        else:
            entrance.take(line)

    def _perform(self, line: bytes) -> None:
        try:
            parsed = wire.parse(line)
            caller = self._require_caller()
        except Refusal as refusal:
            self._refuse(refusal, as_json=wire.wants_json(line))
            self._answered()
            return
        request = parsed.request
        if isinstance(request, wire.Quit):
            self._close()
        elif isinstance(request, wire.Session):
            self._is_session = True
            self._is_on_trial = False
            self._expect_line()
        elif isinstance(request, wire.LogIn):
            self._begin_login()
        else:
            self._is_on_trial = False
            self._connections.expect_nothing(self)
            interpreter = self._front_end.interpreter
            answering = interpreter.perform(caller, request, self, as_json=parsed.as_json)
            if answering is None:
                self._answered()
            else:
                self._answering = answering
                answering.addCallback(self._answered).addErrback(self._broken)

    def _begin_login(self) -> None:
        """The word ``login``: a dialogue, if there is a login here and it has not been made."""
        if self._entrance is not None and self._require_caller().is_anonymous:
            self._is_on_trial = True
            self._connections.expect_within(self, self._front_end.limits.login_seconds)
            self._entrance.ask()
            return
        text = "you have logged in" if self._entrance is not None else "there is no login on this door"
        self._refuse(BadArgument(text), as_json=False)
        # What comes next may be a name and a password, for nobody to read and least of all the audit file.
        self._close()

    def _refuse(self, refusal: Refusal, *, as_json: bool) -> None:
        caller = self._caller or self._front_end.door.anonymous(self.source)
        self._front_end.interpreter.refuse(caller, refusal, self, as_json=as_json)

    def _answered(self, _: None = None) -> None:
        self._answering = None
        if self._is_closing:
            return
        if not self._is_session:
            self._close()
        else:
            self._expect_line()
            self._proceed()

    def _broken(self, failure: Failure) -> None:
        """A mistake of ours; the client sees the end of the connection, the log sees why."""
        _log.failure("line connection from {source}", failure, source=self.source)
        self.transport.abortConnection()

    def _expect_line(self) -> None:
        """It is the client's turn, unless it is ours, or it has been told by when."""
        if self._is_on_trial or self._is_output_full:
            return
        if self._is_busy:
            self._connections.expect_nothing(self)
        else:
            self._connections.expect_within(self, self._front_end.limits.idle_seconds)

    def _require_caller(self) -> Caller:
        """Say who is asking, once it is known where from: behind a proxy that is with the first bytes."""
        if self._caller is None:
            self._locate()
            self._caller = self._front_end.door.anonymous(self.source)
        return self._caller

    def _locate(self) -> None:
        self._connections.moved(self, source_of(self.transport.getPeer()))

    # Beginning and ending to read

    def _read_on(self) -> None:
        if self._is_input_paused:
            self._is_input_paused = False
            self._connections.unwatch(self)
            self.transport.resumeProducing()

    def _close(self) -> None:
        """Send what is left to send, and part."""
        if self._is_closing:
            return
        self._is_closing = True
        has_unread = len(self._buffer) or self._is_input_paused
        self._buffer.clear()
        self._connections.unwatch(self)
        self._connections.expect_within(self, self._front_end.limits.idle_seconds)
        self.transport.unregisterProducer()
        if has_unread and not self._is_input_over:
            self.transport.loseWriteConnection()
            self._read_on()
        else:
            self.transport.loseConnection()


class LineFrontEnd(FrontEnd):
    """What all connections of one line door share.

    Args:
        door: Makes callers of its clients.
        lobby: The house behind it.
        certificate_of: Over TLS: what a client's verified certificate says, if it has shown one.
    """

    def __init__(self, door: Door, lobby: Lobby, certificate_of: CertificateOf | None = None) -> None:
        self.door = door
        self.certificate_of = certificate_of
        self.lobby = lobby
        self.interpreter = Interpreter(lobby.dispatcher)
        self.connections: Connections[LineConnection] = Connections(door.name, lobby)
        self.parting: set[Protocol] = set()

    @property
    def limits(self) -> Limits:
        """The limits as they are now."""
        return self.lobby.limits()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Let a client in, or tell it that there is no room."""
        source = source_of(addr)
        try:
            self.door.arrive(source)
        except (Busy, Throttled) as refusal:
            return self._turn_away(refusal)
        try:
            self.connections.enter(source)
        except Busy as busy:
            self.door.settle()
            return self._turn_away(busy)
        return LineConnection(self, source)

    def _turn_away(self, refusal: Refusal) -> Protocol | None:
        """Say why, to a bounded number at once: over TLS it takes a handshake, and clients take their time."""
        if len(self.parting) >= MOST_PARTING:
            return None
        return _TurnedAway(refusal, self.parting)

    def close(self) -> None:
        """See `FrontEnd`."""
        self.connections.come_to_an_end()

    def try_it(self, address: IAddress, command: str) -> str:
        """See `FrontEnd`."""
        is_inet = isinstance(address, IPv4Address | IPv6Address)
        path = os.fsdecode(getattr(address, "name", b"") or b"")
        if self.certificate_of is not None:
            where = f"-connect {endpoint_of(address)}" if is_inet else f"-unix {path}"
            return f"openssl s_client -quiet {where}"
        where = endpoint_of(address, " ") if is_inet else f"-U {path}"
        return f"echo {command} | nc {where}"


class _TurnedAway(Protocol):
    """A client for whom there is no room; it does not count as connected."""

    transport: Any

    def __init__(self, refusal: RequestError, parting: set[Protocol]) -> None:
        self._refusal = refusal
        self._parting = parting

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - IProtocol has it
        self._parting.discard(self)

    def connectionMade(self) -> None:
        self._parting.add(self)
        self.transport.write(error_text(self._refusal))
        self.transport.loseConnection()


def make(door: Door, lobby: Lobby, certificate_of: CertificateOf | None = None) -> FrontEnd:
    """Make the front end of a line door; over TLS, ``certificate_of`` knows who shows which certificate."""
    return LineFrontEnd(door, lobby, certificate_of)
