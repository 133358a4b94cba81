"""Tests of running a granted command: by real processes both ways out, and by the clock."""

import errno
import os
import signal
from typing import Any, cast

import pytest
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.output import ProcessResult
from cmdserver.core.run_states import EndedBy
from cmdserver.execution import process_run as execution_module
from cmdserver.execution.process_run import ProcessRun
from cmdserver.execution.runner import Runner
from tests import contracts
from tests.contracts import state_of, until
from tests.running_doubles import FakeProcess, RecordingSink, by_name, fake_host, grant

KILL_AFTER, LINGER, GIVE_UP = (
    execution_module.KILL_AFTER_SECONDS,
    execution_module.LINGER_SECONDS,
    execution_module.GIVE_UP_SECONDS,
)


@pytest.mark.slow
class GatheredTests(contracts.RunnerContract):
    """The contract, with the output gathered by getProcessOutputAndValue."""

    gathers = True


@pytest.mark.slow
class StreamedTests(contracts.RunnerContract):
    """The contract, with the output handed on as it comes."""

    gathers = False

    async def test_a_slow_reader_costs_no_memory(self) -> None:
        """While the reader pauses, no more than one chunk on its way arrives, and after that everything does."""
        begun = self.begin(grant(argv=("/usr/bin/seq", "1", "700000"), output_limit_bytes=10_000_000))
        sink = begun.sink
        sink.when_out = sink.pause
        pid = cast("Any", begun.execution)._transport.pid
        await until(lambda: bool(sink.chunks) and state_of(pid) == "S")

        for _ in range(10):
            await deferLater(contracts.reactor, 0.005)
        arrived = len(sink.stdout)
        sink.when_out = lambda: None
        sink.resume()
        finished = await begun.outcome()

        self.assertLessEqual(arrived, 2 * 65536)
        self.assertEqual(finished.stdout, b"".join(b"%d\n" % number for number in range(1, 700_001)))

    async def test_a_reader_may_pause_at_every_chunk(self) -> None:
        """Nothing is lost or repeated if the reader pauses at each chunk and resumes in a later turn."""
        begun = self.begin(grant(argv=("/usr/bin/seq", "1", "50000")))
        sink = begun.sink

        def rest() -> None:
            sink.pause()
            contracts.reactor.callLater(0, sink.resume)

        sink.when_out = rest
        finished = await begun.outcome()
        await deferLater(contracts.reactor, 0)

        self.assertEqual(finished.stdout, b"".join(b"%d\n" % number for number in range(1, 50_001)))

    async def test_output_comes_while_the_command_runs(self) -> None:
        """What is said is handed on at once, after the start was told, once, with what was granted."""
        granted = self.shell("printf first; exec sleep 60")
        begun = self.begin(granted)
        sink = begun.sink

        await until(lambda: sink.stdout == b"first")

        self.assertFalse(begun.execution.finished.called)
        self.assertEqual(sink.happened, ["started", "out"])
        self.assertEqual(sink.grant, granted)
        begun.execution.end(EndedBy.STOP)
        await begun.outcome()


