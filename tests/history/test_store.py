"""Tests of the history: nobody waits for it, and what it is told is found, now and after whatever happens."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.output import Stream
from cmdserver.core.run_states import RunState
from cmdserver.history import connecting
from cmdserver.history.database import Database
from cmdserver.history.errors import Unavailable
from cmdserver.history.pending import MOST_RUNS
from cmdserver.history.retention import HistoryLimits
from cmdserver.history.store import READ_SECONDS, History
from cmdserver.history.writer import BATCH_SECONDS, CLOSE_SECONDS, TIDY_SECONDS
from cmdserver.runs.history import KeptRun
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery, Sight
from cmdserver.runs.record import Asked
from tests.history.doubles import ALL, DAY, LIMITS, NOW, OUTPUT, ManualThread, run, running


class StoreTestCase(SynchronousTestCase):
    """Tests with a history whose thread is the test."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = self.directory / "history.sqlite3"
        patched = patch.object(connecting, "BUSY_SECONDS", 0)
        patched.start()
        self.addCleanup(patched.stop)
        self.clock = Clock()
        self.clock.advance(1000)
        self.now = NOW
        Database.open(self.path).close()  # as another daemon has left it
        self.history = self.make()

    def make(self, limits: HistoryLimits = LIMITS) -> History:
        """Make one and start it, as a daemon does."""
        self.thread = ManualThread()
        history = History(
            self.path,
            limits,
            clock=self.clock,
            time_of_day=lambda: self.now,
            run_in_thread=self.thread.run,
            stop_thread=self.thread.stop,
        )
        self.addCleanup(history._session.close)
        history.start()
        self.clock.advance(0)
        return history

    def flush(self) -> None:
        """Wait until a batch is written."""
        self.clock.advance(BATCH_SECONDS)

    def numbers(self, query: RunQuery | None = None, sight: Sight = ALL, before: int | None = None) -> list[int]:
        """List what is found, at once."""
        found = self.history.find(query or RunQuery(limit=1000), sight, before)
        return [each.number for each in self.successResultOf(found)]

    def on_disk(self) -> list[int]:
        """List what a daemon would find that starts now."""
        database = Database.open(self.path)
        try:
            return [each.number for each in database.find(RunQuery(limit=1000), ALL, None)]
        finally:
            database.close()

    def logged(self, function: Callable[[], object]) -> list[str]:
        """Do something, and say what the log says of it."""
        with capturedLogs() as events:
            function()
        return [formatEvent(event) for event in events]


