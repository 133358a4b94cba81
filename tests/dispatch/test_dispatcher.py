"""Tests of the one way through: throttle, policy, audit, schedule; and every end written down before it is told."""

import errno
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.checks.check import Check
from cmdserver.checks.states import CheckState
from cmdserver.core.errors import (
    BadArgument,
    Busy,
    Code,
    Denied,
    Fault,
    LoginRequired,
    Malformed,
    RequestError,
    Throttled,
    UnknownCommand,
)
from cmdserver.core.events import Event
from cmdserver.core.model import Caller, Command, Role, Rule, Stranger
from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.dispatch.policy import Policy
from cmdserver.parameters.template import Place
from cmdserver.parameters.text_types import Secret
from tests.dispatch.doubles import taking
from tests.doubles import a_caller
from tests.parameters.doubles import a_parameter
from tests.running_doubles import EVERYTHING, STRANGER, Asked, Composition, RecordingSink, command, run_words, user

ADA, GUY = user("ada"), user("guy")
COMMANDS = (
    command("uptime"),
    command("df", share=True),
    command("reboot"),
    command("restart", read_only=False),
    command("flush", read_only=False, share=True),
)


class DispatcherTestCase(SynchronousTestCase):
    """A composition with three commands; to be subclassed."""

    def setUp(self) -> None:
        self.let()

    def let(self, **limits: Any) -> None:
        """Begin with these limits."""
        self.composition = Composition(self, *COMMANDS, **limits)
        self.dispatcher = self.composition.dispatcher
        self.ask = self.composition.ask

    def consult(self, query: Callable[[], object]) -> BaseException | None:
        """Ask what needs no process, and return the error if there was one."""
        try:
            query()
        except RequestError as error:
            return error
        return None

    def logged(self, events: list[LogEvent], fault: BaseException) -> list[str]:
        """Find what the log says under the id that a caller was told."""
        assert isinstance(fault, Fault)
        return [text for text in map(formatEvent, events) if fault.fault_id in text]


class WhoeverAsksTests(DispatcherTestCase):
    """Whom something is done for."""

    def asked(self, somebody: Any) -> dict[str, Callable[[], object]]:
        """Everything that somebody can ask."""
        ask = self.dispatcher
        return {
            "authorize": lambda: ask.authorize(somebody, ["uptime"]),
            "help": lambda: ask.help(somebody),
            "help of one": lambda: ask.help(somebody, "uptime"),
            "explain": lambda: ask.explain(somebody, ["uptime"]),
            "go_on": lambda: ask.go_on(somebody, ["uptime"]),
            "names": lambda: ask.names(somebody),
            "usual_names": lambda: ask.usual_names(somebody),
            "offered": lambda: ask.offered(somebody),
            "with_choices": lambda: ask.with_choices(somebody, command("uptime")),
            "whoami": lambda: ask.whoami(somebody),
            "who": lambda: ask.who(somebody),
            "roles_of": lambda: ask.roles_of(somebody),
        }

    def test_all_is_asked_here(self) -> None:
        """What is new among what callers ask is asked below too."""
        takers = {
            name
            for name, method in inspect.getmembers(Dispatcher, inspect.isfunction)
            if not name.startswith("_") and "caller" in inspect.signature(method).parameters
        }

        self.assertEqual(takers, {each.partition(" ")[0] for each in self.asked(STRANGER)})

    def test_not_for_strangers(self) -> None:
        """Whoever was not let in gets nothing here, whatever the types say of who is passed."""
        for name, query in self.asked(Stranger(protocol="line", source="192.0.2.1")).items():
            with self.assertRaises(AttributeError, msg=name):
                query()
        self.assertEqual((self.composition.spawner.processes, self.composition.ledger.events), ([], []))

    def test_not_for_the_anonymous_where_a_login_is_required(self) -> None:
        """They are told so, or nothing, and it is written down."""
        self.dispatcher.reconfigure(Policy(COMMANDS, EVERYTHING, ["tcp:2023"]))
        anonymous = Caller(name=None, protocol="line", source="192.0.2.1", method="none", listener="tcp:2023")
        asked = self.asked(anonymous)
        self.assertEqual((asked.pop("names")(), asked.pop("offered")()), (frozenset(), ()))
        self.assertEqual((asked.pop("roles_of")(), asked.pop("usual_names")()), ((), frozenset()))
        self.assertIsInstance(
            self.failureResultOf(self.dispatcher.with_choices(anonymous, COMMANDS[0])).value, LoginRequired
        )
        del asked["with_choices"]
        for name, query in asked.items():
            self.assertIsInstance(self.consult(query), LoginRequired, name)
        self.assertEqual(self.composition.spawner.processes, [])
        self.assertEqual(set(self.composition.outcomes), {Code.DENIED})

    def test_what_is_granted_can_be_looked_at(self) -> None:
        """Written down once: as ``help`` if it is described, with what was wrong if it is not run after all."""
        described = self.dispatcher.describe(self.dispatcher.authorize(ADA, ["uptime"]))
        rejected = self.dispatcher.authorize(ADA, ["df"])
        error = self.dispatcher.reject(rejected, Malformed("not so"))

        self.assertEqual((described.name, type(error)), ("uptime", Malformed))
        self.assertEqual(
            [(each.command, each.arguments, each.outcome) for each in self.composition.ledger.requests],
            [("help", ("uptime",), Code.OK), ("df", (), Code.MALFORMED)],
        )
        self.assertEqual(self.composition.spawner.processes, [])

    def test_strangers_are_written_down(self) -> None:
        """What they get wrong is counted for where they are, and a line of the audit file."""
        self.let(per_minute=1)
        stranger = Stranger(protocol="line", source=STRANGER.source)
        refused = self.dispatcher.refuse(stranger, Malformed("x"))
        again = self.dispatcher.refuse(stranger, Malformed("x"))

        self.assertEqual([type(refused), type(again)], [Malformed, Throttled])
        self.assertIsInstance(self.ask().error, Throttled)
        self.assertEqual([each.caller for each in self.composition.ledger.requests[:2]], [stranger] * 2)

    def test_forced_words(self) -> None:
        """What a key is good for is asked, whatever else is; in `explain` too."""
        forced = replace(ADA, forced_words=("df",))
        asked = Asked(run_words(self.dispatcher, forced, ["reboot", "now"]), self.composition.happened)
        self.composition.spawner.last.ends()
        grant, _ = self.dispatcher.explain(forced, ["reboot"])

        self.assertEqual((asked.answer.command, grant.command.name), ("df", "df"))

    def test_forced_words_that_are_none(self) -> None:
        """They do not give the rest away."""
        with self.assertRaises(IndexError):
            self.dispatcher.authorize(replace(ADA, forced_words=()), ["reboot"])
        self.assertEqual(self.composition.spawner.processes, [])

    def test_credentials_good_for_some_commands(self) -> None:
        """A token's list is kept to, by whatever its bearer asks."""
        ada = replace(ADA, commands=frozenset({"df"}))
        self.assertIsInstance(self.ask(ada, "uptime").error, Denied)
        self.assertIsInstance(self.consult(lambda: self.dispatcher.explain(ada, ["uptime"])), Denied)
        self.assertIsInstance(self.consult(lambda: self.dispatcher.help(ada, "uptime")), Denied)
        self.assertEqual(self.dispatcher.names(ada), frozenset({"df"}))
        self.assertEqual([each.name for each in self.dispatcher.help(ada)], ["df"])
        self.assertEqual(self.composition.spawner.processes, [])


