"""Many callers with the same question cost few processes, and nobody is given old news."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.client import Client
from tests.integration.daemon import Daemon, running, shell
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def _until(path: Path) -> str:
    """Say in sh that something is to be waited for."""
    return f"until [ -e {path} ]; do sleep 0.02; done"


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with commands that write down each of their runs, and go on when they are let."""
    directory = tmp_path_factory.mktemp("sharing")

    def script(name: str) -> str:
        return f"began=$(date +%s.%N); echo $began >> {directory}/{name}; {_until(directory / 'go')}; echo $began"

    commands = {
        "readonly": shell(script("readonly"), read_only=True),
        "shared": shell(script("shared"), share=True),
        "unshared": shell(script("unshared"), read_only=True, share=False),
        "writing": shell(script("writing")),
    }
    with running(directory, commands, limits={"running": 32}) as daemon:
        yield daemon


def _runs(daemon: Daemon, command: str) -> int:
    path = daemon.directory / command
    return path.read_text("ascii").count("\n") if path.exists() else 0


def _send(client: Client, line: str) -> float:
    asked = time.time()
    client.send(f"{line}\n".encode())
    return asked


def _let_go(daemon: Daemon) -> None:
    """Let all runs go on; who has asked before has been heard by then, as somebody who comes later is answered."""
    assert daemon.ask("whoami\n")
    (daemon.directory / "go").touch()


@pytest.mark.parametrize("command", ["readonly", "shared"])
def test_fifty_callers_cost_few_processes(daemon: Daemon, command: str) -> None:
    """Fifty callers, half of them while the first run is under way, cost two or three; each answer is fresh."""
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect(source=f"127.0.0.{10 + number % 5}")) for number in range(50)]
        for client in clients:
            client.read_greeting()
        asked = [_send(client, command) for client in clients[:25]]
        wait_until(lambda: _runs(daemon, command), "the first run is under way")
        asked += [_send(client, command) for client in clients[25:]]
        _let_go(daemon)
        began = [float(client.read_all()) for client in clients]

    assert all(start >= question for start, question in zip(began, asked, strict=True))
    assert 2 <= _runs(daemon, command) <= 3
    shared = [line["shared"] for line in daemon.audit() if line["command"] == command]
    assert len(shared) == 50
    assert shared.count(True) >= 47


def test_text_and_json_share(daemon: Daemon) -> None:
    """How an answer is to look does not matter: it is the same run; JSON says that it was shared."""
    with ExitStack() as stack:
        first, text, json_ = (stack.enter_context(daemon.connect()) for _ in range(3))
        _send(first, "shared")
        wait_until(lambda: _runs(daemon, "shared"), "the first run is under way")
        _send(text, "shared")
        _send(json_, "json shared")
        _let_go(daemon)
        said, parsed = (client.read_all().splitlines()[1] for client in (text, json_))

    assert said in parsed
    assert b'"shared": true' in parsed
    assert _runs(daemon, "shared") == 2


@pytest.mark.parametrize("command", ["unshared", "writing"])
def test_not_shared(daemon: Daemon, command: str) -> None:
    """A command that is not to be shared, or not read-only, runs once for each question."""
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(5)]
        for client in clients:
            _send(client, command)
        _let_go(daemon)
        for client in clients:
            client.read_all()

    assert _runs(daemon, command) == 5
    assert not any(line["shared"] for line in daemon.audit() if line["command"] == command)
