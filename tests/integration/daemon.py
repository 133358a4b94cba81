"""The real ``twistd cmdserver`` in a subprocess, with a port, a configuration and a state directory of its own.

Everything that a daemon runs for a test carries its `Daemon.marker` in its environment, so that whatever is left behind
is found in /proc, whoever its parent has become. Nothing here waits for a fixed time: `wait_until` polls.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from tests.integration.client import GREETING, Address, Client
from tests.waiting import LIMIT_SECONDS, wait_until

#: Python imports it before anything else; what it raises goes to the log.
_SET_CONSTANTS = """
import importlib
for name, value in {constants}.items():
    module, _, constant = name.rpartition(".")
    there = vars(importlib.import_module(module))
    there[constant] = type(there[constant])(value)
"""

Tables = Mapping[str, Mapping[str, object]]


def _ports() -> Iterator[int]:
    """Iterate over ports that the kernel gives to no client (from 32768 on), in any order; none comes again soon.

    Of the processes that pytest-xdist runs tests in, each has ports of its own, because some are chosen long before
    anybody listens on them.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(10_000 + worker, 30_000, workers)
    return cycle(secrets.SystemRandom().sample(ports, len(ports)))


_PORTS: Final = _ports()


def free_port() -> int:
    """Find a TCP port that nobody uses on any address."""
    return next(port for port in _PORTS if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("", port))
        return True
    return False


def has_ipv6() -> bool:
    """Whether this host has ::1; many a container has not."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def is_listening(address: Address) -> bool:
    """Whether somebody takes connections there."""
    try:
        Client(address).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    return True


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that is dead and not yet reaped is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def program(name: str) -> str:
    """Find a program of the environment that runs the tests."""
    path = Path(sys.executable).parent / name
    assert path.exists(), f"{path} is missing: run the tests with the python that cmdserver is installed for"
    return str(path)


def shell(script: str, **settings: object) -> Mapping[str, object]:
    """Say a command of the allow-list that is a shell script."""
    return {"run": ["sh", "-c", script], **settings}


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A listener on a port of its own, besides the one where nobody logs in."""

    protocol: str = "line"
    login: str = "required"
    tls: bool = False
    interface: str = "127.0.0.1"
    allow_plaintext_passwords: bool = False
    #: Whether each connection begins with a PROXY header.
    is_proxied: bool = False
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> Address:
        """Where clients of this host find it."""
        return "127.0.0.1", self.port

    def __str__(self) -> str:
        """Name it, for test names."""
        return f"{'tls' if self.tls else 'tcp'}-{self.login}"

    def toml(self) -> list[str]:
        """Say it as the configuration file does."""
        lines = ["[[listen]]", f'protocol = "{self.protocol}"']
        prefix = "haproxy:" if self.is_proxied else ""
        lines.append(f'endpoint = "{prefix}tcp:{self.port}:interface={self.interface}"')
        lines += [f'login = "{self.login}"', f"tls = {_toml(self.tls)}"]
        if self.allow_plaintext_passwords:
            lines.append("allow_plaintext_passwords = true")
        return [*lines, ""]


def with_constants(place: Path, constants: Mapping[str, float]) -> dict[str, str]:
    """Have a program of ours go by other constants than usual, by their names, module included.

    Args:
        place: Where a directory is made for that.
        constants: What each is to be.

    Returns:
        What belongs into its environment.
    """
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(_SET_CONSTANTS.format(constants=dict(constants)), "ascii")
    return {"PYTHONPATH": str(place)}


