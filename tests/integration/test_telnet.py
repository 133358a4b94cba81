"""The line listener with telnet clients: a person at a terminal who presses Ctrl-C, PuTTY's, and urgent data."""

import os
import pty
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.client import Client
from tests.integration.daemon import Daemon, running, shell
from tests.integration.logins import pipe, require_program
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

COMMANDS = {
    "word": shell("echo word"),
    "slow": shell("echo begun; sleep 60"),
    "flood": shell("yes", output_limit_bytes=1 << 40),
}
IP, DO_TIMING_MARK, WILL_TIMING_MARK = b"\xff\xf4", b"\xff\xfd\x06", b"\xff\xfb\x06"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a command that takes its time, and one that says much."""
    with running(tmp_path_factory.mktemp("daemon"), COMMANDS) as daemon:
        yield daemon


class Terminal:
    """A program at a terminal of its own.

    Args:
        words: What to run.
    """

    def __init__(self, *words: str) -> None:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvp(words[0], words)  # noqa: S606 - no shell
        self._seen = b""

    def types(self, text: str) -> None:
        """Press keys."""
        os.write(self._terminal, text.encode())

    def reads_until(self, text: str) -> None:
        """Look at the screen until something is there, and do not look at it again."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while text.encode() not in self._seen:
            readable, _, _ = select.select([self._terminal], [], [], max(0, deadline - time.monotonic()))
            assert readable, (text, self._seen[-200:])
            self._seen += os.read(self._terminal, 65536)
            self._seen = self._seen[-100_000:] if text.encode() not in self._seen else self._seen
        self._seen = self._seen.partition(text.encode())[2]

    def close(self) -> None:
        """Switch it off."""
        os.close(self._terminal)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


@pytest.mark.parametrize("what", ["slow", "flood"])
def test_ctrl_c_in_a_session(daemon: Daemon, what: str) -> None:
    """The command ends, the session goes on, and what is said next is seen."""
    require_program("telnet")
    terminal = Terminal("telnet", "127.0.0.1", str(daemon.port))
    try:
        terminal.reads_until("What can I do for you?")
        terminal.types("session\r")
        terminal.types(f"{what}\r")
        terminal.reads_until("begun" if what == "slow" else "y\r\ny\r\n")
        terminal.types("\x03")
        wait_until(lambda: not _is_running(daemon, what), "the command ends")
        terminal.types("word\r")
        terminal.reads_until("\r\nword\r\n")
        terminal.types("quit\r")
        terminal.reads_until("closed by foreign host")
    finally:
        terminal.close()


def _is_running(daemon: Daemon, what: str) -> bool:
    needle = b"yes" if what == "flood" else b"sleep"
    for pid in daemon.processes():
        with suppress(OSError):
            if needle in Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
    return False


def test_plink(daemon: Daemon) -> None:
    """PuTTY's own client negotiates first, and goes on when it is answered."""
    said = pipe(["plink", "-telnet", "-batch", "-P", str(daemon.port), "127.0.0.1"], b"word\r\n")
    assert said.replace(b"\r\n", b"\n") == b"What can I do for you?\nword\n"


def test_urgent_data(daemon: Daemon) -> None:
    """The synch signal of RFC 854, whose last byte is urgent, is a telnet command like others."""
    with Client(daemon.address) as client:
        client.read_greeting()
        client.send(b"session\nslow\n")
        assert client.read_line() == b"begun\n"
        client.send(IP)
        client.socket.send(b"\xff\xf2", socket.MSG_OOB)
        client.send(DO_TIMING_MARK + b"word\n")
        assert client.read_until(WILL_TIMING_MARK).endswith(WILL_TIMING_MARK)
        assert client.read_line() == b"word\r\n"
