"""Tests of the queue in front of the thread: answers, errors, and nobody waits without an end."""

import threading

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.history.errors import Unavailable
from cmdserver.history.worker import MOST_JOBS, HistoryThread, Worker
from tests.history.doubles import ManualThread


class WorkerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.thread = ManualThread()
        self.worker = Worker(self.clock, self.thread.run)

    def test_answers(self) -> None:
        """What the function returns, or raises; no timer is left."""
        self.assertEqual(self.successResultOf(self.worker.ask(1, divmod, 7, 2)), (3, 1))
        self.failureResultOf(self.worker.ask(1, divmod, 7, 0), ZeroDivisionError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_disk_that_does_not_answer(self) -> None:
        """Who waits is told, and whoever asks then, at once; until it answers after all."""
        self.thread.is_held = True
        first, second = self.worker.ask(1, str, 1), self.worker.ask(2, str, 2)
        self.clock.advance(1)
        self.failureResultOf(first, Unavailable)
        self.assertNoResult(second)
        self.failureResultOf(self.worker.ask(1, str, 3), Unavailable)

        self.thread.go_on()

        self.assertEqual(self.successResultOf(second), "2")
        self.assertEqual(self.successResultOf(self.worker.ask(1, str, 4)), "4")

    def test_too_many(self) -> None:
        """What cannot be taken is refused at once."""
        self.thread.is_held = True
        asked: list[Deferred[str]] = [self.worker.ask(1, str, each) for each in range(MOST_JOBS)]

        self.failureResultOf(self.worker.ask(1, str, 0), Unavailable)

        self.thread.go_on()
        self.assertEqual([self.successResultOf(each) for each in asked], [str(each) for each in range(MOST_JOBS)])


class InThisThread:
    """The part of the reactor that a thread knows, for one that is waited for."""

    def callFromThread(self, function: object, *args: object) -> None:
        assert callable(function)
        function(*args)


class HistoryThreadTests(SynchronousTestCase):
    def test_it_works_elsewhere(self) -> None:
        """In one thread, always the same, which keeps no process from ending; none is started before it is needed."""
        pool = HistoryThread(InThisThread())
        self.assertEqual(pool.threads, [])
        done = threading.Event()
        answers = [pool.run(threading.current_thread) for _ in range(3)]
        pool.run(done.set)
        self.assertTrue(done.wait(60))
        pool.stop()

        threads = {self.successResultOf(each) for each in answers}
        self.assertEqual(len(threads), 1)
        self.assertTrue(threads.pop().daemon)
