"""Choices that a command prints for another one: fresh, shared, and nobody's way around anything."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import BadArgument, Busy, Code, Denied, Fault, RequestError, Throttled
from cmdserver.core.model import Caller, Command, Role
from cmdserver.core.run_states import EndedBy
from cmdserver.dispatch.policy import Policy
from cmdserver.parameters.patterns import Pattern
from cmdserver.parameters.text_types import Choice
from tests.dispatch.doubles import taking
from tests.parameters.doubles import a_parameter, optional
from tests.running_doubles import STRANGER, Asked, Composition, FakeProcess, command, run_words, user

ADA, GUY = user("ada"), user("guy")
LIST = command("list", share=True)
RESTART = taking("restart", a_parameter("unit", Choice(source="list"), repeat=2), read_only=False)
ROLES = (
    Role(name="anonymous", patterns=("restart",), users=frozenset(), only={"restart": {"unit": ("web-*",)}}),
    Role(name="admin", patterns=("*",), users=frozenset({"ada"})),
    Role(name="guest", patterns=("restart",), users=frozenset({"guy"}), only={"restart": {"unit": ("web-*", "db")}}),
)


class ChoiceListsTestCase(SynchronousTestCase):
    """`restart UNIT`, whose units `list` prints; only ada may run `list` herself."""

    def setUp(self) -> None:
        self.let()

    def let(self, *commands: Command, **limits: Any) -> None:
        """Begin with these limits."""
        self.commands = commands or (LIST, RESTART)
        self.composition = Composition(self, *self.commands, **limits)
        self.dispatcher = self.composition.dispatcher
        self.dispatcher.reconfigure(Policy(self.commands, ROLES))

    def ask(self, *words: str, caller: Caller = ADA) -> Asked:
        """Ask for something."""
        return Asked(run_words(self.dispatcher, caller, words), self.composition.happened)

    @property
    def processes(self) -> list[FakeProcess]:
        """Those that were started."""
        return self.composition.spawner.processes

    def prints(self, output: bytes, number: int = -1, status: int = 0) -> None:
        """Let a process print a list and end."""
        self.processes[number].says(output)
        self.processes[number].ends(status)

    @property
    def written(self) -> list[tuple[str | None, Code]]:
        """What was written down of requests."""
        return [(each.command, each.outcome) for each in self.composition.ledger.requests]


class RunTests(ChoiceListsTestCase):
    def test_a_choice(self) -> None:
        """The list first, and then the command; both are written down."""
        asked = self.ask("restart", "nginx")
        self.assertEqual(1, len(self.processes))
        self.prints(b"nginx\ndb\n")
        self.assertEqual(2, len(self.processes))
        self.processes[1].ends()

        self.assertEqual(("unit=nginx",), asked.answer.arguments)
        self.assertEqual([("list", Code.OK), ("restart", Code.OK)], self.written)
        self.assertEqual([ADA, ADA], [each.caller for each in self.composition.ledger.requests])

    def test_no_choice(self) -> None:
        """It is said which there are, and nothing runs."""
        asked = self.ask("restart", "ngimx", "db")
        self.prints(b"nginx\ndb\n")

        error = asked.error
        assert isinstance(error, BadArgument)
        self.assertEqual("unit must be one of nginx, db; did you mean nginx?", str(error))
        self.assertEqual(("unit", ("nginx",)), (error.mistakes[0].parameter, error.mistakes[0].suggestions))
        self.assertEqual((1, [("list", Code.OK), ("restart", Code.BAD_ARGUMENT)]), (len(self.processes), self.written))

    def test_what_cannot_be_a_choice_starts_nothing(self) -> None:
        """A word that does not match the pattern is refused before anything runs."""
        for word in ("-rf", "a b", "", "a;b"):
            self.assertIsInstance(self.ask("restart", word).error, BadArgument)
        self.assertEqual([], self.processes)

    def test_a_pattern(self) -> None:
        """Of the parameter's own; a message shows what cannot be seen."""
        free = taking("restart", a_parameter("unit", Choice(source="list", pattern=Pattern(".+"))))
        self.let(LIST, free)
        asked = self.ask("restart", "a b")
        self.prints("a\u200bb\n-rf\n".encode())

        self.assertEqual("unit must be one of a\\u200bb; did you mean a\\u200bb?", str(asked.error))

    def test_it_is_fresh(self) -> None:
        """A list that is being printed was begun before the question, so it is not for it."""
        self.ask("list")
        asked = self.ask("restart", "nginx")
        self.prints(b"nginx\n", 0)
        self.assertEqual(2, len(self.processes))
        self.prints(b"db\n", 1)

        self.assertIsInstance(asked.error, BadArgument)

    def test_it_is_shared(self) -> None:
        """All who wait for one are answered by one, whoever they are; what each may give of it is another matter."""
        self.ask("list")
        asked = [self.ask("restart", "nginx", caller=each) for each in (ADA, ADA)]
        others = [self.ask("restart", "web-1", caller=each) for each in (GUY, STRANGER)]
        self.prints(b"old\n", 0)
        self.assertEqual(2, len(self.processes))
        self.prints(b"nginx\n", 1)

        self.assertEqual(4, len(self.processes), "both of ada's restarts")
        self.assertTrue(all(each.is_open for each in asked))
        self.assertEqual([BadArgument, BadArgument], [type(each.error) for each in others])
        for each in others:
            self.assertNotIn("nginx", str(each.error))

    def test_it_needs_no_right_of_its_own(self) -> None:
        """Who may restart may have the units listed, and may not list them by themselves."""
        self.ask("restart", "web-1", caller=GUY)
        self.assertEqual(1, len(self.processes))
        self.assertIsInstance(self.ask("list", caller=GUY).error, Denied)

    def test_what_a_role_may_not_give_starts_nothing(self) -> None:
        """It is refused before anything is listed."""
        self.assertIsInstance(self.ask("restart", "nginx", caller=GUY).error, Denied)
        self.assertIsInstance(self.ask("restart", "db", caller=STRANGER).error, BadArgument)
        self.assertEqual([], self.processes)

    def test_a_value_that_was_not_given(self) -> None:
        """Needs no list; a default does."""
        self.let(LIST, taking("restart", optional("unit", Choice(source="list"))))
        self.ask("restart")
        self.assertEqual(1, len(self.processes))
        self.prints(b"")
        self.assertEqual([("restart", Code.OK)], self.written)

        self.let(LIST, taking("restart", optional("unit", Choice(source="list"), default=("db",))))
        asked = self.ask("restart")
        self.prints(b"nginx\n")
        self.assertIsInstance(asked.error, BadArgument)

    def test_several_lists(self) -> None:
        """One after the other; all that is wrong is told."""
        a, b = (a_parameter(each, Choice(source="list")) for each in "ab")
        self.let(LIST, taking("restart", a, b))
        asked = self.ask("restart", "x", "y")
        self.prints(b"1\n")
        self.prints(b"2\n")

        self.assertEqual("a must be one of 1; b must be one of 2", str(asked.error))


