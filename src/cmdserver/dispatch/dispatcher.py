"""One request, one way through: throttle, policy, schedule; and every end written down before it is told.

Every listener asks here and nowhere else, and authorisation happens here and nowhere else.
Rule of this file: it knows no protocol and no processes.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.core.errors import AuditError, BadArgument, Busy, Code, Fault, Refusal, RequestError
from cmdserver.core.events import EventLog, Requested, Started
from cmdserver.core.model import Answer, Caller, Command, Grant, ProcessResult, Rule, Sink, Somebody
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.requests import Request
from cmdserver.dispatch.scheduler import Scheduler
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.rate_limit import Throttle

T = TypeVar("T")

_log = Logger()


class Dispatcher:
    """What every listener asks; also the scheduler's `Reporter`.

    Args:
        policy: Who may run what; replaced by `reconfigure`.
        throttle: Callers' own allowances.
        scheduler: Runs what was granted.
        events: Told of every request before its answer is given.
        gate: Knows who is connected.
        clock: For measuring, not the time of day.
        time_of_day: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        throttle: Throttle,
        scheduler: Scheduler,
        events: EventLog,
        connection_limit: ConnectionLimit,
        clock: IReactorTime,
        time_of_day: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._throttle = throttle
        self._scheduler = scheduler
        self._events = events
        self._connection_limit = connection_limit
        self._clock = clock
        self._time_of_day = time_of_day
        self._is_closed = False
        scheduler.report_to(self)

    # What listeners ask

    def authorize(self, caller: Caller, words: Sequence[str]) -> Request:
        """Decide whether a caller may run a command: counted, and a refusal is written down.

        What was granted is to be given to `run`, `describe` or `reject`, once.

        Args:
            caller: Who asks.
            words: The command's name and its arguments; at least one.

        Raises:
            RequestError: A `Refusal`; a `Fault` if that could not be written down.
        """
        request_id = _new_id()
        words = _words_of(caller, words)
        try:
            self._count(caller)
            return Request(request_id, caller, words, self._policy.require(caller, words))
        except Refusal as refusal:
            raise self._refused(request_id, caller, words[0], tuple(words[1:]), refusal) from None

    def run(self, request: Request, sink: Sink | None = None) -> Deferred[Answer]:
        """Run what was granted.

        Args:
            request: As `authorize` has returned it.
            sink: Where output goes as it comes; None to have it in the answer.

        Returns:
            Fires with the answer, after the audit file has been told. Fails with a `Refusal` or a `Fault`. To cancel it
            is to leave: a process that nobody waits for any more is ended.
        """
        request.sink = sink
        try:
            self._scheduler.enter(request)
        except Refusal as refusal:
            return fail(self.reject(request, refusal))
        return request.answered

    def describe(self, request: Request) -> Command:
        """Tell of a command that was granted instead of running it; written down as ``help``."""
        name = request.grant.command.name
        try:
            self._events.publish([self._bare_event(request.id, request.caller, "help", (name,), Code.OK)])
        except AuditError as error:
            raise _fault(request.id, error) from error
        return request.grant.command

    def reject(self, request: Request, refusal: Refusal) -> RequestError:
        """Write down that what was granted is not run after all; return what to tell the caller."""
        return self._refused(request.id, request.caller, request.words[0], tuple(request.words[1:]), refusal)

    def ask(self, caller: Caller, words: Sequence[str], sink: Sink | None = None) -> Deferred[Answer]:
        """Do both, `authorize` and `run`."""
        try:
            request = self.authorize(caller, words)
        except RequestError as error:
            return fail(error)
        return self.run(request, sink)

    def help(self, caller: Caller, name: str | None = None) -> tuple[Command, ...]:
        """Tell what this caller may run, by name; or tell of one command, refusing what `ask` would refuse."""
        if name is None:
            return self._consult(caller, "help", (), lambda: self._policy.allowed(caller))
        return self._consult(caller, "help", (name,), lambda: (self._policy.require(caller, [name]).command,))

    def explain(self, caller: Caller, words: Sequence[str]) -> tuple[Grant, Rule]:
        """Tell what `ask` would run, and by which rule, without running it; refuse what `ask` would refuse."""

        def explanation() -> tuple[Grant, Rule]:
            if not words:
                text = "explain needs a command: explain NAME"
                raise BadArgument(text)
            grant = self._policy.require(caller, _words_of(caller, words))
            return grant, self._policy.rule_for(caller, grant.command)

        return self._consult(caller, "explain", tuple(words), explanation)

    def peek(self, caller: Caller, name: str) -> Command | None:
        """Look at what `ask` would run, for a listener that asks for it in different ways; None if it would refuse.

        Neither counted nor written down, so nothing of it may be told to anybody before one of the others was asked.
        """
        return self._policy.find(caller, name)

    def go_on(self, caller: Caller, words: Sequence[str]) -> None:
        """Let a caller go on hearing what it has asked for before.

        Counted like a request; written down only if it is refused, as what was asked has a line of its own.

        Args:
            caller: Who asks now, perhaps over another connection and with another credential.
            words: What was asked.

        Raises:
            RequestError: Who asked for the command now would be refused, whether it is in the file any more or not.
        """
        words = _words_of(caller, words)
        try:
            self._count(caller)
            self._policy.require_leave(caller, words[0])
        except Refusal as refusal:
            raise self._refused(_new_id(), caller, words[0], tuple(words[1:]), refusal) from None

    def names(self, caller: Caller) -> frozenset[str]:
        """Tell the names of what this caller may run, to measure or to complete: not counted, and not written down."""
        return frozenset(command.name for command in self._policy.allowed(caller))

    def whoami(self, caller: Caller) -> tuple[str, ...]:
        """Tell the caller's roles."""
        return self._consult(caller, "whoami", (), lambda: self._policy.roles_of(caller))

    def who(self, caller: Caller) -> Mapping[str, int]:
        """Tell how many are connected, by protocol."""
        return self._consult(caller, "who", (), self._connection_limit.counts)

    def refuse(self, somebody: Somebody, refusal: Refusal) -> RequestError:
        """Count and record bytes that a listener could make no request of; return what to tell their sender.

        The one thing here that is for strangers too.
        """
        try:
            self._count(somebody)
        except Refusal as another:
            refusal = another
        return self._refused(_new_id(), somebody, None, (), refusal)

    def fault(self, failure: Failure) -> Fault:
        """Log a mistake of ours that surfaced in a listener; return what to tell the caller."""
        fault_id = _new_id()
        _log.failure("fault {id}", failure, id=fault_id)
        return Fault(fault_id)

    # What the composition asks

    def reconfigure(self, policy: Policy) -> None:
        """Go by another policy, also for what was asked before and has no answer yet.

        What waits is refused as it would be if it were asked now, and turned away if it would run otherwise than it was
        granted. What runs goes on as it was begun, but without those whose roles include it no more.
        """
        self._policy = policy
        self._scheduler.review(self._objection)

    def close(self) -> None:
        """Refuse all that comes and all that waits; what runs goes on."""
        self._is_closed = True
        self._scheduler.review(lambda _, is_running: None if is_running else _closing())

    # Reporter

    def starting(self, requests: Sequence[Request]) -> None:
        """Write down what may change something before it is done: a daemon that is killed can tell nothing any more.

        Raises:
            AuditError: It cannot be written, or its end could not be.
        """
        self._events.require_audit_log()
        events = [self._started(each) for each in requests if not each.grant.command.read_only]
        if events:
            self._events.publish(events)

    def settled(self, asked: Sequence[Request], departed: Sequence[Request], finished: ProcessResult) -> bool:
        """Write the ends of all questions of one process down; if that fails, nobody gets its answer."""
        outcome = Code.TIMEOUT if finished.timed_out else Code.OK
        shared = len(asked) > 1
        events = [self._event(each, outcome, finished, shared=shared) for each in asked]
        events += [self._event(each, outcome, finished, abandoned=True) for each in departed]
        try:
            self._events.publish(events)
        except AuditError as error:
            for request in asked:
                if not request.answered.called:
                    request.answered.errback(_fault(request.id, error))
            return False
        return True

    def turned_away(self, request: Request, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        """Write it down, and say so."""
        error: RequestError = refusal
        try:
            self._events.publish([self._event(request, refusal.code, so_far)])
        except AuditError as audit_error:
            error = _fault(request.id, audit_error)
        request.answered.errback(error)

    def failed(self, request: Request, failure: Failure) -> None:
        """Log what happened under the question's id, and tell its caller the id."""
        if isinstance(failure.value, AuditError):
            request.answered.errback(_fault(request.id, failure.value))
            return
        if isinstance(failure.value, OSError):  # the host's, and foreseen: where in our code it was met says nothing
            command = request.grant.command.name
            _log.error("fault {id}: {command}: {error}", id=request.id, command=command, error=failure.value)
        else:
            _log.failure("fault {id}", failure, id=request.id)
        self._publish_or_log(self._event(request, Code.FAULT))
        request.answered.errback(Fault(request.id))

    def withdrawn(self, request: Request) -> None:
        """Write it down; there is nobody to tell."""
        self._publish_or_log(self._event(request, Code.OK, abandoned=True))

    # Steps

    def _count(self, somebody: Somebody) -> None:
        if self._is_closed:
            raise _closing()
        self._throttle.spend(somebody.key, self._clock.seconds())

    def _objection(self, request: Request, is_running: bool) -> Refusal | None:  # noqa: FBT001 - a `Judge`
        try:
            if is_running:
                self._policy.require_leave(request.caller, request.words[0])
                return None
            grant = self._policy.require(request.caller, request.words)
        except Refusal as refusal:
            return refusal
        return None if grant == request.grant else Busy("the configuration of this command has changed", 1)

    def _consult(self, caller: Caller, word: str, arguments: tuple[str, ...], query: Callable[[], T]) -> T:
        """Answer what needs no process; counted and written down like everything else."""
        request_id = _new_id()
        try:
            self._count(caller)
            self._policy.admit(caller)
            result = query()
        except Refusal as refusal:
            raise self._refused(request_id, caller, word, arguments, refusal) from None
        try:
            self._events.publish([self._bare_event(request_id, caller, word, arguments, Code.OK)])
        except AuditError as error:
            raise _fault(request_id, error) from error
        return result

    def _refused(
        self,
        request_id: str,
        caller: Somebody,
        command: str | None,
        arguments: tuple[str, ...],
        refusal: Refusal,
    ) -> RequestError:
        """Write a refusal down and return it, or a fault if it cannot be written."""
        try:
            self._events.publish([self._bare_event(request_id, caller, command, arguments, refusal.code)])
        except AuditError as error:
            return _fault(request_id, error)
        return refusal

    def _started(self, request: Request) -> Started:
        return Started(
            time=self._time_of_day(),
            id=request.id,
            caller=request.caller,
            command=request.grant.command.name,
            arguments=request.grant.arguments,
        )

    def _event(
        self,
        request: Request,
        outcome: Code,
        finished: ProcessResult | None = None,
        *,
        shared: bool = False,
        abandoned: bool = False,
    ) -> Requested:
        return Requested(
            time=self._time_of_day(),
            id=request.id,
            caller=request.caller,
            command=request.grant.command.name,
            arguments=request.grant.arguments,
            outcome=outcome,
            finished=finished,
            shared=shared,
            abandoned=abandoned,
        )

    def _bare_event(
        self, request_id: str, caller: Somebody, command: str | None, arguments: tuple[str, ...], outcome: Code
    ) -> Requested:
        return Requested(
            time=self._time_of_day(),
            id=request_id,
            caller=caller,
            command=command,
            arguments=arguments,
            outcome=outcome,
        )

    def _publish_or_log(self, event: Requested) -> None:
        try:
            self._events.publish([event])
        except AuditError as error:
            _log.error("fault {id}: {error}", id=event.id, error=error)


def _words_of(caller: Caller, words: Sequence[str]) -> Sequence[str]:
    """Say what a caller asks for, whatever they say."""
    return words if caller.forced_words is None else caller.forced_words


def _closing() -> Busy:
    return Busy("the daemon is stopping", 10)


def _fault(fault_id: str, error: Exception) -> Fault:
    _log.error("fault {id}: {error}", id=fault_id, error=error)
    return Fault(fault_id)


def _new_id() -> str:
    """Make an id that nobody can guess or choose."""
    return os.urandom(8).hex()
