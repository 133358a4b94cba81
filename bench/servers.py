"""The servers that are measured: how each is started, asked, looked at from outside, and stopped."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ADDRESS = "127.0.0.1"
GREETING = "What can I do for you?\n"
LINE = "uptime\n"
EXPECTED = "load average"
_REQUEST = "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

_START_SECONDS = 20
_STOP_SECONDS = 20
_POLL_SECONDS = 0.002
_ASK_SECONDS = 10

_CMDSERVER_CONFIGURATION = """\
[[listen]]
protocol = "{protocol}"
endpoint = "tcp:{port}:interface={address}"
login = "never"

[commands.uptime]
run = ["{program}"]
read_only = true
share = {share}

[roles.anonymous]
commands = ["uptime"]

[limits]
connections = 50000
connections_per_source = 50000
running = 64
queued = 20000
login_seconds = 3600
idle_seconds = 3600
"""

#: Of adnanh/webhook: as much of it as compares.
_HOOKS = """\
[{{"id": "uptime", "execute-command": "{program}", "include-command-output-in-response": true}}]
"""

_XINETD_CONFIGURATION = """\
defaults
{{
    log_type = FILE {log}
    log_on_success =
}}
service uptime
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    wait = no
    user = {user}
    bind = {address}
    port = {port}
    server = {program}
    # As the other servers' children: a dozen locale files less.
    env = LANG=C
    flags = NODELAY NOLIBWRAP IPv4
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 1000000 1
}}
"""

#: Twisted's own command, whichever environment the interpreter is of.
_TWISTD = "from twisted.scripts.twistd import run; run()"


class CannotMeasureError(Exception):
    """Something needed is not there, or does not work; the text says what."""


@dataclass(kw_only=True)
class Server:
    """One server, running or not.

    Args:
        name: As the tables call it.
        argv: What starts it in the foreground.
        port: Where it listens then.
        log: Where its output goes.
        greeting: What it says first, if anything.
        line: What it is asked then; a server without either answers at once, without being asked.
        state_directory: cmdserver's.
    """

    name: str
    argv: list[str]
    port: int
    log: Path
    greeting: str = GREETING
    line: str = LINE
    state_directory: Path | None = None
    #: Right answers that were received from it; kept by those who ask.
    answered: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def is_cmdserver(self) -> bool:
        """Whether it is what all this is about."""
        return self.state_directory is not None

    @property
    def pid(self) -> int:
        """Its process."""
        if self._process is None or self._process.poll() is not None:
            raise CannotMeasureError(f"{self.name} does not run any more\n{self._end_of_log()}")
        return self._process.pid

    def start(self) -> float:
        """Start it; return the seconds until it had answered its first request."""
        with self.log.open("ab") as log:
            begun = time.monotonic()
            self._process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent
            )
        while time.monotonic() < begun + _START_SECONDS:
            if self._process.poll() is not None:
                raise CannotMeasureError(f"{self.name} ended at once\n{self._end_of_log()}")
            try:
                answer = self._ask()
            except ConnectionRefusedError:
                time.sleep(_POLL_SECONDS)
                continue
            seconds = time.monotonic() - begun
            if EXPECTED not in answer:
                self.stop()
                raise CannotMeasureError(f"{self.name} answers {answer!r}")
            self.answered += 1
            return seconds
        self.stop()
        raise CannotMeasureError(f"{self.name} did not answer within {_START_SECONDS} s\n{self._end_of_log()}")

    def stop(self) -> None:
        """End that process, and no other; harmless if it is not there."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def cpu_seconds(self) -> float:
        """Say what its process has used so far, user and system; its children are not in it."""
        # The name, in parentheses, may hold anything.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = fields[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, int]:
        """Say how many bytes of memory its process has: ``rss``, and ``pss``, where shared pages count in part."""
        found = {}
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            key, _, value = line.partition(":")
            if key in {"Rss", "Pss"}:
                found[key.lower()] = int(value.split()[0]) * 1024
        return found

    def descriptors(self) -> int:
        """Say how many it has open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def audited(self) -> int:
        """Say how many requests cmdserver has written down as answered."""
        if self.state_directory is None:
            return 0
        with (self.state_directory / "audit.jsonl").open() as lines:
            return sum('"outcome": "ok"' in line for line in lines)

    def _ask(self) -> str:
        with socket.create_connection((ADDRESS, self.port), _ASK_SECONDS) as connection:
            received = b""
            if self.line:
                connection.sendall(self.line.encode())
            while chunk := connection.recv(4096):
                received += chunk
        return received.decode(errors="replace")

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


class Park:
    """Makes the servers, with all their files in one directory.

    Args:
        python: The interpreter of an environment where cmdserver is installed.
        scratch: The directory.
    """

    def __init__(self, python: str, scratch: Path) -> None:
        self.python = python
        self.scratch = scratch
        self._made = 0
        self.program = shutil.which("uptime") or ""
        if not self.program:
            raise CannotMeasureError("uptime is not installed")

    def make(self, name: str) -> Server:
        """Make a server that has not been started.

        Raises:
            CannotMeasureError: It is not installed, or there is no server of that name.
        """
        place = self.scratch / f"{self._made:03}-{name}"
        self._made += 1
        place.mkdir()
        port = _free_port()
        match name:
            case "naive":
                return self._naive(place, port)
            case "xinetd":
                return self._xinetd(place, port)
            case "unshared" | "shared":
                return self._cmdserver(name, place, port)
            case "webhook":
                return self._webhook(place, port)
            case "web-unshared" | "web-shared":
                return self._cmdserver(name, place, port, protocol="web")
        raise CannotMeasureError(f"there is no server called {name}")

    def _naive(self, place: Path, port: int) -> Server:
        script = Path(__file__).with_name("naive.py")
        argv = [self.python, str(script), str(port), self.program]
        return Server(name="naive", argv=argv, port=port, log=place / "log")

    def _xinetd(self, place: Path, port: int) -> Server:
        xinetd = shutil.which("xinetd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
        if xinetd is None:
            raise CannotMeasureError("xinetd is not installed")
        file = place / "xinetd.conf"
        file.write_text(
            _XINETD_CONFIGURATION.format(
                log=place / "xinetd.log", user=getpass.getuser(), address=ADDRESS, port=port, program=self.program
            )
        )
        argv = [xinetd, "-dontfork", "-f", str(file), "-pidfile", str(place / "pid")]
        return Server(name="xinetd", argv=argv, port=port, log=place / "log", greeting="", line="")

    def _webhook(self, place: Path, port: int) -> Server:
        webhook = shutil.which("webhook")
        if webhook is None:
            raise CannotMeasureError("webhook is not installed")
        hooks = place / "hooks.json"
        hooks.write_text(_HOOKS.format(program=self.program))
        # As the other servers' children: a dozen locale files less.
        argv = ["env", "LANG=C", "LC_ALL=C", webhook, "-hooks", str(hooks), "-ip", ADDRESS, "-port", str(port)]
        line = _REQUEST.format(path="/hooks/uptime")
        return Server(name="webhook", argv=argv, port=port, log=place / "log", greeting="", line=line)

    def _cmdserver(self, name: str, place: Path, port: int, protocol: str = "line") -> Server:
        file = place / "cmdserver.toml"
        share = "false" if name.endswith("unshared") else "true"
        file.write_text(
            _CMDSERVER_CONFIGURATION.format(
                protocol=protocol, address=ADDRESS, port=port, program=self.program, share=share
            )
        )
        state = place / "state"
        argv = [self.python, "-c", _TWISTD, "-n", "--pidfile=", "cmdserver"]
        argv += ["--config", str(file), "--state-dir", str(state)]
        talk = {"greeting": GREETING, "line": LINE}
        if protocol == "web":
            talk = {"greeting": "", "line": _REQUEST.format(path="/uptime")}
        return Server(name=name, argv=argv, port=port, log=place / "log", state_directory=state, **talk)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
