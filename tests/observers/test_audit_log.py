"""Tests of the audit file: nobody can forge a line, and no line is lost without somebody being told."""

import errno
import itertools
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.chain import take_apart
from cmdserver.audit.reading import read_lines
from cmdserver.audit.records import line_of
from cmdserver.audit.verifying import Verifier
from cmdserver.core.errors import AuditError, Code
from cmdserver.core.events import AuditLog
from cmdserver.observers import last_line
from cmdserver.observers.audit_log import MIN_FREE_BYTES, AuditFile, Written
from tests import contracts
from tests.running_doubles import requested


def audit_file(test: SynchronousTestCase, path: Path) -> AuditFile:
    """Open an audit file that is closed after the test."""
    audit = AuditFile(path)
    test.addCleanup(audit.close)
    return audit


def temporary(test: SynchronousTestCase) -> Path:
    """Make a path in a directory that is gone after the test."""
    directory = tempfile.mkdtemp()
    test.addCleanup(shutil.rmtree, directory)
    return Path(directory) / "audit.jsonl"


def records(path: Path) -> list[dict[str, Any]]:
    """Read what was written, every line of it."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


class AuditFileContractTests(contracts.LedgerContract):
    """The contract, kept by a file."""

    def make_ledger(self) -> AuditLog:
        return audit_file(self, temporary(self))

    def make_full_ledger(self) -> AuditLog:
        return audit_file(self, Path("/dev/full"))

    def written(self, ledger: AuditLog) -> list[str]:
        assert isinstance(ledger, AuditFile)
        return [record["id"] for record in records(ledger.path)]


class AuditFileTests(SynchronousTestCase):
    """The file that lines go to."""

    def setUp(self) -> None:
        self.path = temporary(self)

    def open(self) -> AuditFile:
        """Open the test's file."""
        return audit_file(self, self.path)

    def ids(self, path: Path | None = None) -> list[str]:
        """Read which events were written."""
        return [record["id"] for record in records(path or self.path)]

    def disk(self, write: Callable[[int, bytes], int]) -> None:
        """Let what the audit file writes go through a fake."""
        self.patch(os, "write", write)

    def test_only_its_owner_may_read_it(self) -> None:
        """A new file has mode 0600, whatever the umask would allow."""
        self.addCleanup(os.umask, os.umask(0))

        self.open()

        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_what_was_written_before_stays(self) -> None:
        """Lines of an earlier run of the daemon are kept, and later ones follow."""
        self.open().append([requested(id="a")])

        self.open().append([requested(id="b")])

        self.assertEqual(self.ids(), ["a", "b"])

    def test_lines_of_one_call_are_written_together(self) -> None:
        """All that one process answered is one write, so that nothing comes in between."""
        audit = self.open()
        written: list[bytes] = []

        def write(_descriptor: int, data: bytes) -> int:
            written.append(data)
            return len(data)

        self.disk(write)
        audit.append([requested(), requested()])

        self.assertEqual([data.count(b"\n") for data in written], [2])

    def test_what_cannot_be_opened_is_an_error(self) -> None:
        """A path that cannot be opened raises AuditError that names it."""
        path = self.path / "not" / "there"

        error = self.assertRaises(AuditError, AuditFile, path)

        self.assertIn(str(path), str(error))

    def test_a_removed_file_is_made_anew(self) -> None:
        """A file that was removed is there again as soon as anybody asks to run something."""
        audit = self.open()
        self.path.unlink()

        audit.require_writable()
        audit.append([requested(id="b")])

        self.assertEqual(self.ids(), ["b"])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_the_next_line_makes_it_anew(self) -> None:
        """The next line starts a new file even if it tells of a refusal, before which nobody asks."""
        audit = self.open()
        self.path.unlink()

        audit.append([requested(id="b", outcome=Code.DENIED)])

        self.assertTrue(self.path.exists(), "the line went to the file that was removed")
        self.assertEqual(self.ids(), ["b"])

    def test_a_removed_directory_is_an_error(self) -> None:
        """If the new file cannot be made, nothing may be run."""
        audit = self.open()
        self.path.unlink()
        self.path.parent.rmdir()
        self.addCleanup(self.path.parent.mkdir)

        self.assertRaises(AuditError, audit.require_writable)

    def test_a_renamed_file_is_written_until_it_is_moved(self) -> None:
        """Rotation: lines go on into the renamed file until the same path is opened anew."""
        audit = self.open()
        old = self.path.with_suffix(".1")
        self.path.rename(old)

        audit.require_writable()
        audit.append([requested(id="a")])
        audit.adopt(audit.prepare(self.path))
        audit.append([requested(id="b")])

        self.assertEqual((self.ids(old), self.ids()), (["a"], ["b"]))

    def test_it_can_move_to_another_path(self) -> None:
        """After a move lines go to the other file, and the old one is closed."""
        audit = self.open()
        other = self.path.with_name("other.jsonl")
        before = contracts.open_descriptors()

        audit.adopt(audit.prepare(other))
        audit.append([requested(id="b")])

        self.assertEqual((self.ids(), self.ids(other)), ([], ["b"]))
        self.assertEqual(len(contracts.open_descriptors()), len(before))

    def test_a_move_that_fails_changes_nothing(self) -> None:
        """If the other file cannot be opened, lines go on into the old one, also after that is removed."""
        audit = self.open()

        self.assertRaises(AuditError, audit.prepare, self.path / "not" / "there")
        audit.append([requested(id="a")])

        self.assertEqual(self.ids(), ["a"])
        self.assertEqual(audit.path, self.path)

    def test_a_closed_file_takes_nothing(self) -> None:
        """After closing, which may be done twice, it can neither be asked nor written."""
        audit = self.open()

        audit.close()
        audit.close()

        self.assertRaises(AuditError, audit.require_writable)
        self.assertRaises(AuditError, audit.append, [requested()])

    def test_a_full_device_says_so_before(self) -> None:
        """What is full already is an error when it is asked, before anything is run."""
        error = self.assertRaises(AuditError, audit_file(self, Path("/dev/full")).require_writable)

        self.assertIn("/dev/full", str(error))
        self.assertIn(os.strerror(errno.ENOSPC), str(error))

    def test_what_is_no_file_needs_no_space(self) -> None:
        """A device or a pipe has no disk to run out of."""
        self.patch(os, "fstatvfs", lambda _: SimpleNamespace(f_bfree=0, f_bavail=0, f_frsize=4096))

        audit_file(self, Path("/dev/null")).require_writable()

    def test_a_line_that_comes_in_parts_is_whole(self) -> None:
        """A write that takes only a part is continued."""
        audit = self.open()
        write = os.write
        self.disk(lambda descriptor, data: write(descriptor, data[:7]))

        audit.append([requested(id="a")])
        audit.append([requested(id="b")])

        self.assertEqual(self.ids(), ["a", "b"])

    def tear(self, audit: AuditFile) -> None:
        """Let the disk be full in the middle of a line."""
        write = os.write
        calls: list[int] = []

        def write_once(descriptor: int, data: bytes) -> int:
            calls.append(descriptor)
            if len(calls) > 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data[:7])

        self.disk(write_once)
        self.assertRaises(AuditError, audit.append, [requested(id="torn")])
        self.disk(write)

    def test_a_torn_line_harms_no_other(self) -> None:
        """After a line that could be written only in part, the next one begins on a line of its own."""
        audit = self.open()
        audit.append([requested(id="a")])
        self.tear(audit)

        audit.append([requested(id="b")])
        audit.append([requested(id="c")])

        lines = self.path.read_bytes().splitlines()
        self.assertEqual([json.loads(line)["id"] for line in (lines[0], *lines[2:])], ["a", "b", "c"])
        self.assertEqual(len(lines[1]), 7)

    def test_a_torn_line_harms_none_after_a_reload(self) -> None:
        """To open the same file again, as SIGHUP does, does not make its last line whole."""
        audit = self.open()
        self.tear(audit)

        audit.adopt(audit.prepare(self.path))
        audit.append([requested(id="b")])

        self.assertEqual(json.loads(self.path.read_bytes().splitlines()[-1])["id"], "b")

    def test_a_torn_line_harms_none_after_a_restart(self) -> None:
        """A file that ends in the middle of a line, because the host died, is continued on a new line."""
        self.path.write_bytes(b'{"time": ')

        self.open().append([requested(id="b")])

        self.assertEqual(json.loads(self.path.read_bytes().splitlines()[-1])["id"], "b")

    def test_no_line_at_all(self) -> None:
        """To append nothing leaves the file, and the chain, as they are."""
        audit = self.open()
        audit.append([requested()])
        before = self.path.read_bytes()
        audit.append([])
        self.assertEqual(self.path.read_bytes(), before)
        audit.append([requested()])
        first, second = self.path.read_bytes().splitlines()
        sealed = take_apart(second)
        assert sealed is not None
        self.assertTrue(sealed.follows(first))


