"""Tests of how those are found and ended who have left their run's process group, with real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep import linux
from cmdserver.privsep.marks import Marks, put_on_self, take_off_self
from cmdserver.privsep.runner.strays import Strays, end_marked, kill_with_group

#: Leaves its session, and hands on from one process to the next as fast as it can, for as long as a test may take;
#: without its mark, if it is told so.
_COMET = """
import os, resource, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY,) * 2)
os.write(1, b"begun\\n")
os.close(1)
end = time.monotonic() + 30
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
"""


class _Listed(Strays):
    """Strays of whom the test says who is there.

    Args:
        children: Says so.
    """

    def __init__(self, children: Callable[[], list[int]], marks: Marks, spared: set[int]) -> None:
        super().__init__(marks, spared)
        self._of_test = children

    def _list(self) -> bytes:
        return b" ".join(b"%d" % each for each in self._of_test())


class ListTests(SynchronousTestCase):
    """Who is there, by a list that the test has written."""

    def setUp(self) -> None:
        self.children: list[int] = []
        self.marks = Marks(1)
        self.of: dict[int, int] = {}
        self.patch(Marks, "read", lambda _, pid: self.of.get(pid))
        self.patch(os, "getpgid", lambda pid: pid)
        self.strays = _Listed(lambda: self.children, self.marks, {9})

    def test_children_of_runs_and_standbys_are_no_strays(self) -> None:
        """Everybody else is one, by his mark."""
        self.children, self.of = [7, 8, 9, 10, 11], {7: 1, 8: 2, 10: 2}

        self.assertEqual(self.strays.look({7}), {2: [8, 10], None: [11]})

    def test_a_change_is_seen(self) -> None:
        """Whoever comes or goes is, and who is in a new place of the list."""
        self.children, self.of = [8], {8: 2, 10: 3}
        self.assertEqual(self.strays.look(()), {2: [8]})
        self.children = [8, 10]
        self.assertEqual(self.strays.look(()), {2: [8], 3: [10]})
        self.strays.buried(8)
        self.children = [10]
        self.assertEqual(self.strays.look(()), {3: [10]})
        self.strays.buried(10)
        self.children = []
        self.assertEqual(self.strays.look(()), {})

    def test_a_number_may_be_anothers(self) -> None:
        """As soon as a child has been reaped nothing that was known of it holds, though the list be the same."""
        signals: list[tuple[int, int]] = []
        self.patch(os, "kill", lambda *each: signals.append(each))
        self.patch(os, "killpg", lambda *_: None)
        self.children, self.of = [8], {8: 2}
        self.assertEqual(self.strays.look(()), {2: [8]})
        self.assertTrue(self.strays.kill([8]))
        self.assertFalse(self.strays.kill([8]))
        self.strays.buried(8)
        self.of = {8: 3}

        self.assertEqual(self.strays.look(()), {3: [8]})
        self.assertTrue(self.strays.kill([8]))
        self.assertEqual(signals, [(8, signal.SIGKILL)] * 2)
        self.strays.buried(8)
        self.assertEqual(self.strays.look({8}), {})

    def test_our_own_group_is_not_killed(self) -> None:
        """Nor what is no group: to killpg(2) 0 is our own, and 1 is init's."""
        groups: list[int] = []
        self.patch(os, "kill", lambda *_: None)
        self.patch(os, "killpg", lambda group, _: groups.append(group))
        for group in (os.getpgrp(), 0, 1, 77):
            self.patch(os, "getpgid", lambda _, group=group: group)
            kill_with_group(5)

        self.assertEqual(groups, [77])


@pytest.mark.slow
class ProcessTests(SynchronousTestCase):
    """Real ones, of whom we are the subreaper."""

    def setUp(self) -> None:
        linux.adopt_orphans()
        self.marks = Marks(int.from_bytes(os.urandom(3), "big"))
        self.strays = Strays(self.marks)
        self.addCleanup(self.strays.let_go)

    def begin(self, *argv: str) -> None:
        """Let somebody begin with a mark, and lose his parent."""
        put_on_self(self.marks.of(3))
        try:
            said = subprocess.run([sys.executable, "-c", *argv], stdout=subprocess.PIPE, check=True).stdout
        finally:
            take_off_self()
        self.assertEqual(said, b"begun\n")

    def bury(self) -> None:
        """Reap who is dead, as a runner does."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self.strays.buried(pid)

    def hunt(self, *marks: int | None) -> None:
        """Look and kill until nobody is there, as a runner does; a test that would never end fails."""
        for _ in range(100_000):
            found = self.strays.look(())
            self.strays.kill([pid for mark in marks for pid in found.get(mark, ())])
            self.bury()
            if not found and not self.strays.look(()):
                return
        self.fail("somebody is still there")

    def test_who_hands_on_is_ended(self) -> None:
        """However fast it forks and exits, and with its mark or without."""
        for words in ((), ("without",)):
            self.begin(_COMET, *words)
            self.hunt(self.marks.of(3), None)
            self.assertEqual(list(self.marks.everywhere()), [])

    def test_who_carries_a_mark_is_found_anywhere(self) -> None:
        """Not among our children alone: by who takes our place."""
        self.begin(_COMET)

        end_marked(self.marks)

        self.assertEqual(list(self.marks.everywhere()), [])
        self.bury()
