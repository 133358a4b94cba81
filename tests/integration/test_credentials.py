"""Keys and tokens of a real daemon: which was used when, what its log says, and how they come to an end."""

import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cmdserver.files.last_uses import NAME
from tests.integration.client import Client
from tests.integration.daemon import Daemon, Listener
from tests.integration.http_client import HTTPClient
from tests.integration.logins import COMMANDS, LENIENT, ROLES, companion, require_program, write_passwords
from tests.integration.ssh import SSH
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def fetch(listener: Listener, command: str, token: str) -> int:
    """Ask with a token; return the status."""
    with HTTPClient(listener.address) as client:
        return client.ask(f"/{command}", "POST", authorization=f"Bearer {token}", accept="text/plain").status


def cells(daemon: Daemon, what: str) -> list[list[str]]:
    """Return what the companion lists, without the headings."""
    return [line.split() for line in companion(daemon, what, "list").stdout.splitlines()[1:]]


def was_just_now(cell: str) -> bool:
    """Whether a time in a list is no more than some minutes past."""
    return -60 < time.time() - datetime.fromisoformat(cell).astimezone(UTC).timestamp() < 600


def test_tokens(daemon_to_be: Daemon) -> None:
    """Their use is known soon, and after the end; one that is removed lets nobody in any more, the others do."""
    daemon, listener = daemon_to_be, Listener(protocol="web")
    daemon.configure(COMMANDS, listeners=[listener], roles=ROLES, limits=LENIENT)
    write_passwords(daemon)
    daemon.start()
    options = ["--name", "ci", "--expires", "90d", "--from", "127.0.0.0/8", "--commands", "u*,d?"]
    first = companion(daemon, "token", "add", "alice", *options).stdout.strip()
    second = companion(daemon, "token", "add", "alice").stdout.strip()

    assert [fetch(listener, command, first) for command in ("uptime", "members", "reboot")] == [200, 403, 403]
    wait_until((daemon.state_directory / NAME).exists, "the first use is written down")
    used, unused = cells(daemon, "token")
    assert used[:2] + used[3:5] == ["alice", "ci", "127.0.0.0/8", "d?,u*"]
    assert was_just_now(used[5])
    assert (used[6], unused[5:]) == ("127.0.0.1", ["never", "-"])

    assert fetch(listener, "uptime", second) == 200
    companion(daemon, "token", "remove", "alice", "ci")
    assert [fetch(listener, "uptime", each) for each in (first, second)] == [401, 200]
    daemon.stop()
    assert [was_just_now(line[5]) for line in cells(daemon, "token")] == [True]
    for secret in (first, second):
        assert not [
            path for path in daemon.directory.rglob("*") if path.is_file() and secret in path.read_text("latin-1")
        ]


def test_keys(daemon_to_be: Daemon, tmp_path: Path) -> None:
    """Likewise; a key that was removed lets nobody in."""
    daemon, listener = daemon_to_be, Listener(protocol="ssh")
    daemon.configure(COMMANDS, listeners=[listener], roles=ROLES, limits=LENIENT)
    write_passwords(daemon)
    daemon.start()
    key = tmp_path / "id"
    subprocess.run([require_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    companion(daemon, "key", "add", "alice", f"{key}.pub")
    ssh = SSH(listener=listener, directory=tmp_path, key=key, options={"PreferredAuthentications": "publickey"})

    assert ssh.run("df").stdout == b"full\n"
    wait_until((daemon.state_directory / NAME).exists, "the first use is written down")
    ((name, fingerprint, _, _, _, when, where, *_),) = cells(daemon, "key")
    assert (name, where, was_just_now(when)) == ("alice", "127.0.0.1", True)
    companion(daemon, "key", "remove", "alice", fingerprint)
    assert ssh.run("df").returncode == 255


def test_a_state_directory_that_is_full(daemon_to_be: Daemon) -> None:
    """What cannot be written down costs nobody an answer, and is said once."""
    daemon, listener = daemon_to_be, Listener(protocol="web")
    daemon.configure(COMMANDS, listeners=[listener], roles=ROLES, limits=LENIENT)
    write_passwords(daemon)
    daemon.start()
    (daemon.state_directory / NAME).mkdir()
    token = companion(daemon, "token", "add", "alice").stdout.strip()

    assert fetch(listener, "uptime", token) == 200
    daemon.wait_for_log(f"{NAME} cannot be written")
    assert fetch(listener, "uptime", token) == 200


def test_the_log(daemon_to_be: Daemon) -> None:
    """A line a run, and one a login that failed, which no name can forge."""
    daemon, listener = daemon_to_be, Listener(tls=False, allow_plaintext_passwords=True)
    daemon.configure(COMMANDS, listeners=[listener], roles=ROLES, limits=LENIENT)
    write_passwords(daemon)
    daemon.start()
    for name, password in (("alice", "correct horse"), ('x" \x1b[2J', "y")):
        with Client(listener.address) as client:
            client.send(f"{name}\n{password}\ndf\nquit\n".encode())
            client.read_all()

    daemon.wait_for_log("login failed")
    lines = [line.partition("] ")[2] for line in daemon.log().splitlines()]
    (run,) = [line for line in lines if line.startswith("run: ")]
    assert re.fullmatch(
        r'run: user="alice" protocol=line method=password source=127\.0\.0\.1 command=df arguments=\[\] outcome=ok'
        r" exit_status=0 seconds=\d+\.\d{3} answers=1 id=[0-9a-f]{16}",
        run,
    )
    (login,) = [line for line in lines if line.startswith("login failed from 127.0.0.1: ")]
    assert login.endswith(r'reason="no such user" user="x\" \u001b[2J"')
    assert "correct horse" not in daemon.log()


def test_under_systemd(daemon_to_be: Daemon) -> None:
    """Lines have priorities, and leave the time to the journal."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS, roles=ROLES)
    daemon.start(environment={"JOURNAL_STREAM": "8:12345"})
    with Client(daemon.address) as client:
        client.send(b"uptime\n")
        client.read_all()
    daemon.wait_for_log("run: ")
    daemon.stop()

    lines = daemon.log().splitlines()
    assert [line for line in lines if not re.match("<[2-7]>", line)] == []
    assert any(re.match(r"<6>cmdserver \d", line) for line in lines)
    assert any(line.startswith("<6>run: user=null protocol=line ") for line in lines)
    assert not any(re.match(r"<\d>\d{4}-", line) for line in lines)
