"""Tests of what lines mean: the same for every listener that speaks them."""

import json
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code, Malformed
from cmdserver.core.model import Caller
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.frontends.common import line_protocol
from cmdserver.frontends.common.interpreter import Ending, Interpreter
from cmdserver.frontends.common.rendering import PIECE_BYTES
from tests.running_doubles import STRANGER, Composition, FakeProcess, command, user

ADA, GUY = user("ada"), user("guy")


class RecordingOutput:
    """An `Output` that keeps what is written, and whose client is as slow as its test wants."""

    def __init__(self) -> None:
        self.written = b""
        self.producer: Producer | None = None
        #: Everything that was followed, None for nothing any more.
        self.followed: list[Producer | None] = []
        self.is_full = False
        self.is_full_after_a_write = False

    def write(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        del stream
        assert data, "nothing was written"
        self.written += data
        if self.is_full_after_a_write and self.producer is not None:
            self.producer.pauseProducing()

    def follow(self, producer: Producer | None) -> None:
        self.producer = producer
        self.followed.append(producer)
        if producer is not None and self.is_full:
            producer.pauseProducing()


class InterpreterTestCase(SynchronousTestCase):
    """An interpreter of a composition with a few commands; to be subclassed."""

    def setUp(self) -> None:
        self.composition = Composition(
            self,
            command("uptime"),
            command("df", share=True),
            command("reboot"),
            command("colours", raw=True),
            command("short", output_limit_bytes=4),
        )
        self.interpreter = Interpreter(self.composition.dispatcher)
        self.output = RecordingOutput()

    def perform(
        self, question: line_protocol.Question, caller: Caller = ADA, *, as_json: bool = False
    ) -> Deferred[Ending] | Ending:
        """Answer a question."""
        return self.interpreter.perform(caller, question, self.output, as_json=as_json)

    def run_it(self, *words: str, caller: Caller = ADA, as_json: bool = False) -> Deferred[Ending]:
        """Run a command."""
        ending = self.perform(line_protocol.Run(words), caller, as_json=as_json)
        return ending if isinstance(ending, Deferred) else succeed(ending)

    @property
    def process(self) -> FakeProcess:
        """The one that was started last."""
        return self.composition.spawner.last

    @property
    def object(self) -> dict[str, Any]:
        """The one object that was written, on its one line."""
        self.assertRegex(self.output.written, rb"\A[ -~]+\n\Z")
        read: dict[str, Any] = json.loads(self.output.written)
        return read


class TextTests(InterpreterTestCase):
    """A run's answer as text."""

    def test_output_is_written_as_it_comes(self) -> None:
        """Standard output is written while the command runs."""
        done = self.run_it("uptime")

        self.process.says(b"up 1 day\n")
        self.assertEqual(self.output.written, b"up 1 day\n")
        self.assertNoResult(done)
        self.process.ends()

        self.assertIsInstance(self.successResultOf(done), Answer)
        self.assertEqual(self.output.written, b"up 1 day\n")

    def test_standard_error_comes_after_standard_output(self) -> None:
        """Whatever came first, standard error is written last."""
        done = self.run_it("uptime")

        self.process.says(stderr=b"err1\n")
        self.process.says(b"out\n", b"err2\n")
        self.assertEqual(self.output.written, b"out\n")
        self.process.ends()

        self.successResultOf(done)
        self.assertEqual(self.output.written, b"out\nerr1\nerr2\n")

    def test_a_failure_has_one_more_line(self) -> None:
        """After a failure a line of its own says what it was."""
        self.run_it("uptime")

        self.process.says(b"out\n")
        self.process.ends(3)

        self.assertEqual(self.output.written, b"out\ncmdserver: uptime: exit status 3\n")

    def test_the_complaint_begins_a_line(self) -> None:
        """Output that does not end its line does not swallow the complaint, be it on standard error."""
        self.run_it("uptime")
        self.process.says(b"out", b"err")
        self.process.ends(1)

        self.assertEqual(self.output.written, b"outerr\ncmdserver: uptime: exit status 1\n")

    def test_a_complaint_alone_begins_no_empty_line(self) -> None:
        """A command that failed without a word gets the complaint and nothing before it."""
        self.run_it("uptime")
        self.process.ends(1)

        self.assertEqual(self.output.written, b"cmdserver: uptime: exit status 1\n")

    def test_output_without_a_failure_stays_as_it_is(self) -> None:
        """A command that succeeded without ending its line is not given a line end."""
        self.run_it("uptime")
        self.process.says(b"out")
        self.process.ends()

        self.assertEqual(self.output.written, b"out")

    def test_truncation_is_said(self) -> None:
        """Output over its limit is cut there, and said to be."""
        self.run_it("short")
        self.process.says(b"12345")
        self.composition.turn()

        self.assertEqual(self.output.written, b"1234\ncmdserver: short: output truncated at 4 bytes\n")

    def test_a_timeout_is_said_after_the_output_so_far(self) -> None:
        """A run that was ended for its time has its output, and the code."""
        self.run_it("uptime")
        self.process.says(b"so far\n")
        self.composition.clock.advance(30)
        self.composition.turn()

        self.assertTrue(self.output.written.startswith(b"so far\ncmdserver: uptime: timeout: "), self.output.written)

    def test_control_sequences_are_made_visible(self) -> None:
        """What a command prints cannot act on the terminal, on either output, in one chunk or two."""
        self.run_it("uptime")
        self.process.says(b"\x1b[2J", b"\x1b]0;")
        self.process.says(b"\x1b", b"\x07")
        self.process.ends()

        self.assertEqual(self.output.written, b"^[[2J^[^[]0;^G")

    def test_bytes_that_were_held_back_are_written(self) -> None:
        """A character or a line end that the end has cut in two is written before standard error."""
        self.run_it("uptime")
        self.process.says(b"a\xc3", b"b\r")
        self.process.ends()

        self.assertEqual(self.output.written, b"a\xc3b^M")

    def test_raw_commands_may_colour(self) -> None:
        """A command that says so in the configuration has its output passed on as it is."""
        self.run_it("colours")
        self.process.says(b"\x1b[31mred", b"\x1b[0m\r")
        self.process.ends()

        self.assertEqual(self.output.written, b"\x1b[31mred\x1b[0m\r")

    def test_a_refusal_is_one_line(self) -> None:
        """What is refused is answered with the code and the text, at once."""
        done = self.run_it("reboot", caller=GUY)

        self.assertIs(self.successResultOf(done), Code.DENIED)
        self.assertRegex(self.output.written, rb"\Acmdserver: denied: [^\n]+\n\Z")

    def test_a_strangers_words_are_quoted_safely(self) -> None:
        """A name that is made to look like an answer cannot: it stays within the one line."""
        self.run_it("x\ncmdserver: fine\x1b[2J")

        self.assertEqual(self.output.written.count(b"\n"), 1)
        self.assertNotIn(b"\x1b", self.output.written)

    def test_a_shared_run_is_told_the_same_way(self) -> None:
        """Output that others hear too is written like one's own: as it comes, standard error at the end."""
        done = self.run_it("df")
        self.process.says(b"out\n", b"err\n")
        self.assertEqual(self.output.written, b"out\n")
        self.process.ends(1)

        self.successResultOf(done)
        self.assertEqual(self.output.written, b"out\nerr\ncmdserver: df: exit status 1\n")

    def test_the_run_follows_its_client(self) -> None:
        """While a run is told, the output can pause it; afterwards there is nothing to pause."""
        self.output.is_full = True
        done = self.run_it("uptime")
        self.process.says(b"out\n")
        self.assertEqual(self.output.written, b"")

        producer = self.output.producer
        assert producer is not None
        producer.resumeProducing()
        self.composition.turn()
        self.process.ends()

        self.successResultOf(done)
        self.assertEqual(self.output.written, b"out\n")
        self.assertEqual(self.output.followed, [producer, None])

    def test_a_refusal_leaves_nothing_to_follow(self) -> None:
        """After a refusal nothing is followed either."""
        self.run_it("reboot", caller=GUY)

        self.assertIsNone(self.output.producer)

    def test_who_leaves_is_written_nothing_more(self) -> None:
        """After a cancel nothing is written, though the process goes on for a while; and the run is ended."""
        done = self.run_it("uptime")
        self.process.says(b"before\n")

        done.cancel()
        self.process.says(b"after\n", b"after\n")
        self.composition.turn()

        self.successResultOf(done)
        self.assertFalse(self.process.is_alive)
        self.assertEqual(self.output.written, b"before\n")

    def test_a_fault_tells_its_id_and_nothing_else(self) -> None:
        """What is our mistake is logged; the client is told under which id."""
        self.composition.spawner.trouble = FileNotFoundError(2, "secret")

        self.run_it("uptime")

        (event,) = self.composition.ledger.events
        self.assertIn(event.id.encode(), self.output.written)
        self.assertNotIn(b"secret", self.output.written)

    def test_an_unforeseen_error_is_a_fault(self) -> None:
        """An error that is none of ours is logged, and told like a fault."""

        def fail(*_: object) -> Deferred[Any]:
            deferred: Deferred[Any] = Deferred()
            deferred.errback(Failure(ValueError("secret")))
            return deferred

        self.patch(self.composition.dispatcher, "run", fail)

        for as_json in (False, True):
            self.successResultOf(self.run_it("uptime", as_json=as_json))

        self.assertEqual(self.output.written.count(b"internal fault"), 2)
        self.assertNotIn(b"secret", self.output.written)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)


