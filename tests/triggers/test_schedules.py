"""Tests of the schedules, on a clock of their own; the reactor's clock and the one on the wall may differ."""

import tempfile
from datetime import UTC
from pathlib import Path
from unittest.mock import DEFAULT, patch

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from cmdserver.core.model import Command, Role
from cmdserver.dispatch.policy import Policy
from cmdserver.triggers import due
from cmdserver.triggers.due import MOST_COUNTED, MOST_TOLD
from cmdserver.triggers.last_look import NAME, LastLook
from cmdserver.triggers.schedules import MOST_SECONDS_BACK, Schedules
from tests.running_doubles import Composition, command, run_words, user

#: At the beginning of an hour.
HOUR = 1_700_000_400.0 - 1_700_000_400.0 % 3600
NIGHT = Role(name="schedule", patterns=("*",), users=frozenset({"schedule"}))


class SchedulesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        #: What the wall's clock says beyond the reactor's.
        self.offset = HOUR - 10
        self.commands = [command("df", schedule=("0 * * * *",)), command("uptime")]
        self.compose()

    def compose(self) -> None:
        """Be a new daemon; the clock on the wall goes on."""
        composition = Composition(self, *self.commands)
        self.composition, self.spawner, self.clock = composition, composition.spawner, composition.clock
        self.permit()
        self.schedules = Schedules(composition.dispatcher, self.clock, self.now, UTC, LastLook(self.directory))

    def permit(self, role: Role = NIGHT) -> None:
        """Let schedules run what a role includes."""
        self.composition.dispatcher.reconfigure(Policy(self.commands, [role]))

    def now(self) -> float:
        """Read the clock on the wall."""
        return self.offset + self.clock.seconds()

    def start(self) -> None:
        """Start."""
        self.schedules.start(self.commands)

    def pass_by(self, seconds: float) -> None:
        """Let time pass, a second at a time, and what runs end at once."""
        self.clock.pump([1.0] * int(seconds))

    def reload(self, *commands: Command) -> None:
        """Go by other commands."""
        self.commands = list(commands)
        self.permit()
        self.schedules.reconfigure(self.commands)

    @property
    def runs(self) -> int:
        """How many processes were started."""
        return len(self.spawner.processes)

    @property
    def written(self) -> list[tuple[str | None, Code, tuple[str, ...]]]:
        """What is in the audit file of requests; all of it is the schedules'."""
        requests = self.composition.ledger.requests
        self.assertEqual({(each.caller.name, each.caller.protocol) for each in requests} - {("schedule",) * 2}, set())
        return [(each.command, each.outcome, each.arguments) for each in requests]


class TimesTests(SchedulesTestCase):
    def test_a_command_runs_when_its_time_comes(self) -> None:
        """Not before, and once."""
        self.start()
        self.pass_by(9)
        self.assertEqual(self.runs, 0)
        self.pass_by(1)
        self.assertEqual(self.runs, 1)
        self.spawner.last.ends()
        self.pass_by(3599)
        self.assertEqual(self.runs, 1)
        self.pass_by(1)
        self.spawner.last.ends()
        self.assertEqual(self.runs, 2)
        self.assertEqual(self.written, [("df", Code.OK, ())] * 2)

    def test_lines_that_mean_the_same_minute_run_it_once(self) -> None:
        """And each of the others when it comes."""
        self.commands = [command("df", schedule=("0 * * * *", "*/30 * * * *", "0 0-23 * * *"))]
        self.compose()
        self.start()
        for expected in (1, 2, 3):
            self.pass_by(1800)
            self.spawner.last.ends()
            self.assertEqual(self.runs, expected)

    def test_a_clock_that_is_a_little_fast_makes_no_difference(self) -> None:
        """Who is awake before the time waits for the rest."""
        self.start()
        self.offset -= 0.5
        self.pass_by(10)
        self.assertEqual(self.runs, 0)
        self.pass_by(1)
        self.assertEqual(self.runs, 1)

    def test_without_schedules_nothing_waits(self) -> None:
        """Nor is anything kept."""
        self.commands = [command("df")]
        self.compose()
        self.start()

        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse((self.directory / NAME).exists())

    def test_a_fault_of_ours_does_not_end_it(self) -> None:
        """The other times come, and other commands are not concerned; whatever is asked that fails."""
        for method in ("authorize", "start"):
            self.offset = HOUR - 10
            self.commands = [command("a", schedule=("0 * * * *",)), command("b", schedule=("0 * * * *",))]
            self.compose()
            self.start()
            dispatcher = self.composition.dispatcher
            whole = getattr(dispatcher, method)
            with patch.object(dispatcher, method, side_effect=[ZeroDivisionError, DEFAULT], wraps=whole) as asked:
                self.pass_by(20)
            self.assertEqual((asked.call_count, self.runs), (2, 1), method)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.spawner.last.ends()
            self.pass_by(3600)
            self.assertEqual(self.runs, 3, method)

    def test_a_look_that_fails_does_not_end_it(self) -> None:
        """The next one comes, but not at once: it might fail again, and again."""
        self.start()
        with patch.object(due, "look", side_effect=ZeroDivisionError):
            self.pass_by(20)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.pass_by(60)
        self.assertEqual([each[:2] for each in self.written], [("df", Code.MISSED)])
        self.pass_by(3600)
        self.assertEqual(self.runs, 1)


