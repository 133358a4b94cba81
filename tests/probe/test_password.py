"""Tests of the password of a login: from where it comes, and to whom it goes."""

import base64
import gc
import os
import socket
import tempfile
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe import main
from cmdserver_probe.errors import CannotTell, ProbeFailed
from cmdserver_probe.password import READ_OCTETS, hidden, may_be_sent, read_password
from cmdserver_probe.printable import shown
from cmdserver_probe.report import State
from tests.probe.doubles import a_run
from tests.probe.targets import Behaviour, serving
from tests.probe.test_hostile import probed


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


class HiddenTests(SynchronousTestCase):
    def _hidden(self, word: str, said: str) -> str:
        run = a_run("imap h --user probe --password-file x")
        run.password = word
        return hidden(run, said)

    def test_what_is_looked_for(self) -> None:
        """The password as it is, is quoted, is shown and is encoded; all of it, as often as it comes."""
        word = 'se"cr\\et|k\u00e9y'
        forms = {
            word,
            shown(word),
            'se\\"cr\\\\et|k\u00e9y',  # in quotes
            str(word.encode())[2:-1],
            base64.b64encode(word.encode()).decode().rstrip("="),
            base64.b64encode(f"probe:{word}".encode()).decode().rstrip("="),
            base64.b64encode(f"\0probe\0{word}".encode()).decode().rstrip("="),
        }
        for form in forms:
            with self.subTest(form):
                self.assertEqual(self._hidden(word, f"-ERR {form}, {form}"), "-ERR ***, ***")

    def test_short_ones(self) -> None:
        """They are in every other word, and so is what nothing is left of."""
        self.assertEqual(self._hidden("err", "an error"), "an error")
        self.assertEqual(self._hidden("erro", "an error"), "an ***r")
        self.assertEqual(self._hidden("    ", "an error"), "an error")
        self.assertEqual(self._hidden("  a ", "an error"), "an error")


def _repeating(greeting: bytes, welcome: bytes, refusal: bytes) -> Behaviour:
    """Greet, welcome who asks for capabilities or says a name, and repeat all else."""

    def behave(client: socket.socket) -> None:
        client.sendall(greeting)
        with client.makefile("rb") as lines:
            for line in lines:
                tag = line.split(b" ")[0]
                is_asked = line[:4].upper() in {b"EHLO", b"USER"} or b"CAPABILITY" in line
                answer = welcome if is_asked else refusal + line.strip()
                if line.upper().startswith(b"AUTH LOGIN"):
                    answer = b"334 "
                if b"AUTHENTICATE" in line:
                    answer = b"+ "
                client.sendall(answer.replace(b"TAG", tag) + b"\r\n")

    return behave


def _repeating_headers(client: socket.socket) -> None:
    with client.makefile("rb") as lines:
        said = b" ".join(line.strip() for line in iter(lines.readline, b"\r\n"))
    client.sendall(b"HTTP/1.1 500 " + said + b"\r\nContent-Length: 0\r\n\r\n")


_IMAP = b"* CAPABILITY IMAP4REV1 %s\r\nTAG OK so"
_REPEATING = {
    "smtp plain": _repeating(b"220 hello\r\n", b"250-h\r\n250 AUTH PLAIN", b"535 no "),
    "smtp login": _repeating(b"220 hello\r\n", b"250-h\r\n250 AUTH LOGIN", b"535 no "),
    "pop3": _repeating(b"+OK hello\r\n", b"+OK", b"-ERR "),
    "imap login": _repeating(b"* OK hello\r\n", _IMAP % b"", b"TAG NO "),
    "imap plain": _repeating(b"* OK hello\r\n", _IMAP % b"AUTH=PLAIN", b"you said "),
    "imap rubbish": _repeating(b"* OK hello\r\n", _IMAP % b"", b"you said "),
    "ftp": _repeating(b"220 hello\r\n", b"331 so", b"530 "),
    "http": _repeating_headers,
}


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", _REPEATING)
def test_a_target_that_repeats_all(tmp_path: Path, how: str) -> None:
    """What it was told is not printed, in whatever way the protocol has it."""
    kind = how.partition(" ")[0]
    word = 'se"cr\\et|key'
    (tmp_path / "password").write_text(word)
    target = "http://127.0.0.1:{port}/" if kind == "http" else "127.0.0.1:{port}"
    with serving(_REPEATING[how]) as port:
        run, finding = probed(f"{kind} {target} --user probe --password-file {tmp_path}/password", port)
    printed = main._printed(run, finding)[0].decode()

    assert finding.state is State.CRITICAL
    assert run.steps.current == (None if kind == "http" else "login"), finding.text
    assert "***" in printed, printed
    gc.collect()  # smtplib leaves its file open, in a cycle with the error
    encoded = [base64.b64encode(each.encode()).decode()[2:-4] for each in (word, f"\0probe\0{word}")]
    assert not [each for each in ("cr\\", "|key", "x7ckey", *encoded) if each in printed], printed
