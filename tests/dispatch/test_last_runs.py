"""Tests of who is told what of the last runs of commands."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Caller, Command, Role
from cmdserver.core.run_states import Keep, RunState
from cmdserver.dispatch.policy import Policy
from cmdserver.parameters.text_types import Choice
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import Asked as AskedBy
from cmdserver.runs.record import RunRecord
from tests.dispatch.doubles import taking
from tests.parameters.doubles import a_parameter
from tests.running_doubles import STRANGER, Asked, Composition, command, run_words, user
from tests.runs.doubles import MemoryHistory, a_record

ADA, GUY, SAM, EVE = user("ada"), user("guy"), user("sam"), user("eve")
OUTSIDE = replace(STRANGER, listener="tcp:2023")
COMMANDS = (
    command("uptime", history=Keep.FAILED),
    command("df", share=True, history=Keep.NONE),
    command("backup", history=Keep.ALL),
    taking("restart", a_parameter("unit", Choice(source="list"))),
    command("list", share=True, history=Keep.FAILED),
)


def roles(**differences: Sequence[str]) -> list[Role]:
    """Let ada and guy run everything, sam see uptimes and dfs and run dfs; what is named is overridden."""
    given = {"staff": ("*",), "sees": ("uptime", "df"), "strangers_see": ()} | differences
    return [
        Role(
            name="anonymous",
            patterns=("uptime", "df"),
            users=frozenset(),
            sees=tuple(given["strangers_see"]),
        ),
        Role(name="staff", patterns=tuple(given["staff"]), users=frozenset({"ada", "guy"})),
        Role(name="watch", patterns=("df",), users=frozenset({"sam"}), sees=tuple(given["sees"])),
    ]


class LastRunsTestCase(SynchronousTestCase):
    """Some who run, and one who sees; to be subclassed."""

    def setUp(self) -> None:
        self.let()

    def let(self, *kept: RunRecord, **limits: int) -> None:
        """Begin with a history, and limits."""
        self.history = MemoryHistory((record, KeptOutput()) for record in kept)
        arguments: dict[str, Any] = limits
        self.composition = Composition(self, *COMMANDS, history=self.history, **arguments)
        self.dispatcher, self.runs = self.composition.dispatcher, self.composition.dispatcher.runs
        self.reload()

    def reload(self, commands: Sequence[Command] = COMMANDS, **differences: Sequence[str]) -> None:
        """Go by other roles from now on."""
        self.dispatcher.reconfigure(Policy(commands, roles(**differences), ["tcp:2023"]))

    def ask(self, caller: Caller, *words: str) -> Asked:
        """Ask for a command."""
        return Asked(run_words(self.dispatcher, caller, words), self.composition.happened)

    def has_run(self, caller: Caller, *words: str, status: int = 0) -> str:
        """Have a command run to its end; return its id."""
        asked = self.ask(caller, *words)
        self.composition.spawner.last.ends(status)
        return asked.answer.id

    def is_running(self, caller: Caller, name: str) -> str:
        """Have a command run on; return its id."""
        self.ask(caller, name)
        return next(iter(self.composition.directory)).id

    def latest(self, caller: Caller) -> dict[str, str]:
        """Tell the ids of the last runs."""
        return {name: each.id for name, each in self.successResultOf(self.runs.latest(caller)).items()}

    def recent(self, caller: Caller, most: int = 4) -> list[str]:
        """Tell the ids of somebody's last runs."""
        return [each.id for each in self.successResultOf(self.runs.recent(caller, most))]

    def success(self, caller: Caller, name: str = "uptime") -> str | None:
        """Tell the id of the last success."""
        record = self.successResultOf(self.runs.last_success(caller, name))
        return record.id if record is not None else None

    def told(self, caller: Caller, name: str = "uptime") -> tuple[str | None, list[str], str | None]:
        """Tell what each question is answered, of one command."""
        return self.latest(caller).get(name), self.recent(caller), self.success(caller, name)


NOTHING: tuple[None, list[str], None] = (None, [], None)


