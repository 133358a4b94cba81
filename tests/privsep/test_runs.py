"""Tests of what is under way in the runner, with processes, marks and time that do what the test says."""

import errno
import os
import signal
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.model import Command
from cmdserver.privsep import runs as runs_module
from cmdserver.privsep.launching import Launched
from cmdserver.privsep.marks import Marks
from cmdserver.privsep.messages import SIGKILL, SIGTERM, Exited, Ran, Refused, Report, Signal, Start, Started
from cmdserver.privsep.runs import GRACE_SECONDS, HOLD_SECONDS, Runs
from tests.running_doubles import command

#: Beyond what a kernel gives (2^22), so that nobody is hit.
_FIRST_PID = 1_000_000_000


class _Host:
    """Processes that do what the test says; stands in for launcher, marks, children and signals.

    Args:
        test: For its duration.
    """

    def __init__(self, test: SynchronousTestCase) -> None:
        self.trouble: OSError | None = None
        self.launched: list[tuple[str, bool]] = []
        self.marks: dict[int, int] = {}
        #: Who is in which group; the leader's number is the group's.
        self.groups: dict[int, set[int]] = {}
        #: Children of the runner that it has not started, alive.
        self.strays: set[int] = set()
        self.deaths: list[tuple[int, int]] = []
        self.signals: list[tuple[str, int, int]] = []
        test.patch(os, "killpg", self._killpg)
        test.patch(os, "kill", self._kill)
        test.patch(runs_module, "_next_death", lambda: self.deaths.pop(0) if self.deaths else None)
        test.patch(Runs, "_children", lambda _: [*self.groups, *self.strays])

    def launch(self, asked: Command, arguments: Sequence[str], mark: int, *, is_brisk: bool) -> Launched:
        if self.trouble is not None:
            raise self.trouble
        pid = _FIRST_PID + len(self.launched)
        self.launched.append((asked.name, is_brisk))
        self.marks[pid] = mark
        self.groups[pid] = {pid}
        return Launched(pid, pid + 100_000, pid + 200_000)

    def read(self, pid: int) -> int | None:
        return self.marks.get(pid)

    def of(self, run_id: int) -> int:
        return Marks(1).of(run_id)

    def dies(self, pid: int, status: int = 0) -> None:
        """Let a process end."""
        for group, members in list(self.groups.items()):
            members.discard(pid)
            if not members:
                del self.groups[group]
        self.strays.discard(pid)
        self.deaths.append((pid, status))

    def stray(self, of: int) -> int:
        """Let a process of another's have left its group, and have lost its parent."""
        pid = _FIRST_PID + 500_000 + len(self.strays)
        self.marks[pid] = self.marks[of]
        self.strays.add(pid)
        return pid

    def _killpg(self, group: int, number: int) -> None:
        if number:
            self.signals.append(("group", group - _FIRST_PID, number))
        if group not in self.groups:
            raise ProcessLookupError

    def _kill(self, pid: int, number: int) -> None:
        self.signals.append(("process", pid - _FIRST_PID, number))
        if pid not in self.strays:
            raise ProcessLookupError


