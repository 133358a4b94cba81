"""What a check can tell of the state directory."""

import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from cmdserver.app.state_checks import look
from cmdserver.auth.password_hash import hash_password
from cmdserver.config.schema.host import TLS, Audit, HistorySettings, Listen
from cmdserver.config.schema.settings import Settings
from cmdserver.core.protocols import Protocol
from cmdserver.net.ssh_host_keys import require_host_keys


class LookTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.state = self.folder / "state"

    def remarks(self, settings: Settings | None = None) -> list[str]:
        """Look, and return what is said and where."""
        return [f"{'.'.join(path)}: {text}" for path, text in look(self.state, settings or Settings()).remarks]

    def users(self, settings: Settings | None = None) -> frozenset[str] | None:
        """Look, and return who can log in."""
        return look(self.state, settings or Settings()).users

    def add(self, name: str) -> None:
        """Give a user a password."""
        with patch("cmdserver.auth.password_hash.COST", 4):
            hashed = hash_password("x").decode()
        self.state.mkdir(mode=0o700, exist_ok=True)
        (self.state / "passwd").touch(0o600)
        with (self.state / "passwd").open("a") as file:
            file.write(f"{name}:{hashed}\n")

    def test_before_the_first_start(self) -> None:
        """Nothing is made, and the user that the first start makes is known."""
        self.assertEqual(frozenset({"admin"}), self.users())
        self.assertEqual([], self.remarks())
        self.assertFalse(self.state.exists())
        self.state.mkdir(mode=0o700)
        self.assertEqual(frozenset({"admin"}), self.users())

    def test_users(self) -> None:
        """Those whose credentials are there, and no other."""
        self.add("ann")
        self.add("bob")
        self.assertEqual(frozenset({"ann", "bob"}), self.users())

    def test_users_that_are_not_known(self) -> None:
        """Holders of certificates, and lines that nobody understands; or what may not be looked at."""
        self.add("ann")
        self.assertIsNone(self.users(Settings(tls=TLS(client_ca="/ca"))))
        with patch("os.access", return_value=False):
            self.assertIsNone(self.users())
        with (self.state / "passwd").open("a") as file:
            file.write("bob:x\n")
        self.assertIsNone(self.users())

    def test_directories_that_the_daemon_would_refuse(self) -> None:
        """They are told before."""
        with patch("os.access", return_value=False):
            text = f"the state directory {self.state} cannot be made: {self.folder} cannot be written"
            self.assertEqual([f"state_dir: {text}"], self.remarks())
        self.state.mkdir(mode=0o700)
        self.state.chmod(0o770)
        text = f"others may write to the state directory {self.state}; chmod 700 it"
        self.assertEqual([f"state_dir: {text}"], self.remarks())
        self.assertIsNone(self.users())
        self.state.rmdir()
        self.state.touch()
        self.assertEqual([f"state_dir: the state directory {self.state} is not a directory"], self.remarks())

    def test_the_audit_files_directory(self) -> None:
        """Without it nothing would be run."""
        missing = self.folder / "missing"
        self.assertEqual(
            [f"audit.file: {missing} is no directory, and nothing is run without an audit file"],
            self.remarks(Settings(audit=Audit(file=f"{missing}/audit"))),
        )
        self.assertEqual([], self.remarks(Settings(audit=Audit(file=f"{self.folder}/audit"))))
        self.assertEqual([], self.remarks(Settings(audit=Audit(file="audit"))))

    def test_the_historys_directory(self) -> None:
        """Without it nothing is kept; who can log in is known all the same."""
        self.add("ann")
        for file, missing in ((f"{self.folder}/x/h", f"{self.folder}/x"), ("sub/h", f"{self.state}/sub")):
            settings = Settings(history=HistorySettings(file=file))
            self.assertEqual(
                [f"history.file: {missing} is no directory, and no run is kept without a history"],
                self.remarks(settings),
            )
            self.assertEqual(frozenset({"ann"}), self.users(settings))
        self.assertEqual([], self.remarks(Settings(history=HistorySettings(file=f"{self.folder}/h"))))

    def test_host_keys(self) -> None:
        """One that would keep an SSH listener from starting is told of, if there is such a listener."""
        self.add("ann")
        require_host_keys(self.state)
        ssh = Settings(listen=[Listen(protocol=Protocol.SSH, endpoint="tcp:22")])
        self.assertEqual([], self.remarks(ssh))
        (self.state / "ssh_host_rsa_key").write_text("x")
        (self.state / "ssh_host_x_key").mkdir()
        (remark,) = self.remarks(ssh)
        self.assertIn(f"listen: the SSH host key {self.state}/ssh_host_rsa_key is damaged", remark)
        self.assertEqual([], self.remarks())
        self.assertEqual(frozenset({"ann"}), self.users(ssh))

    def test_nothing_is_changed(self) -> None:
        """Neither made nor written."""
        self.add("ann")
        before = sorted((each, each.stat().st_mtime_ns) for each in self.folder.rglob("*"))
        look(self.state, Settings())
        self.assertEqual(before, sorted((each, each.stat().st_mtime_ns) for each in self.folder.rglob("*")))
