"""The parsing process of a real daemon: what it is, what it keeps others from, and what becomes of data without it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.client import Client
from tests.integration.daemon import Daemon, running, shell
from tests.privsep.playing import children
from tests.waiting import wait_until

pytest.importorskip("jc", reason="jc is not installed")
pytestmark = pytest.mark.slow

_TABLE = "Filesystem 1K-blocks Used Available Use%% Mounted on\\n//nas/a b 10 4 6 40%% /mnt/c d\\n"

COMMANDS = {
    "table": shell(f"printf '{_TABLE}'", read_only=True, parser="df"),
    # Its parser's regular expressions take minutes for this.
    "odd": shell("head -c 20000 /dev/zero | tr '\\000' x", read_only=True, parser="ifconfig"),
    "word": shell("echo word"),
}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose commands have parsers."""
    with running(tmp_path, COMMANDS) as daemon:
        yield daemon


def _parsing(daemon: Daemon) -> list[int]:
    """Find the parsing process."""
    return [pid for pid in children(daemon.pid) if b"cmdserver.privsep.parsing" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _ask(daemon: Daemon, command: str) -> Client:
    """Ask for the JSON of a command."""
    client = daemon.connect()
    client.read_greeting()
    client.send(f"json {command}\n".encode())
    return client


def _told(daemon: Daemon, command: str) -> Any:
    """Say what a command's JSON is."""
    with _ask(daemon, command) as client:
        return json.loads(client.read_all())


def test_data(daemon: Daemon) -> None:
    """A table has data, whatever its names are; the process has no more rights than the daemon, and gains none."""
    answer = _told(daemon, "table")
    (row,) = answer["data"]
    assert (row["filesystem"], row["use_percent"], row["mounted_on"]) == ("//nas/a b", 40, "/mnt/c d")
    assert "data_error" not in answer

    (pid,) = _parsing(daemon)
    status, ours = (
        dict(line.split(":\t", 1) for line in Path(f"/proc/{each}/status").read_text().splitlines())
        for each in (pid, daemon.pid)
    )
    assert {name: status[name] for name in ("Uid", "Gid")} == {name: ours[name] for name in ("Uid", "Gid")}
    assert status["NoNewPrivs"].strip() == "1"


def test_a_slow_parser_holds_nobody_up(daemon: Daemon) -> None:
    """Others are answered while it works; then it is stopped, and why there are no data is told."""
    with _ask(daemon, "odd") as odd:
        wait_until(lambda: children(_parsing(daemon)[0]), "the parser works")
        with daemon.connect() as other:
            other.read_greeting()
            other.send(b"word\n")
            assert other.read_line() == b"word\n"
        answer = json.loads(odd.read_all())
    assert (answer["data"], answer["outcome"]) == (None, "ok")
    assert answer["data_error"] == "the parser ifconfig took longer than 2 s"
    wait_until(lambda: not children(_parsing(daemon)[0]), "its child is gone")
    assert _told(daemon, "table")["data"]


def test_a_child_that_dies(daemon: Daemon) -> None:
    """Another takes its place for the next output."""
    with _ask(daemon, "odd") as odd:
        (child,) = wait_until(lambda: children(_parsing(daemon)[0]), "the parser works")
        os.kill(child, signal.SIGKILL)
        assert json.loads(odd.read_all())["data_error"] == "its parser broke over it"
    assert _told(daemon, "table")["data"]


def test_the_process_dies(daemon: Daemon) -> None:
    """Commands have their output and no data, and it is said why."""
    (pid,) = _parsing(daemon)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not _parsing(daemon), "it is buried")
    answer = _told(daemon, "table")
    assert "//nas/a b" in answer["stdout"]
    assert answer["data"] is None
    assert "takes a restart of the daemon" in answer["data_error"]


def test_without_a_runner_process(tmp_path: Path) -> None:
    """The daemon may start it when it is needed, and another one when it has died."""
    with running(tmp_path, COMMANDS, runner={"process": False}) as daemon:
        assert not _parsing(daemon)
        assert _told(daemon, "table")["data"]
        (pid,) = _parsing(daemon)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in _parsing(daemon), "it is gone")
        assert _told(daemon, "table")["data"]


def test_nothing_for_nothing(tmp_path: Path) -> None:
    """Where no command has a parser there is no such process; and it ends with its daemon."""
    with running(tmp_path, {"word": COMMANDS["word"]}) as daemon:
        assert not _parsing(daemon)


def test_the_end(daemon: Daemon) -> None:
    """It ends when the daemon is killed."""
    (pid,) = _parsing(daemon)
    with _ask(daemon, "odd"):
        wait_until(lambda: children(pid), "the parser works")
        os.kill(daemon.pid, signal.SIGKILL)
        wait_until(lambda: not _command_line(pid), "it is gone")
