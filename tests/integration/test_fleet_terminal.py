"""``cmdserver ask`` as somebody sees it who types it in a terminal."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import pyte
import pytest

from tests.integration.daemon import shell
from tests.integration.fleet_bus import Fleet, fleet_of
from tests.integration.logins import require_program
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ROWS = 60


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start two hosts."""
    require_program("nats-server")
    place = tmp_path_factory.mktemp("fleet")
    commands: Mapping[str, Mapping[str, object]] = {
        "say": shell("echo one; echo two"),
        "fails": shell("echo oh >&2; exit 3"),
        "wide": shell(f"echo {'日本語' * 14}", environment={"LANG": "C.UTF-8"}),
        "loud": shell(r"printf '\033[31mred\033[2J\a\n'"),
        "long": shell("head -c 300 /dev/zero | tr '\\0' x"),
        "waits": shell(f"while test -e {place}/hold; do sleep 0.05; done; echo done"),
    }
    with fleet_of(place, ("web-1", "web-2"), commands) as fleet:
        yield fleet


class Window:
    """A terminal in which ann asks.

    Args:
        fleet: Whom.
        words: Behind ``cmdserver``.
        columns: How wide it is.
        environment: In addition to hers.
    """

    def __init__(self, fleet: Fleet, *words: str, columns: int = 80, **environment: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        self._screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.seen = b""
        more = {key: value for key, value in environment.items() if value}
        clean = fleet.ann.environment(TERM="xterm", **more)
        for name in ("COLUMNS", "LINES"):
            clean.pop(name, None)
        self.process = subprocess.Popen(
            fleet.ann.command(*words), env=clean, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)

    @property
    def rows(self) -> list[str]:
        """What is on the screen."""
        return [row.rstrip() for row in self._screen.display if row.strip()]

    def colour(self, row: int, column: int) -> str:
        """Return the colour of a character."""
        return str(self._screen.buffer[row][column].fg)

    def read(self) -> bool:
        """Take, and show, what has come."""
        ready, _, _ = select.select([self._master], [], [], 0.02)
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # the program is gone, as terminals of Linux say it
            return False
        self.seen += data
        self._stream.feed(data)
        return bool(data)

    def shows(self, text: str) -> None:
        """Read until something is on the screen."""
        wait_until(lambda: self.read() is not None and text in "\n".join(self.rows), f"{text!r} in {self.rows}")

    def end(self) -> int:
        """Read until the program has ended; return its exit status."""
        wait_until(lambda: not self.read() and self.process.poll() is not None, "it ends")
        return self.process.returncode

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_lines(fleet: Fleet) -> None:
    """A line for each host, in colour, and a summary; nothing is left of the bar."""
    with Window(fleet, "ask", "fails") as window:
        assert window.end() == 1
        first, second, last = window.rows
    for row in (first, second):
        name, state, _, _, *words = row.split()
        assert name in {"web-1", "web-2"}
        assert state == "failed"
        assert " ".join(words) == "exit status 3: oh"
    assert window.colour(0, first.index("failed")) == "red"
    assert window.colour(0, 0) == "default"
    assert last.startswith("2 asked, 2 answered: 0 ok, 2 failed; ")


@pytest.mark.parametrize("columns", [80, 30, 12])
def test_the_bar(fleet: Fleet, columns: int) -> None:
    """While it waits, there is one bar, below what is known already, however narrow the window is."""
    (fleet.place / "hold").touch()
    fleet.ann.know({**fleet.keys, "ghost": fleet.keys["web-1"]})
    try:
        with Window(fleet, "ask", "waits", columns=columns) as window:
            window.shows("1/3" if columns > 20 else "ghost")
            wait_until(lambda: not window.read(), "nothing more comes")
            waiting = window.rows
            (fleet.place / "hold").unlink()
            assert window.end() == 1
            done = window.rows
    finally:
        fleet.ann.know(fleet.keys)
        (fleet.place / "hold").unlink(missing_ok=True)
    assert "ghost" in waiting[0]
    if columns >= 30:
        assert len(waiting) == 2
        assert waiting[1].startswith("[")
    assert not [row for row in done if row.startswith(("[", "#", ".")) or "/3" in row], done
    assert sum(row.startswith("ghost") for row in done) == 1
    assert sum(row.startswith("web-") for row in done) == 2


@pytest.mark.parametrize("command", ["wide", "loud", "long"])
@pytest.mark.parametrize("columns", [80, 40])
def test_one_line_each(fleet: Fleet, command: str, columns: int) -> None:
    """Whatever a host has said, its line is one row of the screen, cut where it is too long; nothing acts on it."""
    with Window(fleet, "ask", command, columns=columns) as window:
        assert window.end() == 0
        rows = window.rows
    assert [row.split()[0] for row in rows[:2]] in (["web-1", "web-2"], ["web-2", "web-1"])
    assert rows[2].startswith("2 asked"), rows
    assert all(row.split()[1] == "ok" for row in rows[:2])
    if command != "loud":
        assert all(row.endswith("…") for row in rows[:2])
    assert b"\x1b[2J" not in window.seen
    assert b"\a" not in window.seen


def test_long_names(fleet: Fleet) -> None:
    """A name that takes the whole row, of one host, does not hide how the others are."""
    long = f"ghost.{'x' * 60}.example.org"
    fleet.ann.know({**fleet.keys, long: fleet.keys["web-1"]})
    try:
        with Window(fleet, "ask", "fails") as window:
            assert window.end() == 1
            rows = window.rows
    finally:
        fleet.ann.know(fleet.keys)
    for name, state in (("web-1", "failed"), ("web-2", "failed"), (long[:20], "missing")):
        assert [row for row in rows if row.startswith(name) and state in row], rows


def test_output(fleet: Fleet) -> None:
    """All lines of output, behind the names."""
    with Window(fleet, "ask", "--output", "--hosts", "web-1", "say") as window:
        assert window.end() == 0
        assert window.rows[1:3] == ["web-1: one", "web-1: two"]


def test_control_c(fleet: Fleet) -> None:
    """One Ctrl-C shows what there is so far, with no traceback and nothing of the bar."""
    (fleet.place / "hold").touch()
    try:
        with Window(fleet, "ask", "waits") as window:
            window.shows("0/2")
            wait_until(lambda: all(each.processes() for each in fleet.members.values()), "both hosts run it")
            os.killpg(window.process.pid, signal.SIGINT)
            assert window.end() == 130
            rows = window.rows
    finally:
        (fleet.place / "hold").unlink()
    assert rows[-2].startswith("2 asked, 0 answered")
    assert rows[-1] == "no verified answer from 2: web-1 web-2"
    assert not [row for row in rows if "[" in row or "Traceback" in row], rows


def test_control_c_where_a_key_waits_for_its_owner(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An ssh-agent that asks its owner first (``ssh-add -c``) does not keep Ctrl-C from ending it."""
    path = tmp_path_factory.mktemp("a") / "s"
    public = fleet.ann.identity.with_name("id_ed25519.pub").read_text().split()[1]
    begun = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            blob = b64decode(public)
            while not begun.is_set():
                connection, _ = server.accept()
                kept.append(connection)
                if connection.recv(65536)[4] == 11:
                    body = b"\x0c\0\0\0\1" + len(blob).to_bytes(4, "big") + blob + b"\0\0\0\1x"
                    connection.sendall(len(body).to_bytes(4, "big") + body)
                else:
                    begun.set()

        kept: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        with Window(fleet, "ask", "say", SSH_AUTH_SOCK=str(path)) as window:
            wait_until(begun.is_set, "the agent is asked")
            began = time.monotonic()
            os.killpg(window.process.pid, signal.SIGINT)
            over = time.monotonic() + 1
            wait_until(lambda: window.read() is not None and time.monotonic() > over, "a moment")
            if window.process.poll() is None:
                os.killpg(window.process.pid, signal.SIGINT)
            assert window.end() == 130
            took = time.monotonic() - began
            rows = window.rows
        for each in kept:
            each.close()
    assert took < 10
    assert not [row for row in rows if "Traceback" in row], rows


def test_a_passphrase(fleet: Fleet, tmp_path: Path) -> None:
    """It is asked for at the terminal, and not shown."""
    file = tmp_path / "key"
    file.write_bytes(fleet.ann.identity.read_bytes())
    file.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "mellon", "-P", "", "-f", str(file)], check=True, capture_output=True
    )
    with Window(fleet, "ask", "--identity", str(file), "say") as window:
        window.shows("Enter passphrase for key")
        os.write(window._master, b"wrong\r")
        wait_until(lambda: window.read() is not None and window.seen.count(b"Enter passphrase") == 2, "it asks again")
        os.write(window._master, b"mellon\r")
        assert window.end() == 0
    assert b"mellon" not in window.seen
