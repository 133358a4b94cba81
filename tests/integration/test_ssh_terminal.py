"""The prompt as somebody sees it who types `ssh HOST` in a terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyte
import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import LENIENT, USERS, write_passwords
from tests.integration.ssh import NO_STATUS, SSH, authorize, make_key
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

LISTENER = Listener(protocol="ssh")
PROMPT = "alice@shop1>"
COLUMNS, ROWS = 60, 200
#: Of a row of twenty, behind the prompt.
COLUMNS_LEFT = 20 - len(f"{PROMPT} ")

SITE = {"name": "shop1", "label": "production", "colour": "red", "notice": "Tables are locked on Sundays."}

COMMANDS: Mapping[str, Mapping[str, object]] = {
    "uptime": {"run": ["uptime"], "help": "Since when"},
    "greek": shell("echo 'αβγ 日本'", environment={"LANG": "C.UTF-8"}),
    "loud": shell(r"printf '\033[31mred\033[2J\n'"),
    "slowly": shell("for n in 1 2 3; do echo line $n; sleep 0.2; done"),
    "forever": shell("echo begun; exec sleep 60"),
    "endless": shell("exec yes", output_limit_bytes=10**9),
    "fails": shell("echo oh >&2; exit 3"),
    "progress": shell(r"printf '10%%\r'; sleep 0.3; printf '\033[32m100%%\r'; sleep 0.3", colours=True),
    "deploy": shell("echo begun; sleep 5", max_running=1),
    "services": {**shell("printf 'nginx\\nphp-fpm\\n'"), "read_only": True},
    "restart": {
        "run": ["echo", "restarted", "{unit}", ["after {seconds} s"]],
        "confirm": "Restart {unit}?",
        "parameters": [
            {"name": "unit", "type": "choice", "choices_from": "services"},
            {"name": "seconds", "type": "duration", "required": False, "maximum": "1h"},
        ],
    },
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Give a daemon with an SSH listener."""
    roles = {"admin": {"commands": ["*"], "users": ["alice"]}}
    with running(
        tmp_path_factory.mktemp("daemon"),
        COMMANDS,
        listeners=[LISTENER],
        roles=roles,
        limits=LENIENT,
        site=SITE,
    ) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


