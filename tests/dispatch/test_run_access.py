"""Tests of who may see and stop which run."""

import errno
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import BadArgument, Busy, Code, Denied, Fault, RequestError, Throttled, UnknownRun
from cmdserver.core.model import Caller, Command, Role
from cmdserver.core.output import Stream
from cmdserver.core.run_states import EndedBy, Keep, OnDisconnect, RunState
from cmdserver.dispatch import requests
from cmdserver.dispatch.policy import Policy
from cmdserver.dispatch.run_access import FoundRuns
from cmdserver.dispatch.watching import EndedRun, SeenRun
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import Asked as AskedBy
from cmdserver.runs.record import RunRecord
from cmdserver.runs.waiting import WaitsFor
from tests.running_doubles import STRANGER, Asked, Composition, RecordingSink, command, user
from tests.runs.doubles import MemoryHistory, a_record

ADA, GUY, SAM, DUT, EVE = user("ada"), user("guy"), user("sam"), user("dut"), user("eve")
UPTIME, DF = command("uptime"), command("df", share=True)
COMMANDS = (UPTIME, DF, command("backup", on_disconnect=OnDisconnect.CONTINUE))


def roles(**differences: Sequence[str]) -> list[Role]:
    """Let ada and guy run everything, sam see uptimes, and dut see and stop them; what is named is overridden."""
    given = {"staff": ("*",), "sees": ("uptime", "df"), "stops": ("uptime", "df")} | differences
    return [
        Role(name="anonymous", patterns=("uptime", "df"), users=frozenset()),
        Role(name="staff", patterns=tuple(given["staff"]), users=frozenset({"ada", "guy"})),
        Role(name="watch", patterns=(), users=frozenset({"sam"}), sees=tuple(given["sees"])),
        Role(
            name="duty",
            patterns=(),
            users=frozenset({"dut"}),
            sees=tuple(given["sees"]),
            stops=tuple(given["stops"]),
        ),
    ]


class RunAccessTestCase(SynchronousTestCase):
    """A composition with some who see the runs of others; to be subclassed."""

    history: MemoryHistory

    def setUp(self) -> None:
        self.let()

    def let(self, *kept: tuple[RunRecord, KeptOutput], **limits: int) -> None:
        """Begin with a history, and limits."""
        self.history = MemoryHistory(kept)
        arguments: dict[str, Any] = limits
        self.composition = Composition(self, *COMMANDS, history=self.history, **arguments)
        self.dispatcher, self.runs = self.composition.dispatcher, self.composition.dispatcher.runs
        self.spawner = self.composition.spawner
        self.reload()

    def reload(self, commands: Sequence[Command] = COMMANDS, **differences: Sequence[str]) -> None:
        """Go by other roles from now on."""
        self.dispatcher.reconfigure(Policy(commands, roles(**differences), ["tcp:2023"]))

    def ask(self, caller: Caller = ADA, name: str = "uptime", sink: RecordingSink | None = None) -> Asked:
        """Ask for a command."""
        return self.composition.ask(caller, name, sink)

    def start(self, caller: Caller = ADA, name: str = "uptime") -> str:
        """Have a command run for nobody who waits; return its id."""
        return self.successResultOf(self.dispatcher.start(self.dispatcher.authorize(caller, [name]))).id

    def id_of(self, number: int = 0) -> str:
        """Tell the id of a run that is known, oldest first."""
        return list(self.composition.directory)[::-1][number].id

    def error(self, deferred: Deferred[Any]) -> RequestError:
        """Take the refusal that must have come."""
        error = self.failureResultOf(deferred, RequestError).value
        assert isinstance(error, RequestError)
        return error

    def get(self, caller: Caller, run_id: str) -> SeenRun:
        """Look at a run."""
        return self.successResultOf(self.runs.get(caller, run_id))

    def found(self, caller: Caller, *fields: tuple[str, str]) -> list[str]:
        """List ids."""
        found: FoundRuns = self.successResultOf(self.runs.find(caller, fields))
        return [each.id for each in found.records]

    def may_see(self, caller: Caller, run_id: str) -> bool:
        """Whether a caller is told of a run, which is the same however they ask."""
        record = self.composition.directory.record_of(run_id)
        answers = {
            self.runs.may_see(caller, record),
            run_id in self.found(caller),
            run_id in [each.id for each in self.runs.alive(caller)],
            bool(self.runs.counts(caller)),
        }
        for ask in (self.runs.get, self.runs.attach):
            deferred: Deferred[Any] = ask(caller, run_id)
            errors: list[Any] = []
            deferred.addErrback(errors.append)
            deferred.cancel()
            answers.add(not (errors and errors[0].check(UnknownRun)))
        (answer,) = answers
        return answer


