"""Tests of the runs that are alive, and what the history is told of them."""

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Caller
from cmdserver.core.output import Stream
from cmdserver.core.run_states import EndedBy, Keep, RunState
from cmdserver.dispatch.requests import Request, Run
from cmdserver.dispatch.scheduling import run_directory
from cmdserver.dispatch.scheduling.run_directory import (
    MOST_REMEMBERED,
    NOTED_AFTER_SECONDS,
    REMEMBERED_SECONDS,
    RunDirectory,
)
from tests.running_doubles import STRANGER, FakeSpawner, TurnClock, finished, grant, user
from tests.runs.doubles import MemoryHistory

ADA, GUY = user("ada"), user("guy")
BEGAN = 1_700_000_000.0


class DirectoryTestCase(SynchronousTestCase):
    """A directory, told what a scheduler would tell it; to be subclassed."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.spawner = FakeSpawner(self.clock)
        self.history = MemoryHistory()
        self.output_bytes = 1 << 18
        self.jump = 0.0
        self.directory = RunDirectory(self.clock, self.time_of_day, self.history, lambda: self.output_bytes)

    def time_of_day(self) -> float:
        """Say how late it is; somebody may have set it."""
        return BEGAN + self.clock.seconds() + self.jump

    def ask(self, name: str, caller: Caller = ADA, *, is_detached: bool = False, **differences: Any) -> Request:
        """Make a request under a name of its own."""
        request = Request(name, caller, ["uptime"], grant(**differences))
        request.is_detached = is_detached
        return request

    def open(self, name: str, caller: Caller = ADA, *, is_detached: bool = False, **differences: Any) -> Run:
        """Let a request have a run that waits."""
        request = self.ask(name, caller, is_detached=is_detached, **differences)
        run = self.directory.open(name, request)
        run.requests[request] = None
        self.directory.entered(run, request)
        return run

    def start(self, name: str, *, is_detached: bool = False, **differences: Any) -> Run:
        """Let a request have a run that runs."""
        run = self.open(name, is_detached=is_detached, **differences)
        run.is_running = True
        self.directory.started(run)
        return run

    def end(self, run: Run, **differences: Any) -> None:
        """Let a run be over."""
        run.asked = list(run.requests)
        self.directory.ended(run, finished(**differences))

    @property
    def told(self) -> list[tuple[str, str, RunState]]:
        """What the history was told: what, of which run, in which state."""
        return [(what, record.id, record.state) for what, record in self.history.told]


class AliveTests(DirectoryTestCase):
    def test_ids(self) -> None:
        """A run is found by the ids of all its requests as long as it is alive, and by no other."""
        run = self.open("a")
        other = self.ask("b", GUY)
        self.directory.entered(run, other)

        self.assertEqual([self.directory.find(name) for name in ("a", "b", "c")], [run, run, None])
        self.end(run)
        self.assertEqual([self.directory.find(name) for name in ("a", "b")], [None, None])

    def test_who_leaves_before_it_begins(self) -> None:
        """Has nothing to do with it any more."""
        run = self.open("a")
        other = self.ask("b", GUY)
        self.directory.entered(run, other)
        self.directory.left(run, other)

        self.assertIsNone(self.directory.find("b"))
        self.assertEqual(run.askers, {"a": "ada"})

    def test_what_is_dropped(self) -> None:
        """Is forgotten, and the history is told nothing; twice is the same as once."""
        run = self.open("a")
        self.directory.dropped(run)
        self.directory.dropped(run)

        self.assertEqual((list(self.directory), self.directory.find("a"), self.told), ([], None, []))

    def test_order(self) -> None:
        """Newest first; those that are alive oldest first."""
        runs = [self.open(name) for name in "abc"]
        self.end(self.start("d", is_detached=True))

        self.assertEqual([run.id for run in self.directory], ["d", "c", "b", "a"])
        self.assertEqual(list(self.directory.alive()), runs)

    def test_numbers_only_grow(self) -> None:
        """A number is the time in microseconds, unless somebody has set the clock back, or two come at once."""
        first, second = self.open("a"), self.open("b")
        self.jump = -3600.0
        third = self.open("c")

        self.assertEqual(first.number, int(BEGAN * 1e6))
        self.assertEqual([second.number, third.number], [first.number + 1, first.number + 2])
        self.jump = 0.0
        self.clock.advance(1)
        self.assertEqual(self.open("d").number, int((BEGAN + 1) * 1e6))

    def test_the_record(self) -> None:
        """Who has asked, when, and what has become of it up to now."""
        run = self.open("a", ADA)
        self.directory.entered(run, self.ask("b", STRANGER))
        self.clock.advance(2)
        run.is_running = True
        self.directory.started(run)

        record = self.directory.record_of("b")
        self.assertEqual((record.id, record.user, record.protocol), ("a", "ada", "line"))
        self.assertEqual((record.asked_at, record.started_at), (BEGAN, BEGAN + 2))
        self.assertEqual([(each.id, each.user) for each in record.others], [("b", None)])
        self.assertIs(record.state, RunState.RUNNING)

    def test_how_it_ended(self) -> None:
        """The state is what `ok_statuses` and the result say, and the problem is in words."""
        cases: list[tuple[dict[str, Any], RunState, str | None]] = [
            ({"exit_status": 0}, RunState.OK, None),
            ({"exit_status": 1}, RunState.OK, None),
            ({"exit_status": 2}, RunState.FAILED, "exit status 2"),
            ({"exit_status": None, "signal": "SIGTERM", "ended_by": EndedBy.STOP}, RunState.STOPPED, "stopped"),
        ]
        for number, (differences, state, problem) in enumerate(cases):
            run = self.start(str(number), ok_statuses=frozenset({0, 1}))
            self.end(run, **differences)
            self.assertEqual((run.state, run.problem), (state, problem))

    def test_failing(self) -> None:
        """What there is no result of is a fault, with what is known of the process."""
        run = self.start("a")
        run.asked = list(run.requests)
        self.directory.failed(run, "gone")

        self.assertEqual((run.state, run.problem), (RunState.FAULT, "gone"))
        self.assertEqual(self.told, [("ended", "a", RunState.FAULT)])


class HistoryTests(DirectoryTestCase):
    """What the history is told, and when."""

    def test_what_is_kept(self) -> None:
        """What the command says: all, failures or nothing."""
        cases = {
            Keep.ALL: [("ended", "good", RunState.OK), ("ended", "bad", RunState.FAILED)],
            Keep.FAILED: [("ended", "bad", RunState.FAILED)],
            Keep.NONE: [],
        }
        for keep, told in cases.items():
            with self.subTest(keep):
                self.setUp()
                self.end(self.start("good", history=keep))
                self.end(self.start("bad", history=keep), exit_status=1)
                self.assertEqual(self.told, told)

    def test_what_goes_on_is_noted(self) -> None:
        """What waits or runs for longer than a moment, so that it is known if the daemon is killed."""
        for keep in (Keep.ALL, Keep.FAILED, Keep.NONE):
            self.start(keep, history=keep)
        self.end(self.start("quick"))
        self.open("waiting")
        self.clock.advance(NOTED_AFTER_SECONDS)

        self.assertEqual(
            self.told,
            [
                ("ended", "quick", RunState.OK),
                ("began", "all", RunState.RUNNING),
                ("began", "failed", RunState.RUNNING),
                ("began", "waiting", RunState.QUEUED),
            ],
        )

    def test_what_waits_is_noted_again_when_it_runs(self) -> None:
        """And what nobody waits for any more is forgotten."""
        run, other = self.open("waiting"), self.open("left")
        self.clock.advance(NOTED_AFTER_SECONDS)
        run.is_running = True
        self.directory.started(run)
        self.clock.advance(NOTED_AFTER_SECONDS)
        self.directory.dropped(other)

        self.assertEqual(
            [(what, name, state) for what, name, state in self.told if what != "began" or state is RunState.RUNNING],
            [("began", "waiting", RunState.RUNNING), ("forgotten", "left", RunState.STOPPED)],
        )

    def test_it_is_noted_once(self) -> None:
        """However many come after it."""
        self.start("a")
        self.clock.advance(NOTED_AFTER_SECONDS)
        self.start("b")
        self.clock.advance(NOTED_AFTER_SECONDS)

        self.assertEqual([(what, name) for what, name, _ in self.told], [("began", "a"), ("began", "b")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_was_noted_and_is_not_kept(self) -> None:
        """Is to be forgotten again; what was not noted need not be."""
        noted = self.start("noted", history=Keep.FAILED)
        self.clock.advance(NOTED_AFTER_SECONDS)
        self.end(noted)
        self.end(self.start("quick", history=Keep.FAILED))

        self.assertEqual([(what, name) for what, name, _ in self.told], [("began", "noted"), ("forgotten", "noted")])

    def test_as_much_output_as_is_wanted(self) -> None:
        """As the configuration says at that moment."""
        run = self.start("a")
        run.recording.write(Stream.STDOUT, b"0123456789")
        self.output_bytes = 4
        self.end(run)

        (output,) = self.history.outputs
        self.assertEqual((output.first, output.omitted_bytes), (((Stream.STDOUT, b"01"),), 6))
        self.assertEqual(output.last, ((Stream.STDOUT, b"89"),))


class LatestTests(DirectoryTestCase):
    """What is known of the last runs."""

    def setUp(self) -> None:
        super().setUp()
        self.directory.latest.reconfigure(["uptime"])

    def latest(self) -> tuple[str, RunState] | None:
        """Tell of the newest that is over."""
        record = self.directory.latest.runs("uptime").newest()
        return (record.id, record.state) if record is not None else None

    def test_what_is_over(self) -> None:
        """However it ended, and whether it is kept or not."""
        for keep in Keep:
            self.end(self.start(keep, history=keep))
            self.assertEqual(self.latest(), (keep, RunState.OK))
        run = self.start("a")
        run.asked = list(run.requests)
        self.directory.failed(run, "gone")
        self.assertEqual(self.latest(), ("a", RunState.FAULT))

    def test_what_is_not(self) -> None:
        """Or never began, is none of it."""
        self.start("a")
        self.directory.dropped(self.open("b"))

        self.assertIsNone(self.latest())

    def test_a_broken_history(self) -> None:
        """It is noted all the same."""
        self.patch(self.history, "ended", lambda *_: 1 / 0)
        self.end(self.start("a"))

        self.assertEqual(self.latest(), ("a", RunState.OK))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class RememberedTests(DirectoryTestCase):
    """What was started for nobody who waits."""

    def test_it_is_known_for_a_while(self) -> None:
        """After its end, by all its ids, and not for longer."""
        run = self.start("a", is_detached=True, history=Keep.NONE)
        self.directory.entered(run, self.ask("b", GUY))
        self.end(run)
        self.clock.advance(REMEMBERED_SECONDS - 1)
        self.assertEqual([self.directory.find("a"), self.directory.find("b"), *self.directory], [run] * 3)
        self.assertIs(self.directory.record_of("a").state, RunState.OK)

        self.clock.advance(1)

        self.assertEqual([self.directory.find("a"), self.directory.find("b"), *self.directory], [None, None])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_only_so_many(self) -> None:
        """The oldest is forgotten first."""
        self.patch(run_directory, "MOST_REMEMBERED", 2)
        self.assertGreater(MOST_REMEMBERED, 2)
        for name in "abc":
            self.end(self.start(name, is_detached=True))

        self.assertEqual([run.id for run in self.directory], ["c", "b"])
        self.assertIsNone(self.directory.find("a"))
        self.clock.advance(REMEMBERED_SECONDS)
        self.assertEqual(list(self.directory), [])


class ObserverTests(DirectoryTestCase):
    """Who hears what becomes of runs."""

    def test_what_is_heard(self) -> None:
        """That it waits, who asks for it too, that it is started, and how it ended."""
        heard: list[tuple[str, RunState]] = []
        stop = self.directory.listen(lambda run: heard.append((run.id, run.record().state)))
        run = self.start("a")
        self.directory.entered(run, self.ask("b"))
        self.end(run)
        stop()
        stop()
        self.end(self.start("unheard"))

        states = [RunState.QUEUED, RunState.RUNNING, RunState.RUNNING, RunState.OK]
        self.assertEqual(heard, [("a", state) for state in states])

    def test_a_mistake_of_one(self) -> None:
        """Is logged, and is neither another's trouble nor the run's."""
        heard: list[Run] = []
        self.directory.listen(lambda _: 1 / 0)  # type: ignore[arg-type]
        self.directory.listen(heard.append)
        run = self.open("a")

        self.assertEqual(heard, [run])
        (failure,) = self.flushLoggedErrors(ZeroDivisionError)
        self.assertIsInstance(failure, Failure)

    def test_who_stops_while_being_told(self) -> None:
        """Harms nobody."""
        heard: list[Run] = []
        stops: list[Callable[[], None]] = []
        stops.append(self.directory.listen(lambda _: stops[0]()))
        self.directory.listen(heard.append)

        run = self.open("a")

        self.assertEqual(heard, [run])
