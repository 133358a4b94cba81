"""One client's way from the accept to a `Caller`, at a door that speaks lines and asks who they are.

What happens on the way, in whatever order clients manage: a certificate is looked at, the dialogue is held, the login
is tried, and somebody who came to nothing is remembered for it once. Rule of this file: it knows no transport and no
words but the dialogue's; what is to be said goes to its `Client`.
"""

from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.dialogue import LoginDialogue
from cmdserver.errors import LoginRefused, RequestError
from cmdserver.identity import Credentials, Door, Login, Offence, Password
from cmdserver.model import Caller
from cmdserver.rendering import error_text

LOGIN_FAILED = b"Login failed.\n"


class Client(Protocol):
    """The connection, as its entrance sees it."""

    #: Where it comes from.
    source: str
    #: Who is charged if it comes to nothing.
    charged: str

    def say(self, prompt: bytes) -> None:
        """Ask the client something, and wait for a line."""

    def let_in(self, caller: Caller) -> None:
        """The client is this caller from now on."""

    def send_away(self, farewell: bytes) -> None:
        """Say that, and close."""


class Entrance:
    """Where a client stands until it is known who it is.

    Args:
        door: Knows how to find out.
        client: Who is asked.
    """

    __slots__ = ("_client", "_dialogue", "_door", "_is_newcomer", "_logging_in")

    def __init__(self, door: Door, client: Client) -> None:
        self._door = door
        self._client = client
        self._dialogue: LoginDialogue | None = None
        self._logging_in: Deferred[None] | None = None
        #: Counted among those who have not logged in, by `Door.arrive`.
        self._is_newcomer = door.login is Login.REQUIRED

    @property
    def is_asking(self) -> bool:
        """Whether the next line is the answer to a prompt."""
        return self._dialogue is not None

    @property
    def is_busy(self) -> bool:
        """Whether lines must wait until a login is decided."""
        return self._logging_in is not None

    def ask(self) -> None:
        """Begin the dialogue."""
        self._dialogue = LoginDialogue()
        self._client.say(self._dialogue.prompt)

    def take(self, line: bytes) -> None:
        """Take a line while `is_asking`."""
        if self._dialogue is None:
            return
        pair = self._dialogue.take(line)
        if pair is None:
            self._client.say(self._dialogue.prompt)
            return
        self._dialogue = None
        self.log_in(Password(name=pair[0], password=pair[1], source=self._client.source))

    def log_in(self, credentials: Credentials) -> None:
        """Find out who the client is by what it has shown."""
        trying = self._door.log_in(self._client.source, credentials)
        self._logging_in = trying.addCallbacks(self._logged_in, self._not_logged_in)
        if self._logging_in.called and not self._logging_in.paused:
            self._logging_in = None

    def leave(self, offence: Offence) -> None:
        """The client goes, or is sent, without having logged in; once, and harmless if it has.

        Who goes while a login is being tried has tried, and is charged for that: not to wait for the answer is no way
        to guess for less.
        """
        if self._logging_in is not None:
            offence = Offence.AUTHFAIL
            self._logging_in.cancel()
        if self._is_newcomer or offence is Offence.AUTHFAIL:
            self._settle()
            self._door.offended(self._client.charged, offence)

    def give_up(self) -> None:
        """It takes us too long to decide about a login that is being tried, which is nobody's offence."""
        self._settle()
        if self._logging_in is not None:
            self._logging_in.cancel()

    def _logged_in(self, caller: Caller) -> None:
        self._logging_in = None
        self._settle()
        self._client.let_in(caller)

    def _not_logged_in(self, failure: Failure) -> None:
        """Say so, and why not to nobody."""
        self._logging_in = None
        if failure.check(CancelledError):
            return
        if failure.check(LoginRefused):
            self._settle()
            self._door.offended(self._client.charged, Offence.AUTHFAIL)
            self._client.send_away(LOGIN_FAILED)
        elif isinstance(failure.value, RequestError):
            self._client.send_away(error_text(failure.value))
        else:
            failure.raiseException()

    def _settle(self) -> None:
        if self._is_newcomer:
            self._is_newcomer = False
            self._door.settle(self._client.charged)
