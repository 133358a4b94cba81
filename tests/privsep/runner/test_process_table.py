"""Tests of what is under way in the runner, with processes, tags and time that do what the test says."""

import errno
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any, Literal

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Command
from cmdserver.parameters.template import Invocation
from cmdserver.parameters.text_types import Choice, Secret
from cmdserver.privsep.messages import SIGKILL, SIGTERM, Exited, Ran, Refused, Report, Signal, Start, Started, Trouble
from cmdserver.privsep.process_tags import ProcessTags
from cmdserver.privsep.runner import process_table as table_module
from cmdserver.privsep.runner.command_process import HOLD_SECONDS
from cmdserver.privsep.runner.escaped import EscapedProcesses
from cmdserver.privsep.runner.launching import Launched
from cmdserver.privsep.runner.process_table import GRACE_SECONDS, START_SECONDS, ProcessTable
from tests.contracts import open_descriptors
from tests.dispatch.doubles import taking
from tests.parameters.doubles import a_parameter
from tests.running_doubles import command

#: Beyond what a kernel gives (2^22), so that nobody is hit.
_FIRST_PID = 1_000_000_000
_STANDBY = _FIRST_PID - 1


class _Group:
    """A control group of which the test says who is in it."""

    def __init__(self) -> None:
        self.members: set[int] = set()
        self.kills = 0
        self.is_removed = False

    def kill(self) -> None:
        self.kills += 1

    def remove(self) -> bool:
        self.is_removed = not self.members
        return self.is_removed


class _Host:
    """Processes that do what the test says; stands in for launcher, tags, control groups, children and signals.

    Args:
        test: For its duration.
    """

    def __init__(self, test: SynchronousTestCase) -> None:
        self.trouble: OSError | None = None
        #: For those that are started from now on: the end of a pipe; and a control group.
        self.complaint: int | None = None
        self.ends: tuple[int, int] | None = None
        self.group: _Group | None = None
        self.launched: list[tuple[str, bool]] = []
        self.invocations: list[Invocation] = []
        self.tags: dict[int, int] = {}
        #: How often each was asked for.
        self.reads: list[int] = []
        #: Who is in which group; the leader's number is the group's.
        self.groups: dict[int, set[int]] = {}
        #: Children of the runner that it has not started, alive, and in which group each is.
        self.escaped: dict[int, int] = {}
        self.grouped: set[int] = set()
        self.deaths: list[tuple[int, int]] = []
        self.signals: list[tuple[str, int, int]] = []
        self.when_killed: Callable[[int], object] = lambda _: None
        test.patch(os, "killpg", self._killpg)
        test.patch(os, "kill", self._kill)
        test.patch(os, "getpgid", self._getpgid)
        test.patch(table_module, "next_death", lambda: self.deaths.pop(0) if self.deaths else None)
        test.patch(EscapedProcesses, "_list", lambda _: b" ".join(b"%d" % pid for pid in self.children()))

    def children(self) -> list[int]:
        leaders = [leader for leader, members in self.groups.items() if leader in members]
        return [_STANDBY, *leaders, *self.escaped]

    def launch(self, asked: Command, invocation: Invocation, tag: int, *, is_short_lived: bool) -> Launched:
        if self.trouble is not None:
            raise self.trouble
        pid = _FIRST_PID + len(self.launched)
        self.launched.append((asked.name, is_short_lived))
        self.invocations.append(invocation)
        self.tags[pid] = tag
        self.groups[pid] = {pid}
        group: Any = self.group
        return Launched(pid, *(self.ends or (pid + 100_000, pid + 200_000)), self.complaint, group)

    def read(self, pid: int) -> int | None:
        self.reads.append(pid)
        return self.tags.get(pid)

    def of(self, run_id: int) -> int:
        return ProcessTags(1).of(run_id)

    def holds(self, pid: int) -> bool:
        return pid in self.grouped

    def end(self) -> None:
        self.signals.append(("all", 0, SIGKILL))

    def remove(self, *, with_directory: bool) -> bool:
        return with_directory

    def everywhere(self) -> Sequence[int]:
        return ()

    def dies(self, pid: int, status: int = 0) -> None:
        """Let a process end."""
        for group, members in list(self.groups.items()):
            members.discard(pid)
            if not members:
                del self.groups[group]
        self.escaped.pop(pid, None)
        self.deaths.append((pid, status))

    def stray(self, of: int, group: int | None = None) -> int:
        """Let a process of another's have left its group, and have lost its parent."""
        pid = _FIRST_PID + 500_000 + len(self.tags)
        self.tags[pid] = self.tags[of]
        self.escaped[pid] = pid if group is None else group
        return pid

    def _getpgid(self, pid: int) -> int:
        if pid not in self.escaped:
            raise ProcessLookupError
        return self.escaped[pid]

    def _killpg(self, group: int, number: int) -> None:
        if number:
            self.signals.append(("group", group - _FIRST_PID, number))
        if group not in self.groups and group not in self.escaped.values():
            raise ProcessLookupError

    def _kill(self, pid: int, number: int) -> None:
        self.signals.append(("process", pid - _FIRST_PID, number))
        self.when_killed(pid)
        if pid not in self.escaped and pid not in self.groups:
            raise ProcessLookupError


