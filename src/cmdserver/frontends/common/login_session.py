"""One login of a client that speaks lines: by a certificate, or by name and password at two prompts.

In the manner of telnetd's login, but with line ends behind the prompts, as most clients are programs:

    S: User?
    C: ada
    S: Password?
    C: correct horse
    S: Code?
    C: 492039
    S: What can I do for you?

Only who has a second factor is asked for a code.

A client that fails is told no reason, charged once and sent away: every end of a login but one ends the connection.
"""

from enum import Enum, auto
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cmdserver.auth.credentials import CodeRequired, OneTimeCode, Password
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import LoginRefused, RequestError
from cmdserver.core.model import Caller
from cmdserver.frontends.common.rendering import error_text
from cmdserver.limits.source_penalties import Offence

USER_PROMPT = b"User?\n"
PASSWORD_PROMPT = b"Password?\n"
CODE_PROMPT = b"Code?\n"
LOGIN_FAILED = b"Login failed.\n"
#: What OpenSSL says of a client's certificate that has expired, or that no known authority has signed.
CERTIFICATE_REFUSED = "certificate verify failed"


class Client(Protocol):
    """The connection, as its login sees it."""

    #: Where the client calls from.
    source: str
    pending_login: PendingLogin

    def say(self, prompt: bytes) -> None:
        """Send a prompt, and wait for a line."""

    def proceed(self) -> None:
        """Take the next line, if it has come already."""

    def let_in(self, caller: Caller) -> None:
        """Take requests of a client that has logged in."""

    def send_away(self, farewell: bytes) -> None:
        """Send that, and close."""

    def broken(self, failure: Failure) -> None:
        """Log a mistake of ours, and abort."""


class Phase(Enum):
    """How far a login has come."""

    #: The next line is the name.
    NAME = auto()
    #: The next line is the password.
    PASSWORD = auto()
    #: The next line is a one-time code.
    CODE = auto()
    #: What was shown is being looked at; lines wait.
    DECIDING = auto()
    #: Decided, given up or left.
    OVER = auto()


class LoginSession:
    """One login."""

    __slots__ = ("_client", "_code_required", "_deciding", "_listener_auth", "_name", "_phase")

    def __init__(self, listener_auth: ListenerAuth, client: Client) -> None:
        self._listener_auth = listener_auth
        self._client = client
        self._phase = Phase.NAME
        self._name = ""
        self._deciding: Deferred[None] | None = None
        #: What was shown, if it takes a code as well that has not come yet.
        self._code_required: CodeRequired | None = None

    @property
    def is_asking(self) -> bool:
        """Whether the next line is the answer to a prompt."""
        return self._phase in {Phase.NAME, Phase.PASSWORD, Phase.CODE}

    @property
    def is_deciding(self) -> bool:
        """Whether the login is being decided."""
        return self._phase is Phase.DECIDING

    def ask(self) -> None:
        """Ask for the name."""
        self._client.say(USER_PROMPT)

    def take(self, line: bytes) -> None:
        """Take the answer to a prompt.

        Args:
            line: Without its LF. A CR at its end belongs to the line's end, everything else to the answer. A name that
                is not UTF-8 is nobody's, but is not refused here: that would tell it from one that is merely unknown.
        """
        answer = line.removesuffix(b"\r")
        if self._phase is Phase.NAME:
            self._name = answer.decode(errors="replace")
            self._phase = Phase.PASSWORD
            self._client.say(PASSWORD_PROMPT)
        elif self._phase is Phase.PASSWORD:
            source = self._client.source
            self.decide(self._listener_auth.log_in(source, Password(name=self._name, password=answer, source=source)))
        elif self._code_required is not None:
            source, proof = self._client.source, self._code_required.proof
            self._code_required = None
            code = OneTimeCode(proof=proof, code=answer.decode(errors="replace"), source=source)
            self.decide(self._listener_auth.log_in(source, code))

    def decide(self, trying: Deferred[Caller]) -> None:
        """Wait until a login is decided, by credentials that the client has shown."""
        self._phase = Phase.DECIDING
        deciding = trying.addCallbacks(self._logged_in, self._not_logged_in).addErrback(self._broken)
        if self.is_deciding:
            self._deciding = deciding

    def leave(self, offence: Offence) -> None:
        """Charge a client that goes, or is sent, without a login. Idempotent.

        Who goes while a login is being decided, or without the code that it takes, has tried, and is charged for that:
        not to wait for the answer is no way to guess for less.
        """
        if self.is_deciding or self._code_required is not None:
            offence = Offence.AUTHFAIL
        self._end()
        self._client.pending_login.fail(offence)

    def give_up(self) -> None:
        """Give up a login that takes us too long to decide, which is nobody's offence."""
        self._client.pending_login.settle()
        self._end()

    def _logged_in(self, caller: Caller) -> None:
        if self.is_deciding:  # else it was given up, and decided at that very moment
            self._phase, self._deciding = Phase.OVER, None
            self._client.pending_login.settle()
            self._client.let_in(caller)

    def _not_logged_in(self, failure: Failure) -> None:
        if not self.is_deciding:
            return
        if isinstance(failure.value, CodeRequired):
            self._phase, self._deciding, self._code_required = Phase.CODE, None, failure.value
            self._client.say(CODE_PROMPT)
            self._client.proceed()
            return
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
        self._phase = Phase.OVER
        deciding, self._deciding = self._deciding, None
        if deciding is not None:
            deciding.cancel()
        required, self._code_required = self._code_required, None
        if required is not None:
            self._listener_auth.left_without_code(self._client.source, required)
