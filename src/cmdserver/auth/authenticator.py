"""Who is calling: one portal, one realm, and the one place that makes a `Caller`.

A listener that requires no login makes anonymous callers; at one that does, every Caller comes from the portal,
whatever went wrong before: `ListenerAuth.anonymous` raises there. Every login, made or refused, is written down before
anybody is told; why one was refused is told to nobody. A login ends in a Caller or in an error that a client may be
told; there is no third way.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, assert_never, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from cmdserver.auth.credentials import Password, Proof
from cmdserver.core.errors import AuditError, Code, Fault, LoginRefused, LoginRequired, RequestError
from cmdserver.core.events import EventLog, LoggedIn
from cmdserver.core.model import NO_METHOD, Caller, Stranger
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.source_penalties import Offence

__all__ = ["Authenticator", "Credentials", "ICaller", "ListenerAuth", "Login", "Offence", "Password"]

_log = Logger()


class ICaller(Interface):
    """What listeners ask the portal for; provided by nothing, because a Caller is a plain value."""


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
        """Make a Caller; ``mind`` is the `Arrival`, and there is nothing to do at a logout.

        Raises:
            UnauthorizedLogin: What was proved is nobody's name, or good for nothing.
        """
        if ICaller not in interfaces:
            raise NotImplementedError(interfaces)
        proof, arrival = cast("Proof", avatarId), cast("Arrival", mind)
        if not proof.name or proof.forced_words == ():
            raise UnauthorizedLogin("the proof names nobody, or no command")
        caller = Caller(
            name=proof.name,
            protocol=arrival.protocol,
            source=arrival.source,
            method=proof.method,
            commands=proof.commands,
            forced_words=proof.forced_words,
            permits_pty=proof.permits_pty,
            listener=arrival.listener,
        )
        return ICaller, caller, lambda: None


def suppose(name: str | None) -> Caller:
    """Say who somebody would be who logged in under a name, or nobody asked: to look at, not to act for."""
    return Caller(name=name, protocol="", source="", method=NO_METHOD)


class Login(StrEnum):
    """Whether a listener asks who its callers are."""

    NEVER = "never"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where somebody stands who wants to be let in."""

    protocol: str
    source: str
    #: See `Caller.listener`.
    listener: str = ""


