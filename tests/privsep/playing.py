"""A real runner process, and a test in the place of its daemon, which may say to it whatever it likes."""

import json
import os
import select
import signal
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cmdserver.privsep.arguments import RunnerArguments
from cmdserver.privsep.daemon import starting
from cmdserver.privsep.messages import (
    REPORT_BYTES,
    Exited,
    Ran,
    Ready,
    Refused,
    Report,
    Request,
    Signal,
    Start,
    Started,
    decode_report,
    encode,
)
from tests.integration.daemon import is_alive
from tests.waiting import LIMIT_SECONDS, wait_until

_END = (Exited, Ran, Refused)


def configuration(commands: Mapping[str, Mapping[str, object]], running: int = 32, more: str = "") -> str:
    """Write a configuration with these commands; nobody listens at its listener."""
    lines = ["[[listen]]", 'protocol = "line"', 'endpoint = "tcp:1:interface=127.0.0.1"', 'login = "never"', more]
    lines += ["[limits]", f"running = {running}"]
    for name, table in commands.items():
        lines += [f"[commands.{name}]", *(f"{key} = {_spelled(value)}" for key, value in table.items())]
    return "\n".join([*lines, ""])


def _spelled(value: object) -> str:
    """Spell a value as TOML does, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_spelled(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_spelled, value))}]"
    return json.dumps(value)


def children(pid: int) -> list[int]:
    """List a process's children."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except FileNotFoundError:
        return []


def descriptors(pid: int) -> int:
    """Count what a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - a hundred times


def rss_bytes(pid: int, kind: str = "VmRSS") -> int:
    """Say how much memory a process uses."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(kind)


class Played:
    """A runner, and all that its daemon could do with it.

    Args:
        file: Its configuration.
        state_directory: Where it opens credential files; empty: nowhere.
    """

    def __init__(self, file: Path, state_directory: str = "") -> None:
        self.file = file
        self.family = int.from_bytes(os.urandom(3), "big")
        arguments = RunnerArguments(
            family=self.family,
            daemon=os.getpid(),
            configuration=str(file),
            pid_file="",
            state_directory=state_directory,
        )
        self.connection = starting.start(arguments)
        try:
            self.ready = starting.wait_for(self.connection)
        except BaseException:
            self.connection.close()
            raise
        self.connection.settimeout(LIMIT_SECONDS)
        self.last_id = -1
        #: What was heard before anybody asked.
        self._heard: deque[tuple[Report, list[int]]] = deque()
        self.standby = wait_until(lambda: children(self.ready.pid), "the standby")[0]

    @property
    def pid(self) -> int:
        """The runner's process."""
        return self.ready.pid

    def send(self, request: Request | bytes) -> None:
        """Say something; a runner that does not listen because we do not is listened to first."""
        packet = request if isinstance(request, bytes) else encode(request)
        while self.connection.gettimeout() != 0:
            readable, writable, _ = select.select([self.connection], [self.connection], [], LIMIT_SECONDS)
            if writable:
                break
            assert readable, "the runner is stuck"
            self._heard.append(self._hear())
        self.connection.send(packet)

    def start(self, name: str, *arguments: str) -> int:
        """Ask for a command, as a daemon in its right mind does; return the id of the run."""
        self.last_id += 1
        self.send(Start(self.ready.generation, self.last_id, name, arguments))
        return self.last_id

    def signal(self, run_id: int, number: Any) -> None:
        """Ask for a signal."""
        self.send(Signal(self.ready.generation, run_id, number))

    def hear(self) -> tuple[Report, list[int]]:
        """Wait for a report, and take what comes with it."""
        return self._heard.popleft() if self._heard else self._hear()

    def _hear(self) -> tuple[Report, list[int]]:
        packet, taken, _, _ = socket.recv_fds(self.connection, REPORT_BYTES, 16, socket.MSG_CMSG_CLOEXEC)
        assert packet, "the runner has ended"
        return decode_report(packet), taken

    def hear_only(self) -> Report:
        """Wait for a report, and close what comes with it."""
        report, taken = self.hear()
        for descriptor in taken:
            os.close(descriptor)
        return report

    def hear_of(self, run_id: int) -> list[Report]:
        """Wait until a run has ended; return what was said of it, in order."""
        reports: list[Report] = []
        while not (reports and isinstance(reports[-1], _END)):
            report = self.hear_only()
            if getattr(report, "id", None) == run_id:
                reports.append(report)
        return reports

    def run(self, name: str, *arguments: str) -> tuple[bytes, Report]:
        """Run a command to its end; return its standard output, and the last that was said of it."""
        run_id = self.start(name, *arguments)
        pipes: list[int] = []
        try:
            while True:
                report, taken = self.hear()
                if getattr(report, "id", None) != run_id:
                    for descriptor in taken:
                        os.close(descriptor)
                    continue
                pipes += taken
                if isinstance(report, _END):
                    return self._read(pipes[0]) if pipes else b"", report
        finally:
            for descriptor in pipes:
                os.close(descriptor)

    def _read(self, descriptor: int) -> bytes:
        output = b""
        with suppress(BlockingIOError):
            while data := os.read(descriptor, 65536):
                output += data
        return output

    def works(self) -> bool:
        """Whether it does what it is for: ``word`` must be a command that says ``word``."""
        return self.run("word")[0] == b"word\n"

    def meet(self) -> Ready:
        """Wait for the next runner to introduce itself."""
        while not isinstance(report := self.hear_only(), Ready):
            pass
        self.ready = report
        self.standby = wait_until(lambda: children(self.ready.pid), "the next standby")[0]
        return report

    def bury(self) -> None:
        """Reap who has died, as a daemon does: it is their subreaper, or nobody's."""
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def end(self) -> None:
        """Hang up, and wait until both processes are gone."""
        self.connection.close()
        for _, taken in self._heard:
            for descriptor in taken:
                os.close(descriptor)
        pids = [self.ready.pid, self.standby]
        try:
            wait_until(lambda: not any(map(is_alive, pids)), "runner and standby are gone")
            self.bury()
        finally:
            for pid in filter(is_alive, pids):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def played(
    directory: Path, commands: Mapping[str, Mapping[str, object]], *, state_directory: str = "", **how: Any
) -> Iterator[Played]:
    """Start a runner with an allow-list; at the end neither it nor anything of it is left."""
    file = directory / "cmdserver.toml"
    file.write_text(configuration(commands, **how), "utf-8")
    runner = Played(file, state_directory)
    try:
        yield runner
    finally:
        runner.end()


def started_pid(report: Report) -> int:
    """Say which process a report is of."""
    assert isinstance(report, Started | Ran), report
    return report.pid