class OrderTests(DispatcherTestCase):
    """What is asked first decides."""

    def test_the_allowance_comes_before_the_policy(self) -> None:
        """Who has used up its own allowance learns nothing of which commands there are."""
        self.let(per_minute=1)
        self.ask(ADA)

        asked = self.ask(ADA, "nothing-like-that")

        self.assertIsInstance(asked.error, Throttled)
        self.assertEqual(self.composition.outcomes, [Code.THROTTLED])

    def test_refusals_use_the_allowance(self) -> None:
        """Guessing names is asking."""
        self.let(per_minute=2)

        outcomes = [type(self.ask(STRANGER, "guess").error) for _ in range(3)]

        self.assertEqual(outcomes, [UnknownCommand, UnknownCommand, Throttled])

    def test_the_allowance_comes_back(self) -> None:
        """After as long as the refusal says, the caller may ask again; another caller could all the time."""
        self.let(per_minute=1)
        self.ask(ADA)
        refused = self.ask(ADA).error
        assert isinstance(refused, Throttled)
        self.assertTrue(self.ask(GUY).is_open)

        self.composition.clock.advance(refused.retry_after_seconds)

        self.assertTrue(self.ask(ADA).is_open)

    def test_one_network_has_one_allowance(self) -> None:
        """A stranger does not get another by calling from another of a host's 2^64 addresses; it is written down."""
        self.let(per_minute=1)
        callers = [a_caller(source=source) for source in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")]

        errors = [type(self.ask(caller, "guess").error) for caller in callers]

        self.assertEqual(errors, [UnknownCommand, Throttled, UnknownCommand])
        self.assertEqual(self.composition.ledger.requests[1].caller.source, "2001:db8::2")

    def test_the_policy_comes_before_the_audit_file(self) -> None:
        """The ledger is not asked for room for what is refused anyway, and the refusal is written."""
        asked = self.ask(GUY, "reboot")

        self.assertIsInstance(asked.error, Denied)
        self.assertEqual(self.composition.happened, ["ledger written", "failed"])

    def test_the_audit_file_comes_before_the_process(self) -> None:
        """Nothing is started before the ledger has said that it can be written."""
        started: list[int] = []
        self.composition.ledger.require_writable = (  # type: ignore[method-assign]
            lambda: started.append(len(self.composition.spawner.processes))
        )

        self.ask(ADA)

        self.assertEqual((started, len(self.composition.spawner.processes)), ([0], 1))

    def test_the_end_is_written_before_it_is_told(self) -> None:
        """The audit line of an answer is there when the answer leaves."""
        self.ask(ADA)

        self.composition.spawner.last.ends()

        self.assertEqual(self.composition.happened, ["ledger asked", "ledger written", "answered"])

    def test_the_end_is_written_before_the_answer_is_told(self) -> None:
        """What a shared process says is told while it says it; that it is over, when all its ends are written."""
        sink = RecordingSink(self.composition.happened)
        self.ask(ADA, "df", sink)

        self.composition.spawner.last.says(b"said")
        self.composition.spawner.last.ends()

        self.assertEqual(self.composition.happened, ["ledger asked", "started", "out", "ledger written", "answered"])

    def test_idleness_means_that_every_end_is_written(self) -> None:
        """Whoever waits for the runner to be idle, to close the audit file, finds the last line in it."""
        self.ask(ADA)
        written: list[int] = []
        self.composition.runner.wait_idle().addCallback(lambda _: written.append(len(self.composition.ledger.requests)))

        self.composition.spawner.last.ends()
        self.composition.turn()

        self.assertEqual(written, [1])


class RefusalTests(DispatcherTestCase):
    """Who is told what."""

    def test_a_stranger_learns_of_no_command_that_it_may_not_run(self) -> None:
        """For the anonymous a command that they may not run does not exist, and is not suggested."""
        errors = [self.ask(STRANGER, name).error for name in ("reboot", "rebooz")]

        self.assertEqual([type(error) for error in errors], [UnknownCommand] * 2)
        self.assertEqual(str(errors[0]).replace("reboot", "X"), str(errors[1]).replace("rebooz", "X"))

    def test_a_user_is_denied(self) -> None:
        """Somebody who has logged in is told that a command is not for them, and of one that there is not."""
        denied, unknown = self.ask(GUY, "reboot"), self.ask(GUY, "nothing-like-that")

        self.assertIsInstance(denied.error, Denied)
        self.assertIsInstance(unknown.error, UnknownCommand)
        self.assertEqual(self.composition.outcomes, [Code.DENIED, Code.UNKNOWN_COMMAND])

    def test_a_refusal_is_written_as_it_was_asked(self) -> None:
        """The audit line of a refusal has the words that were sent, and no end of a process."""
        run_words(self.dispatcher, GUY, ["reboot", "now", "\n"]).addErrback(lambda _: None)

        (event,) = self.composition.ledger.requests
        self.assertEqual((event.command, event.arguments), ("reboot", ("now", "\n")))
        self.assertEqual((event.caller, event.finished, event.time), (GUY, None, 1_700_000_000.0))

    def test_arguments_are_refused(self) -> None:
        """A command that takes no arguments is not run with any."""
        failure = self.failureResultOf(run_words(self.dispatcher, ADA, ["uptime", "-p"]))

        self.assertIsInstance(failure.value, BadArgument)
        self.assertEqual(self.composition.spawner.processes, [])

    def test_how_to_ask_can_be_told_in_spite_of_wrong_arguments(self) -> None:
        """Whoever may have a command may see how it is asked for; it is not run for that."""
        request = self.dispatcher.authorize(ADA, ["uptime", "-p"])

        self.assertEqual(self.dispatcher.describe(request).name, "uptime")
        self.assertIsInstance(request.mistake, BadArgument)
        with self.assertRaises(Denied):
            self.dispatcher.authorize(GUY, ["reboot", "now"])

    def test_a_full_line_is_busy(self) -> None:
        """Who finds no room is told how long to wait, and that is written."""
        self.let(running=1, queued=0)
        self.ask(ADA)

        error = self.ask(GUY).error

        assert isinstance(error, Busy)
        self.assertGreaterEqual(error.retry_after_seconds, 1)
        self.assertEqual(self.composition.outcomes, [Code.BUSY])

    def test_who_loses_its_place_is_told(self) -> None:
        """Who is turned away for somebody with fewer requests is told that it is busy, and that is written."""
        self.let(running=1, queued=2)
        asked = [self.ask(ADA) for _ in range(3)]

        self.ask(GUY)

        self.assertIsInstance(asked[2].error, Busy)
        self.assertEqual(
            [(event.caller, event.outcome) for event in self.composition.ledger.requests], [(ADA, Code.BUSY)]
        )

    def test_bytes_that_are_no_request_are_counted_and_written(self) -> None:
        """What a listener can make nothing of uses the allowance, and is an event without a command."""
        self.let(per_minute=1)

        errors = [self.dispatcher.refuse(STRANGER, Malformed("not UTF-8")) for _ in range(2)]

        self.assertEqual([type(error) for error in errors], [Malformed, Throttled])
        self.assertEqual(self.composition.outcomes, [Code.MALFORMED, Code.THROTTLED])
        self.assertEqual([event.command for event in self.composition.ledger.requests], [None, None])


NOBODY_IS_GUEST = [role for role in EVERYTHING if role.name != "guest"]


class RevocationTests(DispatcherTestCase):
    """Another policy while something is under way."""

    def revoke(self, *commands: Command, roles: Sequence[Role] = EVERYTHING) -> None:
        """Read the configuration again."""
        self.dispatcher.reconfigure(Policy(commands or COMMANDS, roles))

    def lines(self) -> list[tuple[str | None, Code]]:
        """Say who is in the audit file with which outcome."""
        return [(event.caller.name, event.outcome) for event in self.composition.ledger.requests]

    def test_it_counts_for_what_comes(self) -> None:
        """What is asked next is judged by the new policy."""
        self.revoke(roles=NOBODY_IS_GUEST)

        self.assertIsInstance(self.ask(GUY).error, Denied)

    def test_it_counts_for_what_waits(self) -> None:
        """Who has lost the role is denied in line, and that is written; who has not is answered in turn."""
        self.let(running=1)
        first = self.ask(ADA)
        waiting = [self.ask(GUY), self.ask(ADA), self.ask(STRANGER)]

        self.revoke(roles=[role for role in NOBODY_IS_GUEST if role.name != "anonymous"])

        self.assertIsInstance(waiting[0].error, Denied)
        self.assertIsInstance(waiting[2].error, UnknownCommand)
        self.assertEqual(self.lines(), [("guy", Code.DENIED), (None, Code.UNKNOWN_COMMAND)])
        events = self.composition.ledger.requests
        self.assertEqual([(event.finished, event.answers) for event in events], [(None, 0)] * 2, "nothing ran")
        for process in self.composition.spawner.processes:
            process.ends()
        self.assertEqual([first.answer.code, waiting[1].answer.code], [Code.OK] * 2)
        self.assertEqual(len(self.composition.spawner.processes), 2)

    def test_it_counts_for_what_runs(self) -> None:
        """Who has lost the role is denied there and then, hears no more, and the process is ended."""
        sink = RecordingSink()
        asked, other = self.ask(GUY, sink=sink), self.ask(ADA)
        self.composition.spawner.processes[0].says(b"before")
        self.composition.clock.advance(2)

        self.revoke(roles=NOBODY_IS_GUEST)

        self.assertIsInstance(asked.error, Denied)
        (event,) = self.composition.ledger.requests
        assert event.finished is not None
        self.assertEqual((event.outcome, event.caller, event.answers), (Code.DENIED, GUY, 1))
        self.assertEqual((event.finished.duration_seconds, event.finished.stdout_bytes), (2, 6))
        self.composition.spawner.processes[0].says(b"after")
        self.composition.turn()
        self.assertEqual(sink.stdout, b"before")
        self.assertEqual([process.is_alive for process in self.composition.spawner.processes], [False, True])
        self.assertEqual(len(self.composition.ledger.requests), 1, "one request, one line")
        self.assertTrue(other.is_open)

    def test_a_process_is_shared_by_those_who_still_may(self) -> None:
        """Of those who share what runs only who has lost the role is denied."""
        self.let(running=1)
        self.ask(ADA)
        asked = [self.ask(STRANGER, "df"), self.ask(ADA, "df")]
        self.composition.spawner.processes[0].ends()

        self.revoke(roles=[role for role in EVERYTHING if role.name != "anonymous"])
        self.composition.spawner.processes[1].ends()

        self.assertIsInstance(asked[0].error, UnknownCommand)
        self.assertEqual(asked[1].answer.finished.exit_status, 0)
        self.assertEqual(self.lines()[1:], [(None, Code.UNKNOWN_COMMAND), ("ada", Code.OK)])

    def test_a_command_that_is_gone(self) -> None:
        """What runs goes on as it was begun, where the roles include the name; what waits is refused."""
        self.let(running=1)
        running, waiting = self.ask(ADA, "reboot"), self.ask(ADA, "reboot")

        self.revoke(command("uptime"))
        self.composition.spawner.processes[0].ends()

        self.assertEqual(running.answer.finished.exit_status, 0)
        self.assertIsInstance(waiting.error, UnknownCommand)

    def test_a_command_and_a_role_that_are_gone(self) -> None:
        """Whether there is such a command any more does not matter for who may not have to do with it."""
        asked = self.ask(GUY)

        self.revoke(command("df"), roles=NOBODY_IS_GUEST)

        self.assertIsInstance(asked.error, Denied)

    def test_a_command_that_has_changed(self) -> None:
        """What waits would run otherwise than it was granted, and may be asked for again; what runs goes on."""
        self.let(running=1)
        running, waiting = self.ask(ADA), self.ask(ADA)

        self.revoke(command("uptime", timeout_seconds=1.0))
        self.composition.spawner.processes[0].ends()

        self.assertIsInstance(waiting.error, Busy)
        self.assertIn("has changed", str(waiting.error))
        self.assertEqual(running.answer.finished.exit_status, 0)
        self.assertEqual(self.lines(), [("ada", Code.BUSY), ("ada", Code.OK)])

    def test_the_words_that_a_key_forces(self) -> None:
        """What is judged is what was run, not what was asked for."""
        self.let(running=1)
        forced = replace(GUY, forced_words=("uptime",))
        self.ask(ADA)
        waiting = self.ask(forced, "anything")

        self.revoke()
        self.assertTrue(waiting.is_open)
        self.revoke(roles=NOBODY_IS_GUEST)

        self.assertIsInstance(waiting.error, Denied)
        self.assertEqual(self.composition.ledger.requests[0].command, "uptime")

    def test_what_a_token_is_good_for(self) -> None:
        """A credential that is good for some commands only is not asked about what it does not concern."""
        self.let(running=1)
        token = replace(ADA, commands=frozenset({"uptime"}), method="token")
        running, waiting = self.ask(token), self.ask(token)

        self.revoke()

        self.assertEqual([running.is_open, waiting.is_open], [True, True])

    def test_a_refusal_that_cannot_be_written(self) -> None:
        """Who has lost the role is told of a fault then, and nothing more either."""
        sink = RecordingSink()
        asked = self.ask(GUY, sink=sink)
        self.composition.ledger.is_full = True

        self.revoke(roles=NOBODY_IS_GUEST)
        self.composition.spawner.processes[0].says(b"after")

        self.assertIsInstance(asked.error, Fault)
        self.assertEqual(sink.stdout, b"")


class GoingOnTests(DispatcherTestCase):
    """A caller who has asked before, and goes on hearing."""

    def test_who_may_is_counted_and_not_written(self) -> None:
        """It uses the allowance like a request; the line is the request's."""
        self.let(per_minute=1)

        self.dispatcher.go_on(GUY, ["uptime"])

        self.assertEqual(self.composition.ledger.requests, [])
        self.assertIsInstance(self.consult(lambda: self.dispatcher.go_on(GUY, ["uptime"])), Throttled)
        self.assertEqual(self.composition.outcomes, [Code.THROTTLED])

    def test_who_may_not_is_refused_and_written(self) -> None:
        """Whoever would be refused the command is refused, with the words in the audit file."""
        token = replace(ADA, commands=frozenset({"df"}), method="token")
        cases = [(GUY, Denied), (token, Denied), (STRANGER, UnknownCommand)]
        for caller, refusal in cases:
            error = self.consult(lambda caller=caller: self.dispatcher.go_on(caller, ["reboot"]))  # type: ignore[misc]
            self.assertIsInstance(error, refusal)

        self.assertEqual([event.command for event in self.composition.ledger.requests], ["reboot"] * 3)
        self.assertEqual([event.caller for event in self.composition.ledger.requests], [GUY, token, STRANGER])

    def test_a_command_that_is_gone(self) -> None:
        """What was begun may be heard to its end."""
        self.dispatcher.reconfigure(Policy([command("df")], EVERYTHING))

        self.dispatcher.go_on(ADA, ["uptime"])

    def test_the_words_that_a_key_forces(self) -> None:
        """They stand for whatever was asked."""
        forced = replace(GUY, forced_words=("reboot",))

        self.assertIsInstance(self.consult(lambda: self.dispatcher.go_on(forced, ["uptime"])), Denied)


class RecordTests(DispatcherTestCase):
    """What is written of what was run."""

    def test_an_answer_has_its_line(self) -> None:
        """The line has the question's id, caller and command, how the process ended, and when."""
        asked = self.ask(GUY)
        self.composition.clock.advance(2)
        self.composition.spawner.last.ends(3)

        (event,) = self.composition.ledger.requests
        self.assertEqual((event.id, event.caller, event.command), (asked.answer.id, GUY, "uptime"))
        self.assertEqual((event.outcome, event.finished), (Code.FAILED, asked.answer.finished))
        self.assertEqual((event.shared, event.ended_by, event.time), (False, None, 1_700_000_002.0))

    def test_ids_are_nobodys_choice(self) -> None:
        """Every question has an id of its own, of 64 bits."""
        asked = [self.ask(ADA) for _ in range(3)]
        for process in self.composition.spawner.processes:
            process.ends()

        ids = [each.answer.id for each in asked]
        self.assertEqual(len(set(ids)), 3)
        self.assertTrue(all(re.fullmatch("[0-9a-f]{16}", each) for each in ids))

    def test_who_shared_has_a_line_each(self) -> None:
        """Three questions and one process are three lines, all of them marked."""
        self.let(running=1)
        self.ask(ADA)
        asked = [self.ask(caller, "df") for caller in (ADA, STRANGER, STRANGER)]
        self.composition.spawner.processes[0].ends()
        self.composition.spawner.processes[1].ends()

        events = self.composition.ledger.requests[1:]
        self.assertEqual([event.id for event in events], [each.answer.id for each in asked])
        self.assertEqual([event.caller for event in events], [ADA, STRANGER, STRANGER])
        self.assertEqual([(event.shared, event.outcome) for event in events], [(True, Code.OK)] * 3)
        self.assertEqual([event.answers for event in events], [3, 0, 0], "the log has one line of a run")

    def test_a_time_limit_is_an_outcome(self) -> None:
        """A run that was ended for its time has the outcome timeout, in the answer too."""
        asked = self.ask(ADA)

        self.composition.clock.advance(30)
        self.composition.turn()

        self.assertEqual(asked.answer.code, Code.TIMEOUT)
        self.assertEqual(self.composition.outcomes, [Code.TIMEOUT])

    def test_who_left_has_a_line(self) -> None:
        """A run whose caller went away is written with its end, and says so."""
        asked = self.ask(ADA)
        asked.leave()
        self.composition.turn()

        (event,) = self.composition.ledger.requests
        assert event.finished is not None
        self.assertEqual((event.ended_by, event.finished.signal), (EndedBy.DISCONNECT, "SIGTERM"))
        self.assertIsInstance(asked.error, CancelledError)

    def test_who_left_the_line_has_a_line(self) -> None:
        """A question that was taken back before its turn is written without an end."""
        self.let(running=1)
        self.ask(ADA)

        self.ask(GUY).leave()

        (event,) = self.composition.ledger.requests
        self.assertEqual((event.caller, event.ended_by, event.finished), (GUY, EndedBy.DISCONNECT, None))
        self.assertEqual(event.answers, 0, "nothing ran")

    def test_who_left_a_shared_run_has_a_line(self) -> None:
        """Of two who shared, the one who stayed and the one who left have a line each."""
        self.let(running=1)
        self.ask(ADA)
        asked = [self.ask(ADA, "df"), self.ask(STRANGER, "df")]
        self.composition.spawner.processes[0].ends()
        asked[0].leave()

        self.composition.spawner.processes[1].ends()

        self.assertEqual(
            [(event.caller, event.ended_by, event.answers) for event in self.composition.ledger.requests[1:]],
            [(STRANGER, None, 2), (ADA, EndedBy.DISCONNECT, 0)],
        )


class StartTests(DispatcherTestCase):
    """What is written before a command runs that may change something."""

    def test_it_is_written_before_it_runs(self) -> None:
        """With the request's id, caller and words, when it starts."""
        started: list[int] = []
        append = self.composition.ledger.append

        def note(events: Sequence[Event]) -> None:
            started.append(len(self.composition.spawner.processes))
            append(events)

        self.composition.ledger.append = note  # type: ignore[method-assign]
        self.composition.clock.advance(5)
        asked = self.ask(ADA, "restart")
        self.composition.clock.advance(2)
        self.composition.spawner.last.ends()

        (start,) = self.composition.ledger.starts
        (end,) = self.composition.ledger.requests
        self.assertEqual(started, [0, 1], "before the process is started, and when it has ended")
        self.assertEqual((start.id, end.id), (asked.answer.id,) * 2)
        self.assertEqual((start.caller, start.command, start.arguments), (ADA, "restart", ()))
        self.assertEqual((start.time, end.time), (1_700_000_005.0, 1_700_000_007.0))

    def test_what_only_reads_has_one_line(self) -> None:
        """Its end; nothing would be missed of it."""
        self.ask(ADA, "reboot")
        self.ask(ADA, "df")

        self.assertEqual(self.composition.ledger.events, [])

    def test_what_waits_has_not_started(self) -> None:
        """The line is written when it is its turn, not when it is asked; what is taken back has none."""
        self.let(running=1)
        self.ask(ADA)
        waiting, left = self.ask(ADA, "restart"), self.ask(ADA, "restart")
        left.leave()
        self.assertEqual(self.composition.ledger.starts, [])

        for process in (0, 1):
            self.composition.clock.advance(3)
            self.composition.spawner.processes[process].ends()

        (start,) = self.composition.ledger.starts
        self.assertEqual((start.id, start.time), (waiting.answer.id, 1_700_000_003.0))

    def test_who_shares_it_has_a_line_each(self) -> None:
        """One process, two who have asked for it."""
        self.let(running=1)
        self.ask(ADA)
        asked = [self.ask(ADA, "flush"), self.ask(ADA, "flush")]

        for process in (0, 1):
            self.composition.spawner.processes[process].ends()

        self.assertEqual([start.id for start in self.composition.ledger.starts], [each.answer.id for each in asked])

    def test_it_does_not_run_if_that_cannot_be_written(self) -> None:
        """Though there seemed to be room: nothing is started, and the caller is told of a fault."""
        self.composition.ledger.is_about_to_be_full = True

        with capturedLogs() as events:
            error = self.ask(ADA, "restart").error

        self.assertEqual(self.composition.spawner.processes, [])
        self.assertEqual(len(self.logged(list(events), error)), 1)

    def test_it_does_not_run_if_its_end_could_not_be_written(self) -> None:
        """Room for two lines is asked for before the first is written."""
        self.composition.ledger.is_full = True
        written: list[Event] = []

        def append(events: Sequence[Event]) -> None:
            written.extend(events)

        self.composition.ledger.append = append  # type: ignore[method-assign]

        error = self.ask(ADA, "restart").error

        self.assertIsInstance(error, Fault)
        self.assertEqual((self.composition.spawner.processes, written), ([], []))

    def test_a_start_that_fails_has_an_end(self) -> None:
        """What was written down as started, and could not be, is a fault under the same id."""
        self.composition.spawner.trouble = FileNotFoundError(errno.ENOENT, "No such file or directory")

        with capturedLogs():
            self.ask(ADA, "restart")

        (start,), (end,) = self.composition.ledger.starts, self.composition.ledger.requests
        self.assertEqual((start.id, end.outcome), (end.id, Code.FAULT))


class FaultTests(DispatcherTestCase):
    """What is our fault: the log knows, the caller is told where to point."""

    def test_a_program_that_is_gone(self) -> None:
        """The caller is told an id and nothing else; under it the log has the kernel's words, and a line is written."""
        self.composition.spawner.trouble = FileNotFoundError(errno.ENOENT, "No such file or directory")

        with capturedLogs() as events:
            error = self.ask(ADA).error

        self.assertNotIn("No such file", str(error))
        (logged,) = (event for event in events if "fault" in formatEvent(event))
        self.assertIn(self.logged([logged], error)[0], formatEvent(logged))
        self.assertIn("uptime: [Errno 2] No such file or directory", formatEvent(logged))
        self.assertEqual(
            [(event.outcome, event.id) for event in self.composition.ledger.requests],
            [
                (Code.FAULT, getattr(error, "fault_id", None)),
            ],
        )

    def test_a_check_that_cannot_be_run(self) -> None:
        """Observers hear that nobody knows how it is: it is not as it was when it could be run."""
        self.composition = Composition(self, command("load", check=Check()), command("df"))
        self.composition.spawner.trouble = FileNotFoundError(errno.ENOENT, "No such file or directory")
        with capturedLogs():
            for name in ("load", "df"):
                self.composition.ask(ADA, name)
        check, plain = self.composition.ledger.requests
        assert check.assessment is not None
        assert check.assessment.check is not None
        self.assertEqual(check.assessment.check.state, CheckState.UNKNOWN)
        self.assertIsNone(plain.assessment)

    def test_a_host_without_room(self) -> None:
        """Too many processes is busy, not a fault, and is written as such."""
        self.composition.spawner.trouble = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        error = self.ask(ADA).error

        self.assertIsInstance(error, Busy)
        self.assertEqual(self.composition.outcomes, [Code.BUSY])

    def test_nothing_runs_that_cannot_be_written(self) -> None:
        """If the ledger says that it is full, nothing is started, and the caller is told of a fault."""
        self.composition.ledger.is_full = True

        with capturedLogs() as events:
            error = self.ask(ADA).error

        self.assertEqual(self.composition.spawner.processes, [])
        self.assertEqual(len(self.logged(list(events), error)), 1)
        self.assertNotIn("no room", str(error))

    def test_no_answer_leaves_unwritten(self) -> None:
        """If the end cannot be written, all who shared are told of a fault under their own ids, whatever they heard."""
        self.let(running=1)
        self.ask(ADA)
        sinks = [RecordingSink(), RecordingSink()]
        asked = [self.ask(caller, "df", sink) for caller, sink in zip((ADA, STRANGER), sinks, strict=True)]
        self.composition.spawner.processes[0].ends()
        self.composition.ledger.is_about_to_be_full = True

        with capturedLogs() as events:
            self.composition.spawner.processes[1].says(b"said")
            self.composition.spawner.processes[1].ends()

        self.assertEqual([type(each.error) for each in asked], [Fault, Fault])
        self.assertEqual([len(self.logged(list(events), each.error)) for each in asked], [1, 1])
        self.assertEqual([each.answers for each in asked], [[], []])

    def test_a_mistake_of_the_ledger_leaves_nobody_without_an_answer(self) -> None:
        """All who wait for one process, and all who wait in line, are told of a fault."""
        self.let(running=1)
        self.ask(ADA)
        asked = [self.ask(ADA, "df"), self.ask(STRANGER, "df")]
        self.composition.spawner.processes[0].ends()
        waiting = [self.ask(ADA), self.ask(ADA)]
        self.composition.ledger.mistake = IndexError("mistake")

        self.dispatcher.close()
        self.composition.spawner.processes[1].ends()

        self.assertEqual([type(each.error) for each in (*asked, *waiting)], [Fault] * 4)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 3)

    def test_a_refusal_that_cannot_be_written_is_a_fault(self) -> None:
        """Whatever the refusal was, the caller is told of the greater trouble."""
        self.composition.ledger.is_full = True
        queries: list[Callable[[], object]] = [
            lambda: self.dispatcher.help(GUY, "reboot"),
            lambda: self.dispatcher.whoami(GUY),
        ]

        errors = [
            self.ask(GUY, "reboot").error,
            self.dispatcher.refuse(GUY, Malformed("no")),
            *map(self.consult, queries),
        ]

        self.assertEqual([type(error) for error in errors], [Fault] * 4)

    def test_a_refusal_for_lack_of_room_that_cannot_be_written(self) -> None:
        """The same for those who had been waiting."""
        self.let(running=1)
        self.ask(ADA)
        waiting = self.ask(GUY)
        self.composition.ledger.is_full = True

        self.dispatcher.close()

        self.assertIsInstance(waiting.error, Fault)

    def test_a_departure_that_cannot_be_written_is_logged(self) -> None:
        """There is nobody to tell any more, but the log."""
        self.let(running=1)
        self.ask(ADA)
        waiting = self.ask(GUY)
        self.composition.ledger.is_about_to_be_full = True

        with capturedLogs() as events:
            waiting.leave()

        self.assertIsInstance(waiting.error, CancelledError)
        self.assertEqual(len(events), 1)

    def test_a_mistake_of_a_door_has_an_id(self) -> None:
        """What a listener could not foresee is logged whole, under the id that is to be told."""
        with capturedLogs() as events:
            fault = self.dispatcher.fault(Failure(ValueError("secret")))

        self.assertEqual(len(self.logged(list(events), fault)), 1)
        self.assertNotIn("secret", str(fault))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class ConsultTests(DispatcherTestCase):
    """What needs no process."""

    def test_help_lists_what_the_caller_may_run(self) -> None:
        """Everybody is told of their own commands, in the order of the file, and of no others."""
        listed = {caller.name: [each.name for each in self.dispatcher.help(caller)] for caller in (ADA, GUY, STRANGER)}

        self.assertEqual(listed, {"ada": [each.name for each in COMMANDS], "guy": ["uptime"], None: ["uptime", "df"]})

    def test_help_refuses_what_asking_would_refuse(self) -> None:
        """One command's help is for those who may run it, and refused to others as the command would be."""
        self.assertEqual([each.name for each in self.dispatcher.help(ADA, "reboot")], ["reboot"])

        self.assertIsInstance(self.consult(lambda: self.dispatcher.help(GUY, "reboot")), Denied)
        self.assertIsInstance(self.consult(lambda: self.dispatcher.help(STRANGER, "reboot")), UnknownCommand)

    def test_explain_runs_nothing(self) -> None:
        """What would run, and the rule that allows it, are told without running it."""
        granted, rule = self.dispatcher.explain(ADA, ["reboot"])

        self.assertEqual((granted.command.name, rule), ("reboot", Rule(role="admin", pattern="*")))
        self.assertEqual(self.composition.spawner.processes, [])

    def test_explain_refuses_what_asking_would_refuse(self) -> None:
        """To explain is refused as to run would be; and without a command it is a bad argument."""
        refusals = [
            self.consult(lambda: self.dispatcher.explain(GUY, ["reboot"])),
            self.consult(lambda: self.dispatcher.explain(STRANGER, ["reboot"])),
            self.consult(lambda: self.dispatcher.explain(ADA, ["reboot", "now"])),
            self.consult(lambda: self.dispatcher.explain(ADA, [])),
        ]

        self.assertEqual([type(each) for each in refusals], [Denied, UnknownCommand, BadArgument, BadArgument])

    def test_whoami_tells_the_roles(self) -> None:
        """Callers are told their own roles."""
        self.assertEqual(self.dispatcher.whoami(ADA), ("admin",))
        self.assertEqual(self.dispatcher.whoami(STRANGER), ("anonymous",))

    def test_who_tells_how_many_are_connected(self) -> None:
        """Connections are counted by protocol."""
        self.composition.connection_limit.enter("line", "192.0.2.1")
        self.composition.connection_limit.enter("line", "192.0.2.2")

        self.assertEqual(self.dispatcher.who(STRANGER), {"line": 2})

    def test_every_word_is_written(self) -> None:
        """What needs no process is a request like any other, with its arguments, refused or not."""
        self.dispatcher.help(ADA)
        self.dispatcher.help(ADA, "df")
        self.dispatcher.explain(ADA, ["df"])
        self.dispatcher.whoami(ADA)
        self.dispatcher.who(ADA)
        self.consult(lambda: self.dispatcher.help(GUY, "df"))

        self.assertEqual(
            [(event.command, event.arguments, event.outcome) for event in self.composition.ledger.requests],
            [
                ("help", (), Code.OK),
                ("help", ("df",), Code.OK),
                ("explain", ("df",), Code.OK),
                ("whoami", (), Code.OK),
                ("who", (), Code.OK),
                ("help", ("df",), Code.DENIED),
            ],
        )

    def test_every_word_uses_the_allowance(self) -> None:
        """Who has used up its own allowance is refused help as well, and that is written."""
        self.let(per_minute=1)
        self.dispatcher.whoami(ADA)

        error = self.consult(lambda: self.dispatcher.help(ADA))

        self.assertIsInstance(error, Throttled)
        self.assertEqual(self.composition.outcomes, [Code.OK, Code.THROTTLED])


