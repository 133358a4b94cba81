"""Tests of who takes the runner's place, with real processes."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep.runner.standby import MissedHeartbeats, Standby
from tests.contracts import open_descriptors
from tests.waiting import LIMIT_SECONDS

#: A line of runners: each says who it is, and dies of SIGKILL as soon as it may; the third one ends by itself.
_LINE = """
import os, signal, sys
from cmdserver.privsep import linux
from cmdserver.privsep.runner.standby import Forked, Standby

linux.adopt_orphans()
standby = Standby()
while True:
    predecessor = os.getpid()
    try:
        standby.require()
    except Forked:
        standby.wait_for_takeover(predecessor)
        continue
    orphan = os.popen("setsid sh -c 'echo $PPID; sleep 0.2; exec ps -o ppid= -p $$' &").read()
    print(standby.generation, os.getpid(), standby.pid, orphan.split()[-1], flush=True)
    if standby.generation == 2:
        standby.stop()
        print("dismissed", standby.pid, flush=True)
        break
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
class LineTests(SynchronousTestCase):
    """Generations."""

    def test_each_is_followed_by_its_standby(self) -> None:
        """The standby of who dies is the next, one generation further, adopts orphans, and has a standby itself."""
        with subprocess.Popen([sys.executable, "-c", _LINE], stdout=subprocess.PIPE, text=True) as process:
            said = process.communicate(timeout=LIMIT_SECONDS)[0].splitlines()

        *lines, last = said
        generations = [list(map(int, line.split())) for line in lines]
        self.assertEqual([each[0] for each in generations], [0, 1, 2])
        for (_, _, successor, _), (_, pid, _, _) in pairwise(generations):
            self.assertEqual(successor, pid)
        self.assertEqual([adopter for _, _, _, adopter in generations], [pid for _, pid, _, _ in generations])
        self.assertEqual(last, "dismissed None")


#: A runner that sends heartbeats for a while, and then none; its standby says so, and whether it is gone.
_FALLS_SILENT = """
import os, sys, time
from cmdserver.privsep import linux
from cmdserver.privsep.runner import standby as module
from cmdserver.privsep.runner.standby import Forked, Standby

linux.adopt_orphans()
module.CHECK_SECONDS = 0.02
module.MOST_MISSED = 5
standby = Standby()
runner = os.getpid()
try:
    standby.require()
except Forked:
    was_unresponsive = standby.wait_for_takeover(runner)
    print("unresponsive" if was_unresponsive else "dead", standby.generation, standby.pids, flush=True)
else:
    for _ in range(20):
        standby.send_heartbeat()
        time.sleep(0.02)
    print("silent from now on", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
class UnresponsiveTests(SynchronousTestCase):
    def test_who_does_not_respond_is_killed_and_replaced(self) -> None:
        """As long as there are heartbeats nothing happens; without them the runner is killed by its standby."""
        with subprocess.Popen([sys.executable, "-c", _FALLS_SILENT], stdout=subprocess.PIPE, text=True) as process:
            said = process.communicate(timeout=LIMIT_SECONDS)[0].splitlines()

        self.assertEqual(said, ["silent from now on", "unresponsive 1 set()"])
        self.assertEqual(process.returncode, -signal.SIGKILL)


class MissedHeartbeatsTests(SynchronousTestCase):
    """Looks are counted."""

    def test_so_many_looks_in_vain_are_too_many(self) -> None:
        """Not one fewer."""
        patience = MissedHeartbeats(10)

        self.assertEqual([patience.is_over(has_heartbeat=False) for _ in range(10)], [False] * 9 + [True])

    def test_a_sign_of_life_is_a_new_beginning(self) -> None:
        """Only looks in a row count."""
        patience = MissedHeartbeats(3)

        over = [patience.is_over(has_heartbeat=number % 3 == 2) for number in range(30)]

        self.assertEqual(over, [False] * 30)


class SuccessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)

    def test_without_a_fork_there_is_none(self) -> None:
        """A host without room for another process is no reason to die; there is just no standby."""

        def refused() -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        self.patch(os, "fork", refused)
        standby = Standby()
        before = open_descriptors()

        standby.require()
        standby.send_heartbeat()
        standby.stop()

        self.assertEqual((standby.pid, standby.pids), (None, set()))
        self.assertEqual(open_descriptors(), before)

    def test_without_room_for_a_pipe_there_is_none(self) -> None:
        """A standby that could not see whether we live is none."""

        def refused(_: int) -> tuple[int, int]:
            raise OSError(24, "Too many open files")

        self.patch(os, "pipe2", refused)
        self.patch(os, "fork", None)
        standby = Standby()

        standby.require()

        self.assertIsNone(standby.pid)

    def forked(self, *pids: int) -> tuple[Standby, list[int]]:
        """Have pids that are none; return where their ends of the pipes are, too."""
        standby = Standby()
        kept: list[int] = []
        close = os.close
        self.patch(os, "close", kept.append)
        for pid in pids:
            self.patch(os, "fork", lambda pid=pid: pid)
            standby.require()
        self.patch(os, "close", close)
        for descriptor in kept:
            self.addCleanup(close, descriptor)
        self.addCleanup(close, standby._heartbeats or 0)
        return standby, kept

    def test_signs_go_to_the_standby_of_now(self) -> None:
        """Each has a pipe of its own; the last one's is kept open, and one that nobody reads blocks nobody."""
        standby, (first, second, _) = self.forked(101, 102)

        standby.send_heartbeat()
        self.assertRaises(BlockingIOError, os.read, first, 9)
        self.assertEqual(os.read(second, 9), b"\0")

        for _ in range(70_000):
            standby.send_heartbeat()

    def test_the_dead_are_forgotten(self) -> None:
        """The one that is there now leaves a place; one that was dismissed before does not."""
        standby, _ = self.forked(101, 102)

        standby.reaped(101)
        self.assertEqual((standby.pid, standby.pids), (102, {102}))
        standby.reaped(102)
        standby.reaped(7)

        self.assertEqual((standby.pid, standby.pids), (None, set()))

    def test_nobody_is_waited_for(self) -> None:
        """A standby that is dismissed does nothing more; it is reaped when it is dead, which may be later."""
        signalled: list[tuple[int, int]] = []
        self.patch(os, "kill", lambda *each: signalled.append(each))
        self.patch(os, "waitpid", None)
        standby, _ = self.forked(101)

        standby.stop()
        standby.stop()

        self.assertEqual(signalled, [(101, signal.SIGKILL)])
        self.assertEqual((standby.pid, standby.pids), (None, {101}))

    def test_the_signal_is_waited_for_and_never_taken(self) -> None:
        """What tells of a parent's death is blocked from the beginning, so that it cannot come too early."""
        Standby()

        self.assertIn(signal.SIGUSR1, signal.pthread_sigmask(signal.SIG_BLOCK, set()))
