"""Tests of what is removed of a daemon's: its pid file and its sockets, and nothing else."""

import os
import shutil
import socket
import tempfile
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.files import stale_files
from cmdserver.files.stale_files import remove_pid_file, remove_sockets, remove_stale_socket
from tests.files.doubles import DAEMON, RootTestCase


class StaleFilesTests(SynchronousTestCase):
    """Only what is the daemon's is removed."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def test_the_daemons_pid_file_is_removed(self) -> None:
        """Another's stays, and so does what is no pid file; one that is gone is no error."""
        path = self.directory / "pid"
        for content in (b"4712", b"", b"text"):
            path.write_bytes(content)
            remove_pid_file(path, 4711)
            self.assertTrue(path.exists())
        path.write_bytes(b"4711\n")

        remove_pid_file(path, 4711)
        remove_pid_file(path, 4711)

        self.assertFalse(path.exists())

    def test_the_daemons_socket_is_removed(self) -> None:
        """With its lock; another daemon's, and a file that is no socket, stay."""
        path = self.directory / "socket"
        lock = self.directory / "socket.lock"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            lock.symlink_to("4712")
            remove_sockets([path], 4711)
            self.assertTrue(path.exists())
            lock.unlink()
            lock.symlink_to("4711")

            remove_sockets([path, path], 4711)
        self.assertEqual(list(self.directory.iterdir()), [])

        path.write_text("a file", "ascii")
        lock.symlink_to("4711")
        remove_sockets([path], 4711)
        self.assertTrue(path.exists())

    def test_what_a_killed_daemon_has_left_is_removed(self) -> None:
        """If its number is nobody's, ours, or that of who has started us; not while a daemon has it."""
        path = self.directory / "socket"
        lock = self.directory / "socket.lock"
        owner = os.geteuid()
        for holder, is_removed in (
            ("4194305", True),
            (f"{os.getpid()}", True),
            (f"{os.getppid()}", True),
            ("x", False),
        ):
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(path))
            lock.symlink_to(holder)
            remove_stale_socket(path, {owner})
            self.assertEqual(path.exists(), not is_removed, holder)
            self.assertEqual(lock.is_symlink(), not is_removed, holder)
        lock.unlink()
        lock.symlink_to("4711")
        with patch.object(stale_files, "is_daemon", {4711: True}.__getitem__):
            remove_stale_socket(path, {owner})
        self.assertTrue(path.exists())
        lock.unlink()
        lock.symlink_to("4194305")
        remove_stale_socket(path, {owner + 1})
        self.assertTrue(path.exists(), "it is somebody else's")
        remove_stale_socket(self.directory / "no" / "socket", {owner})


class OthersDirectoryTests(RootTestCase):
    """Where the daemon's user may write, root removes nothing: what has the name may be something else by now."""

    def test_nothing_is_removed(self) -> None:
        """Neither a pid file nor a socket, not by its own path and not by a link's."""
        theirs = self.directory("theirs", DAEMON.uid)
        self.file("theirs/pid", DAEMON.uid, text="4711")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(theirs / "socket"))
        self.link("theirs/socket.lock", "4711", DAEMON.uid)
        self.file("victim", text="4711")
        self.link("theirs/folder", self.folder, DAEMON.uid)
        before = {each.name for each in theirs.iterdir()}

        remove_pid_file(theirs / "pid", 4711)
        remove_pid_file(theirs / "folder" / "victim", 4711)
        remove_sockets([theirs / "socket", theirs / "folder" / "theirs" / "socket"], 4711)

        self.assertEqual({each.name for each in theirs.iterdir()}, before)
        self.assertTrue((self.folder / "victim").exists())

    def test_a_pipe_keeps_nobody_waiting(self) -> None:
        """Nor does a file without an end."""
        os.mkfifo(self.folder / "pipe")
        (self.folder / "sparse").touch()
        os.truncate(self.folder / "sparse", 1 << 40)

        for name in ("pipe", "sparse"):
            remove_pid_file(self.folder / name, 4711)
            self.assertTrue((self.folder / name).exists())
