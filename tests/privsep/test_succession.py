"""Tests of who takes the runner's place, with real processes."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.privsep.succession import Succession

#: A line of runners: each says who it is, and dies of SIGKILL as soon as it may; the third one ends by itself.
_LINE = """
import os, signal, sys
from cmdserver.privsep import linux
from cmdserver.privsep.succession import Forked, Succession

linux.adopt_orphans()
succession = Succession()
while True:
    predecessor = os.getpid()
    try:
        succession.require_successor()
    except Forked:
        succession.wait_for_our_turn(predecessor)
        continue
    orphan = os.popen("setsid sh -c 'echo $PPID; sleep 0.2; exec ps -o ppid= -p $$' &").read()
    print(succession.generation, os.getpid(), succession.successor, orphan.split()[-1], flush=True)
    if succession.generation == 2:
        succession.dismiss()
        print("dismissed", succession.successor, flush=True)
        break
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
class LineTests(SynchronousTestCase):
    """Generations."""

    def test_each_is_followed_by_its_standby(self) -> None:
        """The standby of who dies is the next, one generation further, adopts orphans, and has a standby itself."""
        with subprocess.Popen([sys.executable, "-c", _LINE], stdout=subprocess.PIPE, text=True) as process:
            said = process.communicate(timeout=30)[0].splitlines()

        *lines, last = said
        generations = [list(map(int, line.split())) for line in lines]
        self.assertEqual([each[0] for each in generations], [0, 1, 2])
        for (_, _, successor, _), (_, pid, _, _) in pairwise(generations):
            self.assertEqual(successor, pid)
        self.assertEqual([adopter for _, _, _, adopter in generations], [pid for _, pid, _, _ in generations])
        self.assertEqual(last, "dismissed None")


class SuccessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)

    def test_without_a_fork_there_is_none(self) -> None:
        """A host without room for another process is no reason to die; there is just no standby."""

        def refused() -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        self.patch(os, "fork", refused)
        succession = Succession()

        succession.require_successor()
        succession.dismiss()

        self.assertIsNone(succession.successor)

    def test_the_signal_is_waited_for_and_never_taken(self) -> None:
        """What tells of a parent's death is blocked from the beginning, so that it cannot come too early."""
        Succession()

        self.assertIn(signal.SIGUSR1, signal.pthread_sigmask(signal.SIG_BLOCK, set()))
