"""Tests of runs that are known from the history alone."""

from typing import Any
from unittest import TestCase

from cmdserver.core.output import Stream
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.bygone import answer_of, grant_of
from cmdserver.dispatch.policy import Policy
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import Asked
from tests.doubles import a_grant
from tests.running_doubles import command
from tests.runs.doubles import a_record

OUTPUT = KeptOutput(((Stream.STDOUT, b"a"), (Stream.STDERR, b"x")), 7, ((Stream.STDOUT, b"b"),))


class GrantTests(TestCase):
    def test_a_command_that_is_there(self) -> None:
        """Is the one in the file, with the values as they were spelled."""
        uptime = command()
        grant = grant_of(a_record(arguments=("unit=nginx",)), Policy([uptime], []))

        self.assertIs(grant.command, uptime)
        self.assertEqual((grant.arguments, grant.values), (("unit=nginx",), ()))

    def test_a_command_that_is_gone(self) -> None:
        """Has its name, and nothing that could be run."""
        gone = grant_of(a_record(command="gone"), Policy([command()], [])).command

        self.assertEqual((gone.name, gone.argv, gone.run, gone.executable), ("gone", (), (), ""))
        self.assertIs(gone.raw, False)


class AnswerTests(TestCase):
    def test_how_it_ended(self) -> None:
        """As it was kept, under the id that somebody has asked for, with what was said."""
        record = a_record(
            state=RunState.STOPPED,
            exit_status=None,
            signal="SIGTERM",
            ended_by=EndedBy.STOP,
            stopped_by="guy",
            problem="stopped by guy",
            stdout_bytes=9,
            stderr_bytes=1,
            arguments=("unit=nginx",),
        )
        answer = answer_of(record, OUTPUT, "asked", a_grant(parser="df").command)

        self.assertEqual((answer.id, answer.command, answer.arguments), ("asked", "uptime", ("unit=nginx",)))
        self.assertEqual((answer.state, answer.problem, answer.omitted_bytes), (RunState.STOPPED, "stopped by guy", 7))
        self.assertEqual((answer.parser, answer_of(record, OUTPUT, "asked", a_grant().command).parser), ("df", None))
        result = answer.finished
        self.assertEqual((result.exit_status, result.signal, result.duration_seconds), (None, "SIGTERM", 0.25))
        self.assertEqual((result.ended_by, result.stopped_by), (EndedBy.STOP, "guy"))
        self.assertEqual((result.stdout, result.stderr), (b"ab", b"x"))
        self.assertEqual((result.stdout_bytes, result.stderr_bytes), (9, 1))
        self.assertFalse(result.timed_out or result.truncated or answer.shared or answer.joined)

    def test_facts(self) -> None:
        """Whether it was cut, timed out or shared; one that never began took no time."""
        cases: list[tuple[dict[str, Any], tuple[bool, bool, bool, float]]] = [
            ({"state": RunState.TIMEOUT}, (True, False, False, 0.25)),
            ({"state": RunState.TRUNCATED, "truncated": True}, (False, True, False, 0.25)),
            ({"others": (Asked(id="b", user=None),)}, (False, False, True, 0.25)),
            ({"duration_seconds": None}, (False, False, False, 0.0)),
        ]
        for differences, facts in cases:
            answer = answer_of(a_record(**differences), KeptOutput(), "a", a_grant().command)
            result = answer.finished
            told = (result.timed_out, result.truncated, answer.shared, result.duration_seconds)
            self.assertEqual(told, facts, differences)
