"""`cmdserver-probe` as a command of the daemon, with a host that the caller names."""

import socket
from collections.abc import Iterator

import pytest

from tests.integration.daemon import Daemon, program, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Give a port of this host where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Daemon]:
    """Start the daemon with a probe of one network."""
    probe = {
        "run": [program("cmdserver-probe"), "tcp", "--timeout", "5", "--", f"{{host}}:{port}"],
        "check": True,
        "read_only": True,
        "parameters": [{"name": "host", "type": "host", "networks": ["127.0.0.0/30"], "names": ["localhost"]}],
    }
    with running(tmp_path_factory.mktemp("daemon"), {"open": probe}) as daemon:
        yield daemon


def test_a_host_of_ones_own(daemon: Daemon, port: int) -> None:
    """The state and the times are the daemon's answer."""
    answer = daemon.ask_json("open localhost")

    assert answer["check"]["state"] == "OK", answer
    assert answer["check"]["text"].startswith(f"OK - tcp localhost:{port}: accepts connections in ")
    assert [each["label"] for each in answer["check"]["performance"]] == ["time", "resolve", "connect"]


def test_where_nobody_listens(daemon: Daemon, port: int) -> None:
    """CRITICAL is an answer, too."""
    answer = daemon.ask_json("open 127.0.0.2")

    assert answer["check"]["state"] == "CRITICAL", answer
    assert answer["check"]["text"] == f"CRITICAL - tcp 127.0.0.2:{port}: connect: connection refused"


@pytest.mark.parametrize("host", ["127.0.0.9", "elsewhere.example", "--help", "-6", "localhost:1"])
def test_other_hosts(daemon: Daemon, host: str) -> None:
    """Nobody is asked whom the file does not allow, and no host is an option."""
    answer = daemon.ask_json(f"open -- {host}")

    assert answer["error"]["parameter"] == "host", answer