class SeeingTests(RunAccessTestCase):
    """Each way to ask has the same answer."""

    def test_ones_own(self) -> None:
        """Who has asked for a run sees it, over whatever connection; others do not."""
        run_id = self.start(ADA)

        self.assertTrue(self.may_see(ADA, run_id))
        self.assertTrue(self.may_see(replace(ADA, protocol="web", source="192.0.2.9"), run_id))
        self.assertFalse(self.may_see(GUY, run_id))
        self.assertFalse(self.may_see(EVE, run_id))
        self.assertFalse(self.may_see(STRANGER, run_id))

    def test_those_of_others(self) -> None:
        """A role that says so is enough; one that says so of other commands is not."""
        self.assertTrue(self.may_see(SAM, self.start(ADA)))
        self.setUp()
        self.assertFalse(self.may_see(SAM, self.start(ADA, "backup")))

    def test_the_anonymous(self) -> None:
        """They have none of their own, as anybody is anonymous."""
        run_id = self.start(STRANGER)

        self.assertFalse(self.may_see(STRANGER, run_id))
        self.assertTrue(self.may_see(SAM, run_id))

    def test_a_listener_that_requires_a_login(self) -> None:
        """Nobody is asked there before they have logged in."""
        run_id = self.start(ADA)
        outside = replace(STRANGER, listener="tcp:2023")

        self.assertEqual(self.error(self.runs.get(outside, run_id)).code, Code.DENIED)
        self.assertEqual(self.error(self.runs.find(outside, [])).code, Code.DENIED)
        self.assertRaises(RequestError, self.runs.follow, outside, [])
        self.assertEqual(self.error(self.runs.attach(outside, run_id)).code, Code.DENIED)
        self.assertEqual(self.error(self.runs.stop(outside, run_id)).code, Code.DENIED)

    def test_credentials_for_some_commands(self) -> None:
        """A token or key that is good for other commands shows nothing of this one."""
        run_id = self.start(ADA)

        self.assertTrue(self.may_see(replace(ADA, commands=frozenset({"uptime"})), run_id))
        self.assertFalse(self.may_see(replace(ADA, commands=frozenset({"df"})), run_id))
        self.assertTrue(self.may_see(replace(ADA, forced_words=("uptime",)), run_id))
        self.assertFalse(self.may_see(replace(ADA, forced_words=("df",)), run_id))

    def test_who_shares_it(self) -> None:
        """It is theirs as well, by their own id."""
        self.let(running=1)
        self.ask(ADA)
        self.ask(ADA, "df")
        self.ask(GUY, "df")
        run_id = self.id_of(1)

        self.assertTrue(self.may_see(ADA, run_id))
        self.assertTrue(self.may_see(GUY, run_id))

    def test_who_has_no_role_any_more(self) -> None:
        """Sees what they have run no more."""
        run_id = self.start(ADA)
        self.reload(staff=("df",))

        self.assertFalse(self.may_see(ADA, run_id))

    def test_what_is_told(self) -> None:
        """The run, what it has said up to now, and whether it may be stopped."""
        run_id = self.start(ADA)
        self.spawner.last.says(b"out", b"err")

        seen = self.get(ADA, run_id)
        self.assertEqual((seen.record.id, seen.record.state, seen.grant.command), (run_id, RunState.RUNNING, UPTIME))
        self.assertEqual(seen.output.first, ((Stream.STDOUT, b"out"), (Stream.STDERR, b"err")))
        self.assertEqual([self.get(caller, run_id).may_stop for caller in (ADA, SAM, DUT)], [True, False, True])
        self.spawner.last.ends()
        self.assertIs(self.get(ADA, run_id).may_stop, False)

    def test_ids_that_are_none(self) -> None:
        """Whatever they hold, they are no run's; and a text that is no id is told harmlessly."""
        for odd in ("", "0" * 16, "\x1b[2J", "x" * 10_000, "\ud800"):
            for ask in (self.runs.get, self.runs.attach, self.runs.stop):
                error = self.error(ask(ADA, odd))
                self.assertIsInstance(error, UnknownRun)
                self.assertLess(len(str(error)), 500)
                self.assertNotIn("\x1b", str(error))

    def test_names(self) -> None:
        """The commands of which somebody could see runs, in the file or in the history."""
        self.let((a_record(command="gone"), KeptOutput()))
        self.reload(sees=("gone", "df"))

        self.assertEqual(self.runs.names(ADA), ("backup", "df", "gone", "uptime"))
        self.assertEqual(self.runs.names(SAM), ("df", "gone"))
        self.assertEqual(self.runs.names(STRANGER), ())

    def test_counting(self) -> None:
        """What is alive; None to who could see nothing, whatever there is."""
        self.assertEqual((self.runs.counts(ADA), self.runs.counts(STRANGER)), ({}, None))
        self.start(ADA)
        self.start(GUY)

        counted = [self.runs.counts(caller) for caller in (ADA, SAM, EVE)]
        self.assertEqual(counted, [{RunState.RUNNING: 1}, {RunState.RUNNING: 2}, {}])

    def test_the_command_of_a_run(self) -> None:
        """If it is in the file."""
        self.assertEqual((self.runs.command("df"), self.runs.command("gone")), (DF, None))


class FindingTests(RunAccessTestCase):
    def test_newest_first(self) -> None:
        """What is alive, what is remembered and what is kept, each once."""
        self.let((a_record(id="old", number=7), KeptOutput()))
        first, second = self.start(), self.start()
        self.spawner.last.ends()
        (kept,) = [record for what, record in self.history.told if what == "ended"]
        self.history.kept[second] = replace(self.history.kept["old"], record=kept)

        self.assertEqual(self.found(ADA), [second, first, "old"])

    def test_fields(self) -> None:
        """Command, user, state and number; what is behind a run is behind it wherever it is."""
        self.let((a_record(id="old", number=7), KeptOutput()), (a_record(id="older", number=6), KeptOutput()))
        first, second = self.start(ADA), self.start(ADA, "backup")

        self.assertEqual(self.found(ADA, ("command", "backup")), [second])
        self.assertEqual(self.found(ADA, ("state", "ok")), ["old", "older"])
        self.assertEqual(self.found(ADA, ("limit", "2")), [second, first])
        self.assertEqual(self.found(ADA, ("before", second)), [first, "old", "older"])
        self.assertEqual(self.found(ADA, ("before", "old")), ["older"])
        self.assertEqual(self.found(SAM, ("user", "ada"), ("state", "running")), [first])
        self.assertEqual(self.found(SAM, ("user", "guy")), [])

    def test_before_a_run_that_may_not_be_seen(self) -> None:
        """Is before no run: when it was asked for is none of their business."""
        run_id = self.start(GUY)

        self.assertIsInstance(self.error(self.runs.find(ADA, [("before", run_id)])), UnknownRun)

    def test_what_is_wrong(self) -> None:
        """Is told, and written down."""
        error = self.error(self.runs.find(ADA, [("colour", "red")]))

        self.assertIsInstance(error, BadArgument)
        (event,) = self.composition.ledger.requests
        self.assertEqual((event.command, event.arguments, event.outcome), ("runs", ("colour=red",), Code.BAD_ARGUMENT))

    def test_the_history_is_told_what_may_be_seen(self) -> None:
        """And is not believed, nor is it asked for more than that moment allows."""
        self.let((a_record(id="mine"), KeptOutput()), (a_record(id="his", user="guy"), KeptOutput()))

        self.assertEqual(self.found(ADA), ["mine"])
        _, sight, _ = self.history.asked[-1]
        self.assertEqual((sight.user, sight.own, sight.all), ("ada", {"uptime"}, set()))
        self.assertEqual(sorted(self.found(SAM)), ["his", "mine"])
        self.history.meanwhile = lambda: self.reload(sees=())
        self.assertEqual(self.found(SAM), [])