class CloseTests(DispatcherTestCase):
    """The end of the daemon."""

    def setUp(self) -> None:
        self.let(running=1)
        self.running = self.ask(ADA)
        self.waiting = self.ask(GUY)

    def test_what_runs_may_end(self) -> None:
        """A run that is under way is answered after the closing."""
        self.dispatcher.close()

        self.composition.spawner.last.ends()

        self.assertEqual(self.running.answer.finished.exit_status, 0)
        self.assertEqual(len(self.composition.spawner.processes), 1)

    def test_what_waits_is_refused(self) -> None:
        """Who waits is told that it is busy, and that is written."""
        self.dispatcher.close()

        self.assertIsInstance(self.waiting.error, Busy)
        self.assertEqual(
            [(event.caller, event.outcome) for event in self.composition.ledger.requests], [(GUY, Code.BUSY)]
        )

    def test_what_comes_is_refused(self) -> None:
        """Who asks after the closing, for a command or for a word, is told that it is busy."""
        self.dispatcher.close()

        errors = [
            self.ask(ADA).error,
            self.consult(lambda: self.dispatcher.help(ADA)),
            self.dispatcher.refuse(STRANGER, Malformed("no")),
        ]

        self.assertEqual([type(error) for error in errors], [Busy] * 3)

    def test_who_is_refused_may_ask_again_at_once(self) -> None:
        """A client that tries again when it is turned away is turned away again, and that is the end of it."""
        again: list[Asked] = []

        def ask_again(_: Any) -> None:
            again.append(self.ask(GUY))

        self.waiting.deferred.addBoth(ask_again)
        self.dispatcher.close()

        self.assertIsInstance(again[0].error, Busy)
        self.assertEqual(self.composition.outcomes, [Code.BUSY, Code.BUSY])