class SkippedTests(SchedulesTestCase):
    def test_a_time_that_finds_the_last_run_going_is_skipped(self) -> None:
        """And the next one that does not is not."""
        self.commands = [command("df", schedule=("* * * * *",), timeout_seconds=1000)]
        self.compose()
        self.start()
        self.pass_by(10)
        self.pass_by(120)
        self.assertEqual(self.runs, 1)
        self.assertEqual(self.written, [("df", Code.SKIPPED, ())] * 2)
        self.spawner.last.ends()
        self.pass_by(60)
        self.assertEqual(self.runs, 2)

    def test_commands_do_not_wait_for_each_other(self) -> None:
        """Each has a last run of its own."""
        self.commands = [command("a", schedule=("0 * * * *",)), command("b", schedule=("1 * * * *",))]
        self.compose()
        self.start()
        self.pass_by(100)

        self.assertEqual(self.runs, 2)

    def test_what_somebody_else_runs_is_no_reason(self) -> None:
        """It is the last scheduled run that counts."""
        self.permit(Role(name="all", patterns=("df",), users=frozenset({"schedule", "ada"})))
        self.start()
        run_words(self.composition.dispatcher, user("ada"), ["df"])
        self.pass_by(10)
        self.assertEqual(self.runs, 2)


class RefusedTests(SchedulesTestCase):
    def test_what_is_refused_is_written_down(self) -> None:
        """By whoever refuses it, once; the next time comes."""
        self.permit(Role(name="night", patterns=("uptime",), users=frozenset({"schedule"})))
        self.start()
        self.pass_by(10)
        self.assertEqual((self.runs, self.written), (0, [("df", Code.DENIED, ())]))
        self.permit()
        self.pass_by(3600)
        self.assertEqual(self.runs, 1)

    def test_without_an_audit_file_nothing_runs(self) -> None:
        """As for everybody; when there is one again, it does."""
        self.start()
        self.composition.ledger.is_full = True
        self.pass_by(10)
        self.assertEqual(self.runs, 0)
        self.composition.ledger.is_full = False
        self.pass_by(3600)
        self.assertEqual(self.runs, 1)

    def test_what_cannot_be_started_is_over(self) -> None:
        """So that it is not skipped for ever."""
        self.start()
        self.spawner.trouble = FileNotFoundError(2, "No such file or directory")
        self.pass_by(10)
        self.spawner.trouble = None
        self.pass_by(3600)
        self.assertEqual(self.runs, 1)
        self.assertEqual(self.written, [("df", Code.FAULT, ())])

    def test_when_the_daemon_stops_it_is_refused(self) -> None:
        """As everything is that comes then."""
        self.start()
        self.composition.dispatcher.close()
        self.pass_by(10)

        self.assertEqual((self.runs, self.written), (0, [("df", Code.BUSY, ())]))


class ClockTests(SchedulesTestCase):
    """The clock on the wall is set, or the host sleeps: the reactor's clock knows nothing of it."""

    def test_a_clock_that_is_set_ahead_misses_times(self) -> None:
        """They are told, not made up; it is noticed within a minute, whatever is waited for."""
        self.start()
        self.pass_by(10)
        self.spawner.last.ends()
        self.offset += 3 * 3600 + 1800
        self.pass_by(60)

        self.assertEqual(self.runs, 1)
        self.assertEqual([(name, outcome) for name, outcome, _ in self.written[1:]], [("df", Code.MISSED)] * 3)
        self.assertEqual([arguments[0][14:] for _, _, arguments in self.written[1:]], ["00+00:00"] * 3)

    def test_a_host_that_wakes_in_time_is_in_time(self) -> None:
        """Within a minute of it."""
        self.start()
        self.offset += 30
        self.pass_by(10)

        self.assertEqual((self.runs, self.written), (1, []))

    def test_a_clock_that_steps_back_asks_for_nothing_twice(self) -> None:
        """As network time does, by a second, just when something was run."""
        for step in (1, 30, MOST_SECONDS_BACK - 1):
            self.offset = HOUR - 10
            self.compose()
            self.start()
            self.pass_by(10)
            self.spawner.last.ends()
            self.offset -= step
            self.pass_by(step + 30)
            self.assertEqual((self.runs, self.written), (1, [("df", Code.OK, ())]), step)

    def test_after_a_step_back_the_next_time_comes(self) -> None:
        """When the clock says so."""
        self.start()
        self.pass_by(10)
        self.spawner.last.ends()
        self.offset -= 5
        self.pass_by(3604)
        self.assertEqual(self.runs, 1)
        self.pass_by(1)
        self.assertEqual(self.runs, 2)

    def test_a_clock_that_is_set_far_back_is_believed(self) -> None:
        """It was wrong before."""
        self.start()
        self.pass_by(10)
        self.spawner.last.ends()
        self.offset -= 5 * 3600
        self.pass_by(3600 + 60)

        self.assertEqual(self.runs, 2)