class WrittenDownTests(RunAccessTestCase):
    """What is asked about runs is counted and written down like everything else."""

    def test_each_question(self) -> None:
        """With its word and the id, whether there is an answer or not."""
        run_id = self.start()
        before = len(self.composition.ledger.requests)
        self.get(ADA, run_id)
        self.error(self.runs.get(GUY, run_id))
        self.error(self.runs.stop(GUY, run_id))
        self.error(self.runs.stop(SAM, run_id))
        self.found(ADA)
        self.runs.follow(ADA, [("state", "ok")])
        self.assertRaises(BadArgument, self.runs.follow, ADA, [("state", "odd")])

        events = self.composition.ledger.requests[before:]
        self.assertEqual(
            [(event.command, event.arguments, event.outcome) for event in events],
            [
                ("attach", (run_id,), Code.OK),
                ("attach", (run_id,), Code.UNKNOWN_RUN),
                ("stop", (run_id,), Code.UNKNOWN_RUN),
                ("stop", (run_id,), Code.DENIED),
                ("runs", (), Code.OK),
                ("runs", ("state=ok",), Code.OK),
                ("runs", ("state=odd",), Code.BAD_ARGUMENT),
            ],
        )

    def test_the_end_of_an_attachment_is_no_request(self) -> None:
        """It was written down when it began."""
        run_id = self.start()
        attached = self.runs.attach(ADA, run_id)
        self.spawner.last.ends()
        self.successResultOf(attached)

        self.assertEqual([event.command for event in self.composition.ledger.requests], ["attach", "uptime"])

    def test_who_does_not_wait_for_what_they_have_stopped(self) -> None:
        """Has stopped it all the same, and it is written down."""
        run_id = self.start()
        stopping = self.runs.stop(DUT, run_id)
        stopping.cancel()
        self.failureResultOf(stopping, CancelledError)

        (event,) = self.composition.ledger.requests
        self.assertEqual((event.caller, event.command, event.arguments), (DUT, "stop", (run_id,)))
        self.composition.turn()
        self.assertFalse(self.spawner.last.is_alive)

    def test_allowance(self) -> None:
        """Who asks too often is refused, also for what takes no process."""
        self.let(per_minute=1)
        self.found(ADA)

        for ask in (self.runs.get, self.runs.attach, self.runs.stop):
            self.assertIsInstance(self.error(ask(ADA, "x")), Throttled)
        self.assertIsInstance(self.error(self.runs.find(ADA, [])), Throttled)

    def test_the_end_of_the_daemon(self) -> None:
        """Nothing more is told."""
        self.dispatcher.close()

        self.assertIsInstance(self.error(self.runs.find(ADA, [])), Busy)