class RunsTests(SynchronousTestCase):
    """The runs, by requests, deaths and time."""

    def setUp(self) -> None:
        self.host = _Host(self)
        self.posted: list[tuple[Report, tuple[int, ...]]] = []
        host: Any = self.host
        self.runs = ProcessTable(host, host, lambda *each: self.posted.append(each), host, {_STANDBY})
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

    def test_values_are_looked_at_again(self) -> None:
        """What the daemon should have refused is refused, in a few words; what it should have sent is started."""
        self.runs.allow(
            [taking("a", a_parameter("unit", Choice(choices={"x y": ""})), a_parameter("secret", Secret()))], 3
        )
        for number, words in enumerate(
            [
                (),
                ("x y",),
                ("unit=x y",),
                ("unit=z", "secret=s"),
                ("unit=x y", "secret=-hunter2"),
                ("unit=x y", "secret=s", "a" * 5000),
            ]
        ):
            self.start(number, "a", 0.0, *words)
        refused = self.taken()
        self.assertEqual({errno.EINVAL}, {each.errno for each in refused if isinstance(each, Refused)})
        self.assertEqual((6, []), (len(refused), self.host.launched))
        self.assertNotIn("hunter2", repr(refused))
        self.assertLess(max(len(each.text) for each in refused if isinstance(each, Refused)), 1001)

        self.start(9, "a", 0.0, "secret=hunter2", "unit=x y")
        (invocation,) = self.host.invocations
        self.assertEqual((("/usr/bin/uptime", "x y"), {"secret": "hunter2"}, None), tuple(invocation))

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

    def test_a_command_is_short_lived_if_its_last_run_was(self) -> None:
        """Only the last run counts, and none is not short-lived."""
        for number, seconds in enumerate((0.01, 0.5, 0.01)):
            pid = self.start(number, "a", 10.0 * number)
            self.host.dies(pid)
            self.runs.reap(10.0 * number + seconds)
        self.start(3, "a", 100.0)
        self.start(4, "b", 100.0)

        self.assertEqual([was_quick for _, was_quick in self.host.launched], [False, True, False, True, False])

    def test_another_allow_list_counts_at_once(self) -> None:
        """What is not in it is refused, what runs goes on, and what was changed is short-lived no more."""
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

    # Between fork and exec

    def fork(self, run_id: int = 0, name: str = "a", now: float = 0.0) -> tuple[int, int]:
        """Ask for a command that is not the program yet; return its process, and the end to which it complains."""
        self.host.complaint, said = os.pipe2(os.O_NONBLOCK)
        self.host.ends, self.host.group = os.pipe(), _Group()
        pid = self.start(run_id, name, now)
        self.host.complaint = self.host.ends = self.host.group = None
        return pid, said

    def test_a_start_that_takes_its_time_is_waited_for(self) -> None:
        """Nothing is told as long as nothing is known, others are started meanwhile, and then it is."""
        pid, said = self.fork()
        self.runs.pass_time(1.0)
        self.assertEqual(self.start(1, "b", 1.0), pid + 1)
        self.assertEqual(self.taken(), [])
        self.assertAlmostEqual(self.runs.seconds_to_wait(1.0) or 0.0, HOLD_SECONDS)

        os.close(said)
        self.runs.pass_time(1.0 + HOLD_SECONDS)

        self.assertEqual(self.taken(), [Started(0, pid), Started(1, pid + 1)])

    def test_what_cannot_become_the_program_is_refused(self) -> None:
        """The kernel's reason is told, whether it is seen before or at its death; and nothing stays open."""
        before = open_descriptors()
        for number, is_dead in enumerate((True, False)):
            pid, said = self.fork(number)
            os.write(said, b"%d" % errno.EACCES)
            os.close(said)
            if is_dead:
                self.host.dies(pid, 127 << 8)
                self.runs.reap(0.0)
            else:
                self.runs.pass_time(HOLD_SECONDS)

            self.assertEqual(self.taken(), [Refused(number, errno.EACCES, "Permission denied")])
            self.assertEqual(open_descriptors(), before)
            if not is_dead:
                self.host.dies(pid, 9)
                self.runs.reap(1.0)
            self.assertEqual((self.taken(), self.runs._by_id, self.runs._by_pid), ([], {}, {}))
        self.assertNotIn("a", self.runs._was_short_lived)

    def test_the_dead_are_not_signalled(self) -> None:
        """A refusal that is seen at the death hits nobody who has got the number since."""
        pid, said = self.fork()
        os.write(said, b"2")
        os.close(said)
        self.host.dies(pid, 127 << 8)

        self.runs.reap(0.0)

        self.assertEqual(self.host.signals, [])

    def test_a_start_has_a_deadline(self) -> None:
        """Who is stopped before he is the program is killed and refused in time, and costs his own place until then."""
        before = open_descriptors()
        pid, said = self.fork()

        self.runs.pass_time(START_SECONDS - 0.001)
        self.assertEqual(self.taken(), [])
        self.runs.pass_time(START_SECONDS + HOLD_SECONDS)

        self.assertEqual(self.taken(), [Refused(0, errno.EAGAIN, "the program could not be started within 5 s")])
        self.assertIn(("process", 0, SIGKILL), self.host.signals)
        os.close(said)
        self.assertEqual(open_descriptors(), before)
        self.host.dies(pid, 9)
        self.runs.reap(6.0)
        self.assertEqual((self.taken(), self.runs._by_id, self.runs._by_pid), ([], {}, {}))
        self.runs.pass_time(7.0)
        self.assertIsNone(self.runs.seconds_to_wait(7.0))

    def test_who_hangs_before_he_begins_is_not_started_again(self) -> None:
        """The places that there are do not go to a command whose last start is not even dead; others are started."""
        pid, said = self.fork()
        self.addCleanup(os.close, said)
        self.runs.pass_time(START_SECONDS + HOLD_SECONDS)
        self.taken()

        self.start(1, "a", 6.0)
        self.start(2, "b", 6.0)

        (refused,) = self.taken()
        self.assertEqual((refused.id, refused.errno), (1, errno.EAGAIN))  # type: ignore[union-attr]
        self.assertEqual(len(self.host.launched), 2)
        self.host.dies(pid, 9)
        self.runs.reap(7.0)
        self.start(3, "a", 7.0)
        self.assertEqual(len(self.host.launched), 3)

    def test_a_signal_reaches_what_has_not_begun(self) -> None:
        """There is perhaps no group yet that could be hit; that it was not is no reason to spare it for ever."""
        signals: tuple[Literal[15, 9], ...] = (SIGTERM, SIGKILL)
        for number, asked in enumerate(signals):
            pid, said = self.fork(number)
            self.host.signals.clear()

            self.runs.signal(Signal(0, number, asked), 0.0)

            self.assertEqual(self.host.signals, [("process", number, asked)])
            os.close(said)
            self.assertTrue(self.runs._has_begun(self.runs._by_id[number]))
            self.runs.signal(Signal(0, number, SIGKILL), 0.0)
            self.assertIn(("group", number, SIGKILL), self.host.signals)
            self.host.dies(pid, 9)
            self.runs.reap(1.0)
            self.assertIsInstance(self.taken()[-1], Ran)
        self.assertEqual(self.runs._by_id, {})

    def test_a_signal_is_for_the_program_if_there_is_one(self) -> None:
        """A run that has begun, and has not been told of, is signalled as a group."""
        _, said = self.fork()
        os.close(said)

        self.runs.signal(Signal(0, 0, SIGTERM), 0.0)

        self.assertEqual(self.host.signals, [("group", 0, SIGTERM)])

    def test_a_waiting_process_closes_its_copies(self) -> None:
        """A standby keeps open neither output nor complaints."""
        before = open_descriptors()
        _, said = self.fork()

        self.runs.let_go()

        os.close(said)
        self.assertEqual(open_descriptors(), before)

    # Control groups

    def test_a_group_that_is_empty_is_removed(self) -> None:
        """Whose control group is empty at its end is alone."""
        group = self.host.group = _Group()
        pid = self.start()
        self.host.dies(pid)
        self.runs.reap(0.0)

        self.assertEqual(self.taken(), [Ran(0, pid, 0, is_alone=True)])
        self.assertEqual((group.is_removed, group.kills), (True, 0))

    def test_who_is_in_the_group_is_ended_with_the_run(self) -> None:
        """Whether or not he is our child, carries a tag, or can be seen; the run is over when the group is empty."""
        group = self.host.group = _Group()
        pid = self.start()
        group.members.add(1)
        self.host.dies(pid)
        self.runs.reap(0.0)
        self.assertEqual(self.taken(), [Ran(0, pid, 0, is_alone=False)])

        self.runs.signal(Signal(0, 0, SIGKILL), 0.0)
        self.assertGreater(group.kills, 0)
        self.assertEqual(list(self.runs._by_id), [0])
        group.members.clear()
        self.runs.pass_time(1.0)  # nobody has told us

        self.assertEqual((self.runs._by_id, group.is_removed), ({}, True))
        self.assertIsNone(self.runs.seconds_to_wait(1.0))

    def test_who_leaves_somebody_behind_is_not_short_lived(self) -> None:
        """The next time it is forked, and so gets a group."""
        for number, is_alone in enumerate((True, False, True)):
            self.host.group = _Group()
            pid = self.start(number, "a", 1.0)
            if not is_alone:
                self.host.group.members.add(1)
            self.host.dies(pid)
            self.runs.reap(1.01)
            self.host.group.members.clear()
            self.runs.signal(Signal(0, number, SIGKILL), 1.02)
        self.start(3, "a", 2.0)

        self.assertEqual([was_quick for _, was_quick in self.host.launched], [False, True, False, True])

    def test_without_a_group_it_is_said_once(self) -> None:
        """What should have a control group and gets none is run all the same, and the administrator hears of it."""
        for number in range(2):
            self.host.complaint = os.open(os.devnull, os.O_RDONLY)
            self.start(number)

        self.assertEqual([type(each) for each in self.taken()], [Trouble])
        self.runs.pass_time(1.0)
        self.assertEqual(len(self.host.launched), 2)

    # Those who have left their group

    def test_who_takes_his_mark_off_is_nobodys_and_ended(self) -> None:
        """An orphan without a tag is killed at the next end of a run; so is one whose run is over."""
        pid, other = self.start(0), self.start(1)
        shed, late = self.host.stray(pid), self.host.stray(pid)
        del self.host.tags[shed]
        self.host.tags[late] = self.host.of(99)

        self.host.dies(other)
        self.runs.reap(0.0)

        for stray in (shed, late):
            self.assertIn(("process", stray - _FIRST_PID, SIGKILL), self.host.signals)
        self.assertEqual({who for kind, who, number in self.host.signals if kind == "group"} & {0, 1}, set())

    def test_the_death_of_a_stray_is_a_reason_to_look(self) -> None:
        """Who has handed on leaves another, though no run has ended."""
        pid = self.start(0)
        first, second = self.host.stray(pid), self.host.stray(pid)
        del self.host.tags[second]
        self.host.dies(first)

        self.assertEqual(self.runs.reap(0.0), [first])

        self.assertIn(("process", second - _FIRST_PID, SIGKILL), self.host.signals)

    def test_a_run_is_over_when_its_escaped_processes_are_dead(self) -> None:
        """Not when they were killed: its place is taken as long as they are there."""
        pid = self.start(0)
        stray = self.host.stray(pid)
        self.host.dies(pid)
        self.runs.reap(0.0)
        self.runs.signal(Signal(0, 0, SIGKILL), 0.0)
        self.runs.pass_time(1.0)
        self.assertEqual(list(self.runs._by_id), [0])

        self.host.dies(stray, 9)
        self.runs.reap(2.0)
        self.assertEqual(self.runs._by_id, {})

    def test_who_is_seen_to_otherwise_is_left_alone(self) -> None:
        """An orphan without a tag that is in a control group of ours, or still in a run's process group, lives on."""
        pid, other = self.start(0), self.start(1)
        grouped, member = self.host.stray(pid), self.host.stray(pid, group=pid)
        del self.host.tags[grouped], self.host.tags[member]
        self.host.grouped.add(grouped)

        self.host.dies(other)
        self.runs.reap(0.0)

        self.assertEqual(self.host.signals, [])

    def test_the_standby_is_no_stray(self) -> None:
        """It carries no tag, either."""
        self.host.dies(self.start())
        self.runs.reap(0.0)
        self.runs.end_all()

        self.assertEqual(set(self.host.signals), {("all", 0, SIGKILL)})

    def test_at_the_end_all_are_ended(self) -> None:
        """Those that run with their groups, those in control groups, and those who carry no tag."""
        stray = self.host.stray(self.start())
        del self.host.tags[stray]

        self.runs.end_all()

        for signalled in (("group", 0, SIGKILL), ("all", 0, SIGKILL), ("process", stray - _FIRST_PID, SIGKILL)):
            self.assertIn(signalled, self.host.signals)

    def test_who_forks_and_exits_is_hunted(self) -> None:
        """When one is killed there is another: looks go on until none is; and after some of them others have a turn."""
        pid = self.start()
        self.host.dies(pid)
        hops = 0

        def hop(killed: int) -> None:
            nonlocal hops
            if killed in self.host.escaped and hops < 40:
                hops += 1
                self.host.dies(killed, 9)
                self.host.stray(pid)

        self.host.stray(pid)
        self.host.when_killed = hop
        self.runs.reap(0.0)
        self.runs.signal(Signal(0, 0, SIGKILL), 0.0)
        self.assertGreater(hops, 5)
        self.assertLess(hops, 40)

        now = 0.0
        while hops < 40:
            now += self.runs.seconds_to_wait(now) or 0.0
            self.assertLess(now, 1.0)
            self.runs.pass_time(now)
        self.host.when_killed = lambda _: None
        self.host.dies(*self.host.escaped)
        self.runs.reap(now)

        self.runs.pass_time(now + 1.0)
        self.assertEqual(self.runs._by_id, {})
        self.assertIsNone(self.runs.seconds_to_wait(now + 1.0))

    def test_each_stray_is_read_once(self) -> None:
        """Thousands of orphans of one run cost others nothing; a number that is another's by now is read again."""
        pid = self.start(0)
        escaped = [self.host.stray(pid) for _ in range(1000)]
        for number in range(1, 50):
            self.host.dies(self.start(number))
            self.runs.reap(0.0)
        self.assertEqual(sorted(self.host.reads), escaped)

        self.host.dies(escaped[5])
        self.host.dies(self.start(50))
        self.runs.reap(0.0)
        self.host.escaped[escaped[5]] = escaped[5]
        self.host.tags[escaped[5]] = self.host.of(99)
        self.host.dies(self.start(51))
        self.runs.reap(0.0)

        self.assertIn(("process", escaped[5] - _FIRST_PID, SIGKILL), self.host.signals)

    # Signals

    def test_a_signal_is_for_the_whole_group(self) -> None:
        """SIGTERM goes to the group, once, and to nobody else."""
        self.start()

        self.runs.signal(Signal(0, 0, SIGTERM), 0.0)

        self.assertEqual(self.host.signals, [("group", 0, signal.SIGTERM)])

    def test_who_is_not_there_is_not_signalled(self) -> None:
        """An id that was never given, or whose run is over, hits nobody."""
        pid = self.start()
        self.host.dies(pid)
        self.runs.reap(0.0)

        for run_id in (0, 1, 99, pid):
            for number in (SIGTERM, SIGKILL):
                self.runs.signal(Signal(0, run_id, number), 0.0)

        self.assertEqual(self.host.signals, [])

    def test_a_kill_reaches_who_has_left_the_group(self) -> None:
        """SIGKILL goes to the group and to all that carry the run's tag, and to nobody of another run's."""
        first, second = self.start(0), self.start(1)
        stray, other = self.host.stray(first), self.host.stray(second)

        self.runs.signal(Signal(0, 0, SIGKILL), 0.0)

        self.assertIn(("process", stray - _FIRST_PID, SIGKILL), self.host.signals)
        self.assertNotIn(("process", other - _FIRST_PID, SIGKILL), self.host.signals)
        self.assertEqual({who for kind, who, _ in self.host.signals if kind == "group"}, {0, stray - _FIRST_PID})

    def test_escaped_of_escaped_are_ended_too(self) -> None:
        """Until nobody with the tag is left, each death is followed by another look."""
        pid = self.start()
        self.host.dies(pid)
        grandchild = self.host.stray(pid)
        self.runs.reap(0.0)
        self.assertEqual(self.taken(), [Ran(0, pid, 0, is_alone=False)])

        self.runs.signal(Signal(0, 0, SIGKILL), 0.0)
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
        self.host.groups[pid], self.host.tags[pid] = {pid}, -1

        self.runs.signal(Signal(0, 0, SIGKILL), 0.0)

        self.assertNotIn(("group", 0, SIGKILL), self.host.signals)

    def test_others_in_the_group_are_told_of(self) -> None:
        """A command whose group has another member when it exits is not alone, and the group can be ended."""
        pid = self.start()
        self.host.groups[pid].add(self.host.stray(pid, group=pid))
        self.host.dies(pid)
        self.runs.reap(0.0)
        self.assertEqual(self.taken(), [Ran(0, pid, 0, is_alone=False)])

        self.runs.signal(Signal(0, 0, SIGKILL), 0.0)

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
        self.assertEqual(len(self.runs._was_short_lived), 1)
