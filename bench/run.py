"""Measure cmdserver against what this host can do, and against others who try; see README.md beside this file."""

import argparse
import contextlib
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import report
import ssh_part
from servers import CannotMeasureError, Park, Server
from tools import WARM_SECONDS, Holder, Tools

PARTS = ("throughput", "web", "idle", "startup")
#: Those that are measured only if they are asked for: they need more than a C compiler.
MORE_PARTS = ("ssh",)
TARGETS = ("naive", "xinetd", "unshared", "shared")
WEB_TARGETS = ("webhook", "web-unshared", "web-shared")
#: What may be missing here.
OTHERS = ("xinetd", "webhook")
#: xinetd has no idle connections: it starts a process as soon as somebody calls.
PATIENT_TARGETS = ("naive", "unshared", "shared")

IDLE_CALLERS = 16
HALF_CLOSING_CALLERS = 64
ASKED = 20
STARTS = 5
_SETTLE_SECONDS = 15
#: The holder's and the server's own; what is held must fit below the limit with these.
_OTHER_DESCRIPTORS = 500

Item = TypeVar("Item")

_RESULTS = Path(__file__).parent / "results"


@dataclass(kw_only=True)
class Plan:
    """What is measured, and for how long."""

    parts: list[str]
    callers: list[int]
    held: list[int]
    seconds: float
    rounds: int
    starts: int

    @property
    def limit_seconds(self) -> float:
        """How long the bare limit is measured each time."""
        return max(0.5, self.seconds / 2)

    def estimate_seconds(self) -> float:
        """Guess how long it takes."""
        cell = self.seconds + WARM_SECONDS + 0.2
        limit = self.limit_seconds + 0.3
        throughput = len(self.callers) * (len(TARGETS) * cell + 2 * limit)
        idle = len(PATIENT_TARGETS) * (len(self.held) * (cell + limit / 3) + 2 * limit + max(self.held) / 3000 + 2)
        total = 5.0
        if "throughput" in self.parts:
            total += self.rounds * throughput
        if "web" in self.parts:
            total += self.rounds * len(self.callers) * (len(WEB_TARGETS) * cell + 2 * limit)
        if "idle" in self.parts:
            total += self.rounds * (idle + 2 * cell)
        if "startup" in self.parts:
            total += len(PATIENT_TARGETS) * (self.starts + 1) * 0.7
        if "ssh" in self.parts:
            total += self.rounds * len(ssh_part.TARGETS) * (len(ssh_part.CALLERS) * cell + 5)
        return total


