"""Tests of the pid file: whose is one that is there, and who may write where."""

import os
import tempfile
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import CannotStart
from cmdserver.files import pid_file
from cmdserver.files.pid_file import PidFile
from cmdserver.files.run_as_owner import Rights
from cmdserver.files.stale_files import is_daemon
from tests.files.doubles import DAEMON, STRANGER, RootTestCase


class PidFileTests(SynchronousTestCase):
    """In a directory of our own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "twistd.pid")
        self.file = PidFile(self.path, Rights(None))

    def test_from_the_beginning_to_the_end(self) -> None:
        """It has our number, everybody may read it, and it is gone at the end."""
        self.file.require_free()
        self.file.write()
        self.assertEqual(self.path.read_text("ascii"), f"{os.getpid()}\n")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o644)
        self.file.remove()
        self.assertFalse(self.path.exists())
        self.file.remove()

    def test_stale_ones_are_removed(self) -> None:
        """Those of nobody, of ourselves, of who has started us, and those in which a crash has left nothing."""
        for text in ("4194305", f"{os.getpid()}", f"{os.getpid()}\n", f"{os.getppid()}", "", "\n", "9" * 30):
            self.path.write_text(text, "ascii")
            self.file.require_free()
            self.assertFalse(self.path.exists(), text)

    def test_a_daemon_that_runs(self) -> None:
        """It is named, and keeps its file."""
        self.path.write_text("4711\n", "ascii")
        with patch.object(pid_file, "is_daemon", {4711: True}.__getitem__):
            error = self.assertRaises(CannotStart, self.file.require_free)
        self.assertIn("as process 4711 says", str(error))
        self.assertTrue(self.path.exists())

    def test_what_is_no_pid_file(self) -> None:
        """It is left as it is."""
        for text in ("hello", "-5", "0x12", "12 13", "1" * 33):
            self.path.write_text(text, "ascii")
            self.assertRaises(CannotStart, self.file.require_free)
            self.assertEqual(self.path.read_text("ascii"), text)

    def test_anothers_is_left(self) -> None:
        """Who has taken our place keeps its file."""
        self.path.write_text(f"{os.getpid() + 1}", "ascii")
        self.file.remove()
        self.assertTrue(self.path.exists())

    def test_what_cannot_be_written(self) -> None:
        """It says what to do."""
        for path in (self.path / "below", self.path.parent / "no" / "file"):
            self.path.touch()
            error = self.assertRaises(CannotStart, PidFile(path, Rights(None)).write)
            self.assertIn("name another place with --pidfile", str(error))


class PlaceTests(RootTestCase):
    """As root, for a daemon that becomes somebody else."""

    def setUp(self) -> None:
        super().setUp()
        self.theirs = self.directory("theirs", DAEMON.uid)
        self.victim = self.file("victim", text=f"{os.getpid()}")

    def test_a_place_of_the_daemons(self) -> None:
        """It is made, looked at and removed as the daemon's user."""
        file = PidFile(self.theirs / "pid", Rights(DAEMON))
        file.require_free()
        file.write()
        self.assertEqual((self.theirs / "pid").stat().st_uid, DAEMON.uid)
        file.remove()
        self.assertEqual(list(self.theirs.iterdir()), [])

    def test_links_of_the_daemons(self) -> None:
        """Nothing of root's is read, written or removed through them, and a pipe keeps nobody waiting."""
        self.link("theirs/link", self.victim, DAEMON.uid)
        self.link("theirs/folder", self.folder, DAEMON.uid)
        os.mkfifo(self.theirs / "pipe")
        for name in ("link", "folder/victim", "pipe"):
            file = PidFile(self.theirs / name, Rights(DAEMON))
            self.assertRaises(CannotStart, file.require_free)
            self.assertRaises(CannotStart, file.write)
            file.remove()
        self.assertEqual(self.victim.read_text("ascii"), f"{os.getpid()}")

    def test_a_place_of_somebody_elses(self) -> None:
        """Neither root nor the daemon writes there."""
        strangers = self.directory("strangers", STRANGER)
        for target_user in (DAEMON, None):
            self.assertRaises(CannotStart, PidFile(strangers / "pid", Rights(target_user)).write)
        self.assertRaises(CannotStart, PidFile(self.theirs / "pid", Rights(None)).write)
        self.assertEqual([*strangers.iterdir(), *self.theirs.iterdir()], [])

    def test_a_shared_place(self) -> None:
        """In /tmp a file of somebody else's is theirs."""
        shared = self.directory("shared", mode=0o1777)
        path = self.file("shared/pid", STRANGER, 0o644, text="4194305")
        self.assertRaises(CannotStart, PidFile(path, Rights(DAEMON)).require_free)
        self.assertTrue(path.exists())
        PidFile(shared / "own", Rights(DAEMON)).write()
        self.assertEqual((shared / "own").stat().st_uid, 0)


class DaemonTests(SynchronousTestCase):
    """Which processes are daemons."""

    def test_which_are(self) -> None:
        """Those that twistd runs in; not others, and not what has started us, whatever it is called."""
        for line, answer in (
            (b"/usr/bin/python3\0/opt/bin/twistd\0-n\0cmdserver\0", True),
            (b"twistd\0web\0", True),
            (b"python3\0-c\0run\0cmdserver\0", True),
            (b"vi\0/etc/twistd.conf\0", False),
            (b"/opt/bin/cmdserver\0user\0list\0", False),
            (b"python3\0-P\0-m\0cmdserver.privsep\0", False),
            (b"", False),
        ):
            with patch("os.kill"), patch.object(Path, "read_bytes", return_value=line):
                self.assertEqual(is_daemon(4711), answer, line)
                self.assertFalse(is_daemon(os.getpid()))
                self.assertFalse(is_daemon(os.getppid()))

    def test_who_cannot_be_looked_at(self) -> None:
        """Whoever is there and hidden from us may be one."""
        with patch("os.kill", side_effect=PermissionError), patch.object(Path, "read_bytes", side_effect=OSError):
            self.assertTrue(is_daemon(4711))
        with patch("os.kill", side_effect=ProcessLookupError):
            self.assertFalse(is_daemon(4711))
