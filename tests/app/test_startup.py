"""Tests of what the daemon does while it is still root: as whom, and what it says."""

import os
from typing import Any, cast

from twisted.logger import capturedLogs, formatEvent

from cmdserver.app.startup import open_listener, prepare_state, warn_about_users
from cmdserver.config.schema.commands import CommandSettings
from cmdserver.config.schema.host import Runner
from cmdserver.config.schema.settings import Settings
from cmdserver.core.endpoints import parse
from cmdserver.core.errors import CannotListen
from cmdserver.core.listening import Listening, Login
from cmdserver.core.protocols import Protocol
from cmdserver.files.run_as_owner import Rights
from tests.files.doubles import DAEMON, STRANGER, RootTestCase


class RecordingListeners:
    """Listeners that only say who has opened them."""

    def __init__(self) -> None:
        self.opened_by: list[int] = []

    def open(self, listener: object) -> None:
        self.opened_by.append(os.geteuid())


class FakeListener:
    """A listener that is not there."""

    def __init__(self, endpoint: str) -> None:
        self.key = Listening(protocol=Protocol.LINE, endpoint=parse(endpoint), tls=False, login=Login.NEVER)
        self.path = self.key.endpoint.path


class ListenerTests(RootTestCase):
    """Who opens a listener: binding a socket to a path, and changing its mode, follows what lies there."""

    def open(self, endpoint: str, rights: Rights) -> list[int]:
        """Open a listener; return who has done it."""
        listeners = RecordingListeners()
        open_listener(cast("Any", listeners), cast("Any", FakeListener(endpoint)), rights)
        self.assertEqual(os.geteuid(), 0)
        return listeners.opened_by

    def test_who_opens(self) -> None:
        """Root, but for sockets where the daemon's user could put something else."""
        self.directory("theirs", DAEMON.uid)
        self.directory("strangers", STRANGER)
        for endpoint, who in (
            ("tcp:22", 0),
            (f"unix:{self.folder}/socket", 0),
            ("unix:/tmp/socket", 0),
            (f"unix:{self.folder}/theirs/socket:mode=600", DAEMON.uid),
            (f"haproxy:unix:{self.folder}/theirs/socket", DAEMON.uid),
            (f"unix:{self.folder}/strangers/socket", DAEMON.uid),
            ("unix:in-the-state-directory", DAEMON.uid),
        ):
            self.assertEqual(self.open(endpoint, Rights(DAEMON)), [who], endpoint)

    def test_who_stays_root(self) -> None:
        """It opens no socket where others could put something else."""
        self.directory("theirs", DAEMON.uid)
        said = self.refusal(lambda: self.open(f"unix:{self.folder}/theirs/socket", Rights(None)), CannotListen)
        self.assertIn(f"{self.folder}/theirs belongs to somebody else", said)
        self.assertEqual(self.open(f"unix:{self.folder}/socket", Rights(None)), [0])

    def test_stale_locks(self) -> None:
        """What a killed daemon has left there is removed first; not what is a stranger's."""
        self.directory("theirs", DAEMON.uid)
        for index, (owner, is_left) in enumerate(((DAEMON.uid, False), (0, False), (STRANGER, True))):
            lock = self.link(f"theirs/s{index}.lock", "4194305", owner)
            self.open(f"unix:{self.folder}/theirs/s{index}", Rights(DAEMON))
            self.assertEqual(lock.is_symlink(), is_left)


class StateTests(RootTestCase):
    """The state directory, for who becomes another and who does not."""

    def test_whose_it_is(self) -> None:
        """The daemon's user's, opened; or root's."""
        settings = Settings()
        directory = prepare_state(self.folder / "theirs", settings, Rights(DAEMON))
        assert directory is not None
        self.assertEqual(os.fstat(directory).st_uid, DAEMON.uid)
        os.close(directory)
        self.assertIs(prepare_state(self.folder / "roots", settings, Rights(None)), None)
        self.assertEqual((self.folder / "roots").stat().st_uid, 0)


class WarningTests(RootTestCase):
    """What is said at the start."""

    def said(self) -> list[str]:
        """Warn, and return what was said."""
        commands: dict[str, CommandSettings | None] = {"x": CommandSettings(run=["x"])}
        with capturedLogs() as events:
            warn_about_users(Settings(commands=commands, runner=Runner(daemon_user="nobody")))
        return [formatEvent(event) for event in events]

    def test_root_is_warned(self) -> None:
        """Of what runs as root; an ordinary user has nothing to be warned of."""
        self.assertEqual(self.said(), ["commands that name no user run as root: x"])
        self.patch(os, "geteuid", lambda: STRANGER)
        self.assertEqual(self.said(), [])
