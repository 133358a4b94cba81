"""SIGTERM: answers that are on their way are given, and nothing is left behind."""

import signal
import time
from collections.abc import Mapping

import pytest

from tests.integration.daemon import Daemon, is_listening, shell
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

#: What is started in the daemon's directory waits there.
UNTIL_LET_GO = "until [ -e go ]; do sleep 0.02; done"

COMMANDS = {
    "word": shell("echo word"),
    "slow": shell(f"echo begun; {UNTIL_LET_GO}; echo slow"),
    "shared": shell(f"{UNTIL_LET_GO}; echo shared", share=True),
    "long": shell("echo begun; sleep 1000 & sleep 1000"),
    "stubborn": shell("trap '' TERM; echo begun; sleep 1000 & sleep 1000"),
    "flood": shell("yes", output_limit_bytes=1 << 40),
}


def _start(daemon: Daemon, *, constants: Mapping[str, float] | None = None, **limits: object) -> None:
    """Start it; without a limit for it, what runs may take longer than any test waits."""
    commands = {name: {**each, "working_directory": str(daemon.directory)} for name, each in COMMANDS.items()}
    daemon.configure(commands, limits={"running": 8, "drain_seconds": 1000, **limits})
    daemon.start(environment=daemon.with_constants(constants or {}))


def _let_go(daemon: Daemon) -> None:
    (daemon.directory / "go").touch()


def test_running_command_is_answered(daemon_to_be: Daemon) -> None:
    """A command that runs at SIGTERM is answered whole; new connections are refused meanwhile; then all is gone."""
    daemon = daemon_to_be
    _start(daemon)
    with daemon.connect() as text, daemon.connect() as session, daemon.connect() as half:
        text.send(b"slow\n")
        session.send(b"session\njson slow\nword\n")
        half.send(b"shared\n")
        half.half_close()
        wait_until(lambda: len(daemon.processes()) >= 3, "the commands run")
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(daemon.address), "new connections are refused")
        assert daemon.processes()

        _let_go(daemon)
        text.read_greeting()
        assert text.read_all() == b"begun\nslow\n"
        assert half.read_all().endswith(b"shared\n")
        assert b'"stdout": "begun\\nslow\\n"' in session.read_all()
    daemon.wait()
    assert not daemon.processes()
    assert not daemon.pid_file.exists()
    # The line that the session had sent ahead is refused, and may be before the last of the others has ended.
    outcomes = sorted((str(record["command"]), record["outcome"]) for record in daemon.audit())
    assert outcomes == [("shared", "ok"), ("slow", "ok"), ("slow", "ok"), ("word", "busy")]


@pytest.mark.parametrize("command", ["long", "stubborn"])
def test_long_command_is_ended(daemon_to_be: Daemon, command: str) -> None:
    """After ``drain_seconds`` what still runs is ended with its whole group, its caller is told, the daemon is gone."""
    daemon = daemon_to_be
    constants = {"cmdserver.execution.process_run.KILL_AFTER_SECONDS": 0.3}
    _start(daemon, constants=constants, drain_seconds=0.5)
    with daemon.connect() as client:
        client.read_greeting()
        client.send(f"{command}\n".encode())
        assert client.read_line() == b"begun\n"
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)

        assert client.read_all() == f"cmdserver: {command}: stopped, as the daemon was\n".encode()
    daemon.wait()
    assert time.monotonic() - began >= 0.5
    assert not daemon.processes()
    (end,) = (line for line in daemon.audit() if line["event"] == "request")
    assert (end["command"], end["outcome"], end["ended_by"]) == (command, "failed", "shutdown")
    assert end["signal"] == ("SIGKILL" if command == "stubborn" else "SIGTERM")
    assert "commands still run after 0.5 s; they are ended" in daemon.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_idle_daemon_ends_at_once(daemon_to_be: Daemon, number: signal.Signals) -> None:
    """Open sessions and silent clients do not hold it up; they are told by the end of their connection."""
    daemon = daemon_to_be
    _start(daemon)
    with daemon.connect() as silent, daemon.connect() as session:
        silent.read_greeting()
        session.read_greeting()
        session.send(b"session\nword\n")
        assert session.read_line() == b"word\n"
        daemon.signal(number)

        assert silent.read_all() == b""
        assert session.read_all() == b""
    daemon.wait()
    assert not daemon.pid_file.exists()


def test_client_that_never_reads_does_not_hold_it_up(daemon_to_be: Daemon) -> None:
    """Its command is ended after ``drain_seconds``, and what it would not read is lost."""
    daemon = daemon_to_be
    constants = {
        "cmdserver.execution.process_run.KILL_AFTER_SECONDS": 0.3,
        "cmdserver.app.service.FLUSH_SECONDS": 0.3,
    }
    _start(daemon, constants=constants, drain_seconds=0.3)
    with daemon.connect(receive_buffer=4096) as client:
        client.send(b"flood\n")
        wait_until(daemon.processes, "the command runs")

        daemon.stop()
    assert not daemon.processes()


def test_waiting_requests_are_refused(daemon_to_be: Daemon) -> None:
    """What waits for a place is told busy at once; what runs is answered."""
    daemon = daemon_to_be
    _start(daemon, running=1)
    with daemon.connect() as runs, daemon.connect() as waits:
        runs.read_greeting()
        runs.send(b"slow\n")
        wait_until(daemon.processes, "the command runs")
        waits.read_greeting()
        waits.send(b"word\n")
        wait_until(lambda: daemon.ask_json("who")["connected"] == {"line": 3}, "both have asked")
        daemon.signal(signal.SIGTERM)

        assert waits.read_all().startswith(b"cmdserver: busy: the daemon is stopping; try again in ")
        _let_go(daemon)
        assert runs.read_all() == b"begun\nslow\n"
    daemon.wait()
    assert [(record["command"], record["outcome"]) for record in daemon.audit()] == [
        ("who", "ok"),
        ("word", "busy"),
        ("slow", "ok"),
    ]


@pytest.mark.parametrize("another", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_signals_while_it_stops(daemon_to_be: Daemon, another: signal.Signals) -> None:
    """A second SIGTERM or a SIGHUP on the way out breaks no answer and (`prepared` looks) causes no traceback."""
    daemon = daemon_to_be
    _start(daemon)
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"slow\n")
        assert client.read_line() == b"begun\n"
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(daemon.address), "it is stopping")
        daemon.signal(another)

        _let_go(daemon)
        assert client.read_all() == b"slow\n"
    daemon.wait()
    assert not daemon.processes()
