"""Tests of the daemon's log."""

import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import TextIO

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    capturedLogs,
    formatEvent,
    formatTime,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.files.opening import opener_for
from cmdserver.logs.formats import JournalLog, TextLog
from cmdserver.logs.line_logger import LINE_FORMAT, LineLogger
from cmdserver.logs.log_file import DaemonLog
from cmdserver.logs.systemd import goes_to_journal
from tests.files.doubles import DAEMON, RootTestCase


class LogTests(RootTestCase):
    """A log in a place of the daemon's."""

    def setUp(self) -> None:
        super().setUp()
        self.logs = self.directory("logs", DAEMON.uid)
        self.path = self.logs / "log"
        self.is_shed = True
        self.log = DaemonLog(self.path, opener_for(DAEMON, 0o644), lambda: self.is_shed)
        self.addCleanup(lambda: self.log.closed or self.log.close())

    def test_it_is_appended_to(self) -> None:
        """What is there stays, with its mode and its owner."""
        self.log.write("one\n")
        self.path.chmod(0o640)
        again = DaemonLog(self.path, opener_for(DAEMON, 0o644), lambda: True)
        again.write("zwei ü\n")
        again.flush()
        again.close()

        self.assertEqual(self.path.read_text("utf-8"), "one\nzwei ü\n")
        self.assertEqual((self.path.stat().st_uid, self.path.stat().st_mode & 0o777), (DAEMON.uid, 0o640))

    def test_it_is_rotated(self) -> None:
        """At its length, and when it is asked for; not while that would be done as root."""
        self.log.rotateLength = 8
        self.is_shed = False
        for line in ("first\n", "second\n", "third\n"):
            self.log.write(line)
        self.log.rotate_or_reopen()
        self.assertEqual(sorted(each.name for each in self.logs.iterdir()), ["log"])

        self.is_shed = True
        self.log.write("fourth\n")
        self.log.rotate_or_reopen()
        self.log.write("fifth\n")

        texts = {each.name: each.read_text("ascii") for each in self.logs.iterdir()}
        self.assertEqual(texts, {"log": "fifth\n", "log.1": "fourth\n", "log.2": "first\nsecond\nthird\n"})

    def test_it_is_opened_anew(self) -> None:
        """Where somebody else has renamed it, and whether or not there is another one by now."""
        for number in range(2):
            self.log.write(f"{number}\n")
            self.path.rename(self.logs / f"renamed.{number}")
            if number:
                self.path.touch()
                os.chown(self.path, DAEMON.uid, DAEMON.gid)
            self.log.rotate_or_reopen()
        self.log.write("last\n")

        texts = {each.name: each.read_text("ascii") for each in self.logs.iterdir()}
        self.assertEqual(texts, {"log": "last\n", "renamed.0": "0\n", "renamed.1": "1\n"})

    def test_what_cannot_be_opened_anew(self) -> None:
        """The old one stays in use, and says so."""
        self.path.rename(self.logs / "renamed")
        self.path.mkdir()
        with capturedLogs() as events:
            self.log.rotate_or_reopen()
        self.log.write("still\n")

        self.assertEqual((self.logs / "renamed").read_text("ascii"), "still\n")
        self.assertIn("cannot be opened anew", events[0]["log_format"])

    def test_a_link(self) -> None:
        """It leads root nowhere."""
        victim = self.folder / "victim"
        self.link("logs/link", victim, DAEMON.uid)

        self.assertRaises(OSError, DaemonLog, Path(self.logs / "link"), opener_for(DAEMON), lambda: True)
        self.assertFalse(victim.exists())


class JournalTests(SynchronousTestCase):
    """A log that systemd reads."""

    def setUp(self) -> None:
        self.stream = StringIO()
        self.log = Logger(observer=JournalLog(self.stream))

    def test_priorities(self) -> None:
        """As sd-daemon(3) has them; neither time nor system, which the journal knows."""
        for say in (self.log.debug, self.log.info, self.log.warn, self.log.error, self.log.critical):
            say("{what}", what="it is so")

        self.assertEqual("".join(f"<{each}>it is so\n" for each in (7, 6, 4, 3, 2)), self.stream.getvalue())

    def test_each_line_has_one(self) -> None:
        """Also those of a traceback, and of what comes at no level."""
        self.log.failure("oh", Failure(ValueError("first\nsecond")))
        lines = self.stream.getvalue().splitlines()
        self.assertGreater(len(lines), 3)
        self.assertEqual({"<2>"}, {line[:3] for line in lines})
        JournalLog(self.stream)({"log_format": "old"})
        self.assertTrue(self.stream.getvalue().endswith("\n<6>old\n"))

    def test_when(self) -> None:
        """If systemd says so, but not on a terminal: a desktop's shells have its variables."""
        for environment, is_terminal, expected in (
            ({}, False, False),
            ({"JOURNAL_STREAM": "8:1"}, False, True),
            ({"NOTIFY_SOCKET": "/run/x"}, False, True),
            ({"JOURNAL_STREAM": "8:1", "NOTIFY_SOCKET": "/run/x"}, True, False),
            ({"JOURNAL_STREAM": ""}, False, False),
        ):
            self.assertEqual(expected, goes_to_journal(environment, is_terminal=is_terminal), environment)


class LineTests(SynchronousTestCase):
    """Lines that are whole when they are logged."""

    def written(self, log: Callable[[TextIO], ILogObserver], line: str) -> str:
        """Say what is written of a line."""
        stream = StringIO()
        LineLogger("some.where", LogLevel.warn, log(stream))(line)
        return stream.getvalue()

    def test_as_any_event(self) -> None:
        """They look as what goes through twisted.logger's formats, and no braces of theirs mean anything."""
        for line in ("it is so", "{line} {0} %s {", "one\ntwo"):
            stream = StringIO()
            Logger("some.where", observer=textFileLogObserver(stream)).warn("{it}", it=line)
            self.assertEqual(stream.getvalue()[24:], self.written(TextLog, line)[24:])
            self.assertRegex(self.written(TextLog, line)[:24], r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}")

    def test_each_second_is_written_anew(self) -> None:
        """Though the text of a second is kept."""
        stream = StringIO()
        log = TextLog(stream)
        event = {"log_format": LINE_FORMAT, "log_namespace": "n", "log_level": LogLevel.info, "line": "x"}
        for time in (1.5, 1.9, 2.0):
            log({**event, "log_time": time})
        first, second, third = (line[:24] for line in stream.getvalue().splitlines())
        self.assertEqual(first, second)
        self.assertEqual([formatTime(1), formatTime(2)], [second, third])

    def test_for_the_journal(self) -> None:
        """With the priority of their level, each line of several."""
        self.assertEqual("<4>one\n<4>two\n", self.written(JournalLog, "one\ntwo"))

    def test_to_others(self) -> None:
        """An observer that knows nothing of lines formats them as usual."""
        events: list[LogEvent] = []
        LineLogger("some.where", observer=events.append)("{a}")  # type: ignore[arg-type] # any callable is one
        self.assertEqual(["{a}"], [formatEvent(each) for each in events])