class AttachingTests(RunAccessTestCase):
    def attach(self, run_id: str, caller: Caller = ADA) -> tuple[RecordingSink, Deferred[EndedRun]]:
        """Let somebody hear."""
        sink = RecordingSink()
        return sink, self.runs.attach(caller, run_id, sink)

    def test_before_it_begins(self) -> None:
        """Who hears a run that waits hears all of it."""
        self.let(running=1)
        self.ask()
        run_id = self.start()
        sink, attached = self.attach(run_id)
        self.assertEqual(sink.happened, [])
        self.spawner.processes[0].ends()
        self.spawner.processes[1].says(b"all")
        self.spawner.processes[1].ends(3)

        answer, record = self.successResultOf(attached)
        self.assertEqual((sink.happened, sink.stdout), (["started", "out"], b"all"))
        self.assertEqual((answer.finished.exit_status, answer.state, record.id), (3, RunState.FAILED, run_id))
        self.assertEqual((answer.id, answer.finished.stdout), (run_id, b""))

    def test_while_it_runs(self) -> None:
        """From the beginning; then as it comes, until it has ended."""
        run_id = self.start()
        self.spawner.last.says(b"before,")
        sink, attached = self.attach(run_id)
        self.assertEqual(sink.stdout, b"before,")
        self.spawner.last.says(b"after")
        self.assertEqual(sink.stdout, b"before,after")
        self.assertNoResult(attached)
        self.spawner.last.ends()

        self.assertIs(self.successResultOf(attached).answer.state, RunState.OK)

    def test_after_its_end(self) -> None:
        """What was started is remembered for a while, with what it has said."""
        run_id = self.start()
        self.spawner.last.says(b"said")
        self.spawner.last.ends()
        sink, attached = self.attach(run_id)

        self.assertEqual((sink.happened, sink.stdout), (["started", "out"], b"said"))
        self.assertEqual(self.successResultOf(attached).record.exit_status, 0)

    def test_without_a_sink(self) -> None:
        """The answer has what was said."""
        run_id = self.start()
        attached = [self.runs.attach(ADA, run_id)]
        self.spawner.last.says(b"out", b"err")
        self.spawner.last.ends()
        attached.append(self.runs.attach(ADA, run_id))

        for each in attached:
            result = self.successResultOf(each).answer.finished
            self.assertEqual((result.stdout, result.stderr), (b"out", b"err"))

    def test_what_is_known_comes_first(self) -> None:
        """Before anything is heard."""
        run_id = self.start()
        self.spawner.last.says(b"said")
        sink = RecordingSink()
        seen: list[SeenRun] = []

        def begin(known: SeenRun) -> None:
            self.assertEqual(sink.happened, [])
            seen.append(known)

        self.runs.attach(ADA, run_id, sink, begin)
        self.assertEqual([each.record.id for each in seen], [run_id])
        self.assertEqual(sink.stdout, b"said")

    def test_who_is_slow(self) -> None:
        """Holds nobody up, and has its answer when it has heard everything."""
        run_id = self.start()
        sink, attached = self.attach(run_id)
        sink.pause()
        self.spawner.last.says(b"said")
        self.assertFalse(self.spawner.last.is_paused)
        self.spawner.last.ends()
        self.assertNoResult(attached)
        sink.resume()

        self.assertEqual(sink.stdout, b"said")
        self.successResultOf(attached)

    def test_who_leaves(self) -> None:
        """Hears no more, and the run goes on."""
        run_id = self.start()
        sink, attached = self.attach(run_id)
        attached.cancel()
        self.spawner.last.says(b"said")

        self.failureResultOf(attached, CancelledError)
        self.assertEqual(sink.stdout, b"")
        self.assertTrue(self.spawner.last.is_alive)
        (run,) = self.composition.directory
        self.assertEqual(run.watchers, [])
        self.spawner.last.ends()

    def test_a_sink_that_raises(self) -> None:
        """Is told to who has attached it, and to nobody else."""
        for what in ("when_started", "when_out"):
            run_id = self.start()
            sink = RecordingSink()
            setattr(sink, what, lambda: 1 / 0)
            attached = self.runs.attach(ADA, run_id, sink)
            self.spawner.last.says(b"said")

            self.failureResultOf(attached, ZeroDivisionError)
            self.assertTrue(self.spawner.last.is_alive)
            self.spawner.last.ends()

    def test_what_is_never_begun(self) -> None:
        """There is no such run any more when nobody else waits for it."""
        self.let(running=1)
        self.ask()
        asked = self.ask(ADA, "df")
        sink, attached = self.attach(self.id_of(1))
        asked.leave()

        self.assertIsInstance(self.error(attached), UnknownRun)
        self.assertEqual(sink.happened, [])

    def test_what_finds_no_room(self) -> None:
        """What was started and is turned away later is a fault, before and after."""
        self.let(running=1, queued=2)
        self.ask(GUY)
        self.start(ADA)
        run_id = self.start(ADA)
        sink, attached = self.attach(run_id)
        self.ask(GUY, "df")

        late_sink, late = self.attach(run_id)
        for each in (attached, late):
            answer, _ = self.successResultOf(each)
            self.assertIs(answer.state, RunState.FAULT)
            self.assertIn("others had fewer requests waiting", answer.problem or "")
        self.assertEqual((sink.happened, late_sink.happened), ([], []))

    def test_a_mistake_of_ours_at_the_end(self) -> None:
        """Leaves nobody without an answer who has attached, or stops."""
        asked = self.ask(ADA)
        _, attached = self.attach(self.id_of())
        stopping = self.runs.stop(DUT, self.id_of())
        self.patch(requests, "Answer", lambda **_: 1 / 0)
        self.spawner.last.ends()

        self.assertIsInstance(asked.error, Fault)
        self.failureResultOf(attached, ZeroDivisionError)
        self.assertIs(self.successResultOf(stopping).state, RunState.STOPPED)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_history_that_fails(self) -> None:
        """Costs nobody an answer, and the run is forgotten like every other."""
        self.history.ended = lambda *_: 1 / 0  # type: ignore[method-assign,assignment]
        asked = self.ask(ADA)
        run_id = self.id_of()
        self.spawner.last.ends()

        self.assertEqual(asked.answer.id, run_id)
        self.assertIsNone(self.composition.directory.find(run_id))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ReloadTests(RunAccessTestCase):
    """A role that is taken away while somebody hears."""

    def test_a_watch_ends(self) -> None:
        """Whoever may not see the run any more hears nothing after the reload; the others do."""
        run_id = self.start(ADA)
        sinks = [RecordingSink(), RecordingSink()]
        own, others = self.runs.attach(ADA, run_id, sinks[0]), self.runs.attach(SAM, run_id, sinks[1])
        self.spawner.last.says(b"before")
        self.reload(sees=())
        self.spawner.last.says(b"after")

        self.assertIsInstance(self.error(others), UnknownRun)
        self.assertEqual([sink.stdout for sink in sinks], [b"beforeafter", b"before"])
        self.assertNoResult(own)
        self.reload(staff=())
        self.assertIsInstance(self.error(own), UnknownRun)
        self.spawner.last.ends()

    def test_a_watch_that_waits(self) -> None:
        """Of a run that has not begun, too, and of one whose reader has not heard the end."""
        self.let(running=1)
        first, second = self.start(ADA), self.start(ADA)
        slow = RecordingSink()
        slow.when_started = slow.pause
        watches = [self.runs.attach(SAM, first, slow), self.runs.attach(SAM, second)]
        self.spawner.last.says(b"said")
        self.spawner.last.ends()
        self.reload(sees=())
        slow.resume()

        for watch in watches:
            self.assertIsInstance(self.error(watch), UnknownRun)
        self.assertEqual(slow.stdout, b"")

    def test_what_is_kept(self) -> None:
        """A slow reader of a run that is over hears no more of it either."""
        self.let((a_record(id="old"), KeptOutput(((Stream.STDOUT, b"one"), (Stream.STDERR, b"two")))))
        sink = RecordingSink()
        sink.when_out = sink.pause
        attached = self.runs.attach(SAM, "old", sink)
        self.assertNoResult(attached)
        self.reload(sees=())
        sink.resume()

        self.assertIsInstance(self.error(attached), UnknownRun)
        self.assertEqual((sink.stdout, sink.stderr), (b"one", b""))

    def test_a_reload_that_changes_nothing(self) -> None:
        """Ends nothing."""
        run_id = self.start(ADA)
        attached = self.runs.attach(SAM, run_id)
        self.reload()
        self.assertNoResult(attached)
        self.spawner.last.ends()
        self.successResultOf(attached)

    def test_a_reload_while_the_history_is_asked(self) -> None:
        """Counts: the policy is that of the moment at which something is told."""
        self.let((a_record(id="old"), KeptOutput()))
        self.history.meanwhile = lambda: self.reload(sees=())

        self.assertIsInstance(self.error(self.runs.get(SAM, "old")), UnknownRun)

    def test_what_was_not_promised_and_may_not_run(self) -> None:
        """Never was a run: whoever has asked is told, and nothing is kept of it."""
        self.let(running=1)
        self.ask(GUY, "df")
        asked = self.ask(ADA)
        self.reload(staff=("df",))

        self.assertIsInstance(asked.error, Denied)
        self.assertEqual(self.history.told, [])

    def test_what_was_promised_and_may_not_run(self) -> None:
        """Whoever asks for it is told why."""
        self.let(running=1)
        self.ask(GUY, "df")
        run_id = self.start(ADA)
        attached = self.runs.attach(DUT, run_id)
        self.reload(staff=("df",))

        answer, _ = self.successResultOf(attached)
        self.assertEqual(answer.state, RunState.FAULT)
        self.assertIn("no role of ada includes uptime", answer.problem or "")
        self.assertIs(self.get(DUT, run_id).record.state, RunState.FAULT)
        self.assertEqual([event.outcome for event in self.composition.ledger.requests][-2:], [Code.DENIED, Code.OK])
        self.assertEqual(self.successResultOf(self.runs.attach(DUT, run_id)).answer.state, RunState.FAULT)


