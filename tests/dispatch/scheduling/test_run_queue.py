"""Runs whose findings are judged before they are over for anybody."""

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.checks.states import CheckState
from cmdserver.core.errors import Busy, Code, Denied, Fault
from cmdserver.core.events import Requested
from cmdserver.core.model import Caller, Command
from cmdserver.core.output import NotParsed, Parsed
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.assessing import Assessor
from cmdserver.dispatch.output_parsers import PARSE_SECONDS
from cmdserver.dispatch.policy import Policy
from tests.checks.doubles import DISKS, PLUGIN, RULES
from tests.dispatch.doubles import taking
from tests.dispatch.test_output_parsers import FakeProcess
from tests.parameters.doubles import a_parameter
from tests.running_doubles import EVERYTHING, Asked, Composition, RecordingSink, command, run_words, user
from tests.runs.doubles import MemoryHistory

ADA, GUY = user("ada"), user("guy")
DISKS_CHECK = command("disks", share=True, parser="df", check=RULES)
LOAD = command("load", check=PLUGIN)
NUMBERS = command("numbers", parser="df", metrics=True)
PLAIN = command("plain", parser="df")
BACKUP = command("backup", parser="df", check=RULES, on_disconnect="continue")


class CheckTestCase(SynchronousTestCase):
    """Some checks, on a host of fake processes, with a parser that takes its time."""

    def setUp(self) -> None:
        self.parser = FakeProcess()
        self.history = MemoryHistory()
        self.let(DISKS_CHECK, LOAD, NUMBERS, PLAIN, BACKUP)

    def let(self, *commands: Command, **limits: Any) -> None:
        """Begin with these."""
        self.composition = Composition(self, *commands, history=self.history, parser=self.parser, **limits)
        self.dispatcher = self.composition.dispatcher
        self.spawner = self.composition.spawner

    def ask(self, name: str = "disks", caller: Caller = ADA, sink: RecordingSink | None = None) -> Asked:
        """Ask for a check."""
        return self.composition.ask(caller, name, sink)

    def ends(self, said: bytes = b"table", status: int = 0) -> None:
        """Let the newest process say something and be gone."""
        self.spawner.last.says(said)
        self.spawner.last.ends(status)

    def parsed(self) -> None:
        """Let the parser be done."""
        self.parser.parsing[-1].callback(Parsed(json=b"[]", value=DISKS))

    @property
    def requests(self) -> list[Requested]:
        """What was written down."""
        return self.composition.ledger.requests

    def states(self, *asked: Asked) -> list[CheckState | None]:
        """Say what they were told."""
        return [each.answer.check.state if each.answer.check is not None else None for each in asked]