@dataclass
class Benchmark:
    """One run.

    Args:
        plan: What to do.
        park: Makes the servers.
        tools: Measure them.
    """

    plan: Plan
    park: Park
    tools: Tools
    throughput: list[dict[str, Any]] = field(default_factory=list)
    web: list[dict[str, Any]] = field(default_factory=list)
    idle: list[dict[str, Any]] = field(default_factory=list)
    limit_with_descriptors: list[dict[str, Any]] = field(default_factory=list)
    startup: dict[str, list[float]] = field(default_factory=dict)
    ssh: dict[str, Any] = field(default_factory=dict)
    audit: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Do everything that is planned."""
        if "throughput" in self.plan.parts:
            self._measure_rates(TARGETS, self.throughput)
        if "web" in self.plan.parts:
            self._measure_rates(WEB_TARGETS, self.web)
        if "idle" in self.plan.parts:
            self._measure_idle()
        if "startup" in self.plan.parts:
            self._measure_startup()
        if "ssh" in self.plan.parts:
            _say("SSH")
            part = ssh_part.SSHPart(python=self.park.python, scratch=self.park.scratch)
            self.ssh = part.measure(self.plan.seconds, self.plan.rounds)

    # Connection per request

    def _measure_rates(self, targets: Sequence[str], blocks: list[dict[str, Any]]) -> None:
        with contextlib.ExitStack() as stack:
            servers = [server for name in targets if (server := self._started(name, stack)) is not None]
            for number in range(self.plan.rounds):
                for callers in self.plan.callers:
                    _say(f"round {number + 1} of {self.plan.rounds}: {callers} callers")
                    blocks.append(self._block(number, callers, _in_turn(servers, number)))

    def _block(self, number: int, callers: int, servers: list[Server]) -> dict[str, Any]:
        """Measure all servers with so many callers, between two looks at what the host can do just then."""
        before = self._limit(callers)
        cells = {server.name: self.tools.load(server, callers, self.plan.seconds) for server in servers}
        after = self._limit(callers)
        return {"round": number, "callers": callers, "limit": _mean(before, after), "limits": [before, after]} | {
            "cells": cells
        }

    # Beside idle connections

    def _measure_idle(self) -> None:
        held = self._possible()
        for number in range(self.plan.rounds):
            for count in held:
                rate = self._limit(IDLE_CALLERS, count)
                self.limit_with_descriptors.append({"round": number, "descriptors": count, "rate": rate})
            for name in _in_turn(list(PATIENT_TARGETS), number):
                _say(f"round {number + 1} of {self.plan.rounds}: {name} with {', '.join(map(str, held))} idle")
                # Each time a server of its own: what one has grown for idle connections, the next would find there.
                with contextlib.ExitStack() as stack:
                    server = self._started(name, stack)
                    if server is not None:
                        self.idle.append({"round": number, "target": name} | self._hold(server, held))

    def _hold(self, server: Server, held: list[int]) -> dict[str, Any]:
        """Fill a server step by step, for its memory; then ask it at each step, from the fullest down."""
        self.tools.load(server, IDLE_CALLERS, 0.3)
        descriptors = server.descriptors()
        memory = {0: server.memory()}
        cells = {}
        result: dict[str, Any] = {}
        before = self._limit(IDLE_CALLERS)
        with Holder(server) as holder:
            for count in sorted(set(held) - {0}):
                holder.hold(count)
                memory[count] = server.memory()
            for count in sorted(held, reverse=True):
                holder.release(count)
                self._settle(server, descriptors + count)
                cells[count] = self.tools.load(server, IDLE_CALLERS, self.plan.seconds)
                if count == max(held):
                    result["check"] = holder.check()
                    if server.is_cmdserver:
                        result["half_close"] = self.tools.load(
                            server, HALF_CLOSING_CALLERS, self.plan.seconds, half_close=True
                        )
                    result["ask"] = holder.ask(min(ASKED, count))
        self._settle(server, descriptors)
        after = self._limit(IDLE_CALLERS)
        return result | {"limit": _mean(before, after), "limits": [before, after], "memory": memory, "cells": cells}

    def _settle(self, server: Server, descriptors: int) -> None:
        """Wait until a server has noticed who is gone."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (found := server.descriptors()) > descriptors:
            if time.monotonic() > deadline:
                self.notes.append(f"{server.name} has {found} descriptors open where {descriptors} would do")
                return
            time.sleep(0.05)

    def _possible(self) -> list[int]:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        room = sys.maxsize if hard == resource.RLIM_INFINITY else hard - _OTHER_DESCRIPTORS
        for count in self.plan.held:
            if count > room:
                self.notes.append(f"{count} idle connections do not fit below the limit of {hard} descriptors")
        return [count for count in self.plan.held if count <= room] or [0]

    # From nothing to an answer

    def _measure_startup(self) -> None:
        for name in PATIENT_TARGETS:
            _say(f"starting {name} {self.plan.starts} times")
            server = self.park.make(name)
            seconds = []
            for _ in range(1 + self.plan.starts):
                try:
                    seconds.append(server.start())
                finally:
                    server.stop()
            # The first start makes what is missing from the state directory, and fills the host's caches.
            self.startup[name] = seconds[1:]

    # For all

    def _started(self, name: str, stack: contextlib.ExitStack) -> Server | None:
        """Start a server, to be stopped and compared with its audit file at the end; None if it cannot be had here."""
        try:
            server = self.park.make(name)
            stack.callback(self._finish, server)
            server.start()
        except CannotMeasureError as error:
            if name in OTHERS:
                self._note_once(f"without {name}: {error}")
                return None
            raise
        return server

    def _finish(self, server: Server) -> None:
        server.stop()
        if server.is_cmdserver and server.answered:
            record = {"target": server.name, "answered": server.answered, "audited": server.audited()}
            self.audit.append(record)

    def _limit(self, in_flight: int, descriptors: int = 0) -> float:
        return self.tools.limit(self.park.program, in_flight, self.plan.limit_seconds, descriptors)

    def _note_once(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _in_turn(items: list[Item], number: int) -> list[Item]:
    """Begin with another one each round, so that none always has the same neighbours in time."""
    start = number % len(items)
    return items[start:] + items[:start]


def _mean(first: float, second: float) -> float:
    return (first + second) / 2


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def _numbers(text: str) -> list[int]:
    return sorted({int(each) for each in text.split(",")})


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="per cell (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over these (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round of short cells: about a minute")
    parser.add_argument("--python", default=sys.executable, help="of an environment with cmdserver (this one)")
    parser.add_argument("--callers", type=_numbers, default=[1, 16, 64, 256], help="at once (1,16,64,256)")
    parser.add_argument("--held", type=_numbers, default=[0, 1000, 10000], help="idle connections (0,1000,10000)")
    parser.add_argument("--parts", default=",".join(PARTS), help="which of them to measure (%(default)s)")
    options = parser.parse_args(arguments)
    options.parts = options.parts.split(",")
    if set(options.parts) - {*PARTS, *MORE_PARTS}:
        parser.error(f"--parts are some of {', '.join(PARTS + MORE_PARTS)}")
    if not 0 < options.seconds <= 120 or not 1 <= options.rounds <= 100:  # noqa: PLR2004 - bounds, said once
        parser.error("--seconds is at most 120, --rounds 1 to 100")
    if not all(1 <= count <= 2000 for count in options.callers) or min(options.held) < 0:  # noqa: PLR2004 - as above
        parser.error("--callers are 1 to 2000, --held 0 or more")
    return options


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        parts=options.parts,
        callers=options.callers,
        held=options.held,
        seconds=min(options.seconds, 0.8) if options.quick else options.seconds,
        rounds=1 if options.quick else options.rounds,
        starts=3 if options.quick else STARTS,
    )


