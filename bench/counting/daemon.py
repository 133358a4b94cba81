"""The daemon whose requests are counted, with one listener."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients import ADDRESS

USER = "caller"
_SECONDS = 20.0
_POLL_SECONDS = 0.005

_CONFIGURATION = """\
[[listen]]
protocol = "{protocol}"
endpoint = "tcp:{port}:interface={address}"
login = "{login}"
tls = {tls}

[commands.uptime]
run = ["{program}"]
read_only = true
share = false

[commands.shared]
run = ["{program}"]
read_only = true

[roles.{role}]
{users}
commands = ["*"]

[limits]
connections_per_source = 10000
unauthenticated = "1000:30:2000"
"""


class CannotCountError(Exception):
    """Something needed is not there, or does not work; the text says what."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that runs."""

    directory: Path
    port: int
    pid: int

    @property
    def key(self) -> Path:
        """The private key of `USER`, if there is an SSH listener."""
        return self.directory / "key"

    @property
    def runner(self) -> int:
        """The runner's process."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        found = [each for each in children if b"cmdserver.privsep" in Path(f"/proc/{each}/cmdline").read_bytes()]
        if len(found) != 1:
            raise CannotCountError(f"the runner is not one process: {found}")
        return int(found[0])

    @contextmanager
    def counting(self) -> Iterator[Path]:
        """Count calls; the file is there afterwards."""
        flag, calls = self.directory / "state" / "counting", self.directory / "state" / "calls"
        os.kill(self.pid, signal.SIGUSR2)
        wait_until(flag.exists)
        yield calls
        os.kill(self.pid, signal.SIGUSR2)
        wait_until(lambda: not flag.exists())


@contextmanager
def running(directory: Path, protocol: str, *, tls: bool = False) -> Iterator[Daemon]:
    """Start a daemon, and end it."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port = int(probe.getsockname()[1])
    program = shutil.which("uptime")
    if program is None:
        raise CannotCountError("uptime is not installed")
    is_ssh = protocol == "ssh"
    text = _CONFIGURATION.format(
        protocol=protocol,
        port=port,
        address=ADDRESS,
        login="required" if is_ssh else "never",
        tls="true" if tls else "false",
        program=program,
        role="callers" if is_ssh else "anonymous",
        users=f'users = ["{USER}"]' if is_ssh else "",
    )
    directory.mkdir()
    file, state, log = directory / "cmdserver.toml", directory / "state", directory / "log"
    file.write_text(text, "utf-8")
    options = ["--config", str(file), "--state-dir", str(state)]
    if is_ssh:
        _make_key(directory, state)
    argv = [sys.executable, str(Path(__file__).with_name("counted_twistd.py")), str(state)]
    # The daemon raises its limit of descriptors, and lowers that of commands again, which takes a fork each: not so if
    # there is nothing to raise.
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*argv, "-n", "--pidfile=", "cmdserver", *options], stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    try:
        wait_until(lambda: _is_listening(port) or process.poll() is not None)
        if process.poll() is not None:
            raise CannotCountError(log.read_text("utf-8", "replace")[-2000:])
        yield Daemon(directory, port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _make_key(directory: Path, state: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        raise CannotCountError("ssh-keygen is not installed")
    key = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    keys = state / "authorized_keys"
    keys.mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    (keys / USER).write_bytes(key.with_suffix(".pub").read_bytes())
    (keys / USER).chmod(0o600)


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait, but not for ever."""
    deadline = time.monotonic() + _SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise CannotCountError("the daemon does not answer")
        time.sleep(_POLL_SECONDS)