class ExecutionTests(SynchronousTestCase):
    """One run on a host of fake processes, by the clock."""

    def setUp(self) -> None:
        self.host = fake_host(self)
        self.clock = self.host.clock
        self.sink = RecordingSink()
        self.runner = Runner(self.host, self.clock)

    def run_it(self, *, is_streamed: bool = False, **differences: Any) -> tuple[ProcessRun, FakeProcess]:
        """Start a command with a limit of 10 s."""
        granted = grant(**{"timeout_seconds": 10.0, **differences})
        self.runner = Runner(by_name(self.host.spawnProcess, granted.command), self.clock)
        execution = self.runner.run(granted, self.sink, gathers=not is_streamed)
        return execution, self.host.last

    def result(self, execution: ProcessRun) -> ProcessResult:
        """Take the end that must have come; after it, nothing happens any more, and no timer stays for ever."""
        finished = self.successResultOf(execution.finished)
        self.clock.advance(0)  # the last signal to whoever is left in the group
        signals = list(self.host.signals)
        self.clock.advance(3600)
        self.assertEqual((self.clock.getDelayedCalls(), self.host.signals), ([], signals))
        return finished

    @property
    def signals(self) -> list[str]:
        """What was sent to the one group there is."""
        self.assertLessEqual({group for group, _ in self.host.signals}, {self.host.last.group})
        return [name for _, name in self.host.signals]

    def test_what_is_granted_is_what_is_started(self) -> None:
        """The program, its arguments and its environment are the grant's."""
        self.run_it(argv=("/bin/df", "-h"), environment=(("A", "1"), ("B", "2")))

        self.assertEqual(self.host.last.argv, ["/bin/df", "-h"])
        self.assertEqual(self.host.last.environment, {"A": "1", "B": "2"})

    def test_durations_are_exact(self) -> None:
        """The duration is from the start to the end, by the clock."""
        execution, process = self.run_it()
        self.clock.advance(1.25)

        process.ends()

        self.assertEqual(self.result(execution).duration_seconds, 1.25)

    def test_nothing_happens_before_the_time_limit(self) -> None:
        """A command may run as long as it is allowed to, and an end at the last moment is an end of its own."""
        execution, process = self.run_it()
        self.clock.advance(9.999)
        self.assertEqual(self.signals, [])

        process.ends(4)

        finished = self.result(execution)
        self.assertEqual((finished.timed_out, finished.exit_status), (False, 4))

    def test_the_time_limit_is_told_by_sigterm(self) -> None:
        """At the limit, and not twice, the group gets SIGTERM; who heeds it is not killed by us before it has ended."""
        execution, process = self.run_it()
        process.ignores = {signal.SIGTERM}

        self.clock.advance(10)
        self.assertEqual(self.signals, ["SIGTERM"])
        self.clock.advance(KILL_AFTER - 0.001)
        self.assertEqual(self.signals, ["SIGTERM"])
        process.ends(7)

        finished = self.result(execution)
        self.assertEqual((finished.timed_out, finished.exit_status, finished.signal), (True, 7, None))
        self.assertEqual(finished.duration_seconds, 10 + KILL_AFTER - 0.001)

    def test_sigkill_follows(self) -> None:
        """Who is still there after the time of grace is killed, at once, with whoever is in the group."""
        execution, process = self.run_it()
        process.ignores = {signal.SIGTERM}

        self.clock.advance(10)
        self.clock.advance(KILL_AFTER)
        self.assertEqual(self.signals[:2], ["SIGTERM", "SIGKILL"])

        finished = self.result(execution)
        self.assertEqual((finished.timed_out, finished.signal), (True, "SIGKILL"))
        self.assertEqual(finished.duration_seconds, 10 + KILL_AFTER)

    def test_what_cannot_be_killed_is_given_up(self) -> None:
        """A process that hangs in the kernel is answered without, and the log says so, once."""
        execution, process = self.run_it()
        process.ignores = {signal.SIGTERM, signal.SIGKILL}

        with capturedLogs() as events:
            self.clock.advance(10)
            self.clock.advance(KILL_AFTER)
            self.clock.advance(GIVE_UP - 0.001)
            self.assertNoResult(execution.finished)
            self.clock.advance(0.001)

        finished = self.result(execution)
        self.assertEqual((finished.timed_out, finished.exit_status, finished.signal), (True, None, "SIGKILL"))
        self.assertEqual(finished.duration_seconds, 10 + KILL_AFTER + GIVE_UP)
        self.assertEqual(
            [event["pid"] for event in events if "cannot be killed" in str(event["log_format"])], [process.group]
        )

    def test_what_was_not_even_started_is_given_up(self) -> None:
        """A process of which nobody has said that it runs is not said to be one that cannot be killed."""
        execution, process = self.run_it()
        process.ignores = {signal.SIGTERM, signal.SIGKILL}
        process.pid = None

        with capturedLogs() as events:
            self.clock.pump([10, KILL_AFTER, GIVE_UP])

        self.assertTrue(self.result(execution).timed_out)
        (text,) = [str(event["log_format"]) for event in events]
        self.assertIn("was not started in time", text)

    def test_who_was_given_up_may_end_later(self) -> None:
        """When the kernel lets such a process go at last, nobody is told a second time, and no timer is started."""
        execution, process = self.run_it(is_streamed=True)
        process.ignores = {signal.SIGTERM, signal.SIGKILL}
        self.clock.pump([10, KILL_AFTER, GIVE_UP])
        self.result(execution)
        happened = list(self.sink.happened)

        process.says(b"late")
        process.ends()

        self.result(execution)
        self.assertEqual(self.sink.happened, happened)

    def test_somebody_in_the_group_may_linger_for_a_moment(self) -> None:
        """The pipes of a command that has exited are waited for as long as a last word takes, then closed."""
        execution, process = self.run_it()
        self.clock.advance(1)
        process.has_grandchild = True

        process.exits()
        self.clock.advance(LINGER - 0.001)
        self.assertNotIn("SIGKILL", self.signals)
        self.clock.advance(0.001)
        self.clock.advance(0)

        finished = self.result(execution)
        self.assertEqual((finished.exit_status, finished.timed_out), (0, False))
        self.assertEqual(finished.duration_seconds, 1 + LINGER)
        self.assertIn("SIGKILL", self.signals)

    def test_who_has_left_the_group_is_not_waited_for(self) -> None:
        """Pipes that are held from outside the group are closed on our side."""
        execution, process = self.run_it()
        process.has_grandchild = process.has_escaped_grandchild = True

        process.exits()
        self.clock.advance(LINGER)
        self.clock.advance(0)

        self.assertEqual(self.result(execution).exit_status, 0)

    def test_a_last_word_counts(self) -> None:
        """Output after the exit, and before the pipes are closed, is output."""
        execution, process = self.run_it()
        process.has_grandchild = True

        process.exits()
        self.clock.advance(LINGER / 2)
        process.says(b"late")
        process.closes_output()

        self.assertEqual(self.result(execution).stdout, b"late")

    def test_a_slow_reader_is_waited_for_until_the_time_limit(self) -> None:
        """What an exited command has said stays in its pipe while the reader pauses, as long as a run may take."""
        execution, process = self.run_it(is_streamed=True)
        self.sink.pause()
        process.says(b"said")
        process.closes_output()
        process.exits()

        self.clock.pump([LINGER] * 9)
        self.assertNoResult(execution.finished)
        self.sink.resume()
        self.clock.advance(0)

        finished = self.result(execution)
        self.assertEqual((finished.exit_status, finished.timed_out, self.sink.stdout), (0, False, b"said"))

    def test_a_reader_who_never_comes_is_not(self) -> None:
        """At the time limit the pipes of an exited command are closed, though nobody has read them."""
        execution, process = self.run_it(is_streamed=True)
        self.sink.pause()
        process.says(b"said")
        process.exits()

        self.clock.pump([LINGER] * 10)
        self.clock.advance(0)

        finished = self.result(execution)
        self.assertEqual((finished.timed_out, finished.exit_status, finished.duration_seconds), (True, 0, 10.0))

    def test_a_reader_who_dawdles_does_not_outlast_the_time_limit(self) -> None:
        """A reader who pauses and resumes again and again keeps an exited command's pipes open no longer either."""
        execution, process = self.run_it(is_streamed=True)
        process.has_grandchild = True
        process.exits()

        for _ in range(24):
            self.sink.pause()
            self.clock.advance(LINGER / 4)
            self.sink.resume()
            self.clock.advance(LINGER / 4)
            process.says(b"more")

        self.assertLessEqual(self.result(execution).duration_seconds, 10 + LINGER)

    def test_a_reader_who_has_just_resumed_gets_what_is_in_the_pipe(self) -> None:
        """The moment of lingering begins when the reader is ready: a pause that ends late does not use it up."""
        execution, process = self.run_it(is_streamed=True)
        self.sink.pause()
        process.says(b"said")
        process.closes_output()
        process.exits()
        self.clock.advance(LINGER - 0.001)

        process.seconds_to_read = 0.002
        self.sink.resume()
        self.clock.pump([0.001, 0, 0.001, 0])

        finished = self.result(execution)
        self.assertEqual((self.sink.stdout, finished.exit_status, finished.truncated), (b"said", 0, False))

    def test_output_is_cut_exactly(self) -> None:
        """Bytes up to the limit are passed on, of whichever output, and the byte that is too much ends the run."""
        execution, process = self.run_it(is_streamed=True, output_limit_bytes=10)

        process.says(b"01234", b"56789")
        self.assertEqual(self.signals, [])
        process.says(b"x")
        process.says(b"y", b"z")
        self.assertEqual(self.signals, ["SIGTERM"])
        self.clock.advance(0)

        finished = self.result(execution)
        self.assertEqual((self.sink.stdout, self.sink.stderr), (b"01234", b"56789"))
        self.assertEqual((finished.stdout_bytes, finished.stderr_bytes, finished.truncated), (5, 5, True))
        self.assertFalse(finished.timed_out)

    def test_a_chunk_is_cut_within(self) -> None:
        """A chunk that goes over the limit is passed on up to it."""
        execution, process = self.run_it(is_streamed=True, output_limit_bytes=3)

        process.says(b"0123456789")
        self.clock.advance(0)

        self.assertEqual((self.result(execution).stdout_bytes, self.sink.stdout), (3, b"012"))

    def test_who_was_cut_and_exits_in_time_keeps_its_status(self) -> None:
        """A command that ends by itself when its output is cut has its own exit status."""
        execution, process = self.run_it(output_limit_bytes=3)
        process.ignores = {signal.SIGTERM}
        process.says(b"0123")

        process.ends(9)

        finished = self.result(execution)
        self.assertEqual((finished.truncated, finished.exit_status, finished.signal), (True, 9, None))

    def test_who_talks_on_is_killed(self) -> None:
        """A command that ignores that its output is over is killed after its time of grace."""
        execution, process = self.run_it(output_limit_bytes=3)
        process.ignores = {signal.SIGTERM}

        process.says(b"0123")
        self.clock.advance(KILL_AFTER)
        self.clock.advance(0)

        finished = self.result(execution)
        self.assertEqual(
            (self.signals[:2], finished.truncated, finished.timed_out), (["SIGTERM", "SIGKILL"], True, False)
        )

    def test_output_that_is_cut_after_the_time_limit_is_truncated_too(self) -> None:
        """A command that floods its output when it is asked to end is cut, and its answer says both."""
        execution, process = self.run_it(output_limit_bytes=3)
        process.ignores = {signal.SIGTERM}
        self.clock.advance(10)

        process.says(b"0123456789")
        process.ends()

        finished = self.result(execution)
        self.assertEqual((finished.stdout, finished.timed_out, finished.truncated), (b"012", True, True))

    def test_to_end_is_to_ask_once(self) -> None:
        """A run that nobody wants is asked to end; asking again does not begin the time of grace anew."""
        execution, process = self.run_it()
        process.ignores = {signal.SIGTERM}

        execution.end(EndedBy.DISCONNECT)
        self.clock.advance(KILL_AFTER - 0.5)
        execution.end(EndedBy.DISCONNECT)
        self.assertEqual(self.signals, ["SIGTERM"])
        self.clock.advance(0.5)
        self.clock.advance(0)

        finished = self.result(execution)
        self.assertEqual((finished.signal, finished.timed_out, finished.truncated), ("SIGKILL", False, False))

    def test_who_has_ended_it(self) -> None:
        """The first who ends a run is named, and what it still says is heard, gathered or not."""
        for is_streamed in (False, True):
            self.sink = RecordingSink()
            execution, process = self.run_it(is_streamed=is_streamed)
            process.says(b"before")

            execution.end(EndedBy.STOP, "guy")
            execution.end(EndedBy.DISCONNECT)
            process.says(b"after", b"after")
            self.assertEqual(self.host.signals[-1], (process.group, "SIGTERM"))
            self.assertEqual((execution.so_far().ended_by, execution.so_far().stopped_by), (EndedBy.STOP, "guy"))
            self.clock.advance(0)

            finished = self.result(execution)
            self.assertEqual((finished.signal, finished.timed_out, finished.truncated), ("SIGTERM", False, False))
            self.assertEqual((finished.ended_by, finished.stopped_by), (EndedBy.STOP, "guy"))
            self.assertEqual(
                (finished.stdout, self.sink.stdout), (b"" if is_streamed else b"beforeafter", b"beforeafter")
            )
            self.assertEqual((finished.stderr, self.sink.stderr), (b"" if is_streamed else b"after", b"after"))

    def test_a_run_that_is_ended_may_have_a_last_word(self) -> None:
        """What is ended, but wanted, is heard until it is gone."""
        execution, process = self.run_it()
        process.ignores = {signal.SIGTERM}

        execution.end(EndedBy.DISCONNECT)
        process.says(b"last")
        process.ends()

        self.assertEqual(self.result(execution).stdout, b"last")

    def test_to_end_an_exited_run_is_to_kill_its_group(self) -> None:
        """If only a child of the command is left, it is not asked but killed."""
        execution, process = self.run_it()
        process.has_grandchild = True
        process.exits(3)

        execution.end(EndedBy.DISCONNECT)
        self.clock.advance(0)

        finished = self.result(execution)
        self.assertEqual((finished.exit_status, finished.ended_by), (3, None), "it had ended by itself")
        self.assertIn("SIGKILL", self.signals)
        self.assertNotIn("SIGTERM", self.signals)

    def test_an_exit_after_sigterm_takes_the_group_along(self) -> None:
        """A shell that heeds SIGTERM does not leave behind a child that does not."""
        execution, process = self.run_it()
        process.ignores = {signal.SIGTERM}
        process.has_grandchild = True
        self.clock.advance(10)

        process.exits()
        self.assertEqual(self.signals, ["SIGTERM", "SIGKILL"])
        self.clock.advance(0)

        self.assertTrue(self.result(execution).timed_out)

    def test_a_group_that_is_gone_is_not_signalled(self) -> None:
        """Its number may be another's before a slow reader has read the last of the output."""
        execution, process = self.run_it(is_streamed=True)
        self.sink.pause()
        process.says(b"said")
        process.closes_output()
        process.exits()

        self.clock.advance(5 * LINGER)
        self.sink.resume()
        self.clock.advance(0)

        self.result(execution)
        self.assertEqual([name for name in self.signals if name != "0"], [])

    def test_a_group_that_may_not_be_signalled_is_logged(self) -> None:
        """A command that has changed its user is out of our reach; that is said, and the run is given up in the end."""

        def refuse(_group: int, _number: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        self.patch(os, "killpg", refuse)
        execution, _ = self.run_it()

        with capturedLogs() as events:
            self.clock.pump([10, KILL_AFTER, GIVE_UP])

        self.assertTrue(self.result(execution).timed_out)
        self.assertEqual([event["signal"] for event in events if "signal" in event][:2], ["SIGTERM", "SIGKILL"])

    def test_pausing_reaches_the_pipes(self) -> None:
        """To pause stops the reading, to resume goes on with it, each once however often it is said."""
        _, process = self.run_it(is_streamed=True)

        self.sink.pause()
        self.sink.pause()
        self.assertTrue(process.is_paused)
        self.sink.resume()
        self.assertFalse(process.is_paused)

    def test_a_reader_may_pause_at_the_start(self) -> None:
        """A sink that is not ready when the run starts gets nothing until it is."""
        self.sink.when_started = self.sink.pause
        _, process = self.run_it(is_streamed=True)

        process.says(b"said")
        self.assertEqual(self.sink.happened, ["started"])
        self.sink.resume()
        self.clock.advance(0)

        self.assertEqual(self.sink.stdout, b"said")

    def test_streamed_output_is_not_kept(self) -> None:
        """What went to the sink is counted in the end, and not held a second time."""
        execution, process = self.run_it(is_streamed=True)
        process.says(b"out", b"err")
        process.ends()

        finished = self.result(execution)
        self.assertEqual((finished.stdout, finished.stderr), (b"", b""))
        self.assertEqual((finished.stdout_bytes, finished.stderr_bytes), (3, 3))

    def test_what_cannot_be_started_is_forgotten(self) -> None:
        """The kernel's error is the caller's, the sink hears nothing, no timer runs and nothing is under way."""
        self.host.trouble = OSError(11, "Resource temporarily unavailable")

        error = self.assertRaises(OSError, self.runner.run, grant(), self.sink)

        self.assertEqual(error.errno, 11)
        self.assertEqual(self.sink.happened, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.runner.wait_idle())

    def test_a_file_that_cannot_be_started_is_named(self) -> None:
        """Whoever reads the log is told which file it was, and why, as far as that can be seen."""
        cases: list[tuple[OSError, str]] = [
            (OSError(2, "No such file or directory"), "it cannot be run: No such file or directory"),
            (OSError(8, "Exec format error"), "it cannot be run: No such file or directory"),
        ]
        for error, why in cases:
            with self.subTest(error):
                self.host.trouble = error
                named = self.assertRaises(OSError, self.runner.run, grant(executable="/no/such"), self.sink)
                self.assertEqual(f"[Errno {error.errno}] {error.strerror} ({why}): '/no/such'", str(named))

    def test_so_is_one_that_turns_out_later(self) -> None:
        """The runner process says so when it has tried."""
        execution = self.runner.run(grant(executable="/bin/sh", working_directory="/no/such"), self.sink)
        execution.processEnded(Failure(OSError(2, "No such file or directory")))

        error = self.failureResultOf(execution.finished, OSError).value

        text = "[Errno 2] No such file or directory (its working directory /no/such is not there): '/bin/sh'"
        self.assertEqual(text, str(error))

    def test_what_is_no_files_fault_stays_as_it_is(self) -> None:
        """Who has no room for a process learns nothing from a file's name."""
        execution = self.runner.run(grant(executable="/no/such"), self.sink)
        lost = OSError(errno.EPIPE, "the runner process died")
        execution.processEnded(Failure(lost))

        self.assertIs(lost, self.failureResultOf(execution.finished, OSError).value)


class IdleTests(SynchronousTestCase):
    """Waiting for the runner to have nothing under way."""

    def setUp(self) -> None:
        self.host = fake_host(self)
        self.runner = Runner(self.host, self.host.clock)

    def test_a_new_runner_is_idle(self) -> None:
        """Where nothing was started there is nothing to wait for."""
        self.successResultOf(self.runner.wait_idle())

    def test_the_last_end_counts(self) -> None:
        """All who wait are told when the last run has ended."""
        for _ in range(2):
            self.runner.run(grant(), RecordingSink())
        waiting = [self.runner.wait_idle(), self.runner.wait_idle()]

        self.host.processes[0].ends()
        self.assertNoResult(waiting[0])
        self.host.processes[1].ends()
        self.host.clock.advance(0)

        for each in waiting:
            self.successResultOf(each)

    def test_who_does_not_wait_any_more_is_not_told(self) -> None:
        """To cancel the waiting harms neither the runner nor the others who wait."""
        self.runner.run(grant(), RecordingSink())
        impatient, patient = self.runner.wait_idle(), self.runner.wait_idle()
        impatient.addErrback(lambda _: None)

        impatient.cancel()
        self.host.last.ends()
        self.host.clock.advance(0)

        self.successResultOf(patient)

    def test_idle_is_after_the_end_was_told(self) -> None:
        """Whoever waits for idleness, to close the audit file say, comes after those who note the end."""
        order: list[str] = []
        self.runner.run(grant(), RecordingSink()).finished.addCallback(lambda _: order.append("noted"))
        self.runner.wait_idle().addCallback(lambda _: order.append("idle"))

        self.host.last.ends()
        self.host.clock.advance(0)

        self.assertEqual(order, ["noted", "idle"])

    def test_all_can_be_ended(self) -> None:
        """Every group is asked to end."""
        under_way = [self.runner.run(grant(), RecordingSink()) for _ in range(3)]

        self.runner.end_all()
        self.host.clock.advance(0)

        self.assertEqual([each.is_alive for each in self.host.processes], [False] * 3)
        self.assertEqual({self.successResultOf(each.finished).ended_by for each in under_way}, {EndedBy.SHUTDOWN})
        self.successResultOf(self.runner.wait_idle())