def _versions(python: str) -> str:
    """Say what is measured, and so find out whether it is there."""
    script = "import platform, importlib.metadata as m; print(f\"cmdserver {m.version('cmdserver')}, "
    script += "Twisted {m.version('twisted')}, Python {platform.python_version()}\")"
    try:
        done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise CannotMeasureError(f"{python}: {error.strerror}") from error
    if done.returncode:
        raise CannotMeasureError(f"{python} has no cmdserver installed; name one that has with --python")
    return done.stdout.strip()


def _stop_on_signal(number: int, _frame: FrameType | None) -> None:
    """Unwind, so that everything that was started is stopped."""
    sys.exit("it takes far too long; given up" if number == signal.SIGALRM else 128 + number)


def _bound(plan: Plan) -> None:
    """Make sure that it ends, and ends tidily."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _stop_on_signal)
    signal.alarm(int(4 * plan.estimate_seconds()) + 120)


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    plan = _plan(options)
    about = {
        "time": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "what": _versions(options.python),
        "host": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "busy": f"load average {os.getloadavg()[0]:.1f} at the start",
        "plan": vars(plan),
    }
    _say(f"{about['what']}; {about['busy']}; about {plan.estimate_seconds():.0f} s")
    _bound(plan)
    with tempfile.TemporaryDirectory(prefix="cmdserver-bench-") as scratch:
        benchmark = Benchmark(plan, Park(options.python, Path(scratch)), Tools(Path(scratch)))
        benchmark.run()
    results = {"about": about} | {
        key: value for key, value in vars(benchmark).items() if key not in {"plan", "park", "tools"}
    }
    tables = report.tables(results)
    _RESULTS.mkdir(exist_ok=True)
    file = _RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    file.write_text(json.dumps(results, indent=1) + "\n")
    file.with_suffix(".md").write_text(tables)
    print(tables)
    _say(f"everything is in {file}")
    return 0 if report.is_sound(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotMeasureError as error:
        sys.exit(f"bench: {error}")
