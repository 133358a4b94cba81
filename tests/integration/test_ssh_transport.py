"""Tests of the SSH transport with the clients that people have."""

import asyncio
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko  # type: ignore[import-untyped]
import pytest

from tests.integration.daemon import Listener, running
from tests.integration.logins import write_passwords
from tests.integration.ssh_bytes import pattern
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

USER, PASSWORD = "visitor", "let me in"
MEGABYTE = 1 << 20
#: As the issue of long sessions has it: many keys, and not a byte lost.
MUCH_BYTES = 50 * MEGABYTE
ROOT = Path(__file__).parents[2]


class Server:
    """The server of `ssh_bytes`.

    Args:
        rekey_bytes: After how many bytes it changes keys; 0 for its default.
    """

    def __init__(self, rekey_bytes: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.ssh_bytes", str(rekey_bytes)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.line().split()[1])

    def line(self) -> str:
        """Read the next thing that it says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def session(self) -> list[str]:
        """Read which keys were agreed on in the session that is over now."""
        keys: list[str] = []
        while (line := self.line()) != "lost":
            keys.append(line)
        return keys

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Give a server with the default limits."""
    running = Server()
    yield running
    running.end()


@pytest.fixture(scope="module")
def rekeying_server() -> Iterator[Server]:
    """Give a server that changes keys after each megabyte."""
    running = Server(MEGABYTE)
    yield running
    running.end()


@pytest.fixture(scope="module")
def askpass(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a program that knows the password."""
    script = tmp_path_factory.mktemp("askpass") / "askpass"
    script.write_text(f"#!/bin/sh\necho '{PASSWORD}'\n", encoding="ascii")
    script.chmod(0o700)
    return script


def needs(program: str, package: str) -> None:
    """Skip a test without this program."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not there; Debian has it in {package}")


def run(argv: list[str], *, given: bytes = b"", **environment: str) -> bytes:
    """Run a client and return its output; it has to end well."""
    done = subprocess.run(
        argv, input=given, capture_output=True, timeout=LIMIT_SECONDS, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


#: Without these two nobody would come in who has no ML-KEM.
NOT_FOR_THE_DAY_OF_QUANTUM_COMPUTERS = [
    (name, "[warn] does not provide protection against post-quantum attacks")
    for name in ("curve25519-sha256", "curve25519-sha256@libssh.org")
]


def found_by_ssh_audit(port: int, *options: str) -> list[tuple[str, str]]:
    """List what ssh-audit fails or warns of: an algorithm, and what is wrong with it."""
    done = subprocess.run(
        [sys.executable, "-m", "ssh_audit.ssh_audit", "-n", *options, "-p", str(port), "127.0.0.1"],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert "(kex) mlkem768x25519-sha256" in done.stdout, done.stdout
    found = [line for line in done.stdout.splitlines() if "[fail]" in line or "[warn]" in line]
    return [(line.split()[1], "[" + line.partition("[")[2]) for line in found]


def ssh(server: Server, askpass: Path, command: str, *options: str, given: bytes = b"") -> bytes:
    """Run OpenSSH's client."""
    needs("ssh", "openssh-client")
    own = ["-F", "/dev/null", "-p", str(server.port), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    own += ["-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=password"]
    return run(
        ["ssh", *own, *options, f"{USER}@127.0.0.1", command],
        given=given,
        SSH_ASKPASS=str(askpass),
        SSH_ASKPASS_REQUIRE="force",
    )


SUITES = [
    *((cipher, "hmac-sha2-256") for cipher in ("chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com")),
    ("aes128-gcm@openssh.com", "hmac-sha2-256"),
    *(
        (cipher, mac)
        for cipher in ("aes256-ctr", "aes192-ctr", "aes128-ctr")
        for mac in ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
    ),
]


@pytest.mark.parametrize(("cipher", "mac"), SUITES)
def test_openssh_with_each_suite(server: Server, askpass: Path, cipher: str, mac: str) -> None:
    """OpenSSH understands each cipher and MAC, with megabytes of them in both directions."""
    sent = pattern(3 * MEGABYTE)

    given = ssh(server, askpass, f"give {len(sent) // 3}", "-c", cipher, "-m", mac)
    (keys,) = server.session()
    taken = ssh(server, askpass, "take", "-c", cipher, "-m", mac, given=sent)
    server.session()

    assert given == sent[: len(sent) // 3]
    assert taken.decode().split() == [str(len(sent)), hashlib.sha256(sent).hexdigest()]
    assert keys.split()[3:5] == [cipher, "-" if "ctr" not in cipher else mac]
    assert keys.endswith(" strict")


@pytest.mark.parametrize("method", ["curve25519-sha256", "curve25519-sha256@libssh.org", "mlkem768x25519-sha256"])
@pytest.mark.parametrize("host_key", ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"])
def test_openssh_with_each_method(server: Server, askpass: Path, method: str, host_key: str) -> None:
    """OpenSSH exchanges keys in each way, and finds the signature of each kind of host key right."""
    needs("ssh", "openssh-client")
    known = run(["ssh", "-Q", "kex"]).decode().split()
    if method not in known:
        pytest.skip(f"this OpenSSH has no {method}")

    output = ssh(server, askpass, "hello", "-o", f"KexAlgorithms={method}", "-o", f"HostKeyAlgorithms={host_key}")

    assert output == b"hello\n"
    assert server.session()[0].split()[1:3] == [method, host_key]


@pytest.mark.parametrize("cipher", ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"])
@pytest.mark.parametrize("who", ["client", "server", "both"])
def test_openssh_changes_keys_all_the_time(
    server: Server, rekeying_server: Server, askpass: Path, cipher: str, who: str
) -> None:
    """Nothing is lost over fifty megabytes each way, whichever side asks for new keys after each."""
    used = server if who == "client" else rekeying_server
    limit = "RekeyLimit=default" if who == "server" else "RekeyLimit=1M"
    sent = pattern(MUCH_BYTES // 5)

    given = ssh(used, askpass, f"give {MUCH_BYTES}", "-c", cipher, "-o", limit)
    exchanges = len(used.session())
    taken = ssh(used, askpass, "take", "-c", cipher, "-o", limit, given=sent)
    used.session()

    assert hashlib.sha256(given).hexdigest() == hashlib.sha256(pattern(MUCH_BYTES)).hexdigest()
    assert taken.decode().split() == [str(len(sent)), hashlib.sha256(sent).hexdigest()]
    # Until the client goes over to the new key, output goes on under ours: as much again as its window is.
    assert exchanges > MUCH_BYTES / MEGABYTE / 5


def test_dropbear(rekeying_server: Server) -> None:
    """Dropbear's client has no encrypt-then-MAC, guesses another method than ours, and comes in with ChaCha20."""
    needs("dbclient", "dropbear-bin")

    given = run(
        ["dbclient", "-y", "-y", "-p", str(rekeying_server.port), f"{USER}@127.0.0.1", f"give {5 * MEGABYTE}"],
        DROPBEAR_PASSWORD=PASSWORD,
    )

    # Before the output there is an empty line, which is for a terminal.
    assert given.removeprefix(b"\n") == pattern(5 * MEGABYTE)
    keys = rekeying_server.session()
    assert "chacha20-poly1305@openssh.com" in keys[0]
    assert len(keys) > 1


def test_late_dropbear(rekeying_server: Server) -> None:
    """A dropbear as it was before it had ChaCha20 comes in with RFC 4253's own MAC, which nobody else is offered."""
    needs("dbclient", "dropbear-bin")

    given = run(
        [
            *("dbclient", "-y", "-y", "-c", "aes128-ctr", "-m", "hmac-sha2-256"),
            *("-p", str(rekeying_server.port), f"{USER}@127.0.0.1", f"give {2 * MEGABYTE}"),
        ],
        DROPBEAR_PASSWORD=PASSWORD,
    )

    assert given.removeprefix(b"\n") == pattern(2 * MEGABYTE)
    assert "hmac-sha2-256" in rekeying_server.session()[0]


@pytest.mark.parametrize("version", ["libssh2_1.10.0", "Renci.SshNet.SshClient.0.0.1"])
@pytest.mark.parametrize("mac", ["hmac-sha2-256", "hmac-sha2-512"])
def test_late_libraries(rekeying_server: Server, version: str, mac: str) -> None:
    """What libssh2 and SSH.NET had for years is enough for who says to be one of them, also for megabytes."""

    def given(identification: str) -> bytes:
        connection = socket.create_connection(("127.0.0.1", rekeying_server.port))
        with paramiko.Transport(connection, strict_kex=False) as client:
            client.local_version = f"SSH-2.0-{identification}"
            options = client.get_security_options()
            options.ciphers, options.digests = ("aes256-ctr",), (mac,)
            client.connect(username=USER, password=PASSWORD)
            channel = client.open_session()
            channel.exec_command(f"give {3 * MEGABYTE}")
            return b"".join(iter(lambda: channel.recv(1 << 16), b""))

    assert given(version) == pattern(3 * MEGABYTE)
    keys = rekeying_server.session()
    assert keys[0].split()[3:] == ["aes256-ctr", mac, "not-strict"]
    assert len(keys) > 1
    with pytest.raises(paramiko.SSHException):
        given("paramiko")
    rekeying_server.session()


def test_curl(tmp_path: Path) -> None:
    """Curl's scp:, with the libssh2 that it has, logs in and asks for what nobody here has."""
    needs("curl", "curl")
    if b" scp " not in run(["curl", "-V"]):
        pytest.skip("this curl speaks no SSH")
    listener = Listener(protocol="ssh")
    with running(tmp_path, {"uptime": {"run": ["uptime"]}}, listeners=[listener]) as daemon:
        write_passwords(daemon, {USER: PASSWORD})
        url = f"scp://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{listener.port}/uptime"
        subprocess.run(["curl", "-sS", "-k", url], capture_output=True, timeout=LIMIT_SECONDS, check=False)
        told = [(each["event"], each["user"], each["outcome"]) for each in daemon.audit()]
        assert told[-2:] == [("login", USER, "ok"), ("request", USER, "unknown_command")]


def test_plink(rekeying_server: Server) -> None:
    """PuTTY's client comes in, and takes megabytes under more than one key."""
    needs("plink", "putty-tools")
    needs("ssh-keyscan", "openssh-client")
    scanned = run(["ssh-keyscan", "-p", str(rekeying_server.port), "-t", "ed25519", "127.0.0.1"])
    rekeying_server.session()
    fingerprint = run(["ssh-keygen", "-lf", "-"], given=scanned).decode().split()[1]

    options = ["-batch", "-P", str(rekeying_server.port), "-pw", PASSWORD, "-hostkey", fingerprint]
    given = run(["plink", "-ssh", *options, f"{USER}@127.0.0.1", f"give {5 * MEGABYTE}"])

    assert given == pattern(5 * MEGABYTE)
    assert len(rekeying_server.session()) > 1


@pytest.mark.parametrize("method", ["mlkem768x25519-sha256", "curve25519-sha256"])
def test_asyncssh(rekeying_server: Server, method: str) -> None:
    """AsyncSSH comes in, with ML-KEM too, and takes megabytes under more than one key."""

    async def given() -> bytes:
        async with asyncssh.connect(
            "127.0.0.1",
            rekeying_server.port,
            username=USER,
            password=PASSWORD,
            known_hosts=None,
            config=None,
            client_keys=None,
            kex_algs=[method],
        ) as connection:
            done = await connection.run(f"give {5 * MEGABYTE}", encoding=None)
            assert isinstance(done.stdout, bytes)
            return done.stdout

    assert asyncio.run(given()) == pattern(5 * MEGABYTE)
    keys = rekeying_server.session()
    assert keys[0].split()[1] == method
    assert len(keys) > 1


def test_paramiko(rekeying_server: Server) -> None:
    """Paramiko comes in, and takes megabytes under more than one key."""
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("127.0.0.1", rekeying_server.port, USER, PASSWORD, allow_agent=False, look_for_keys=False)
        _, output, _ = client.exec_command(f"give {5 * MEGABYTE}")
        given = output.read()

    assert given == pattern(5 * MEGABYTE)
    assert len(rekeying_server.session()) > 1


def test_what_ssh_audit_says(server: Server) -> None:
    """No failure, and no warning but that clients without ML-KEM, which are let in, have nothing like it."""
    # The rate at which connections are taken is limited by who listens, which is not part of the transport.
    assert found_by_ssh_audit(server.port, "--skip-rate-test") == NOT_FOR_THE_DAY_OF_QUANTUM_COMPUTERS


def test_what_ssh_audit_says_of_the_daemon(tmp_path: Path) -> None:
    """The same, and nothing of the rate at which it takes connections from one source."""
    listener = Listener(protocol="ssh")
    with running(tmp_path, {"uptime": {"run": ["uptime"]}}, listeners=[listener]):
        assert found_by_ssh_audit(listener.port) == NOT_FOR_THE_DAY_OF_QUANTUM_COMPUTERS
