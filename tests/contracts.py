"""What must hold for more than one class: mixins to be run on the real thing, on its fake, on every way to do it.

Import the module, not its classes: a test case that is a name of a test module is run as one of its own.
"""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace
from twisted.internet import reactor as global_reactor
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cmdserver.app.host_process import isolate_descriptors
from cmdserver.core.errors import AuditError
from cmdserver.core.events import AuditLog, Event
from cmdserver.core.model import Command, Grant
from cmdserver.core.output import ProcessResult
from cmdserver.core.run_states import EndedBy
from cmdserver.execution import process_run as execution_module
from cmdserver.execution.posix_spawn import Spawner
from cmdserver.execution.process_run import ProcessRun
from cmdserver.execution.runner import Runner
from tests.running_doubles import RecordingSink, by_name, grant, requested
from tests.waiting import LIMIT_SECONDS

reactor: Any = global_reactor


def state_of(pid: int) -> str:
    """Say what a process is doing, as proc(5) has it; ``gone`` if it is not there, or only its status is."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    return "gone" if state == "Z" else state


def is_known(pid: int) -> bool:
    """Say whether there is a process or a zombie of that number."""
    return Path(f"/proc/{pid}").exists()


def open_descriptors() -> set[int]:
    """List what this process has open, but for the listing itself."""
    listed = [entry.name for entry in Path("/proc/self/fd").iterdir()]
    return {int(each) for each in listed if Path(f"/proc/self/fd/{each}").is_symlink()}


async def until(condition: Callable[[], bool]) -> None:
    """Let the reactor run until something is the case, or fail."""
    deadline = reactor.seconds() + LIMIT_SECONDS
    while not condition():
        assert reactor.seconds() < deadline, "it never came to be"
        await deferLater(reactor, 0.005)


def real_spawner(test: SynchronousTestCase, **arguments: Any) -> Spawner:
    """Make a Spawner on the real reactor that is let go of after the test."""
    spawner = Spawner(reactor, **arguments)
    test.addCleanup(os.close, spawner._null)
    return spawner


def _kill_if_there(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class RecordingProtocol(ProcessProtocol):
    """An IProcessProtocol that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.data: dict[int, bytes] = {1: b"", 2: b""}
        self.reasons: list[Failure] = []

    def makeConnection(self, process: Any) -> None:
        self.events.append("made")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.events.append("data")
        self.data[childFD] += data

    def childConnectionLost(self, childFD: int) -> None:
        self.events.append(f"lost {childFD}")

    def processExited(self, reason: Failure) -> None:
        self.events.append("exited")
        self.reasons.append(reason)

    def processEnded(self, reason: Failure) -> None:
        self.events.append("ended")
        self.reasons.append(reason)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return "ended" in self.events


@dataclass(frozen=True, kw_only=True)
class Script:
    """What a process is to do: say something, then exit."""

    stdout: bytes = b""
    stderr: bytes = b""
    status: int = 0
    #: Whether it is to wait for a signal instead of exiting.
    is_endless: bool = False


