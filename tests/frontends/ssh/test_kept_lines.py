"""Tests of the lines that are kept from session to session."""

import os
import stat
import tempfile
from pathlib import Path
from typing import Any, cast

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.names import PROMPT_HISTORY
from cmdserver.files.atomic_file import locked
from cmdserver.frontends.ssh import kept_lines
from cmdserver.frontends.ssh.kept_lines import MOST_BYTES, KeptLines, LineHistory
from tests.frontends.ssh.doubles import MemoryLines


class Contract:
    """What every `LineHistory` keeps; a mixin."""

    assertEqual: Any

    def make(self) -> LineHistory:
        """Make one that has kept nothing."""
        raise NotImplementedError

    def test_lines(self) -> None:
        """They come as they were added, each user's apart; also to who has been asked before."""
        kept = self.make()
        self.assertEqual(list(kept.read("ann")), [])
        for user, line in (("ann", "df"), ("bob", "uptime"), ("ann", "df"), ("ann", "é 日本")):
            kept.add(user, line)

        self.assertEqual((list(kept.read("ann")), list(kept.read("bob"))), (["df", "df", "é 日本"], ["uptime"]))


class MemoryTests(Contract, SynchronousTestCase):
    def make(self) -> LineHistory:
        return MemoryLines()


class KeptLinesTests(Contract, SynchronousTestCase):
    def setUp(self) -> None:
        self.state = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder = self.state / PROMPT_HISTORY
        self.kept = KeptLines(self.state)
        self.logged: list[Any] = []
        self.patch(kept_lines, "_log", Logger(observer=cast("Any", self.logged.append)))

    def make(self) -> LineHistory:
        return self.kept

    def test_they_are_of_nobody_elses_business(self) -> None:
        """Folder and file can be read by the daemon's user alone, whatever the umask is."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.kept.add("ann", "df")

        modes = [stat.S_IMODE(path.stat().st_mode) for path in (self.folder, self.folder / "ann")]
        self.assertEqual(modes, [0o700, 0o600])

    def test_nothing_is_made_to_be_read(self) -> None:
        """Who has typed nothing has no file."""
        self.kept.read("ann")
        self.assertFalse(self.folder.exists())

    def test_several_sessions(self) -> None:
        """Each adds its own."""
        other = KeptLines(self.state)
        for kept, line in ((self.kept, "1"), (other, "2"), (self.kept, "3")):
            kept.add("ann", line)

        self.assertEqual(self.kept.read("ann"), ["1", "2", "3"])

    def test_names(self) -> None:
        """What can be no user's name is no file's."""
        (self.state / "passwd").write_text("ann:x\n", "utf-8")
        for name in ("../passwd", "", ".", "..", ".lock", "a/b", "-x", "schedule"):
            self.kept.add(name, "df")
            self.assertEqual(list(self.kept.read(name)), [], name)
        self.assertEqual([path.name for path in self.state.iterdir()], ["passwd"])

    def test_bounds(self) -> None:
        """The file is cut to its end before it has more than twice what is kept."""
        for number in range(3 * MOST_BYTES // 100):
            self.kept.add("ann", f"{number:099}")
            self.assertLessEqual((self.folder / "ann").stat().st_size, 2 * MOST_BYTES + 100)

        lines = self.kept.read("ann")
        self.assertEqual([int(line) for line in lines], list(range(3 * MOST_BYTES // 100))[-len(lines) :])
        self.assertGreater(len(lines), MOST_BYTES // 100 - 2)
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"ann", ".lock"})

    def test_while_another_process_changes_something(self) -> None:
        """Nobody waits: it is cut another time."""
        self.kept.add("ann", "x")
        (self.folder / "ann").write_bytes(b"x" * 99 + b"\n" + b"y\n" * 2 * MOST_BYTES)
        with locked(self.folder, 1):
            self.kept.add("ann", "z")
        self.assertGreater((self.folder / "ann").stat().st_size, 2 * MOST_BYTES)
        self.kept.add("ann", "z")
        self.assertLess((self.folder / "ann").stat().st_size, 2 * MOST_BYTES)
        self.assertEqual(self.logged, [])

    def test_what_others_have_written(self) -> None:
        """Nothing of it acts on a terminal, and nothing fails."""
        self.kept.add("ann", "df")
        with (self.folder / "ann").open("ab") as file:
            file.write(b"\x1b[2J\n\xff\n\n\0\0\0\n\xc2\x9b2J\nhalf")
        self.kept.add("ann", "uptime")

        self.assertEqual(self.kept.read("ann"), ["df", "\ufffd", "half", "uptime"])

    def test_what_is_no_file(self) -> None:
        """A link is not followed, and a pipe is not waited for."""
        self.folder.mkdir()
        secret = self.state / "secret"
        secret.write_text("hunter2\n", "utf-8")
        (self.folder / "ann").symlink_to(secret)
        os.mkfifo(self.folder / "bob")
        (self.folder / "cid").mkdir()
        for user in ("ann", "bob", "cid"):
            self.assertEqual(list(self.kept.read(user)), [], user)
            self.kept.add(user, "df")
        self.assertEqual(secret.read_text("utf-8"), "hunter2\n")
        self.assertTrue(self.logged)

    def test_a_full_disk(self) -> None:
        """What has no room is not there by halves; it is logged once, and again after it had gone well."""
        self.kept.add("ann", "df")
        write = os.write
        self.patch(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        for _ in range(3):
            self.kept.add("ann", "uptime")
        self.assertEqual((self.kept.read("ann"), len(self.logged)), (["df"], 1))
        self.patch(os, "write", write)
        self.kept.add("ann", "uptime")
        self.patch(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        self.kept.add("ann", "whoami")
        self.assertEqual((self.kept.read("ann"), len(self.logged)), (["df", "uptime"], 2))