class StoppingTests(RunAccessTestCase):
    def stop(self, caller: Caller, run_id: str) -> RunRecord:
        """Stop a run, and let it end."""
        stopping = self.runs.stop(caller, run_id)
        self.composition.turn()
        return self.successResultOf(stopping)

    def ended_by(self, name: str = "uptime") -> list[tuple[Code, EndedBy | None]]:
        """Say how the runs of a command ended, as it was written down."""
        return [(each.outcome, each.ended_by) for each in self.composition.ledger.requests if each.command == name]

    def test_ones_own(self) -> None:
        """It is stopped by its caller, whoever waits is told by whom, and so is the audit file."""
        asked = self.ask(ADA)
        record = self.stop(ADA, self.id_of())

        self.assertEqual((record.state, record.ended_by, record.stopped_by), (RunState.STOPPED, EndedBy.CALLER, "ada"))
        self.assertEqual((asked.answer.state, asked.answer.problem), (RunState.STOPPED, "stopped by ada"))
        self.assertEqual(self.ended_by(), [(Code.FAILED, EndedBy.CALLER)])

    def test_anothers(self) -> None:
        """By a role that says so."""
        run_id = self.start(ADA)
        record = self.stop(DUT, run_id)

        self.assertEqual((record.state, record.ended_by, record.stopped_by), (RunState.STOPPED, EndedBy.STOP, "dut"))
        self.assertEqual(self.ended_by(), [(Code.FAILED, EndedBy.STOP)])

    def test_who_may_only_see_it(self) -> None:
        """Is denied, and the run goes on; who may not see it is told that there is none."""
        run_id = self.start(ADA)

        self.assertIsInstance(self.error(self.runs.stop(SAM, run_id)), Denied)
        for caller in (GUY, EVE, STRANGER):
            self.assertIsInstance(self.error(self.runs.stop(caller, run_id)), UnknownRun)
        watch = Role(name="more", patterns=(), users=frozenset({"guy"}), sees=("uptime",))
        self.dispatcher.reconfigure(Policy(COMMANDS, [*roles(), watch]))
        self.assertIsInstance(self.error(self.runs.stop(GUY, run_id)), Denied, "though he may stop his own")
        self.composition.turn()
        self.assertTrue(self.spawner.last.is_alive)
        self.assertEqual(self.spawner.signals, [])

    def test_who_may_not_run_it_any_more(self) -> None:
        """May not stop it either, though it was theirs."""
        run_id = self.start(ADA)
        self.reload(staff=())

        self.assertIsInstance(self.error(self.runs.stop(ADA, run_id)), UnknownRun)
        self.assertTrue(self.spawner.last.is_alive)

    def test_credentials_for_other_commands(self) -> None:
        """Are not good for stopping this one."""
        run_id = self.start(ADA)
        for caller in (replace(ADA, commands=frozenset({"df"})), replace(ADA, forced_words=("df",))):
            self.assertIsInstance(self.error(self.runs.stop(caller, run_id)), UnknownRun)
        self.assertTrue(self.spawner.last.is_alive)

    def test_what_is_over(self) -> None:
        """Is told as it is, here or in the history."""
        self.let((a_record(id="old"), KeptOutput()))
        run_id = self.start(ADA)
        self.spawner.last.ends(3)

        self.assertEqual((self.stop(ADA, run_id).exit_status, self.stop(ADA, "old").state), (3, RunState.OK))
        self.assertEqual(self.stop(SAM, run_id).exit_status, 3)

    def test_what_waits(self) -> None:
        """Is never begun, and whoever waits for it is told who has stopped it."""
        self.let(running=1)
        self.ask(GUY)
        asked = self.ask(ADA, "df")
        record = self.stop(DUT, self.id_of(1))

        self.assertEqual((record.state, record.started_at), (RunState.STOPPED, None))
        self.assertEqual((asked.answer.state, asked.answer.problem), (RunState.STOPPED, "stopped by dut"))
        self.assertEqual(self.ended_by("df"), [(Code.FAILED, EndedBy.STOP)])
        self.spawner.last.ends()
        self.assertEqual(len(self.spawner.processes), 1)

    def test_it_is_waited_for(self) -> None:
        """A process that takes its time to end is told of when it has."""
        run_id = self.start(ADA)
        self.spawner.last.ignores.add(15)  # type: ignore[arg-type]
        stopping = self.runs.stop(ADA, run_id)
        self.composition.turn()
        self.assertNoResult(stopping)
        self.spawner.last.says(b"last words")
        self.spawner.last.ends()

        record = self.successResultOf(stopping)
        self.assertEqual((record.stdout_bytes, record.state), (10, RunState.STOPPED))

    def share(self) -> tuple[Asked, Asked]:
        """Let ada and guy have a run together."""
        self.let(running=1)
        self.ask(STRANGER)
        asked = self.ask(ADA, "df"), self.ask(GUY, "df")
        self.spawner.processes[0].ends()
        return asked

    def test_one_of_those_who_share_it(self) -> None:
        """Takes leave, and the run goes on for the other, if they may not stop it for them."""
        first, second = self.share()
        run = next(iter(self.composition.directory.alive()))
        record = self.stop(ADA, run.id)

        self.assertIs(record.state, RunState.RUNNING)
        self.assertIsInstance(first.error, CancelledError)
        self.assertTrue(self.spawner.last.is_alive)
        self.spawner.last.ends()
        self.assertEqual(second.answer.state, RunState.OK)
        self.assertEqual(self.ended_by("df"), [(Code.OK, None), (Code.OK, EndedBy.CALLER)])

    def test_who_may_stop_it_for_all(self) -> None:
        """Ends it for all, as somebody else or as one of them."""
        for caller, by in ((DUT, EndedBy.STOP), (ADA, EndedBy.CALLER)):
            first, second = self.share()
            if caller is ADA:
                duty = Role(name="more", patterns=(), users=frozenset({"ada"}), stops=("df",))
                self.dispatcher.reconfigure(Policy(COMMANDS, [*roles(), duty]))
            record = self.stop(caller, next(iter(self.composition.directory.alive())).id)

            self.assertEqual((record.state, record.ended_by), (RunState.STOPPED, by))
            self.assertEqual((first.answer.state, second.answer.state), (RunState.STOPPED, RunState.STOPPED))

    def test_who_has_asked_twice(self) -> None:
        """Has nobody to take care of but themselves."""
        self.let(running=1)
        self.ask(STRANGER)
        asked = self.ask(ADA, "df"), self.ask(ADA, "df")
        self.spawner.processes[0].ends()
        self.stop(ADA, next(iter(self.composition.directory.alive())).id)

        self.assertEqual([each.answer.state for each in asked], [RunState.STOPPED] * 2)

    def test_one_of_those_who_started_it(self) -> None:
        """Nobody who was promised an end is left waiting for it."""
        self.let(running=1)
        self.ask(STRANGER)
        request = self.dispatcher.authorize(ADA, ["df"])
        self.successResultOf(self.dispatcher.start(request))
        self.ask(GUY, "df")
        self.spawner.processes[0].ends()
        self.stop(ADA, request.id)

        self.assertTrue(request.answered.called)
        self.assertTrue(self.spawner.last.is_alive)
        self.spawner.last.ends()