class SpawnerContract(TestCase):
    """What the runner relies on in whatever starts processes for it."""

    timeout = 2 * LIMIT_SECONDS

    def spawn(self, protocol: RecordingProtocol, script: Script) -> Any:
        """Start a process that does what the script says, as soon as `settle` lets it; return the transport."""
        raise NotImplementedError

    def spawn_missing(self, protocol: RecordingProtocol) -> IProcessTransport:
        """Start a program that there is not."""
        raise NotImplementedError

    async def settle(self, condition: Callable[[], bool]) -> None:
        """Let things happen until something is the case."""
        raise NotImplementedError

    async def linger(self) -> None:
        """Let things happen for a while, for the case that they should not."""
        raise NotImplementedError

    async def test_the_connection_is_made_before_spawning_returns(self) -> None:
        """A protocol that has got its transport back knows it already; the pid and both pipes are there, or will be."""
        protocol = RecordingProtocol()

        transport = self.spawn(protocol, Script(is_endless=True))

        self.assertEqual(protocol.events, ["made"])
        await self.settle(lambda: transport.pid is not None)
        self.assertGreater(transport.pid, 0)
        self.assertEqual(set(transport.pipes), {1, 2})
        os.killpg(transport.pid, signal.SIGKILL)
        await self.settle(lambda: protocol.is_over)

    async def test_output_comes_before_the_end(self) -> None:
        """The end is told once, last, with the exit status, after the exit, all output and the loss of both pipes."""
        protocol = RecordingProtocol()

        self.spawn(protocol, Script(stdout=b"out", stderr=b"err", status=3))
        await self.settle(lambda: protocol.is_over)

        self.assertEqual(protocol.data, {1: b"out", 2: b"err"})
        self.assertEqual(sorted(protocol.events), ["data", "data", "ended", "exited", "lost 1", "lost 2", "made"])
        self.assertEqual(protocol.events[-1], "ended")
        self.assertEqual([cast("Any", each.value).exitCode for each in protocol.reasons], [3, 3])

    async def test_a_reaped_process_has_no_pid(self) -> None:
        """The number of a process that is gone may be another's, so the transport forgets it."""
        protocol = RecordingProtocol()
        transport = self.spawn(protocol, Script())

        await self.settle(lambda: protocol.is_over)

        self.assertIsNone(transport.pid)

    async def test_nothing_comes_while_it_is_paused(self) -> None:
        """Output of a paused process waits, though the process has exited, and all of it comes after resuming."""
        protocol = RecordingProtocol()
        transport = self.spawn(protocol, Script(stdout=b"x" * 50_000))

        transport.pauseProducing()
        await self.settle(lambda: "exited" in protocol.events)
        await self.linger()

        self.assertEqual(protocol.events, ["made", "exited"])
        transport.resumeProducing()
        self.assertEqual(protocol.events, ["made", "exited"])
        await self.settle(lambda: protocol.is_over)
        self.assertEqual(protocol.data[1], b"x" * 50_000)

    async def test_pipes_are_closed_in_a_later_turn(self) -> None:
        """Whoever closes the pipes is not told of it before the call returns, and gets no output any more."""
        protocol = RecordingProtocol()
        transport = self.spawn(protocol, Script(stdout=b"x"))

        transport.loseConnection()

        # The exit may have been seen already.
        self.assertEqual([each for each in protocol.events if each != "exited"], ["made"])
        await self.settle(lambda: protocol.is_over)
        self.assertEqual(protocol.data[1], b"")

    async def test_closed_pipes_stay_closed(self) -> None:
        """To pause, resume or close again what is about to be closed changes nothing."""
        protocol = RecordingProtocol()
        transport = self.spawn(protocol, Script(stdout=b"x"))

        transport.pauseProducing()
        transport.loseConnection()
        transport.resumeProducing()
        transport.loseConnection()
        await self.settle(lambda: protocol.is_over)
        await self.linger()

        self.assertEqual(protocol.data[1], b"")
        self.assertEqual(sorted(protocol.events), ["ended", "exited", "lost 1", "lost 2", "made"])

    async def test_a_signal_to_the_group_ends_it(self) -> None:
        """What os.killpg with the first pid sends is what the process dies of."""
        protocol = RecordingProtocol()
        transport = self.spawn(protocol, Script(is_endless=True))

        await self.settle(lambda: transport.pid is not None)
        os.killpg(transport.pid, signal.SIGTERM)
        await self.settle(lambda: protocol.is_over)

        self.assertEqual([cast("Any", each.value).signal for each in protocol.reasons], [signal.SIGTERM] * 2)
        self.assertEqual([cast("Any", each.value).exitCode for each in protocol.reasons], [None] * 2)

    async def test_a_missing_program_is_an_error(self) -> None:
        """What cannot be started is an OSError: raised, and the protocol is told nothing; or the reason of its end."""
        protocol = RecordingProtocol()

        try:
            self.spawn_missing(protocol)
        except FileNotFoundError:
            self.assertEqual(protocol.events, [])
        else:
            await self.settle(lambda: protocol.is_over)
            self.assertEqual(protocol.events, ["made", "ended"])
            self.assertIsInstance(protocol.reasons[0].value, FileNotFoundError)


