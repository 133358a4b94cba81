"""One process from start to end, whatever it does.

A `ProcessRun` is the protocol of the process: it counts and cuts output, keeps the time limit, ends the whole process
group, and does not wait for a grandchild that keeps a pipe. Every run passes through it; what is to be gathered has a
sink that gathers (`gather`).
"""

import errno
import signal
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.interfaces import IProcessProtocol, IReactorProcess, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.config.executables import trouble_with_start
from cmdserver.core.model import Grant
from cmdserver.core.output import ProcessResult, Sink, Stream
from cmdserver.core.run_states import EndedBy
from cmdserver.execution.pipes import Piped
from cmdserver.execution.timeouts import Timeouts
from cmdserver.parameters.parameter_list import words_of

#: Between asking a process group to end and making it: time for a shell script's trap.
KILL_AFTER_SECONDS = 2.0
#: How long a pipe may stay open once its command has exited: a grandchild may have a last word, not hold an answer up.
LINGER_SECONDS = 1.0
#: After SIGKILL. What is not gone by then hangs in the kernel, and its caller gets an answer without it.
GIVE_UP_SECONDS = 5.0

_STREAMS = {stream.value: stream for stream in Stream}

#: What execve(2) and chdir(2) say of a file or directory; what else keeps a process from starting is none's fault.
_OF_A_FILE = frozenset(
    {errno.EACCES, errno.EIO, errno.ELIBBAD, errno.ELOOP, errno.ENOENT, errno.ENOEXEC, errno.ENOTDIR, errno.EPERM}
)

_log = Logger()


