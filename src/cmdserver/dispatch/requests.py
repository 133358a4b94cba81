"""A request on its way to an answer, and the run that answers it."""

import errno
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred

from cmdserver.core.errors import BadArgument
from cmdserver.core.model import Caller, Grant
from cmdserver.core.output import Answer, Assessment, Listener, ProcessResult
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.scheduling.coalescing import Group
from cmdserver.execution.process_run import ProcessRun
from cmdserver.limits.fair_queue import QueueEntry
from cmdserver.parameters.parameter_list import Field
from cmdserver.runs.record import Asked, RunRecord
from cmdserver.runs.recording import Reader, Recording

#: What a person is told who is shown a run that was under way.
JOINED: Final = "this was under way already; here is that run from its beginning"


class Request:
    """One caller's granted request.

    Args:
        request_id: Under which it is recorded.
        caller: Who asks.
        words: What they asked for, as the policy was asked.
        grant: What may be run.
        mistake: What is wrong with the arguments, if anything is; then it is not run.
        fields: Named values beside the words.
        policy: Who has granted it: if that is no more asked, it is judged again before it runs.
        wanted_for: The command whose choices this is to list; None: the caller has asked for it.
    """

    __slots__ = (
        "answered",
        "caller",
        "ended_by",
        "fields",
        "grant",
        "id",
        "is_detached",
        "is_joined",
        "mistake",
        "policy",
        "reader",
        "run",
        "sink",
        "wanted_for",
        "words",
    )

    def __init__(
        self,
        request_id: str,
        caller: Caller,
        words: Sequence[str],
        grant: Grant,
        mistake: BadArgument | None = None,
        fields: Sequence[Field] = (),
        policy: Policy | None = None,
        wanted_for: str | None = None,
    ) -> None:
        self.id = request_id
        self.caller = caller
        self.words = words
        self.fields = fields
        self.grant = grant
        self.mistake = mistake
        self.policy = policy
        self.wanted_for = wanted_for
        #: Where output goes as it comes; None to have it in the answer.
        self.sink: Listener | None = None
        #: Its place in the output of its run.
        self.reader: Reader | None = None
        #: What answers it; None as soon as its end is decided, even if it is not yet told.
        self.run: Run | None = None
        #: What it means if its caller leaves.
        self.ended_by = EndedBy.DISCONNECT
        #: Whether its run goes on without its caller: it was asked for so, or they have left.
        self.is_detached = False
        #: Whether its run was under way when it came.
        self.is_joined = False
        self.answered: Deferred[Answer]

    @property
    def has_begun(self) -> bool:
        """Whether its process is started, or was; not as long as it waits for that, or for a list of choices."""
        return self.run is not None and self.run.is_running


