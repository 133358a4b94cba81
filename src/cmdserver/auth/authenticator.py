"""Logins, at whichever listener: one portal decides, and each login is audited before its client is told.

Why a login was refused is in the audit file; the client gets one answer for all reasons. A login ends in a `Caller`, or
in an error that a client may be told.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.auth.callers import Arrival, prover
from cmdserver.auth.credentials import CodeRequired, Credentials
from cmdserver.core.errors import AuditError, Code, Fault, LoginRefused, RequestError
from cmdserver.core.events import EventLog, LoggedIn, new_id
from cmdserver.core.model import Caller
from cmdserver.limits.login_limit import LoginLimit

_log = Logger()


class Authenticator:
    """What all listeners share that ask for a login.

    Args:
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
        self.login_limit = login_limit
        self._prove = prover(checkers)
        self._events = events
        self._time_of_day = time_of_day

    def log_in(self, arrival: Arrival, credentials: Credentials) -> Deferred[Caller]:
        """Log somebody in.

        Returns:
            Fires with the Caller when the login is in the audit file. Fails with `LoginRefused`, which gives no reason,
            with `Throttled` or `Busy`, or with a `Fault`, whatever was raised on the way; or with `CodeRequired`, whose
            proof is to be shown again with a code, or given up (`left_without_code`). To cancel it is to give up.
        """
        login_id = new_id()
        login: Deferred[Any] = maybeDeferred(self._try, arrival, credentials)
        login.addCallbacks(
            lambda caller: self._accepted(login_id, arrival, credentials, caller),
            lambda failure: self._refused(login_id, arrival, credentials, failure),
        )
        return login.addErrback(self._only_told, login_id)

    def left_without_code(self, arrival: Arrival, required: CodeRequired) -> None:
        """Audit that somebody who has shown something right was asked for a code, and has gone."""
        with suppress(Fault):
            self._audit(new_id(), arrival, required.proof.method, Code.DENIED, "no code was given", required.proof.name)

    def failed_before(self, arrival: Arrival, method: str, failure: Failure) -> Fault:
        """Log and audit credentials that could not even be read, by a mistake of ours."""
        fault = Fault(new_id())
        _log.failure("fault {id}", failure, id=fault.fault_id)
        with suppress(Fault):
            self._audit(fault.fault_id, arrival, method, Code.FAULT, str(failure.value))
        return fault

    def refused_in_handshake(self, arrival: Arrival, reason: str) -> None:
        """Audit a certificate that TLS itself refused; whom it named was not looked at."""
        with suppress(Fault):
            self._audit(new_id(), arrival, "certificate", Code.DENIED, reason)

    def _try(self, arrival: Arrival, credentials: Credentials) -> Deferred[Caller]:
        self.login_limit.require_patience(arrival.source)
        self._events.require_audit_log()
        return self._prove(credentials, arrival)

    def _accepted(self, login_id: str, arrival: Arrival, credentials: Credentials, caller: Caller) -> Caller:
        self._audit(login_id, arrival, caller.method, Code.OK, user=caller.name, fingerprint=credentials.fingerprint)
        return caller

    def _refused(self, login_id: str, arrival: Arrival, credentials: Credentials, failure: Failure) -> Failure:
        """Audit the reason; return what the client is told, which has none."""
        error = failure.value
        if isinstance(error, CodeRequired):
            return failure  # neither made nor refused yet
        code, reason = Code.DENIED, str(error)
        if isinstance(error, CancelledError):
            reason = "gave up before it was decided"
        elif isinstance(error, AuditError):
            _log.error("fault {id}: {error}", id=login_id, error=error)
            return Failure(Fault(login_id))
        elif isinstance(error, UnauthorizedLogin):
            failure = Failure(LoginRefused())
        elif isinstance(error, RequestError):
            code = error.code
        else:
            failure = self._only_told(failure, login_id)
            code = Code.FAULT
        self._audit(login_id, arrival, credentials.method, code, reason, credentials.name, credentials.fingerprint)
        return failure

    def _only_told(self, failure: Failure, login_id: str) -> Failure:
        """Turn everything that is not for clients into a `Fault`, and log it."""
        if failure.check(RequestError, CancelledError, CodeRequired):
            return failure
        _log.failure("fault {id}", failure, id=login_id)
        return Failure(Fault(login_id))

    def _audit(
        self,
        login_id: str,
        arrival: Arrival,
        method: str,
        outcome: Code,
        reason: str | None = None,
        user: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Publish a login.

        Raises:
            Fault: It cannot be written to the audit file, and so does not count.
        """
        event = LoggedIn(
            time=self._time_of_day(),
            id=login_id,
            protocol=arrival.protocol,
            source=arrival.source,
            tls=arrival.tls,
            user=user,
            method=method,
            outcome=outcome,
            reason=reason,
            fingerprint=fingerprint,
        )
        try:
            self._events.publish([event])
        except AuditError as error:
            _log.error("fault {id}: {error}", id=login_id, error=error)
            raise Fault(login_id) from error
