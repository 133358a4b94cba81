"""Who is calling: one portal, one realm, and the one place that makes a `Caller`.

A door that asks for no login lets everybody in as the anonymous; the others show credentials to the portal. Every
login, made or refused, is written down before anybody is told; why one was refused is told to nobody.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from cmdserver.claims import Password, Proof
from cmdserver.errors import AuditError, Code, Fault, LoginRefused, RequestError, Throttled
from cmdserver.events import EventStream, LoggedIn
from cmdserver.model import Caller
from cmdserver.penalties import Offence
from cmdserver.threshold import Threshold

__all__ = ["Credentials", "Door", "ICaller", "Identity", "Login", "Offence", "Password"]

#: RFC 4252, section 5.2: the name of the authentication method that is none.
NO_METHOD = "none"

_log = Logger()


class ICaller(Interface):
    """What doors ask the portal for; provided by nothing, because a Caller is a plain value."""


class Credentials(Protocol):
    """What all credentials have, whatever else proves them."""

    @property
    def name(self) -> str | None:
        """The name that they are for, as far as they say."""

    @property
    def method(self) -> str:
        """What kind they are."""

    @property
    def fingerprint(self) -> str | None:
        """Of the key or certificate."""

    @property
    def source(self) -> str:
        """Where they came from."""


@implementer(IRealm)
class Realm:
    """Makes a Caller of a `Proof`."""

    def requestAvatar(
        self, avatarId: object, mind: object, *interfaces: object
    ) -> tuple[type[Interface], Caller, Callable[[], None]]:
        """Make a Caller; ``mind`` is the `Arrival`, and there is nothing to do at a logout."""
        if ICaller not in interfaces:
            raise NotImplementedError(interfaces)
        proof, arrival = cast("Proof", avatarId), cast("Arrival", mind)
        caller = Caller(
            name=proof.name,
            door=arrival.door,
            source=arrival.source,
            method=proof.method,
            commands=proof.commands,
            forced_words=proof.forced_words,
            permits_pty=proof.permits_pty,
        )
        return ICaller, caller, lambda: None


def suppose(name: str | None) -> Caller:
    """Say who somebody would be who logged in under a name, or nobody asked: to look at, not to act for."""
    return Caller(name=name, door="", source="", method=NO_METHOD)


class Login(StrEnum):
    """Whether a door asks who its callers are."""

    NEVER = "never"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where somebody stands who wants to be let in."""

    door: str
    source: str


class Identity:
    """All that doors have in common about who is calling.

    Args:
        checkers: What is believed.
        threshold: Who may try.
        events: Told of every login.
        time_of_day: Seconds since the epoch.
        is_acceptable_key: Whether a signature by a key would let somebody in, given a name, the key and the source.
    """

    def __init__(
        self,
        checkers: Iterable[ICredentialsChecker],
        threshold: Threshold,
        events: EventStream,
        time_of_day: Callable[[], float],
        is_acceptable_key: Callable[[str, bytes, str], Deferred[bool]] = lambda *_: succeed(False),
    ) -> None:
        self.is_acceptable_key = is_acceptable_key
        self._portal = Portal(Realm(), checkers)
        self.threshold = threshold
        self._events = events
        self._time_of_day = time_of_day

    def log_in(self, arrival: Arrival, credentials: Credentials) -> Deferred[Caller]:
        """Find out who somebody is.

        Returns:
            Fires with the Caller when that has been written down. Fails with `LoginRefused`, which says nothing more,
            with `Throttled` or `Busy`, or with a `Fault`. To cancel it is to give up.
        """
        login_id = os.urandom(8).hex()
        try:
            self.threshold.require_patience(arrival.source)
            self._events.require_ledger()
        except (Throttled, AuditError) as error:
            login: Deferred[Any] = fail(error)
        else:
            login = self._portal.login(cast("Any", credentials), arrival, ICaller)
        return login.addCallbacks(
            lambda made: self._made(login_id, arrival, credentials, made[1]),
            lambda failure: self._refused(login_id, arrival, credentials, failure),
        )

    def refused_in_handshake(self, arrival: Arrival, reason: str) -> None:
        """Write down that somebody showed a certificate that TLS itself refused; who it named was not looked at."""
        refused = LoggedIn(
            time=self._time_of_day(),
            id=os.urandom(8).hex(),
            door=arrival.door,
            source=arrival.source,
            user=None,
            method="certificate",
            outcome=Code.DENIED,
            reason=reason,
        )
        try:
            self._events.publish([refused])
        except AuditError as error:
            _log.error("fault {id}: {error}", id=refused.id, error=error)

    def _made(self, login_id: str, arrival: Arrival, credentials: Credentials, caller: Caller) -> Caller:
        self._write_down(login_id, arrival, credentials, Code.OK, None, caller.name)
        return caller

    def _refused(self, login_id: str, arrival: Arrival, credentials: Credentials, failure: Failure) -> Failure:
        """Write down why; tell only that."""
        error = failure.value
        if isinstance(error, CancelledError):
            self._write_down(
                login_id, arrival, credentials, Code.DENIED, "gave up before it was decided", credentials.name
            )
            return failure
        if isinstance(error, AuditError):
            _log.error("fault {id}: {error}", id=login_id, error=error)
            return Failure(Fault(login_id))
        if isinstance(error, UnauthorizedLogin):
            answer: RequestError = LoginRefused()
        elif isinstance(error, RequestError):
            answer = error
        else:
            _log.failure("fault {id}", failure, id=login_id)
            answer = Fault(login_id)
        self._write_down(login_id, arrival, credentials, answer.code, str(error), credentials.name)
        return Failure(answer)

    def _write_down(
        self,
        login_id: str,
        arrival: Arrival,
        credentials: Credentials,
        outcome: Code,
        reason: str | None,
        user: str | None,
    ) -> None:
        event = LoggedIn(
            time=self._time_of_day(),
            id=login_id,
            door=arrival.door,
            source=arrival.source,
            user=user,
            method=credentials.method,
            outcome=outcome,
            reason=reason,
            fingerprint=credentials.fingerprint,
        )
        try:
            self._events.publish([event])
        except AuditError as error:
            _log.error("fault {id}: {error}", id=login_id, error=error)
            raise Fault(login_id) from error