class Run(Group[Hashable, Request], QueueEntry):
    """One process for the requests that share it: first it waits in the queue, then it runs.

    Args:
        key: What the requests have in common.
        first: The request that asks for it.
        number: See `RunRecord`.
        asked_at: Seconds since the epoch.
        recording: Of what its process says.
    """

    def __init__(self, key: Hashable, first: Request, number: int, asked_at: float, recording: Recording) -> None:
        command = first.grant.command
        Group.__init__(self, key)
        QueueEntry.__init__(self, command.name, command.max_running)
        self.number = number
        self.id = first.id
        self.grant = first.grant
        self.caller = first.caller
        self.asked_at = asked_at
        self.recording = recording
        self.process: ProcessRun | None = None
        #: Seconds since the epoch; None as long as it waits.
        self.started_at: float | None = None
        #: Whether its start was counted (``rate_limit``).
        self.is_counted = False
        #: Whether its output is in the result of its process.
        self.is_gathered = False
        #: What the history knows of it: that it waits, or runs; None: nothing.
        self.noted: RunState | None = None
        #: Who has asked for it, by the ids of their requests, whatever has become of these.
        self.askers: dict[str, str | None] = {}
        #: Of those, the requests that are for its choices: nobody has asked for the command itself.
        self.listings: set[str] = set()
        #: Called once, when it is over or will not be.
        self.watchers: list[Callable[[], None]] = []
        #: Those who left while the process was running.
        self.departed: list[Request] = []
        #: Those who stayed until it had ended.
        self.asked: list[Request] = []
        #: How it ended.
        self.state: RunState | None = None
        self.result: ProcessResult | None = None
        self.problem: str | None = None
        #: What it says of what its command looks at; None: nobody asks.
        self.assessment: Assessment | None = None

    @property
    def has_detached(self) -> bool:
        """Whether it goes, or has gone, on for somebody who does not wait."""
        for request in self.asked:  # noqa: SIM110 - a generator is three calls more
            if request.is_detached:
                return True
        return False

    def tell_watchers(self) -> None:
        """Tell those who watch it that it is over, or will not be."""
        watchers, self.watchers = self.watchers, []
        for watcher in watchers:
            watcher()

    def has_begun(self, error: BaseException | None) -> bool:
        """Say, of a run that ends with an error, whether its process had begun, as far as that is known."""
        if self.process is None:
            return False
        return not isinstance(error, OSError) or error.errno == errno.EPIPE  # else whoever ran it is gone

    def answer(
        self, request_id: str, *, shared: bool = False, joined: bool = False, has_output: bool = False
    ) -> Answer:
        """Make the answer to a question; to be asked when it is over.

        Args:
            request_id: The question's.
            shared: Whether it has answered others, too.
            joined: Whether it was under way when it was asked for.
            has_output: Whether the answer is to have the output, gathered or not.
        """
        if self.result is None or self.state is None:
            raise ValueError(self.state)
        result = self.recording.complete(self.result) if has_output else self.result
        return Answer(
            id=request_id,
            command=self.command,
            arguments=self.grant.arguments,
            finished=result,
            state=self.state,
            problem=self.problem,
            parser=self.grant.command.parser,
            parsed=self.assessment.parsed if self.assessment is not None else None,
            examines=self.grant.command.check,
            check=self.assessment.check if self.assessment is not None else None,
            shared=shared,
            joined=joined,
            omitted_bytes=self.recording.dropped_bytes,
        )

    @property
    def alive_state(self) -> RunState:
        """What it is doing, as long as it is not over."""
        return RunState.RUNNING if self.is_running else RunState.QUEUED

    def users(self) -> tuple[str | None, ...]:
        """Name who has asked for the command itself, each once; whoever asked again stands where they did first."""
        if self.listings:
            return tuple({user: None for each, user in self.askers.items() if each not in self.listings})
        return tuple(dict.fromkeys(self.askers.values()))

    def record(self) -> RunRecord:
        """Tell what is known at this moment."""
        return self.snapshot()()

    def snapshot(self) -> "partial[RunRecord]":
        """Take note of what is known at this moment: called, it tells that; it keeps no output."""
        result = self.result
        if result is None and self.process is not None:
            result = self.process.so_far()
        check = self.assessment.check if self.assessment is not None else None
        is_shared = len(self.askers) > 1 or self.id not in self.askers
        others = (
            [Asked(id=each, user=user) for each, user in self.askers.items() if each != self.id] if is_shared else ()
        )
        return partial(
            RunRecord,
            number=self.number,
            id=self.id,
            command=self.command,
            arguments=self.grant.arguments,
            state=self.state or self.alive_state,
            user=self.caller.name,
            protocol=self.caller.protocol,
            asked_at=self.asked_at,
            started_at=self.started_at,
            duration_seconds=result.duration_seconds if result is not None and self.started_at is not None else None,
            exit_status=result.exit_status if result is not None else None,
            signal=result.signal if result is not None else None,
            ended_by=result.ended_by if result is not None else None,
            stopped_by=result.stopped_by if result is not None else None,
            truncated=result is not None and result.truncated,
            stdout_bytes=result.stdout_bytes if result is not None else 0,
            stderr_bytes=result.stderr_bytes if result is not None else 0,
            problem=self.problem,
            check_state=check.state if check is not None else None,
            check_text=check.text if check is not None else None,
            others=tuple(others),
        )