class JsonTests(InterpreterTestCase):
    """A run's answer as JSON."""

    def test_an_answer_is_one_object_on_one_line(self) -> None:
        """Nothing is written before the end; then everything, in one line of ASCII."""
        done = self.run_it("uptime", as_json=True)
        self.composition.clock.advance(1.5)
        self.process.says("ü\n".encode(), b"\x1b\xff")
        self.assertEqual(self.output.written, b"")
        self.process.ends(3)

        self.successResultOf(done)
        answer = self.object
        self.assertEqual(
            {name: value for name, value in answer.items() if name != "id"},
            {
                "command": "uptime",
                "arguments": [],
                "outcome": "failed",
                "ended_by": None,
                "exit_status": 3,
                "signal": None,
                "stdout": "ü\n",
                "stderr": "\x1b\N{REPLACEMENT CHARACTER}",
                "truncated": False,
                "duration_seconds": 1.5,
                "shared": False,
            },
        )
        self.assertEqual(answer["id"], self.composition.ledger.events[0].id)

    def test_a_timeout_has_the_code_besides(self) -> None:
        """A run that was ended for its time has its output so far, and the error."""
        self.run_it("uptime", as_json=True)
        self.process.says(b"so far")
        self.composition.clock.advance(30)
        self.composition.turn()

        self.assertEqual(self.object["stdout"], "so far")
        self.assertEqual(self.object["error"]["code"], "timeout")

    def test_a_refusal_is_an_object_too(self) -> None:
        """What is refused is an object with the code and the text."""
        self.successResultOf(self.run_it("reboot", caller=GUY, as_json=True))

        self.assertEqual(self.object["error"]["code"], "denied")
        self.assertEqual(set(self.object), {"error"})

    def test_a_long_answer_is_made_as_it_is_taken(self) -> None:
        """What a slow client has not taken is not there yet, except as the command said it."""
        done = self.run_it("uptime", as_json=True)
        self.process.says(b"\0" * 200_000)
        self.output.is_full = True
        self.process.ends()
        self.assertEqual(self.output.written, b"")

        self.output.is_full_after_a_write = True
        lengths = []
        while self.output.producer is not None:
            self.assertNoResult(done)
            before = len(self.output.written)
            self.output.producer.resumeProducing()
            lengths.append(len(self.output.written) - before)

        self.successResultOf(done)
        self.assertEqual(self.object["stdout"], "\0" * 200_000)
        self.assertGreater(len(lengths), 10)
        self.assertLess(max(lengths), 7 * PIECE_BYTES)

    def test_who_leaves_within_a_long_answer(self) -> None:
        """After a cancel nothing more is written, whatever the transport says."""
        done = self.run_it("uptime", as_json=True)
        self.process.says(b"x" * 200_000)
        self.output.is_full_after_a_write = True
        self.process.ends()
        producer, written = self.output.producer, self.output.written
        assert producer is not None

        done.cancel()
        producer.resumeProducing()

        self.successResultOf(done)
        self.assertEqual(self.output.written, written)

    def test_who_leaves_is_written_nothing(self) -> None:
        """After a cancel nothing is written, and the run is ended."""
        done = self.run_it("uptime", as_json=True)

        done.cancel()
        self.process.says(b"out")
        self.composition.turn()

        self.successResultOf(done)
        self.assertEqual((self.output.written, self.process.is_alive), (b"", False))


