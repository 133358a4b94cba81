"""What front ends ask: authorize a request, run it; or tell what may be run, and who is connected.

Authorization happens here and nowhere else: rate limit, the words that a key forces, policy.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Busy, Fault, Refusal, RequestError
from cmdserver.core.model import Answer, Caller, Command, Grant, Rule, Sink, Somebody
from cmdserver.dispatch.choice_lists import ChoiceLists
from cmdserver.dispatch.policy import Policy, changed
from cmdserver.dispatch.request_log import RequestLog, log_fault, new_id
from cmdserver.dispatch.requests import Request
from cmdserver.dispatch.scheduler import Scheduler
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.rate_limit import Throttle
from cmdserver.parameters.parameter_list import Field

T = TypeVar("T")


class Dispatcher:
    """What every front end asks.

    Args:
        policy: Who may run what; replaced by `reconfigure`.
        throttle: Callers' own allowances.
        scheduler: Runs what was granted.
        log: Writes every request down before its answer is given.
        connection_limit: Knows who is connected.
        clock: For measuring, not the time of day.
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
    ) -> None:
        self._policy = policy
        self._throttle = throttle
        self._scheduler = scheduler
        self._log = log
        self._connection_limit = connection_limit
        self._clock = clock
        self._choice_lists = ChoiceLists(scheduler, lambda name: self._policy.grant_source(name))  # noqa: PLW0108 - as it is then
        self._is_closed = False

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
            self._count(caller)
            try:
                grant = self._policy.require(caller, words, fields)
                return Request(request_id, caller, words, grant, None, fields, self._policy)
            except BadArgument as mistake:
                grant = self._policy.require_command(caller, words[0])
                return Request(request_id, caller, words, grant, mistake, fields, self._policy)
        except Refusal as refusal:
            raise self._refused(request_id, caller, words, fields, refusal) from None

    def run(self, request: Request, sink: Sink | None = None) -> Deferred[Answer]:
        """Run what was granted; its output goes to the sink as it comes, or else into the answer.

        Returns:
            Fires with the answer, after the audit file has been told. Fails with a `Refusal` or a `Fault`. To cancel it
            is to leave: a process that nobody waits for any more is ended.
        """
        request.sink = sink
        try:
            if self._is_closed or request.policy is not self._policy:
                self._require(request)  # a person may have been asked in the meantime whether they mean it
            if request.mistake is not None:
                raise request.mistake
            if request.grant.command.parameters.has_sources:
                return Deferred.fromCoroutine(self._run_when_listed(request))
            self._scheduler.enter(request)
        except Refusal as refusal:
            return fail(self.reject(request, refusal))
        return request.answered

    async def _run_when_listed(self, request: Request) -> Answer:
        """Run what takes choices that another command prints, if they are among them."""
        try:
            command = self._policy.narrowed(request.caller, request.grant.command)
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
        return await request.answered

    def describe(self, request: Request) -> Command:
        """Tell of a command that was granted instead of running it; written down as ``help``."""
        self._log.consulted(request.id, request.caller, "help", (request.grant.command.name,))
        return self.as_seen(request)

    def as_seen(self, request: Request) -> Command:
        """Tell of a command that was granted beside its answer; what becomes of it is written down in another way."""
        return self._policy.narrowed(request.caller, request.grant.command)

    def withdraw(self, request: Request) -> None:
        """Write down that a caller does not want to run what was granted."""
        self._log.abandoned(request)

    def reject(self, request: Request, error: RequestError) -> RequestError:
        """Write down that what was granted is not run after all; return what to tell the caller."""
        policy = request.policy or self._policy  # which knew the command, and its secrets
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
                self._count(caller)
            command = self._described(caller, command.name)
        except Refusal as refusal:
            return fail(self._refused(new_id(), caller, (command.name,), (), refusal))
        if not command.parameters.has_sources:
            return succeed(command)
        return Deferred.fromCoroutine(self._choice_lists.fill(caller, command))

    def help(self, caller: Caller, name: str | None = None) -> tuple[Command, ...]:
        """Tell what this caller may run, by name; or tell of one command, refusing what `authorize` would refuse."""
        if name is None:
            return self._consult(caller, "help", (), lambda: self._policy.allowed(caller))
        return self._consult(caller, "help", (name,), lambda: (self._described(caller, name),))

    def explain(self, caller: Caller, words: Sequence[str]) -> tuple[Grant, Rule]:
        """Tell what would be run, and by which rule, without running it; refuse what `run` would refuse."""

        def explanation() -> tuple[Grant, Rule]:
            if not words:
                raise BadArgument("explain needs a command: explain NAME")
            grant = self._policy.require(caller, _words_of(caller, words))
            return grant, self._policy.rule_for(caller, grant)

        shown = (words[0], *self._policy.masked(words)) if words else ()
        return self._consult(caller, "explain", shown, explanation)

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
            raise self._refused(new_id(), caller, words[:1], (), refusal) from None

    def names(self, caller: Caller) -> frozenset[str]:
        """Tell the names of what this caller may run, to measure or to complete: not counted, and not written down."""
        return frozenset(command.name for command in self.offered(caller))

    def offered(self, caller: Caller) -> tuple[Command, ...]:
        """Tell what this caller may run, to complete what they type: not counted, and not written down."""
        return self._policy.allowed(caller)

    @property
    def commands_with_secrets(self) -> frozenset[str]:
        """Name the commands that take secrets, so that nobody writes down what is sent to them."""
        return self._policy.with_secrets

    def whoami(self, caller: Caller) -> tuple[str, ...]:
        """Tell the caller's roles."""
        return self._consult(caller, "whoami", (), lambda: self._policy.roles_of(caller))

    def who(self, caller: Caller) -> Mapping[str, int]:
        """Tell how many are connected, by protocol."""
        return self._consult(caller, "who", (), self._connection_limit.counts)

    def refuse(self, somebody: Somebody, refusal: Refusal) -> RequestError:
        """Count and record bytes that a listener could make no request of; return what to tell them: strangers too."""
        try:
            self._count(somebody)
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
        self._policy = policy
        self._scheduler.review(self._objection)

    def close(self) -> None:
        """Refuse all that comes and all that waits; what runs goes on."""
        self._is_closed = True
        self._scheduler.review(lambda _, is_running: None if is_running else _closing())

    # Steps

    def _count(self, somebody: Somebody) -> None:
        if self._is_closed:
            raise _closing()
        self._throttle.spend(somebody.key, self._clock.seconds())

    def _require(self, request: Request) -> None:
        """Judge again what was granted before; raise why it may not run."""
        if self._is_closed:
            raise _closing()
        if (refusal := self._objection(request, False)) is not None:
            raise refusal

    def _objection(self, request: Request, is_running: bool) -> Refusal | None:  # noqa: FBT001 - a `Judge`
        try:
            if is_running or request.wanted_for is not None:
                self._policy.require_leave(request.caller, request.wanted_for or request.words[0])
            if is_running:
                return None
            if request.wanted_for is not None:  # nobody has asked for it, so whether the caller may is not the question
                grant = self._policy.grant_source(request.grant.command.name)
            else:
                grant = self._policy.require(request.caller, request.words, request.fields)
        except Refusal as refusal:
            return refusal
        return None if grant == request.grant else changed()

    def _described(self, caller: Caller, name: str) -> Command:
        return self._policy.narrowed(caller, self._policy.require_command(caller, name).command)

    def _refused(
        self, request_id: str, caller: Somebody, words: Sequence[str], fields: Sequence[Field], error: RequestError
    ) -> RequestError:
        """Write a refusal down, without what may be a secret."""
        return self._log.refused(request_id, caller, words[0], self._policy.masked(words, fields), error)

    def _consult(self, caller: Caller, word: str, arguments: tuple[str, ...], query: Callable[[], T]) -> T:
        """Answer what needs no process; counted and written down like everything else."""
        request_id = new_id()
        try:
            self._count(caller)
            self._policy.admit(caller)
            result = query()
        except Refusal as refusal:
            raise self._log.refused(request_id, caller, word, arguments, refusal) from None
        self._log.consulted(request_id, caller, word, arguments)
        return result


def _words_of(caller: Caller, words: Sequence[str]) -> Sequence[str]:
    """Say what a caller asks for, whatever they say."""
    return words if caller.forced_words is None else caller.forced_words


def _closing() -> Busy:
    return Busy("the daemon is stopping", 10)
