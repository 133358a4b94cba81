"""One client of a line listener, from accept to end.

    S: What can I do for you?
    C: session                      (else the connection is closed behind the first answer)
    C: df /
    S: Filesystem      Size  Used Avail Use% Mounted on
    S: /dev/vda1        40G   11G   29G  28% /
    C: json uptime
    S: {"id": "6f1c…", "command": "uptime", "arguments": [], "exit_status": 0, …}
    C: login                        (where it is optional; where it is required, the client is asked first of all)
    S: User?
    C: ada
    S: Password?

Lines sent ahead wait until those before them are answered and their answers taken. How bytes travel is
`PacedConnection`'s; what lines mean, beside those that are for the connection itself, is `Interpreter`'s.
"""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import BadArgument, Busy, Malformed, Refusal
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interpreter import Ending
from cmdserver.frontends.common.login_session import LoginSession
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.line.pacing import PacedConnection
from cmdserver.frontends.line.states import TAKES_REQUESTS, Event, State
from cmdserver.limits.source_penalties import Offence

#: Unless the listener has one of its own.
GREETING: Final = b"What can I do for you?\n"
#: What a client gets in the place of the rest of an answer that it has interrupted, on a line of its own.
INTERRUPTED: Final = b"\ncmdserver: interrupted\n"


_log = Logger()


