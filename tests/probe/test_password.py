"""Tests of the password of a login: from where it comes, and to whom it goes."""

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.errors import CannotTell, ProbeFailed
from cmdserver_probe.password import READ_OCTETS, may_be_sent, read_password
from tests.probe.doubles import a_run


class ReadTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "password"

    def _read(self, content: bytes, mode: int = 0o600) -> tuple[str, list[str]]:
        self.path.write_bytes(content)
        self.path.chmod(mode)
        run = a_run(f"imap h --user u --password-file {self.path}")
        read_password(run)
        return run.password, run.notes

    def test_the_first_line(self) -> None:
        """It is the password, as it is but for its end."""
        self.assertEqual(self._read(b" p\xc3\xa4ss word \nmore"), (" päss word ", []))
        self.assertEqual(self._read(b"secret\r\n"), ("secret", []))
        self.assertEqual(self._read(b"secret"), ("secret", []))

    def test_who_else_may_read_it(self) -> None:
        """That everybody may is said, and is no more than a warning."""
        password, (note,) = self._read(b"secret\n", 0o644)

        self.assertEqual(password, "secret")
        self.assertIn("may read", note)
        self.assertIn("mode 644", note)
        self.assertEqual(self._read(b"secret\n", 0o640)[1], [])

    def test_no_password(self) -> None:
        """What is none is not sent."""
        wrong = {
            b"": "its first line is empty",
            b"\nsecret": "its first line is empty",
            b"a\0b": "its first line is no password",
            b"a\rQUIT": "its first line is no password",
            b"x" * READ_OCTETS: "its first line is no password",
            b"\xff": "it is not UTF-8",
        }
        for content, said in wrong.items():
            with self.subTest(content[:9]), self.assertRaisesRegex(CannotTell, said):
                self._read(content)

    def test_no_file(self) -> None:
        """It is said which, and why."""
        with self.assertRaisesRegex(CannotTell, "--password-file /nowhere/x: no such file or directory"):
            read_password(a_run("imap h --user u --password-file /nowhere/x"))

    def test_a_pipe_without_a_writer(self) -> None:
        """Nobody waits for one."""
        os.mkfifo(self.path)

        with self.assertRaisesRegex(CannotTell, "empty"):
            read_password(a_run(f"imap h --user u --password-file {self.path}"))


class MayBeSentTests(SynchronousTestCase):
    def test_without_tls(self) -> None:
        """To another host it is not sent."""
        with self.assertRaisesRegex(ProbeFailed, "the password is not sent: there is no TLS"):
            may_be_sent(a_run("imap h --user u --password-file x"))

    def test_with_tls(self) -> None:
        """It is."""
        run = a_run("imap h --user u --password-file x --tls")
        run.is_encrypted = True
        may_be_sent(run)

    def test_that_tls_is_asked_for_is_not_enough(self) -> None:
        """It must be there."""
        for how in ("--tls", "--starttls"):
            with self.assertRaises(ProbeFailed):
                may_be_sent(a_run(f"imap h --user u --password-file x {how}"))

    def test_on_this_host(self) -> None:
        """Nobody listens on the way."""
        run = a_run("imap h --user u --password-file x")
        run.is_loopback = True
        may_be_sent(run)

    def test_for_those_who_do_not_mind(self) -> None:
        """It is sent to whoever is there."""
        may_be_sent(a_run("imap h --user u --password-file x --insecure"))