class WordsTests(InterpreterTestCase):
    """What needs no process is answered before `perform` returns."""

    def answer(self, question: line_protocol.Question, caller: Caller = ADA) -> tuple[str, Any]:
        """Answer a question as text and as JSON."""
        texts = []
        for as_json in (False, True):
            self.output = RecordingOutput()
            self.assertNotIsInstance(self.perform(question, caller, as_json=as_json), Deferred)
            self.assertEqual(self.output.followed, [])
            texts.append(self.output.written.decode())
        return texts[0], json.loads(texts[1])

    def test_help_lists_commands(self) -> None:
        """Help is what this caller may run."""
        text, answer = self.answer(line_protocol.Help(), GUY)

        self.assertIn("uptime", text)
        self.assertNotIn("reboot", text)
        self.assertEqual([each["name"] for each in answer["commands"]], ["uptime"])

    def test_help_tells_of_one_command(self) -> None:
        """Help with a name is about that command alone."""
        _, answer = self.answer(line_protocol.Help("df"))

        self.assertEqual([each["name"] for each in answer["commands"]], ["df"])

    def test_explain_tells_what_would_run(self) -> None:
        """To explain is to tell the command and the rule."""
        text, answer = self.answer(line_protocol.Explain(("reboot",)))

        self.assertIn("reboot", text)
        self.assertEqual((answer["command"], answer["role"], answer["rule"]), ("reboot", "admin", "*"))
        self.assertEqual(self.composition.spawner.processes, [])

    def test_whoami_tells_the_caller(self) -> None:
        """Name, roles, listener and address are the caller's."""
        text, answer = self.answer(line_protocol.Word.WHOAMI)

        self.assertIn("ada", text)
        self.assertEqual(answer, {"name": "ada", "roles": ["admin"], "protocol": "line", "address": "192.0.2.2"})

    def test_who_counts_connections(self) -> None:
        """How many are connected is told by protocol."""
        self.composition.connection_limit.enter("line", "192.0.2.1")

        text, answer = self.answer(line_protocol.Word.WHO, STRANGER)

        self.assertIn("line  1", text)
        self.assertEqual(answer, {"connected": {"line": 1}})

    def test_a_refusal_is_written(self) -> None:
        """What may not be explained is refused as text or as JSON."""
        text, answer = self.answer(line_protocol.Explain(("reboot",)), GUY)

        self.assertTrue(text.startswith("cmdserver: denied: "), text)
        self.assertEqual(answer["error"]["code"], "denied")

    def test_what_is_no_request_is_refused(self) -> None:
        """Bytes that a listener could make nothing of are answered, and written down."""
        for as_json in (False, True):
            self.output = RecordingOutput()
            self.interpreter.refuse(STRANGER, Malformed("not UTF-8"), self.output, as_json=as_json)

            self.assertIn(b"malformed", self.output.written)
        self.assertEqual(self.object["error"], {"code": "malformed", "message": "not UTF-8"})
        self.assertEqual(self.composition.outcomes, [Code.MALFORMED] * 2)


