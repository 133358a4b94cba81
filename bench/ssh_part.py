"""The part of the benchmark that speaks SSH: cmdserver beside OpenSSH's sshd and the server that one writes first.

Every request is a connection of its own: key exchange, login by key, `uptime`, and the answer. The load generator is
`sshload.c`, on libssh; all servers are spoken to with the same algorithms.
"""

import contextlib
import getpass
import json
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from servers import ADDRESS, CannotMeasureError

TARGETS = ("sshd", "asyncssh", "unshared", "shared")
TITLES = {
    "sshd": "OpenSSH's sshd",
    "asyncssh": "asyncssh",
    "unshared": "cmdserver, unshared",
    "shared": "cmdserver, shared",
}
CALLERS = (1, 16)
#: Sessions that are held for their memory; sshd has two processes for each.
HELD = {"sshd": 30, "asyncssh": 2000, "unshared": 2000}

_HERE = Path(__file__).parent
_PATIENCE_SECONDS = 20
_SLACK_SECONDS = 60

_SSHD_CONFIGURATION = """\
Port {port}
ListenAddress {address}
HostKey {host_key}
AuthorizedKeysFile {authorized_keys}
PidFile none
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin yes
MaxStartups 1000:30:2000
LogLevel ERROR
ForceCommand exec env LANG=C {program}
"""

_CMDSERVER_CONFIGURATION = """\
[[listen]]
protocol = "ssh"
endpoint = "tcp:{port}:interface={address}"

[commands.uptime]
run = ["{program}"]
read_only = true
share = {share}

[roles.caller]
users = ["{user}"]
commands = ["uptime"]

[limits]
connections_per_source = 10000
unauthenticated = "1000:30:2000"
running = 64
idle_seconds = 3600
"""

_TWISTD = "from twisted.scripts.twistd import run; run()"

Results = dict[str, Any]