RESTART = taking("restart", a_parameter("unit"), read_only=False, confirm=("Restart ", Place("unit"), "?"))
LOGIN = taking("login", a_parameter("name"), a_parameter("password", Secret()), read_only=False)


class ConfirmTests(DispatcherTestCase):
    """Between leave and run a person may have been asked; in the meantime things change."""

    def setUp(self) -> None:
        self.composition = Composition(self, RESTART, command("uptime"))
        self.dispatcher = self.composition.dispatcher
        self.request = self.dispatcher.authorize(ADA, ["restart", "nginx"])

    def answered(self) -> Asked:
        """Let the person mean it."""
        return Asked(self.dispatcher.run(self.request), self.composition.happened)

    def reload(self, *commands: Command, roles: Sequence[Role] = EVERYTHING) -> None:
        """Go by another configuration."""
        self.dispatcher.reconfigure(Policy(commands or (RESTART,), roles))

    def test_the_question(self) -> None:
        """With the values in it."""
        self.assertEqual("Restart nginx?", self.request.grant.question)
        self.assertEqual("", self.dispatcher.authorize(ADA, ["uptime"]).grant.question)

    def test_nothing_has_changed(self) -> None:
        """It is run, also by a policy that is another and says the same."""
        self.answered()
        self.request = self.dispatcher.authorize(ADA, ["restart", "nginx"])
        self.reload()
        self.answered()
        self.assertEqual(2, len(self.composition.spawner.processes))

    def test_a_right_that_is_lost(self) -> None:
        """It is denied, and that is written down."""
        self.reload(roles=())
        self.assertIsInstance(self.answered().error, Denied)
        self.assertEqual(([Code.DENIED], []), (self.composition.outcomes, self.composition.spawner.processes))

    def test_values_that_may_not_be_given_any_more(self) -> None:
        """Likewise."""
        only = {"restart": {"unit": ("web-*",)}}
        self.reload(roles=[Role(name="admin", patterns=("*",), users=frozenset({"ada"}), only=only)])
        self.assertIsInstance(self.answered().error, Denied)
        self.assertEqual([], self.composition.spawner.processes)

    def test_another_command(self) -> None:
        """What would run is not what was asked: try again."""
        self.reload(replace(RESTART, timeout_seconds=7.0))
        self.assertIsInstance(self.answered().error, Busy)
        self.reload(command("uptime"))
        self.assertIsInstance(self.answered().error, UnknownCommand)
        self.assertEqual([], self.composition.spawner.processes)

    def test_mistakes_are_judged_anew(self) -> None:
        """Who may not have the command any more does not learn of its parameters."""
        self.request = self.dispatcher.authorize(ADA, ["restart", "-rf"])
        self.reload(roles=())
        self.assertIsInstance(self.answered().error, Denied)

    def test_the_end_of_the_daemon(self) -> None:
        """Busy."""
        self.dispatcher.close()
        self.assertIsInstance(self.answered().error, Busy)
        self.assertEqual([], self.composition.spawner.processes)

    def test_who_does_not_mean_it(self) -> None:
        """It is written down, and nothing is run."""
        self.dispatcher.interrupt(self.request)
        self.dispatcher.withdraw(self.request)
        (event,) = self.composition.ledger.requests
        self.assertEqual(
            ("restart", ("unit=nginx",), EndedBy.CALLER, None),
            (event.command, event.arguments, event.ended_by, event.finished),
        )
        self.assertEqual([], self.composition.spawner.processes)


