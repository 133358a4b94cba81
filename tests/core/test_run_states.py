"""Tests of what becomes of runs, in the vocabulary of all protocols."""

from typing import Any
from unittest import TestCase

from cmdserver.checks.states import CheckState
from cmdserver.core.errors import Code
from cmdserver.core.output import ProcessResult, outcome_of
from cmdserver.core.run_states import EndedBy, Keep, RunState
from tests.running_doubles import finished

OK = frozenset({0})


class RunStateTests(TestCase):
    def test_what_is_alive(self) -> None:
        """What waits and what runs; nothing else comes to an end any more."""
        self.assertEqual([state for state in RunState if state.is_alive], [RunState.QUEUED, RunState.RUNNING])

    def test_outcomes(self) -> None:
        """Each state has one outcome; what was cut, stopped or lost has failed."""
        self.assertEqual(
            {state: outcome_of(state) for state in RunState if not state.is_alive},
            {
                RunState.OK: Code.OK,
                RunState.FAILED: Code.FAILED,
                RunState.TIMEOUT: Code.TIMEOUT,
                RunState.TRUNCATED: Code.FAILED,
                RunState.STOPPED: Code.FAILED,
                RunState.FAULT: Code.FAULT,
                RunState.LOST: Code.FAILED,
            },
        )

    def test_what_is_kept(self) -> None:
        """All that is over, all but what went well, or nothing."""
        over = [state for state in RunState if not state.is_alive]

        self.assertEqual([state for state in over if Keep.ALL.keeps(state)], over)
        self.assertEqual([state for state in over if not Keep.FAILED.keeps(state)], [RunState.OK])
        self.assertEqual([state for state in over if Keep.NONE.keeps(state)], [])
        found = [check for check in CheckState if Keep.FAILED.keeps(RunState.OK, check)]
        self.assertEqual(found, [CheckState.WARNING, CheckState.CRITICAL, CheckState.UNKNOWN])
        self.assertFalse(Keep.NONE.keeps(RunState.OK, CheckState.CRITICAL))


class ResultTests(TestCase):
    def test_one_reason(self) -> None:
        """Of several the one that explains the others: too much output, too much time, somebody, the command itself."""
        cases: list[tuple[dict[str, Any], RunState]] = [
            ({}, RunState.OK),
            ({"exit_status": 3}, RunState.FAILED),
            ({"exit_status": None, "signal": "SIGSEGV"}, RunState.FAILED),
            ({"exit_status": None, "signal": "SIGTERM", "ended_by": EndedBy.STOP}, RunState.STOPPED),
            ({"exit_status": 0, "ended_by": EndedBy.DISCONNECT}, RunState.STOPPED),
            ({"timed_out": True, "ended_by": EndedBy.LIMIT}, RunState.TIMEOUT),
            ({"truncated": True, "ended_by": EndedBy.LIMIT}, RunState.TRUNCATED),
            ({"truncated": True, "timed_out": True}, RunState.TRUNCATED),
        ]
        for differences, state in cases:
            with self.subTest(differences):
                self.assertIs(finished(**differences).state(OK), state)

    def test_statuses_that_count_as_success(self) -> None:
        """Are what the command says; a signal never is one."""
        statuses = frozenset({1, 2})
        states = [finished(exit_status=status).state(statuses) for status in (0, 1, 2, None)]
        self.assertEqual(states, [RunState.FAILED, RunState.OK, RunState.OK, RunState.FAILED])

    def test_a_process_that_will_not_be(self) -> None:
        """Has done nothing, and somebody has seen to that."""
        result = ProcessResult.of_none(EndedBy.STOP, "guy")

        self.assertEqual((result.state(OK), result.stopped_by, result.is_over), (RunState.STOPPED, "guy", False))
        self.assertEqual((result.duration_seconds, result.stdout_bytes, result.stderr_bytes), (0.0, 0, 0))
        self.assertIs(ProcessResult.of_none().state(OK), RunState.FAILED)