class TroubleTests(ChoiceListsTestCase):
    def test_a_list_that_fails(self) -> None:
        """A status, a signal, too much, too long: a fault, the log says why, and nothing runs."""

        def status() -> None:
            self.prints(b"nginx\n", status=3)

        def too_much() -> None:
            self.prints(b"nginx\n" * 200_000)
            self.composition.clock.advance(1)

        def too_long() -> None:
            self.processes[-1].says(b"nginx\n")
            self.composition.clock.advance(31)
            self.composition.clock.advance(1)

        for trouble, why in ((status, "exit status 3"), (too_much, "truncated: True"), (too_long, "timed out: True")):
            with self.subTest(why):
                self.let()
                with capturedLogs() as events:
                    asked = self.ask("restart", "nginx")
                    trouble()
                error = asked.error
                assert isinstance(error, Fault)
                (logged,) = [text for text in map(formatEvent, events) if error.fault_id in text]
                self.assertIn(why, logged)
                self.assertIn("list printed no choices", logged)
                self.assertEqual(1, len(self.processes))
                self.assertEqual(("restart", Code.FAULT), self.written[-1])

    def test_a_list_that_cannot_be_started(self) -> None:
        """The same."""
        self.composition.spawner.trouble = FileNotFoundError(2, "No such file or directory")
        with capturedLogs():
            asked = self.ask("restart", "nginx")
        self.assertIsInstance(asked.error, Fault)
        self.assertEqual([("list", Code.FAULT), ("restart", Code.FAULT)], self.written)

    def test_no_room(self) -> None:
        """For the list, or behind it: busy, which is written down for what was asked."""
        self.let(LIST, RESTART, command("other"), running=1, queued=0)
        self.ask("other")
        asked = self.ask("restart", "nginx")
        self.assertIsInstance(asked.error, Busy)
        self.assertEqual([("restart", Code.BUSY)], self.written[-1:])

    def test_who_leaves(self) -> None:
        """Nothing of what they wanted is run, and their list is ended, unless somebody else wants it."""
        asked = self.ask("restart", "nginx")
        asked.leave()
        self.composition.clock.advance(5)

        self.assertIsInstance(asked.error, CancelledError)
        self.assertEqual((1, 0), (len(self.processes), self.composition.running))
        self.assertEqual({"list", "restart"}, {name for name, _ in self.written})
        self.assertEqual([EndedBy.DISCONNECT] * 2, [each.ended_by for each in self.composition.ledger.requests])

        self.let()
        self.ask("list")
        asked, other = self.ask("restart", "nginx"), self.ask("restart", "nginx")
        self.prints(b"", 0)
        asked.leave()
        self.composition.clock.advance(5)
        self.prints(b"nginx\n", 1)
        self.assertTrue(other.is_open)
        self.assertEqual(3, len(self.processes))

    def test_the_end_of_the_daemon(self) -> None:
        """What is listed then is for nothing: who waits is told that it is busy, and nothing new is run."""
        listing = self.ask("restart", "nginx")
        self.dispatcher.close()
        self.prints(b"nginx\n")
        self.assertIsInstance(listing.error, Busy)

        self.let(running=1)
        self.ask("list")
        waiting = self.ask("restart", "nginx")
        self.dispatcher.close()
        self.assertIsInstance(waiting.error, Busy)
        self.assertEqual(1, len(self.processes))

    def test_a_mistake_of_ours(self) -> None:
        """Is a fault, and is written down as one."""
        self.patch(self.dispatcher._choice_lists, "require", _mistaken)
        error = self.ask("restart", "nginx").error
        self.assertIsInstance(error, Fault)
        self.assertEqual([("restart", Code.FAULT)], self.written)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


