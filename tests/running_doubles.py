"""Fakes of what starts processes, of who listens to them and of who writes them down; and values to run them with.

Each fake passes the contract of the real thing (`tests.contracts`).
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, cast

from msgspec.structs import replace
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from cmdserver.core.errors import AuditError, Code
from cmdserver.core.events import Event, EventLog, Requested, Started
from cmdserver.core.model import Caller, Command, Grant, Role
from cmdserver.core.output import Answer, Listener, ProcessResult, Producer, Stream
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.output_parsers import OutputParsers, ParserProcess
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.request_log import RequestLog
from cmdserver.dispatch.requests import Run
from cmdserver.dispatch.scheduling.run_directory import RunDirectory
from cmdserver.dispatch.scheduling.scheduler import Scheduler
from cmdserver.execution.local_backend import LocalBackend, Start
from cmdserver.execution.posix import ProcessGroup
from cmdserver.execution.posix_spawn import signal_or_log
from cmdserver.execution.runner import Runner
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.fair_queue import FairQueue
from cmdserver.limits.rate_limit import Throttle
from cmdserver.runs.history import History, NoHistory
from tests.doubles import ParserHere

_STDOUT, _STDERR = 1, 2

_COMMAND = Command(
    name="uptime",
    argv=("/usr/bin/uptime",),
    run=("uptime",),
    executable="/usr/bin/uptime",
    help="How long this host has been up",
    read_only=True,
    timeout_seconds=30.0,
    output_limit_bytes=1024 * 1024,
    working_directory="/",
    environment=(),
    user="nobody",
    group="nogroup",
    share=False,
    max_running=None,
    raw=False,
    parser=None,
)

_FINISHED = ProcessResult(
    exit_status=0,
    signal=None,
    timed_out=False,
    truncated=False,
    duration_seconds=0.25,
    stdout_bytes=0,
    stderr_bytes=0,
)

STRANGER = Caller(name=None, protocol="line", source="192.0.2.1", method="none")


def user(name: str) -> Caller:
    """Make a caller who has logged in."""
    return Caller(name=name, protocol="line", source="192.0.2.2", method="password")


def command(name: str = "uptime", **differences: Any) -> Command:
    """Make a command that differs from an unshared ``uptime`` as said."""
    return replace(_COMMAND, name=name, **differences)


def grant(**differences: Any) -> Grant:
    """Make leave to run a command that differs from an unshared ``uptime`` as said."""
    return Grant(command=command(**differences), arguments=())


def finished(**differences: Any) -> ProcessResult:
    """Make an end that differs from a quick and silent success as said."""
    return replace(_FINISHED, **differences)


def requested(**differences: Any) -> Requested:
    """Make an event that differs from a stranger's successful ``uptime`` as said."""
    event = Requested(
        time=1_700_000_000.0,
        id="0123456789abcdef",
        caller=STRANGER,
        command="uptime",
        arguments=(),
        outcome=Code.OK,
        finished=_FINISHED,
    )
    return replace(event, **differences)


class TurnClock(Clock):
    """A `Clock` that can pass a single turn of the reactor: what is scheduled during a turn comes in the next one."""

    def turn(self) -> bool:
        """Let what is due now happen; return whether something was."""
        due = [call for call in self.calls if call.getTime() <= self.seconds()]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        return bool(due)


