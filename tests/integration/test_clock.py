"""Somebody sets the clock of the host while the daemon runs."""

import mmap
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, prepared, shell
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

HOUR = 3600.0

#: Starts twistd where `time.time` is off by what a file says; mapped, as the daemon's user may not open it later.
OFF_BY = """
import mmap, struct, sys, time
with open(sys.argv.pop(1), "rb") as file:
    offset = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
right = time.time
time.time = lambda: right() + struct.unpack("d", offset[:8])[0]
from twisted.scripts.twistd import run
run()
"""


class Offset:
    """How far the daemon's clock is off, in seconds."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(struct.pack("d", 0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)

    def set(self, seconds: float) -> None:
        """Set the clock."""
        self._map[:] = struct.pack("d", seconds)


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Offset]]:
    """A daemon, and its clock."""
    directory = tmp_path_factory.mktemp("clock")
    with prepared(directory) as daemon:
        daemon.configure(
            {
                "waits": shell(f"echo begun; read -r word < {directory / 'fifo'}; echo done"),
                "hangs": shell("exec sleep 100", timeout_seconds=1),
                "touches": shell(f"echo run >> {directory / 'trace'}"),
            },
            limits={"login_seconds": 1, "idle_seconds": 30},
        )
        os.mkfifo(directory / "fifo")
        offset = Offset(directory / "offset")
        _, *words = daemon.command_line()
        daemon.start(command_line=[sys.executable, "-c", OFF_BY, str(directory / "offset"), *words])
        yield daemon, offset


def test_ahead(daemon: tuple[Daemon, Offset]) -> None:
    """Set an hour ahead, the clock ends neither what runs nor who is connected."""
    server, offset = daemon
    with server.connect() as session, server.connect() as caller:
        session.read_greeting()
        session.send(b"session\ntouches\n")
        wait_until((server.directory / "trace").exists, "the session was heard")
        caller.read_greeting()
        caller.send(b"waits\n")
        assert caller.read_line() == b"begun\n"

        offset.set(HOUR)
        assert server.ask("touches\n") == b""
        with (server.directory / "fifo").open("r+b", buffering=0) as fifo:  # which waits for no reader
            fifo.write(b"go\n")
            assert caller.read_all() == b"done\n"
        session.send(b"quit\n")
        assert session.read_all() == b""


def test_back(daemon: tuple[Daemon, Offset]) -> None:
    """Set an hour back, the clock stops neither a command's time limit nor the one for silent connections."""
    server, offset = daemon
    with server.connect() as silent, server.connect() as caller:
        silent.read_greeting()
        caller.read_greeting()
        caller.send(b"hangs\n")
        wait_until(server.processes, "the command runs")

        offset.set(-HOUR)

        assert b"timeout" in caller.read_all()
        assert b"nothing was asked within 1 s" in silent.read_all()
