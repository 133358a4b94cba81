"""What the daemon allows, in all and to each."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, running, shell
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

COMMANDS = {
    "word": shell("echo word"),
    "slow": shell("sleep 0.8; echo slow"),
    "held": shell("until [ -e go ]; do sleep 0.02; done; echo held"),
    "single": shell("echo begin >>single; sleep 0.2; echo end >>single; echo single", max_running=1),
    "flood": shell("yes", output_limit_bytes=1 << 40),
}


def _working_in(directory: Path) -> Mapping[str, Mapping[str, object]]:
    return {name: {**each, "working_directory": str(directory)} for name, each in COMMANDS.items()}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that allows little."""
    limits = {
        "connections": 6,
        "connections_per_source": 3,
        "running": 1,
        "queued": 1,
        "line_bytes": 64,
    }
    directory = tmp_path_factory.mktemp("strict")
    with running(directory, _working_in(directory), limits=limits) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that does not wait long."""
    limits = {"login_seconds": 0.8, "idle_seconds": 0.6}
    directory = tmp_path_factory.mktemp("impatient")
    with running(directory, _working_in(directory), limits=limits) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that counts requests."""
    limits = {"caller_requests_per_minute": 3}
    with running(tmp_path_factory.mktemp("counting"), COMMANDS, limits=limits) as daemon:
        yield daemon


def _nobody_is_connected(daemon: Daemon) -> bool:
    try:
        return bool(daemon.ask_json("who")["connected"] == {"line": 1})
    except (AssertionError, ConnectionResetError):
        return False


def test_connections_per_source(strict: Daemon) -> None:
    """One source too many is told busy and closed; another source is served; who leaves makes room."""
    wait_until(lambda: _nobody_is_connected(strict), "nobody is connected")
    with ExitStack() as stack:
        clients = [stack.enter_context(strict.connect()) for _ in range(3)]
        for client in clients:
            client.read_greeting()
        with strict.connect() as refused:
            said = refused.read_all()

        assert said == b"cmdserver: busy: 3 connections are open from 127.0.0.1; try again in 5 s\n"
        assert strict.ask("word\n", source="127.0.0.2") == b"word\n"

        clients[0].close()
        wait_until(lambda: _is_let_in(strict), "there is room again")


def test_connections_over_all(strict: Daemon) -> None:
    """When the host is full, everybody is told busy."""
    wait_until(lambda: _nobody_is_connected(strict), "nobody is connected")
    with ExitStack() as stack:
        for number in range(6):
            stack.enter_context(strict.connect(source=f"127.0.0.{10 + number // 2}")).read_greeting()
        with strict.connect(source="127.0.0.99") as refused:
            assert refused.read_all().startswith(b"cmdserver: busy: 6 connections are open; ")


def _is_let_in(daemon: Daemon) -> bool:
    with daemon.connect() as client:
        return client.read_line().startswith(b"What")


def test_running_and_queued(strict: Daemon) -> None:
    """One runs, one waits, and the third is told busy at once, with seconds to wait."""
    wait_until(lambda: _nobody_is_connected(strict), "nobody is connected")
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(strict.connect()) for _ in range(3))
        for client in (first, second, third):
            client.read_greeting()
        first.send(b"held\n")
        wait_until(strict.processes, "the first runs")
        second.send(b"word\n")
        wait_until(lambda: strict.ask_json("who", source="127.0.0.2")["connected"] == {"line": 4}, "all are there")
        third.send(b"json word\n")
        refused = json.loads(third.read_all())["error"]

        assert refused["code"] == "busy"
        assert "try again in " in refused["message"]
        (strict.directory / "go").touch()
        assert first.read_all() == b"held\n"
        assert second.read_all() == b"word\n"


def test_max_running(impatient: Daemon) -> None:
    """A command's own limit makes its runs wait for each other; all are answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(impatient.connect()) for _ in range(3)]
        for client in clients:
            client.read_greeting()
            client.send(b"single\n")
        answers = [client.read_all() for client in clients]

    assert answers == [b"single\n"] * 3
    assert (impatient.directory / "single").read_text("ascii") == "begin\nend\n" * 3


def test_line_bytes(strict: Daemon) -> None:
    """``line_bytes`` is the longest line."""
    assert strict.ask("x" * 64 + "\n").startswith(b"cmdserver: unknown_command: ")
    assert strict.ask("x" * 65 + "\n") == b"cmdserver: malformed: the line is longer than 64 bytes\n"


def test_login_seconds_cuts_a_silent_client(impatient: Daemon) -> None:
    """Who connects and says nothing is cut off."""
    began = time.monotonic()
    with impatient.connect() as client:
        client.read_greeting()
        said = client.read_all()

    assert said == b"cmdserver: nothing was asked within 0.8 s\n"
    assert time.monotonic() - began >= 0.8


def test_login_seconds_cuts_a_client_that_never_completes_a_line(impatient: Daemon) -> None:
    """Bytes are no request until there is a line of them."""
    with impatient.connect() as client:
        client.read_greeting()
        client.socket.settimeout(0.1)

        def said() -> bytes:
            client.send(b"x")
            try:
                return client.socket.recv(4096)
            except TimeoutError:
                return b""

        assert wait_until(said, "it is cut off") == b"cmdserver: nothing was asked within 0.8 s\n"


def test_idle_seconds_cuts_an_idle_session(impatient: Daemon) -> None:
    """A session that asks nothing more is cut off."""
    with impatient.connect() as client:
        client.read_greeting()
        began = time.monotonic()
        client.send(b"session\nword\n")
        assert client.read_line() == b"word\n"

        assert client.read_all() == b"cmdserver: nothing was asked within 0.6 s\n"
        assert time.monotonic() - began >= 0.6


def test_idle_seconds_cuts_a_client_that_does_not_read(impatient: Daemon) -> None:
    """A client that does not take its answer does not keep a process for long."""
    with impatient.connect(receive_buffer=4096) as client:
        client.send(b"flood\n")
        wait_until(impatient.processes, "the command runs")

        wait_until(lambda: not impatient.processes(), "the command is ended")


def test_busy_session_is_not_idle(impatient: Daemon) -> None:
    """Neither a session that goes on asking is cut off, nor one that waits for an answer for long."""
    with impatient.connect() as client:
        client.read_greeting()
        client.send(b"session\n")
        for _ in range(5):
            client.send(b"word\n")
            assert client.read_line() == b"word\n"
            time.sleep(0.15)
        client.send(b"slow\nword\n")

        assert (client.read_line(), client.read_line()) == (b"slow\n", b"word\n")


def test_throttled(counting: Daemon) -> None:
    """Above its allowance a caller is throttled, whatever it asks, with seconds to wait; another caller is not."""
    answers = counting.ask(
        "session\nword\nnobody\n\xff\nword\njson whoami\nhelp\nquit\n".encode("latin-1")
    ).splitlines()

    assert answers[0] == b"word"
    assert answers[1].startswith(b"cmdserver: unknown_command: ")
    assert answers[2].startswith(b"cmdserver: malformed: ")
    assert answers[3].startswith(b"cmdserver: throttled: more than 3 requests in a minute; try again in ")
    assert json.loads(answers[4])["error"]["code"] == "throttled"
    assert answers[5].startswith(b"cmdserver: throttled: ")
    assert len(answers) == 6
    assert counting.ask("word\n", source="127.0.0.2") == b"word\n"
    assert [line["outcome"] for line in counting.audit()][3:6] == ["throttled"] * 3
