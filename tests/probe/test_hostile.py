"""Tests of targets that break the protocol, of every kind: each is CRITICAL, with the step at which it stopped."""

import shlex
import socket
import time

import pytest

from cmdserver_probe.main import outcome
from cmdserver_probe.options import parse
from cmdserver_probe.report import Finding, State
from cmdserver_probe.run import Run
from cmdserver_probe.steps import Steps
from cmdserver_probe.target import Target
from tests.probe.targets import Behaviour, answering, closing, flooding, resetting, saying, serving

#: A command line for each kind that connects.
STREAMS = {
    "tcp": "tcp 127.0.0.1:{port} --expect welcome",
    "tls": "tls 127.0.0.1:{port}",
    "http": "http http://127.0.0.1:{port}/",
    "https": "http https://127.0.0.1:{port}/",
    "smtp": "smtp 127.0.0.1:{port}",
    "smtps": "smtp 127.0.0.1:{port} --tls",
    "pop3": "pop3 127.0.0.1:{port}",
    "pop3s": "pop3 127.0.0.1:{port} --tls",
    "imap": "imap 127.0.0.1:{port}",
    "imaps": "imap 127.0.0.1:{port} --tls",
    "ftp": "ftp 127.0.0.1:{port}",
    "ftps": "ftp 127.0.0.1:{port} --tls",
    "ssh": "ssh 127.0.0.1:{port}",
}
DATAGRAMS = {
    "udp": "udp 127.0.0.1:{port} --send x --expect welcome",
    "ntp": "ntp 127.0.0.1:{port}",
    "dns": "dns h.example --server 127.0.0.1:{port}",
}
RUBBISH = bytes(range(256)) * 2 + b"|\r\n"
BEHAVIOURS: dict[str, Behaviour] = {
    "rubbish": saying(RUBBISH),
    "numbers": saying(b"999 \xff\r\n"),
    "closes": closing,
    "resets": resetting,
    "a line without end": flooding(b"", b"x"),
    "lines without end": flooding(b"", b"\r\n"),
    "a greeting without end": flooding(b"", b"220-hello\r\n"),
    "untagged answers without end": flooding(b"* OK hello\r\n", b"* OK hello\r\n"),
    "headers without end": flooding(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "continuations without end": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a literal without end": flooding(b"* OK hello\r\n* X {99999999999999999999}\r\n", b"x"),
    "a large literal": flooding(b"* OK hello\r\n* X {2000000000}\r\n", b"x"),
}


def probed(line: str, port: int) -> tuple[Run, Finding]:
    """Probe in this process: whatever raises here would be a traceback."""
    run = Run(parse(shlex.split(line.format(port=port))), Target("", 0), Steps(time.monotonic))
    return run, outcome(run)


# Python does not close a socket that was reset just before TLS begins on it.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <cmdserver_probe.tls:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("kind", STREAMS)
def test_streams(kind: str, behaviour: str) -> None:
    """Neither rubbish, nor nothing, nor too much is an answer."""
    with serving(BEHAVIOURS[behaviour]) as port:
        run, finding = probed(STREAMS[kind], port)

    assert finding.state is State.CRITICAL, finding.text
    assert run.steps.current in {"tls", "greeting", "answer"}
    assert finding.text


@pytest.mark.parametrize("answer", [b"", RUBBISH, bytes(48), bytes(12), b"\xff" * 48, b"x" * 60000])
@pytest.mark.parametrize("kind", DATAGRAMS)
def test_datagrams(kind: str, answer: bytes) -> None:
    """A datagram may hold anything."""
    with serving(answering(answer), socket.SOCK_DGRAM) as port:
        run, finding = probed(DATAGRAMS[kind], port)

    assert (finding.state, run.steps.current) == (State.CRITICAL, "answer" if kind == "udp" else "query"), finding.text


@pytest.mark.parametrize("kind", [*STREAMS, *DATAGRAMS])
def test_nobody_is_there(kind: str) -> None:
    """Who does not listen refuses, and says so; by UDP as well."""
    is_stream = kind in STREAMS
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        if not is_stream:
            taken.close()
        run, finding = probed((STREAMS | DATAGRAMS)[kind], port)

    assert (finding.text, finding.state) == ("connection refused", State.CRITICAL)
    assert run.steps.current == {"udp": "answer", "ntp": "query", "dns": "query"}.get(kind, "connect")


def test_a_body_without_end() -> None:
    """So much is read as is looked at, and that there is more is said."""
    with serving(flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"x")) as port:
        _, finding = probed(STREAMS["http"], port)

    assert (finding.state, finding.text[:31]) == (State.OK, "200 OK, 1048576 bytes or more i")


def test_a_body_that_is_cut() -> None:
    """Less than was announced is no answer."""
    with serving(lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")) as port:
        run, finding = probed(STREAMS["http"], port)

    assert (finding.state, run.steps.current) == (State.CRITICAL, "body"), finding.text


def test_what_a_target_says_is_shown() -> None:
    """As far as it is the reason; its control characters are not."""
    with serving(saying(b"-ERR \x1b[2J|so\r\n")) as port:
        _, finding = probed(STREAMS["pop3"], port)

    assert finding.text == "the target says: -ERR \x1b[2J|so"  # the report makes it printable
