"""What front ends ask: authorize a request, run it; or tell what may be run, and who is connected.

Authorization happens here and nowhere else: rate limit, the words that a key forces, policy.
"""

from collections.abc import Mapping, Sequence

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Code, Fault, Refusal, RequestError
from cmdserver.core.events import new_id
from cmdserver.core.model import Caller, Command, Grant, Rule, Somebody
from cmdserver.core.output import Answer, Listener
from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch.admission import Admission, closing
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.choice_lists import ChoiceLists
from cmdserver.dispatch.policy import Policy, changed
from cmdserver.dispatch.request_log import RequestLog, log_fault
from cmdserver.dispatch.requests import Request
from cmdserver.dispatch.run_access import RunAccess
from cmdserver.dispatch.scheduling.scheduler import Scheduler
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.rate_limit import Throttle
from cmdserver.parameters.parameter_list import Field
from cmdserver.runs.record import RunRecord
from cmdserver.runs.waiting import Waiting


class Dispatcher:
    """What every front end asks.

    Args:
        policy: Who may run what; replaced by `reconfigure`.
        throttle: Callers' own allowances.
        scheduler: Runs what was granted.
        log: Writes every request down before its answer is given.
        connection_limit: Knows who is connected.
        clock: For measuring, not the time of day.
        assessor: Judges what runs have found.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        throttle: Throttle,
        scheduler: Scheduler,
        log: RequestLog,
        connection_limit: ConnectionLimit,
        clock: IReactorTime,
        assessor: Assessor,
    ) -> None:
        self._admission = Admission(policy, throttle, log, clock)
        self._scheduler = scheduler
        self._log = log
        self._connection_limit = connection_limit
        #: What is asked about data, and the states of checks.
        self.assessor = assessor
        #: What is asked about runs.
        self.runs = RunAccess(self._admission, scheduler, assessor)
        self._choice_lists = ChoiceLists(scheduler, self._grant_source)

    # What listeners ask

    def authorize(self, caller: Caller, words: Sequence[str], fields: Sequence[Field] = ()) -> Request:
        """Decide whether a caller may run a command: counted, and a refusal is written down.

        What was granted is to be given to `run`, `describe` or `reject`, once. Arguments that the command does not take
        are refused by `run`: whoever may have the command may be shown how it is asked for.

        Args:
            caller: Who asks.
            words: The command's name, and words as `ParameterList.bind` reads them; at least one.
            fields: Named values, as forms have them.

        Raises:
            RequestError: A `Refusal`; a `Fault` if that could not be written down.
        """
        request_id = new_id()
        if caller.forced_words is not None:
            words, fields = caller.forced_words, ()
        try:
            self._admission.count(caller)
            try:
                grant = self._admission.policy.require(caller, words, fields)
                return Request(request_id, caller, words, grant, None, fields, self._admission.policy)
            except BadArgument as mistake:
                grant = self._admission.policy.require_command(caller, words[0])
                return Request(request_id, caller, words, grant, mistake, fields, self._admission.policy)
        except Refusal as refusal:
            raise self._refused(request_id, caller, words, fields, refusal) from None

    def run(self, request: Request, sink: Listener | None = None) -> Deferred[Answer]:
        """Run what was granted; its output goes to the sink as it comes, or else into the answer.

        Returns:
            Fires with the answer, after the audit file has been told. Fails with a `Refusal` or a `Fault`. To cancel it
            is to leave: a process that nobody waits for any more is ended.
        """
        request.sink = sink
        if request.grant.command.parameters.has_sources:
            return Deferred.fromCoroutine(self._run_when_listed(request))
        try:
            self._enter(request)
        except Refusal as refusal:
            return fail(self.reject(request, refusal))
        return request.answered

    async def _run_when_listed(self, request: Request) -> Answer:
        await self._enter_when_listed(request)
        return await request.answered

    def start(self, request: Request) -> Deferred[RunRecord]:
        """Run what was granted for nobody who waits; it goes on whoever leaves.

        Returns:
            Fires when the run waits or runs, with what is known of it. Fails with a `Refusal` or a `Fault`; what goes
            wrong later is told to those who ask for the run. Then the request's ``answered`` fires when it is over.
        """
        return Deferred.fromCoroutine(self._start(request))

    async def _start(self, request: Request) -> RunRecord:
        request.is_detached = True
        if request.grant.command.parameters.has_sources:
            await self._enter_when_listed(request)
        else:
            try:
                self._enter(request)
            except Refusal as refusal:
                raise self.reject(request, refusal) from None
        if request.answered.called:
            await request.answered  # it could not be begun, perhaps
        request.answered.addErrback(lambda _: None)  # written down, and told to those who ask for the run
        # By the id of the one who asks, which means the run of another, if it has joined one.
        return self._scheduler.directory.record_of(request.id).named(request.id)

    def _enter(self, request: Request) -> None:
        """Let a request wait for its run; raise a `Refusal` if it may not."""
        self._require_still(request)
        self._scheduler.enter(request)

    async def _enter_when_listed(self, request: Request) -> None:
        """Do the same for what takes choices that another command prints, if they are among them."""
        try:
            self._require_still(request)
            command = self._admission.policy.narrowed(request.caller, request.grant.command)
            await self._choice_lists.require(request, command)
            self._require(request)
            self._scheduler.enter(request)
        except RequestError as error:
            raise self.reject(request, error) from None
        except CancelledError:
            self._log.abandoned(request)
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is written down and its caller is told
            raise self.reject(request, self.fault(Failure())) from None

    def hear_again(self, request: Request, sink: Listener | None = None) -> None:
        """Let who listens to what was granted hear it again, from its beginning: they have lost what they had heard.

        Args:
            request: What was given to `run`.
            sink: Who listens from now on; None: the same.
        """
        if sink is not None:
            request.sink = sink
        self._scheduler.answering.hear_again(request)

    def waiting(self, request: Request) -> Waiting | None:
        """Tell a caller why what they have asked for has not begun, at this moment; None: it has, or will not.

        Not counted, and not written down. Of the run that is in its way it says what the caller may see then.
        """
        return None if request.run is None else self.runs.why_waiting(request.caller, request.run)

    def interrupt(self, request: Request) -> None:
        """End what was granted, as its caller wants: cancel what `run` has returned after this."""
        request.ended_by = EndedBy.CALLER

    def unasked(self, somebody: Somebody, name: str, outcome: Code, arguments: tuple[str, ...] = ()) -> None:
        """Write down what a caller that is no person did not ask for after all.

        Args:
            somebody: Who would have asked.
            name: The command's.
            outcome: ``skipped`` or ``missed``.
            arguments: For people; no secret is in them.
        """
        self._log.unasked(somebody, name, arguments, outcome)

    def describe(self, request: Request) -> Command:
        """Tell of a command that was granted instead of running it; written down as ``help``."""
        self._log.consulted(request.id, request.caller, "help", (request.grant.command.name,))
        return self.as_seen(request)

    def as_seen(self, request: Request) -> Command:
        """Tell of a command that was granted beside its answer; what becomes of it is written down in another way."""
        return self._admission.policy.narrowed(request.caller, request.grant.command)

    def withdraw(self, request: Request) -> None:
        """Write down that a caller does not want to run what was granted."""
        self._log.withdrawn(request)

    def reject(self, request: Request, error: RequestError) -> RequestError:
        """Write down that what was granted is not run after all; return what to tell the caller."""
        policy = request.policy or self._admission.policy  # which knew the command, and its secrets
        shown = policy.masked(request.words, request.fields)
        return self._log.refused(request.id, request.caller, request.words[0], shown, error)

    def with_choices(self, caller: Caller, command: Command) -> Deferred[Command]:
        """List the choices that other commands print; fires with the command as it is now, and they are known.

        Args:
            caller: Who asks; counted, if there is anything to be listed.
            command: As `describe`, `help` or `offered` has returned it.
        """
        try:
            if command.parameters.has_sources:
                self._admission.count(caller)
            command = self._described(caller, command.name)
        except Refusal as refusal:
            return fail(self._refused(new_id(), caller, (command.name,), (), refusal))
        if not command.parameters.has_sources:
            return succeed(command)
        return Deferred.fromCoroutine(self._choice_lists.fill(caller, command))

    def help(self, caller: Caller, name: str | None = None) -> tuple[Command, ...]:
        """Tell what this caller may run, by name; or tell of one command, refusing what `authorize` would refuse."""
        if name is None:
            return self._admission.consult(caller, "help", (), lambda: self._admission.policy.allowed(caller))
        return self._admission.consult(caller, "help", (name,), lambda: (self._described(caller, name),))

    def explain(self, caller: Caller, words: Sequence[str]) -> tuple[Grant, Rule]:
        """Tell what would be run, and by which rule, without running it; refuse what `run` would refuse."""

        def explanation() -> tuple[Grant, Rule]:
            if not words:
                raise BadArgument("explain needs a command: explain NAME")
            grant = self._admission.policy.require(caller, _words_of(caller, words))
            return grant, self._admission.policy.rule_for(caller, grant)

        shown = (words[0], *self._admission.policy.masked(words)) if words else ()
        return self._admission.consult(caller, "explain", shown, explanation)

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
            self._admission.count(caller)
            self._admission.policy.require_leave(caller, words[0])
        except Refusal as refusal:
            raise self._refused(new_id(), caller, words[:1], (), refusal) from None

    def names(self, caller: Caller) -> frozenset[str]:
        """Tell the names of what this caller may run, to measure or to complete: not counted, and not written down."""
        return frozenset(command.name for command in self.offered(caller))

    def usual_names(self, caller: Caller) -> frozenset[str]:
        """Tell the names of what this caller may run with the values that it always has: what those find is theirs."""
        return self._admission.policy.usual_names(caller)

    def offered(self, caller: Caller) -> tuple[Command, ...]:
        """Tell what this caller may run, to complete what they type: not counted, and not written down."""
        return self._admission.policy.allowed(caller)

    @property
    def commands_with_secrets(self) -> frozenset[str]:
        """Name the commands that take secrets, so that nobody writes down what is sent to them."""
        return self._admission.policy.with_secrets

    def roles_of(self, caller: Caller) -> tuple[str, ...]:
        """Name a caller's roles, for a page that they look at: not counted, and not written down."""
        return self._admission.policy.roles_of(caller)

    def masked(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return what is given to a command, to be written down: without what may be a secret."""
        return self._admission.policy.masked(words)

    def whoami(self, caller: Caller) -> tuple[str, ...]:
        """Tell the caller's roles."""
        return self._admission.consult(caller, "whoami", (), lambda: self._admission.policy.roles_of(caller))

    def who(self, caller: Caller) -> Mapping[str, int]:
        """Tell how many are connected, by protocol."""
        return self._admission.consult(caller, "who", (), self._connection_limit.counts)

    def refuse(self, somebody: Somebody, refusal: Refusal) -> RequestError:
        """Count and record bytes that a listener could make no request of; return what to tell them: strangers too."""
        try:
            self._admission.count(somebody)
        except Refusal as another:
            refusal = another
        return self._log.refused(new_id(), somebody, None, (), refusal)

    def fault(self, failure: Failure) -> Fault:
        """Log a mistake of ours that surfaced in a listener; return what to tell the caller."""
        return log_fault(failure)

    # What the composition asks

    def reconfigure(self, policy: Policy) -> None:
        """Go by another policy, also for what was asked before and has no answer yet.

        What waits is refused as it would be if it were asked now, and turned away if it would run otherwise than it was
        granted. What runs goes on as it was begun, but without those whose roles include it no more.
        """
        self._admission.policy = policy
        self._scheduler.review(self._objection)
        self.runs.review()

    def close(self) -> None:
        """Refuse all that comes and all that waits; what runs goes on."""
        self._admission.is_closed = True
        self._scheduler.review(lambda _, is_running: None if is_running else closing(), EndedBy.SHUTDOWN)

    # Steps

    def _grant_source(self, name: str) -> Grant:
        return self._admission.policy.grant_source(name)  # as it is then

    def _require_still(self, request: Request) -> None:
        """Raise why a request may not run, or not any more: its caller may have been asked whether they mean it."""
        if self._admission.is_closed or request.policy is not self._admission.policy:
            self._require(request)
        if request.mistake is not None:
            raise request.mistake

    def _require(self, request: Request) -> None:
        """Judge again what was granted before; raise why it may not run."""
        self._admission.require_open()
        if (refusal := self._objection(request, False)) is not None:
            raise refusal

    def _objection(self, request: Request, is_running: bool) -> Refusal | None:  # noqa: FBT001 - a `Judge`
        try:
            if is_running or request.wanted_for is not None:
                self._admission.policy.require_leave(request.caller, request.wanted_for or request.words[0])
            if is_running:
                return None
            if request.wanted_for is not None:  # nobody has asked for it, so whether the caller may is not the question
                grant = self._admission.policy.grant_source(request.grant.command.name)
            else:
                grant = self._admission.policy.require(request.caller, request.words, request.fields)
        except Refusal as refusal:
            return refusal
        return None if grant == request.grant else changed()

    def _described(self, caller: Caller, name: str) -> Command:
        return self._admission.policy.narrowed(caller, self._admission.policy.require_command(caller, name).command)

    def _refused(
        self, request_id: str, caller: Somebody, words: Sequence[str], fields: Sequence[Field], error: RequestError
    ) -> RequestError:
        """Write a refusal down, without what may be a secret."""
        return self._log.refused(request_id, caller, words[0], self._admission.policy.masked(words, fields), error)


def _words_of(caller: Caller, words: Sequence[str]) -> Sequence[str]:
    """Say what a caller asks for, whatever they say."""
    return words if caller.forced_words is None else caller.forced_words
