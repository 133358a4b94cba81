"""What the SSH listener does when much is asked of it at once, slowly, or by nobody who logs in."""

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from tests.integration.daemon import Daemon, Listener, is_listening, running, shell
from tests.integration.logins import LENIENT, USERS, logins, write_passwords
from tests.integration.ssh import NO_STATUS, SSH, authorize, make_key
from tests.waiting import LIMIT_SECONDS, wait_until, wait_until_steady

pytestmark = pytest.mark.slow

LISTENER = Listener(protocol="ssh")
MUCH = 50_000_000
#: Numbered lines, so that nothing can be missing, doubled or in another order unseen.
NUMBERS = f"seq 10000000 | head -c {MUCH}"

COMMANDS: Mapping[str, Mapping[str, object]] = {
    "uptime": {"run": ["uptime"]},
    "df": shell("echo full"),
    "much": shell(NUMBERS, output_limit_bytes=MUCH, timeout_seconds=120),
    # Each of eight waits until there are eight.
    "meet": shell("echo x >>met; until [ $(wc -l <met) -ge 8 ]; do sleep 0.02; done; echo met"),
    "held": shell("until [ -e go ]; do sleep 0.02; done; echo held"),
    "forever": shell("exec sleep 60"),
    "endless": shell("exec yes", output_limit_bytes=10**12),
}
ROLES: Mapping[str, Mapping[str, object]] = {"admin": {"commands": ["*"], "users": ["alice"]}}


