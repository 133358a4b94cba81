"""A request on its way to an answer, and the job that answers it."""

import errno
from collections.abc import Hashable, Sequence

from twisted.internet.defer import Deferred

from cmdserver.core.errors import BadArgument
from cmdserver.core.model import Answer, Caller, Command, Grant, Sink
from cmdserver.dispatch.broadcast import Broadcast, Subscriber
from cmdserver.dispatch.coalescing import Group
from cmdserver.dispatch.policy import Policy
from cmdserver.execution.process_run import ProcessRun
from cmdserver.limits.fair_queue import QueueEntry
from cmdserver.parameters.parameter_list import Field


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
        "fields",
        "grant",
        "id",
        "job",
        "mistake",
        "policy",
        "sink",
        "subscriber",
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
        self.sink: Sink | None = None
        #: Its place in the output of a shared run.
        self.subscriber: Subscriber | None = None
        #: What answers it; None as soon as its end is decided, even if it is not yet told.
        self.job: Job | None = None
        self.answered: Deferred[Answer]


class Job(Group[Hashable, Request], QueueEntry):
    """One process for the requests that share it: first an entry in the queue, then a run.

    Args:
        key: What the requests have in common.
        command: What is run.
    """

    def __init__(self, key: Hashable, command: Command) -> None:
        Group.__init__(self, key)
        QueueEntry.__init__(self, command.name, command.max_running)
        self.run: ProcessRun | None = None
        #: Whether its start was counted (``rate_limit``).
        self.is_counted = False
        #: Of a shared run that somebody listens to.
        self.broadcast: Broadcast | None = None
        #: Those who left while the process was running.
        self.departed: list[Request] = []
        #: Those who stayed until it had ended.
        self.asked: list[Request] = []

    def has_begun(self, error: BaseException | None) -> bool:
        """Say, of a job that ends with an error, whether its process had begun, as far as that is known."""
        if self.run is None:
            return False
        return not isinstance(error, OSError) or error.errno == errno.EPIPE  # else whoever ran it is gone