class TroubleTests(SynchronousTestCase):
    """What the administrator hears when it cannot be written."""

    def setUp(self) -> None:
        self.audit = audit_file(self, temporary(self))
        self.free = MIN_FREE_BYTES

        def space(_: int) -> SimpleNamespace:
            return SimpleNamespace(f_bfree=self.free, f_bavail=self.free, f_frsize=1)

        self.patch(os, "fstatvfs", space)

    def levels(self, *calls: Callable[[], object]) -> list[LogLevel]:
        """Do things, whether they work or not, and return what was logged."""
        with capturedLogs() as events:
            for call in calls:
                try:
                    call()
                except AuditError:
                    continue
        return [event["log_level"] for event in events]

    def append(self) -> None:
        """Write one event."""
        self.audit.append([requested()])

    def test_enough_space_is_enough(self) -> None:
        """At the minimum everything works, and nothing is said."""
        self.assertEqual(self.levels(self.audit.require_writable, self.append), [])
        self.audit.require_writable()

    def test_too_little_space_is_an_error_before(self) -> None:
        """Below the minimum nothing may be run, and the error says how little is left."""
        self.free = MIN_FREE_BYTES - 1

        error = self.assertRaises(AuditError, self.audit.require_writable)

        self.assertIn(str(self.free), str(error))

    def test_space_is_what_we_may_use(self) -> None:
        """Only root may use what the file system keeps for root."""
        self.patch(os, "fstatvfs", lambda _: SimpleNamespace(f_bfree=MIN_FREE_BYTES, f_bavail=0, f_frsize=1))

        self.patch(os, "geteuid", lambda: 0)
        self.audit.require_writable()
        self.patch(os, "geteuid", lambda: 1000)
        self.audit.reopen()

        self.assertRaises(AuditError, self.audit.require_writable)

    def test_trouble_is_logged_once(self) -> None:
        """A disk that stays full is one line of the log, however many ask."""
        self.free = 0

        self.assertEqual(self.levels(*[self.audit.require_writable] * 3), [LogLevel.critical])

    def test_trouble_is_logged_once_while_the_space_changes(self) -> None:
        """The same trouble with another number is the same trouble."""

        def shrink() -> None:
            self.free -= 1
            self.audit.require_writable()

        self.assertEqual(self.levels(shrink, shrink, shrink), [LogLevel.critical])

    def test_recovery_is_logged_once(self) -> None:
        """When it can be written again, that is said, once."""
        self.free = 0
        self.levels(self.audit.require_writable)
        self.free = MIN_FREE_BYTES

        logged = self.levels(self.audit.require_writable, self.append, self.audit.require_writable, self.append)

        self.assertEqual(logged, [LogLevel.info])

    def test_trouble_that_comes_back_is_logged_again(self) -> None:
        """After a recovery the next trouble is news."""
        self.free = 0
        self.levels(self.audit.require_writable)
        self.free = MIN_FREE_BYTES
        self.levels(self.audit.require_writable, self.append)
        self.free = 0

        self.assertEqual(self.levels(self.audit.require_writable), [LogLevel.critical])

    def test_a_refusal_that_still_fits_is_no_recovery(self) -> None:
        """While there is too little space to run anything, lines that fit do not make the log swing to and fro."""
        self.free = MIN_FREE_BYTES - 1

        logged = self.levels(*[self.audit.require_writable, self.append] * 3)

        self.assertEqual(logged, [LogLevel.critical])