class RestartTests(SchedulesTestCase):
    def stop(self) -> None:
        """Be gone."""
        self.schedules.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def restart(self, seconds: float) -> None:
        """Come back later."""
        self.offset = self.now() + seconds
        self.compose()
        self.start()

    def test_what_came_while_the_daemon_was_not_there_was_missed(self) -> None:
        """It is told once, and not made up, be it a second ago."""
        self.start()
        self.stop()
        self.restart(11)
        self.assertEqual((self.runs, [each[:2] for each in self.written]), (0, [("df", Code.MISSED)]))
        self.stop()
        self.restart(0)
        self.assertEqual((self.runs, self.written), (0, []))

    def test_a_daemon_that_was_killed_tells_nothing_twice(self) -> None:
        """What was asked for was not missed."""
        self.start()
        self.pass_by(10)
        self.assertEqual(self.runs, 1)
        self.restart(5)
        self.assertEqual(self.written, [])

    def test_a_long_time_is_told_in_short(self) -> None:
        """The first times, and how many more."""
        self.start()
        self.stop()
        self.restart((MOST_TOLD + 5) * 3600)
        self.assertEqual(len(self.written), MOST_TOLD + 1)
        self.assertEqual(self.written[-1], ("df", Code.MISSED, ("5 more",)))
        self.stop()
        self.restart((MOST_COUNTED + 500) * 3600)
        self.assertEqual(self.written[-1], ("df", Code.MISSED, (f"at least {MOST_COUNTED - MOST_TOLD} more",)))

    def test_without_an_audit_file_it_starts(self) -> None:
        """What was missed is in the log then."""
        self.start()
        self.stop()
        self.offset = self.now() + 3600
        self.compose()
        self.composition.ledger.is_full = True
        self.start()

        self.assertEqual((self.runs, self.written), (0, []))

    def test_a_schedule_that_was_not_there_has_missed_nothing(self) -> None:
        """Nor has one that was another."""
        self.start()
        self.stop()
        self.commands = [command("df", schedule=("30 * * * *",)), command("new", schedule=("0 * * * *",))]
        self.restart(5 * 3600)

        self.assertEqual(self.written, [])

    def test_what_is_kept_may_be_anything(self) -> None:
        """Nothing is run by it."""
        for content in (b"nonsense", b'{"looked_at": 0, "schedules": {"df": ["x"]}}', b"[]"):
            (self.directory / NAME).write_bytes(content)
            self.compose()
            self.start()
            self.assertEqual((self.runs, self.written), (0, []))


class ReloadTests(SchedulesTestCase):
    def test_a_new_schedule_counts_from_then_on(self) -> None:
        """Its times before were nobody's."""
        self.start()
        self.pass_by(10)
        self.spawner.last.ends()
        self.reload(command("df", schedule=("0 * * * *",)), command("uptime", schedule=("* * * * *",)))
        self.assertEqual(self.runs, 1)
        self.pass_by(60)
        self.assertEqual(self.runs, 2)
        self.assertEqual(self.written, [("df", Code.OK, ())])

    def test_nothing_runs_twice(self) -> None:
        """At whatever moment it is read again."""
        self.start()
        for _ in range(20):
            self.pass_by(1)
            self.reload(*self.commands)
        self.assertEqual(self.runs, 1)
        self.spawner.last.ends()
        self.pass_by(1)
        waiting = [call for call in self.clock.getDelayedCalls() if call.getTime() <= self.clock.seconds() + 60]
        self.assertEqual(len([call for call in waiting if "Timeouts" not in str(call)]), 1)

    def test_what_is_taken_out_runs_no_more(self) -> None:
        """Nothing waits for it, and nothing is kept."""
        self.start()
        self.offset += 15  # its time has come, and was not seen yet
        self.reload(command("df"))
        self.pass_by(3700)

        self.assertEqual((self.runs, self.written), (0, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse((self.directory / NAME).exists())

    def test_before_the_start_and_after_the_end_it_does_nothing(self) -> None:
        """A reload may come at any time."""
        self.schedules.stop()
        self.reload(*self.commands)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.start()
        self.schedules.stop()
        self.schedules.stop()
        self.reload(*self.commands)
        self.assertEqual(self.clock.getDelayedCalls(), [])
