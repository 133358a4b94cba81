"""Tests of what is known of the last runs of each command, by who has asked for them."""

import weakref
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.run_states import RunState
from cmdserver.dispatch.requests import Request, Run
from cmdserver.dispatch.scheduling.latest_runs import MOST_ASKERS, MOST_REQUESTS, LatestRuns
from cmdserver.runs.history import USUAL_RUNS
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import Asked, RunRecord
from cmdserver.runs.recording import Recording
from tests.running_doubles import STRANGER, TurnClock, finished, grant, user
from tests.runs.doubles import MemoryHistory, a_record


def number_of(record: RunRecord | None) -> int | None:
    """Tell the number of a run, if it is one."""
    return record.number if record is not None else None


class WatchedRecording(Recording):
    """One that can be watched going away."""


class LatestTestCase(SynchronousTestCase):
    """Two commands in the file; to be subclassed."""

    def setUp(self) -> None:
        self.let()

    def let(self, *kept: RunRecord) -> None:
        """Begin with a history."""
        self.history = MemoryHistory((record, KeptOutput()) for record in kept)
        self.latest = LatestRuns(self.history)
        self.latest.reconfigure(["uptime", "df"])

    def read(self) -> None:
        """Have the history read."""
        self.successResultOf(self.latest.known())

    def run_of(
        self,
        number: int,
        *users: str | None,
        command: str = "uptime",
        state: RunState = RunState.OK,
        seconds: float = 1.0,
    ) -> Run:
        """Make a run that is over, of some who have asked for it."""
        requests = [
            Request(f"{number}-{place}", user(name) if name else STRANGER, [command], grant(name=command))
            for place, name in enumerate(users or ("ada",))
        ]
        run = Run(None, requests[0], number, 1.0, Recording(TurnClock()))
        run.askers.update({each.id: each.caller.name for each in requests})
        run.started_at, run.state, run.result = 1.0, state, finished(duration_seconds=seconds)
        return run

    def end(self, *runs: Run) -> None:
        """Note that runs are over."""
        for run in runs:
            self.latest.note(run, run.snapshot())

    def of(self, name: str, command: str = "uptime") -> tuple[int | None, int | None]:
        """Tell the numbers of somebody's newest run and success."""
        return number_of(self.latest.runs(command).of(name)), number_of(self.latest.successes(command).of(name))

    def newest(self, command: str = "uptime") -> tuple[int | None, int | None]:
        """Tell the numbers of the newest run and success, whoever has asked."""
        return number_of(self.latest.runs(command).newest()), number_of(self.latest.successes(command).newest())

    def usual(self, command: str = "uptime") -> float | None:
        """Tell how long a command takes."""
        return self.successResultOf(Deferred.fromCoroutine(self.latest.usual_seconds(command)))


class NotingTests(LatestTestCase):
    def test_of_each_who_has_asked(self) -> None:
        """The newest run, and the newest success; of others nothing."""
        self.end(self.run_of(1, "ada"), self.run_of(2, "guy"), self.run_of(3, "ada", state=RunState.FAILED))

        self.assertEqual((self.of("ada"), self.of("guy"), self.of("eve")), ((3, 1), (2, 2), (None, None)))
        self.assertEqual((self.newest(), self.newest("df")), ((3, 2), (None, None)))

    def test_it_is_the_number_that_counts(self) -> None:
        """Not what ended last."""
        self.end(self.run_of(2), self.run_of(1))

        self.assertEqual((self.of("ada"), self.newest()), ((2, 2), (2, 2)))

    def test_all_who_share_it(self) -> None:
        """It is the run of each of them; all of the anonymous are one."""
        self.end(self.run_of(1, "ada", None, "guy", None))

        self.assertEqual((self.of("ada"), self.of("guy"), self.newest()), ((1, 1), (1, 1), (1, 1)))
        record = self.latest.runs("uptime").of("guy")
        assert record is not None
        self.assertTrue(record.is_of("guy"))

    def test_what_is_told(self) -> None:
        """The run as it was when it ended; nothing else is kept for that, such as its output."""
        run = self.run_of(1)
        run.recording = WatchedRecording(TurnClock())
        record = run.record()
        kept = [weakref.ref(each) for each in (run, run.recording)]
        self.end(run)
        run.problem = "another"
        del run

        self.assertEqual(self.latest.runs("uptime").newest(), record)
        self.assertEqual([each() for each in kept], [None, None])

    def test_commands_that_are_not_in_the_file(self) -> None:
        """Are not noted, and can be asked for."""
        self.end(self.run_of(1, command="gone"))

        self.assertEqual(
            (self.newest("gone"), self.of("ada", "gone"), self.usual("gone")), ((None, None),) * 2 + (None,)
        )
        self.assertEqual(self.history.reads, [])

    def test_lists_of_choices(self) -> None:
        """Nobody has asked for the command itself; how long it takes is known all the same."""
        listing, both = self.run_of(1, "ada"), self.run_of(2, "guy", "ada")
        listing.listings.add("1-0")
        both.listings.add("2-1")
        self.end(listing)
        self.assertEqual((self.newest(), self.of("ada")), ((None, None), (None, None)))
        self.end(both, self.run_of(3, "guy"))

        self.assertEqual((self.of("ada"), self.of("guy")), ((None, None), (3, 3)))
        self.assertEqual(self.usual(), 1.0)