class WritingTests(StoreTestCase):
    """From the end of a run to the disk."""

    def test_a_batch(self) -> None:
        """Nothing is written at once, and everything soon; it is found before and after."""
        self.history.ended(run(1), OUTPUT)
        self.history.ended(run(2), OUTPUT)
        self.assertEqual((self.numbers(), self.on_disk()), ([2, 1], []))

        self.flush()

        self.assertEqual((self.numbers(), self.on_disk()), ([2, 1], [2, 1]))

    def test_while_it_is_written(self) -> None:
        """A run never disappears in between, and what ends meanwhile is written next."""
        self.history.ended(run(1), OUTPUT)
        self.thread.is_held = True
        self.flush()
        self.history.ended(run(2), OUTPUT)
        self.clock.advance(BATCH_SECONDS * 3)
        found = self.history.find(RunQuery(), ALL, None)
        kept = self.history.get(run(1).id)
        self.assertEqual(self.successResultOf(kept), KeptRun(run(1), OUTPUT))

        self.thread.go_on()

        self.assertEqual([each.number for each in self.successResultOf(found)], [2, 1])
        self.assertEqual(self.on_disk(), [1])
        self.flush()
        self.assertEqual(self.on_disk(), [2, 1])

    def test_what_is_forgotten_at_once(self) -> None:
        """The thread never hears of it."""
        self.thread.is_held = True
        self.history.began(running(1))
        self.history.forgotten(run(1))
        self.flush()
        self.thread.go_on()

        self.assertEqual(self.successResultOf(self.history.find(RunQuery(), ALL, None)), ())

    def test_what_is_forgotten_later(self) -> None:
        """It is gone from the disk."""
        self.history.began(running(1))
        self.flush()
        self.history.forgotten(run(1))
        self.flush()

        database = Database.open(self.path)
        self.addCleanup(database.close)
        database.lose(())
        self.assertEqual(database.find(RunQuery(), ALL, None), ())

    def test_killed(self) -> None:
        """What was begun is lost; what had ended, and was written, is there."""
        self.history.began(running(1))
        self.history.ended(run(2), OUTPUT)
        self.flush()

        self.history = self.make()

        found = self.successResultOf(self.history.find(RunQuery(), ALL, None))
        self.assertEqual([(each.number, each.state) for each in found], [(2, RunState.OK), (1, RunState.LOST)])
        self.assertEqual(self.history.commands, {"df"})

    def test_before_it_starts(self) -> None:
        """What happens then is kept until it can be written, and nobody waits."""
        history = History(
            self.path, LIMITS, clock=self.clock, time_of_day=lambda: NOW, run_in_thread=self.thread.run
        )  # fmt: skip
        self.thread.is_held = True
        history.ended(run(1), OUTPUT)
        self.clock.advance(10)
        self.assertEqual(self.successResultOf(history.find(RunQuery(), ALL, None)), (run(1),))
        self.successResultOf(history.close())

    def test_what_is_lost_is_looked_for_once(self) -> None:
        """When the file is opened, and not each time that something is written."""
        with patch.object(Database, "lose", side_effect=AssertionError):
            self.history.ended(run(1), OUTPUT)
            self.flush()

        self.assertEqual(self.on_disk(), [1])

    def test_what_is_kept_of_it(self) -> None:
        """The limits count for what is not written yet, too."""
        self.history.reconfigure(HistoryLimits(output_bytes=4))
        others = tuple(Asked(id=f"o{each}", user=None) for each in range(200))
        self.history.ended(run(1, others=others), KeptOutput(((Stream.STDOUT, b"0123456789"),)))

        def kept() -> KeptRun | None:
            return self.successResultOf(self.history.get("o5"))

        before = kept()
        self.flush()

        self.assertEqual(before, kept())
        assert before is not None
        self.assertEqual(before.output, KeptOutput(((Stream.STDOUT, b"01"),), 6, ((Stream.STDOUT, b"89"),)))
        self.assertEqual(len(before.record.others), 99)

    def test_days_go_by(self) -> None:
        """What becomes too old goes, though nothing happens."""
        self.history.ended(run(1), OUTPUT)
        self.flush()
        self.now += 31 * DAY
        self.clock.advance(TIDY_SECONDS)

        self.assertEqual((self.numbers(), self.history.commands), ([], frozenset()))

    def test_other_limits(self) -> None:
        """They count at once."""
        for number in (1, 2, 3):
            self.history.ended(run(number), OUTPUT)
        self.flush()

        self.history.reconfigure(HistoryLimits(runs=1))
        self.clock.advance(0)

        self.assertEqual(self.numbers(), [3])

    def test_another_file(self) -> None:
        """What is not written yet, and what runs, goes there."""
        first = self.path
        self.history.began(running(1))
        self.history.ended(run(2), OUTPUT)
        self.flush()
        self.path = first.with_name("other")
        self.history.ended(run(3), OUTPUT)

        self.history.reconfigure(LIMITS, self.path)
        self.flush()

        self.assertEqual((self.numbers(), self.on_disk()), ([3], [3]))
        self.history = self.make()
        self.assertEqual(self.numbers(), [3, 1])

    def test_the_end(self) -> None:
        """What is left is written, and the thread is stopped."""
        self.history.ended(run(1), OUTPUT)

        self.successResultOf(self.history.close())

        self.assertEqual((self.on_disk(), self.thread.is_stopped, self.clock.getDelayedCalls()), ([1], True, []))
        self.assertEqual([each.name for each in self.path.parent.iterdir()], [self.path.name])

    def test_the_end_while_it_is_written(self) -> None:
        """What came meanwhile is written as well."""
        self.history.ended(run(1), OUTPUT)
        self.thread.is_held = True
        self.flush()
        self.history.ended(run(2), OUTPUT)
        closed = self.history.close()
        self.assertNoResult(closed)

        self.thread.go_on()

        self.successResultOf(closed)
        self.assertEqual(self.on_disk(), [2, 1])

    def test_the_end_with_a_disk_that_does_not_answer(self) -> None:
        """It is not waited for, and the log says what is not kept."""
        self.thread.is_held = True
        self.history.ended(run(1), OUTPUT)
        closed = self.history.close()

        logged = self.logged(lambda: self.clock.advance(CLOSE_SECONDS))

        self.successResultOf(closed)
        self.assertFalse(self.thread.is_stopped)
        self.assertRegex("".join(logged), "1 runs, and the output of 0, were not kept")


