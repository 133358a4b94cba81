"""What is written down of requests, and what their callers are told when there is no answer.

An event precedes what it tells of: a refusal, an answer, a process that may change something. Where an event cannot be
written, the caller is told a `Fault` instead, and the log says why.
"""

from collections.abc import Callable

from msgspec.structs import replace
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.core.errors import AuditError, Code, Fault, Refusal, RequestError
from cmdserver.core.events import EventLog, Requested, Started, new_id
from cmdserver.core.model import Grant, Somebody
from cmdserver.core.output import Assessment, ProcessResult, outcome_of
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.requests import Request, Run
from cmdserver.parameters.mistakes import BadValues

_log = Logger()


class RequestLog:
    """Publishes the events of requests.

    Args:
        events: Where they go.
        time_of_day: Seconds since the epoch.
    """

    def __init__(self, events: EventLog, time_of_day: Callable[[], float]) -> None:
        self._events = events
        self._time_of_day = time_of_day

    # Requests that get no process

    def consulted(self, request_id: str, caller: Somebody, word: str, arguments: tuple[str, ...]) -> None:
        """Write down an answer that took no process; raise a `Fault` if that cannot be written."""
        try:
            self._events.publish([self._ended(request_id, caller, word, arguments, Code.OK)])
        except AuditError as error:
            raise _fault(request_id, error) from error

    def unasked(self, caller: Somebody, command: str, arguments: tuple[str, ...], outcome: Code) -> str:
        """Write down what was not asked for after all; return its id. That it cannot be written is logged."""
        event = self._ended(new_id(), caller, command, arguments, outcome)
        self._publish_or_log(event)
        return event.id

    def refused(
        self, request_id: str, caller: Somebody, command: str | None, arguments: tuple[str, ...], refusal: RequestError
    ) -> RequestError:
        """Write a refusal, or a fault, down; return it, or another fault if it cannot be written."""
        try:
            self._events.publish([self._ended(request_id, caller, command, arguments, refusal.code)])
        except AuditError as error:
            return _fault(request_id, error)
        return refusal

    # Requests that were granted

    def starting(self, run: Run) -> None:
        """Write down what may change something before it is done: a daemon that is killed can tell nothing any more.

        Raises:
            AuditError: It cannot be written, or its end could not be.
        """
        self._events.require_audit_log()
        if run.requests and not run.grant.command.read_only:
            self._events.publish([self._started(each) for each in run.requests])

    def ended(self, run: Run) -> bool:
        """Write down the ends of all requests of one run; if that fails, nobody gets its answer."""
        # The first one tells of the run, too.
        asked, assessment = len(run.asked), run.assessment
        answers, shared = asked + len(run.departed), asked > 1
        if assessment is not None and not _tells_of_usual(run):
            assessment = None
        events = []
        for request in run.asked:
            events.append(self._end_of(request, run, shared=shared, answers=answers, assessment=assessment))
            answers, assessment = 0, None
        for request in run.departed:
            left = request.ended_by
            events.append(self._end_of(request, run, ended_by=left, answers=answers, assessment=assessment))
            answers, assessment = 0, None
        try:
            self._events.publish(events)
        except AuditError as error:
            for request in run.asked:
                if not request.answered.called:
                    request.answered.errback(_fault(request.id, error))
            return False
        return True

    def turned_away(self, request: Request, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        """Refuse a request that was granted: there is no room after all, or its caller has lost the right to it.

        Args:
            request: Gets no answer.
            refusal: What to tell instead.
            so_far: What its process had done by then; None if there was none.
        """
        error: RequestError = refusal
        try:
            ended_by = request.ended_by if so_far is not None or request.is_detached else None
            event = self._without_answer(request, refusal.code, so_far, ended_by=ended_by)
            # What has run is told of, though it may end later, for nobody.
            self._events.publish([event if so_far is None else replace(event, answers=1)])
        except AuditError as audit_error:
            error = _fault(request.id, audit_error)
        request.answered.errback(error)

    def failed(self, request: Request, failure: Failure) -> None:
        """Log a failure under the request's id, and tell the caller the id."""
        if isinstance(failure.value, AuditError):
            request.answered.errback(_fault(request.id, failure.value))
            return
        if isinstance(failure.value, OSError):  # the host's, and foreseen: where in our code it was met says nothing
            command = request.grant.command.name
            _log.error("fault {id}: {command}: {error}", id=request.id, command=command, error=failure.value)
        else:
            _log.failure("fault {id}", failure, id=request.id)
        event = self._without_answer(request, Code.FAULT)
        self._publish_or_log(replace(event, assessment=_not_found_out(request.grant)))
        request.answered.errback(Fault(request.id))

    def abandoned(self, request: Request) -> None:
        """Write down a request whose caller is gone before a process had ended for it."""
        self._publish_or_log(self._without_answer(request, Code.FAILED, ended_by=request.ended_by))

    def withdrawn(self, request: Request) -> None:
        """Write down that a caller does not want to run what was granted, or has left before they said so."""
        self._publish_or_log(self._without_answer(request, Code.OK, ended_by=request.ended_by))

    # Events

    def _publish_or_log(self, event: Requested) -> None:
        try:
            self._events.publish([event])
        except AuditError as error:
            _log.error("fault {id}: {error}", id=event.id, error=error)

    def _started(self, request: Request) -> Started:
        return Started(
            time=self._time_of_day(),
            id=request.id,
            caller=request.caller,
            command=request.grant.command.name,
            arguments=request.grant.arguments,
        )

    def _end_of(
        self,
        request: Request,
        run: Run,
        *,
        shared: bool = False,
        ended_by: EndedBy | None = None,
        answers: int,
        assessment: Assessment | None,
    ) -> Requested:
        """Say how a run has ended for one of those who asked."""
        result, grant = run.result, request.grant
        if ended_by is None and result is not None:
            ended_by = result.ended_by
            if result.stopped_by is not None:  # of those who share it, one has: for the others it was somebody else
                ended_by = EndedBy.CALLER if result.stopped_by == request.caller.name else EndedBy.STOP
        return Requested(
            time=self._time_of_day(),
            id=request.id,
            caller=request.caller,
            command=grant.command.name,
            arguments=grant.arguments,
            outcome=outcome_of(run.state or RunState.FAULT),
            finished=result,
            shared=shared,
            ended_by=ended_by,
            answers=answers,
            assessment=assessment,
        )

    def _without_answer(
        self,
        request: Request,
        outcome: Code,
        result: ProcessResult | None = None,
        *,
        shared: bool = False,
        ended_by: EndedBy | None = None,
    ) -> Requested:
        name, arguments = request.grant.command.name, request.grant.arguments
        return self._ended(
            request.id, request.caller, name, arguments, outcome, result, shared=shared, ended_by=ended_by
        )

    def _ended(
        self,
        request_id: str,
        caller: Somebody,
        command: str | None,
        arguments: tuple[str, ...],
        outcome: Code,
        result: ProcessResult | None = None,
        *,
        shared: bool = False,
        ended_by: EndedBy | None = None,
    ) -> Requested:
        return Requested(
            time=self._time_of_day(),
            id=request_id,
            caller=caller,
            command=command,
            arguments=arguments,
            outcome=outcome,
            finished=result,
            shared=shared,
            ended_by=ended_by,
        )


def _tells_of_usual(run: Run) -> bool:
    """Whether a run says something of what its command always looks at."""
    return run.result is not None and run.result.tells_of_command and has_usual_values(run.grant)


def _not_found_out(grant: Grant) -> Assessment | None:
    """Say of a check that could not be run that nobody knows; it is not as it was when it could."""
    if grant.command.check is None or not has_usual_values(grant):
        return None
    text = f"{CheckState.UNKNOWN.name}: {grant.command.name} cannot be run"
    return Assessment(check=CheckResult(state=CheckState.UNKNOWN, text=text))


def has_usual_values(grant: Grant) -> bool:
    """Whether a command runs with the values that it always has: defaults, or none."""
    try:
        return grant.values == grant.command.parameters.bind(())
    except BadValues:  # it needs some
        return False


def log_fault(failure: Failure) -> Fault:
    """Log a mistake of ours; return what to tell whom it concerns."""
    fault = Fault(new_id())
    _log.failure("fault {id}", failure, id=fault.fault_id)
    return fault


def _fault(fault_id: str, error: Exception) -> Fault:
    _log.error("fault {id}: {error}", id=fault_id, error=error)
    return Fault(fault_id)
