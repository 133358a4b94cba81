"""`cmdserver-probe` ends in time whatever it waits for, and loads no more than it needs."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.daemon import program
from tests.integration.probe_program import probe
from tests.probe.targets import Behaviour, drain, serving
from tests.probe.test_hostile import DATAGRAMS, STREAMS
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.slow

#: Octets that come one after the other, and are the beginning of something.
BEGINNINGS = {
    "tcp": b"almost ",
    "tls": b"\x16\x03\x03\x3f\xff",
    "http": b"HTTP/1.1 200 OK\r\nX: ",
    "smtp": b"220-hello\r\n220-",
    "pop3": b"+OK ",
    "imap": b"* OK ",
    "ftp": b"220-hello\r\n",
    "ssh": b"hello\r\nSSH-2.0-",
}


def dripping(first: bytes) -> Behaviour:
    """Send an octet now and then, without end: no wait for an octet is long."""

    def behave(client: socket.socket) -> None:
        for octet in first + b"x" * 10_000:
            client.sendall(bytes([octet]))
            time.sleep(0.02)

    return behave


def half_closing(client: socket.socket) -> None:
    """Take what comes, say nothing, and keep the connection."""
    drain(client)


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("behaviour", ["silent", "dripping"])
def test_streams(kind: str, behaviour: str) -> None:
    """Neither silence nor single octets keep it beyond its time; it says where it stood."""
    is_tls = kind not in BEGINNINGS or kind == "tls"
    first = BEGINNINGS["tls" if is_tls else kind]
    with serving(half_closing if behaviour == "silent" else dripping(first)) as port:
        result = probe(f"{STREAMS[kind].format(port=port)} --timeout 2")

    step = "tls" if is_tls else "answer" if kind in {"tcp", "http"} else "greeting"
    assert (result.status, result.errors) == (2, "")
    assert result.first_line.endswith(f": {step}: no answer within 2 s"), result.output
    assert result.labels[:3] == ["time", "resolve", "connect"]


@pytest.mark.parametrize("kind", DATAGRAMS)
def test_datagrams(kind: str) -> None:
    """Nobody answers."""
    with serving(half_closing, socket.SOCK_DGRAM) as port:
        result = probe(f"{DATAGRAMS[kind].format(port=port)} --timeout 2")

    assert (result.status, result.errors) == (2, "")
    assert result.first_line.endswith((": no answer within 2 s", ": no answer in time")), result.output


def _with_getaddrinfo(directory: Path, code: str) -> dict[str, str]:
    """Have the look-up of names be something else, in the real program."""
    (directory / "sitecustomize.py").write_text(
        f"import itertools, socket, time\nsocket.getaddrinfo = lambda *a, **k: {code}\n"
    )
    return {"PYTHONPATH": str(directory)}


def test_a_look_up_that_hangs(tmp_path: Path) -> None:
    """No socket's timeout is there yet: the watchdog ends it."""
    result = probe("tcp localhost:1 --timeout 1.5", _with_getaddrinfo(tmp_path, "time.sleep(3600)"))

    assert (result.status, result.errors) == (2, "")
    assert result.first_line == "CRITICAL - tcp localhost:1: resolve: no answer within 1.5 s"


def test_even_python_hangs(tmp_path: Path) -> None:
    """Where no thread of Python's comes to its turn, the kernel's timer ends the process."""
    result = probe("tcp localhost:1 --timeout 1.5", _with_getaddrinfo(tmp_path, "sum(itertools.repeat(0))"))

    assert (result.status, result.output) == (-14, "")


def test_nobody_reads_the_result() -> None:
    """A full pipe keeps nobody."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    try:
        words = [program("cmdserver-probe"), "tcp", "localhost:1", "--timeout", "1.5"]
        assert subprocess.run(words, stdout=write, timeout=LIMIT_SECONDS, check=False).returncode == -14
    finally:
        os.close(read)
        os.close(write)


def _loaded(kind: str, target: str) -> set[str]:
    """Name the modules that a probe loads."""
    code = (
        "import sys\nfrom cmdserver_probe.main import answer\n"
        f"answer([{kind!r}, {target!r}, '--timeout', '5'])\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


CLIENTS = {"poplib", "imaplib", "smtplib", "ftplib", "http.client", "dns"}


@pytest.mark.parametrize(
    ("kind", "target", "needed"),
    [
        ("tcp", "127.0.0.1:1", set()),
        ("ssh", "127.0.0.1:1", set()),
        ("ntp", "127.0.0.1:1", set()),
        ("http", "http://127.0.0.1:1/", {"http.client"}),
        ("tls", "127.0.0.1:1", set()),
        ("smtp", "127.0.0.1:1", {"smtplib"}),
        ("pop3", "127.0.0.1:1", {"poplib"}),
        ("imap", "127.0.0.1:1", {"imaplib"}),
        ("ftp", "127.0.0.1:1", {"ftplib"}),
        ("dns", "localhost", {"dns"}),
    ],
)
def test_only_what_is_needed_is_loaded(kind: str, target: str, needed: set[str]) -> None:
    """Neither the daemon, nor Twisted, nor the other kinds' clients; and no TLS for those that have none."""
    loaded = _loaded(kind, target)

    assert {each for each in loaded if each.split(".")[0] in {"cmdserver", "twisted", "zope", "OpenSSL"}} == set()
    assert loaded & CLIENTS == needed
    assert {each for each in loaded if each.startswith("cmdserver_probe.kinds.")} == {f"cmdserver_probe.kinds.{kind}"}
    if kind in {"tcp", "ssh", "ntp"}:
        assert loaded & {"ssl", "dataclasses", "json", "cryptography", "inspect"} == set()


def test_without_dnspython(tmp_path: Path) -> None:
    """It is said what to install."""
    (tmp_path / "dns.py").write_text("raise ImportError")
    result = probe("dns example.org", {"PYTHONPATH": str(tmp_path)})

    assert result.status == 3
    assert "dnspython is not installed: pip install 'cmdserver[probe]'" in result.first_line


def test_wrong_usage() -> None:
    """It is UNKNOWN, on standard output as a plugin's."""
    result = probe("tcp localhost:1 --tim 3")

    assert (result.status, result.errors) == (3, "")
    assert result.output.startswith("UNKNOWN: unrecognized arguments: --tim 3\n")
