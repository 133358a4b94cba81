"""Output as data: made once a run, in a line that ends, and never for longer than a time limit."""

import json
from unittest import TestCase

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from cmdserver.core.output import Answer, NotParsed, Parsed
from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.output_parsers import (
    MOST_WAITING,
    OUTPUT_BYTES,
    PARSE_SECONDS,
    PATIENCE,
    PAUSE_SECONDS,
    OutputParsers,
    readable,
)
from cmdserver.frontends.common.rendering import answer_json
from tests.doubles import a_grant, an_answer


class FakeProcess:
    """A process that parses when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.cancelled: list[bytes] = []
        self.parsing: list[Deferred[Parsed]] = []

    def parse(self, parser: str, output: bytes) -> Deferred[Parsed]:
        assert not self.parsing or self.parsing[-1].called, "it parses one thing at a time"
        self.asked.append((parser, output))
        self.parsing.append(Deferred(lambda _: self.cancelled.append(output)))
        return self.parsing[-1]

    def makes(self, value: int) -> None:
        """Let the data of what is being parsed be a number."""
        self.parsing[-1].callback(Parsed(json=str(value).encode(), value=value))


def of(output: bytes, parser: str | None = "df") -> Answer:
    """Make the answer of a run that has said something."""
    return an_answer(a_grant(parser=parser), stdout=output, stdout_bytes=len(output))


class OutputParsersTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.process = FakeProcess()
        self.parsers = OutputParsers(self.process, self.clock)

    def ask(self, output: bytes, parser: str = "df") -> list[Parsed]:
        """Ask for data; they are in the list when they are there."""
        told: list[Parsed] = []
        self.parsers.parse(parser, of(output).finished).addCallback(told.append)
        return told

    def problem(self, output: bytes, parser: str = "df") -> str | None:
        """Ask for data, of which there are none at once; say why."""
        (parsed,) = self.ask(output, parser)
        self.assertEqual((parsed.json, parsed.value), (b"null", None))
        return parsed.problem

    def test_once_a_run(self) -> None:
        """Those who share a run share its data, whether they ask while they are made or later."""
        first, second = self.ask(b"x"), self.ask(b"x")
        self.assertEqual((first, second), ([], []))
        self.process.makes(1)

        third = self.ask(b"x")
        self.assertEqual([each.value for each in (*first, *second, *third)], [1, 1, 1])
        self.assertEqual(self.process.asked, [("df", b"x")])
        self.ask(b"x", "ps")
        self.assertEqual(len(self.process.asked), 2)

    def test_one_at_a_time(self) -> None:
        """The next output is parsed when the one before it is; in the order in which they came."""
        told = [self.ask(b"%d" % number) for number in range(3)]
        for number in range(3):
            self.assertEqual(self.process.asked[-1], ("df", b"%d" % number))
            self.process.makes(number)

        self.assertEqual([each.value for (each,) in told], [0, 1, 2])

    def test_only_a_few_are_kept(self) -> None:
        """What was parsed long ago is forgotten."""
        for number in range(9):
            self.ask(b"%d" % number)
            self.process.makes(number)
        self.ask(b"8")
        self.assertEqual(len(self.process.asked), 9)
        self.ask(b"0")
        self.assertEqual(len(self.process.asked), 10)

    def test_the_line_has_an_end(self) -> None:
        """Who comes when too many wait is told so at once, and may come later."""
        told = [self.ask(b"%d" % number) for number in range(MOST_WAITING + 1)]
        self.assertEqual(self.problem(b"late"), "too much output waits for a parser")
        self.assertEqual(self.ask(b"3"), [])  # it waits with another
        self.process.makes(0)

        self.assertEqual(len(told[0]), 1)
        self.assertEqual(self.ask(b"late"), [])

    def test_a_parser_that_is_late(self) -> None:
        """It is stopped; its output has no data, also for who asks later; the next one has its turn."""
        late, following = self.ask(b"slow"), self.ask(b"fast")
        self.clock.advance(PARSE_SECONDS)

        self.assertEqual(late[0].problem, "the parser df took longer than 2 s")
        self.assertEqual(self.process.cancelled, [b"slow"])
        self.assertEqual(self.problem(b"slow"), late[0].problem)
        self.process.makes(1)
        self.assertEqual(following[0].value, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_parser_that_is_always_late(self) -> None:
        """It is left alone for a while; one that is in time now and then is not, nor are others."""
        for number in range(PATIENCE - 1):
            self.ask(b"%d" % number)
            self.clock.advance(PARSE_SECONDS)
        self.ask(b"in time")
        self.process.makes(1)
        for number in range(10, 10 + PATIENCE):
            self.assertEqual(self.ask(b"%d" % number), [])
            self.clock.advance(PARSE_SECONDS)

        self.assertIn("was too slow 3 times", self.problem(b"new") or "")
        self.assertEqual(self.ask(b"new", "ps"), [])
        self.process.makes(1)
        self.clock.advance(PAUSE_SECONDS)
        self.assertEqual(self.ask(b"new"), [])

    def test_who_leaves(self) -> None:
        """What nobody waits for any more is not parsed, or no longer."""
        failures: list[type[BaseException] | None] = []
        waiting = [self.parsers.parse("df", of(output).finished) for output in (b"1", b"1", b"2", b"3")]
        for each in waiting:
            each.addErrback(lambda failure: failures.append(failure.type))
        waiting[2].cancel()
        waiting[0].cancel()
        self.assertEqual(self.process.cancelled, [])
        waiting[1].cancel()

        self.assertEqual((self.process.cancelled, failures), ([b"1"], [CancelledError] * 3))
        self.assertEqual(self.process.asked, [("df", b"1"), ("df", b"3")])
        self.process.makes(1)
        self.assertEqual(self.ask(b"1"), [])

    def test_reasons(self) -> None:
        """Why there are no data is told, and logged once; what the parser says is not asked again."""
        with capturedLogs() as logged:
            for output in (b"1", b"2"):
                told = self.ask(output)
                self.process.parsing[-1].errback(NotParsed("it stumbles"))
                self.assertEqual(told[0].problem, "it stumbles")
        self.assertEqual(self.problem(b"1"), "it stumbles")

        self.assertEqual(
            [formatEvent(each) for each in logged], ["there are no data of what a command prints: df: it stumbles"]
        )

    def test_a_process_that_breaks(self) -> None:
        """What becomes of the process does not tell of the output: it is parsed again for who asks later."""

        class Lost(NotParsed):
            pass

        self.ask(b"1")
        self.process.parsing[-1].errback(Lost("gone"))
        self.assertEqual(self.ask(b"1"), [])
        self.process.makes(1)

    def test_incomplete_output(self) -> None:
        """What was cut, ended, not kept or is too long is not parsed: its last row would be wrong."""
        grant = a_grant(parser="df")
        for answer, reason in (
            (an_answer(grant, stdout=b"x", stdout_bytes=1, truncated=True), "not complete"),
            (an_answer(grant, stdout=b"x", stdout_bytes=1, timed_out=True), "not complete"),
            (an_answer(grant, stdout=b"x", stdout_bytes=1, ended_by=EndedBy.STOP), "not complete"),
            (an_answer(grant, stdout_bytes=1), "not kept"),
            (of(b"x" * (OUTPUT_BYTES + 1)), "longer than 262144 bytes"),
        ):
            with self.assertRaisesRegex(NotParsed, reason):
                readable(answer.finished)
        self.assertEqual(readable(of(b"x" * OUTPUT_BYTES).finished), b"x" * OUTPUT_BYTES)

    def test_answers_carry_data(self) -> None:
        """The JSON of a command with a parser has ``data``, and ``data_error`` if there are none."""
        answers: list[Answer] = []
        for output in (b"1", b"2"):
            Assessor(self.parsers).complete(of(output)).addCallback(answers.append)
        self.process.makes(7)
        self.process.parsing[-1].errback(NotParsed("it stumbles"))
        Assessor(self.parsers).complete(of(b"1", None)).addCallback(answers.append)
        Assessor(self.parsers).complete(answers[0]).addCallback(answers.append)

        first, second, third, again = (json.loads(answer_json(each)) for each in answers)
        self.assertEqual((first["data"], "data_error" in first), (7, False))
        self.assertEqual((second["data"], second["data_error"]), (None, "it stumbles"))
        self.assertNotIn("data", third)
        self.assertEqual(again, first)
