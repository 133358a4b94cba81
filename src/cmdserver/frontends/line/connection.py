"""One client of a line listener: lines to the interpreter, answers back, and a login before them where it is asked for.

One request a connection, unless it says ``session``. Lines sent ahead wait until those before them are answered and
their answers taken.

Rule of this file: it knows no policies; what lines mean is the interpreter's. How bytes travel is `PacedConnection`'s.
"""

import contextlib
import socket

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.auth.credentials import Credentials
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import BadArgument, Busy, Code, Malformed, Refusal
from cmdserver.core.model import Caller, Login
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interpreter import Ending, Interpreter
from cmdserver.frontends.common.login_session import LoginSession
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.line.pacing import PacedConnection
from cmdserver.limits.source_penalties import Offence

GREETING = b"What can I do for you?\n"
#: What a client gets in the place of the rest of an answer that it has interrupted, on a line of its own.
INTERRUPTED = b"\ncmdserver: interrupted\n"
#: What OpenSSL says of a client's certificate that is expired, or signed by nobody whom we know.
CERTIFICATE_REFUSED = "certificate verify failed"
#: Lines of one connection that are answered in a row before others have a turn.
LINES_IN_A_ROW = 16

_log = Logger()


@implementer(IHandshakeListener)
class LineConnection(PacedConnection):
    """One client, from accept to the end.

    Args:
        front_end: Its listener's.
        interpreter: Answers lines.
        source: Where the client calls from.
        pending_login: Settled when the client has logged in, or is gone.
    """

    # As in PacedConnection: what is as it was at first stays in the class.
    _caller: Caller | None = None
    _answering: Deferred[Ending] | None = None
    _is_session = False
    _is_proceeding = False
    _has_greeted = False
    #: False until TLS has its keys: before that nothing can be said.
    _can_speak = False
    _is_leaving = False
    #: Until it is known who this is, at a listener that asks.
    _login_session: LoginSession | None = None

    def __init__(self, front_end: FrontEnd, interpreter: Interpreter, source: str, pending_login: PendingLogin) -> None:
        super().__init__(front_end.connections, front_end.context.limits, source)
        self._front_end = front_end
        self._interpreter = interpreter
        self.pending_login = pending_login

    # Beginning and end, as called by the transport

    def connectionMade(self) -> None:
        """Greet, and wait for the first line; over TLS when it is known who has which certificate."""
        super().connectionMade()
        if self._front_end.listener_auth.login is not Login.NEVER:
            self._login_session = LoginSession(self._front_end.listener_auth, self)
        if self._front_end.certificate_of is None:
            self._can_speak = True
            self._begin()

    def handshakeCompleted(self) -> None:
        """TLS has its keys: a client with a certificate is not asked who it is."""
        self._can_speak = True
        trying = self._front_end.listener_auth.log_in_by_certificate(self.source, self._certificate)
        if trying is not None and self._login_session is not None:
            self._login_session.await_login(trying)
        else:
            self._begin()

    def _certificate(self) -> Credentials | None:
        return self._front_end.certificate_of and self._front_end.certificate_of(self.transport, self.source)

    def _begin(self) -> None:
        if self._login_session is not None and self._front_end.listener_auth.login is Login.REQUIRED:
            self._login_session.ask()
        else:
            self.say(GREETING)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, and with it the wish for an answer."""
        super().connectionLost(reason)
        if self._login_session is not None:
            is_refused = not self._can_speak and CERTIFICATE_REFUSED in str(reason.value)
            if is_refused:
                self._front_end.listener_auth.refused_in_handshake(self.source, CERTIFICATE_REFUSED)
            self._login_session.leave(Offence.AUTHFAIL if is_refused else Offence.NOAUTH)
        if self._answering is not None:
            self._answering.cancel()

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

    def broken(self, failure: Failure) -> None:
        """A mistake of ours; the client sees the end of the connection, the log sees why."""
        _log.failure("line connection from {source}", failure, source=self.source)
        self._is_closing = True
        self.transport.abortConnection()

    # PacedConnection

    def interrupted(self) -> None:
        """End what runs and forget what was typed, as a terminal does; a login that is not made is given up."""
        self._buffer.clear()
        self._read_on()
        if self._login_session is not None and (self._login_session.is_asking or self._login_session.is_trying):
            self._close()
        elif self._answering is not None:
            answering, self._answering = self._answering, None
            self.follow(None)
            self.write(INTERRUPTED)
            answering.cancel()

    def refuse_input(self, malformed: Malformed) -> None:
        """Say what is wrong, and part."""
        self._refuse(malformed, as_json=False)
        self._close()

    # What the house asks

    def overdue(self) -> None:
        """What was expected did not come in time."""
        if self._is_closing or self._is_output_full:
            self.transport.abortConnection()
            return
        limits = self._limits()
        seconds = limits.login_seconds if self._is_on_trial else limits.idle_seconds
        if self._login_session is not None and self._login_session.is_trying:
            self._login_session.give_up()
            self.write(error_text(Busy("too many logins are being checked", seconds)))
        else:
            if self._login_session is not None:
                self._login_session.leave(Offence.GRACE_EXCEEDED)
            self.write(f"cmdserver: nothing was asked within {seconds:g} s\n".encode())
        if self._can_speak:
            self._close()
        else:
            self.transport.abortConnection()

    def close_when_idle(self) -> None:
        """Close as soon as what was asked has been answered, if only by `busy`."""
        self._is_leaving = True
        if self._can_speak:
            self._proceed()
        else:
            self._close()

    # One line after the other

    @property
    def _is_busy(self) -> bool:
        """Whether lines wait, for an answer before them or for a login."""
        return self._answering is not None or (self._login_session is not None and not self._login_session.takes_lines)

    def _proceed(self) -> None:
        """Answer lines until there is a reason to wait."""
        if self._is_proceeding:
            return
        self._is_proceeding = True
        try:
            self._take_lines()
        except Exception:  # noqa: BLE001 - the outer edge: whatever it was, nothing that follows is looked at
            self.broken(Failure())
        self._is_proceeding = False

    def _take_lines(self) -> None:
        for _ in range(LINES_IN_A_ROW):
            if self._is_busy or self._is_output_full or self._is_closing or not self._take_line():
                return
        self._front_end.context.clock.callLater(0, self._proceed)

    def _take_line(self) -> bool:
        """Perform the next line; return whether there was one."""
        try:
            is_answer = self._login_session is not None and self._login_session.is_asking
            line = self._buffer.next_answer() if is_answer else self._buffer.next_line()
            if line is None and self._is_input_over:
                line = self._last_line(is_answer=is_answer)
        except Malformed as malformed:
            self.refuse_input(malformed)
            return False
        if line is not None:
            if self._login_session is not None and is_answer:
                self._login_session.take(line)
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

    def _perform(self, line: bytes) -> None:
        try:
            parsed = line_protocol.parse(line)
            caller = self._require_caller()
        except Refusal as refusal:
            self._refuse(refusal, as_json=line_protocol.wants_json(line))
            self._answered()
            return
        request = parsed.request
        if isinstance(request, line_protocol.Quit):
            self._close()
        elif isinstance(request, line_protocol.Session):
            self._is_session = True
            self._is_on_trial = False
            self._expect_line()
        elif isinstance(request, line_protocol.LogIn):
            self._begin_login()
        else:
            self._is_on_trial = False
            self._connections.expect_nothing(self)
            answering = self._interpreter.perform(caller, request, self, as_json=parsed.as_json)
            if isinstance(answering, Deferred):
                self._answering = answering
                answering.addCallback(self._answered).addErrback(self.broken)
            else:
                self._answered()

    def _begin_login(self) -> None:
        """The word ``login``: a dialogue, if there is a login here and it has not been made."""
        if self._login_session is not None and self._require_caller().is_anonymous:
            self._is_on_trial = True
            self._connections.expect_within(self, self._limits().login_seconds)
            self._login_session.ask()
            return
        text = "you have logged in" if self._login_session is not None else "there is no login on this listener"
        self._refuse(BadArgument(text), as_json=False)
        # What comes next may be a name and a password, for nobody to read and least of all the audit file.
        self._close()

    def _refuse(self, refusal: Refusal, *, as_json: bool) -> None:
        somebody = self._caller or self._front_end.listener_auth.stranger(self.source)
        self._interpreter.refuse(somebody, refusal, self, as_json=as_json)

    def _answered(self, _: Ending = Code.OK) -> None:
        self._answering = None
        if self._is_closing:
            return
        if not self._is_session:
            self._close()
        else:
            self._expect_line()
            self._proceed()

    def _require_caller(self) -> Caller:
        """Say who is asking.

        Raises:
            LoginRequired: It is nobody, and has to be somebody.
        """
        if self._caller is None:
            self._caller = self._front_end.listener_auth.anonymous(self.source)
        return self._caller