class ValuesTests(DispatcherTestCase):
    """Commands that take values."""

    def setUp(self) -> None:
        self.composition = Composition(self, RESTART, LOGIN)
        self.dispatcher = self.composition.dispatcher

    def test_what_runs(self) -> None:
        """The canonical values, and nothing of what was typed around them; they are written down by name."""
        self.dispatcher.run(self.dispatcher.authorize(ADA, ["restart"], [("unit", "a b;$(id)")]))
        self.composition.spawner.last.ends()
        self.assertEqual(["/usr/bin/uptime", "a b;$(id)"], list(self.composition.spawner.last.argv))
        self.assertEqual(("unit=a b;$(id)",), self.composition.ledger.requests[0].arguments)

    def test_mistakes(self) -> None:
        """They are told by parameter when it is to be run; what was typed is written down."""
        request = self.dispatcher.authorize(ADA, ["restart", "-rf", "x"])
        assert request.mistake is not None
        self.assertEqual(["unit", None], [each.parameter for each in request.mistake.mistakes][::-1])
        self.assertIs(request.mistake, self.failureResultOf(self.dispatcher.run(request)).value)
        (event,) = self.composition.ledger.requests
        self.assertEqual((("-rf", "x"), Code.BAD_ARGUMENT), (event.arguments, event.outcome))

    def test_forced_words(self) -> None:
        """What a key is good for has its values, whatever fields come with a request."""
        forced = replace(ADA, forced_words=("restart", "nginx"))
        request = self.dispatcher.authorize(forced, ["restart", "x"], [("unit", "y")])
        self.assertEqual((("unit", ("nginx",)),), request.grant.values)

    def test_too_much_for_one_process(self) -> None:
        """Is a bad argument: whoever has given it can give less."""
        self.composition.spawner.trouble = OSError(errno.E2BIG, "Argument list too long")
        asked = Asked(self.dispatcher.run(self.dispatcher.authorize(ADA, ["restart", "x"])), [])
        self.assertEqual("the values are too long together", str(asked.error))
        self.assertIsInstance(asked.error, BadArgument)

    def test_it_is_told_with_what_the_caller_may_give(self) -> None:
        """Whether it is described, listed or looked up."""
        only = {"restart": {"unit": ("web-*",)}}
        role = Role(name="admin", patterns=("restart",), users=frozenset({"ada"}), only=only)
        self.dispatcher.reconfigure(Policy([RESTART], [role]))
        described = self.dispatcher.describe(self.dispatcher.authorize(ADA, ["restart"]))
        for told in (
            described,
            *self.dispatcher.help(ADA),
            *self.dispatcher.help(ADA, "restart"),
            *self.dispatcher.offered(ADA),
        ):
            self.assertEqual(("web-*",), told.parameters[0].only)