@implementer(IProcessProtocol)
class ProcessRun:
    """One process from start to end, and the `Producer` of its output, which goes to the sink as it comes."""

    #: Fires once, when the process is gone and its output is complete. Fails with an OSError if it could not be
    #: started, with a `RunnerLost` if whoever ran it is gone, and with what the sink has raised.
    finished: Deferred[ProcessResult]

    _transport: Piped

    def __init__(
        self, grant: Grant, sink: Sink, spawner: IReactorProcess, clock: IReactorTime, timeouts: Timeouts
    ) -> None:
        self._grant = grant
        self._command = grant.command
        self._sink = sink
        self._spawner = spawner
        self._clock = clock
        self._timeouts = timeouts
        self._room = grant.command.output_limit_bytes
        self._counted = {1: 0, 2: 0}
        #: Whether we have ended a run that would have gone on, and whether for its time limit.
        self._is_ending = self._has_timed_out = False
        self._ended_by: EndedBy | None = None
        self._stopped_by: str | None = None
        self._exit: Failure | None = None
        self._is_wanted = True
        self._is_truncated = False
        self._is_paused = False
        self._is_over = False
        self._ended_at: float | None = None
        self._trouble: Failure | None = None
        #: What is done at the deadline, if there is one: a function, as a method would be a cycle.
        self._when_due: Callable[[ProcessRun], None] = ProcessRun._time_out
        self.finished = Deferred()

    def start(self) -> None:
        """Start the process, and the clock; see `Runner.run`."""
        self._started_at = self._clock.seconds()
        name, values = self._command.name, self._grant.values
        try:
            self._spawner.spawnProcess(self, name, (name, *words_of(values)) if values else (name,))
        except OSError as error:
            raise self._explained(error) from None
        try:
            self._sink.started(self._grant, self)
        except Exception:  # noqa: BLE001 - whatever it is, it is told to whom it concerns
            self._sink_failed(Failure())

    def end(self, by: EndedBy, whom: str | None = None) -> None:
        """End the whole process group; what it still says counts. Twice is the same as once.

        Args:
            by: Why; what ends by itself in this moment was ended by nobody.
            whom: The name of whoever stops it.
        """
        self._end(by, whom)

    def _sink_failed(self, failure: Failure) -> None:
        """The sink has raised something: what it has not heard, nobody will; and the caller may not think it has."""
        self._trouble = self._trouble or failure
        self._is_wanted = False
        self._end(EndedBy.LIMIT)

    def so_far(self) -> ProcessResult:
        """Tell what the process has done up to now; how it ends is not known yet."""
        return self._result()

    def _result(
        self, exit_status: int | None = None, number: int | None = None, *, has_timed_out: bool = False
    ) -> ProcessResult:
        """Tell what the process has done up to its end, or to now, and how it has ended if it has."""
        seconds = (self._ended_at or self._clock.seconds()) - self._started_at
        return ProcessResult(
            exit_status=exit_status,
            signal=None if number is None else _signal_name(number),
            timed_out=has_timed_out,
            truncated=self._is_truncated,
            ended_by=self._ended_by,
            stopped_by=self._stopped_by,
            duration_seconds=seconds if seconds > 0 else 0.0,
            stdout_bytes=self._counted[1],
            stderr_bytes=self._counted[2],
        )

    # Producer

    def pauseProducing(self) -> None:
        """Stop reading the pipes: the process blocks as soon as they are full."""
        if not self._is_paused and not self._is_over:
            self._is_paused = True
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        if self._is_paused and not self._is_over:
            self._is_paused = False
            self._transport.resumeProducing()
            if self._exit is not None and not self._is_ending:
                # A moment for what is in the pipe; pauses do not add up to more than the time limit.
                self._wait(max(0.0, min(LINGER_SECONDS, self._seconds_left())), ProcessRun._linger)

    def makeConnection(self, process: Any) -> None:
        self._transport = process
        self._timeouts.set(self, self._started_at + self._command.timeout_seconds)

    # Timed

    def time_is_up(self) -> None:
        self._when_due(self)

    # IProcessProtocol, as called by Twisted's process

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if self._is_truncated or self._is_over or not self._is_wanted:
            return
        size, is_cut = len(data), False
        if size > self._room:
            data, size, is_cut = data[: self._room], self._room, True
        self._room -= size
        self._counted[childFD] += size
        if size:
            try:
                self._sink.write(_STREAMS[childFD], data)
            except Exception:  # noqa: BLE001 - it would end the reading of the pipe, and look like the end of the output
                self._sink_failed(Failure())
        if is_cut:
            self._is_truncated = True
            self._end(EndedBy.LIMIT)

    def childConnectionLost(self, childFD: int) -> None:
        """A pipe was closed, by the process or by us."""

    def processExited(self, reason: Failure) -> None:
        """The command itself is gone; others in its group, and output in its pipes, may not be."""
        self._exit = reason
        if self._is_ending:
            self._transport.signal_group(signal.SIGKILL)
            return
        self._transport.look_at_group()  # now, while the number is surely still the group's
        if self._transport.pipes:
            self._wait(LINGER_SECONDS, ProcessRun._linger)

    def processEnded(self, reason: Failure) -> None:
        """The command is gone and its pipes are closed; or it could not be started at all, or the runner is lost."""
        if self._is_over:
            return  # reaped at last, after we had given it up
        self._is_over = True
        if isinstance(reason.value, OSError):
            self._trouble = self._trouble or Failure(self._explained(reason.value))
        self._exit = reason
        self._ended_at = self._clock.seconds()
        self._timeouts.clear(self)
        # Whoever is left in the group has closed its output and would outlive its command unseen.
        self._transport.signal_group(signal.SIGKILL)
        self._finish()

    def _explained(self, error: OSError) -> OSError:
        """Name the file that could not be started, and why if that can be seen: the kernel says neither."""
        if error.errno not in _OF_A_FILE or error.filename is not None:
            return error
        program, directory = self._command.executable, self._command.working_directory
        why = trouble_with_start(program, directory)
        return OSError(error.errno, f"{error.strerror} ({why})" if why else error.strerror, program)

    # The end

    def _time_out(self) -> None:
        if not (self._is_ending or self._is_over):
            self._has_timed_out = True
            self._end(EndedBy.LIMIT)

    def _end(self, by: EndedBy, whom: str | None = None) -> None:
        if self._is_ending or self._is_over:
            return
        self._is_ending = True
        if self._exit is None or by is EndedBy.LIMIT:
            self._ended_by, self._stopped_by = by, whom
        if self._exit is None:
            self._transport.signal_group(signal.SIGTERM)
            self._wait(KILL_AFTER_SECONDS, ProcessRun._kill)
        else:
            self._kill()

    def _kill(self) -> None:
        self._transport.signal_group(signal.SIGKILL)
        # A paused pipe, or one held by a process that left the group, would keep the end from being seen.
        self._transport.loseConnection()
        self._wait(GIVE_UP_SECONDS, ProcessRun._give_up)

    def _linger(self) -> None:
        self._transport.look_at_group()
        if not self._is_paused:
            self._kill()
        elif self._seconds_left() > 0:
            # What is in the pipe is still wanted, by a reader who is slow.
            self._wait(LINGER_SECONDS, ProcessRun._linger)
        else:
            self._time_out()

    def _seconds_left(self) -> float:
        return self._started_at + self._command.timeout_seconds - self._clock.seconds()

    def _give_up(self) -> None:
        if self._transport.pid is None and self._exit is None:
            _log.error(
                "{command} was not started in time: the runner process does not answer", command=self._command.name
            )
        else:
            _log.error(
                "{command} (process {pid}) cannot be killed; its caller was answered without waiting for it",
                command=self._command.name,
                pid=self._transport.pid,
            )
        self.processEnded(self._exit or Failure(ProcessTerminated(signal=signal.SIGKILL)))

    def _wait(self, seconds: float, then: "Callable[[ProcessRun], None]") -> None:
        """Do something in so many seconds, and nothing else before that."""
        self._when_due = then
        self._timeouts.set(self, self._clock.seconds() + seconds)

    def _finish(self) -> None:
        if self._trouble is not None:
            self.finished.errback(self._trouble)
            return
        reason: Any = self._exit.value if self._exit is not None else None
        number: int | None = getattr(reason, "signal", None) or None
        status = None if number else getattr(reason, "exitCode", None)
        self.finished.callback(self._result(status, number, has_timed_out=self._has_timed_out))


@lru_cache(maxsize=128)
def _signal_name(number: int) -> str:
    """Say ``SIGTERM`` for 15; a number without a name of its own (real-time signals) stays one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