async def _mistaken(*_: object) -> None:
    raise ZeroDivisionError


class ReloadTests(ChoiceListsTestCase):
    """While a list is printed, or waits for its turn."""

    def reload(self, *commands: Command, roles: tuple[Role, ...] = ROLES) -> None:
        """Go by another configuration."""
        self.dispatcher.reconfigure(Policy(commands or self.commands, roles))

    def test_nothing_that_matters(self) -> None:
        """Whoever may not list by themselves gets their list all the same, and what they have asked for."""
        for running in (4, 1):
            self.let(running=running)
            if running == 1:
                self.ask("list")
            asked = self.ask("restart", "web-1", caller=GUY)
            self.reload()
            for process in list(self.processes):
                process.ends() if running == 1 else None
            self.prints(b"web-1\n")
            self.assertTrue(asked.is_open, running)
            self.processes[-1].ends()
            self.assertEqual(("unit=web-1",), asked.answer.arguments)

    def test_a_right_that_is_lost(self) -> None:
        """Nothing is run for it, whether the list was begun or not."""
        for running in (4, 1):
            self.let(running=running)
            if running == 1:
                self.ask("list")
            asked = self.ask("restart", "web-1", caller=GUY)
            before = len(self.processes)
            self.reload(roles=ROLES[:2])
            self.assertIsInstance(asked.error, Denied, running)
            self.assertEqual(
                "no role of guy includes restart; ask the administrator for one that does", str(asked.error)
            )
            self.composition.clock.advance(5)
            self.assertEqual(before, len(self.processes))

    def test_values_that_may_not_be_given_any_more(self) -> None:
        """They are judged again when the list is there."""
        asked = self.ask("restart", "db", caller=GUY)
        guest = Role(
            name="guest", patterns=("restart",), users=frozenset({"guy"}), only={"restart": {"unit": ("web-*",)}}
        )
        self.reload(roles=(guest,))
        self.prints(b"db\n")
        self.assertIsInstance(asked.error, RequestError)
        self.assertEqual(1, len(self.processes))

    def test_another_command(self) -> None:
        """What would run otherwise than it was granted is busy: try again."""
        for commands in (
            (LIST, taking("restart", a_parameter("unit", Choice(source="list"), repeat=3), read_only=False)),
            (taking("list", optional("x"), share=True), RESTART),
            (RESTART,),
        ):
            self.let(running=1)
            self.ask("list")
            asked = self.ask("restart", "nginx")
            self.reload(*commands)
            self.processes[0].ends()
            for process in self.processes[1:]:
                process.says(b"nginx\n")
                process.ends()
            self.assertIsInstance(asked.error, Busy)

    def test_a_second_list_that_is_gone(self) -> None:
        """Between the first and the second: busy, and no mistake of ours."""
        parameters = [a_parameter("a", Choice(source="list")), a_parameter("b", Choice(source="other"))]
        self.let(LIST, command("other"), taking("restart", *parameters))
        asked = self.ask("restart", "x", "y")
        self.reload(LIST, taking("restart", *parameters))
        self.prints(b"x\n")
        self.assertIsInstance(asked.error, Busy)
        self.assertEqual(("restart", Code.BUSY), self.written[-1])


