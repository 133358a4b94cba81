"""Requests to hooks: whether they are their senders', audited as logins are.

A sender is told yes or no. Whether there is such a hook, which signature it wants and what is wrong with the one that
was given is for the audit file; and the work is the same, so that the time says as little. Nobody is locked out for a
wrong one: a secret is guessed at no rate, and the senders of a forge share their addresses with strangers.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from twisted.logger import Logger

from cmdserver.auth import callers
from cmdserver.auth.callers import Arrival
from cmdserver.core.errors import AuditError, Code, Fault, LoginRefused, RequestError
from cmdserver.core.events import EventLog, LoggedIn
from cmdserver.core.model import Caller
from cmdserver.core.names import HOOK_PREFIX
from cmdserver.triggers.hook import Hook, SignatureRule
from cmdserver.triggers.signatures import is_right

#: Of a name that is no hook's.
_MOST_CHARACTERS: Final = 64
_NO_HOOK: Final = SignatureRule.parse("hmac-sha256:X-Signature")

#: Returns the values of a header field.
ValuesOf = Callable[[str], Sequence[bytes]]

_log = Logger()


class ArmedHook(Struct, frozen=True):
    """A hook, and what its sender knows."""

    hook: Hook
    secrets: tuple[bytes, ...]


class HookAuthenticator:
    """Makes callers of requests that are signed.

    Args:
        hooks: By their names; as they are now.
        events: Where wrong signatures are written down.
        time_of_day: Seconds since the epoch.
    """

    def __init__(
        self,
        hooks: Callable[[], Mapping[str, ArmedHook]],
        events: EventLog,
        time_of_day: Callable[[], float],
    ) -> None:
        self._hooks = hooks
        self._events = events
        self._time_of_day = time_of_day
        self._nobodys_secret = os.urandom(32)

    def log_in(self, arrival: Arrival, name: str, values_of: ValuesOf, body: bytes) -> tuple[Hook, Caller]:
        """Let in whoever has signed a request to a hook; nothing of the body is read before.

        Args:
            arrival: Where the request comes from.
            name: The hook that it is for; there may be none.
            values_of: The request's header.
            body: The request's, byte for byte.

        Raises:
            LoginRefused: It is not signed as it should be, or there is no such hook.
            Fault: That could not be written down.
        """
        armed = self._hooks().get(name)
        if armed is None:
            is_right(_NO_HOOK, (self._nobodys_secret,), values_of(_NO_HOOK.header), body)
            reason = "there is no such hook"
        else:
            rule = armed.hook.signature
            values = values_of(rule.header)
            if is_right(rule, armed.secrets, values, body):
                return armed.hook, callers.hooked(name, arrival)
            given = "is not right" if len(values) == 1 else f"is there {len(values)} times"
            reason = f"the signature in {rule.header} {given}"
        raise self._refused(arrival, name, reason, LoginRefused())

    def _refused(self, arrival: Arrival, name: str, reason: str, error: RequestError) -> RequestError:
        """Write a refusal down; return what to tell the sender."""
        event = LoggedIn(
            time=self._time_of_day(),
            id=os.urandom(8).hex(),
            protocol=arrival.protocol,
            source=arrival.source,
            tls=arrival.tls,
            user=f"{HOOK_PREFIX}{name[:_MOST_CHARACTERS]}",
            method="hook",
            outcome=Code(error.code),
            reason=reason,
        )
        try:
            self._events.publish([event])
        except AuditError as audit_error:
            _log.error("fault {id}: {error}", id=event.id, error=audit_error)
            return Fault(event.id)
        return error
