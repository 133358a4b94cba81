"""The SSH listener with the clients that people have: each of a command, a terminal, a key and a password."""

import asyncio
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import ALICE, LENIENT, USERS, require_program, write_passwords
from tests.integration.ssh import authorize, make_key
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

LISTENER = Listener(protocol="ssh")
HOST = "127.0.0.1"

COMMANDS: Mapping[str, Mapping[str, object]] = {
    "df": shell("echo full"),
    "both": shell("echo out; echo err >&2; exit 3"),
    "much": shell("seq 1000000 | head -c 5000000", output_limit_bytes=5_000_000),
}
#: Of `much`, where it ends.
MUCH = 5_000_000


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with an SSH listener."""
    roles = {"admin": {"commands": ["*"], "users": ["alice"]}}
    with running(
        tmp_path_factory.mktemp("daemon"),
        COMMANDS,
        listeners=[LISTENER],
        roles=roles,
        limits=LENIENT,
        site={"name": "shop1"},
    ) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


@pytest.fixture
def key(daemon: Daemon, tmp_path: Path) -> Path:
    """Give a key that lets alice in."""
    key = make_key(tmp_path)
    authorize(daemon, "alice", key)
    return key


def run(*words: str, text: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a client to its end."""
    return subprocess.run(
        words,
        input=text,
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
        env={**os.environ, **environment},
    )


def talk_in_terminal(words: list[str], **environment: str) -> tuple[str, int]:
    """Run a client in a terminal; ask for a command at the prompt, and leave."""
    master, slave = pty.openpty()
    client = subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env={**os.environ, **environment}
    )
    os.close(slave)
    seen = b""
    steps = iter((b"both\r", b"\x04"))
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        while client.poll() is None:
            assert time.monotonic() < deadline, seen
            ready, _, _ = select.select([master], [], [], 0.05)
            try:
                seen += os.read(master, 65536) if ready else b""
            except OSError:  # as Linux says that the client is gone
                break
            if seen.endswith(b"@shop1> "):
                os.write(master, next(steps, b""))
                seen += b"\n"
        return seen.decode(), client.wait(LIMIT_SECONDS)
    finally:
        client.kill()
        client.wait()
        os.close(master)


TALK = re.compile(r"@shop1> .*both\s+out\s+err\s+cmdserver: both: exit status 3\s+alice@shop1> ", re.DOTALL)


def test_dropbear(key: Path) -> None:
    """Dropbear's dbclient."""
    dropbear_key = key.with_suffix(".dropbear")
    run(require_program("dropbearconvert"), "openssh", "dropbear", str(key), str(dropbear_key))
    where = ["-y", "-y", "-p", str(LISTENER.port), "-l", "alice"]
    with_key = [require_program("dbclient"), *where, "-i", str(dropbear_key), HOST]

    done = run(*with_key, "both")
    assert (done.stdout, done.stderr.splitlines()[-1], done.returncode) == (b"out\n", b"err", 3)
    assert len(run(*with_key, "much").stdout) == MUCH
    assert run(*with_key, "-T", text=b"df\n").stdout == b"full\n"
    assert run("dbclient", *where, HOST, "df", DROPBEAR_PASSWORD=ALICE).stdout == b"full\n"
    seen, status = talk_in_terminal(with_key)
    assert (bool(TALK.search(seen)), status) == (True, 0), seen


def test_putty(daemon: Daemon, key: Path) -> None:
    """PuTTY's plink."""
    ppk = key.with_suffix(".ppk")
    run(require_program("puttygen"), str(key), "-o", str(ppk), "-O", "private", "--new-passphrase", "/dev/null")
    host_key = daemon.state_directory / "ssh_host_ed25519_key.pub"
    fingerprint = run("ssh-keygen", "-lf", str(host_key)).stdout.split()[1].decode()
    where = ["-ssh", "-batch", "-P", str(LISTENER.port), "-l", "alice", "-hostkey", fingerprint]
    with_key = [require_program("plink"), *where, "-i", str(ppk)]

    done = run(*with_key, HOST, "both")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)
    assert len(run(*with_key, HOST, "much").stdout) == MUCH
    assert run("plink", *where, "-pw", ALICE, HOST, "df").stdout == b"full\n"
    assert run(*with_key, "-T", HOST, text=b"df\nboth\n").returncode == 3
    seen, status = talk_in_terminal([*with_key, "-t", HOST])
    assert (bool(TALK.search(seen)), status) == (True, 0), seen


def test_asyncssh(key: Path) -> None:
    """asyncssh: several commands on one connection, among them one at a terminal, and lines."""
    asyncssh: Any = pytest.importorskip("asyncssh")

    async def use(**how: Any) -> None:
        options = {"known_hosts": None, "username": "alice", "config": None, "agent_path": None, **how}
        async with asyncssh.connect(HOST, LISTENER.port, **options) as connection:
            answers = await asyncio.gather(*(connection.run(name) for name in ("both", "df", "much", "nosuch")))
            assert [answer.exit_status for answer in answers] == [3, 0, 0, 127]
            assert (answers[0].stdout, answers[0].stderr, len(answers[2].stdout)) == ("out\n", "err\n", MUCH)
            at_terminal = await connection.run("both", term_type="xterm")
            assert at_terminal.stdout == "out\r\nerr\r\n"
            lines = await connection.run(input="df\nboth\n")
            assert (lines.stdout, lines.exit_status) == ("full\nout\n", 3)

    asyncio.run(use(client_keys=[str(key)]))
    asyncio.run(use(client_keys=None, password=ALICE))


def test_paramiko(key: Path) -> None:
    """paramiko: a command, a terminal, and a subsystem that there is not."""
    paramiko: Any = pytest.importorskip("paramiko")
    for how in ({"key_filename": str(key)}, {"password": ALICE}):
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy)
            nothing_else = {"allow_agent": False, "look_for_keys": False, "timeout": LIMIT_SECONDS}
            client.connect(HOST, LISTENER.port, "alice", **nothing_else, **how)
            _, out, err = client.exec_command("both")
            assert (out.read(), err.read(), out.channel.recv_exit_status()) == (b"out\n", b"err\n", 3)
            _, out, _ = client.exec_command("much")
            assert len(out.read()) == MUCH
            with pytest.raises(paramiko.SSHException):
                client.open_sftp()
            channel = client.invoke_shell()
            channel.settimeout(LIMIT_SECONDS)
            channel.send(b"both\rquit\r")
            seen = b""
            while data := channel.recv(65536):
                seen += data
            assert (bool(TALK.search(seen.decode())), channel.recv_exit_status()) == (True, 0)
