"""Tests of the SSH transport with the clients that people have."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko  # type: ignore[import-untyped]
import pytest

from tests.integration.ssh_bytes import pattern

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
        argv, input=given, capture_output=True, timeout=30, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


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
    assert exchanges > MUCH_BYTES / MEGABYTE / 3


def test_dropbear(server: Server) -> None:
    """Dropbear's client has no encrypt-then-MAC, guesses another method than ours, and comes in with ChaCha20."""
    needs("dbclient", "dropbear-bin")

    output = run(
        ["dbclient", "-y", "-y", "-p", str(server.port), f"{USER}@127.0.0.1", "hello"], DROPBEAR_PASSWORD=PASSWORD
    )

    assert output.endswith(b"hello\n")
    assert "chacha20-poly1305@openssh.com" in server.session()[0]


def test_plink(server: Server) -> None:
    """PuTTY's client comes in."""
    needs("plink", "putty-tools")
    needs("ssh-keyscan", "openssh-client")
    scanned = run(["ssh-keyscan", "-p", str(server.port), "-t", "ed25519", "127.0.0.1"])
    server.session()
    fingerprint = run(["ssh-keygen", "-lf", "-"], given=scanned).decode().split()[1]

    options = ["-batch", "-P", str(server.port), "-pw", PASSWORD, "-hostkey", fingerprint]
    output = run(["plink", "-ssh", *options, f"{USER}@127.0.0.1", "hello"])

    assert output == b"hello\n"
    server.session()


@pytest.mark.parametrize("method", ["mlkem768x25519-sha256", "curve25519-sha256"])
def test_asyncssh(rekeying_server: Server, method: str) -> None:
    """AsyncSSH comes in, with ML-KEM too, and takes megabytes under many keys."""

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

    assert len(asyncio.run(given())) == 5 * MEGABYTE
    keys = rekeying_server.session()
    assert keys[0].split()[1] == method
    assert len(keys) > 3


def test_paramiko(rekeying_server: Server) -> None:
    """Paramiko comes in, and takes megabytes under many keys."""
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("127.0.0.1", rekeying_server.port, USER, PASSWORD, allow_agent=False, look_for_keys=False)
        _, output, _ = client.exec_command(f"give {5 * MEGABYTE}")
        given = output.read()

    assert len(given) == 5 * MEGABYTE
    assert len(rekeying_server.session()) > 3


def test_what_ssh_audit_says(server: Server) -> None:
    """No failure, and no warning but that clients without ML-KEM, which are let in, have nothing like it."""
    done = subprocess.run(
        # The rate at which connections are taken is limited by who listens, which is not part of the transport.
        [sys.executable, "-m", "ssh_audit.ssh_audit", "-n", "--skip-rate-test", "-p", str(server.port), "127.0.0.1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    found = [line for line in done.stdout.splitlines() if "[fail]" in line or "[warn]" in line]
    assert [line.split()[1] for line in found] == ["curve25519-sha256", "curve25519-sha256@libssh.org"], done.stdout
    assert all("post-quantum" in line for line in found)