class JudgingTests(CheckTestCase):
    def test_it_is_alive_until_it_is_judged(self) -> None:
        """Nobody has an answer, nothing is written down, and its place is taken."""
        self.let(DISKS_CHECK, LOAD, running=1)
        asked = self.ask()
        waiting = self.ask("load")
        self.ends()

        self.assertTrue(asked.is_open)
        (run,) = (each for each in self.composition.directory.alive() if each.command == "disks")
        self.assertEqual(run.record().state, RunState.RUNNING)
        self.assertIsNone(run.record().check_state)
        self.assertEqual((self.requests, len(self.spawner.processes)), ([], 1))

        self.parsed()

        self.assertEqual(self.states(asked), [CheckState.CRITICAL])
        self.assertEqual((len(self.spawner.processes), len(self.requests)), (2, 1))
        self.ends(b"OK")
        self.assertEqual(self.states(waiting), [CheckState.OK])

    def test_sharers_are_told_the_same(self) -> None:
        """It is judged once; who comes while it is has a process of their own."""
        first = [self.ask(), self.ask()]
        self.assertEqual(len(self.spawner.processes), 1)
        self.ends()
        late = [self.ask(), self.ask()]
        self.parsed()

        self.assertEqual(self.states(first[0]), [CheckState.CRITICAL])
        self.assertTrue(all(each.is_open for each in (*first[1:], *late)))
        self.ends(b"other")
        self.parsed()
        self.assertEqual(self.states(*first[1:], *late), [CheckState.CRITICAL] * 3)
        self.assertIs(late[0].answer.check, late[1].answer.check)
        self.assertEqual([output for _, output in self.parser.asked], [b"table", b"other"])

    def test_who_listens(self) -> None:
        """Their output is told as it comes, and judged as a whole."""
        sink = RecordingSink()
        asked = self.ask(sink=sink)
        self.spawner.last.says(b"ta")
        self.spawner.last.says(b"ble")
        self.assertEqual(sink.stdout, b"table")
        self.spawner.last.ends()
        self.assertEqual(self.parser.asked, [("df", b"table")])
        self.parsed()

        self.assertEqual(self.states(asked), [CheckState.CRITICAL])
        self.assertEqual(sink.stdout, b"table")

    def test_what_needs_no_parser(self) -> None:
        """Is told at once; of what is no check nothing is told, whether its numbers are or not."""
        for name, state in (("load", CheckState.WARNING), ("plain", None)):
            asked = self.ask(name)
            self.ends(status=1)
            self.assertEqual(self.states(asked), [state])
        self.assertEqual(self.parser.asked, [])
        asked = self.ask("numbers")
        self.ends()
        self.assertTrue(asked.is_open)
        self.parsed()
        self.assertEqual(self.states(asked), [None])

    def test_parsers_that_are_no_help(self) -> None:
        """Late, or stumbling: nobody knows, and everybody is told why."""
        late = self.ask()
        self.ends()
        self.composition.clock.advance(PARSE_SECONDS)
        stumbling = self.ask()
        self.ends(b"other")
        self.parser.parsing[-1].errback(NotParsed("it stumbles"))

        texts = [each.answer.check.text for each in (late, stumbling) if each.answer.check is not None]
        self.assertEqual(texts, ["UNKNOWN: the parser df took longer than 2 s", "UNKNOWN: it stumbles"])
        self.assertEqual(self.states(late, stumbling), [CheckState.UNKNOWN] * 2)

    def test_a_mistake_of_ours(self) -> None:
        """Leaves nobody without an answer, and gives the place back."""
        self.let(LOAD, running=1)
        asked = self.ask("load")
        with patch.object(Assessor, "assess", side_effect=ValueError), capturedLogs():
            self.ends()
        self.assertIsInstance(asked.error, Fault)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        again = self.ask("load")
        self.ends()
        self.assertEqual(self.states(again), [CheckState.OK])

    def test_what_is_kept(self) -> None:
        """The history has state and text."""
        self.ask()
        self.ends()
        self.parsed()
        _, record = self.history.told[-1]
        self.assertEqual(record.check_state, CheckState.CRITICAL)
        self.assertEqual(record.check_text, "CRITICAL: use_percent of /var is 93 (over 90)")