@implementer(IHandshakeListener)
class LineConnection(PacedConnection):
    """One client.

    Args:
        greeting: Says what is said before the first request; empty for nothing.
    """

    # As in PacedConnection.
    _caller: Caller | None = None
    #: In `State.LOGIN`, and until the connection is lost if nobody was logged in.
    _login_session: LoginSession | None = None
    #: In `State.BUSY`.
    _answering: Deferred[Ending] | None = None
    #: What runs for it.
    _asked: Request | None = None
    #: Whether the connection is kept open behind the first answer.
    _is_session = False
    #: Whether it is closed as soon as all lines that have come are answered.
    _is_leaving = False

    def __init__(
        self,
        front_end: FrontEnd,
        source: str,
        pending_login: PendingLogin,
        greeting: Callable[[], bytes] = lambda: GREETING,
    ) -> None:
        super().__init__(front_end, source)
        self.pending_login = pending_login
        self._greeting = greeting

    # Protocol

    def connectionMade(self) -> None:
        super().connectionMade()
        if self._front_end.certificate_of is None:
            self._begin()

    def handshakeCompleted(self) -> None:
        if self.state is not State.HANDSHAKE:
            return
        trying = self._front_end.log_in_by_certificate(self.transport, self.source, can_ask=True)
        if trying is None:
            self._begin()
        else:
            self._begin_login(trying)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cancel what is being decided or answered; charge a client that has not logged in where it must."""
        super().connectionLost(reason)
        self._front_end.end_login(self, self._login_session, reason)
        if self._answering is not None:
            self._answering.cancel()

    # Login

    def _begin(self) -> None:
        """Ask for a login where it is required; greet everywhere else."""
        if self._front_end.listener_auth.login is Login.REQUIRED:
            self._begin_login(None)
        else:
            self._greet()
            self._move(Event.GREETED)

    def _greet(self) -> None:
        if greeting := self._greeting():
            self.write(greeting)

    def _begin_login(self, trying: Deferred[Caller] | None) -> None:
        """Take no more requests until a login is decided; without ``trying``, by what the client answers to prompts."""
        self._login_session = login_session = LoginSession(self._front_end.listener_auth, self)
        if trying is None:
            login_session.ask()
            self._move(Event.LOGIN_BEGINS)
        else:
            self._move(Event.LOGIN_BEGINS)
            login_session.decide(trying)

    def let_in(self, caller: Caller) -> None:
        if not self._is_closing:
            self._caller, self._login_session = caller, None
            self._move(Event.LOGGED_IN)
            self._expect()
            self._greet()
            self.proceed()

    def send_away(self, farewell: bytes) -> None:
        self.write(farewell)
        self.close()

    def broken(self, failure: Failure) -> None:
        _log.failure("line connection from {source}", failure, source=self.source)
        if not self._is_closing:
            self._move(Event.CLOSE)
        self.transport.abortConnection()

    # PacedConnection

    def interrupted(self) -> None:
        """End what runs and forget what was typed, as a terminal does; a login that is not made is given up."""
        self._buffer.clear()
        self._read_on()
        if self.state is State.LOGIN:
            self.close()
        elif self._answering is not None:
            answering, self._answering = self._answering, None
            if self._asked is not None:
                self._front_end.context.dispatcher.interrupt(self._asked)
            self.follow(None)
            self.write(INTERRUPTED)
            answering.cancel()

    def refuse_input(self, malformed: Malformed) -> None:
        self._refuse(malformed, as_json=False)
        self.close()

    # As called by `Connections`

    def overdue(self) -> None:
        if self._is_closing or self.is_output_full:
            self.transport.abortConnection()
            return
        login_session, limits = self._login_session, self._limits()
        seconds = limits.idle_seconds if self.state is State.READY else limits.login_seconds
        if login_session is not None and login_session.is_deciding:
            login_session.give_up()
            self.write(error_text(Busy("too many logins are being checked", seconds)))
        else:
            if login_session is not None:
                login_session.leave(Offence.GRACE_EXCEEDED)
            else:
                self.pending_login.fail(Offence.GRACE_EXCEEDED)
            self.write(f"cmdserver: nothing was asked within {seconds:g} s\n".encode())
        if self.state is State.HANDSHAKE:
            self.transport.abortConnection()
        else:
            self.close()

    def close_when_idle(self) -> None:
        """Close as soon as all lines that have come are answered, if only by `busy`."""
        self._is_leaving = True
        if self.state is State.HANDSHAKE:
            self.close()
        else:
            self.proceed()

    # One line after the other

    @property
    def _may_proceed(self) -> bool:
        if self.is_output_full:
            return False
        if self.state is State.LOGIN:
            return self._login_session is not None and self._login_session.is_asking
        return self.state in TAKES_REQUESTS

    def _take_line(self) -> bool:
        try:
            line = self._next_line()
            if line is not None:
                self._take(line)
                return True
        except Malformed as malformed:
            self.refuse_input(malformed)
        except Exception:  # noqa: BLE001 - the outer edge: whatever it was, nothing that follows is looked at
            self.broken(Failure())
        else:
            if self._is_input_over or self._is_leaving:
                self.close()
            else:
                self._read_on()
        return False

    def _next_line(self) -> bytes | None:
        """Take a line; the last one needs no LF, unless somebody on the way may have cut it short."""
        buffer, is_answer = self._buffer, self.state is State.LOGIN
        line = buffer.next_answer() if is_answer else buffer.next_line()
        if line is None and self._is_input_over:
            line = buffer.last_answer() if is_answer else buffer.last_line()
            if line is not None and getattr(self.transport, "is_input_cut", False):
                raise Malformed("the last line may be incomplete; end it with a line break")
        return line

    def _take(self, line: bytes) -> None:
        """Answer a line, or give it to the login that has asked for it."""
        if self._login_session is not None and self._login_session.is_asking:
            self._login_session.take(line)
            return
        try:
            parsed = line_protocol.parse(line)
            caller = self._require_caller()
        except Refusal as refusal:
            self._refuse(refusal, as_json=line_protocol.wants_json(line))
            self._answered()
            return
        request = parsed.request
        if request is line_protocol.Word.QUIT:
            self.close()
        elif request is line_protocol.Word.SESSION:
            self._is_session = True
            self._move(Event.SESSION)
            self._expect()
        elif request is line_protocol.Word.LOGIN:
            self._log_in(caller)
        else:
            self._answer(caller, request, as_json=parsed.as_json)

    def _answer(self, caller: Caller, question: line_protocol.Question, *, as_json: bool) -> None:
        self._move(Event.REQUEST)
        self._connections.expect_nothing(self)
        ending = self._front_end.interpreter.perform(caller, question, self, as_json=as_json, asked=self._note_request)
        if isinstance(ending, Deferred):
            self._answering = ending
            ending.addBoth(self._ended)
        else:
            self._answered()

    def _ended(self, ending: Ending | Failure) -> None:
        """An answer is complete; what goes wrong behind it is the connection's end."""
        try:
            if isinstance(ending, Failure):
                ending.raiseException()
            self._answered()
        except Exception:  # noqa: BLE001 - the outer edge: whatever it was, nothing that follows is looked at
            self.broken(Failure())

    def _log_in(self, caller: Caller) -> None:
        """Begin the login that the client asks for, if there is one and it has not been made."""
        if self._front_end.listener_auth.login is Login.NEVER:
            complaint = "there is no login on this listener"
        elif not caller.is_anonymous:
            complaint = "you have logged in"
        else:
            self._connections.expect_within(self, self._limits().login_seconds)
            self._begin_login(None)
            return
        self._refuse(BadArgument(complaint), as_json=False)
        # What comes next may be a name and a password, for nobody to read and least of all the audit file.
        self.close()

    def _refuse(self, refusal: Refusal, *, as_json: bool) -> None:
        somebody = self._caller or self._front_end.listener_auth.stranger(self.source)
        self._front_end.interpreter.refuse(somebody, refusal, self, as_json=as_json)

    def _note_request(self, request: Request) -> None:
        self._asked = request

    def _answered(self) -> None:
        self._answering = self._asked = None
        if self._is_closing:
            return
        if self.state is State.BUSY:
            self._move(Event.ANSWERED)
        if self._is_session:
            self._expect()
            self.proceed()
        else:
            self.close()

    def _require_caller(self) -> Caller:
        """Return who is asking.

        Raises:
            LoginRequired: It is nobody, and has to be somebody.
        """
        if self._caller is None:
            self._caller = self._front_end.listener_auth.anonymous(self.source)
        return self._caller