class Daemon:
    """One daemon, from its configuration to its end.

    Args:
        directory: Empty, and for this daemon alone.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config_file = directory / "cmdserver.toml"
        self.state_directory = directory / "state"
        self.audit_file = self.state_directory / "audit.jsonl"
        self.log_file = directory / "log"
        self.pid_file = directory / "twistd.pid"
        self.port = free_port()
        self.marker = f"cmdserver-test-{uuid.uuid4().hex}"
        self._process: subprocess.Popen[bytes] | None = None

    # Configuring

    def configure(
        self,
        commands: Tables,
        *,
        listen: Sequence[str] | None = None,
        limits: Mapping[str, object] | None = None,
        audit_file: str | None = None,
        listeners: Sequence[Listener] = (),
        roles: Tables | None = None,
        tls: Mapping[str, object] | None = None,
        web: Mapping[str, object] | None = None,
        runner: Mapping[str, object] | None = None,
        history: Mapping[str, object] | None = None,
        site: Mapping[str, object] | None = None,
        fleet: Mapping[str, object] | None = None,
    ) -> None:
        """Write the configuration file.

        Args:
            commands: By name; everybody may run all of them, unless ``roles`` say otherwise.
            listen: The endpoints; None for the daemon's own port on 127.0.0.1.
            limits: The ``[limits]``.
            audit_file: The ``[audit]`` file; None for the usual one.
            listeners: Besides the one at which everybody is anonymous.
            roles: By name; None for one that lets everybody run everything.
            tls: The ``[tls]``; None for none.
            web: The ``[web]``; None for none.
            runner: The ``[runner]``; None for none.
            history: The ``[history]``; None for none.
            site: The ``[site]``; None for none.
            fleet: The ``[fleet]``; None for none.
        """
        endpoints = [self.endpoint()] if listen is None else listen
        lines = ["[[listen]]", 'protocol = "line"', f"endpoint = {json.dumps(list(endpoints))}", 'login = "never"', ""]
        for listener in listeners:
            lines += listener.toml()
        for name, settings in commands.items():
            own: Any = settings.get("environment", {})
            marked = {**settings, "environment": {"CMDSERVER_TEST": self.marker, **own}}
            lines += [f"[commands.{name}]", *(f"{key} = {_toml(value)}" for key, value in marked.items()), ""]
        for name, role in ({"anonymous": {"commands": ["*"]}} if roles is None else roles).items():
            lines += [f"[roles.{name}]", *(f"{key} = {_toml(value)}" for key, value in role.items()), ""]
        tables = {"tls": tls, "web": web, "runner": runner, "history": history, "site": site, "fleet": fleet}
        for name, table in tables.items():
            if table is not None:
                lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items()), ""]
        lines += ["[limits]", *(f"{key} = {_toml(value)}" for key, value in (limits or {}).items()), ""]
        if audit_file is not None:
            lines += ["[audit]", f"file = {json.dumps(audit_file)}", ""]
        self.config_file.write_text("\n".join(lines), "utf-8")

    def endpoint(self, interface: str = "127.0.0.1") -> str:
        """Describe the daemon's port on an interface."""
        return f"tcp:{self.port}:interface={interface}"

    @property
    def address(self) -> Address:
        """Where it listens unless it was configured otherwise."""
        return "127.0.0.1", self.port

    # Starting and ending

    def command_line(self, *options: str) -> list[str]:
        """Say what to start."""
        return [
            program("twistd"),
            *(options or ("-n",)),
            f"--pidfile={self.pid_file}",
            "cmdserver",
            f"--config={self.config_file}",
            f"--state-dir={self.state_directory}",
        ]

    def with_constants(self, constants: Mapping[str, float]) -> Mapping[str, str]:
        """Have the daemon and its runner go by other constants than usual: by shorter times, so that tests are short.

        Args:
            constants: By their names, module included.

        Returns:
            The environment to start it with.
        """
        return with_constants(self.directory / "constants", constants)

    def start(
        self,
        ready: Address | None = None,
        *,
        command_line: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it, and wait until it greets.

        Args:
            ready: Where it is to greet.
            command_line: Another than `command_line` says.
            environment: In addition to the tests' own.
        """
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command_line or self.command_line(),
                cwd=self.directory,
                env=clean_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: self._greets(ready or self.address), "the daemon greets")

    def run_to_end(
        self, *options: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Start it where it is to end by itself, and wait for that."""
        return subprocess.run(
            [*self.command_line(), *options],
            cwd=self.directory,
            env=clean_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    @property
    def pid(self) -> int:
        """The daemon's process."""
        assert self._process is not None, "the daemon was not started"
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = LIMIT_SECONDS) -> int:
        """Wait until it is gone; return its exit status, negative for a signal."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> int:
        """Ask it to end, and wait until it has."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def end(self) -> None:
        """Leave nothing behind, whatever has happened."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # Looking at it

    def processes(self) -> list[int]:
        """List what runs on its behalf: children, their children, and all that were left behind."""
        return list(marked_processes(self.marker))

    def cpu_ticks(self) -> int:
        """How much of a processor it has used, in hundredths of a second (proc(5), ``stat``)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def rss_bytes(self) -> int:
        """How much memory it uses."""
        for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def log(self) -> str:
        """What it has said to its administrator."""
        return self.log_file.read_text("utf-8", errors="replace") if self.log_file.exists() else ""

    def wait_for_log(self, text: str, times: int = 1) -> None:
        """Wait until it has said something so many times."""
        wait_until(lambda: self.log().count(text) >= times, f"{text!r} in the log")

    def reload(self) -> None:
        """Send SIGHUP, and wait until it has said what came of that."""
        before = self.log()
        self.signal(signal.SIGHUP)
        wait_until(
            lambda: any(
                end in self.log()[len(before) :] for end in ("configuration read again", "nothing was changed")
            ),
            "the end of the reload",
        )

    def audit(self, *, starts: bool = False) -> list[dict[str, Any]]:
        """Read the audit file; the last line only if it is whole, as it may just be coming.

        Args:
            starts: Whether to tell of runs that were started, besides how logins and requests ended.
        """
        whole, _, _ = self.audit_file.read_text("ascii").rpartition("\n")
        records = [json.loads(line) for line in whole.splitlines()]
        return [each for each in records if starts or each["event"] != "started"]

    # Talking to it

    def connect(self, **how: Any) -> Client:
        """Connect as a raw socket does; see `Client`."""
        return Client(self.address, **how)

    def ask(self, text: str | bytes, **how: Any) -> bytes:
        """Send lines, and read until the daemon closes; the greeting is left out."""
        with self.connect(**how) as client:
            client.read_greeting()
            client.send(text if isinstance(text, bytes) else text.encode())
            return client.read_all()

    def ask_json(self, text: str, **how: Any) -> dict[str, Any]:
        """Ask one question whose answer is one JSON object on one line of ASCII."""
        answer = self.ask(f"json {text}\n", **how)
        assert answer.endswith(b"\n")
        assert answer.count(b"\n") == 1
        parsed = json.loads(answer.decode("ascii"))
        assert isinstance(parsed, dict)
        return parsed

    def _greets(self, address: Address) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the daemon is gone ({self._process.returncode}):\n{self.log()}"
        try:
            with Client(address) as client:
                return client.read_until(b"\n") == GREETING
        except (ConnectionRefusedError, FileNotFoundError):
            return False


@contextmanager
def prepared(directory: Path) -> Iterator[Daemon]:
    """Make a daemon that is not started; at the end nothing is left of it, and it has not stumbled."""
    daemon = Daemon(directory)
    try:
        yield daemon
    finally:
        daemon.end()
    assert "Traceback" not in daemon.log(), daemon.log()
    assert "Unhandled" not in daemon.log(), daemon.log()
    assert "sitecustomize" not in daemon.log(), daemon.log()


@contextmanager
def running(
    directory: Path, commands: Tables, *, constants: Mapping[str, float] | None = None, **how: Any
) -> Iterator[Daemon]:
    """Make and start a daemon; at its end it leaves no process behind.

    Args:
        directory: For it alone.
        commands: See `Daemon.configure`.
        constants: See `Daemon.with_constants`.
        how: The rest of what `Daemon.configure` takes.
    """
    with prepared(directory) as daemon:
        daemon.configure(commands, **how)
        daemon.start(environment=daemon.with_constants(constants) if constants else None)
        yield daemon
        if is_alive(daemon.pid):
            daemon.stop()
        # By the runner process, which ends a moment after the daemon.
        wait_until(lambda: not daemon.processes(), "commands end with their daemon")
        wait_until(lambda: not daemon.pid_file.exists(), "its pid file is removed")


def marked_processes(marker: str) -> Iterator[int]:
    """Find processes with a marker in their arguments or their environment."""
    needle = marker.encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if needle in about and is_alive(int(entry.name)):
                    yield int(entry.name)


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make a daemon's environment: the tests' own, without what it would take for its configuration."""
    dropped = {"CMDSERVER_CONFIG", "STATE_DIRECTORY", "PYTHONWARNINGS"}
    return {key: value for key, value in os.environ.items() if key not in dropped} | dict(more or {})


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