@dataclass(kw_only=True)
class SSHPart:
    """Measures.

    Args:
        python: Of an environment with cmdserver, and with asyncssh if that is to take part.
        scratch: A directory for everything.
    """

    python: str
    scratch: Path
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._program = shutil.which("uptime") or "uptime"
        self._load = self.scratch / "sshload"
        built = subprocess.run(
            ["cc", "-O2", "-o", str(self._load), str(_HERE / "sshload.c"), "-lssh", "-lpthread"],
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode:
            raise CannotMeasureError(f"sshload.c cannot be compiled; is libssh-dev installed?\n{built.stderr}")
        self._key, self._host_key = self._make_key("key"), self._make_key("host_key")

    def measure(self, seconds: float, rounds: int) -> Results:
        """Measure all servers that there are here."""
        cells: list[Results] = []
        memory: dict[str, list[float]] = {}
        for number in range(rounds):
            for name in TARGETS[number % len(TARGETS) :] + TARGETS[: number % len(TARGETS)]:
                try:
                    with self._running(name) as (process, port):
                        cells += [self._ask(name, port, callers, seconds) for callers in CALLERS]
                        if name in HELD:
                            memory.setdefault(name, []).append(self._bytes_each(process.pid, port, HELD[name]))
                except CannotMeasureError as error:
                    if name in {"unshared", "shared"}:
                        raise
                    self._note(f"without {TITLES[name]}: {error}")
        return {"cells": cells, "memory": memory, "notes": self.notes}

    # Instruments

    def _ask(self, name: str, port: int, callers: int, seconds: float) -> Results:
        argv = [str(self._load), "load", str(port), str(self._key), getpass.getuser(), str(callers), str(seconds)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + _SLACK_SECONDS, check=False)
        if done.returncode or not done.stdout:
            raise CannotMeasureError(f"sshload: {done.stderr.strip() or done.returncode}")
        return {"target": name, "callers": callers} | dict(json.loads(done.stdout))

    def _bytes_each(self, pid: int, port: int, count: int) -> float:
        """Say how much memory a session takes that has logged in and does nothing, all processes of it together.

        Half as many are there before: those take what earlier requests have left free.
        """
        with self._holding(port, count // 2):
            before = _pss(pid)
            with self._holding(port, count):
                return (_pss(pid) - before) / count

    @contextlib.contextmanager
    def _holding(self, port: int, count: int) -> Iterator[None]:
        argv = [str(self._load), "hold", str(port), str(self._key), getpass.getuser(), str(count)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            if holder.stdout is None or holder.stdin is None:
                raise CannotMeasureError("the holder has no pipes")
            ready, _, _ = select.select([holder.stdout], [], [], _SLACK_SECONDS)
            held = int(json.loads(holder.stdout.readline())["held"]) if ready else 0
            try:
                if held != count:
                    raise CannotMeasureError(f"only {held} of {count} sessions could be held")
                yield
            finally:
                holder.stdin.close()
                holder.wait(_SLACK_SECONDS)

    # Servers

    @contextlib.contextmanager
    def _running(self, name: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        port = _free_port()
        place = self.scratch / f"{name}-{port}"
        place.mkdir(mode=0o700)
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                getattr(self, f"_{name}")(place, port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=place
            )
        try:
            _wait(process, port, place / "log")
            yield process, port
        finally:
            process.terminate()
            process.wait()

    def _sshd(self, place: Path, port: int) -> list[str]:
        sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
        if sshd is None:
            raise CannotMeasureError("sshd is not installed")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = place / "sshd_config"
        configuration.write_text(
            _SSHD_CONFIGURATION.format(
                port=port,
                address=ADDRESS,
                host_key=self._host_key,
                authorized_keys=self._key.with_suffix(".pub"),
                program=self._program,
            )
        )
        return [sshd, "-D", "-e", "-f", str(configuration)]

    def _asyncssh(self, place: Path, port: int) -> list[str]:
        if subprocess.run([self.python, "-c", "import asyncssh"], capture_output=True, check=False).returncode:
            raise CannotMeasureError("asyncssh is not installed")
        script = str(_HERE / "asyncssh_server.py")
        public = place / "authorized_keys"
        shutil.copy(self._key.with_suffix(".pub"), public)
        return [self.python, script, str(port), str(self._host_key), str(public), self._program]

    def _unshared(self, place: Path, port: int, share: str = "false") -> list[str]:
        state = place / "state"
        (state / "authorized_keys").mkdir(mode=0o700, parents=True)
        state.chmod(0o700)
        keys = state / "authorized_keys" / getpass.getuser()
        shutil.copy(self._key.with_suffix(".pub"), keys)
        keys.chmod(0o600)
        shutil.copy(self._host_key, state / "ssh_host_ed25519_key")
        configuration = place / "cmdserver.toml"
        configuration.write_text(
            _CMDSERVER_CONFIGURATION.format(
                port=port, address=ADDRESS, program=self._program, share=share, user=getpass.getuser()
            )
        )
        argv = [self.python, "-c", _TWISTD, "-n", "--pidfile=", "cmdserver"]
        return [*argv, "--config", str(configuration), "--state-dir", str(state)]

    def _shared(self, place: Path, port: int) -> list[str]:
        return self._unshared(place, port, share="true")

    def _make_key(self, name: str) -> Path:
        file = self.scratch / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
        return file

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def is_sound(results: Results) -> bool:
    """Whether cmdserver has answered everybody."""
    return not any(cell["errors"] for cell in results["cells"] if cell["target"] in {"unshared", "shared"})


def tables(results: Results) -> str:
    """Say what was found; each number is the median of the rounds."""
    head = "| server | callers | requests/s | p50 / p99 ms | errors | KB for each idle session |"
    lines = [head, "|---|---:|---:|---:|---:|---:|"]
    for name in TARGETS:
        each = results["memory"].get(name)
        for callers in CALLERS:
            cells = [cell for cell in results["cells"] if (cell["target"], cell["callers"]) == (name, callers)]
            if not cells:
                continue
            rate, p50, p99 = (median(cell[key] for cell in cells) for key in ("rate", "p50_ms", "p99_ms"))
            errors = sum(cell["errors"] for cell in cells)
            kilobytes = f"{median(each) / 1000:.1f}" if each and callers == CALLERS[0] else ""
            row = (TITLES[name], callers, f"{rate:.0f}", f"{p50:.1f} / {p99:.1f}", errors, kilobytes)
            lines.append(f"| {' | '.join(map(str, row))} |")
    notes = "".join(f"\n- {note}" for note in results["notes"])
    return "### SSH: connect, log in by key, run `uptime`\n\n" + "\n".join(lines) + ("\n" + notes if notes else "")


def _pss(pid: int) -> int:
    """Add the memory of a process and its descendants up, what they share being counted once."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    total, left = 0, [pid]
    while left:
        process = left.pop()
        left += children.get(process, [])
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
    return total


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), 1) as probe:
            if probe.recv(8).startswith(b"SSH-"):
                return
        time.sleep(0.02)
    raise CannotMeasureError(f"the server on port {port} does not answer\n{log.read_text(errors='replace')[-2000:]}")
