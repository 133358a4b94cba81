"""Tests of damaged files: they are kept aside, a few of them, with what lies beside them."""

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.history.database_file import MOST_MOVED_ASIDE, move_aside
from tests.history.doubles import NOW


class MoveAsideTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        self.path = Path(directory) / "history.sqlite3"

    def names(self) -> list[str]:
        """List what is there."""
        return sorted(each.name for each in self.path.parent.iterdir())

    def test_all_of_it(self) -> None:
        """The names are such that sqlite3 finds the log of what it opens."""
        for end in ("", "-wal", "-shm"):
            Path(f"{self.path}{end}").touch()

        moved_to = move_aside(self.path, NOW)

        name = "history.sqlite3.corrupt-20231114T221320Z"
        self.assertEqual(moved_to, self.path.with_name(name))
        self.assertEqual(self.names(), [name, f"{name}-shm", f"{name}-wal"])

    def test_a_few(self) -> None:
        """The newest are kept; what has another name is left."""
        other = self.path.with_name("history.sqlite3.old")
        other.touch()
        for day in range(9):
            for end in ("", "-wal"):
                Path(f"{self.path}{end}").touch()
            move_aside(self.path, NOW + day * 86_400)

        self.assertEqual(len(self.names()), 2 * MOST_MOVED_ASIDE + 1)
        self.assertIn("history.sqlite3.corrupt-20231122T221320Z", self.names())
        self.assertIn("history.sqlite3.corrupt-20231122T221320Z-wal", self.names())
        self.assertTrue(other.exists())

    def test_there_is_none(self) -> None:
        """Somebody else has removed it."""
        self.assertRaises(FileNotFoundError, move_aside, self.path, NOW)
