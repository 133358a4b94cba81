"""Tests of what a daemon opens while it is root: as its user, or where only root could have put it."""

import os
import stat
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.files import opening
from cmdserver.files.opening import ends_within_a_line, is_same_file, opener_for, read_last_line, reader_for
from cmdserver.files.safe_path import UnsafePath
from tests.contracts import open_descriptors
from tests.files.doubles import DAEMON, STRANGER, RootTestCase


class AppendingTests(RootTestCase):
    """The audit file and the log."""

    def setUp(self) -> None:
        super().setUp()
        self.logs = self.directory("logs", DAEMON.uid)
        self.roots = self.directory("roots")
        self.secret = self.file("secret")
        self.before = open_descriptors()

    def append(self, path: Path, *, mode: int = 0o600) -> os.stat_result:
        """Open a file for the daemon and write to it; return what it is then."""
        descriptor = opener_for(DAEMON, mode)(path)
        try:
            os.write(descriptor, b"line\n")
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)
            self.assertEqual((os.geteuid(), os.getegid(), open_descriptors()), (0, 0, self.before))

    def refused(self, path: Path) -> str:
        """Say why a file is not opened; whatever happens, a secret of root's stays as it is."""
        error = self.assertRaises(OSError, self.append, path)
        self.assertEqual((self.secret.read_text("ascii"), self.secret.stat().st_uid), ("secret\n", 0))
        return f"{error.strerror}"

    def test_a_place_of_the_daemons(self) -> None:
        """It is made as the daemon's, and what is there keeps its group and its mode."""
        path = self.logs / "audit.jsonl"
        status = self.append(path)
        self.assertEqual((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)), (DAEMON.uid, DAEMON.gid, 0o600))
        os.chown(path, -1, 4)
        path.chmod(0o640)

        status = self.append(path)

        self.assertEqual((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)), (DAEMON.uid, 4, 0o640))
        self.assertEqual(path.read_text("ascii"), "line\nline\n")

    def test_links_of_the_daemons(self) -> None:
        """They lead to nothing that the daemon's user could not write anyhow."""
        self.link("logs/link", self.secret, DAEMON.uid)
        self.link("logs/new", self.folder / "made", DAEMON.uid)
        self.link("logs/etc", self.folder, DAEMON.uid)

        for name in ("link", "new", "etc/secret", "etc/made"):
            self.assertIn("belongs to somebody else", self.refused(self.logs / name))
        self.assertFalse((self.folder / "made").exists())

    def test_a_file_of_roots_in_a_place_of_the_daemons(self) -> None:
        """The daemon could have moved it there."""
        self.assertIn("Permission denied for the daemon's user", self.refused(self.file("logs/roots")))

    def test_a_link_in_the_current_directory(self) -> None:
        """In the state directory nothing is a link, not even to what the daemon may write."""
        theirs = self.file("theirs", DAEMON.uid)
        self.link("logs/audit.jsonl", theirs, DAEMON.uid)
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.logs)

        self.assertIn("symbolic link", self.refused(Path("audit.jsonl")))

    def test_a_place_of_roots(self) -> None:
        """What is made there is the daemon's; what is there keeps its owner, and only root can open it."""
        status = self.append(self.roots / "new", mode=0o640)
        self.assertEqual((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)), (DAEMON.uid, DAEMON.gid, 0o640))
        path = self.file("roots/old", mode=0o640)

        status = self.append(path)

        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (0, 0o640))
        self.assertEqual(path.read_text("ascii"), "secret\nline\n")

    def test_a_place_of_somebody_elses(self) -> None:
        """It is refused, with who it is, and nothing is made."""
        place = self.directory("strangers", STRANGER)
        everybodys = self.directory("everybodys", mode=0o757)

        self.assertIn(f"{place} belongs to somebody else (uid {STRANGER})", self.refused(place / "log"))
        os.close(opener_for(DAEMON)(everybodys / "log"))  # as the daemon's user, who may
        self.assertEqual((everybodys / "log").stat().st_uid, DAEMON.uid)

    def test_a_pipe(self) -> None:
        """Nobody waits for its reader."""
        os.mkfifo(self.logs / "pipe")
        os.chown(self.logs / "pipe", DAEMON.uid, DAEMON.gid)

        self.assertEqual(self.refused(self.logs / "pipe"), "No such device or address")

    def test_a_daemon_that_stays_root(self) -> None:
        """It opens what is in root's own place, devices too, and nothing elsewhere."""
        for path in (self.roots / "new", Path("/dev/null")):
            os.close(opener_for(None)(path))
        self.assertEqual((self.roots / "new").stat().st_uid, 0)
        self.assertRaises(UnsafePath, opener_for(None), self.logs / "new")
        self.assertFalse((self.logs / "new").exists())

    def test_standard_streams(self) -> None:
        """They are ours already, whoever we have become; it takes no opening."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        os.fchmod(writing, 0)
        self.before = open_descriptors()
        for path in (f"/dev/fd/{writing}", f"/proc/self/fd/{writing}"):
            self.append(Path(path))
            self.assertEqual(os.read(reading, 100), b"line\n")
        for path, number in (("/dev/stdout", 1), ("/dev/stderr", 2)):
            descriptor = opener_for(DAEMON)(Path(path))
            self.assertTrue(os.path.samestat(os.fstat(descriptor), os.fstat(number)))
            os.close(descriptor)

    def test_which_file_it_is(self) -> None:
        """The same, another, none, or we may not look."""
        path = self.file("log")
        with path.open("rb") as file:
            self.assertIs(is_same_file(path, file.fileno()), True)
            path.rename(self.folder / "log.1")
            self.assertIs(is_same_file(path, file.fileno()), False)
            self.file("log")
            self.assertIs(is_same_file(path, file.fileno()), False)
            self.patch(Path, "stat", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
            self.assertIs(is_same_file(path, file.fileno()), None)

    def test_whether_the_last_line_is_whole(self) -> None:
        """By the descriptor, whatever lies at the path by now; an empty file ends in no line."""
        for text, is_torn in (("", False), ("line\n", False), ("line\nhal", True)):
            path = self.file("torn", text=text)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            path.unlink()
            os.mkfifo(path)
            self.assertEqual(ends_within_a_line(descriptor), is_torn)
            os.close(descriptor)
            path.unlink()


class ReadingTests(RootTestCase):
    """Certificates and keys."""

    def setUp(self) -> None:
        super().setUp()
        self.theirs = self.directory("theirs", DAEMON.uid)
        self.secret = self.file("secret")
        self.read = reader_for(DAEMON)

    def test_a_key_of_roots(self) -> None:
        """Root reads it for the daemon, where only root could have put it."""
        self.assertEqual(self.read(self.secret), b"secret\n")

    def test_a_place_of_the_daemons(self) -> None:
        """What is there is read as the daemon's user: its own files, and nothing that a link leads to."""
        self.assertEqual(self.read(self.file("theirs/own", DAEMON.uid)), b"secret\n")
        for path in (self.link("theirs/link", self.secret, DAEMON.uid), self.file("theirs/roots")):
            error = self.assertRaises(PermissionError, self.read, path)
            self.assertIn("Permission denied for the daemon's user", str(error))
        os.mkfifo(self.theirs / "pipe", 0o666)
        self.assertRaises(OSError, self.read, self.theirs / "pipe")
        self.assertEqual((os.geteuid(), os.getegid()), (0, 0))

    def test_while_we_act_as_the_daemons_user(self) -> None:
        """Root reads, and we are the daemon's user again."""
        os.seteuid(DAEMON.uid)
        try:
            self.assertEqual(self.read(self.secret), b"secret\n")
            self.assertEqual(os.geteuid(), DAEMON.uid)
        finally:
            os.seteuid(0)

    def test_a_daemon_that_stays_root(self) -> None:
        """It reads nothing that others could have put there."""
        self.assertEqual(reader_for(None)(self.secret), b"secret\n")
        self.assertRaises(UnsafePath, reader_for(None), self.file("theirs/own", DAEMON.uid))


class LastLineTests(SynchronousTestCase):
    """What a file ends with."""

    @given(st.lists(st.sampled_from([b"\n", b"a", b"bcd"]), max_size=30).map(b"".join), st.integers(1, 40))
    def test_it_is_read_from_the_end(self, content: bytes, most: int) -> None:
        """Whatever lies where a block ends: it is the last line, with its line feed, or what fits of it."""
        with mock.patch.object(opening, "_BLOCK_BYTES", 3), tempfile.TemporaryFile(buffering=0) as file:
            file.write(content)

            found = read_last_line(file.fileno(), most)

        body = content.removesuffix(b"\n") if content.endswith(b"\n") else content
        self.assertEqual(found, content[body.rfind(b"\n") + 1 :][-most:])
