"""Tests of the database: what is written is found again, by those who may see it, within the limits."""

import json
import os
import shutil
import sqlite3
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.checks.states import CheckState
from cmdserver.core.output import Stream
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.history import connecting, database, database_file
from cmdserver.history.changes import Began, Change, Forgotten
from cmdserver.history.database import LOST_PROBLEM, Database
from cmdserver.history.errors import Corrupt, NotOurs, OtherVersion, Unavailable
from cmdserver.history.retention import HistoryLimits
from cmdserver.history.schema import MIGRATIONS
from cmdserver.runs.history import KeptRun
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery, Sight
from cmdserver.runs.record import Asked, RunRecord
from tests.history.doubles import ALL, DAY, LIMITS, NOW, OUTPUT, ended, failed, run, running

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
TIMES = st.none() | st.floats(0, 4e9)
COUNTS = st.integers(0, (1 << 63) - 1)
RECORDS = st.builds(
    RunRecord,
    number=st.integers(0, 1 << 62),
    id=st.text("0123456789abcdef", min_size=16, max_size=16),
    command=st.just("df"),
    arguments=st.lists(ANY_TEXT, max_size=4).map(tuple),
    state=st.sampled_from([each for each in RunState if not each.is_alive]),
    user=st.none() | st.text(max_size=20),
    protocol=st.just("web"),
    asked_at=st.floats(NOW, NOW + DAY),
    started_at=TIMES,
    duration_seconds=TIMES,
    exit_status=st.none() | st.integers(0, 255),
    signal=st.none() | st.just("SIGTERM"),
    ended_by=st.none() | st.sampled_from(EndedBy),
    stopped_by=st.none() | st.text(max_size=20),
    truncated=st.booleans(),
    stdout_bytes=COUNTS,
    stderr_bytes=COUNTS,
    problem=st.none() | st.text(max_size=20),
    check_state=st.none() | st.sampled_from(CheckState),
    check_text=st.none() | ANY_TEXT,
)