class Authenticator:
    """All that listeners have in common about who is calling.

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
        login_limit: LoginLimit,
        events: EventLog,
        time_of_day: Callable[[], float],
        is_acceptable_key: Callable[[str, bytes, str], Deferred[bool]] = lambda *_: succeed(False),
    ) -> None:
        self.is_acceptable_key = is_acceptable_key
        self._portal = Portal(Realm(), checkers)
        self.login_limit = login_limit
        self._events = events
        self._time_of_day = time_of_day

    def log_in(self, arrival: Arrival, credentials: Credentials) -> Deferred[Caller]:
        """Find out who somebody is.

        Returns:
            Fires with the Caller when that has been written down. Fails with `LoginRefused`, which says nothing more,
            with `Throttled` or `Busy`, or with a `Fault`, whatever was raised on the way. To cancel it is to give up.
        """
        login_id = os.urandom(8).hex()
        login: Deferred[Any] = maybeDeferred(self._try, arrival, credentials)
        login.addCallbacks(
            lambda made: self._made(login_id, arrival, credentials, made[1]),
            lambda failure: self._refused(login_id, arrival, credentials, failure),
        )
        return login.addErrback(self._only_told, login_id)

    def failed_before(self, arrival: Arrival, method: str, failure: Failure) -> Fault:
        """Log and write down that what somebody has shown could not even be read, by a mistake of ours."""
        fault = Fault(os.urandom(8).hex())
        _log.failure("fault {id}", failure, id=fault.fault_id)
        self._write_down_or_log(arrival, method, Code.FAULT, str(failure.value), fault.fault_id)
        return fault

    def refused_in_handshake(self, arrival: Arrival, reason: str) -> None:
        """Write down that somebody showed a certificate that TLS itself refused; who it named was not looked at."""
        self._write_down_or_log(arrival, "certificate", Code.DENIED, reason, os.urandom(8).hex())

    def _try(self, arrival: Arrival, credentials: Credentials) -> Deferred[Any]:
        self.login_limit.require_patience(arrival.source)
        self._events.require_audit_log()
        trying: Deferred[Any] = self._portal.login(cast("Any", credentials), arrival, ICaller)
        return trying

    def _only_told(self, failure: Failure, login_id: str) -> Failure:
        """Let nothing through but what a client may be told: whatever else there is, is a mistake of ours."""
        if failure.check(RequestError, CancelledError):
            return failure
        _log.failure("fault {id}", failure, id=login_id)
        return Failure(Fault(login_id))

    def _write_down_or_log(self, arrival: Arrival, method: str, outcome: Code, reason: str, login_id: str) -> None:
        """Write down a login of nobody who is known; if that is impossible, nobody is let in by it either."""
        event = LoggedIn(
            time=self._time_of_day(),
            id=login_id,
            protocol=arrival.protocol,
            source=arrival.source,
            user=None,
            method=method,
            outcome=outcome,
            reason=reason,
        )
        try:
            self._events.publish([event])
        except AuditError as error:
            _log.error("fault {id}: {error}", id=login_id, error=error)

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
            protocol=arrival.protocol,
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


class ListenerAuth:
    """One listener's way to its callers.

    Args:
        name: The listener's protocol, as the audit file and ``whoami`` say it.
        login: Whether it asks who they are.
        identity: Who finds out; None for a house in which no listener asks.
        place: Which of the listeners of that name: its endpoint. Those who have not logged in are counted for each.
    """

    def __init__(self, name: str, login: Login, authenticator: Authenticator | None = None, place: str = "") -> None:
        self.name = name
        self.place = place
        self.login = login
        self._authenticator = authenticator

    def stranger(self, source: str) -> Stranger:
        """Name somebody who has not been let in, to write down what they get wrong.

        Args:
            source: Where they call from, as `cmdserver.net.listener.source_of` says it.
        """
        return Stranger(protocol=self.name, source=source)

    def anonymous(self, source: str) -> Caller:
        """Let somebody in who was asked nothing.

        Raises:
            LoginRequired: Nobody is let in so here, whatever has become of their login.
        """
        match self.login:
            case Login.NEVER | Login.OPTIONAL:
                return Caller(name=None, protocol=self.name, source=source, method=NO_METHOD, listener=self.place)
            case Login.REQUIRED:
                raise LoginRequired
            case _:
                assert_never(self.login)

    def log_in(self, source: str, credentials: Credentials) -> Deferred[Caller]:
        """See `Authenticator.log_in`."""
        return self._require_authenticator().log_in(self._arrival(source), credentials)

    def log_in_by_certificate(
        self, source: str, certificate: Callable[[], Credentials | None]
    ) -> Deferred[Caller] | None:
        """Log in whoever has shown a certificate.

        Args:
            source: Where they call from.
            certificate: Reads what a client's verified certificate says; None if it has shown none. Strangers have a
                say in what it reads: should it raise anything, that is a login that failed.

        Returns:
            As `log_in`; None if there is no certificate, or nobody is asked here.
        """
        if self.login is Login.NEVER:
            return None
        try:
            credentials = certificate()
        except Exception:  # noqa: BLE001 - see above
            return fail(self._require_authenticator().failed_before(self._arrival(source), "certificate", Failure()))
        return self.log_in(source, credentials) if credentials is not None else None

    def is_acceptable_key(self, source: str, name: str, blob: bytes) -> Deferred[bool]:
        """Whether it is worth a signature to log in with a key; asked by clients before they sign.

        Fails with `Busy` if that cannot be found out now. To cancel it is to give up.
        """
        return self._require_authenticator().is_acceptable_key(name, blob, source)

    def refused_in_handshake(self, source: str, reason: str) -> None:
        """See `Authenticator.refused_in_handshake`; nobody logs in at a listener that asks nobody."""
        if self._authenticator is not None:
            self._authenticator.refused_in_handshake(self._arrival(source), reason)

    def again(self, caller: Caller, source: str) -> Caller:
        """Recognise somebody who has logged in before and has a session; who they are is as it was then.

        Args:
            caller: As the login has made them.
            source: Where they call from now.
        """
        return caller if caller.source == source else replace(caller, source=source)

    # For those who have not logged in yet, at a listener that requires it

    def arrive(self, source: str) -> None:
        """Count somebody in who has not logged in; raises `Throttled` or `Busy`."""
        if self.login is Login.REQUIRED:
            self._require_authenticator().login_limit.enter(self.place, source)

    def settle(self, source: str) -> None:
        """Count somebody out who has logged in, or is gone; once for each that arrived."""
        if self.login is Login.REQUIRED:
            self._require_authenticator().login_limit.leave(self.place, source)

    def offended(self, source: str, offence: Offence) -> None:
        """Remember that a connection came to nothing; not to be asked twice for the same one."""
        if self._authenticator is not None:
            self._authenticator.login_limit.offend(source, offence)

    def _arrival(self, source: str) -> Arrival:
        return Arrival(self.name, source, self.place)

    def _require_authenticator(self) -> Authenticator:
        if self._authenticator is None:
            message = "this listener asks nobody who they are"
            raise ValueError(message)
        return self._authenticator
