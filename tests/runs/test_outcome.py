"""Tests of how runs ended, in words."""

from typing import Any
from unittest import TestCase

from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.runs.outcome import problem_of
from tests.running_doubles import command, finished


class ProblemTests(TestCase):
    def test_each(self) -> None:
        """The reason that explains the others, as it is told behind a command's name."""
        stopped: dict[str, Any] = {"exit_status": None, "signal": "SIGTERM"}
        cases: list[tuple[dict[str, Any], str | None]] = [
            ({}, None),
            ({"exit_status": 3}, "exit status 3"),
            ({"exit_status": None, "signal": "SIGSEGV"}, "ended by SIGSEGV"),
            ({**stopped, "ended_by": EndedBy.STOP, "stopped_by": "guy"}, "stopped by guy"),
            ({**stopped, "ended_by": EndedBy.STOP}, "stopped"),
            ({**stopped, "ended_by": EndedBy.CALLER}, "stopped"),
            ({**stopped, "ended_by": EndedBy.DISCONNECT}, "stopped, as its caller had left"),
            ({**stopped, "ended_by": EndedBy.SHUTDOWN}, "stopped, as the daemon was"),
            ({**stopped, "ended_by": EndedBy.LIMIT, "timed_out": True}, "timeout: ran longer than 2.5 s and was ended"),
            ({**stopped, "ended_by": EndedBy.LIMIT, "truncated": True}, "output truncated at 9 bytes"),
            ({"truncated": True, "timed_out": True}, "output truncated at 9 bytes"),
        ]
        for differences, problem in cases:
            with self.subTest(differences):
                asked = command(timeout_seconds=2.5, output_limit_bytes=9)
                result = finished(**differences)
                self.assertEqual(problem_of(asked, result), problem)
                self.assertEqual(problem is None, result.state(asked.ok_statuses) is RunState.OK)

    def test_statuses_that_count_as_success(self) -> None:
        """Are no problem; those that do not are, be it 0."""
        asked = command(ok_statuses=frozenset({1}))

        self.assertIsNone(problem_of(asked, finished(exit_status=1)))
        self.assertEqual(problem_of(asked, finished(exit_status=0)), "exit status 0")