class SecretTests(DispatcherTestCase):
    """A secret is nowhere but where its command reads it."""

    def setUp(self) -> None:
        self.composition = Composition(self, LOGIN)
        self.dispatcher = self.composition.dispatcher

    def written(self) -> str:
        """Everything that is written down."""
        return repr(self.composition.ledger.events)

    def test_a_command_that_is_gone(self) -> None:
        """What was granted by a policy that knew its secrets is written down as that would have it."""
        granted = self.dispatcher.authorize(ADA, ["login", "ada", "hunter2"])
        self.dispatcher.reconfigure(Policy([command("df")], EVERYTHING))
        error = self.failureResultOf(self.dispatcher.run(granted)).value

        self.assertIsInstance(error, UnknownCommand)
        self.assertNotIn("hunter2", self.written())
        self.assertEqual(("***", "***"), self.composition.ledger.requests[-1].arguments)

    def test_what_runs(self) -> None:
        """It has it in its environment, and not on its command line."""
        asked = self.ask_for("ada", "hunter2")
        process = self.composition.spawner.last
        process.ends()
        self.assertEqual({"password": "hunter2"}, process.environment)
        self.assertNotIn(
            "hunter2", repr([process.argv, asked.answer, asked.answer.arguments, str(asked.answer), self.written()])
        )
        self.assertEqual(("name=ada", "password=***"), asked.answer.arguments)

    def ask_for(self, *words: str) -> Asked:
        """Log somebody in."""
        return Asked(run_words(self.dispatcher, ADA, ["login", *words]), self.composition.happened)

    def test_refusals(self) -> None:
        """Whatever is wrong with what was typed, and with whoever has typed it."""
        for caller in (ADA, GUY, STRANGER):
            for words in (
                ["ada", "-hunter2"],
                ["hunter2"],
                ["ada", "hunter2", "x"],
                ["password=hunter2"],
                ["--", "ada", "-hunter2"],
                ["--", "name=hunter2"],
                ["name=ada", "pasword=hunter2"],
                ["name=ada", "password=hunter2\n"],
            ):
                error = Asked(run_words(self.dispatcher, caller, ["login", *words]), []).error
                self.assertNotIn("hunter2", f"{error} {error!r} {vars(error)}")
                self.consult(lambda words=words, caller=caller: self.dispatcher.explain(caller, ["login", *words]))  # type: ignore[misc]
        request = self.dispatcher.authorize(
            ADA, ["login"], [("name", "ada"), ("pasword", "hunter2"), ("password", "-hunter2")]
        )
        self.dispatcher.reject(request, Malformed("x"))
        self.assertNotIn("hunter2", self.written())
        self.assertNotIn("hunter2", repr(request))

    def test_explanations(self) -> None:
        """What would run is told without it, and so is what was asked."""
        grant, rule = self.dispatcher.explain(ADA, ["login", "ada", "hunter2"])
        self.assertNotIn("hunter2", repr([grant.arguments, grant, rule, self.written()]))

    def test_faults(self) -> None:
        """Neither the log nor a traceback has it, wherever we fail."""
        trouble: list[Exception] = [
            OSError(errno.EIO, "no"),
            FileNotFoundError(errno.ENOENT, "no"),
            ZeroDivisionError("no"),
        ]
        with capturedLogs() as events:
            for each in trouble:
                self.composition.spawner.trouble = each  # type: ignore[assignment]
                self.assertIsInstance(self.ask_for("ada", "hunter2").error, Fault)
            self.composition.spawner.trouble = None
            for each in trouble[:2]:
                asked = self.ask_for("ada", "hunter2")
                self.composition.spawner.last.is_lost(each)  # type: ignore[arg-type]
                self.assertIsInstance(asked.error, Fault)
            self.composition.ledger.is_full = True
            self.assertIsInstance(self.ask_for("ada", "hunter2").error, Fault)
            self.assertIsInstance(self.ask_for("ada", "-hunter2").error, Fault)
        self.flushLoggedErrors()
        for event in events:
            self.assertNotIn("hunter2", formatEvent(event))
            self.assertNotIn("hunter2", repr({key: value for key, value in event.items() if key != "log_failure"}))
            if "log_failure" in event:
                self.assertNotIn("hunter2", event["log_failure"].getTraceback())
                self.assertNotIn("hunter2", event["log_failure"].getTraceback(detail="verbose"))
        self.assertNotIn("hunter2", self.written())