class Door:
    """One door's way to its callers.

    Args:
        name: The door's protocol, as the audit file and ``whoami`` say it.
        login: Whether it asks who they are.
        identity: Who finds out; None for a house in which no door asks.
        place: Which of the doors of that name; those who have not logged in are counted for each.
    """

    def __init__(
        self, name: str, login: Login = Login.NEVER, identity: Identity | None = None, place: str = ""
    ) -> None:
        self.name = name
        self._place = place
        self.login = login
        self._identity = identity

    def anonymous(self, source: str) -> Caller:
        """Let somebody in who was asked nothing.

        Args:
            source: Where they call from, as `cmdserver.listening.source_of` says it.
        """
        return Caller(name=None, door=self.name, source=source, method=NO_METHOD)

    def log_in(self, source: str, credentials: Credentials) -> Deferred[Caller]:
        """See `Identity.log_in`."""
        return self._require_identity().log_in(Arrival(self.name, source), credentials)

    def is_acceptable_key(self, source: str, name: str, blob: bytes) -> Deferred[bool]:
        """Whether it is worth a signature to log in with a key; asked by clients before they sign.

        Fails with `Busy` if that cannot be found out now. To cancel it is to give up.
        """
        return self._require_identity().is_acceptable_key(name, blob, source)

    def refused_in_handshake(self, source: str, reason: str) -> None:
        """See `Identity.refused_in_handshake`; nobody logs in at a door that asks nobody."""
        if self._identity is not None:
            self._identity.refused_in_handshake(Arrival(self.name, source), reason)

    def again(self, caller: Caller, source: str) -> Caller:
        """Recognise somebody who has logged in before and has a session; who they are is as it was then.

        Args:
            caller: As the login has made them.
            source: Where they call from now.
        """
        if caller.source == source:
            return caller
        return Caller(
            name=caller.name,
            door=caller.door,
            source=source,
            method=caller.method,
            commands=caller.commands,
            forced_words=caller.forced_words,
        )

    # For those who have not logged in yet, at a door that requires it

    def arrive(self, source: str) -> None:
        """Count somebody in who has not logged in; raises `Throttled` or `Busy`."""
        if self.login is Login.REQUIRED:
            self._require_identity().threshold.enter(self._place, source)

    def settle(self) -> None:
        """Count somebody out who has logged in, or is gone; once for each that arrived."""
        if self.login is Login.REQUIRED:
            self._require_identity().threshold.leave(self._place)

    def offended(self, source: str, offence: Offence) -> None:
        """Remember that a connection came to nothing; not to be asked twice for the same one."""
        if self._identity is not None:
            self._identity.threshold.offend(source, offence)

    def _require_identity(self) -> Identity:
        if self._identity is None:
            message = "this door asks nobody who they are"
            raise ValueError(message)
        return self._identity