class SeeingTests(LastRunsTestCase):
    """A run that may not be seen changes nothing."""

    def test_ones_own(self) -> None:
        """Whatever others have run since."""
        mine, his = self.has_run(ADA, "uptime"), self.has_run(GUY, "uptime")

        self.assertEqual(self.told(ADA), (mine, [mine], mine))
        self.assertEqual(self.told(GUY), (his, [his], his))
        self.assertEqual(self.told(EVE), NOTHING)

    def test_what_is_alive(self) -> None:
        """Likewise; it is the last run, and no success."""
        before, mine, his = self.has_run(ADA, "uptime"), self.is_running(ADA, "uptime"), self.is_running(GUY, "uptime")

        self.assertEqual(self.told(ADA), (mine, [mine], before))
        self.assertEqual(self.told(GUY), (his, [his], None))
        self.assertEqual(self.told(EVE), NOTHING)
        self.assertIs(self.successResultOf(self.runs.latest(ADA))["uptime"].state, RunState.RUNNING)

    def test_those_of_others(self) -> None:
        """A role that sees them sees the newest of all, also of the anonymous; they are nobody's own."""
        self.has_run(ADA, "uptime")
        his, nobodys = self.has_run(GUY, "uptime"), self.has_run(STRANGER, "uptime", status=1)

        self.assertEqual(self.told(SAM), (nobodys, [], his))
        alive = self.is_running(STRANGER, "uptime")
        self.assertEqual(self.told(SAM), (alive, [], his))

    def test_other_commands(self) -> None:
        """A role that sees some sees no others."""
        backup = self.has_run(ADA, "backup")

        self.assertEqual(self.told(SAM, "backup"), NOTHING)
        alive = self.is_running(ADA, "backup")
        self.assertEqual(self.told(SAM, "backup"), NOTHING)
        self.assertEqual(self.told(ADA, "backup"), (alive, [alive], backup))

    def test_the_anonymous(self) -> None:
        """Have none of their own, whether over or alive, unless a role lets them see everybody's."""
        mine, theirs = self.has_run(ADA, "uptime"), self.has_run(STRANGER, "df")
        alive = self.is_running(STRANGER, "uptime")
        for name in ("uptime", "df"):
            self.assertEqual(self.told(STRANGER, name), NOTHING)

        self.reload(strangers_see=("uptime",))

        self.assertEqual((self.told(STRANGER), self.told(STRANGER, "df")), ((alive, [], mine), NOTHING))
        self.reload(strangers_see=("df",))
        self.assertEqual((self.told(STRANGER), self.told(STRANGER, "df")), (NOTHING, (theirs, [], theirs)))

    def test_a_listener_that_requires_a_login(self) -> None:
        """Nobody is told anything there before they have logged in."""
        self.reload(strangers_see=("*",))
        self.has_run(ADA, "uptime")
        self.is_running(ADA, "uptime")

        self.assertEqual(self.told(OUTSIDE), NOTHING)
        self.assertNotEqual(self.told(STRANGER), NOTHING)

    def test_credentials_for_some_commands(self) -> None:
        """What is good for other commands shows nothing of this one."""
        mine = self.has_run(ADA, "uptime")
        self.has_run(ADA, "df")
        for good in (replace(ADA, commands=frozenset({"uptime"})), replace(ADA, forced_words=("uptime",))):
            self.assertEqual(self.told(good), (mine, [mine], mine))
            self.assertEqual(self.latest(good), {"uptime": mine})
        for bad in (replace(ADA, commands=frozenset({"list"})), replace(ADA, forced_words=("list",))):
            self.assertEqual(self.told(bad), NOTHING)

    def test_who_has_no_role_any_more(self) -> None:
        """Is told nothing of what they have run."""
        self.has_run(ADA, "uptime")
        self.is_running(ADA, "uptime")
        self.reload(staff=("df",))

        self.assertEqual(self.told(ADA), NOTHING)

    def test_a_reload_while_it_is_read(self) -> None:
        """What counts is the policy of the moment of the answer."""
        self.let(a_record(number=1))
        self.history.is_readable = None
        questions: list[Any] = [self.runs.latest(ADA), self.runs.recent(ADA), self.runs.last_success(ADA, "uptime")]
        self.reload(staff=("df",))
        self.history.answer(is_readable=True)

        self.assertEqual([self.successResultOf(each) for each in questions], [{}, (), None])

    def test_who_shares_it(self) -> None:
        """It is theirs as well, alive, over, and in the history."""
        self.let(a_record(number=1, id="old", command="backup", others=(AskedBy(id="b", user="guy"),)), running=1)
        self.ask(ADA, "uptime")
        self.ask(ADA, "df")
        self.ask(GUY, "df")
        shared = next(iter(self.composition.directory)).id

        for _ in ("it waits", "it runs", "it is over"):
            self.assertEqual([self.latest(caller)["df"] for caller in (ADA, GUY, SAM)], [shared] * 3)
            self.assertEqual([shared in self.recent(caller) for caller in (ADA, GUY, SAM)], [True, True, False])
            record = self.successResultOf(self.runs.latest(GUY))["df"]
            self.assertTrue(record.is_of("guy") and record.is_of("ada"))
            if self.composition.spawner.last.is_alive:
                self.composition.spawner.last.ends()
        self.assertEqual([self.success(caller, "df") for caller in (ADA, GUY, SAM)], [shared] * 3)
        self.assertEqual(self.told(GUY, "backup"), ("old", [shared, "old"], "old"))


