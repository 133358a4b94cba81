"""One client's way from the accept to a `Caller`, at a listener that speaks lines and asks who they are.

What happens on the way, in whatever order clients manage: a certificate is looked at, the dialogue is held, the login
is tried, and somebody who came to nothing is remembered for it once. Rules of this file: it knows no transport and no
words but the dialogue's; what is to be said goes to its `Client`. Where a login is required, lines are requests in one
phase alone, `Phase.LET_IN`; every way that a login can end but one ends the connection.
"""

from enum import Enum, auto
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cmdserver.auth.credentials import Password
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import LoginRefused, RequestError
from cmdserver.core.model import Caller, Login
from cmdserver.frontends.common.login_prompt import LoginPrompt
from cmdserver.frontends.common.rendering import error_text
from cmdserver.limits.source_penalties import Offence

LOGIN_FAILED = b"Login failed.\n"


class Client(Protocol):
    """The connection, as its entrance sees it."""

    #: Where it comes from.
    source: str
    pending_login: PendingLogin

    def say(self, prompt: bytes) -> None:
        """Ask the client something, and wait for a line."""

    def let_in(self, caller: Caller) -> None:
        """The client is this caller from now on."""

    def send_away(self, farewell: bytes) -> None:
        """Say that, and close."""

    def broken(self, failure: Failure) -> None:
        """A mistake of ours: log it, and end the connection."""


class Phase(Enum):
    """How far a client has come."""

    #: It was asked nothing yet: before the end of a TLS handshake, or where nobody has to log in.
    ARRIVED = auto()
    #: The next line is the answer to a prompt.
    ASKED = auto()
    #: A login is being decided; lines wait.
    TRYING = auto()
    #: It has logged in.
    LET_IN = auto()
    #: It has not, and will not; what it sends is no longer looked at.
    OUT = auto()


class LoginSession:
    """Where a client stands until it is known who it is.

    Args:
        listener: Knows how to find out.
        client: Who is asked.
    """

    __slots__ = ("_client", "_listener_auth", "_logging_in", "_phase", "_prompt")

    def __init__(self, listener_auth: ListenerAuth, client: Client) -> None:
        self._listener_auth = listener_auth
        self._client = client
        self._phase = Phase.ARRIVED
        self._prompt: LoginPrompt | None = None
        self._logging_in: Deferred[None] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether the next line is the answer to a prompt."""
        return self._phase is Phase.ASKED

    @property
    def is_trying(self) -> bool:
        """Whether a login is being decided."""
        return self._phase is Phase.TRYING

    @property
    def takes_lines(self) -> bool:
        """Whether the next line may be looked at: as an answer to a prompt, or as a request."""
        if self._phase is Phase.ARRIVED:
            return self._listener_auth.login is Login.OPTIONAL
        return self._phase in {Phase.ASKED, Phase.LET_IN}

    def ask(self) -> None:
        """Begin the dialogue."""
        self._phase = Phase.ASKED
        self._prompt = LoginPrompt()
        self._client.say(self._prompt.prompt)

    def take(self, line: bytes) -> None:
        """Take a line while `is_asking`."""
        if self._prompt is None:
            return
        pair = self._prompt.take(line)
        if pair is None:
            self._client.say(self._prompt.prompt)
            return
        self._prompt = None
        credentials = Password(name=pair[0], password=pair[1], source=self._client.source)
        self.await_login(self._listener_auth.log_in(self._client.source, credentials))

    def await_login(self, trying: Deferred[Caller]) -> None:
        """Wait until it is found out who the client is."""
        self._phase = Phase.TRYING
        logging_in = trying.addCallbacks(self._logged_in, self._not_logged_in).addErrback(self._broken)
        if self._phase is Phase.TRYING:
            self._logging_in = logging_in

    def leave(self, offence: Offence) -> None:
        """The client goes, or is sent, without having logged in; once, and harmless if it has.

        Who goes while a login is being tried has tried, and is charged for that: not to wait for the answer is no way
        to guess for less.
        """
        if self.is_trying:
            offence = Offence.AUTHFAIL
        self._end()
        self._client.pending_login.fail(offence)

    def give_up(self) -> None:
        """It takes us too long to decide about a login that is being tried, which is nobody's offence."""
        self._client.pending_login.settle()
        self._end()

    def _logged_in(self, caller: Caller) -> None:
        if not self.is_trying:
            return
        self._phase, self._logging_in = Phase.LET_IN, None
        self._client.pending_login.settle()
        self._client.let_in(caller)

    def _not_logged_in(self, failure: Failure) -> None:
        """Say so, and why not to nobody."""
        if not self.is_trying:
            return  # we have given up, as has the client
        self._end()
        if failure.check(LoginRefused):
            self._client.pending_login.fail(Offence.AUTHFAIL)
            self._client.send_away(LOGIN_FAILED)
        elif isinstance(failure.value, RequestError):
            self._client.send_away(error_text(failure.value))
        else:
            failure.raiseException()

    def _broken(self, failure: Failure) -> None:
        self._end()
        self._client.pending_login.settle()
        self._client.broken(failure)

    def _end(self) -> None:
        """Let nothing follow, whatever is still decided."""
        self._phase, self._prompt = Phase.OUT, None
        logging_in, self._logging_in = self._logging_in, None
        if logging_in is not None:
            logging_in.cancel()