class LedgerContract(SynchronousTestCase):
    """What the dispatcher relies on in whatever writes events down."""

    def make_ledger(self) -> AuditLog:
        """Make one that works."""
        raise NotImplementedError

    def make_full_ledger(self) -> AuditLog:
        """Make one that cannot be written."""
        raise NotImplementedError

    def written(self, ledger: AuditLog) -> list[str]:
        """Read the ids of the events that it holds."""
        raise NotImplementedError

    def test_a_good_ledger_says_so(self) -> None:
        """One that can be written raises nothing when asked, and holds nothing because of that."""
        ledger = self.make_ledger()

        ledger.require_writable()

        self.assertEqual(self.written(ledger), [])

    def test_events_are_kept_in_order(self) -> None:
        """Events of one call and of the next follow each other as they were told."""
        ledger = self.make_ledger()

        ledger.append([requested(id="a"), requested(id="b")])
        ledger.append([requested(id="c")])

        self.assertEqual(self.written(ledger), ["a", "b", "c"])

    def test_a_full_ledger_says_so_before(self) -> None:
        """One that cannot be written raises AuditError when it is asked."""
        self.assertRaises(AuditError, self.make_full_ledger().require_writable)

    def test_a_full_ledger_takes_nothing(self) -> None:
        """One that cannot be written raises AuditError instead of losing an event."""
        events: list[Event] = [requested()]

        self.assertRaises(AuditError, self.make_full_ledger().append, events)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A run on its way, by either of the two ways out."""

    execution: ProcessRun
    sink: RecordingSink
    gathers: bool

    async def outcome(self) -> ProcessResult:
        """Wait for the end, and put what was streamed where it would have been gathered."""
        finished = await self.execution.finished
        if self.gathers:
            assert (finished.stdout, finished.stderr) == (self.sink.stdout, self.sink.stderr), "told otherwise"
            return finished
        assert (finished.stdout, finished.stderr) == (b"", b""), "streamed, and kept too"
        return replace(finished, stdout=self.sink.stdout, stderr=self.sink.stderr)


class RunnerContract(TestCase):
    """What holds for every run, gathered or streamed, with real processes.

    Times are a `Clock`'s unless they are what is tested, so that no process has to hurry: a test waits until its
    process has come so far, and only then lets the time pass.
    """

    timeout = 2 * LIMIT_SECONDS

    #: Whether the result has the output, too.
    gathers: bool

    def setUp(self) -> None:
        self.clock = Clock()
        self.spawner = real_spawner(self)
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def starts(self, command: Command) -> IReactorProcess:
        """Choose what starts a command, by its name."""
        return by_name(self.spawner.start, command)

    def begin(self, granted: Grant, clock: Any = None) -> Begun:
        """Run."""
        self.runner = Runner(self.starts(granted.command), clock or self.clock)
        self.addCleanup(self.runner.close)
        sink = RecordingSink()
        execution = self.runner.run(granted, sink, gathers=self.gathers)
        return Begun(execution=execution, sink=sink, gathers=self.gathers)

    def shell(self, script: str, **differences: Any) -> Grant:
        """Make leave to run a script in the test's directory."""
        return grant(
            argv=("/bin/sh", "-c", f"cd {self.directory}; {script}"),
            **{
                "environment": (("PATH", "/usr/bin:/bin"),),
                **differences,
            },
        )

    async def number(self, name: str) -> int:
        """Wait until the script has written a number to a file, and read it."""
        path = self.directory / name
        await until(lambda: path.exists() and path.read_text(encoding="ascii").endswith("\n"))
        return int(path.read_text(encoding="ascii"))

    async def test_exit_status_and_both_outputs_are_told(self) -> None:
        """What the command said, on which of its outputs, and how it exited are in the end."""
        begun = self.begin(self.shell("printf out; printf err >&2; exit 3"))

        finished = await begun.outcome()

        self.assertEqual((finished.stdout, finished.stderr), (b"out", b"err"))
        self.assertEqual((finished.stdout_bytes, finished.stderr_bytes), (3, 3))
        self.assertEqual((finished.exit_status, finished.signal), (3, None))
        self.assertEqual((finished.timed_out, finished.truncated), (False, False))

    async def test_success_is_status_zero(self) -> None:
        """A command that succeeds and says nothing has status 0 and no output."""
        finished = await self.begin(self.shell("exit 0")).outcome()

        self.assertEqual((finished.exit_status, finished.signal, finished.stdout, finished.stderr), (0, None, b"", b""))

    async def test_a_signal_is_told_by_its_name(self) -> None:
        """A command that died of a signal has no exit status, and what it said before is kept."""
        begun = self.begin(self.shell("printf out; kill -KILL $$"))

        finished = await begun.outcome()

        self.assertEqual((finished.exit_status, finished.signal, finished.stdout), (None, "SIGKILL", b"out"))
        self.assertEqual((finished.timed_out, finished.truncated), (False, False))

    async def test_a_signal_without_a_name_is_a_number(self) -> None:
        """A real-time signal, which has no name of its own, is told as its number."""
        finished = await self.begin(self.shell("kill -40 $$")).outcome()

        self.assertEqual((finished.exit_status, finished.signal), (None, "SIG40"))

    async def test_output_at_the_limit_is_whole(self) -> None:
        """As many bytes as are allowed are not too many."""
        finished = await self.begin(self.shell("printf 0123456789", output_limit_bytes=10)).outcome()

        self.assertEqual((finished.stdout, finished.truncated, finished.exit_status), (b"0123456789", False, 0))

    async def test_output_over_the_limit_ends_the_run(self) -> None:
        """One byte more is cut off, and the command is ended though it would have gone on."""
        begun = self.begin(self.shell("printf 0123456789x; exec sleep 60", output_limit_bytes=10))

        finished = await begun.outcome()

        self.assertEqual((finished.stdout, finished.stdout_bytes), (b"0123456789", 10))
        self.assertEqual((finished.truncated, finished.timed_out), (True, False))
        self.assertEqual((finished.exit_status, finished.signal), (None, "SIGTERM"))

    async def test_the_limit_counts_both_outputs(self) -> None:
        """Standard output and standard error use one allowance."""
        begun = self.begin(self.shell("printf 01234; printf 56789x >&2; exec sleep 60", output_limit_bytes=10))

        finished = await begun.outcome()

        self.assertEqual(finished.stdout_bytes + finished.stderr_bytes, 10)
        self.assertEqual(len(finished.stdout) + len(finished.stderr), 10)
        self.assertTrue(finished.truncated)

    async def test_endless_output_is_ended(self) -> None:
        """A command that would never stop talking is cut exactly at its limit."""
        finished = await self.begin(grant(argv=("/usr/bin/yes",), output_limit_bytes=100_001)).outcome()

        self.assertEqual(finished.stdout, b"y\n" * 50_000 + b"y")
        self.assertTrue(finished.truncated)

    async def test_too_long_is_ended(self) -> None:
        """A command that runs into its time limit is asked to end, at that time by the real clock."""
        begun = self.begin(grant(argv=("/bin/sleep", "1000"), timeout_seconds=0.1), reactor)

        finished = await begun.outcome()

        self.assertEqual((finished.timed_out, finished.truncated), (True, False))
        self.assertEqual((finished.exit_status, finished.signal), (None, "SIGTERM"))
        self.assertGreaterEqual(finished.duration_seconds, 0.1)
        self.assertLess(finished.duration_seconds, LIMIT_SECONDS)

    async def test_output_before_the_time_limit_is_kept(self) -> None:
        """What a command said before it ran into its time limit is in the answer, and so is its last word."""
        script = 'trap "printf 2; exit 5" TERM; printf 1; echo $$ > ready; while :; do sleep 0.01; done'
        begun = self.begin(self.shell(script))
        await self.number("ready")

        self.clock.advance(30)
        finished = await begun.outcome()

        self.assertEqual((finished.stdout, finished.timed_out), (b"12", True))
        self.assertEqual((finished.exit_status, finished.signal), (5, None))

    async def test_who_does_not_heed_is_killed(self) -> None:
        """A shell that ignores SIGTERM, and its child, are killed after their time of grace."""
        script = 'trap "" TERM; sleep 60 & echo $! > child; echo $$ > shell; wait'
        begun = self.begin(self.shell(script))
        shell, child = await self.number("shell"), await self.number("child")

        self.clock.advance(30)
        await deferLater(reactor, 0.05)
        self.assertNotIn("gone", (state_of(shell), state_of(child)))
        self.clock.advance(execution_module.KILL_AFTER_SECONDS)
        finished = await begun.outcome()

        self.assertEqual((finished.exit_status, finished.signal, finished.timed_out), (None, "SIGKILL", True))
        await until(lambda: state_of(child) == "gone")

    async def test_who_does_not_heed_is_killed_in_real_time(self) -> None:
        """The same by the real clock: limit, grace, end."""
        self.patch(execution_module, "KILL_AFTER_SECONDS", 0.1)
        begun = self.begin(self.shell('trap "" TERM; while :; do sleep 0.01; done', timeout_seconds=0.5), reactor)

        finished = await begun.outcome()

        self.assertTrue(finished.timed_out)
        self.assertGreaterEqual(finished.duration_seconds, 0.5)

    async def test_a_grandchild_holds_no_answer_up(self) -> None:
        """A child that is left behind with the pipes open is waited for a moment, then ended with its group."""
        self.patch(execution_module, "LINGER_SECONDS", 0.1)
        begun = self.begin(self.shell("sleep 60 & echo $! > child; echo said"), reactor)

        finished = await begun.outcome()

        self.assertEqual((finished.exit_status, finished.stdout), (0, b"said\n"))
        self.assertEqual((finished.timed_out, finished.truncated), (False, False))
        self.assertLess(finished.duration_seconds, LIMIT_SECONDS)
        child = await self.number("child")
        await until(lambda: state_of(child) == "gone")

    async def test_a_grandchild_may_have_a_last_word(self) -> None:
        """What a child says soon after its shell has exited is in the answer."""
        begun = self.begin(self.shell("(until test -e go; do sleep 0.01; done; echo late) & echo $$ > shell"))
        shell = await self.number("shell")

        await until(lambda: state_of(shell) == "gone")
        (self.directory / "go").touch()
        finished = await begun.outcome()

        self.assertEqual((finished.exit_status, finished.stdout), (0, b"late\n"))

    async def test_a_silent_grandchild_does_not_outlive_its_command(self) -> None:
        """A child that was sent to the background with its output closed is gone when the answer is there."""
        begun = self.begin(self.shell("sleep 60 >/dev/null 2>&1 & echo $! > child"))

        finished = await begun.outcome()

        self.assertEqual(finished.exit_status, 0)
        child = await self.number("child")
        await until(lambda: state_of(child) == "gone")

    async def test_who_left_the_group_holds_no_answer_up(self) -> None:
        """A child that went into a session of its own, and keeps the pipes, is not waited for."""
        self.patch(execution_module, "LINGER_SECONDS", 0.1)
        begun = self.begin(
            self.shell("setsid sh -c 'echo $$ > child; exec sleep 60' & until test -s child; do :; done")
        )
        child = await self.number("child")
        self.addCleanup(_kill_if_there, child)

        await until(lambda: self.clock.getDelayedCalls()[0].getTime() < 1)
        self.clock.advance(0.1)
        finished = await begun.outcome()

        self.assertEqual((finished.exit_status, finished.timed_out), (0, False))

    async def test_ended_runs_end(self) -> None:
        """A run that nobody wants any more is asked to end, twice being the same as once."""
        begun = self.begin(self.shell("echo $$ > ready; exec sleep 60"))
        await self.number("ready")

        begun.execution.end(EndedBy.STOP)
        begun.execution.end(EndedBy.STOP)
        finished = await begun.outcome()

        self.assertEqual((finished.signal, finished.timed_out, finished.truncated), ("SIGTERM", False, False))

    async def test_a_run_that_has_hardly_begun_ends_alike(self) -> None:
        """One that is ended as soon as it was asked for is asked to end, and not killed."""
        begun = self.begin(grant(argv=("/bin/sleep", "1000")))

        begun.execution.end(EndedBy.STOP)
        finished = await begun.outcome()

        self.assertEqual(finished.signal, "SIGTERM")

    async def test_ending_a_finished_run_is_harmless(self) -> None:
        """To end, pause or resume what is over changes nothing."""
        begun = self.begin(self.shell("exit 0"))
        await begun.outcome()

        begun.execution.end(EndedBy.STOP)
        begun.execution.pauseProducing()
        begun.execution.resumeProducing()

        self.assertEqual([each for each in self.clock.getDelayedCalls() if "Timeouts" not in str(each)], [])

    async def test_a_paused_run_ends_too(self) -> None:
        """A run that is ended while nobody reads it does not wait for a reader."""
        begun = self.begin(self.shell("echo $$ > ready; exec yes"))
        begun.execution.pauseProducing()
        await self.number("ready")

        begun.execution.end(EndedBy.STOP)
        self.clock.advance(execution_module.KILL_AFTER_SECONDS)
        finished = await begun.outcome()

        self.assertEqual(finished.signal, "SIGTERM")

    async def test_a_missing_program_is_an_error(self) -> None:
        """What cannot be started is an OSError, at once or as the end of the run; then nothing is under way."""
        with self.assertRaises(FileNotFoundError):
            await self.begin(grant(argv=("/nonexistent/program",))).outcome()

        self.successResultOf(self.runner.wait_idle())
        self.assertEqual([each for each in self.clock.getDelayedCalls() if "Timeouts" not in str(each)], [])

    async def test_the_environment_is_exactly_as_given(self) -> None:
        """A command has the variables of its configuration, and none of the daemon's."""
        self.patch(os, "environ", {**os.environ, "SECRET": "1"})
        environment = (("LANG", "C.UTF-8"), ("NAME", "a b=c"))

        finished = await self.begin(grant(argv=("/usr/bin/env",), environment=environment)).outcome()

        self.assertEqual(finished.stdout, b"LANG=C.UTF-8\nNAME=a b=c\n")

    async def test_no_environment_is_none(self) -> None:
        """A command without variables has none at all."""
        finished = await self.begin(grant(argv=("/usr/bin/env",), environment=())).outcome()

        self.assertEqual((finished.exit_status, finished.stdout), (0, b""))

    async def test_arguments_are_not_looked_into(self) -> None:
        """What a shell would act on reaches the program as it is."""
        words = ("a b", "$(id)", "`id`", "*", ";", "", "ü")
        finished = await self.begin(grant(argv=("/usr/bin/printf", "%s|", *words))).outcome()

        self.assertEqual(finished.stdout.decode(), "".join(f"{word}|" for word in words))

    async def test_a_command_leads_its_own_session(self) -> None:
        """Process, group and session are one, not the daemon's, and have no terminal."""
        finished = await self.begin(grant(argv=("/bin/cat", "/proc/self/stat"))).outcome()

        pid = int(finished.stdout.split()[0])
        group, session, terminal = map(int, finished.stdout.rpartition(b")")[2].split()[2:5])
        self.assertEqual((group, session, terminal), (pid, pid, 0))

    async def test_standard_input_is_empty(self) -> None:
        """A command that reads its input reads /dev/null."""
        finished = await self.begin(self.shell("readlink /proc/self/fd/0; cat")).outcome()

        self.assertEqual(finished.stdout, b"/dev/null\n")

    async def test_no_descriptor_is_inherited(self) -> None:
        """A command has its three standard streams, whatever the daemon has opened or was started with."""
        for _ in range(20):
            self.addCleanup(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        self.leave_inheritable(os.dup(0))
        isolate_descriptors()

        finished = await self.begin(grant(argv=("/bin/ls", "/proc/self/fd"))).outcome()

        # The fourth is the directory that is being listed.
        self.assertEqual(finished.stdout.split(), [b"0", b"1", b"2", b"3"])

    def leave_inheritable(self, *more: int) -> None:
        """Open what children would inherit, and let all that they would be as it was after the test."""
        for descriptor in more:
            os.set_inheritable(descriptor, True)
            self.addCleanup(os.close, descriptor)
        for descriptor in open_descriptors():
            if os.get_inheritable(descriptor):
                self.addCleanup(os.set_inheritable, descriptor, True)

    async def test_no_signal_is_ignored_or_blocked(self) -> None:
        """A command does not inherit what Python ignores: `yes | head` would go on for ever."""
        finished = await self.begin(grant(argv=("/bin/cat", "/proc/self/status"))).outcome()

        masks = dict(re.findall(r"^(Sig(?:Ign|Blk)):\s*(\w+)$", finished.stdout.decode(), re.MULTILINE))
        # The C library keeps signals 32 and 33 to itself; those cannot be set back.
        known = sum(1 << (number - 1) for number in signal.valid_signals())
        self.assertEqual({name: int(mask, 16) & known for name, mask in masks.items()}, {"SigIgn": 0, "SigBlk": 0})

    async def test_no_zombie_is_left(self) -> None:
        """Nothing of a command is in the process table when its answer is there."""
        begun = [self.begin(self.shell("echo $$")) for _ in range(5)]

        pids = [int((await each.outcome()).stdout) for each in begun]

        self.assertEqual([pid for pid in pids if is_known(pid)], [])

    async def test_nothing_is_lost_when_a_paused_run_exits(self) -> None:
        """Output that nobody reads yet stays in the pipe, well past the command's exit, until it is read."""
        begun = self.begin(self.shell("echo $$ > ready; exec head -c 60000 /dev/zero"))
        begun.execution.pauseProducing()
        pid = await self.number("ready")
        await until(lambda: not is_known(pid))

        for _ in range(10):
            self.clock.advance(execution_module.LINGER_SECONDS)
            await deferLater(reactor, 0)
        self.assertFalse(begun.execution.finished.called)
        begun.execution.resumeProducing()
        finished = await begun.outcome()

        self.assertEqual((finished.stdout, finished.exit_status), (bytes(60_000), 0))

    async def test_a_paused_run_is_not_waited_for_without_end(self) -> None:
        """A reader who never comes costs a run no more than its time limit."""
        begun = self.begin(self.shell("echo $$ > ready; exec head -c 60000 /dev/zero"))
        begun.execution.pauseProducing()
        pid = await self.number("ready")
        await until(lambda: not is_known(pid))

        await until(lambda: begun.execution._exit is not None)

        self.clock.pump([execution_module.LINGER_SECONDS] * 31)
        finished = await begun.outcome()

        self.assertEqual((finished.timed_out, finished.exit_status), (True, 0))

    async def test_much_output_comes_whole(self) -> None:
        """Megabytes arrive complete and in order, though the reader pauses now and then."""
        granted = grant(argv=("/usr/bin/seq", "1", "700000"), output_limit_bytes=10_000_000)
        begun = self.begin(granted)
        for _ in range(5):
            begun.execution.pauseProducing()
            await deferLater(reactor, 0)
            begun.execution.resumeProducing()
            await deferLater(reactor, 0)

        finished = await begun.outcome()

        expected = b"".join(b"%d\n" % number for number in range(1, 700_001))
        self.assertEqual(finished.stdout_bytes, len(expected))
        self.assertEqual(sha256(finished.stdout).hexdigest(), sha256(expected).hexdigest())
        self.assertFalse(finished.truncated)

    async def test_idle_is_when_nothing_is_under_way(self) -> None:
        """Whoever waits for the runner to be idle waits for the last process; and ends all by asking once."""
        granted = grant(argv=("/bin/sleep", "1000"))
        runs = Runner(by_name(self.spawner.start, granted.command), self.clock)
        executions = [runs.run(granted, RecordingSink(), gathers=self.gathers) for _ in range(2)]
        idle = runs.wait_idle()
        self.assertNoResult(idle)

        runs.end_all()
        await until(lambda: all(each.finished.called for each in executions))
        self.clock.advance(0)
        await idle

        self.assertEqual([each.finished.called for each in executions], [True, True])