class AskingTests(StoreTestCase):
    """What is found."""

    def setUp(self) -> None:
        super().setUp()
        for number in (1, 2, 3):
            self.history.ended(run(number), OUTPUT)
        self.flush()
        for number in (4, 5):
            self.history.ended(run(number, command="uptime", user="bob"), OUTPUT)

    def test_who_asks_no_more(self) -> None:
        """To cancel a question is no trouble of the history, and no answer to go on with."""
        with patch.object(self.history._worker, "ask", return_value=Deferred()):
            asked = self.history.durations("df")
            logged = self.logged(asked.cancel)

        self.assertIsInstance(self.failureResultOf(asked).value, CancelledError)
        self.assertEqual(logged, [])

    def test_here_and_there(self) -> None:
        """The newest of both, no more than asked for, before another."""
        self.assertEqual(self.numbers(), [5, 4, 3, 2, 1])
        self.assertEqual(self.numbers(RunQuery(limit=3)), [5, 4, 3])
        self.assertEqual(self.numbers(before=5), [4, 3, 2, 1])
        self.assertEqual(self.numbers(before=3), [2, 1])

    def test_each_condition_counts_here_too(self) -> None:
        """Nothing is shown that would not be, if it were written."""
        for flush in (lambda: None, self.flush):
            flush()
            self.assertEqual(self.numbers(RunQuery(command="df")), [3, 2, 1])
            self.assertEqual(self.numbers(RunQuery(user="bob")), [5, 4])
            self.assertEqual(self.numbers(RunQuery(state=RunState.FAILED)), [])
            self.assertEqual(self.numbers(sight=Sight(user=None, own=frozenset({"uptime"}), all=frozenset())), [])
            self.assertEqual(self.numbers(sight=Sight(user="ada", own=frozenset({"uptime"}), all=frozenset())), [])
            self.assertEqual(self.numbers(sight=Sight(user="bob", own=frozenset({"uptime"}), all=frozenset())), [5, 4])
            self.assertEqual(self.numbers(sight=Sight(user="bob", own=frozenset({"df"}), all=frozenset())), [])

    def test_by_any_id(self) -> None:
        """Of a request that shared it, here and there."""
        self.history.ended(run(6, others=(Asked(id="x", user=None),)), OUTPUT)
        for _ in range(2):
            kept = self.successResultOf(self.history.get("x"))
            assert kept is not None
            self.assertEqual(kept.record.number, 6)
            self.flush()
        self.assertIsNone(self.successResultOf(self.history.get("y")))

    def test_how_long_it_takes(self) -> None:
        """What the file has; of a command that it has nothing of, nothing."""
        self.assertEqual(self.successResultOf(self.history.durations("df")), {1: 2.5, 2: 2.5, 3: 2.5})
        self.assertEqual(self.successResultOf(self.history.durations("who")), {})

    def test_what_was_last(self) -> None:
        """What the file has: of what is not written yet others know."""
        newest = self.successResultOf(self.history.newest(16))

        self.assertEqual(newest, (run(3),))

    def test_a_disk_that_does_not_answer(self) -> None:
        """Is waited for once, and for no longer than a moment."""
        self.thread.is_held = True
        question = self.history.newest(16)
        self.assertNoResult(question)
        self.clock.advance(READ_SECONDS)

        self.assertIsNone(self.successResultOf(question))
        self.assertIsNone(self.successResultOf(self.history.newest(16)))
        self.thread.go_on()
        self.assertIsNotNone(self.successResultOf(self.history.newest(16)))

    def test_a_file_that_cannot_be_read(self) -> None:
        """Is something else than one without runs."""
        self.successResultOf(self.history.close())

        self.assertIsNone(self.successResultOf(self.history.newest(16)))
        self.assertIsNone(self.successResultOf(self.history.durations("df")))

    def test_names(self) -> None:
        """Those here and those there."""
        self.assertEqual(self.history.commands, {"df", "uptime"})