class Window:
    """A terminal window in which somebody runs ssh.

    Args:
        ssh: Who it is.
        words: For the client.
    """

    def __init__(self, ssh: SSH, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.resize(COLUMNS)
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.seen = b""
        self.client = ssh.start(*words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)

    def resize(self, columns: int) -> None:
        """Change the window's width."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))

    def types(self, text: str | bytes) -> None:
        """Press keys."""
        os.write(self._master, text.encode() if isinstance(text, str) else text)

    def reads(self, *, is_shown: bool = True) -> bool:
        """Take, and show, what has come; tell whether there was anything."""
        ready, _, _ = select.select([self._master], [], [], 0.02)
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # the client is gone, as terminals of Linux say it
            return False
        self.seen += data
        if is_shown:
            self._stream.feed(data)
        return bool(data)

    @property
    def rows(self) -> list[str]:
        """What is on the screen."""
        return [row.rstrip() for row in self._screen.display if row.strip()]

    def waits_for(self, *last: str) -> None:
        """Read until these are the last rows."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while self.rows[-len(last) :] != list(last):
            self.reads()
            assert time.monotonic() < deadline, self.rows

    def waits_for_flood(self) -> None:
        """Read a little of what is never going to end by itself."""
        before = len(self.seen)
        wait_until(lambda: self.reads(is_shown=False) and len(self.seen) > before + 6, "output")

    def waits_in_flood(self, end: bytes) -> None:
        """Read until that is the end of all that came, without drawing megabytes of it."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not self.seen.endswith(end):
            self.reads(is_shown=False)
            assert time.monotonic() < deadline, self.seen[-200:]

    def is_left(self) -> int:
        """Wait until the client has exited; return its status."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while self.client.poll() is None or self.reads():
            self.reads()
            assert time.monotonic() < deadline, self.rows
        return self.client.returncode

    def close(self) -> None:
        """Leave nothing behind."""
        if self.client.poll() is None:
            self.client.kill()
            self.client.wait()
        os.close(self._master)


@pytest.fixture
def alice(daemon: Daemon, tmp_path: Path) -> SSH:
    """Give somebody with a key."""
    key = make_key(tmp_path)
    authorize(daemon, "alice", key)
    return SSH(listener=LISTENER, directory=tmp_path, key=key)


@pytest.fixture
def window(alice: SSH) -> Iterator[Window]:
    """Give a window with a prompt in it."""
    window = Window(alice)
    try:
        window.waits_for(PROMPT)
        yield window
    finally:
        window.close()


def test_a_line(window: Window) -> None:
    """A command is typed and answered; the prompt comes back, and says how it failed."""
    window.types("fails\r")

    window.waits_for(f"{PROMPT} fails", "oh", "cmdserver: fails: exit status 3", PROMPT)


def test_editing(window: Window) -> None:
    """Arrows, history and Tab do what they do elsewhere."""
    window.types("fxils\x1b[D\x1b[D\x1b[D\x7fa\r")
    window.waits_for("cmdserver: fails: exit status 3", PROMPT)
    window.types("up\t\x15\x1b[A")
    window.waits_for(f"{PROMPT} fails")
    window.types("\x15f\t\t")
    window.waits_for("fails    forever", f"{PROMPT} f")


def test_the_greeting(window: Window) -> None:
    """Which host it is comes before the first prompt, in its colour."""
    assert window.rows[:2] == ["shop1 [production]", "Tables are locked on Sundays."]
    assert b"\x1b[1;7;31m[production]\x1b[0m" in window.seen


def test_lines_of_other_sessions(daemon: Daemon, alice: SSH) -> None:
    """They are there in the next one, for Up and Ctrl-R, and in a file that is the daemon's alone."""
    for line in ("fails", "greek"):
        window = Window(alice)
        window.waits_for(PROMPT)
        window.types(f"{line}\r no secret\rhunter2\r")
        refusal = 'cmdserver: unknown_command: no command named "hunter2"; try: help'
        window.waits_for(refusal[:COLUMNS], refusal[COLUMNS:], PROMPT)
        window.types("exit\r")
        assert window.is_left() == 0
        window.close()
    window = Window(alice)
    try:
        window.waits_for(PROMPT)
        window.types("\x1b[A")
        window.waits_for(f"{PROMPT} exit")
        window.types("\x15\x12fai")
        window.waits_for("(reverse-i-search)`fai': fails")
        window.types("\r")
        window.waits_for(f"{PROMPT} fails", "oh", "cmdserver: fails: exit status 3", PROMPT)
    finally:
        window.close()

    kept = daemon.state_directory / "prompt-history" / "alice"
    assert kept.read_text("utf-8").split()[-5:] == ["fails", "exit", "greek", "exit", "fails"]
    assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(kept.parent.stat().st_mode)) == (0o600, 0o700)
    assert kept.stat().st_uid == daemon.state_directory.stat().st_uid


def test_progress(alice: SSH) -> None:
    """With a terminal it overwrites itself, in its colours, which are taken back; without one it is told as it is."""
    window = Window(alice, "-t", "progress")
    try:
        assert (window.is_left(), window.rows) == (0, ["100%"])
        assert b"10%\r\x1b[32m100%\r\x1b[0m" in window.seen
    finally:
        window.close()

    assert alice.run("progress").stdout == b"10%^M\x1b[32m100%^M\x1b[0m"


