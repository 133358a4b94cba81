"""Tests of the audit file: nobody can forge a line, and no line is lost without somebody being told."""

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import AuditError, Code
from cmdserver.core.events import AuditLog, Started
from cmdserver.core.run_states import EndedBy
from cmdserver.observers.audit_log import MIN_FREE_BYTES, AuditFile, _line
from tests import contracts
from tests.running_doubles import STRANGER, finished, requested, user

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


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


class LineTests(SynchronousTestCase):
    """What one line says."""

    def record(self, **differences: Any) -> dict[str, Any]:
        """Read the line of an event back."""
        line = _line(requested(**differences))
        self.assertEqual(line.count("\n"), 1)
        read: dict[str, Any] = json.loads(line)
        return read

    def test_a_run_has_every_field(self) -> None:
        """An answered request says who, whence, what, when and how it ended."""
        end = finished(exit_status=3, duration_seconds=0.123456789, stdout_bytes=10, stderr_bytes=2, truncated=True)

        record = self.record(
            caller=user("ada"),
            command="df",
            arguments=("-h", "/"),
            outcome=Code.FAILED,
            finished=end,
            shared=True,
            ended_by=EndedBy.LIMIT,
            time=1_700_000_000.5,
        )

        self.assertEqual(
            record,
            {
                "time": "2023-11-14T22:13:20.500Z",
                "event": "request",
                "id": "0123456789abcdef",
                "protocol": "line",
                "tls": False,
                "source": "192.0.2.2",
                "user": "ada",
                "method": "password",
                "command": "df",
                "arguments": ["-h", "/"],
                "outcome": "failed",
                "ended_by": "limit",
                "exit_status": 3,
                "signal": None,
                "duration_seconds": 0.123457,
                "stdout_bytes": 10,
                "stderr_bytes": 2,
                "truncated": True,
                "shared": True,
            },
        )

    def test_a_start_says_what_is_known(self) -> None:
        """Who, whence and what, as the line of the end will; and nothing of how it ends."""
        event = Started(
            time=1_700_000_000.5, id="0123456789abcdef", caller=user("ada"), command="df", arguments=("-h",)
        )

        record = json.loads(_line(event))

        end = self.record(caller=user("ada"), command="df", arguments=("-h",), time=1_700_000_000.5)
        self.assertEqual(record, {key: end[key] for key in record} | {"event": "started"})
        self.assertEqual(
            list(record), ["time", "event", "id", "protocol", "tls", "source", "user", "method", "command", "arguments"]
        )

    def test_a_refusal_has_the_same_fields(self) -> None:
        """A request for which nothing ran has null and 0 where a run would have more to say."""
        record = self.record(command=None, outcome=Code.MALFORMED, finished=None)

        self.assertEqual(set(record), set(self.record()))
        self.assertEqual((record["command"], record["user"], record["outcome"]), (None, None, "malformed"))
        self.assertEqual((record["exit_status"], record["signal"], record["duration_seconds"]), (None, None, None))
        self.assertEqual((record["stdout_bytes"], record["stderr_bytes"]), (0, 0))
        self.assertEqual((record["truncated"], record["shared"]), (False, False))

    def test_status_zero_is_not_nothing(self) -> None:
        """A success has exit status 0 and its duration, even one of 0 seconds."""
        record = self.record(finished=finished(exit_status=0, duration_seconds=0.0))

        self.assertEqual((record["exit_status"], record["duration_seconds"]), (0, 0.0))

    def test_a_signal_is_told(self) -> None:
        """A run that died of a signal has its name and no exit status."""
        record = self.record(finished=finished(exit_status=None, signal="SIGKILL"))

        self.assertEqual((record["exit_status"], record["signal"]), (None, "SIGKILL"))

    def test_who_ended_it(self) -> None:
        """What would have gone on says who ended it, be it only its caller, who has left; all else has null."""
        for by in EndedBy:
            self.assertEqual(self.record(ended_by=by)["ended_by"], str(by))
        self.assertIsNone(self.record()["ended_by"])

    def test_no_output_is_written(self) -> None:
        """What a command said is nobody's business here."""
        line = _line(requested(finished=finished(stdout=b"hidden-out", stderr=b"hidden-err")))

        self.assertNotIn("hidden", line)

    @given(ANY_TEXT, st.lists(ANY_TEXT, max_size=4), ANY_TEXT, st.none() | ANY_TEXT)
    @example("\x7f", ["\n", "\r\n", '"}', "\u2028", "\udcff"], "\x1b[2J", "\0")
    def test_nothing_forges_a_line(self, name: str, arguments: list[str], source: str, who: str | None) -> None:
        """Any text in anything that a client chooses gives one line of printable ASCII that reads back as it was."""
        caller = replace(STRANGER, source=source, name=who)

        line = _line(requested(command=name, arguments=tuple(arguments), caller=caller))

        self.assertRegex(line, r"\A[ -~]+\n\Z")
        record = json.loads(line)
        self.assertEqual(
            (record["command"], record["arguments"], record["source"], record["user"]), (name, arguments, source, who)
        )
        self.assertEqual(record["outcome"], "ok")


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
