"""The program `cmdserver-probe`, and real servers on free ports of loopback for it to ask."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.integration.daemon import is_listening, program
from tests.waiting import LIMIT_SECONDS, wait_until

PASSWORD = "secret-word"  # noqa: S105


@dataclass(frozen=True)
class Result:
    """What the program printed, and its exit status."""

    status: int
    output: str
    errors: str

    @property
    def first_line(self) -> str:
        """The first line, without performance data."""
        return self.output.split("\n", 1)[0].partition(" | ")[0]

    @property
    def labels(self) -> list[str]:
        """The labels of the performance data."""
        performance = self.output.split("\n", 1)[0].partition(" | ")[2]
        return [each.split("=")[0].strip("'") for each in shlex.split(performance)]


def probe(line: str, environment: Mapping[str, str] | None = None) -> Result:
    """Run it; one that does not end, or prints a traceback, fails the test."""
    done = subprocess.run(
        [program("cmdserver-probe"), *shlex.split(line)],
        capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Give a directory that a server can use, whomever it becomes; with certificates and a password in it."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    certificate = authority.issue_cert(
        "localhost", "127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=90), key_type=trustme.KeyType.ECDSA
    )
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(directory / "cert.pem"), append=True)
    (directory / "password").write_text(f"{PASSWORD}\n")
    (directory / "password").chmod(0o600)
    (directory / "wrong-password").write_text("another\n")
    (directory / "wrong-password").chmod(0o600)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def started(command: Sequence[str], port: int, kind: int = socket.SOCK_STREAM) -> Iterator[None]:
    """Start a server, wait until it listens, and end it with all its children."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed here")
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        wait_until(lambda: server.poll() is not None or _is_open(port, kind), f"{command[0]} listens")
        assert server.poll() is None, server.communicate()[0].decode()
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=LIMIT_SECONDS)


def _is_open(port: int, kind: int) -> bool:
    if kind == socket.SOCK_STREAM:
        return is_listening(("127.0.0.1", port))
    needle = f":{port:04X} 00000000:0000 07"
    return needle in Path("/proc/net/udp").read_text("ascii")


#: How a Python program is started that is a module.
PYTHON = (sys.executable, "-W", "ignore", "-m")
