"""Tests of having files opened: who waits for what, and what becomes of those who wait for nothing."""

import errno
import os

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Unavailable
from cmdserver.privsep.daemon.fetching import FETCH_SECONDS, MOST_NAMES, Fetches
from cmdserver.privsep.messages import Fetched
from tests.contracts import open_descriptors


class FetchesTests(SynchronousTestCase):
    """The questions, with a runner that the test is."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[str] = []
        self.fetches = Fetches(self.clock, self.sent.append)
        self.before = open_descriptors()

    def answer(self, name: str, number: int = 0, *, opened: bool = True) -> None:
        """Be the runner, and answer."""
        descriptors = (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC),) if opened and not number else ()
        self.fetches.answered(Fetched(name, number), descriptors)

    def assert_opened(self, answer: Deferred[int]) -> None:
        """Somebody has got a descriptor of his own."""
        os.close(self.successResultOf(answer))

    def fall_silent(self) -> None:
        """Let a question go unanswered."""
        answer = self.fetches.fetch("tokens")
        with capturedLogs():
            self.clock.advance(FETCH_SECONDS)
        self.failureResultOf(answer, Unavailable)
        self.sent.clear()

    def test_a_question_is_asked_once(self) -> None:
        """However many wait for it; each gets a descriptor of his own, and the next asks anew."""
        answers = [self.fetches.fetch("passwd") for _ in range(3)]
        other = self.fetches.fetch("tokens")
        self.assertEqual(self.sent, ["passwd", "tokens"])

        self.answer("passwd")

        for each in answers:
            self.assert_opened(each)
        self.assertNoResult(other)
        self.fetches.fetch("passwd")
        self.assertEqual(self.sent, ["passwd", "tokens", "passwd"])
        self.assertEqual(open_descriptors(), self.before)

    def test_reasons_come_back(self) -> None:
        """What is wrong with the file is told apart from what the runner, or we, are short of."""
        for number, kind in (
            (errno.ENOENT, FileNotFoundError),
            (errno.EPERM, PermissionError),
            (errno.EMFILE, Unavailable),
            (errno.ENFILE, Unavailable),
            (errno.ENOMEM, Unavailable),
            (0, Unavailable),
        ):
            answer = self.fetches.fetch("passwd")
            self.answer("passwd", number, opened=False)
            failure = self.failureResultOf(answer, OSError)
            self.assertIs(type(failure.value), kind)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_not_waited_for_is_closed(self) -> None:
        """An answer to no question, a late one, one that everybody has given up; and one too many."""
        self.answer("passwd")
        answer = self.fetches.fetch("passwd")
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.answer("passwd")
        self.fall_silent()
        self.answer("tokens")
        self.fetches.heard()
        answer = self.fetches.fetch("passwd")
        self.fetches.answered(Fetched("passwd", 0), (os.dup(0), os.dup(0)))
        self.failureResultOf(answer, Unavailable)

        self.assertEqual(open_descriptors(), self.before)

    def test_who_gives_up_takes_nothing_from_others(self) -> None:
        """Before the answer, or because of it."""
        first, second, third = (self.fetches.fetch("passwd") for _ in range(3))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second.addCallback(os.close).addCallback(lambda _: third.cancel())

        self.answer("passwd")

        self.successResultOf(second)
        self.failureResultOf(third, CancelledError)
        self.assertEqual(open_descriptors(), self.before)

    def test_an_answer_that_is_late_is_none(self) -> None:
        """After a time nobody waits any more: neither for that answer nor for those behind it, and it is said once."""
        first = self.fetches.fetch("passwd")
        self.clock.advance(FETCH_SECONDS / 2)
        second = self.fetches.fetch("tokens")
        self.clock.advance(FETCH_SECONDS / 2 - 0.001)
        self.assertNoResult(first)

        with capturedLogs() as events:
            self.clock.advance(0.001)

        for each in (first, second):
            self.failureResultOf(each, Unavailable)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_unresponsive_is_not_asked(self) -> None:
        """Whoever asks then is told at once, until the runner says anything."""
        self.fall_silent()
        for _ in range(3):
            self.failureResultOf(self.fetches.fetch("passwd"), Unavailable)
        self.assertEqual((self.sent, self.clock.getDelayedCalls()), ([], []))

        with capturedLogs() as events:
            self.fetches.heard()
            self.fetches.heard()

        self.assertEqual(len(events), 1)
        answer = self.fetches.fetch("passwd")
        self.answer("passwd")
        self.assert_opened(answer)

    def test_only_so_many_are_asked_for(self) -> None:
        """One too many is told to come again; a name that was asked for already is none; an answer makes room."""
        answers = [self.fetches.fetch(f"authorized_keys/u{number}") for number in range(MOST_NAMES)]
        self.failureResultOf(self.fetches.fetch("passwd"), Unavailable)
        self.assertNoResult(self.fetches.fetch("authorized_keys/u0"))
        self.assertEqual(len(self.sent), MOST_NAMES)

        self.answer("authorized_keys/u1", errno.ENOENT)
        self.failureResultOf(answers[1], FileNotFoundError)
        self.assertNoResult(self.fetches.fetch("passwd"))

    def test_another_runner_is_asked_again(self) -> None:
        """What it has not heard; the time runs on."""
        answer = self.fetches.fetch("passwd")
        self.clock.advance(FETCH_SECONDS - 0.5)

        self.fetches.ask_again()
        self.assertEqual(self.sent, ["passwd", "passwd"])
        with capturedLogs():
            self.clock.advance(0.5)

        self.failureResultOf(answer, Unavailable)

    def test_without_a_runner_nobody_waits(self) -> None:
        """Nor does anything go on."""
        answer = self.fetches.fetch("passwd")
        self.fetches.end()
        self.fetches.end()

        self.failureResultOf(answer, Unavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_room_for_descriptors(self) -> None:
        """Who cannot be given one of his own is told to come again."""

        def refused(_: int) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        answer = self.fetches.fetch("passwd")
        self.patch(os, "dup", refused)
        self.answer("passwd")

        self.failureResultOf(answer, Unavailable)
        self.assertEqual(open_descriptors(), self.before)
