"""How a request over SSH ended, as a status or a signal."""

import unittest

from msgspec.structs import replace

from cmdserver.core.errors import Code
from cmdserver.core.output import Answer
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.frontends.ssh.exit_status import STATUS, ExitStatus, of_ending
from tests.checks.doubles import by_rules, plugin
from tests.doubles import an_answer


class EndingTests(unittest.TestCase):
    def test_codes(self) -> None:
        """Each has one that a caller over SSH may get."""
        self.assertEqual(set(Code) - {Code.SKIPPED, Code.MISSED}, set(STATUS))
        for code, status in STATUS.items():
            self.assertEqual(of_ending(code), ExitStatus(status))

    def test_commands(self) -> None:
        """Their own end goes through; our own reasons come first."""
        cases: list[tuple[Answer, ExitStatus]] = [
            (an_answer(exit_status=7), ExitStatus(7)),
            (an_answer(exit_status=None, signal="SIGSEGV"), ExitStatus(signal="SIGSEGV")),
            (an_answer(exit_status=None), ExitStatus(signal="SIGTERM")),
            (an_answer(exit_status=0, timed_out=True), ExitStatus(124)),
            (replace(an_answer(exit_status=0), state=RunState.LOST), ExitStatus(70)),
            (replace(an_answer(exit_status=0), state=RunState.FAULT), ExitStatus(70)),
        ]
        for answer, status in cases:
            self.assertEqual(of_ending(answer), status)

    def test_plugins(self) -> None:
        """Their own end goes through, unless it is another state's than what is told everywhere else."""
        rubbish = b"\xff"
        cases: list[tuple[Answer, ExitStatus]] = [
            *((plugin(b"x", status), ExitStatus(status)) for status in (0, 1, 2, 3, 4, 127)),
            (plugin(b"x", None, signal="SIGSEGV"), ExitStatus(signal="SIGSEGV")),
            (plugin(rubbish, 0), ExitStatus(3)),
            (plugin(rubbish, 2), ExitStatus(3)),
            (plugin(rubbish, 9), ExitStatus(9)),
            (plugin(b"x", 0, truncated=True), ExitStatus(3)),
            (plugin(b"x", 0, ended_by=EndedBy.STOP), ExitStatus(3)),
            (plugin(b"x", 0, timed_out=True), ExitStatus(124)),
        ]
        for answer, status in cases:
            self.assertEqual(of_ending(answer), status)

    def test_rules(self) -> None:
        """They have the state's; a command that was killed says so."""
        cases: list[tuple[Answer, ExitStatus]] = [
            (by_rules([{"mounted_on": "/", "use_percent": 1}]), ExitStatus(0)),
            (by_rules([{"mounted_on": "/", "use_percent": 81}]), ExitStatus(1)),
            (by_rules(), ExitStatus(2)),
            (by_rules([]), ExitStatus(3)),
            (by_rules(exit_status=1), ExitStatus(3)),
            (by_rules(exit_status=0, timed_out=True), ExitStatus(124)),
            (by_rules(exit_status=None, signal="SIGKILL"), ExitStatus(signal="SIGKILL")),
        ]
        for answer, status in cases:
            self.assertEqual(of_ending(answer), status)