class LatestTests(LastRunsTestCase):
    def test_each_command(self) -> None:
        """Whether its runs are kept or not; of a command that was never run there is nothing."""
        ids = {name: self.has_run(ADA, name) for name in ("uptime", "df", "backup")}

        self.assertEqual(self.latest(ADA), ids)
        self.assertEqual([record.command for _, record in self.history.told], ["backup"])

    def test_how_it_ended(self) -> None:
        """And when, and by whom it was asked for."""
        self.has_run(ADA, "uptime", status=1)

        record = self.successResultOf(self.runs.latest(ADA))["uptime"]
        self.assertEqual((record.state, record.exit_status, record.user), (RunState.FAILED, 1, "ada"))

    def test_before_the_start(self) -> None:
        """What was kept is told, until there is something newer; then an old failure is no longer the last run."""
        self.let(a_record(number=1, id="old", state=RunState.FAILED), a_record(number=2, id="gone", command="gone"))
        self.assertEqual((self.latest(ADA), self.success(ADA)), ({"uptime": "old"}, None))

        new = self.has_run(ADA, "uptime")

        self.assertEqual((self.latest(ADA), self.success(ADA)), ({"uptime": new}, new))

    def test_any_question_may_be_the_first(self) -> None:
        """After a start: each waits until it is known what was before."""
        self.let(a_record(number=1, id="old"))
        self.assertEqual(self.success(ADA), "old")
        self.let(a_record(number=1, id="old"))
        self.assertEqual(self.recent(ADA), ["old"])

    def test_commands_that_were_not_in_the_file(self) -> None:
        """Nothing is known of them but what was kept."""
        for name in ("df", "backup"):
            self.has_run(ADA, name)
        self.reload([each for each in COMMANDS if each.name != "df"])
        self.assertEqual(list(self.latest(ADA)), ["backup"])

        self.reload()

        self.assertEqual(list(self.latest(ADA)), ["backup"])
        again = self.has_run(ADA, "df")
        self.assertEqual(self.latest(ADA)["df"], again)

    def test_by_number(self) -> None:
        """Not what ended last."""
        first = self.ask(ADA, "uptime")
        second = self.has_run(ADA, "uptime")
        self.composition.spawner.processes[0].ends()

        self.assertEqual((self.latest(ADA)["uptime"], len(first.answers)), (second, 1))

    def test_what_is_alive_and_older(self) -> None:
        """Is not the last run."""
        self.is_running(ADA, "uptime")
        second = self.has_run(ADA, "uptime")

        self.assertEqual((self.latest(ADA)["uptime"], self.recent(ADA)), (second, [second]))

    def test_lists_of_choices(self) -> None:
        """Nobody has asked for what prints them."""
        self.ask(ADA, "restart", "nginx")
        self.assertEqual(self.latest(ADA), {})
        self.composition.spawner.last.says(b"nginx\n")
        self.composition.spawner.last.ends()
        self.composition.spawner.last.ends()

        self.assertEqual(sorted(self.latest(ADA)), ["restart"])
        mine = self.is_running(ADA, "list")
        self.assertEqual(self.latest(ADA)["list"], mine)

    def test_lists_of_choices_that_others_see(self) -> None:
        """They see nothing of them either."""
        self.reload(sees=("list",))
        self.ask(ADA, "restart", "nginx")
        self.assertEqual(self.told(SAM, "list"), NOTHING)
        self.composition.spawner.last.ends()
        self.assertEqual(self.told(SAM, "list"), NOTHING)

        self.is_running(ADA, "list")
        self.assertNotEqual(self.told(SAM, "list"), NOTHING)

    def test_a_broken_history(self) -> None:
        """Keeps nobody from being told what is known here."""
        self.history.is_readable = False
        mine = self.has_run(ADA, "backup")

        self.assertEqual(self.told(ADA, "backup"), (mine, [mine], mine))


