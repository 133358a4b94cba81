"""What a run says of what its command looks at: judged once, from whatever there is to judge it by."""

from typing import Any
from unittest import TestCase

from msgspec.structs import replace
from twisted.internet.task import Clock

from cmdserver.checks.plugin_output import NO_TEXT
from cmdserver.checks.states import CheckState
from cmdserver.core.model import Command
from cmdserver.core.output import Answer, Assessment, NotParsed, Parsed
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.assessing import Assessor, check_of
from cmdserver.dispatch.output_parsers import PARSE_SECONDS, OutputParsers
from tests.checks.doubles import DISKS, PLUGIN, RULES
from tests.dispatch.test_output_parsers import FakeProcess
from tests.doubles import a_command, a_finished, a_grant, an_answer

OK, WARNING, CRITICAL, UNKNOWN = CheckState


class AssessorTestCase(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.process = FakeProcess()
        self.assessor = Assessor(OutputParsers(self.process, self.clock))

    def assess(self, command: Command, stdout: bytes = b"x", **finished: Any) -> list[Assessment]:
        """Assess a run; the result is in the list when it is there."""
        told: list[Assessment] = []
        result = a_finished(stdout=stdout, stdout_bytes=len(stdout), **finished)
        self.assessor.assess(command, result).addCallback(told.append)
        return told

    def complete(self, answer: Answer) -> list[Answer]:
        """Complete an answer."""
        told: list[Answer] = []
        self.assessor.complete(answer).addCallback(told.append)
        return told

    def makes_disks(self) -> None:
        """Let the parser be done."""
        self.process.parsing[-1].callback(Parsed(json=b"[]", value=DISKS))


class AssessTests(AssessorTestCase):
    def test_plugins_need_no_parser(self) -> None:
        """Not even one that has a parser, unless its numbers are told: nobody waits for what nobody has asked."""
        for parser, metrics in ((None, False), ("df", False), (None, True)):
            command = a_command(check=PLUGIN, parser=parser, metrics=metrics)
            (told,) = self.assess(command, b"BAD | x=1\n", exit_status=2)
            assert told.check is not None
            self.assertEqual((told.check.state, told.check.text, told.parsed), (CRITICAL, "BAD", None))
        self.assertEqual(self.process.asked, [])

    def test_plugins_whose_numbers_are_told(self) -> None:
        """They wait for the parser, which changes nothing of their state."""
        told = self.assess(a_command(check=PLUGIN, parser="df", metrics=True), exit_status=1)
        self.assertEqual(told, [])
        self.process.parsing[-1].errback(NotParsed("it stumbles"))
        assert told[0].check is not None
        assert told[0].parsed is not None
        self.assertEqual((told[0].check.state, told[0].parsed.problem), (WARNING, "it stumbles"))

    def test_rules(self) -> None:
        """They judge what the parser has made."""
        told = self.assess(a_command(check=RULES, parser="df"))
        self.assertEqual(told, [])
        self.makes_disks()
        assert told[0].check is not None
        self.assertEqual(told[0].check.state, CRITICAL)
        self.assertEqual(told[0].check.text, "CRITICAL: use_percent of /var is 93 (over 90)")

    def test_numbers_alone(self) -> None:
        """A command that is no check has data, and no state."""
        told = self.assess(a_command(parser="df", metrics=True))
        self.makes_disks()
        assert told[0].parsed is not None
        self.assertEqual((told[0].check, told[0].parsed.value), (None, DISKS))

    def test_parsers_that_are_no_help(self) -> None:
        """One that is late, stumbles, or is not asked as the output is not whole: nobody knows, and it says why."""
        command = a_command(check=RULES, parser="df")
        late = self.assess(command, b"1")
        self.clock.advance(PARSE_SECONDS)
        stumbling = self.assess(command, b"2")
        self.process.parsing[-1].errback(NotParsed("it stumbles"))
        cut = self.assess(command, truncated=True)

        told = (*late, *stumbling, *cut)
        texts = [each.check.text for each in told if each.check is not None and each.check.state is UNKNOWN]
        self.assertEqual(
            texts,
            [
                "UNKNOWN: the parser df took longer than 2 s",
                "UNKNOWN: it stumbles",
                "UNKNOWN: output truncated at 1048576 bytes",
            ],
        )

    def test_what_has_failed(self) -> None:
        """Its data are not believed, though they may be there; of a status that is a success they are."""
        for ok_statuses, state in (({0}, UNKNOWN), ({0, 1}, CRITICAL)):
            command = a_command(check=RULES, parser="df", ok_statuses=frozenset(ok_statuses))
            told = self.assess(command, b"%d" % len(ok_statuses), exit_status=1)
            self.makes_disks()
            assert told[0].check is not None
            self.assertEqual(told[0].check.state, state)


class CheckOfTests(TestCase):
    def test_what_is_none(self) -> None:
        """Has no state."""
        self.assertIsNone(check_of(None, a_finished(), None, None))

    def test_plugins(self) -> None:
        """The exit status says it, unless it did not end by itself."""
        cases: list[tuple[dict[str, Any], str | None, CheckState, str]] = [
            ({"exit_status": 0}, None, OK, "x"),
            ({"exit_status": 1}, "exit status 1", WARNING, "x"),
            ({"exit_status": 2}, "exit status 2", CRITICAL, "x"),
            ({"exit_status": 3}, "exit status 3", UNKNOWN, "x"),
            ({"exit_status": 4}, "exit status 4", UNKNOWN, "exit status 4: x"),
            ({"exit_status": 4}, None, UNKNOWN, "exit status 4: x"),
            ({"exit_status": None, "signal": "SIGSEGV"}, "ended by SIGSEGV", UNKNOWN, "ended by SIGSEGV: x"),
            ({"exit_status": 0, "timed_out": True}, "timeout", UNKNOWN, "timeout: x"),
            ({"exit_status": 0, "truncated": True}, "truncated", UNKNOWN, "truncated: x"),
            ({"exit_status": 0, "ended_by": EndedBy.STOP}, "stopped", UNKNOWN, "stopped: x"),
            ({"exit_status": None}, None, UNKNOWN, "it is not known how it has ended: x"),
        ]
        for finished, problem, state, text in cases:
            found = check_of(PLUGIN, a_finished(stdout=b"x", **finished), problem, None)
            assert found is not None
            self.assertEqual((found.state, found.text), (state, text))

    def test_rubbish(self) -> None:
        """Is told as such, whatever the exit status."""
        for status in (0, 1, 2):
            found = check_of(PLUGIN, a_finished(stdout=b"\xff", exit_status=status), None, None)
            assert found is not None
            self.assertEqual((found.state, found.text), (UNKNOWN, f"{NO_TEXT}: \\xff"))

    def test_rules_without_data(self) -> None:
        """The run's own trouble comes before the parser's."""
        cases: list[tuple[str | None, Parsed | None, str]] = [
            ("exit status 1", Parsed(value=DISKS), "UNKNOWN: exit status 1"),
            ("exit status 1", Parsed(problem="it stumbles"), "UNKNOWN: exit status 1"),
            (None, Parsed(problem="it stumbles"), "UNKNOWN: it stumbles"),
            (None, None, "UNKNOWN: there is no number use_percent in the data"),
        ]
        for problem, parsed, text in cases:
            found = check_of(RULES, a_finished(), problem, parsed)
            assert found is not None
            self.assertEqual((found.state, found.text), (UNKNOWN, text))


class CompleteTests(AssessorTestCase):
    def test_what_was_kept(self) -> None:
        """Data are made, and the state is judged anew."""
        told = self.complete(replace(an_answer(a_grant(parser="df"), stdout=b"x", stdout_bytes=1), examines=RULES))
        self.assertEqual(told, [])
        self.makes_disks()
        assert told[0].check is not None
        assert told[0].parsed is not None
        self.assertEqual((told[0].check.state, told[0].parsed.value), (CRITICAL, DISKS))

    def test_plugins(self) -> None:
        """At once."""
        (told,) = self.complete(replace(an_answer(stdout=b"x", exit_status=1), examines=PLUGIN))
        assert told.check is not None
        self.assertEqual(told.check.state, WARNING)

    def test_plugins_with_data(self) -> None:
        """They have both."""
        answer = an_answer(a_grant(parser="df"), stdout=b"x", stdout_bytes=1, exit_status=1)
        told = self.complete(replace(answer, examines=PLUGIN))
        self.makes_disks()
        assert told[0].check is not None
        assert told[0].parsed is not None
        self.assertEqual((told[0].check.state, told[0].parsed.value), (WARNING, DISKS))

    def test_nothing_is_done_twice(self) -> None:
        """What all who share a run were told stays."""
        before = check_of(PLUGIN, a_finished(stdout=b"before"), None, None)
        answer = replace(an_answer(a_grant(parser="df")), examines=RULES, parsed=Parsed(value=DISKS), check=before)
        (told,) = self.complete(answer)
        self.assertIs(told.check, before)
        self.assertEqual(self.process.asked, [])

    def test_what_nobody_knows(self) -> None:
        """A run whose end was not seen is no finding; nor is one of a command that is no check."""
        for state in (RunState.FAULT, RunState.LOST):
            (told,) = self.complete(replace(an_answer(), examines=PLUGIN, state=state))
            self.assertIsNone(told.check)
        (told,) = self.complete(an_answer())
        self.assertIsNone(told.check)
        (told,) = self.complete(replace(an_answer(), examines=PLUGIN, state=RunState.TIMEOUT))
        self.assertIsNotNone(told.check)

    def test_who_leaves(self) -> None:
        """Nothing is parsed for nobody."""
        answer = replace(an_answer(a_grant(parser="df"), stdout=b"x", stdout_bytes=1), examines=RULES)
        waiting = self.assessor.complete(answer)
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.assertEqual(self.process.cancelled, [b"x"])