class RunsTests(SynchronousTestCase):
    """The runs, by requests, deaths and time."""

    def setUp(self) -> None:
        self.host = _Host(self)
        self.posted: list[tuple[Report, tuple[int, ...]]] = []
        self.runs = Runs(self.host, self.host, lambda *each: self.posted.append(each))  # type: ignore[arg-type]
        self.runs.allow([command("a"), command("b", timeout_seconds=5.0)], 3)

    def start(self, run_id: int = 0, name: str = "a", now: float = 0.0, *arguments: str) -> int:
        """Ask for a command; return the process that it got, if it got one."""
        self.runs.start(Start(0, run_id, name, arguments), now)
        return _FIRST_PID + len(self.host.launched) - 1

    def taken(self) -> list[Report]:
        """Take the reports so far, without their descriptors."""
        posted, self.posted = self.posted, []
        return [report for report, _ in posted]

    # Starting

    def test_an_end_within_a_moment_is_told_with_the_start(self) -> None:
        """One report for both, with the ends of both pipes."""
        pid = self.start()
        self.assertEqual(self.posted, [])

        self.host.dies(pid, 256)
        self.runs.reap(HOLD_SECONDS / 2)
        self.runs.pass_time(HOLD_SECONDS * 2)

        self.assertEqual(self.posted, [(Ran(0, pid, 256, is_alone=True), (pid + 100_000, pid + 200_000))])

    def test_who_takes_longer_is_told_twice(self) -> None:
        """The start with the pipes after the moment, the end without them when it comes."""
        pid = self.start()

        self.runs.pass_time(HOLD_SECONDS * 0.99)
        self.assertEqual(self.posted, [])
        self.runs.pass_time(HOLD_SECONDS)
        self.assertEqual(self.posted, [(Started(0, pid), (pid + 100_000, pid + 200_000))])
        self.host.dies(pid, 9)
        self.runs.reap(1.0)

        self.assertEqual(self.posted[1:], [(Exited(0, 9, is_alone=True), ())])

    def test_what_cannot_be_started_is_told(self) -> None:
        """The kernel's reason is reported, and the run is over."""
        self.host.trouble = FileNotFoundError(errno.ENOENT, "No such file or directory")

        self.start()

        self.assertEqual(self.posted, [(Refused(0, errno.ENOENT, "No such file or directory"), ())])
        self.assertIsNone(self.runs.seconds_to_wait(0.0))

    def test_an_error_without_a_number_has_one(self) -> None:
        """What the kernel has no number for is told, too."""
        self.host.trouble = OSError("something else")

        self.start()

        self.assertEqual(self.taken(), [Refused(0, errno.EIO, "something else")])

    def test_nothing_but_the_allow_list_is_started(self) -> None:
        """An unknown name, a known one with arguments, or a path is refused, and nothing is launched."""
        self.start(0, "c")
        self.start(1, "/bin/sh")
        self.start(2, "")
        self.start(3, "a", 0.0, "-c", "id")

        self.assertEqual(self.host.launched, [])
        self.assertEqual(
            [(each.id, each.errno) for each in self.taken() if isinstance(each, Refused)],
            [(0, errno.ENOENT), (1, errno.ENOENT), (2, errno.ENOENT), (3, errno.EINVAL)],
        )

    def test_an_id_is_good_for_one_run(self) -> None:
        """An id that is not greater than all before it is not even answered."""
        self.start(5)
        for run_id in (5, 4, 0):
            self.start(run_id)
        self.start(6)

        self.assertEqual(len(self.host.launched), 2)
        self.assertEqual(self.posted, [])

    def test_only_so_many_run_at_once(self) -> None:
        """One too many is refused as busy; who has ended makes room."""
        pids = [self.start(number) for number in range(3)]
        self.start(3)
        self.assertEqual(self.taken(), [Refused(3, errno.EAGAIN, "too many commands are running")])

        self.host.dies(pids[0])
        self.runs.reap(0.0)
        self.start(4)

        self.assertEqual(len(self.host.launched), 4)

    def test_a_command_is_brisk_if_its_last_run_was(self) -> None:
        """Only the last run counts, and none is not brisk."""
        for number, seconds in enumerate((0.01, 0.5, 0.01)):
            pid = self.start(number, "a", 10.0 * number)
            self.host.dies(pid)
            self.runs.reap(10.0 * number + seconds)
        self.start(3, "a", 100.0)
        self.start(4, "b", 100.0)

        self.assertEqual([is_brisk for _, is_brisk in self.host.launched], [False, True, False, True, False])

    def test_another_allow_list_counts_at_once(self) -> None:
        """What is not in it is refused, what runs goes on, and what was changed is not taken for brisk for ever."""
        pid = self.start(0)
        self.runs.allow([command("c")], 3)

        self.start(1, "a")
        self.start(2, "c")
        self.host.dies(pid)
        self.runs.reap(0.0)

        self.assertEqual([name for name, _ in self.host.launched], ["a", "c"])
        self.assertEqual(
            self.taken(), [Refused(1, errno.ENOENT, "there is no such command"), Ran(0, pid, 0, is_alone=True)]
        )

    # Signals

    def test_a_signal_is_for_the_whole_group(self) -> None:
        """SIGTERM goes to the group, once, and to nobody else."""
        self.start()

        self.runs.signal(Signal(0, 0, SIGTERM))

        self.assertEqual(self.host.signals, [("group", 0, signal.SIGTERM)])

    def test_who_is_not_there_is_not_signalled(self) -> None:
        """An id that was never given, or whose run is over, hits nobody."""
        pid = self.start()
        self.host.dies(pid)
        self.runs.reap(0.0)

        for run_id in (0, 1, 99, pid):
            for number in (SIGTERM, SIGKILL):
                self.runs.signal(Signal(0, run_id, number))

        self.assertEqual(self.host.signals, [])

    def test_a_kill_reaches_who_has_left_the_group(self) -> None:
        """SIGKILL goes to the group and to all that carry the run's mark, and to nobody of another run's."""
        first, second = self.start(0), self.start(1)
        stray, other = self.host.stray(first), self.host.stray(second)

        self.runs.signal(Signal(0, 0, SIGKILL))

        self.assertIn(("process", stray - _FIRST_PID, SIGKILL), self.host.signals)
        self.assertNotIn(("process", other - _FIRST_PID, SIGKILL), self.host.signals)
        self.assertEqual({who for kind, who, _ in self.host.signals if kind == "group"}, {0})

    def test_strays_of_strays_are_ended_too(self) -> None:
        """Until nobody with the mark is left, each death is followed by another look."""
        pid = self.start()
        self.host.dies(pid)
        grandchild = self.host.stray(pid)
        self.runs.reap(0.0)
        self.assertEqual(self.taken(), [Ran(0, pid, 0, is_alone=False)])

        self.runs.signal(Signal(0, 0, SIGKILL))
        self.host.dies(grandchild, 9)
        great_grandchild = self.host.stray(pid)
        self.runs.reap(0.0)
        self.assertIn(("process", great_grandchild - _FIRST_PID, SIGKILL), self.host.signals)
        self.host.dies(great_grandchild, 9)
        self.runs.reap(0.0)

        self.runs.pass_time(1.0)
        self.assertIsNone(self.runs.seconds_to_wait(1.0))
        self.assertEqual(self.taken(), [])

    def test_a_group_that_was_empty_is_not_signalled_again(self) -> None:
        """Its number may be another's by the time a stray of the run is ended."""
        pid = self.start()
        self.host.dies(pid)
        self.host.stray(pid)
        self.runs.reap(0.0)
        # Somebody else's, with the same number.
        self.host.groups[pid], self.host.marks[pid] = {pid}, -1

        self.runs.signal(Signal(0, 0, SIGKILL))

        self.assertEqual([kind for kind, _, _ in self.host.signals], ["process"])

    def test_others_in_the_group_are_told_of(self) -> None:
        """A command whose group has another member when it exits is not alone, and the group can be ended."""
        pid = self.start()
        self.host.groups[pid].add(1)
        self.host.dies(pid)
        self.runs.reap(0.0)
        self.assertEqual(self.taken(), [Ran(0, pid, 0, is_alone=False)])

        self.runs.signal(Signal(0, 0, SIGKILL))

        self.assertEqual(self.host.signals[0], ("group", 0, SIGKILL))

    # Time

    def test_a_run_that_the_daemon_forgets_is_ended(self) -> None:
        """Its time limit and a time of grace after its start everybody of it is killed."""
        self.start(0, "b", 100.0)

        self.runs.pass_time(100.0 + 5 + GRACE_SECONDS - 0.001)
        self.assertEqual(self.host.signals, [])
        self.runs.pass_time(100.0 + 5 + GRACE_SECONDS + 0.001)

        self.assertIn(("group", 0, SIGKILL), self.host.signals)

    def test_the_loop_need_not_wake_up_for_nothing(self) -> None:
        """With nothing under way there is no time to wait for; with something held, exactly until it is told."""
        self.assertIsNone(self.runs.seconds_to_wait(0.0))
        self.start(0, "a", 1.0)

        self.assertAlmostEqual(self.runs.seconds_to_wait(1.0) or 0.0, HOLD_SECONDS)
        self.assertEqual(self.runs.seconds_to_wait(2.0), 0.0)
        self.runs.pass_time(2.0)
        self.assertGreater(self.runs.seconds_to_wait(2.0) or 0.0, 0.1)

    # Deaths

    def test_deaths_of_others_are_handed_on(self) -> None:
        """Who was none of ours is returned, to those who know more."""
        pid = self.start()
        self.host.deaths.append((42, 9))
        self.host.dies(pid)

        self.assertEqual(self.runs.reap(0.0), [42])
        self.assertEqual(self.taken(), [Ran(0, pid, 0, is_alone=True)])

    def test_thousands_of_runs_leave_nothing(self) -> None:
        """What is over is forgotten, whatever it was."""
        for number in range(3000):
            pid = self.start(number, "a", number * 1.0)
            if number % 3 == 0:
                self.runs.pass_time(number + 0.5)
            self.host.dies(pid)
            self.runs.reap(number + 0.6)
            self.runs.pass_time(number + 0.7)

        self.assertEqual((self.runs._by_id, self.runs._by_pid, len(self.runs._held)), ({}, {}, 0))
        self.assertEqual(len(self.runs._was_brisk), 1)