class FakeProcess:
    """A process that does what its test says; to the protocol it is the transport.

    As with Twisted's own: what the process does while it is paused is seen later, and pipes that we close are closed in
    a later turn of the reactor.
    """

    def __init__(self, host: "FakeSpawner", protocol: IProcessProtocol, argv: Sequence[str], pid: int) -> None:
        self._host = host
        self._protocol = protocol
        self.argv = argv
        self.environment: dict[str, str] = {}
        self.group = pid
        self._group = ProcessGroup(pid)
        self.pid: int | None = pid
        self.pipes: dict[int, object] = {_STDOUT: "stdout", _STDERR: "stderr"}
        #: What it does not die of.
        self.ignores: set[signal.Signals] = set()
        #: Whether somebody of its group lives on when it has exited.
        self.has_grandchild = False
        #: Whether somebody outside its group holds its pipes open.
        self.has_escaped_grandchild = False
        self.is_paused = False
        #: How long the reactor has other things to do before it looks at a pipe again.
        self.seconds_to_read = 0.0
        self._is_ours_closed = False
        self._unread: list[tuple[int, bytes | None]] = []
        self._reason: Failure | None = None

    # What the protocol does with it

    def pauseProducing(self) -> None:
        self.is_paused = True

    def resumeProducing(self) -> None:
        self.is_paused = False
        self._host.clock.callLater(self.seconds_to_read, self._read)

    def loseConnection(self) -> None:
        self._is_ours_closed = True
        self._host.clock.callLater(0, self._close_ours)

    def signal_group(self, number: int) -> None:
        signal_or_log(self._group, number)

    def look_at_group(self) -> None:
        self._group.look()

    # What its test does with it

    def says(self, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """Write to the pipes."""
        for descriptor, data in ((_STDOUT, stdout), (_STDERR, stderr)):
            if data:
                self._unread.append((descriptor, data))
        self._read()

    def exits(self, status: int = 0) -> None:
        """Be gone, while the pipes stay open."""
        self._gone(Failure(ProcessTerminated(status, None, status << 8) if status else ProcessDone(0)))

    def closes_output(self) -> None:
        """Let nobody hold the pipes any more."""
        self._unread += [(_STDOUT, None), (_STDERR, None)]
        self._read()

    def ends(self, status: int = 0) -> None:
        """Be gone altogether."""
        self.closes_output()
        self.exits(status)

    def is_lost(self, why: OSError) -> None:
        """Turn out not to have been started, or not to be known to anybody any more."""
        self.pipes.clear()
        self._reason = Failure(why)
        self.pid = None
        self._protocol.processEnded(self._reason)

    # What the host does with it

    @property
    def is_alive(self) -> bool:
        """Whether it has not been reaped."""
        return self._reason is None

    def receives(self, number: signal.Signals) -> None:
        """Be sent a signal."""
        if number in self.ignores:
            return
        self.has_grandchild = False
        if not self.has_escaped_grandchild:
            self.closes_output()
        if self.is_alive:
            self._gone(Failure(ProcessTerminated(None, int(number), int(number))))

    def _gone(self, reason: Failure) -> None:
        self._reason = reason
        self.pid = None
        self._protocol.processExited(reason)
        self._end_if_over()

    def _read(self) -> None:
        while self._unread and not self.is_paused and not self._is_ours_closed:
            descriptor, data = self._unread.pop(0)
            if data is not None:
                self._protocol.childDataReceived(descriptor, data)
            else:
                self._close(descriptor)

    def _close_ours(self) -> None:
        for descriptor in list(self.pipes):
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        if self.pipes.pop(descriptor, None) is not None:
            self._protocol.childConnectionLost(descriptor)
            self._end_if_over()

    def _end_if_over(self) -> None:
        if self._reason is not None and not self.pipes:
            self._protocol.processEnded(self._reason)


@implementer(IReactorProcess)
class FakeSpawner:
    """A host whose processes do what the test says.

    Args:
        clock: When what takes a turn of the reactor happens.
    """

    def __init__(self, clock: TurnClock) -> None:
        self.clock = clock
        self.processes: list[FakeProcess] = []
        #: Raised instead of starting anything.
        self.trouble: OSError | None = None
        #: Every attempt to signal a group, in order.
        self.signals: list[tuple[int, str]] = []
        # Beyond what a kernel gives (2^22): a signal that gets past the fake hits nobody.
        self._pids = count(1_000_000_000)

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        env: Mapping[Any, Any] | None = None,
        path: bytes | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | tuple[Any, ...] = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> IProcessTransport:
        if self.trouble is not None:
            raise self.trouble
        process = FakeProcess(self, processProtocol, [os.fsdecode(word) for word in args], next(self._pids))
        process.environment = dict(env or {})
        self.processes.append(process)
        transport = cast("IProcessTransport", process)
        processProtocol.makeConnection(transport)
        return transport

    @property
    def last(self) -> FakeProcess:
        """The process that was started last."""
        return self.processes[-1]

    def killpg(self, group: int, number: int) -> None:
        """Stand in for os.killpg; what a signal does is seen in a later turn of the reactor."""
        self.signals.append((group, signal.Signals(number).name if number else "0"))
        members = [each for each in self.processes if each.group == group and (each.is_alive or each.has_grandchild)]
        if not members:
            raise ProcessLookupError
        if number:
            for process in members:
                self.clock.callLater(0, process.receives, signal.Signals(number))


def fake_host(test: SynchronousTestCase) -> FakeSpawner:
    """Make a host of fake processes with a clock of its own; signals reach those, and nobody else, during the test."""
    spawner = FakeSpawner(TurnClock())
    test.patch(os, "killpg", spawner.killpg)
    return spawner


def by_name(start: Start, *commands: Command) -> LocalBackend:
    """Make what starts commands by their names, and these are all that there are."""
    table = {each.name: each for each in commands}
    return LocalBackend(start, lambda: table)


class RecordingSink:
    """A `Sink` that keeps everything, and does what its test wants when it is told something.

    Args:
        happened: Where it says so, for the order of things.
    """

    def __init__(self, happened: list[str] | None = None) -> None:
        self.happened = happened if happened is not None else []
        self.chunks: list[tuple[str, bytes]] = []
        self.notices: list[str] = []
        self.producer: Producer | None = None
        self.grant: Grant | None = None
        self.when_started: Callable[[], object] = lambda: None
        self.when_out: Callable[[], object] = lambda: None

    @property
    def stdout(self) -> bytes:
        return b"".join(chunk for name, chunk in self.chunks if name == "out")

    @property
    def stderr(self) -> bytes:
        return b"".join(chunk for name, chunk in self.chunks if name == "err")

    def started(self, grant: Grant, producer: Producer) -> None:
        self.happened.append("started")
        self.grant, self.producer = grant, producer
        self.when_started()

    def write(self, stream: Stream, chunk: bytes) -> None:
        name = "out" if stream is Stream.STDOUT else "err"
        self.happened.append(name)
        self.chunks.append((name, chunk))
        if stream is Stream.STDOUT:
            self.when_out()

    def missed(self, count: int) -> None:
        self.happened.append(f"missed {count}")

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def pause(self) -> None:
        """Be a slow reader."""
        assert self.producer is not None
        self.producer.pauseProducing()

    def resume(self) -> None:
        """Be ready for more."""
        assert self.producer is not None
        self.producer.resumeProducing()


def run_words(
    dispatcher: Dispatcher, caller: Caller, words: Sequence[str], sink: Listener | None = None
) -> Deferred[Answer]:
    """Authorize and run, as a front end does; what is raised becomes the Deferred's."""
    return maybeDeferred(lambda: dispatcher.run(dispatcher.authorize(caller, words), sink))


class MemoryLedger:
    """A `AuditLog` that keeps what it is told, or refuses, as its test says."""

    def __init__(self, happened: list[str] | None = None) -> None:
        self.events: list[Event] = []
        self.happened = happened if happened is not None else []
        self.is_full = False
        #: Refuses to append, though it says before that it could.
        self.is_about_to_be_full = False
        #: Raised in place of writing.
        self.mistake: Exception | None = None

    @property
    def starts(self) -> list[Started]:
        """Those of the events that tell of what was about to be run."""
        return [event for event in self.events if isinstance(event, Started)]

    @property
    def requests(self) -> list[Requested]:
        """Those of the events that tell of requests."""
        return [event for event in self.events if isinstance(event, Requested)]

    def require_writable(self) -> None:
        self.happened.append("ledger asked")
        if self.is_full:
            text = "no room"
            raise AuditError(text)

    def append(self, events: Sequence[Event]) -> None:
        if self.mistake is not None:
            raise self.mistake
        if self.is_full or self.is_about_to_be_full:
            text = "no room"
            raise AuditError(text)
        self.happened.append("ledger written")
        self.events += events


EVERYTHING = (
    Role(name="anonymous", patterns=("uptime", "df"), users=frozenset()),
    Role(name="admin", patterns=("*",), users=frozenset({"ada"})),
    Role(name="guest", patterns=("uptime",), users=frozenset({"guy"})),
)


class Composition:
    """A dispatcher and all that is behind it, on a host of fake processes.

    Args:
        test: For its duration.
        commands: The allow-list.
        running: Processes at once.
        queued: Those that may wait.
        per_minute: Each caller's own allowance; 0 is no limit.
        history: Keeps runs; None: nobody does.
        parser: Makes data; None: at once and here.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        *commands: Command,
        running: int = 4,
        queued: int = 10,
        per_minute: int = 0,
        history: History | None = None,
        parser: ParserProcess | None = None,
    ) -> None:
        self.happened: list[str] = []
        self.spawner = fake_host(test)
        self.clock = self.spawner.clock

        def start(*arguments: Any) -> IProcessTransport:
            return self.spawner.spawnProcess(*arguments)  # looked up now: a test may have put another in its place

        self.runner = Runner(by_name(start, *(commands or (command(),))), self.clock)
        self.ledger = MemoryLedger(self.happened)
        self.connection_limit = ConnectionLimit(100, 100)
        self.throttle = Throttle(per_minute)
        fair_queue: FairQueue[Run] = FairQueue(running, queued)

        self.events = EventLog(self.ledger)
        log = RequestLog(self.events, self.time_of_day)
        self.history: History = history if history is not None else NoHistory()
        self.directory = RunDirectory(self.clock, self.time_of_day, self.history, lambda: 1 << 18)
        assessor = Assessor(OutputParsers(parser or ParserHere(), self.clock))
        self.scheduler = Scheduler(fair_queue, self.runner, self.clock, log, self.directory, assessor)
        self.dispatcher = Dispatcher(
            policy=Policy(commands or (command(),), EVERYTHING),
            throttle=self.throttle,
            scheduler=self.scheduler,
            log=log,
            connection_limit=self.connection_limit,
            clock=self.clock,
            assessor=assessor,
        )

    def time_of_day(self) -> float:
        """Say how late it is: the clock began on a day in November."""
        return 1_700_000_000.0 + self.clock.seconds()

    def turn(self) -> None:
        """Let everything happen that waits for the next turn of the reactor."""
        self.clock.advance(0)

    def ask(self, caller: Caller = STRANGER, name: str = "uptime", sink: RecordingSink | None = None) -> "Asked":
        """Ask for a command."""
        return Asked(run_words(self.dispatcher, caller, [name], sink), self.happened)

    @property
    def outcomes(self) -> list[Code]:
        """How the requests ended, as written down."""
        return [event.outcome for event in self.ledger.requests]

    @property
    def running(self) -> int:
        """Fake processes that are alive."""
        return Counter(process.is_alive for process in self.spawner.processes)[True]


class Asked:
    """One question's results as they come."""

    def __init__(self, deferred: Deferred[Answer], happened: list[str]) -> None:
        self.deferred = deferred
        self.answers: list[Answer] = []
        self.failures: list[Failure] = []
        self._happened = happened
        deferred.addCallbacks(self._answered, self._failed)

    def _answered(self, answer: Answer) -> None:
        self._happened.append("answered")
        self.answers.append(answer)

    def _failed(self, failure: Failure) -> None:
        self._happened.append("failed")
        self.failures.append(failure)

    def leave(self) -> None:
        """Want no answer any more."""
        self.deferred.cancel()

    @property
    def is_open(self) -> bool:
        """Whether there is neither an answer nor an error yet."""
        return not self.answers and not self.failures

    @property
    def answer(self) -> Answer:
        """The one answer."""
        assert not self.failures, self.failures
        (answer,) = self.answers
        return answer

    @property
    def error(self) -> BaseException:
        """What came instead of an answer."""
        assert not self.answers, self.answers
        (failure,) = self.failures
        assert failure.value is not None
        return failure.value
