"""Tests of what protocols with a login share: to whom the password goes, over what, and how much is read."""

import socket
from pathlib import Path

import pytest

from cmdserver_probe import connection
from cmdserver_probe.connection import Address
from cmdserver_probe.report import State
from tests.probe.certificates import server_context
from tests.probe.targets import Behaviour, dialogue, saying, serving, with_tls
from tests.probe.test_hostile import probed

#: Servers that let everybody in.
SERVERS = {
    "pop3": dialogue(
        (b"", b"+OK hello\r\n"),
        (b"USER", b"+OK\r\n"),
        (b"PASS", b"+OK\r\n"),
        (b"STAT", b"+OK 2 99\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ),
    "imap": dialogue(
        (b"", b"* OK hello\r\n"),
        (b"CAPABILITY", b"* CAPABILITY IMAP4REV1\r\nTAG OK so\r\n"),
        (b"LOGIN", b"TAG OK so\r\n"),
        (b"EXAMINE", b"* 2 EXISTS\r\nTAG OK [READ-ONLY] so\r\n"),
        (b"LOGOUT", b"* BYE\r\nTAG OK so\r\n"),
    ),
    "smtp": dialogue(
        (b"", b"220 hello\r\n"),
        (b"EHLO", b"250-h\r\n250 AUTH PLAIN\r\n"),
        (b"AUTH", b"235 so\r\n"),
        (b"QUIT", b"221 so\r\n"),
    ),
    "ftp": dialogue(
        (b"", b"220 hello\r\n"), (b"USER", b"331 so\r\n"), (b"PASS", b"230 so\r\n"), (b"QUIT", b"221 so\r\n")
    ),
    "http": dialogue(
        (b"AUTHORIZATION: BASIC CHJVYMU6C2VJCMV0LXDVCMQ=", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (b"\r\n", b""),
    ),
}


def line_for(kind: str, directory: Path, options: str = "") -> str:
    """Write the command line that logs in."""
    (directory / "password").write_text("secret-word\n")
    (directory / "password").chmod(0o600)
    target = "http://127.0.0.1:{port}/" if kind == "http" else "127.0.0.1:{port}"
    return f"{kind} {target} --user probe --password-file {directory}/password {options}"


def recording(behave: Behaviour, heard: list[bytes]) -> Behaviour:
    """Note what a target hears."""

    class Recorder(socket.socket):
        def recv_into(self, buffer: bytearray, nbytes: int = 0, flags: int = 0) -> int:  # type: ignore[override]
            count = super().recv_into(buffer, nbytes, flags)
            heard.append(bytes(buffer[:count]))
            return count

    def behave_and_record(client: socket.socket) -> None:
        with Recorder(fileno=client.detach()) as recorder:
            behave(recorder)

    return behave_and_record


def heard_by(kind: str, line: str) -> tuple[State, str | None, bytes]:
    """Probe a server; tell what became of it, where it stopped, and what the server has heard."""
    heard: list[bytes] = []
    with serving(recording(SERVERS[kind], heard)) as port:
        run, finding = probed(line, port)
    return finding.state, run.steps.current, b"".join(heard)


SECRETS = {
    "pop3": b"PASS secret-word",
    "imap": b'"secret-word"',
    "smtp": b"AHByb2JlAHNlY3JldC13b3Jk",
    "ftp": b"PASS secret-word",
    "http": b"cHJvYmU6c2VjcmV0LXdvcmQ=",
}


@pytest.mark.parametrize("kind", SERVERS)
def test_on_this_host(tmp_path: Path, kind: str) -> None:
    """The password is sent without TLS, and lets the user in."""
    state, step, heard = heard_by(kind, line_for(kind, tmp_path))

    assert (state, step) == (State.OK, None)
    assert SECRETS[kind] in heard


@pytest.mark.parametrize("kind", SERVERS)
def test_to_another_host(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not sent without TLS."""
    monkeypatch.setattr(Address, "is_loopback", False)
    state, step, heard = heard_by(kind, line_for(kind, tmp_path))

    assert (state, step) == (State.CRITICAL, "answer" if kind == "http" else "login")
    assert SECRETS[kind] not in heard


@pytest.mark.parametrize("kind", SERVERS)
def test_to_another_host_insecurely(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is, if somebody says that it does not matter."""
    monkeypatch.setattr(Address, "is_loopback", False)
    state, _, heard = heard_by(kind, line_for(kind, tmp_path, "--insecure"))

    assert (state, SECRETS[kind] in heard) == (State.OK, True)


@pytest.mark.parametrize("kind", ["smtp", "ftp"])
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_how_much_is_read(kind: str, is_encrypted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the bound, with TLS as without."""
    monkeypatch.setattr(connection, "RECEIVED_OCTETS", 20_000)
    flood = saying(b"220-hello\r\n" * 5000)
    behave = with_tls(server_context("127.0.0.1"), flood) if is_encrypted else flood
    with serving(behave) as port:
        _, finding = probed(f"{kind} 127.0.0.1:{{port}} {'--tls --insecure' if is_encrypted else ''}", port)

    assert (finding.state, finding.text) == (State.CRITICAL, "the target sends more than 20000 octets")