def test_waiting(alice: SSH) -> None:
    """Who has to wait is told for what, at a terminal and without one."""
    first = alice.start("deploy", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert first.stdout is not None
    assert first.stdout.readline() == b"begun\n"
    window = Window(alice, "-t", "deploy")
    other = alice.start("deploy", stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        assert other.stderr is not None
        assert re.fullmatch(
            rb"Waiting: you have been running this since \d\d:\d\d UTC \(attach [0-9a-f]{16}\)\n",
            other.stderr.readline(),
        )
        wait_until(lambda: window.reads() and window.rows[-1].endswith(")"), "it is told at the terminal")
        assert "".join(window.rows).startswith("Waiting: you have been running this since ")
    finally:
        for each in (other, first):
            each.kill()
            each.communicate()
        window.close()


def test_help(window: Window) -> None:
    """It is short, and marks what changes something."""
    window.types("?\r")
    window.waits_for("  session  json  quit  history  clear  exit  logout", PROMPT)
    assert "  deploy    changes" in window.rows
    assert "  services" in window.rows


def test_characters(window: Window) -> None:
    """What is not ASCII is typed, shown and deleted as characters."""
    window.types("日本語\x7f\x7f")
    window.waits_for(f"{PROMPT} 日")
    window.types("\x15greek\r")
    # pyte keeps the second half of a wide character as a cell of its own.
    window.waits_for(f"{PROMPT} greek", "αβγ 日本", PROMPT)


def test_control_sequences(window: Window) -> None:
    """What a command prints does not act on the terminal."""
    window.types("loud\r")

    window.waits_for(f"{PROMPT} loud", "^[[31mred^[[2J", PROMPT)


def test_output_comes_as_it_is_made(window: Window) -> None:
    """Each line is seen when it is written."""
    window.types("slowly\r")
    window.waits_for("line 1")
    window.waits_for("line 1", "line 2")
    window.waits_for("line 1", "line 2", "line 3", PROMPT)


def test_interrupting(daemon: Daemon, window: Window) -> None:
    """Ctrl-C ends what runs, however much it writes, and gives the prompt back."""
    for command in ("forever", "endless"):
        window.types(f"{command}\r")
        wait_until(daemon.processes, "it runs")
        window.waits_for_flood()
        window.types("\x03")
        window.waits_in_flood(f"^C\r\n{PROMPT} ".encode())
        wait_until(lambda: not daemon.processes(), "it is ended")


def test_leaving(window: Window) -> None:
    """Ctrl-D leaves."""
    window.types("fails\r")
    window.waits_for("cmdserver: fails: exit status 3", PROMPT)
    window.types("\x04")

    assert window.is_left() == 0


def test_quitting(window: Window) -> None:
    """So does `quit`."""
    window.types("quit\r")

    assert window.is_left() == 0


def test_another_width(window: Window) -> None:
    """A window that becomes narrower is drawn to from then on."""
    window.resize(20)
    os.killpg(window.client.pid, signal.SIGWINCH)
    wait_until(lambda: _wraps(window, COLUMNS_LEFT), "the new width")


def _wraps(window: Window, length: int) -> bool:
    """Tell whether a line of that length fills a row; start anew if it does not."""
    window.types("\x15")
    while window.reads():
        pass
    before = len(window.seen)
    window.types("x" * length)
    while window.reads():
        pass
    return b"\r\n" in window.seen[before:]


def test_a_command_at_a_terminal(alice: SSH) -> None:
    """`ssh -t HOST COMMAND` ends its lines as terminals want it; Ctrl-C ends the command."""
    window = Window(alice, "-t", "greek")
    try:
        assert (window.is_left(), window.rows) == (0, ["αβγ 日本"])
    finally:
        window.close()

    window = Window(alice, "-t", "forever")
    try:
        window.waits_for("begun")
        window.types("\x03")
        assert window.is_left() == NO_STATUS
    finally:
        window.close()


def test_no_terminal(daemon: Daemon, alice: SSH) -> None:
    """Who may have none is told so, and has lines."""
    assert alice.key is not None
    authorize(daemon, "alice", alice.key, options="no-pty")
    window = Window(alice)
    try:
        window.waits_for("PTY allocation request failed on channel 0")
        window.types("fails\n\x04")
        assert window.is_left() == 3
        assert window.rows[1:] == ["fails", "oh"]
    finally:
        window.close()


def test_pasting(window: Window) -> None:
    """Lines that are pasted are entered one by one; what says that it was pasted waits for Enter."""
    window.types("fails\rgreek\r")
    window.waits_for("cmdserver: fails: exit status 3", f"{PROMPT} greek", "αβγ 日本", PROMPT)
    window.types("\x1b[200~fails\rfails\r\x1b[201~")
    window.waits_for(f"{PROMPT} fails fails")


def test_a_dead_terminal(daemon: Daemon, window: Window) -> None:
    """When the window is closed, what ran in it is ended."""
    window.types("forever\r")
    wait_until(daemon.processes, "it runs")
    window.client.kill()

    wait_until(lambda: not daemon.processes(), "it is ended")


def test_values(window: Window) -> None:
    """Tab completes names, parameters and choices that another command lists; a question comes before it runs."""
    window.types("rest\tu\tp\t")
    window.waits_for(f"{PROMPT} restart unit=php-fpm")
    window.types("sec\t2m\r")
    window.waits_for(f"{PROMPT} restart unit=php-fpm seconds=2m", "Restart php-fpm?", "[y/N]")
    window.types("y\r")
    window.waits_for("[y/N] y", "restarted php-fpm after 120 s", PROMPT)
    window.types("restart nginx 2h\r")
    window.waits_for(
        f"{PROMPT} restart nginx 2h",
        "cmdserver: bad_argument: seconds must be a time span such as",
        " 90, 90s, 15m, 2h, 1d or 1h30m, 1h at most",
        PROMPT,
    )
    window.types("restart nginx\r\r")
    window.waits_for(f"{PROMPT} restart nginx", "Restart nginx?", "[y/N]", "Not run.", PROMPT)
