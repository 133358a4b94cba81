"""What runs cost: the history, a thousand who watch, and a long list. `python bench/runs.py --python VENV/bin/python`.

Everything stays on 127.0.0.1, ends by itself, and is said as a ratio within one run, or as the server's own time.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = "127.0.0.1"
#: Runs of the list that are told at once.
LISTED = 100
CONFIGURATION = """
[[listen]]
protocol = "line"
endpoint = "tcp:{line}:interface=127.0.0.1"
login = "never"
[[listen]]
protocol = "web"
endpoint = "tcp:{web}:interface=127.0.0.1"
login = "never"
[limits]
connections_per_source = 5000
queued = 5000
[commands.none]
run = ["uptime"]
read_only = true
share = false
history = "none"
[commands.all]
run = ["uptime"]
read_only = true
share = false
history = "all"
[commands.talks]
run = ["sh", "-c", "for i in $(seq {lines}); do echo line $i of what is said; sleep 0.05; done"]
timeout_seconds = 300
[roles.anonymous]
commands = ["*"]
sees = ["*"]
"""
#: Fills a history as the daemon would; run by the Python that has cmdserver.
FILL = """
import sys, time
from pathlib import Path
from cmdserver.core.output import Stream
from cmdserver.core.run_states import RunState
from cmdserver.history.changes import Ended
from cmdserver.history.database import Database
from cmdserver.history.retention import HistoryLimits
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import RunRecord
now = time.time()
database = Database.open(Path(sys.argv[1]))
output = KeptOutput(((Stream.STDOUT, b"x" * 200),))
for start in range(0, {runs}, 500):
    database.write([
        Ended(RunRecord(
            number=int((now - 20_000 + number) * 1e6), id=f"{{number:016x}}", command=f"command-{{number % 50}}",
            arguments=("unit=nginx",), state=RunState.OK, user="ann" if number % 2 else None, protocol="ssh",
            asked_at=now - 20_000 + number, started_at=now - 20_000 + number, duration_seconds=0.1, exit_status=0,
        ), output)
        for number in range(start, start + 500)
    ], HistoryLimits(runs={runs}), now)
database.close()
"""


def free_port() -> int:
    """Find a port that nobody has."""
    with socket.socket() as one:
        one.bind((HERE, 0))
        return int(one.getsockname()[1])


class Daemon:
    """A daemon, and how it is asked."""

    def __init__(self, python: Path, directory: Path, lines: int) -> None:
        self.line, self.web = free_port(), free_port()
        self.log = directory / "log"
        self.state = directory / "state"
        self._python = python
        self._configuration = directory / "cmdserver.toml"
        self._configuration.write_text(CONFIGURATION.format(line=self.line, web=self.web, lines=lines))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it, and end it."""
        words = [self._python.with_name("twistd"), "-n", "--pidfile=", "cmdserver"]
        words += ["--config", self._configuration, "--state-dir", self.state]
        with self.log.open("ab") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            for _ in range(200):
                try:
                    socket.create_connection((HERE, self.line)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    async def ask(self, text: str) -> bytes:
        """Ask a line, a connection for it."""
        reader, writer = await asyncio.open_connection(HERE, self.line)
        writer.write(f"{text}\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\n")[2]

    async def get(self, path: str, *, reads: bool = True, accept: str = "*/*") -> bytes:
        """Ask for a path, and read to the end, or not at all."""
        reader, writer = await asyncio.open_connection(HERE, self.web)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode())
        if not reads:
            writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's has it
            await asyncio.sleep(3600)
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]


async def load(ask: Callable[[], Awaitable[object]], callers: int, seconds: float) -> list[float]:
    """Let so many callers ask again and again; return how long each answer took."""
    took: list[float] = []
    end = time.monotonic() + seconds

    async def caller() -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            await ask()
            took.append(time.monotonic() - began)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return took


async def history(daemon: Daemon, rounds: int) -> None:
    """Ask at 16 callers with and without a history, in turns."""
    ratios = []
    await load(lambda: daemon.ask("none"), 16, 1.0)
    for _ in range(rounds):
        before = len(await load(lambda: daemon.ask("none"), 16, 2.0))
        kept = len(await load(lambda: daemon.ask("all"), 16, 2.0))
        after = len(await load(lambda: daemon.ask("none"), 16, 2.0))
        ratios.append(2 * kept / (before + after))
    spread = f"median of {rounds}; {min(ratios):.2f} … {max(ratios):.2f}"
    print(f"history all / none, 16 callers, uptime: {statistics.median(ratios):.2f} ({spread})", flush=True)


async def watchers(daemon: Daemon, count: int, idle: int, lines: int) -> None:
    """Attach many to one run, and some that do not read; ask for something else meanwhile."""
    quiet = await load(lambda: daemon.ask("none"), 4, 5.0)
    run_id = (await daemon.ask("start talks")).decode().strip()
    sleeping = [asyncio.create_task(daemon.get(f"/-/runs/{run_id}", reads=False)) for _ in range(idle)]
    reading = [asyncio.create_task(daemon.get(f"/-/runs/{run_id}")) for _ in range(count)]
    await asyncio.sleep(3)
    busy = await load(lambda: daemon.ask("none"), 4, lines / 20 * 0.7)
    said = await asyncio.gather(*reading)
    for each in sleeping:
        each.cancel()
    expected = "".join(f"line {number} of what is said\n" for number in range(1, lines + 1)).encode()
    complete = sum(each == expected for each in said)

    def p99(took: list[float]) -> float:
        return statistics.quantiles(took, n=100)[98]

    print(f"{count} readers of one run of {lines} lines, and {idle} that do not read: {complete} have heard every byte")
    alone, beside = p99(quiet), p99(busy)
    print(f"p99 of others: {alone * 1e3:.0f} ms alone, {beside * 1e3:.0f} ms beside them: {beside / alone:.1f} times")


async def lists(daemon: Daemon, runs: int) -> None:
    """Ask for the list, and read in the log how long that took the server."""
    for accept in ("application/json", "text/html"):
        daemon.log.write_bytes(b"")
        for _ in range(20):
            answer = await daemon.get("/-/runs", accept=accept)
            if accept == "application/json" and len(json.loads(answer)["runs"]) != LISTED:
                raise ValueError(answer)
        times = [float(each) for each in re.findall(r'GET /-/runs HTTP/1.0" 200 \d+ ([0-9.]+)', daemon.log.read_text())]
        found = f"{statistics.median(times) * 1e3:.0f} ms (median of {len(times)}; at most {max(times) * 1e3:.0f})"
        print(f"the list at {runs} kept runs, {accept}, the server's time: {found}", flush=True)


def main() -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of an environment with cmdserver")
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=600, help="20 a second")
    parser.add_argument("--kept", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        daemon = Daemon(options.python, directory, options.lines)
        with daemon.running():
            asyncio.run(history(daemon, options.rounds))
            asyncio.run(watchers(daemon, options.readers, 50, options.lines))
        path = daemon.state / "history.sqlite3"
        owner = path.stat()
        for each in daemon.state.glob("history.sqlite3*"):
            each.unlink()
        filled = directory / path.name
        subprocess.run([options.python, "-c", FILL.format(runs=options.kept), filled], check=True)
        filled.rename(path)
        os.chown(path, owner.st_uid, owner.st_gid)
        with daemon.running():
            asyncio.run(lists(daemon, options.kept))


if __name__ == "__main__":
    main()