def _working_in(directory: Path) -> Mapping[str, Mapping[str, object]]:
    return {name: {**each, "working_directory": str(directory)} for name, each in COMMANDS.items()}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with an SSH listener."""
    limits = {**LENIENT, "running": 32}
    directory = tmp_path_factory.mktemp("daemon")
    with running(directory, _working_in(directory), listeners=[LISTENER], roles=ROLES, limits=limits) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


@pytest.fixture
def alice(daemon: Daemon, tmp_path: Path) -> SSH:
    """Give somebody with a key."""
    key = make_key(tmp_path)
    authorize(daemon, "alice", key)
    return SSH(listener=LISTENER, directory=tmp_path, key=key)


def digest_of_much() -> str:
    """Compute what all of it should be."""
    made = subprocess.run(["sh", "-c", NUMBERS], capture_output=True, check=True, env={**os.environ, "LANG": "C"})
    return hashlib.sha256(made.stdout).hexdigest()


def digest_of(pipe: IO[bytes]) -> str:
    """Compute what came of it."""
    digest = hashlib.sha256()
    while data := pipe.read(65536):
        digest.update(data)
    return digest.hexdigest()


def test_several_at_once(alice: SSH, tmp_path: Path) -> None:
    """Eight commands on one connection run side by side (ControlMaster)."""
    shared = replace(alice, options={"ControlPath": str(tmp_path / "master")})
    master = shared.start("-M", "-N", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until((tmp_path / "master").exists, "the master connection")
        asked = [shared.start("meet", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(8)]
        answers = [client.communicate(timeout=LIMIT_SECONDS)[0] for client in asked]

        assert answers == [b"met\n"] * 8
        assert [client.returncode for client in asked] == [0] * 8
        for _ in range(20):
            assert shared.run("df").stdout == b"full\n"
    finally:
        master.kill()
        master.wait()


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"])
def test_much_output_under_changing_keys(alice: SSH, cipher: str) -> None:
    """Fifty megabytes arrive whole while keys are changed for every one of them."""
    with replace(alice, options={"RekeyLimit": "1M", "Ciphers": cipher}).start(
        "much", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        found = digest_of(client.stdout)

    assert (found, client.returncode) == (digest_of_much(), 0)


def test_a_slow_reader(daemon: Daemon, alice: SSH) -> None:
    """Who does not read costs no memory, and misses nothing."""
    alice.run("df")
    before = daemon.rss_bytes()
    with alice.start("much", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        wait_until(daemon.processes, "it runs")
        wait_until_steady(daemon.cpu_ticks, "rest, as nothing is read")
        grown = daemon.rss_bytes() - before
        found = digest_of(client.stdout)

    assert grown < 8 << 20
    assert (found, client.returncode) == (digest_of_much(), 0)


@pytest.mark.parametrize("command", ["forever", "endless"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_client_that_is_killed(daemon: Daemon, alice: SSH, command: str, number: signal.Signals) -> None:
    """What somebody asked for who is gone is ended."""
    client = alice.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(daemon.processes, "it runs")
    client.send_signal(number)
    client.wait()

    wait_until(lambda: not daemon.processes(), "it is ended")


def test_three_hundred_channels(daemon: Daemon, alice: SSH) -> None:
    """A flood of channels on one connection gets ten of them, and the connection is as good as before."""
    asyncssh: Any = pytest.importorskip("asyncssh")

    async def flood() -> tuple[int, str]:
        options = {"known_hosts": None, "username": "alice", "client_keys": [str(alice.key)], "config": None}
        async with asyncssh.connect("127.0.0.1", LISTENER.port, **options) as connection:
            opening = [connection.create_process("forever") for _ in range(300)]
            results: list[Any] = await asyncio.gather(*opening, return_exceptions=True)
            opened = [each for each in results if not isinstance(each, BaseException)]
            for process in opened:
                process.close()
                await process.wait_closed()
            answer = await connection.run("df")
            return len(opened), str(answer.stdout)

    assert asyncio.run(flood()) == (10, "full\n")
    wait_until(lambda: not daemon.processes(), "they are ended")


def test_silence(tmp_path: Path) -> None:
    """Who does not log in is cut off in time, however far they have come, and at once who comes too often."""
    listener = Listener(protocol="ssh")
    with running(
        tmp_path, COMMANDS, listeners=[listener], roles=ROLES, limits={"login_seconds": 1, **LENIENT}
    ) as daemon:
        write_passwords(daemon, USERS)
        began = time.monotonic()
        silent = _knock(listener)
        named = _knock(listener)
        named.sendall(b"SSH-2.0-test\r\n")
        helper = SSH(listener=listener, directory=tmp_path, options={"PreferredAuthentications": "password"})
        environment = {**helper.environment(), "SSH_ASKPASS": _write_sleeper(tmp_path)}
        asked = subprocess.Popen(
            helper.command_line("df"), env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for connection in (silent, named):
            _read_all(connection)
            assert time.monotonic() - began >= 1
        _, said = asked.communicate(timeout=LIMIT_SECONDS)
        assert (asked.returncode, b"nobody has logged in within 1 s" in said) == (NO_STATUS, True)


def _write_sleeper(directory: Path) -> str:
    """Write an askpass that takes its time."""
    sleeper = directory / "sleeper"
    sleeper.write_text("#!/bin/sh\nsleep 2\necho x\n", "ascii")
    sleeper.chmod(0o700)
    return str(sleeper)


def _knock(listener: Listener, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), LIMIT_SECONDS, (source, 0))


def _read_all(connection: socket.socket) -> bytes:
    said = b""
    with connection, suppress(ConnectionResetError):
        while data := connection.recv(65536):
            said += data
    return said


def test_too_many_strangers(tmp_path: Path) -> None:
    """As with sshd's MaxStartups: when too many have not logged in, others have to wait, and are told no more."""
    listener = Listener(protocol="ssh")
    with running(
        tmp_path, COMMANDS, listeners=[listener], roles=ROLES, limits={"unauthenticated": "2:100:2", **LENIENT}
    ):
        first, second = _knock(listener), _knock(listener)
        assert first.recv(100).startswith(b"SSH-2.0-cmdserver\r\n")
        assert second.recv(100).startswith(b"SSH-2.0-cmdserver\r\n")
        assert _read_all(_knock(listener)) == b"Not allowed at this time\r\n"
        first.close()
        wait_until(lambda: _is_welcome(listener), "room")
        second.close()


