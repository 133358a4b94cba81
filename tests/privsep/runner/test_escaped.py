"""Tests of how those are found and ended who have left their run's process group, with real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep import linux
from cmdserver.privsep.process_tags import ProcessTags, end_tagged, kill_with_group, tag_self, untag_self
from cmdserver.privsep.runner.escaped import EscapedProcesses

#: Leaves its session, and hands on from one process to the next as fast as it can, for as long as a test may take;
#: without its tag, if it is told so.
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


class _Listed(EscapedProcesses):
    """EscapedProcesses of whom the test says who is there.

    Args:
        children: Says so.
    """

    def __init__(self, children: Callable[[], list[int]], tags: ProcessTags, spared: set[int]) -> None:
        super().__init__(tags, spared)
        self._of_test = children

    def _list(self) -> bytes:
        return b" ".join(b"%d" % each for each in self._of_test())


class ListTests(SynchronousTestCase):
    """Who is there, by a list that the test has written."""

    def setUp(self) -> None:
        self.children: list[int] = []
        self.tags = ProcessTags(1)
        self.of: dict[int, int] = {}
        self.patch(ProcessTags, "read", lambda _, pid: self.of.get(pid))
        self.patch(os, "getpgid", lambda pid: pid)
        self.escaped = _Listed(lambda: self.children, self.tags, {9})

    def test_children_of_runs_and_standbys_are_not_escaped(self) -> None:
        """Everybody else is one, by his tag."""
        self.children, self.of = [7, 8, 9, 10, 11], {7: 1, 8: 2, 10: 2}

        self.assertEqual(self.escaped.look({7}), {2: [8, 10], None: [11]})

    def test_a_change_is_seen(self) -> None:
        """Whoever comes or goes is, and who is in a new place of the list."""
        self.children, self.of = [8], {8: 2, 10: 3}
        self.assertEqual(self.escaped.look(()), {2: [8]})
        self.children = [8, 10]
        self.assertEqual(self.escaped.look(()), {2: [8], 3: [10]})
        self.escaped.reaped(8)
        self.children = [10]
        self.assertEqual(self.escaped.look(()), {3: [10]})
        self.escaped.reaped(10)
        self.children = []
        self.assertEqual(self.escaped.look(()), {})

    def test_a_number_may_be_anothers(self) -> None:
        """As soon as a child has been reaped nothing that was known of it holds, though the list be the same."""
        signals: list[tuple[int, int]] = []
        self.patch(os, "kill", lambda *each: signals.append(each))
        self.patch(os, "killpg", lambda *_: None)
        self.children, self.of = [8], {8: 2}
        self.assertEqual(self.escaped.look(()), {2: [8]})
        self.assertTrue(self.escaped.kill([8]))
        self.assertFalse(self.escaped.kill([8]))
        self.escaped.reaped(8)
        self.of = {8: 3}

        self.assertEqual(self.escaped.look(()), {3: [8]})
        self.assertTrue(self.escaped.kill([8]))
        self.assertEqual(signals, [(8, signal.SIGKILL)] * 2)
        self.escaped.reaped(8)
        self.assertEqual(self.escaped.look({8}), {})

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
        self.tags = ProcessTags(int.from_bytes(os.urandom(3), "big"))
        self.escaped = EscapedProcesses(self.tags)
        self.addCleanup(self.escaped.let_go)

    def begin(self, *argv: str) -> None:
        """Let somebody begin with a tag, and lose his parent."""
        tag_self(self.tags.of(3))
        try:
            said = subprocess.run([sys.executable, "-c", *argv], stdout=subprocess.PIPE, check=True).stdout
        finally:
            untag_self()
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
            self.escaped.reaped(pid)

    def hunt(self, *tags: int | None) -> None:
        """Look and kill until nobody is there, as a runner does; a test that would never end fails."""
        for _ in range(100_000):
            found = self.escaped.look(())
            self.escaped.kill([pid for tag in tags for pid in found.get(tag, ())])
            self.bury()
            if not found and not self.escaped.look(()):
                return
        self.fail("somebody is still there")

    def test_who_hands_on_is_ended(self) -> None:
        """However fast it forks and exits, and with its tag or without."""
        for words in ((), ("without",)):
            self.begin(_COMET, *words)
            self.hunt(self.tags.of(3), None)
            self.assertEqual(list(self.tags.everywhere()), [])

    def test_who_carries_a_mark_is_found_anywhere(self) -> None:
        """Not among our children alone: by who takes our place."""
        self.begin(_COMET)

        end_tagged(self.tags)

        self.assertEqual(list(self.tags.everywhere()), [])
        self.bury()