class KeptTests(RunAccessTestCase):
    """Runs that are over and known from the history alone."""

    OUTPUT = KeptOutput(((Stream.STDOUT, b"one"),), 5, ((Stream.STDERR, b"two"),))

    def keep(self, **differences: Any) -> None:
        """Have one run in the history."""
        self.let((a_record(id="old", others=(AskedBy(id="shared", user="guy"),), **differences), self.OUTPUT))

    def test_who_sees_it(self) -> None:
        """Those who have asked for it, and those whose roles say so."""
        self.keep()
        for caller, sees in ((ADA, True), (GUY, True), (SAM, True), (EVE, False), (STRANGER, False)):
            if sees:
                self.assertEqual(self.get(caller, "old").record.id, "old")
            else:
                self.assertIsInstance(self.error(self.runs.get(caller, "old")), UnknownRun)
                self.assertIsInstance(self.error(self.runs.attach(caller, "old")), UnknownRun)
                self.assertIsInstance(self.error(self.runs.stop(caller, "old")), UnknownRun)

    def test_one_of_the_anonymous(self) -> None:
        """Is nobody's."""
        self.let((a_record(id="old", user=None), self.OUTPUT))

        self.assertIsInstance(self.error(self.runs.get(STRANGER, "old")), UnknownRun)

    def test_it_is_heard(self) -> None:
        """As one that is alive, with what is missing."""
        self.keep(state=RunState.FAILED, exit_status=3, problem="exit status 3")
        sink = RecordingSink()
        answer, record = self.successResultOf(self.runs.attach(ADA, "old", sink))

        self.assertEqual(sink.happened, ["started", "out", "missed 5", "err"])
        self.assertEqual((sink.stdout, sink.stderr), (b"one", b"two"))
        self.assertEqual((answer.state, answer.problem, answer.omitted_bytes), (RunState.FAILED, "exit status 3", 5))
        self.assertTrue(answer.shared)
        self.assertEqual(record.id, "old")

    def test_it_may_not_be_stopped(self) -> None:
        """It is over, whatever its state: nobody here runs it."""
        self.keep(state=RunState.RUNNING)

        self.assertIs(self.get(ADA, "old").may_stop, False)
        self.assertIs(self.successResultOf(self.runs.stop(ADA, "old")).state, RunState.RUNNING)

    def test_what_is_alive_is_not_looked_up(self) -> None:
        """A run that is here is not seen by what the history says of it."""
        run_id = self.start(GUY)
        self.history.kept[run_id] = replace(
            MemoryHistory([(a_record(id=run_id), KeptOutput())]).kept[run_id], output=self.OUTPUT
        )

        self.assertIsInstance(self.error(self.runs.get(ADA, run_id)), UnknownRun)

    def test_a_reader_who_leaves(self) -> None:
        """Hears no more."""
        self.keep()
        sink = RecordingSink()
        sink.when_out = sink.pause
        attached = self.runs.attach(ADA, "old", sink)
        attached.cancel()
        sink.resume()

        self.failureResultOf(attached, CancelledError)
        self.assertEqual(sink.happened, ["started", "out"])

    def test_a_sink_that_raises(self) -> None:
        """Is told to who has attached it."""
        for what in ("when_started", "when_out"):
            self.keep()
            sink = RecordingSink()
            setattr(sink, what, lambda: 1 / 0)
            self.failureResultOf(self.runs.attach(ADA, "old", sink), ZeroDivisionError)

    def test_what_has_begun_is_kept(self) -> None:
        """Though nobody knows how it ended; what could not be started was never there."""
        for why, kept in ((errno.EPIPE, [("ended", RunState.FAULT)]), (errno.ENOENT, [])):
            self.let()
            asked = self.ask(ADA)
            self.spawner.last.is_lost(OSError(why, "lost"))
            self.assertIsInstance(asked.error, Fault)
            self.assertEqual([(what, record.state) for what, record in self.history.told], kept)

    def test_one_that_nobody_keeps(self) -> None:
        """A run whose caller waits is gone when it is over, unless it is kept."""
        self.reload([command("uptime", history=Keep.NONE)])
        asked = self.ask()
        self.spawner.last.ends()

        self.assertIsInstance(self.error(self.runs.get(ADA, asked.answer.id)), UnknownRun)