class DatabaseTestCase(SynchronousTestCase):
    """Tests with a file."""

    def setUp(self) -> None:
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.path = Path(directory) / "history.sqlite3"
        for name in ("BUSY_SECONDS",):
            patched = patch.object(connecting, name, 0)
            patched.start()
            self.addCleanup(patched.stop)

    def open(self) -> Database:
        """Open the test's file."""
        opened = Database.open(self.path)
        self.addCleanup(opened.close)
        return opened

    def edit(self, *statements: str) -> None:
        """Do what an administrator, or an attacker, does."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def written(self, *records: RunRecord) -> Database:
        """Open it with runs in it."""
        opened = self.open()
        opened.write(map(ended, records), LIMITS, NOW)
        return opened

    def numbers(self, opened: Database, query: RunQuery | None = None, sight: Sight = ALL) -> list[int]:
        """List what is found."""
        return [each.number for each in opened.find(query or RunQuery(limit=1000), sight, None)]


class FileTests(DatabaseTestCase):
    """Whose file is opened, and how."""

    def test_it_is_ours_alone(self) -> None:
        """What is made can be read by nobody else, whatever the umask says, and so can what lies beside it."""
        self.addCleanup(os.umask, os.umask(0))

        self.written(run(1))

        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.path.parent.iterdir()}
        self.assertEqual(modes, {"history.sqlite3": 0o600, "history.sqlite3-wal": 0o600, "history.sqlite3-shm": 0o600})

    def test_settings(self) -> None:
        """Changes go to a log first, and the schema may not do what it likes."""
        connection = self.open()._connection

        def setting(name: str) -> object:
            return connection.execute(f"PRAGMA {name}").fetchone()[0]

        self.assertEqual(
            [
                setting(name)
                for name in ("journal_mode", "synchronous", "trusted_schema", "auto_vacuum", "user_version")
            ],
            ["wal", 1, 0, 2, len(MIGRATIONS)],
        )

    def test_a_relative_path_with_odd_characters(self) -> None:
        """The daemon has changed to its directory; a name is a name, not an address."""
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.path.parent)
        self.path = Path("a?b#c%41")

        self.written(run(1))

        self.assertTrue(self.path.exists())

    def test_links_are_not_followed(self) -> None:
        """Neither of the file nor of what lies beside it."""
        target = self.path.with_name("target")
        for name in ("history.sqlite3", "history.sqlite3-wal", "history.sqlite3-shm"):
            link = self.path.with_name(name)
            link.symlink_to(target)
            self.assertRaises(NotOurs, Database.open, self.path)
            link.unlink()
        self.assertFalse(target.exists())

    def test_who_is_not_root(self) -> None:
        """The same for them, and though a link is put there after we have looked."""
        with patch.object(os, "geteuid", return_value=1000):
            self.written(run(1)).close()
            self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
            self.path.unlink()
            self.path.symlink_to("target")
            with patch.object(database_file, "_require_regular"):
                self.assertRaises(Unavailable, Database.open, self.path)
            self.assertFalse(self.path.with_name("target").exists())

    def test_another_file_in_its_place(self) -> None:
        """What was put there after we have looked is not used."""
        with patch.object(connecting, "is_there", return_value=False):
            self.assertRaisesRegex(Unavailable, "replaced", Database.open, self.path)

    def test_pipes_and_directories_are_none(self) -> None:
        """Nobody waits for the other end."""
        os.mkfifo(self.path)
        self.assertRaises(NotOurs, Database.open, self.path)
        self.path.unlink()
        self.path.mkdir()
        self.assertRaises(NotOurs, Database.open, self.path)

    def test_without_its_directory(self) -> None:
        """It may come back."""
        self.path.parent.rmdir()

        self.assertRaises(Unavailable, Database.open, self.path)

    def test_it_is_missed(self) -> None:
        """A file that was removed, or replaced, is not the one that is open."""
        opened = self.open()
        self.assertTrue(opened.is_in_place)

        self.path.rename(self.path.with_name("old"))
        self.assertFalse(opened.is_in_place)
        self.path.touch()
        self.assertFalse(opened.is_in_place)

    def test_another_programs(self) -> None:
        """A database with another application_id, or with tables and none, is left as it is."""
        for statement in ("PRAGMA application_id = 42", "CREATE TABLE a (b)", "PRAGMA user_version = 1"):
            self.edit(statement)
            before = self.path.read_bytes()

            self.assertRaises(NotOurs, Database.open, self.path)

            self.assertEqual(self.path.read_bytes(), before)
            self.assertEqual([each.name for each in self.path.parent.iterdir()], [self.path.name])
            self.path.unlink()

    def test_an_empty_one(self) -> None:
        """A file without anything in it becomes ours, as one does of which the making was interrupted."""
        self.path.touch()
        self.written(run(1)).close()
        self.path.unlink()
        self.edit("VACUUM")

        self.assertEqual(self.numbers(self.written(run(1))), [1])

    def test_triggers_and_other_tables(self) -> None:
        """What would act by itself, or is no table of ours, is not written to."""
        for statement in (
            "CREATE TRIGGER a AFTER INSERT ON runs BEGIN DELETE FROM runs; END",
            "ALTER TABLE runs RENAME COLUMN id TO name",
            "DROP TABLE output",
        ):
            self.open().close()
            self.edit("DROP VIEW history", "DROP VIEW history_output", statement)
            self.assertRaises(NotOurs, Database.open, self.path)
            self.path.unlink()

    def test_what_an_administrator_adds(self) -> None:
        """An index or a view more does no harm."""
        self.open().close()
        self.edit("CREATE INDEX mine ON runs (protocol)", "CREATE VIEW mine2 AS SELECT 1")

        self.assertEqual(self.numbers(self.written(run(1))), [1])


class VersionTests(DatabaseTestCase):
    """Older and newer files."""

    def test_an_older_one_is_migrated(self) -> None:
        """Its runs are there afterwards, and it is of the new version."""
        self.written(run(1)).close()
        more = (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN mood TEXT DEFAULT 'fine'", "CREATE INDEX m ON runs (mood)"))

        opened = Database.open(self.path, more)
        self.addCleanup(opened.close)

        self.assertEqual(self.numbers(opened), [1])
        self.assertEqual(opened._connection.execute("SELECT mood FROM runs").fetchall(), [("fine",)])
        opened.close()
        self.assertRaises(OtherVersion, Database.open, self.path)

    def test_a_migration_that_fails(self) -> None:
        """The file is as it was."""
        self.written(run(1)).close()
        more = (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN mood TEXT", "nonsense"))

        self.assertRaises(Unavailable, Database.open, self.path, more)

        self.assertEqual(self.numbers(self.open()), [1])

    def test_a_newer_one_is_left(self) -> None:
        """Not a byte of it is changed."""
        self.open().close()
        self.edit(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        before = self.path.read_bytes()

        self.assertRaises(OtherVersion, Database.open, self.path)

        self.assertEqual(self.path.read_bytes(), before)


class DamageTests(DatabaseTestCase):
    """Files that are no databases any more."""

    def test_other_bytes(self) -> None:
        """Noise, zeros as a power failure leaves them, and less than a header."""
        for content in (os.urandom(9000), bytes(8192), b"SQLite format 3\0", b"{}\n"):
            self.path.write_bytes(content)
            self.assertRaises(Corrupt, Database.open, self.path)

    def test_a_part_of_it(self) -> None:
        """A file that ends too early is found out, wherever it ends."""
        self.written(*map(run, range(1, 200))).close()
        whole = self.path.read_bytes()
        for length in (100, 4096, len(whole) // 2, len(whole) - 4096):
            self.path.write_bytes(whole[:length])
            self.assertRaises(Corrupt, Database.open, self.path)

    def test_a_page_of_noise(self) -> None:
        """Each page but the map of pages makes up the whole."""
        self.written(*(run(each, arguments=("x" * 3000,)) for each in range(1, 9))).close()
        whole = self.path.read_bytes()
        for page in (2, 3, 4):
            noise = b"\xff" * 4096
            self.path.write_bytes(whole[: page * 4096] + noise + whole[(page + 1) * 4096 :])
            self.assertRaises(Corrupt, Database.open, self.path)

    def test_noise_while_it_is_open(self) -> None:
        """What is found out later is told as well."""
        opened = self.written(*map(run, range(1, 2000)))
        opened._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        size = self.path.stat().st_size
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        opened._connection.execute("PRAGMA shrink_memory")

        self.assertRaises(Corrupt, opened.find, RunQuery(), ALL, None)
        self.assertRaises(Corrupt, opened.write, [ended(run(1))], LIMITS, NOW)


class RoundTripTests(DatabaseTestCase):
    """What is written is what is read."""

    @given(RECORDS)
    @settings(max_examples=30, deadline=None)
    def test_any_record(self, record: RunRecord) -> None:
        """A run comes back as it was, whatever its words are."""
        with closing(Database.open(Path(tempfile.mkdtemp(dir=self.path.parent)) / "h")) as opened:
            opened.write([ended(record)], LIMITS, NOW)

            self.assertEqual(opened.find(RunQuery(), ALL, None), (record,))
            self.assertEqual(opened.get(record.id), KeptRun(record, OUTPUT))

    def test_half_of_a_pair(self) -> None:
        """What UTF-8 cannot spell is shown as an escape, but in a name, which becomes nobody's."""
        record = run(1, user="a\udcff", problem="p\udcff", stopped_by="s\udcff", others=(Asked(id="b", user="\ud800"),))

        (found,) = self.written(record).find(RunQuery(), ALL, None)

        self.assertEqual((found.user, found.problem, found.stopped_by), (None, "p\\udcff", "s\\udcff"))
        self.assertEqual(found.others, (Asked(id="b", user=None),))

    def test_questions_that_cannot_be_spelled(self) -> None:
        """They are answered: there is no such thing."""
        opened = self.written(run(1, user="a\\udcff"))
        query = RunQuery(user="a\udcff")

        self.assertEqual(self.numbers(opened, query), [])
        self.assertEqual(self.numbers(opened, RunQuery(command="\udcff")), [])
        self.assertEqual(self.numbers(opened, sight=Sight(user="a\udcff", own=frozenset({"df"}), all=frozenset())), [])
        self.assertIsNone(opened.get("\udcff"))
        self.assertEqual(opened.durations("\udcff"), {})

    def test_a_second_end_replaces_the_first(self) -> None:
        """There is one run, with the requests and the output of the last."""
        opened = self.written(run(1, others=(Asked(id="b", user=None),)))

        opened.write([ended(run(1), KeptOutput())], LIMITS, NOW)

        self.assertEqual(self.numbers(opened), [1])
        self.assertIsNone(opened.get("b"))
        self.assertEqual(opened.get(run(1).id), KeptRun(run(1), KeptOutput()))

    def test_the_ids_of_all_requests(self) -> None:
        """Each means the run; of many the first hundred."""
        others = tuple(Asked(id=f"o{each}", user=f"u{each}") for each in range(200))
        opened = self.written(run(1, others=others))

        found = [opened.get(each.id) is not None for each in others]

        self.assertEqual(found, [True] * 99 + [False] * 101)
        self.assertIsNone(opened.get("nonsense"))

    def test_output_is_bounded(self) -> None:
        """What is left out is counted."""
        opened = self.open()
        limits = HistoryLimits(output_bytes=10)

        opened.write([ended(run(1), KeptOutput(((Stream.STDOUT, b"0123456789abcdef"),)))], limits, NOW)

        kept = opened.get(run(1).id)
        assert kept is not None
        self.assertEqual(kept.output, KeptOutput(((Stream.STDOUT, b"01234"),), 6, ((Stream.STDOUT, b"bcdef"),)))

    def test_forgotten(self) -> None:
        """Its row goes, its output and its ids."""
        opened = self.written(run(1), run(2))

        opened.write([Forgotten(run(1))], LIMITS, NOW)

        self.assertEqual((self.numbers(opened), opened.get(run(1).id)), ([2], None))
        self.assertEqual(opened._connection.execute("SELECT DISTINCT run FROM output").fetchall(), [(2,)])

    def test_commands_and_durations(self) -> None:
        """The names there are, and how long the last successes have taken."""
        opened = self.written(*map(run, range(1, 13)), failed(13, command="uptime"))

        self.assertEqual(opened.commands(), {"df", "uptime"})
        self.assertEqual(opened.durations("df"), dict.fromkeys(range(3, 13), 2.5))
        self.assertEqual(opened.durations("uptime"), {})
        self.assertEqual(opened.durations("'; DROP TABLE runs"), {})


