"""Tests of how a process is found again that has left its group."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep.marks import Marks, is_dead, put_on_self, take_off_self
from cmdserver.privsep.runner import strays
from cmdserver.privsep.runner.strays import end_marked

#: Marks itself, and says so; then waits in a grandchild that is in a session of its own, which says who it is.
_ESCAPES = """
import os, sys, time
from cmdserver.privsep.marks import put_on_self
put_on_self(int(sys.argv[1]))
if not os.fork():
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])
os.wait()
"""


class NumberTests(SynchronousTestCase):
    def test_runs_have_different_marks(self) -> None:
        """Two runs of one runner do not have the same mark, nor have runs of two."""
        marks = {Marks(family).of(run) for family in range(20) for run in range(20)}

        self.assertEqual(len(marks), 400)

    def test_no_mark_bounds_anybody(self) -> None:
        """As microseconds of a processor every mark is thousands of years, and a number that the kernel takes."""
        for family in (0, 1, (1 << 24) - 1, 1 << 24):
            for run in (0, (1 << 32) - 1, 1 << 32, (1 << 62) - 1):
                mark = Marks(family).of(run)
                self.assertGreater(mark / 1e6 / 86400 / 365, 3000)
                self.assertLess(mark, 1 << 63)

    def test_somebody_without_a_mark_has_none(self) -> None:
        """We are not marked, and neither is who is not there."""
        self.assertIsNone(Marks(1).read(os.getpid()))
        self.assertIsNone(Marks(1).read(1 << 30))


@pytest.mark.slow
class ProcessTests(SynchronousTestCase):
    """With real processes."""

    def setUp(self) -> None:
        self.marks = Marks(int.from_bytes(os.urandom(3), "big"))

    def begin(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start one that is ended with the test."""
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        take_off_self()
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process

    def begin_marked(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start one that has got its mark from us."""
        put_on_self(self.marks.of(7))
        return self.begin(*argv)

    def test_a_mark_is_read_from_outside(self) -> None:
        """Who was started by somebody with a mark carries it, and its hard limit is none."""
        process = self.begin_marked("sleep", "60")

        self.assertEqual(self.marks.read(process.pid), self.marks.of(7))
        self.assertEqual(list(self.marks.everywhere()), [process.pid])
        self.assertIsNone(Marks(0).read(process.pid))
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_RTTIME)
        self.assertEqual(hard, resource.RLIM_INFINITY)

    def test_a_mark_is_taken_off(self) -> None:
        """Who has lent a process its mark is without one again."""
        self.begin_marked("true")

        self.assertIsNone(self.marks.read(os.getpid()))
        self.assertEqual(resource.getrlimit(resource.RLIMIT_RTTIME), (resource.RLIM_INFINITY,) * 2)

    def test_descendants_inherit_it(self) -> None:
        """A grandchild in a session of its own, which runs another program, carries the mark of its grandparent."""
        process = self.begin(sys.executable, "-c", _ESCAPES, str(self.marks.of(9)))
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        self.addCleanup(os.kill, grandchild, signal.SIGKILL)

        self.assertNotEqual(os.getsid(grandchild), os.getsid(process.pid))
        self.assertEqual(self.marks.read(grandchild), self.marks.of(9))
        self.assertEqual(set(self.marks.everywhere()), {process.pid, grandchild})

    def test_the_dead_are_told_from_the_living(self) -> None:
        """Who was killed and is not yet buried carries his mark still, and nobody waits for him."""
        process = self.begin_marked("sleep", "60")
        self.assertFalse(is_dead(process.pid))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        self.assertEqual(list(self.marks.everywhere()), [process.pid])
        self.assertTrue(is_dead(process.pid))
        self.assertTrue(is_dead(1 << 30))
        self.patch(strays, "next_death", lambda: None)
        self.patch(time, "sleep", None)
        end_marked(self.marks)