class ListeningTests(RunAccessTestCase):
    def test_what_may_be_seen(self) -> None:
        """At that moment, and until they stop listening."""
        heard: list[tuple[str | None, RunState]] = []

        def hear(number: int, record: Callable[[], RunRecord]) -> None:
            self.assertEqual(number, record().number)
            heard.append((record().user, record().state))

        stop = self.runs.listen(SAM, hear)
        self.start(ADA)
        self.start(ADA, "backup")
        self.reload(sees=())
        self.spawner.processes[0].ends()
        self.reload()
        self.start(GUY)
        stop()
        self.start(GUY)

        self.assertEqual(
            heard,
            [
                ("ada", RunState.QUEUED),
                ("ada", RunState.RUNNING),
                ("guy", RunState.QUEUED),
                ("guy", RunState.RUNNING),
            ],
        )

    def test_the_alive(self) -> None:
        """Newest first."""
        ids = [self.start(ADA) for _ in range(2)]

        self.assertEqual([each.id for each in self.runs.alive(SAM)], ids[::-1])
        self.assertEqual(self.runs.alive(GUY), ())


class WaitingTests(RunAccessTestCase):
    """Why a run has not begun."""

    def wait(self, name: str = "uptime", *commands: Command, **limits: int) -> str:
        """Let ada's run be in the way of what guy has asked for; return the id of guy's."""
        self.let(**limits)
        self.reload(commands or COMMANDS)
        self.ada, self.guy = (self.start(who, name) for who in (ADA, GUY))
        return self.guy

    def why(self, caller: Caller, run_id: str) -> tuple[WaitsFor, str | None] | None:
        """Ask, for a caller."""
        waiting = self.runs.waiting(caller, run_id)
        return None if waiting is None else (waiting.waits_for, None if waiting.run is None else waiting.run.id)

    def test_for_a_place_of_its_command(self) -> None:
        """Who may see the run that has it is told which that is; others that there is one."""
        waits = self.wait("uptime", command("uptime", max_running=1))

        self.assertEqual(self.why(DUT, waits), (WaitsFor.RUN, self.ada))
        self.assertEqual(self.why(GUY, waits), (WaitsFor.RUN, None))

    def test_for_the_run_of_the_same_question(self) -> None:
        """What is shared waits for the process that was started before."""
        waits = self.wait("df")

        self.assertEqual(self.why(SAM, waits), (WaitsFor.RUN, self.ada))
        self.assertEqual(self.why(GUY, waits), (WaitsFor.RUN, None))

    def test_one_of_several(self) -> None:
        """The oldest that the caller may see."""
        self.reload([command("uptime", max_running=2)])
        self.start(GUY)
        first = self.start()
        waits = self.start()

        self.assertEqual(self.why(ADA, waits), (WaitsFor.RUN, first))

    def test_for_its_turn(self) -> None:
        """Other commands are in its way: nobody's in particular."""
        waits = self.wait("uptime", running=1)
        self.assertEqual(self.why(DUT, waits), (WaitsFor.TURN, None))

        self.let(running=1)
        self.reload([command("uptime", max_running=2), DF])
        self.start(ADA, "df")
        self.assertEqual(self.why(GUY, self.start(GUY)), (WaitsFor.TURN, None))

    def test_what_does_not_wait(self) -> None:
        """There is nothing to be told of what runs, is over, or is not there."""
        self.wait("uptime", command("uptime", max_running=1))
        self.assertIsNone(self.why(DUT, self.ada))
        self.spawner.last.ends()
        self.composition.turn()
        self.assertIsNone(self.why(DUT, self.ada))
        self.assertIsNone(self.why(DUT, self.guy))
        self.assertIsNone(self.why(DUT, "0" * 16))

    def test_what_nobody_waits_for_any_more(self) -> None:
        """It is over before it began."""
        waits = self.wait("uptime", command("uptime", max_running=1))
        self.successResultOf(self.runs.stop(GUY, waits))

        self.assertIsNone(self.why(GUY, waits))

    def test_who_may_not_see_what_waits(self) -> None:
        """It does not exist for them."""
        waits = self.wait("uptime", command("uptime", max_running=1))

        self.assertIsNone(self.why(EVE, waits))
        self.assertIsNone(self.why(ADA, waits))

    def test_by_request(self) -> None:
        """Whoever has asked is told, the anonymous too, and what they may see is asked of the policy of that moment."""
        self.let()
        self.reload([command("uptime", max_running=1)])
        first = self.start()
        for caller in (STRANGER, ADA):
            request = self.dispatcher.authorize(caller, ["uptime"])
            self.assertIsNone(self.dispatcher.waiting(request))
            running = self.dispatcher.run(request)
            waiting = self.dispatcher.waiting(request)
            assert waiting is not None
            seen = waiting.run and waiting.run.id
            self.assertEqual((waiting.waits_for, seen), (WaitsFor.RUN, first if caller is ADA else None))
        self.reload([command("uptime", max_running=1)], staff=("df",))
        self.assertIsInstance(self.error(running), Denied)
        self.assertIsNone(self.dispatcher.waiting(request))

    def test_it_is_no_request(self) -> None:
        """Nothing is written down."""
        waits = self.wait("uptime", command("uptime", max_running=1))
        before = len(self.composition.ledger.requests)
        self.why(GUY, waits)

        self.assertEqual(len(self.composition.ledger.requests), before)


