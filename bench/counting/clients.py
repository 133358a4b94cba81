"""Clients that ask one question, each as the usual client of its protocol does, and wait for the end of the answer."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "127.0.0.1"
#: Of what `uptime` says.
EXPECTED = b"load average"
CHECK_NRPE = "/usr/lib/nagios/plugins/check_nrpe"
_SECONDS = 20

#: Asks for a command.
Ask = Callable[[str], None]


class WrongAnswerError(Exception):
    """What came is no answer; it is the text."""


def line(port: int, *, tls: bool = False) -> Ask:
    """Ask a line listener, a connection per question."""

    def ask(command: str) -> None:
        with _connected(port, tls=tls) as connection:
            said = connection.recv(4096)  # the greeting
            connection.sendall(command.encode() + b"\n")
            _require(said + _rest(connection))

    return ask


def web(port: int, *, tls: bool = False) -> Ask:
    """Ask a web listener, a connection per question."""

    def ask(command: str) -> None:
        request = f"GET /{command} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with _connected(port, tls=tls) as connection:
            connection.sendall(request.encode())
            _require(_rest(connection))

    return ask


def kept_web(port: int) -> Ask:
    """Ask a web listener, all questions on one connection."""
    connection = socket.create_connection((ADDRESS, port), _SECONDS)

    def ask(command: str) -> None:
        connection.sendall(f"GET /{command} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        said = b""
        while not said.endswith(b"0\r\n\r\n") and not _is_whole(said):
            chunk = connection.recv(65536)
            if not chunk:
                break
            said += chunk
        _require(said)

    return ask


def _is_whole(said: bytes) -> bool:
    """Whether a response is there that says how long it is."""
    head, _, body = said.partition(b"\r\n\r\n")
    lengths = [each.partition(b":")[2] for each in head.split(b"\r\n") if each.lower().startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0])


def ssh(port: int, key: Path, user: str, master: Path | None = None) -> Ask:
    """Ask an SSH listener with OpenSSH: a connection per question, or a channel of one that is kept."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes"]
    if master is not None:
        options += [f"ControlPath={master}", "ControlMaster=auto", "ControlPersist=60"]
    argv = ["ssh", "-F", "none", "-i", str(key), "-p", str(port)]
    argv += [word for option in options for word in ("-o", option)]

    def ask(command: str) -> None:
        # A master that goes on keeps what it has for standard error, so that is no pipe.
        _require(_output([*argv, f"{user}@{ADDRESS}", command]))

    return ask


def nrpe(port: int) -> Ask:
    """Ask an NRPE listener with check_nrpe."""

    def ask(command: str) -> None:
        _require(_output([CHECK_NRPE, "-H", ADDRESS, "-p", str(port), "-c", command]))

    return ask


def _output(argv: list[str]) -> bytes:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_SECONDS, check=False
    )
    return done.stdout


@contextmanager
def _connected(port: int, *, tls: bool) -> Iterator[socket.socket]:
    with socket.create_connection((ADDRESS, port), _SECONDS) as connection:
        if not tls:
            yield connection
            return
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(connection) as encrypted:
            yield encrypted


def _rest(connection: socket.socket) -> bytes:
    said = b""
    while chunk := connection.recv(65536):
        said += chunk
    return said


def _require(said: bytes) -> None:
    if EXPECTED not in said:
        raise WrongAnswerError(repr(said[-500:]))