class FillTests(ChoiceListsTestCase):
    """For whoever is to choose."""

    def filled(self, caller: Caller = ADA, wanted: Command = RESTART) -> Deferred[Command]:
        """Ask for a command with its choices."""
        return self.dispatcher.with_choices(caller, wanted)

    def choices(self, deferred: Deferred[Command]) -> list[str]:
        """Name them."""
        type_: Any = self.successResultOf(deferred).parameters[0].type
        return list(type_.choices)

    def test_choices(self) -> None:
        """Those that the caller may give."""
        for caller, choices in ((ADA, ["nginx", "web-1", "db"]), (GUY, ["web-1", "db"]), (STRANGER, ["web-1"])):
            deferred = self.filled(caller)
            self.prints(b"nginx\nweb-1\ndb\n")
            self.assertEqual(choices, self.choices(deferred))

    def test_whatever_command_is_shown(self) -> None:
        """It is the one that there is, as this caller may have it: a wider one shows no more."""
        deferred = self.filled(STRANGER, taking("restart", a_parameter("unit", Choice(source="other"))))
        self.prints(b"nginx\nweb-1\n")
        self.assertEqual(["web-1"], self.choices(deferred))
        self.assertIsInstance(self.failureResultOf(self.filled(GUY, LIST)).value, Denied)

    def test_nothing_to_list(self) -> None:
        """Nothing runs, and nothing is counted."""
        self.let(command("uptime"), per_minute=1)
        for _ in range(3):
            self.assertEqual("uptime", self.successResultOf(self.filled(ADA, command("uptime"))).name)
        self.assertEqual(([], []), (self.processes, self.composition.ledger.events))

    def test_it_is_counted(self) -> None:
        """It starts a process: whoever holds the Tab key down is throttled, and that is written down."""
        self.let(per_minute=1)
        self.filled()
        self.assertIsInstance(self.failureResultOf(self.filled()).value, Throttled)
        self.assertEqual((1, [("restart", Code.THROTTLED)]), (len(self.processes), self.written))

    def test_a_list_that_fails(self) -> None:
        """Is a fault for whoever asked."""
        deferred = self.filled()
        with capturedLogs():
            self.prints(b"", status=1)
        self.assertIsInstance(self.failureResultOf(deferred).value, Fault)

    def test_who_leaves(self) -> None:
        """Has their list ended."""
        deferred = self.filled()
        deferred.cancel()
        self.failureResultOf(deferred, CancelledError)
        self.composition.clock.advance(5)
        self.assertEqual(0, self.composition.running)

    def test_the_end_of_the_daemon(self) -> None:
        """Nothing new is listed."""
        self.dispatcher.close()
        self.assertIsInstance(self.failureResultOf(self.filled()).value, Busy)
        self.assertEqual([], self.processes)