class BoundsTests(LatestTestCase):
    def test_those_who_have_asked_last(self) -> None:
        """Of too many, whoever has not asked for longest is forgotten; whoever asks again is new again."""
        self.end(*(self.run_of(number, f"u{number}") for number in range(MOST_ASKERS)))
        self.end(self.run_of(100, "u0"), self.run_of(101, "late"))

        self.assertEqual([self.of(name)[0] for name in ("u0", "u1", "u2", "late")], [100, None, 2, 101])
        self.end(self.run_of(50, "older"), self.run_of(1, "oldest"))
        self.assertEqual([self.of(name)[0] for name in ("u2", "u3", "older", "oldest")], [None, 3, 50, None])

    def test_a_run_that_very_many_share(self) -> None:
        """The last of them are known, and told of; each has one request."""
        names = [f"u{number % 200}" for number in range(1000)]
        self.end(self.run_of(1, *names))

        self.assertEqual(([self.of(name)[0] for name in ("u0", "u183", "u184", "u199")]), [None, None, 1, 1])
        record = self.latest.runs("uptime").of("u199")
        assert record is not None
        self.assertEqual((record.user, len(record.others)), ("u0", MOST_ASKERS))
        self.assertTrue(record.is_of("u199"))

    def test_a_run_that_many_share(self) -> None:
        """All of its requests are told of."""
        self.end(self.run_of(1, *(f"u{number}" for number in range(MOST_REQUESTS))))

        record = self.latest.runs("uptime").newest()
        assert record is not None
        self.assertEqual(len(record.others), MOST_REQUESTS - 1)


class UsualTests(LatestTestCase):
    def ends(self, *seconds: float) -> None:
        """Note successes."""
        for each in seconds:
            self.number = getattr(self, "number", 100) + 1
            self.end(self.run_of(self.number, seconds=each))

    def test_few(self) -> None:
        """Say nothing."""
        self.ends(1.0, 2.0)
        self.assertIsNone(self.usual())

        self.ends(4.0)

        self.assertEqual(self.usual(), 2.0)

    def test_failures(self) -> None:
        """Do not count."""
        self.ends(1.0, 2.0)
        self.end(self.run_of(3, state=RunState.FAILED), self.run_of(4, state=RunState.TIMEOUT))

        self.assertIsNone(self.usual())

    def test_the_last_ones(self) -> None:
        """Count, and no earlier ones."""
        self.ends(*[1000.0] * USUAL_RUNS, *[1.0] * 5, *[3.0] * 5)

        self.assertEqual(self.usual(), 2.0)

    def test_what_was_before(self) -> None:
        """Counts as well, each once; it is read once."""
        self.let(*(a_record(number=each, id=str(each), duration_seconds=5.0) for each in (1, 2, 101)))
        self.ends(1.0)
        self.assertEqual(self.usual(), 5.0)
        self.assertEqual(self.usual(), 5.0)

        self.assertEqual(self.history.reads, ["uptime"])

    def test_what_cannot_be_read(self) -> None:
        """Is tried again."""
        self.let(*(a_record(number=each, id=str(each), duration_seconds=5.0) for each in (1, 2, 3)))
        self.history.is_readable = False
        self.assertIsNone(self.usual())

        self.history.is_readable = True

        self.assertEqual(self.usual(), 5.0)


