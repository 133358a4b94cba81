"""Tests of how a process is found again that has left its group."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep import process_tags
from cmdserver.privsep.process_tags import ProcessTags, end_tagged, is_dead, tag_self, untag_self

#: ProcessTags itself, and says so; then waits in a grandchild that is in a session of its own, which says who it is.
_ESCAPES = """
import os, sys, time
from cmdserver.privsep.process_tags import tag_self
tag_self(int(sys.argv[1]))
if not os.fork():
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])
os.wait()
"""


class NumberTests(SynchronousTestCase):
    def test_runs_have_different_marks(self) -> None:
        """Two runs of one runner do not have the same tag, nor have runs of two."""
        tags = {ProcessTags(family).of(run) for family in range(20) for run in range(20)}

        self.assertEqual(len(tags), 400)

    def test_no_mark_bounds_anybody(self) -> None:
        """As microseconds of a processor every tag is thousands of years, and a number that the kernel takes."""
        for family in (0, 1, (1 << 24) - 1, 1 << 24):
            for run in (0, (1 << 32) - 1, 1 << 32, (1 << 62) - 1):
                tag = ProcessTags(family).of(run)
                self.assertGreater(tag / 1e6 / 86400 / 365, 3000)
                self.assertLess(tag, 1 << 63)

    def test_somebody_without_a_mark_has_none(self) -> None:
        """We are not tagged, and neither is who is not there."""
        self.assertIsNone(ProcessTags(1).read(os.getpid()))
        self.assertIsNone(ProcessTags(1).read(1 << 30))


@pytest.mark.slow
class ProcessTests(SynchronousTestCase):
    """With real processes."""

    def setUp(self) -> None:
        self.tags = ProcessTags(int.from_bytes(os.urandom(3), "big"))

    def begin(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start one that is ended with the test."""
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        untag_self()
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process

    def begin_tagged(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start one that has got its tag from us."""
        tag_self(self.tags.of(7))
        return self.begin(*argv)

    def test_a_mark_is_read_from_outside(self) -> None:
        """Who was started by somebody with a tag carries it, and its hard limit is none."""
        process = self.begin_tagged("sleep", "60")

        self.assertEqual(self.tags.read(process.pid), self.tags.of(7))
        self.assertEqual(list(self.tags.everywhere()), [process.pid])
        self.assertIsNone(ProcessTags(0).read(process.pid))
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_RTTIME)
        self.assertEqual(hard, resource.RLIM_INFINITY)

    def test_a_mark_is_taken_off(self) -> None:
        """Who has lent a process its tag is without one again."""
        self.begin_tagged("true")

        self.assertIsNone(self.tags.read(os.getpid()))
        self.assertEqual(resource.getrlimit(resource.RLIMIT_RTTIME), (resource.RLIM_INFINITY,) * 2)

    def test_descendants_inherit_it(self) -> None:
        """A grandchild in a session of its own, which runs another program, carries the tag of its grandparent."""
        process = self.begin(sys.executable, "-c", _ESCAPES, str(self.tags.of(9)))
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        self.addCleanup(os.kill, grandchild, signal.SIGKILL)

        self.assertNotEqual(os.getsid(grandchild), os.getsid(process.pid))
        self.assertEqual(self.tags.read(grandchild), self.tags.of(9))
        self.assertEqual(set(self.tags.everywhere()), {process.pid, grandchild})

    def test_the_dead_are_told_from_the_living(self) -> None:
        """Who was killed and is not yet reaped carries his tag still, and nobody waits for him."""
        process = self.begin_tagged("sleep", "60")
        self.assertFalse(is_dead(process.pid))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        self.assertEqual(list(self.tags.everywhere()), [process.pid])
        self.assertTrue(is_dead(process.pid))
        self.assertTrue(is_dead(1 << 30))
        self.patch(process_tags, "next_death", lambda: None)
        self.patch(time, "sleep", None)
        end_tagged(self.tags)
