"""Audit events, published once: to the audit log first, and then to observers.

What the audit log cannot take does not happen; an observer that fails, such as the metrics, harms nobody else.
Diagnostics for operators are another stream: `twisted.logger`.
"""

import os
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct
from twisted.logger import Logger

from cmdserver.core.errors import AuditError, Code
from cmdserver.core.model import Caller, Somebody
from cmdserver.core.output import Assessment, ProcessResult
from cmdserver.core.run_states import EndedBy

#: Ids that are made at once: the kernel is asked once for all of them.
_IDS_AT_ONCE: Final = 128

_log = Logger()

#: Ids that nobody has yet. They are one process's, and the daemon never forks.
_ids: list[str] = []


def new_id() -> str:
    """Make the id of an event, which nobody can guess or choose: 64 random bits in hexadecimal."""
    if not _ids:
        digits = os.urandom(8 * _IDS_AT_ONCE).hex()
        _ids.extend([digits[start : start + 16] for start in range(0, len(digits), 16)])
    return _ids.pop()


class Started(Struct, frozen=True, kw_only=True):
    """A process is about to be started for a request, which may change something.

    Its end is another event, `Requested` with the same id; if there is none, the daemon was killed in between.
    """

    #: Seconds since the epoch.
    time: float
    id: str
    caller: Caller
    command: str
    arguments: tuple[str, ...]


class Requested(Struct, frozen=True, kw_only=True):
    """A request came to its end: answered, refused, failed, or abandoned by its caller."""

    #: Seconds since the epoch, when it ended.
    time: float
    id: str
    #: A `Stranger` only for what was refused.
    caller: Somebody
    #: None for bytes that were no request.
    command: str | None
    arguments: tuple[str, ...]
    outcome: Code
    #: None if no process ran for it.
    finished: ProcessResult | None = None
    shared: bool = False
    #: Who ended it before its end; None if nobody did.
    ended_by: EndedBy | None = None
    #: In the first event of a run's end how many it has been asked by; 0 in the others, and where nothing ran.
    answers: int = 0
    #: In the same one what the run says of what its command looks at, if it ran with no other values than it always
    #: has; else it is of one thing among several.
    assessment: Assessment | None = None


class LoggedIn(Struct, frozen=True, kw_only=True):
    """Somebody tried to log in, and was let in or refused."""

    #: Seconds since the epoch.
    time: float
    id: str
    protocol: str
    source: str
    #: Whether the listener speaks TLS.
    tls: bool = False
    #: The name that was given; it may be nobody's.
    user: str | None
    #: ``password``, ``certificate``, ``token``, ``publickey``.
    method: str
    #: ``ok``, ``denied``, ``throttled``, ``busy`` or ``fault``.
    outcome: Code
    #: Why it was refused: for the audit file, never for the client.
    reason: str | None = None
    #: Of the key or certificate, ``SHA256:...``.
    fingerprint: str | None = None


Event = Started | Requested | LoggedIn

Observer = Callable[[Event], None]


class AuditLog(Protocol):
    """Where events must be written before their consequences are seen."""

    def require_writable(self) -> None:
        """Raise `AuditError` if, as far as can be known, the next `append` would fail."""

    def append(self, events: Sequence[Event]) -> None:
        """Write all of them, or raise `AuditError`."""


class EventLog:
    """Hands events to the audit log first, then to every observer.

    Args:
        audit_log: What it raises, the publisher gets.
    """

    def __init__(self, audit_log: AuditLog) -> None:
        self._audit_log = audit_log
        self._observers: list[Observer] = []

    def subscribe(self, observer: Observer) -> None:
        """Tell an observer every event from now on; what it raises goes to the log, and to nobody else."""
        self._observers.append(observer)

    def require_audit_log(self) -> None:
        """Raise `AuditError` unless events can be written: to be asked before anything is done that they tell of."""
        self._audit_log.require_writable()

    def publish(self, events: Sequence[Event]) -> None:
        """Write events to the audit log, and tell the observers.

        Raises:
            AuditError: The audit log could not take them, for whatever reason; no observer was told.
        """
        if not events:  # a run ends for nobody whose callers have all been told before
            return
        try:
            self._audit_log.append(events)
        except AuditError:
            raise
        except Exception as error:
            # A mistake of ours is no line in the file either, and whoever waits for the event must hear of it.
            _log.failure("an event could not be written down")
            raise AuditError(f"an event could not be written down: {error!r}") from error
        for observer in self._observers:
            for event in events:
                try:
                    observer(event)
                except Exception:  # noqa: BLE001 - whatever it is, the event is written down and others are to hear of it
                    _log.failure("observer {observer} failed", observer=observer)