class HistoryTests(LatestTestCase):
    """What was before the start."""

    def test_it_is_read_once(self) -> None:
        """When somebody asks."""
        self.let(a_record(number=1))
        self.assertEqual(self.history.reads, [])
        self.read()
        self.read()

        self.assertEqual((self.history.reads, self.of("ada")), ([None], (1, 1)))

    def test_both(self) -> None:
        """Whatever is newer, for each user, whichever is known first."""
        kept = (
            a_record(number=1, id="a", others=(Asked(id="b", user="guy"),)),
            a_record(number=2, id="c", state=RunState.FAILED),
            a_record(number=4, id="d", user="eve"),
            a_record(number=5, id="e", command="gone"),
        )
        self.let(*kept)
        self.end(self.run_of(3, "ada"))
        self.read()
        self.end(self.run_of(6, "guy", state=RunState.FAILED))

        self.assertEqual([self.of(name) for name in ("ada", "guy", "eve")], [(3, 3), (6, 1), (4, 4)])
        self.assertEqual((self.newest(), self.newest("gone")), ((6, 4), (None, None)))

    def test_several_ask(self) -> None:
        """It is read once for all of them; who does not wait any more is no matter."""
        self.let(a_record(number=1))
        self.history.is_readable = None
        questions = [self.latest.known() for _ in range(3)]
        questions[0].cancel()
        self.failureResultOf(questions[0], CancelledError)
        for each in questions[1:]:
            self.assertNoResult(each)

        self.history.answer(is_readable=True)

        for each in questions[1:]:
            self.successResultOf(each)
        self.assertEqual((self.history.reads, self.newest()), ([None], (1, 1)))

    def test_it_cannot_be_read(self) -> None:
        """What has ended since is known, and whoever asks next tries again."""
        self.let(a_record(number=1))
        self.end(self.run_of(2, "guy"))
        self.history.is_readable = False
        self.read()
        self.assertEqual((self.of("ada"), self.of("guy")), ((None, None), (2, 2)))

        self.history.is_readable = True
        self.read()

        self.assertEqual((self.of("ada"), self.of("guy")), ((1, 1), (2, 2)))

    def test_what_is_not_over(self) -> None:
        """Is known elsewhere, whatever the history says."""
        self.let(a_record(number=1), a_record(number=2, id="b", state=RunState.RUNNING))
        self.read()

        self.assertEqual(self.newest(), (1, 1))

    def test_it_fails(self) -> None:
        """That is logged, and nobody's trouble who asks."""
        self.patch(self.history, "newest", lambda _: fail(ZeroDivisionError()))
        self.read()

        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ReconfigureTests(LatestTestCase):
    """Another file."""

    def setUp(self) -> None:
        self.let(a_record(number=1, user="guy"))
        self.end(self.run_of(2), self.run_of(3, command="df"))
        self.read()

    def test_what_stays(self) -> None:
        """What is known of commands that stay is known still, and nothing is read again."""
        self.latest.reconfigure(["uptime"])
        self.read()

        self.assertEqual((self.of("ada"), self.newest("df"), self.history.reads), ((2, 2), (None, None), [None]))

    def test_what_comes_back(self) -> None:
        """Has what was kept of it, and no more; the rest is as it was."""
        self.latest.reconfigure(["df"])
        self.latest.reconfigure(["df", "uptime"])
        self.assertEqual((self.newest(), self.of("ada", "df")), ((None, None), (3, 3)))
        self.read()

        self.assertEqual((self.of("guy"), self.of("ada"), self.of("ada", "df")), ((1, 1), (None, None), (3, 3)))

    def test_while_it_is_read(self) -> None:
        """What is read counts for the commands of that time."""
        self.let(
            a_record(number=1), a_record(number=2, id="b", command="df"), a_record(number=3, id="c", command="who")
        )
        self.history.is_readable = None
        question = self.latest.known()
        self.latest.reconfigure(["uptime", "who"])
        self.history.answer(is_readable=True)
        self.successResultOf(question)

        self.assertEqual([self.newest(name)[0] for name in ("uptime", "df", "who")], [1, None, 3])


ENDS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from("abcdef"), st.booleans()), max_size=30, unique_by=lambda x: x[0]
)


class AllTests(SynchronousTestCase):
    @given(ENDS, st.integers(0, 30), st.integers(0, 30))
    def test_it_is_as_if_all_were_known(
        self, ends: Iterable[tuple[int, str, bool]], kept: int, read_after: int
    ) -> None:
        """Whatever was before the start, and whenever it is read."""
        case = LatestTestCase()
        ends = list(ends)

        def state(*, is_ok: bool) -> RunState:
            return RunState.OK if is_ok else RunState.FAILED

        case.let(
            *(
                a_record(number=number, id=str(number), user=name, state=state(is_ok=ok))
                for number, name, ok in ends[:kept]
            )
        )
        for place, (number, name, is_ok) in enumerate(ends[kept:]):
            if place == read_after:
                case.read()
            case.end(case.run_of(number, name, state=state(is_ok=is_ok)))
        case.read()

        def last(*names: str) -> tuple[int | None, int | None]:
            return (
                max((number for number, name, _ in ends if name in names), default=None),
                max((number for number, name, is_ok in ends if name in names and is_ok), default=None),
            )

        self.assertEqual(case.newest(), last(*"abcdef"))
        for name in "abcdef":
            self.assertEqual(case.of(name), last(name))