class RunsTests(InterpreterTestCase):
    """The words that are about runs."""

    def answer(self, question: line_protocol.Question, caller: Caller = ADA, *, as_json: bool = False) -> bytes:
        """Take the answer that must have come."""
        self.output = RecordingOutput()
        ending = self.perform(question, caller, as_json=as_json)
        assert isinstance(ending, Deferred)
        self.successResultOf(ending)
        return self.output.written

    def start(self) -> str:
        """Have a command run for nobody who waits."""
        return self.answer(line_protocol.Start(("reboot",))).decode().strip()

    def test_to_start(self) -> None:
        """Is to be told the id, and nothing else; the run goes on by itself."""
        run_id = self.start()
        self.assertRegex(run_id, r"\A[0-9a-f]{16}\Z")
        self.assertTrue(self.process.is_alive)
        told = json.loads(self.answer(line_protocol.Start(("uptime",)), as_json=True))

        self.assertEqual((told["command"], told["state"], told["outcome"]), ("uptime", "running", None))

    def test_what_may_not_be_started(self) -> None:
        """Is refused, as text or as JSON."""
        text = self.answer(line_protocol.Start(("reboot",)), GUY)
        told = json.loads(self.answer(line_protocol.Start(("reboot",)), GUY, as_json=True))

        self.assertTrue(text.startswith(b"cmdserver: denied: "))
        self.assertEqual(told["error"]["code"], "denied")
        self.assertEqual(self.composition.spawner.processes, [])

    def test_to_list(self) -> None:
        """Newest first, and only what is asked for."""
        first, second = self.start(), self.start()
        text = self.answer(line_protocol.Runs()).decode()
        told = json.loads(self.answer(line_protocol.Runs(("command=reboot", "limit=1")), as_json=True))

        self.assertLess(text.index(second), text.index(first))
        self.assertEqual([each["id"] for each in told["runs"]], [second])
        self.assertEqual(self.answer(line_protocol.Runs(), GUY), b"no runs\n")

    def test_what_is_no_key(self) -> None:
        """Is said, with or without a value."""
        for word in ("colour=red", "reboot", "=", "state=odd"):
            text = self.answer(line_protocol.Runs((word,)))
            self.assertTrue(text.startswith(b"cmdserver: bad_argument: "), text)

    def test_to_attach(self) -> None:
        """Is to hear the output from the beginning, and to have the end of an ordinary answer."""
        run_id = self.start()
        self.process.says(b"before\n")
        self.output = RecordingOutput()
        ending = self.perform(line_protocol.Attach(run_id))
        assert isinstance(ending, Deferred)
        self.assertEqual(self.output.written, b"before\n")
        self.process.says(b"after\n")
        self.process.ends(3)

        answer = self.successResultOf(ending)
        assert isinstance(answer, Answer)
        self.assertEqual(answer.finished.exit_status, 3)
        self.assertEqual(self.output.written, b"before\nafter\ncmdserver: reboot: exit status 3\n")

    def test_to_attach_for_programs(self) -> None:
        """Is to have the whole answer, whenever it is asked for."""
        run_id = self.start()
        self.process.says(b"said")
        self.process.ends(3)
        told = json.loads(self.answer(line_protocol.Attach(run_id), as_json=True))

        self.assertEqual((told["id"], told["stdout"], told["outcome"]), (run_id, "said", "failed"))

    def test_who_leaves_an_attachment(self) -> None:
        """Leaves the run alone."""
        run_id = self.start()
        self.output = RecordingOutput()
        ending = self.perform(line_protocol.Attach(run_id))
        assert isinstance(ending, Deferred)
        ending.cancel()
        self.process.says(b"after")

        self.assertEqual((self.output.written, self.output.producer), (b"", None))
        self.assertTrue(self.process.is_alive)

    def test_to_stop(self) -> None:
        """Is to be told when it has ended, and how."""
        for as_json in (False, True):
            run_id = self.start()
            self.output = RecordingOutput()
            ending = self.perform(line_protocol.Stop(run_id), as_json=as_json)
            assert isinstance(ending, Deferred)
            self.assertEqual(self.output.written, b"")
            self.composition.turn()
            self.successResultOf(ending)
            if as_json:
                self.assertEqual((self.object["state"], self.object["stopped_by"]), ("stopped", "ada"))
            else:
                self.assertEqual(self.output.written, f"reboot ({run_id}): stopped by ada\n".encode())

    def test_runs_that_are_none(self) -> None:
        """Whatever the id holds, the answer is one harmless line."""
        run_id = self.start()
        for question in (line_protocol.Attach, line_protocol.Stop):
            for odd, caller in ((run_id, GUY), ("\x1b[2J\n", ADA)):
                text = self.answer(question(odd), caller)
                self.assertRegex(text, rb"\Acmdserver: unknown_run: no run [ -~]+\n\Z")
                told = json.loads(self.answer(question(odd), caller, as_json=True))
                self.assertEqual(told["error"]["code"], "unknown_run")