class NewestTests(DatabaseTestCase):
    """What was last, for whoever asks who."""

    def newest(self, *records: RunRecord) -> list[int]:
        """List what is found of these."""
        return sorted(each.number for each in self.written(*records).newest(16))

    def test_of_each_command_and_user(self) -> None:
        """The newest run and the newest success, if that is another."""
        found = self.newest(
            run(1),
            run(2),
            run(3, user="bob"),
            run(4, command="uptime"),
            run(5, user=None),
            failed(6),
            failed(7),
            failed(8, command="who"),
        )

        self.assertEqual(found, [2, 3, 4, 5, 7, 8])

    def test_of_all_who_share_it(self) -> None:
        """Each of them has asked for it."""
        shared = (Asked(id="b", user="bob"), Asked(id="n", user=None))
        found = self.newest(run(1, others=shared), run(2), failed(3, user="bob"), run(4, user="eve", others=shared[1:]))

        self.assertEqual(found, [1, 2, 3, 4])

    def test_of_those_who_have_asked_last(self) -> None:
        """No more are read than are asked for."""
        opened = self.written(run(1), run(2, user="bob"), run(3, user="eve"), failed(4, user="bob"))

        self.assertEqual(sorted(each.number for each in opened.newest(1)), [3, 4])
        self.assertEqual(sorted(each.number for each in opened.newest(2)), [2, 3, 4])

    def test_what_is_not_over(self) -> None:
        """Is no end of anything; what was lost is one."""
        opened = self.written(run(1), run(2, state=RunState.LOST))
        waiting = running(4, state=RunState.QUEUED, others=(Asked(id="b", user="bob"),))
        opened.write([Began(running(3)), Began(waiting)], LIMITS, NOW)

        self.assertEqual(sorted(each.number for each in opened.newest(16)), [1, 2])

    def test_with_all_that_is_known(self) -> None:
        """They are whole records."""
        record = failed(1, others=(Asked(id="b", user="bob"),))

        self.assertEqual(self.written(record).newest(16), (record,))

    def test_what_is_no_run(self) -> None:
        """Is passed over, whoever has written it."""
        opened = self.written(run(1), run(2, user="bob"))
        self.edit("UPDATE runs SET arguments = 'nonsense' WHERE number = 2")

        self.assertEqual(opened.newest(16), (run(1),))

    def test_durations_without_an_end(self) -> None:
        """Are none."""
        opened = self.written(run(1), run(2))
        self.edit("UPDATE runs SET duration_seconds = 9e999 WHERE number = 2")

        self.assertEqual(opened.durations("df"), {1: 2.5})

    def test_a_file_of_the_first_version(self) -> None:
        """Gets the indices, without which it would take long."""
        Database.open(self.path, MIGRATIONS[:1]).close()
        opened = self.written(run(1))

        self.assertEqual(opened.newest(16), (run(1),))
        names = {name for (name,) in opened._connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
        self.assertLessEqual({"runs_by_asker", "requests_that_share"}, names)

    def test_a_file_without_checks(self) -> None:
        """Of each older version: its runs are there, and are no checks; new ones are, and people see both."""
        columns = "number, id, command, state, user, protocol, asked_at, started_at, duration_seconds, exit_status"
        values = f"1, '{run(1).id}', 'df', 'ok', 'ada', 'web', {NOW}, {NOW + 1}, 2.5, 0"
        for version in range(1, len(MIGRATIONS)):
            with self.subTest(version):
                self.path = self.path.with_name(f"history-{version}.sqlite3")
                Database.open(self.path, MIGRATIONS[:version]).close()
                self.edit(
                    f"INSERT INTO runs ({columns}, truncated, stdout_bytes, stderr_bytes, kept_bytes, arguments)"  # noqa: S608
                    f""" VALUES ({values}, 0, 13, 3, 0, '["-h", "/"]')""",
                    f"INSERT INTO requests VALUES ('{run(1).id}', 1, 0, 'ada')",  # noqa: S608
                )
                found = run(2, check_state=CheckState.WARNING, check_text="WARNING: é | x")
                opened = self.written(found)

                self.assertEqual(list(opened.find(RunQuery(), ALL, None)), [found, run(1)])
                with closing(sqlite3.connect(self.path)) as connection:
                    rows = connection.execute("SELECT number, check_state, check_text FROM history").fetchall()
                self.assertEqual(rows, [(2, 1, "WARNING: é | x"), (1, None, None)])
                opened.close()
                self.assertEqual(list(self.open().find(RunQuery(), ALL, None)), [found, run(1)])


class LostTests(DatabaseTestCase):
    """What becomes of runs whose end nobody has seen."""

    def test_they_are_lost_after_a_kill(self) -> None:
        """What was begun is marked at the next start, without the daemon having closed anything."""
        opened = self.open()
        opened.write([Began(running(1)), Began(running(2, state=RunState.QUEUED)), ended(run(3))], LIMITS, NOW)
        self.assertEqual((self.numbers(opened), opened.get(running(1).id)), ([3], None))

        again = self.open()
        again.lose(())

        found = {each.number: each for each in again.find(RunQuery(), ALL, None)}
        self.assertEqual(found[1], running(1, state=RunState.LOST, problem=LOST_PROBLEM))
        self.assertEqual({number: each.state for number, each in found.items()}, {1: "lost", 2: "lost", 3: "ok"})

    def test_those_that_go_on_are_not(self) -> None:
        """A database that is opened anew, by the same daemon, knows them."""
        opened = self.open()
        opened.write([Began(running(1)), Began(running(2))], LIMITS, NOW)

        opened.lose([2])

        self.assertEqual(self.numbers(opened), [1])

    def test_what_others_have_left(self) -> None:
        """Output without its run would stay for ever."""
        self.written(run(1)).close()
        self.edit("DELETE FROM runs")

        opened = self.open()
        opened.lose(())

        self.assertEqual(
            opened._connection.execute("SELECT run FROM output UNION SELECT run FROM requests").fetchall(), []
        )


class SightTests(DatabaseTestCase):
    """Who finds what."""

    def setUp(self) -> None:
        super().setUp()
        self.opened = self.written(
            run(1, user="ada"),
            run(2, user="bob", others=(Asked(id="x", user="ada"),)),
            run(3, user="bob"),
            run(4, user=None),
            failed(5, user="ada", command="uptime"),
        )

    def sees(self, user: str | None, own: str = "", everybodys: str = "", query: RunQuery | None = None) -> list[int]:
        """List what somebody sees."""
        sight = Sight(user=user, own=frozenset(own.split()), all=frozenset(everybodys.split()))
        return self.numbers(self.opened, query, sight)

    def test_everybodys(self) -> None:
        """Of the commands that one may see, and no other."""
        self.assertEqual(self.sees(None, everybodys="df"), [4, 3, 2, 1])
        self.assertEqual(self.sees("ada", everybodys="uptime df"), [5, 4, 3, 2, 1])
        self.assertEqual(self.sees("ada", everybodys="u* '"), [])

    def test_ones_own(self) -> None:
        """Asked for first, or shared; of commands of which one may see them."""
        self.assertEqual(self.sees("ada", own="df"), [2, 1])
        self.assertEqual(self.sees("ada", own="uptime"), [5])
        self.assertEqual(self.sees("bob", own="df uptime"), [3, 2])
        self.assertEqual(self.sees("eve", own="df uptime"), [])

    def test_the_anonymous_have_none_of_their_own(self) -> None:
        """Not those of the anonymous either."""
        self.assertEqual(self.sees(None, own="df uptime"), [])

    def test_both(self) -> None:
        """One's own of one command, and everybody's of another; none twice."""
        self.assertEqual(self.sees("ada", own="uptime df", everybodys="df"), [5, 4, 3, 2, 1])
        self.assertEqual(self.sees("bob", own="df", everybodys="uptime"), [5, 3, 2])

    def test_queries(self) -> None:
        """Each condition narrows what one sees, and shows nothing more."""
        both = "df uptime"
        self.assertEqual(self.sees(None, everybodys=both, query=RunQuery(command="uptime")), [5])
        self.assertEqual(self.sees(None, everybodys=both, query=RunQuery(user="ada")), [5, 2, 1])
        self.assertEqual(self.sees(None, everybodys=both, query=RunQuery(state=RunState.FAILED)), [5])
        self.assertEqual(self.sees(None, everybodys=both, query=RunQuery(state=RunState.RUNNING)), [])
        self.assertEqual(self.sees(None, everybodys=both, query=RunQuery(limit=2)), [5, 4])
        self.assertEqual(self.sees("ada", own="df", query=RunQuery(user="bob")), [2])
        self.assertEqual(self.sees("ada", own="df", query=RunQuery(command="uptime")), [])
        self.assertEqual(self.sees("ada", own="df", query=RunQuery(state=RunState.FAILED)), [])
        self.assertEqual(self.sees("ada", own=both, query=RunQuery(command="' OR 1 --", user="' OR 1 --")), [])

    def test_where_the_list_begins(self) -> None:
        """Before a run, which is not in it."""
        found = self.opened.find(RunQuery(), ALL, 3)

        self.assertEqual([each.number for each in found], [2, 1])

    def test_what_the_tables_say_otherwise(self) -> None:
        """A row of one's own that the file has, for a run that is not, shows nothing: the run itself is looked at."""
        self.edit("UPDATE requests SET user = 'eve' WHERE run = 3", "UPDATE runs SET user = 'bob' WHERE number = 3")

        self.assertEqual(self.sees("eve", own="df"), [])


class RetentionTests(DatabaseTestCase):
    """Each of the limits."""

    def test_successes(self) -> None:
        """The newest stay."""
        opened = self.open()

        for number in range(1, 8):
            opened.write([ended(run(number))], HistoryLimits(runs=3), NOW)

        self.assertEqual(self.numbers(opened), [7, 6, 5])

    def test_none_at_all(self) -> None:
        """Failures only."""
        opened = self.open()

        opened.write([ended(run(1)), ended(failed(2))], HistoryLimits(runs=0), NOW)

        self.assertEqual(self.numbers(opened), [2])

    def test_failures_stay_besides(self) -> None:
        """The last twenty of each command, however many successes come after them."""
        opened = self.open()
        failures = [failed(each) for each in range(1, 31)] + [failed(31, command="uptime", state=RunState.TIMEOUT)]

        opened.write(map(ended, failures), HistoryLimits(runs=2), NOW)
        opened.write(map(ended, map(run, range(100, 120))), HistoryLimits(runs=2), NOW)

        self.assertEqual(self.numbers(opened), [119, 118, 31, *range(30, 10, -1)])

    def test_days(self) -> None:
        """Whatever it was, it goes when it is too old."""
        opened = self.open()
        old, new = NOW - 2 * DAY - 1, NOW - 2 * DAY + 1
        records = (run(1, asked_at=old), failed(2, asked_at=old), run(3, asked_at=new), failed(4, asked_at=new))

        opened.write(map(ended, records), HistoryLimits(days=2), NOW)

        self.assertEqual(self.numbers(opened), [4, 3])

    def test_what_runs_stays(self) -> None:
        """It is neither too old nor too much."""
        opened = self.open()
        opened.write([Began(running(each, asked_at=0.0)) for each in range(30)], HistoryLimits(runs=0, days=1), NOW)

        opened.prune(HistoryLimits(runs=0, days=1, megabytes=1), NOW)
        opened.lose(())

        self.assertEqual(len(self.numbers(opened)), 30)

    def test_new_limits(self) -> None:
        """What they do not allow goes."""
        opened = self.written(*map(run, range(1, 10)), *(failed(each) for each in range(20, 30)))

        opened.prune(HistoryLimits(runs=2), NOW)

        self.assertEqual(self.numbers(opened), [*range(29, 19, -1), 9, 8])

    def big(self, *records: RunRecord) -> list[Change]:
        """Make runs of a tenth of a megabyte."""
        return [ended(each, KeptOutput(((Stream.STDOUT, os.urandom(100_000)),))) for each in records]

    def size(self, opened: Database) -> int:
        """Measure the file, when everything is in it."""
        opened._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return self.path.stat().st_size

    def test_megabytes(self) -> None:
        """The file never has more; the oldest successes go first, then the oldest failures."""
        opened = self.open()
        limits = HistoryLimits(megabytes=1)
        opened.write(self.big(failed(1), failed(2)), limits, NOW)
        for number in range(10, 30):
            opened.write(self.big(run(number)), limits, NOW)
            self.assertLessEqual(self.size(opened), 1 << 20)

        self.assertEqual(self.numbers(opened), [*range(29, 22, -1), 2, 1])

        opened.write(self.big(*(failed(each) for each in range(40, 60))), limits, NOW)
        self.assertIn(self.numbers(opened), [list(range(59, last, -1)) for last in (49, 50)])
        self.assertLessEqual(self.size(opened), 1 << 20)

    def test_fewer_megabytes(self) -> None:
        """The disk gets the rest back."""
        opened = self.open()
        opened.write(self.big(*map(run, range(1, 40))), LIMITS, NOW)
        self.assertGreater(self.size(opened), 3 << 20)

        opened.prune(HistoryLimits(megabytes=1), NOW)

        self.assertLessEqual(self.size(opened), 1 << 20)
        self.assertIn(39, self.numbers(opened))

    def test_wrong_sizes(self) -> None:
        """Whatever the file says of the size of its runs, it gets small enough."""
        opened = self.open()
        opened.write(self.big(*map(run, range(1, 40))), LIMITS, NOW)
        self.edit("UPDATE runs SET kept_bytes = -5", "UPDATE runs SET kept_bytes = 'x' WHERE number < 20")

        opened.prune(HistoryLimits(megabytes=1), NOW)

        self.assertLessEqual(self.size(opened), 1 << 20)

    def test_many_requests_are_no_reason_to_look_at_all(self) -> None:
        """The output of one run has a part of the file at most."""
        opened = self.open()
        output = KeptOutput(((Stream.STDOUT, os.urandom(2 << 20)),))

        opened.write([ended(run(1)), ended(run(2), output)], HistoryLimits(megabytes=1, output_bytes=1 << 24), NOW)

        self.assertEqual(self.numbers(opened), [2, 1])


class HostileRowTests(DatabaseTestCase):
    """Rows that are no runs."""

    def test_they_are_passed_over(self) -> None:
        """Whatever is in a column, the others are found, and as many as were asked for."""
        nonsense = (
            "state = 'xyz'", "state = x'00'", "id = x'00'", "command = x'6466'", "asked_at = 'now'",
            "asked_at = 1e999", "asked_at = 1e300", "asked_at = -1", "started_at = 1e300", "duration_seconds = -1e999",
            "exit_status = 'a'", "exit_status = 1.5", "truncated = 2", "truncated = 'no'", "stdout_bytes = -1",
            "stderr_bytes = -1", "ended_by = 'me'", "user = x'35'", "problem = x'ff'", "arguments = '{}'",
            "arguments = '[1]'", "arguments = '['", "arguments = x'5b5d'",
            "arguments = replace(hex(zeroblob(9999)), '0', '[')", "arguments = 'NaN'", "signal = x'39'",
            "protocol = x'00'", "number = -5", "check_state = 7", "check_state = -1", "check_state = 'OK'",
            "check_state = 1.5", "check_state = x'01'", "check_state = 9223372036854775807", "check_text = x'ff'",
        )  # fmt: skip
        count = len(nonsense)
        opened = self.written(*map(run, range(1, count + 5)))

        for number, change in enumerate(nonsense, start=3):
            self.edit(f"UPDATE runs SET {change} WHERE number = {number}")  # noqa: S608 - that is what is tried

        self.assertEqual(self.numbers(opened, RunQuery(limit=3)), [count + 4, count + 3, 2])
        self.assertEqual(self.numbers(opened), [count + 4, count + 3, 2, 1])
        for number in range(3, count + 3):
            self.assertIsNone(opened.get(run(number).id), nonsense[number - 3])
        self.assertEqual(set(opened.durations("df").values()), {2.5})
        opened.prune(HistoryLimits(runs=2, days=1, megabytes=1), NOW)

    def test_values_without_an_end(self) -> None:
        """A value that is larger than any of ours is not read."""
        opened = self.written(run(1, user="bob"), run(2))
        with patch.object(connecting, "MOST_VALUE_BYTES", 5000), closing(Database.open(self.path)) as careful:
            self.edit("UPDATE runs SET problem = hex(zeroblob(9000)) WHERE number = 1")
            self.edit("UPDATE output SET data = zeroblob(9000) WHERE run = 2")

            self.assertEqual(self.numbers(careful), [2])
            self.assertIsNone(careful.get(run(1).id))
            self.assertEqual(careful.get(run(2).id), KeptRun(run(2), KeptOutput()))
            self.assertEqual(careful.newest(16), (run(2),))
        self.assertEqual(self.numbers(opened), [2, 1])

    def test_more_output_than_any_run_has(self) -> None:
        """Reading ends."""
        opened = self.written(run(1))
        with patch.object(database, "_MOST_OUTPUT_BYTES", 5):
            kept = opened.get(run(1).id)

        assert kept is not None
        self.assertEqual(kept.output, KeptOutput(((Stream.STDOUT, b"out"),)))

    def test_output_that_is_none(self) -> None:
        """It is left out."""
        opened = self.written(run(1))
        self.edit("UPDATE output SET stream = 'stdin' WHERE position = 0")
        self.edit("UPDATE output SET data = 'text' WHERE position = 1")
        self.edit("UPDATE output SET data = x'2d35' WHERE position = 2")

        self.assertEqual(opened.get(run(1).id), KeptRun(run(1), KeptOutput(((Stream.STDOUT, b"end"),))))

    def test_text_that_is_none(self) -> None:
        """Bytes that are not UTF-8 are shown as such."""
        opened = self.written(run(1))
        self.edit("UPDATE runs SET problem = CAST(x'61ff' AS TEXT), command = CAST('df' AS TEXT)")

        (found,) = opened.find(RunQuery(), ALL, None)
        self.assertEqual(found.problem, "a\ufffd")

    def test_requests_of_other_runs(self) -> None:
        """An id that leads to no run leads nowhere."""
        opened = self.written(run(1))
        self.edit("UPDATE requests SET run = 99")

        self.assertIsNone(opened.get(run(1).id))


class TroubleTests(DatabaseTestCase):
    """What may work again by itself."""

    def test_locked(self) -> None:
        """It says so at once, has changed nothing, and works when the lock is gone; reading goes on."""
        opened = self.written(run(1))
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")

        self.assertRaisesRegex(Unavailable, "locked", opened.write, [ended(run(2))], LIMITS, NOW)
        self.assertEqual(self.numbers(opened), [1])

        other.execute("ROLLBACK")
        opened.write([ended(run(2))], LIMITS, NOW)
        self.assertEqual(self.numbers(opened), [2, 1])

    def test_full(self) -> None:
        """A transaction that finds no room is undone, and the next one works."""
        opened = self.written(run(1))
        (pages,) = opened._connection.execute("PRAGMA page_count").fetchone()
        opened._connection.execute(f"PRAGMA max_page_count = {pages}")
        output = KeptOutput(((Stream.STDOUT, bytes(200_000)),))

        self.assertRaisesRegex(
            Unavailable, "full", opened.write, [Forgotten(run(1)), ended(run(2), output)], LIMITS, NOW
        )
        self.assertEqual(self.numbers(opened), [1])

        opened._connection.execute("PRAGMA max_page_count = 100000")
        opened.write([ended(run(2), output)], LIMITS, NOW)
        self.assertEqual(self.numbers(opened), [2, 1])

    def test_a_reader_without_an_end(self) -> None:
        """The log does not grow for ever because somebody reads; it is small again when they have finished."""
        opened = self.written(run(1))
        reader = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        with patch.object(database, "_MOST_LOG_BYTES", 1):
            self.assertRaisesRegex(Unavailable, "another program", opened.write, [ended(run(2))], LIMITS, NOW)
            reader.execute("COMMIT")
            opened.write([ended(run(2))], LIMITS, NOW)

        self.assertEqual(self.numbers(opened), [2, 1])


class ViewTests(DatabaseTestCase):
    """What people read with sqlite3."""

    def rows(self, question: str) -> list[tuple[object, ...]]:
        """Ask as an administrator does."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(question).fetchall()

    def test_runs(self) -> None:
        """Times are ISO 8601, newest first; what there is not is NULL."""
        self.written(run(1), replace(failed(2), started_at=None, duration_seconds=None, exit_status=None))

        self.assertEqual(
            self.rows("SELECT asked, started, ended, command, arguments, user, state FROM history"),
            [
                ("2023-11-14T22:13:20.000Z", None, None, "df", '["-h", "/"]', "ada", "failed"),
                (
                    "2023-11-14T22:13:20.000Z", "2023-11-14T22:13:21.000Z", "2023-11-14T22:13:23.500Z", "df",
                    json.dumps(["-h", "/"]), "ada", "ok",
                ),
            ],
        )  # fmt: skip

    def test_output(self) -> None:
        """In the order in which it was written, by the id of a run; what is missing is said."""
        self.written(run(1))

        self.assertEqual(
            self.rows("SELECT stream, text FROM history_output WHERE id = '0000000000000001'"),
            [("stdout", "out"), ("stderr", "err"), ("omitted", "[7 bytes are missing]"), ("stdout", "end")],
        )