def test_too_many_strangers_of_one_source(tmp_path: Path) -> None:
    """As with sshd's PerSourceMaxStartups: one address that says nothing keeps nobody else out."""
    listener = Listener(protocol="ssh")
    limits = {"unauthenticated": "10:100:10", "unauthenticated_per_source": 2, **LENIENT}
    with running(tmp_path, COMMANDS, listeners=[listener], roles=ROLES, limits=limits), ExitStack() as stack:
        silent = [stack.enter_context(_knock(listener)) for _ in range(20)]
        welcomed = [each.recv(100).startswith(b"SSH-") for each in silent]
        with socket.create_connection(
            ("127.0.0.1", listener.port), LIMIT_SECONDS, source_address=("127.0.0.9", 0)
        ) as other:
            assert other.recv(100).startswith(b"SSH-")
    assert welcomed == [True] * 2 + [False] * 18


def _is_welcome(listener: Listener) -> bool:
    with _knock(listener) as connection:
        return connection.recv(100).startswith(b"SSH-")


def test_penalties(tmp_path: Path) -> None:
    """Who fails again and again has to wait at the listener, for all ways of logging in; it is written down."""
    listener = Listener(protocol="ssh")
    with running(tmp_path, COMMANDS, listeners=[listener], roles=ROLES) as daemon:
        write_passwords(daemon, USERS)
        options = {"PreferredAuthentications": "password,keyboard-interactive", "NumberOfPasswordPrompts": "9"}
        guesser = SSH(listener=listener, directory=tmp_path, password="wrong", options=options)
        for _ in range(4):
            assert guesser.run("df").returncode == NO_STATUS
        wait_until(lambda: _read_all(_knock(listener)) == b"Not allowed at this time\r\n", "the penalty")
        assert len([each for each in logins(daemon) if each["reason"] == "wrong password"]) == 12


def test_stopping(tmp_path: Path) -> None:
    """What runs at SIGTERM is answered; then the connection ends, and so does the daemon."""
    listener = Listener(protocol="ssh")
    limits = {"drain_seconds": 1000}
    with running(tmp_path, _working_in(tmp_path), listeners=[listener], roles=ROLES, limits=limits) as daemon:
        key = make_key(tmp_path)
        authorize(daemon, "alice", key)
        alice = SSH(listener=listener, directory=tmp_path, key=key)
        client = alice.start("held", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        idle = alice.start("-N", stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: len(logins(daemon)) == 2, "both have logged in")
        wait_until(daemon.processes, "it runs")
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(listener.address), "nobody else is let in")
        (tmp_path / "go").touch()

        daemon.wait()
        assert (client.communicate(timeout=LIMIT_SECONDS)[0], client.returncode) == (b"held\n", 0)
        assert idle.wait(LIMIT_SECONDS) == NO_STATUS


def test_reloading(tmp_path: Path) -> None:
    """At SIGHUP connections go on, with the new commands; a listener that is new is open."""
    listener = Listener(protocol="ssh")
    with running(tmp_path, COMMANDS, roles=ROLES) as daemon:
        write_passwords(daemon, USERS)
        daemon.configure(COMMANDS, listeners=[listener], roles=ROLES)
        daemon.reload()
        shared = SSH(listener=listener, directory=tmp_path, options={"ControlPath": str(tmp_path / "master")})
        master = shared.start("-M", "-N", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_until((tmp_path / "master").exists, "the master connection")
            assert shared.run("newer").returncode == 127
            daemon.configure({**COMMANDS, "newer": shell("echo new")}, listeners=[listener], roles=ROLES)
            daemon.reload()
            assert shared.run("newer").stdout == b"new\n"
        finally:
            master.kill()  # a signal that comes just before it waits for input would be heard with the next
            master.wait()