class NotOursTests(SynchronousTestCase):
    """A file that root has opened for us, in a directory of root's."""

    def setUp(self) -> None:
        self.path = temporary(self)
        self.may_open = True
        self.audit = AuditFile(self.path, self._open)
        self.addCleanup(self.audit.close)

    def _open(self, path: Path) -> int:
        if not self.may_open:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def test_it_is_gone_on_in(self) -> None:
        """At a reload, for as long as it lies in its place, or where we cannot even look."""
        self.may_open = False
        self.audit.adopt(self.audit.prepare(self.path))
        self.audit.append([requested()])
        self.patch(Path, "stat", lambda _: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied")))
        self.audit.adopt(self.audit.prepare(self.path))
        self.audit.append([requested()])

        self.assertEqual(len(records(self.path)), 2)

    def test_another_one_is_not(self) -> None:
        """One that was renamed, with or without another in its place, and another path: it says what to do."""
        self.may_open = False
        other = self.path.with_name("other")
        other.touch()
        self.assertRaises(AuditError, self.audit.prepare, other)
        self.path.rename(self.path.with_name("audit.1"))
        for make in (lambda: None, self.path.touch):
            make()
            error = self.assertRaises(AuditError, self.audit.prepare, self.path)
            self.assertIn(f"make it anew for the user {os.geteuid()}", str(error))

    def test_what_is_wrong_with_the_disk_is_not_that(self) -> None:
        """Only leave that we have not is done without."""
        self.patch(self.audit, "_open", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        self.assertRaises(AuditError, self.audit.prepare, self.path)

    def test_its_mode_is_left(self) -> None:
        """A restart takes nothing back that the administrator has given."""
        self.path.chmod(0o640)
        self.audit.adopt(self.audit.prepare(self.path))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)


class ChainTests(SynchronousTestCase):
    """The lines are a chain, whatever happens to the file."""

    def setUp(self) -> None:
        self.path = temporary(self)
        self.kept = self.path.with_name("audit-chain")
        self.numbers = itertools.count()

    def start(self) -> AuditFile:
        """Start a daemon."""
        audit = AuditFile(self.path, kept_line=self.kept)
        self.addCleanup(audit._let_go)
        return audit

    def write(self, audit: AuditFile, count: int = 1) -> None:
        """Write that many lines at once."""
        audit.append([requested(id=str(next(self.numbers))) for _ in range(count)])

    def rename(self, to: str = "audit.jsonl.1") -> Path:
        """Rotate by a new name."""
        return self.path.rename(self.path.with_name(to))

    def faults(self, *files: Path) -> list[str]:
        """Say what is wrong with the chain, which has its beginning."""
        verifier = Verifier()
        said: list[str] = []
        for path in files or (self.path,):
            with path.open("rb") as file:
                for line in read_lines(file, path.name):
                    said += verifier.feed(line)
        said += verifier.finish()
        self.assertTrue(verifier.summary().has_beginning)
        return said

    def test_the_contract(self) -> None:
        """The value is the hash of the line before it and of its own bytes without the member, to the byte."""
        audit = self.start()
        self.write(audit, 2)
        self.write(audit)

        before = b"0" * 64
        for line in self.path.read_bytes().splitlines():
            bare, _, value = line.rpartition(b',"chain":"')
            self.assertEqual(value, sha256(before + bare + b"}").hexdigest().encode() + b'"}')
            before = line

    def test_it_goes_on_after_a_restart(self) -> None:
        """After an orderly end, and after none."""
        for end in (AuditFile.close, AuditFile._let_go):
            audit = self.start()
            self.write(audit)
            end(audit)
        self.write(self.start())

        self.assertEqual(self.faults(), [])

    def test_it_goes_on_in_the_next_file(self) -> None:
        """Renamed, removed, emptied in its place, or another one by a reload."""
        audit = self.start()
        self.write(audit)
        first = self.rename()
        audit.reopen()
        self.write(audit)
        second = Path(shutil.copy(self.path, self.path.with_name("2")))
        os.truncate(self.path, 0)
        self.write(audit)
        third = Path(shutil.copy(self.path, self.path.with_name("3")))
        self.path.unlink()
        self.write(audit)
        other = self.path.with_name("other")
        audit.adopt(audit.prepare(other))
        self.write(audit)

        self.assertEqual(self.faults(first, second, third, self.path, other), [])

    def test_rotated_while_the_daemon_was_down(self) -> None:
        """After an orderly end it does not matter where the old file is; after none, that it can be read."""
        audit = self.start()
        self.write(audit)
        audit.close()
        first = self.rename("moved-elsewhere")
        audit = self.start()
        self.write(audit)
        audit._let_go()
        second = self.rename("audit.jsonl-20261128")
        os.utime(second, (10, 10))
        for name in ("audit.jsonl.2.gz", "audit.jsonl.3"):
            self.path.with_name(name).write_bytes(b"older, or not to be read\n" * name.endswith("gz"))
        self.write(self.start())

        self.assertEqual(self.faults(first, second, self.path), [])

    def test_a_tail_cut_off_while_the_daemon_was_down(self) -> None:
        """After an orderly end it shows, and the log says so at the start."""
        audit = self.start()
        self.write(audit, 3)
        audit.close()
        self.path.write_bytes(b"".join(self.path.read_bytes().splitlines(keepends=True)[:2]))

        with capturedLogs() as events:
            audit = self.start()
        self.write(audit)

        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])
        self.assertEqual(len(self.faults()), 1)

    def test_a_tail_cut_off_while_it_runs(self) -> None:
        """The next line is written behind what was there."""
        audit = self.start()
        self.write(audit, 3)
        lines = self.path.read_bytes().splitlines(keepends=True)
        self.path.write_bytes(b"".join(lines[:2]))
        audit.reopen()
        self.write(audit)

        self.assertEqual(len(self.faults()), 1)

    def test_lines_of_an_older_version(self) -> None:
        """The chain begins behind the last of them."""
        self.path.write_bytes(line_of(requested()) + b"\n")

        self.write(self.start())

        self.assertEqual(self.faults(), [])

    def test_what_is_kept_is_private_and_gone_when_it_is_old(self) -> None:
        """It is there while nobody writes."""
        audit = self.start()
        audit.close()
        self.assertFalse(self.kept.exists())
        audit = self.start()
        self.write(audit)
        self.assertFalse(self.kept.exists())
        audit.close()
        self.assertEqual(stat.S_IMODE(self.kept.stat().st_mode), 0o600)
        audit = self.start()
        self.assertTrue(self.kept.exists())
        self.write(audit)
        self.assertFalse(self.kept.exists())

    def test_what_is_kept_and_makes_no_sense(self) -> None:
        """The daemon starts, and goes on from the file itself."""
        audit = self.start()
        self.write(audit)
        audit._let_go()
        self.kept.mkdir()
        with capturedLogs() as events:
            audit = self.start()
        self.kept.rmdir()
        self.write(audit)

        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])
        self.assertEqual(self.faults(), [])

    def test_a_file_that_may_only_be_written(self) -> None:
        """The chain begins anew, and the log says why."""
        audit = self.start()
        self.write(audit)
        audit._let_go()
        self.patch(last_line, "read_last_line", lambda *_: b"")
        with capturedLogs() as events:
            audit = self.start()
        self.write(audit)

        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])
        self.assertEqual(len(self.faults()), 1)

    def test_who_hears_of_lines(self) -> None:
        """Every line that is in the file, whole, as it is there; and trouble of theirs is not the file's."""
        told: list[bytes] = []

        def hear(written: Sequence[Written]) -> None:
            told.extend(line for _, line in written)
            raise RuntimeError("trouble")

        audit = AuditFile(self.path, on_written=hear)
        self.addCleanup(audit.close)
        self.write(audit, 2)
        write = os.write
        parts = iter([len(self.path.read_bytes().splitlines()[0]) + 9, None])

        def write_some(descriptor: int, data: bytes) -> int:
            part = next(parts)
            if part is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data[:part])

        self.patch(os, "write", write_some)
        self.assertRaises(AuditError, self.write, audit, 2)
        self.patch(os, "write", write)
        self.write(audit)

        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        lines = self.path.read_bytes().splitlines()
        self.assertEqual(told, [*lines[:3], lines[4]])
        self.assertEqual(self.faults(), [])

    @given(
        st.lists(st.sampled_from(["write", "several", "rename", "copy", "remove", "stop", "kill", "tear"]), max_size=12)
    )
    def test_whatever_happens(self, deeds: list[str]) -> None:
        """The files, in the order of time, are one chain."""
        for each in self.path.parent.iterdir():
            each.unlink()
        old: list[Path] = []
        audit = self.start()
        self.write(audit)
        for number, deed in enumerate(deeds):
            aside = self.path.with_name(f"audit.jsonl.{99 - number}")
            if deed in {"write", "several"}:
                self.write(audit, 1 + 2 * (deed == "several"))
            elif deed == "tear":
                self.tear(audit)
            elif deed in {"stop", "kill"}:
                (AuditFile.close if deed == "stop" else AuditFile._let_go)(audit)
                audit = self.start()
            elif self.path.exists():
                old.append(Path(shutil.copy(self.path, aside)))
                if deed == "copy":
                    os.truncate(self.path, 0)
                else:
                    self.path.unlink()
                if deed == "rename":
                    audit.reopen()
        self.write(audit)

        self.assertEqual(self.faults(*old, self.path), [])
        audit._let_go()

    def tear(self, audit: AuditFile) -> None:
        """Let the disk be full in the middle of the second of two lines, or before the first."""
        write, parts = os.write, iter([600])

        def write_some(descriptor: int, data: bytes) -> int:
            part = next(parts, None)
            if part is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data[:part])

        with mock.patch.object(os, "write", write_some):
            self.assertRaises(AuditError, self.write, audit, 2)