class MeanwhileTests(CheckTestCase):
    """What happens while a parser is at work."""

    def setUp(self) -> None:
        super().setUp()
        self.asked = self.ask()
        self.ends()
        self.assertTrue(self.asked.is_open)

    @property
    def run_id(self) -> str:
        """The run that is judged."""
        return next(iter(self.composition.directory.alive())).id

    def test_stop(self) -> None:
        """It has ended by itself already: whoever stops it waits for what that has come to."""
        stopped: Deferred[Any] = self.dispatcher.runs.stop(ADA, self.run_id)
        self.assertNoResult(stopped)
        self.parsed()

        record = self.successResultOf(stopped)
        self.assertEqual((record.state, record.ended_by, record.check_state), (RunState.OK, None, CheckState.CRITICAL))
        self.assertEqual(self.states(self.asked), [CheckState.CRITICAL])
        self.assertNotIn("SIGTERM", [name for _, name in self.spawner.signals])

    def test_attach(self) -> None:
        """Whoever looks hears what was printed, and waits for the state."""
        sink = RecordingSink()
        attached = self.dispatcher.runs.attach(ADA, self.run_id, sink)
        self.assertEqual(sink.stdout, b"table")
        self.assertNoResult(attached)
        self.parsed()

        answer = self.successResultOf(attached).answer
        self.assertIs(answer.check, self.asked.answer.check)

    def test_who_leaves(self) -> None:
        """It is judged all the same, and written down under their name."""
        self.asked.leave()
        self.assertIsInstance(self.asked.error, CancelledError)
        self.assertEqual(self.requests, [])
        self.parsed()

        (event,) = self.requests
        self.assertEqual((event.caller, event.ended_by), (ADA, EndedBy.DISCONNECT))
        assert event.assessment is not None
        assert event.assessment.check is not None
        self.assertEqual(event.assessment.check.state, CheckState.CRITICAL)
        self.assertEqual(list(self.composition.directory.alive()), [])

    def test_one_of_two_leaves(self) -> None:
        """The other has the answer; it is told to metrics once."""
        second, third = self.ask(), self.ask()
        self.parsed()
        self.ends(b"other")
        second.leave()
        self.parsed()

        self.assertEqual(self.states(third), [CheckState.CRITICAL])
        assessed = [event.assessment is not None for event in self.requests]
        self.assertEqual(assessed, [True, True, False])

    def test_reload(self) -> None:
        """Who may not have it any more is refused at once; who may is answered by the rules it was asked by."""
        self.dispatcher.reconfigure(Policy([command("disks", share=True, check=PLUGIN)], EVERYTHING, ["tcp:2023"]))
        self.assertTrue(self.asked.is_open)
        self.parsed()
        self.assertEqual(self.states(self.asked), [CheckState.CRITICAL])

        again = self.ask(caller=ADA)
        self.spawner.last.says(b"x")
        self.dispatcher.reconfigure(Policy([DISKS_CHECK], [], ["tcp:2023"]))
        self.assertIsInstance(again.error, Denied)

    def test_a_right_that_is_lost(self) -> None:
        """While it is judged: no state is told, and nothing breaks when it comes."""
        self.dispatcher.reconfigure(Policy([DISKS_CHECK], [], ["tcp:2023"]))
        self.assertIsInstance(self.asked.error, Denied)
        self.parsed()

        self.assertEqual(self.composition.outcomes, [Code.DENIED])
        self.assertEqual(list(self.composition.directory.alive()), [])

    def test_shutdown(self) -> None:
        """What runs may end, and that is not before it is judged, which the daemon waits for; what waits is refused."""
        waiting = self.ask()
        self.dispatcher.close()
        idle = self.composition.runner.wait_idle()
        self.spawner.clock.advance(1)
        self.assertNoResult(idle)
        self.assertIsInstance(waiting.error, Busy)
        self.assertTrue(self.asked.is_open)
        self.parsed()
        self.assertEqual(self.states(self.asked), [CheckState.CRITICAL])
        self.spawner.clock.advance(1)
        self.successResultOf(idle)

    def test_who_goes_on_without(self) -> None:
        """A run that goes on when its caller has gone is judged, and found."""
        asked = self.ask("backup")
        self.ends(b"other")
        self.parsed()
        asked.leave()
        self.parsed()
        (record,) = [each for kind, each in self.history.told if kind == "ended" and each.command == "backup"]
        self.assertEqual(record.check_state, CheckState.CRITICAL)


class EventTests(CheckTestCase):
    """What observers hear of it."""

    def test_once(self) -> None:
        """The first event of a run's end has it, however many have asked."""
        self.ask()
        asked = [self.ask() for _ in range(3)]
        self.ends()
        self.parsed()
        self.ends(b"other")
        self.parsed()

        self.assertEqual(self.states(*asked), [CheckState.CRITICAL] * 3)
        self.assertEqual([event.assessment is not None for event in self.requests], [True, True, False, False])
        self.assertEqual([event.answers for event in self.requests], [1, 3, 0, 0])

    def test_who_ends_it(self) -> None:
        """One that somebody has ended says nothing of what it looks at; one that took too long does."""
        for leaves, is_told in ((True, False), (False, True)):
            asked = self.ask("load")
            if leaves:
                asked.leave()
                self.spawner.last.ends(2)
            else:
                self.spawner.clock.advance(command().timeout_seconds)
                self.spawner.last.ends(3)
            event = next(each for each in reversed(self.requests) if each.answers)
            self.assertIs(event.assessment is not None, is_told)

    def test_refusals_have_none(self) -> None:
        """Nothing has run."""
        self.composition.ask(GUY, "load")
        self.assertEqual([event.assessment for event in self.requests], [None])

    def test_usual_values(self) -> None:
        """With other values it is of something else, and nobody is told as if it were the same."""
        host = a_parameter(name="host", default=("a",))
        needed = a_parameter(name="host")
        self.let(
            taking("ping", host, check=PLUGIN),
            taking("pong", needed, check=PLUGIN),
        )
        for words, is_told in (
            (["ping"], True),
            (["ping", "a"], True),
            (["ping", "b"], False),
            (["pong", "a"], False),
        ):
            asked = Asked(run_words(self.dispatcher, ADA, words), [])
            self.ends(b"x", 1)
            self.assertEqual(self.states(asked), [CheckState.WARNING])
            self.assertIs(self.requests[-1].assessment is not None, is_told, words)