class LookTests(RunAccessTestCase):
    """What a page shows of a run without asking for it: by nobody's allowance, and in no audit file."""

    def test_who_may_look(self) -> None:
        """One's own, and others' with a role for it; nobody else, nor after a reload that takes the role."""
        run_id = self.start()
        for caller, may_look, may_stop in (
            (ADA, True, True),
            (GUY, False, False),
            (SAM, True, False),
            (DUT, True, True),
        ):
            seen = self.runs.look(caller, run_id)
            self.assertEqual(seen is not None, may_look, caller.name)
            self.assertEqual(seen is not None and seen.may_stop, may_stop, caller.name)
        self.reload(sees=())
        self.assertIsNone(self.runs.look(SAM, run_id))
        self.assertIsNone(self.runs.look(ADA, "0000000000000000"))

    def test_nothing_is_written_down(self) -> None:
        """It is no request."""
        run_id = self.start()
        before = len(self.composition.ledger.events)
        self.runs.look(ADA, run_id)
        self.successResultOf(self.runs.last_runs(ADA, "uptime"))
        self.assertEqual(len(self.composition.ledger.events), before)

    def test_why_it_waits(self) -> None:
        """Said of what has not begun, and whose run is in its way only to who may see that."""
        self.let(running=1)
        self.start(ADA, "backup")
        waits = self.start(GUY)
        seen = self.runs.look(GUY, waits)
        assert seen is not None
        assert seen.waiting is not None
        self.assertEqual((seen.waiting.waits_for, seen.waiting.run), (WaitsFor.TURN, None))
        running = self.runs.look(ADA, self.id_of())
        assert running is not None
        self.assertIsNone(running.waiting)

    def test_ones_own_request(self) -> None:
        """Whoever has asked knows of the run while it is and when it is over; also strangers, who may see no runs."""
        for caller in (ADA, STRANGER):
            granted = self.dispatcher.authorize(caller, ["uptime"])
            look = self.runs.of_request(granted)
            self.assertIsNone(look())
            self.dispatcher.run(granted)
            seen = look()
            assert seen is not None
            self.assertIs(seen.record.state, RunState.RUNNING)
            self.assertEqual(seen.may_stop, caller is ADA)
            self.spawner.processes[-1].ends()
            over = look()
            assert over is not None
            self.assertIs(over.record.state, RunState.OK)

    def test_last_runs(self) -> None:
        """Of one command, newest first, no more than are wanted, and only what the caller may see."""
        self.let(*((a_record(id=f"{each:016x}", number=each, user="ada"), KeptOutput()) for each in range(1, 6)))
        for caller, expected in ((ADA, [5, 4, 3]), (SAM, [5, 4, 3]), (GUY, []), (STRANGER, [])):
            found = self.successResultOf(self.runs.last_runs(caller, "uptime"))
            self.assertEqual([each.number for each in found], expected, caller.name)
        self.assertEqual(self.successResultOf(self.runs.last_runs(ADA, "df")), ())
        self.assertEqual(len(self.successResultOf(self.runs.last_runs(ADA, "uptime", most=1))), 1)
