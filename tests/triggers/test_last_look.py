"""Tests of what is kept of the last look."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.triggers import last_look
from cmdserver.triggers.last_look import NAME, LastLook, Seen

NOW = 1_700_000_000.0
LINES = {"df": ["0 * * * *"]}


class LastLookTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.path = self.directory / NAME
        self.last_look = LastLook(self.directory)
        self.logged: list[str] = []
        observer: Any = lambda event: self.logged.append(event["log_format"].format(**event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_what_was_written_is_read(self) -> None:
        """By the next daemon, and by nobody else on the host."""
        self.last_look.write(NOW, LINES)

        self.assertEqual(LastLook(self.directory).read(NOW), Seen(looked_at=NOW, schedules=LINES))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.logged, [])

    def test_without_schedules_there_is_no_file(self) -> None:
        """Nor a complaint."""
        self.last_look.write(NOW, {})
        self.assertFalse(self.path.exists())
        self.last_look.write(NOW, LINES)
        self.last_look.write(NOW, {})
        self.assertFalse(self.path.exists())
        self.assertIsNone(self.last_look.read(NOW))
        self.assertEqual(self.logged, [])

    def test_what_is_wrong_is_ignored(self) -> None:
        """And said."""
        good: dict[str, Any] = {"looked_at": NOW, "schedules": LINES}
        for content in (
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"[" * 100_000,
            json.dumps({**good, "looked_at": "yesterday"}).encode(),
            json.dumps({**good, "looked_at": NOW + 1}).encode(),
            json.dumps({**good, "looked_at": -1}).encode(),
            b'{"looked_at": NaN, "schedules": {}}',
            b'{"looked_at": 1e999, "schedules": {}}',
            json.dumps({**good, "schedules": {"df": "0 * * * *"}}).encode(),
            json.dumps({**good, "schedules": {"df": [5]}}).encode(),
            json.dumps({**good, "schedules": []}).encode(),
            json.dumps({**good, "more": 1}).encode(),
            json.dumps({"looked_at": NOW}).encode(),
            b" " * (1 << 21),
        ):
            self.path.write_bytes(content)
            self.logged.clear()
            self.assertIsNone(self.last_look.read(NOW), content[:60])
            self.assertEqual(len(self.logged), 1, content[:60])
            self.assertIn(NAME, self.logged[0])

    def test_what_is_no_file_is_ignored(self) -> None:
        """A pipe keeps nobody waiting."""
        os.mkfifo(self.path)
        self.assertIsNone(self.last_look.read(NOW))
        self.path.unlink()
        self.path.mkdir()
        self.assertIsNone(self.last_look.read(NOW))
        self.assertEqual(len(self.logged), 2)

    def test_what_cannot_be_written_is_said_once(self) -> None:
        """And again when it could be in between."""
        with patch.object(last_look, "replace", side_effect=OSError(28, "No space left on device")):
            self.last_look.write(NOW, LINES)
            self.last_look.write(NOW, LINES)
        self.assertEqual(len(self.logged), 1)
        self.last_look.write(NOW, LINES)
        with patch.object(last_look, "replace", side_effect=OSError(28, "No space left on device")):
            self.last_look.write(NOW, LINES)
        self.assertEqual(len(self.logged), 2)