class TroubleTests(StoreTestCase):
    """The disk is no condition for anything."""

    def trouble(self, begin: Callable[[], object]) -> list[str]:
        """Begin a trouble, and have runs end until it was tried a few times."""
        begin()
        self.history.ended(run(1), OUTPUT)
        logged = self.logged(lambda: self.clock.pump((0.05, 1, 2, 4)))
        self.history.ended(run(2), OUTPUT)
        self.assertEqual(self.numbers(), [2, 1])
        return logged

    def recovery(self, end: Callable[[], object]) -> list[str]:
        """End it, and wait until it is tried again."""
        end()
        logged = self.logged(lambda: self.clock.advance(8))
        self.assertEqual((self.numbers(), self.on_disk()), ([2, 1], [2, 1]))
        return logged

    def test_locked(self) -> None:
        """It is said once, and once when it is over; meanwhile nobody waits."""
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)

        begun = self.trouble(lambda: other.execute("BEGIN EXCLUSIVE"))
        over = self.recovery(lambda: other.execute("ROLLBACK"))

        self.assertEqual((len(begun), len(over)), (1, 1))
        self.assertRegex(begun[0], "cannot be written: .*locked")
        self.assertRegex(over[0], "written again")

    def test_full(self) -> None:
        """The same."""
        full = patch.object(Database, "write", side_effect=Unavailable("database or disk is full"))

        begun = self.trouble(full.start)
        over = self.recovery(full.stop)

        self.assertEqual((len(begun), len(over)), (1, 1))

    def test_its_directory_is_gone(self) -> None:
        """It is found when it is back, though another one."""
        begun = self.trouble(lambda: shutil.rmtree(self.path.parent))
        over = self.recovery(self.path.parent.mkdir)

        self.assertEqual((len(begun), len(over)), (1, 1))

    def test_the_file_is_gone(self) -> None:
        """A new one is begun, which knows what runs."""
        self.history.began(running(1))
        self.flush()
        self.path.unlink()
        self.history.ended(run(2), OUTPUT)
        self.flush()

        self.assertEqual(self.on_disk(), [2])
        self.history = self.make()
        self.assertEqual(self.numbers(), [2, 1])

    def test_a_mistake_of_ours(self) -> None:
        """Requests go on whatever it is, and the log has a traceback."""
        with patch.object(Database, "write", side_effect=ZeroDivisionError), patch.object(
            Database, "find", side_effect=ZeroDivisionError
        ):  # fmt: skip
            self.history.ended(run(1), OUTPUT)
            self.flush()
            self.assertEqual(self.numbers(), [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.clock.advance(1)
        self.assertEqual(self.on_disk(), [1])

    def test_a_disk_that_does_not_answer(self) -> None:
        """Who asks gets what is here, after a moment, and then at once."""
        self.history.ended(run(1), OUTPUT)
        self.flush()
        self.thread.is_held = True
        self.history.ended(run(2), OUTPUT)
        self.flush()
        found = self.history.find(RunQuery(), ALL, None)
        self.assertNoResult(found)
        self.clock.advance(READ_SECONDS)
        self.assertEqual(self.successResultOf(found), (run(2),))
        self.assertEqual(self.numbers(), [2])

        self.thread.go_on()
        self.assertEqual((self.numbers(), self.on_disk()), ([2, 1], [2, 1]))

    def test_it_is_never_busy(self) -> None:
        """It is tried less and less often, and not more often because more happens."""
        tried: list[float] = []

        def write(*_: Any) -> None:
            tried.append(self.clock.seconds() - 1000)
            raise Unavailable("no")

        with patch.object(Database, "write", write):
            for number in range(1, 2000):
                self.history.ended(run(number), OUTPUT)
                self.clock.advance(0.125)
        self.assertEqual([round(each) for each in tried], [0, 1, 3, 7, 15, 31, 63, 123, 183, 243])

    def test_what_cannot_wait(self) -> None:
        """It is bounded, and said once how many were not kept."""
        with patch.object(Database, "write", side_effect=Unavailable("no")):
            for number in range(1, MOST_RUNS + 6):
                self.history.ended(run(number), KeptOutput())
            self.flush()
        logged = self.logged(lambda: self.clock.pump([1] * 9))

        self.assertEqual(len(logged), 2)
        self.assertRegex(logged[1], "5 runs, and the output of 0, were not kept")

    def test_damaged(self) -> None:
        """It is moved aside, and a new one is begun with what is not written yet, and with what runs."""
        self.history.began(running(1))
        self.history.ended(run(2), OUTPUT)
        self.successResultOf(self.history.close())
        self.path.write_bytes(b"noise" * 2000)

        logged = self.logged(lambda: setattr(self, "history", self.make()))
        self.history.ended(run(3), OUTPUT)
        self.flush()

        (moved_to,) = self.path.parent.glob("*.corrupt-*")
        self.assertEqual(moved_to.read_bytes(), b"noise" * 2000)
        self.assertEqual((self.on_disk(), len(logged)), ([3], 1))
        self.assertIn(moved_to.name, logged[0])

    def damage(self) -> None:
        """Write noise where runs are, while the file is open."""
        for number in range(1, 2000):
            self.history.ended(run(number), OUTPUT)
        self.flush()
        database = self.history._session._database
        assert database is not None
        database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        size = self.path.stat().st_size
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        database._connection.execute("PRAGMA shrink_memory")

    def test_damaged_while_it_is_read(self) -> None:
        """Who asks gets what is here; it is mended at once."""
        self.history.began(running(5000))
        self.damage()

        self.assertEqual(self.numbers(), [])
        self.clock.advance(0)

        self.assertEqual((self.numbers(), len(list(self.path.parent.glob("*.corrupt-*")))), ([], 1))
        self.history = self.make()
        self.assertEqual(self.numbers(), [5000])

    def test_damaged_while_it_is_written(self) -> None:
        """Nothing is lost of what was to be written."""
        self.damage()
        self.history.ended(run(6000), OUTPUT)
        self.flush()

        self.assertEqual(self.on_disk(), [6000])


class NoFileTests(StoreTestCase):
    """Where nothing is kept, there is no file."""

    def test_nothing_is_made_before_there_is_something_to_keep(self) -> None:
        """Who looks finds nothing at once; then it is made."""
        self.successResultOf(self.history.close())
        self.path.unlink()
        self.history = self.make()
        self.clock.pump((1, 60, 3600))

        self.successResultOf(self.history.known())
        self.assertEqual((self.numbers(), self.path.exists()), ([], False))
        self.history.ended(run(1), OUTPUT)
        self.flush()
        self.assertEqual(self.on_disk(), [1])


class NotOursTests(StoreTestCase):
    """A file that is left alone."""

    def test_it_is_left_until_a_reload(self) -> None:
        """It is said once; nothing is kept, and nobody waits; when the file is another, it works."""
        self.successResultOf(self.history.close())
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
        before = self.path.read_bytes()

        logged = self.logged(lambda: setattr(self, "history", self.make()))
        self.history.began(running(1))
        self.history.ended(run(2), OUTPUT)
        logged += self.logged(lambda: self.clock.pump((1, 60, 3600)))

        self.assertEqual((len(logged), self.numbers(), self.history.commands), (1, [], frozenset()))
        self.assertRegex(logged[0], "no history is kept: .* version 99")
        self.assertEqual(self.path.read_bytes(), before)

        self.path.unlink()
        self.history.reconfigure(LIMITS)
        self.history.ended(run(3), OUTPUT)
        self.flush()
        self.assertEqual(self.on_disk(), [3])
        self.history = self.make()
        self.assertEqual(self.numbers(), [3, 1])

    def test_the_end(self) -> None:
        """Nothing is written then."""
        self.successResultOf(self.history.close())
        self.path.unlink()
        self.path.mkdir()
        self.history = self.make()

        self.successResultOf(self.history.close())

        self.assertEqual(list(self.path.iterdir()), [])


class ModelTests(StoreTestCase):
    """Any sequence of what can happen gives the runs that a list would give."""

    @given(st.lists(st.tuples(st.sampled_from(["began", "ended", "forgotten", "flush", "fail", "kill"]),
                              st.integers(1, 6)), max_size=30))  # fmt: skip
    @settings(max_examples=40, deadline=None)
    def test_any_sequence(self, steps: list[tuple[str, int]]) -> None:
        """Whether it is written between, fails to be, or the daemon is killed after it."""
        self.path = Path(tempfile.mkdtemp(dir=self.directory)) / "history.sqlite3"
        self.history = self.make()
        alive: set[int] = set()
        expected: dict[int, RunState] = {}
        for step, (what, each) in enumerate(steps):
            number = each
            if what == "began" and number not in expected:
                alive.add(number)
                self.history.began(running(number))
            elif what == "ended" and number not in expected:
                alive.discard(number)
                expected[number] = RunState.OK
                self.history.ended(run(number, problem=str(step)), OUTPUT)
            elif what == "forgotten" and number in alive:
                alive.discard(number)
                self.history.forgotten(run(number))
            elif what == "flush":
                self.clock.advance(1)
            elif what == "fail":
                with patch.object(Database, "write", side_effect=Unavailable("no")):
                    self.flush()
                self.clock.advance(1)
            elif what == "kill":
                self.clock.advance(1)
                self.history._session.close()
                expected |= dict.fromkeys(alive, RunState.LOST)
                alive.clear()
                self.history = self.make()
            self.check(expected)
        self.successResultOf(self.history.close())
        self.history = self.make()
        self.check(expected | dict.fromkeys(alive, RunState.LOST))

    def check(self, expected: dict[int, RunState]) -> None:
        """Compare what is found with the list."""
        found = self.successResultOf(self.history.find(RunQuery(), ALL, None))
        self.assertEqual([(each.number, each.state) for each in found], sorted(expected.items(), reverse=True))
        for number, state in expected.items():
            kept = self.successResultOf(self.history.get(run(number).id))
            assert kept is not None
            self.assertEqual(kept.output, KeptOutput() if state is RunState.LOST else OUTPUT)