class RecentTests(LastRunsTestCase):
    def test_newest_first(self) -> None:
        """One of each command, and no more than are wanted."""
        self.let(a_record(number=1, id="old", command="list", arguments=("a=b",)))
        self.has_run(ADA, "df")
        backup, df, uptime = self.has_run(ADA, "backup"), self.has_run(ADA, "df"), self.is_running(ADA, "uptime")

        self.assertEqual(self.recent(ADA), [uptime, df, backup, "old"])
        self.assertEqual((self.recent(ADA, 2), self.recent(ADA, 0)), ([uptime, df], []))

    def test_what_they_may_not_run(self) -> None:
        """Is not offered, though they see what they have run before; nor is what is no more."""
        self.let(a_record(number=1, id="mine", user="sam"), a_record(number=2, id="df", user="sam", command="df"))

        self.assertEqual((self.latest(SAM), self.recent(SAM)), ({"uptime": "mine", "df": "df"}, ["df"]))
        self.reload([each for each in COMMANDS if each.name != "df"])
        self.assertEqual((self.latest(SAM), self.recent(SAM)), ({"uptime": "mine"}, []))


class UsualTests(LastRunsTestCase):
    def test_how_long_it_takes(self) -> None:
        """What is kept and what is not."""
        self.let(*(a_record(number=each, id=str(each), duration_seconds=3.0) for each in (1, 2)))
        self.assertIsNone(self.successResultOf(self.runs.usual_seconds("uptime")))
        self.ask(ADA, "uptime")
        self.composition.clock.advance(7)
        self.composition.spawner.last.ends()

        self.assertEqual(self.successResultOf(self.runs.usual_seconds("uptime")), 3.0)
        self.assertIsNone(self.successResultOf(self.runs.usual_seconds("nonsense")))


class WrittenDownTests(LastRunsTestCase):
    def test_it_is_no_request(self) -> None:
        """Neither counted nor written down, and answered while the daemon stops."""
        self.let(a_record(number=1, id="old"), per_minute=1)
        for _ in range(3):
            self.assertEqual(self.told(ADA), ("old", ["old"], "old"))
            self.successResultOf(self.runs.usual_seconds("uptime"))

        self.assertEqual(self.composition.ledger.requests, [])
        self.has_run(ADA, "uptime")
        self.dispatcher.close()
        self.assertNotEqual(self.told(ADA), NOTHING)


NAMES = st.sampled_from(("ada", "guy", "sam", None))
KEPT = st.lists(
    st.builds(
        lambda number, name, others, called, is_ok: a_record(
            number=number,
            id=str(number),
            user=name,
            others=tuple(AskedBy(id=f"{number}-{place}", user=other) for place, other in enumerate(others)),
            command=called,
            state=RunState.OK if is_ok else RunState.FAILED,
        ),
        st.integers(1, 99),
        NAMES,
        st.lists(NAMES, max_size=2),
        st.sampled_from(("uptime", "backup", "gone")),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda record: record.number,
)


class AllTests(LastRunsTestCase):
    @given(KEPT, st.booleans())
    def test_it_is_as_if_there_were_no_others(self, kept: list[RunRecord], strangers_see: bool) -> None:
        """What somebody is told is what they would find out from the runs that they may see, and from nothing else."""
        for caller in (ADA, SAM, EVE, STRANGER, OUTSIDE):
            self.let(*kept)
            self.reload(strangers_see=("uptime",) if strangers_see else ())
            seen = [record for record in kept if self.runs.may_see(caller, record) and record.command != "gone"]
            last = {record.command: record.id for record in sorted(seen, key=lambda record: record.number)}
            own = [record for record in seen if record.is_of(caller.name) and caller is ADA]
            mine = {record.command: record.number for record in sorted(own, key=lambda record: record.number)}

            self.assertEqual(self.latest(caller), last)
            self.assertEqual(self.recent(caller), [str(number) for number in sorted(mine.values(), reverse=True)])
            for name in ("uptime", "backup", "gone"):
                good = [each.number for each in seen if each.command == name and each.state is RunState.OK]
                self.assertEqual(self.success(caller, name), str(max(good)) if good else None)