class ReentrancyTests(DispatcherTestCase):
    """Whoever is told may ask again at once."""

    def test_an_answer_may_be_asked_for_again(self) -> None:
        """A client that asks again as soon as it is answered is answered by another process each time."""
        said: list[bytes] = []
        deferreds: list[Deferred[Any]] = []

        def ask() -> None:
            deferreds.append(run_words(self.dispatcher, ADA, ["df"]).addCallback(told))

        def told(answer: Any) -> None:
            said.append(answer.finished.stdout)
            if len(said) < 3:
                ask()

        ask()
        for number in range(3):
            self.composition.spawner.processes[number].says(b"%d" % number)
            self.composition.spawner.processes[number].ends()

        self.assertEqual(said, [b"0", b"1", b"2"])
        self.assertEqual(self.composition.outcomes, [Code.OK] * 3)

    def test_a_refusal_may_be_asked_for_again(self) -> None:
        """A client that loses its place, and asks again at once, is judged anew."""
        self.let(running=1, queued=2)
        greedy = [self.ask(ADA) for _ in range(3)]
        again: list[Asked] = []

        def ask_again(_: Any) -> None:
            again.append(self.ask(ADA))

        greedy[2].deferred.addBoth(ask_again)

        self.ask(GUY)

        self.assertIsInstance(again[0].error, Busy)
        self.assertEqual(self.composition.outcomes, [Code.BUSY, Code.BUSY])
