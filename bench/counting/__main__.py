"""What one request costs, in counts: calls of Python in the daemon, system calls of daemon and runner.

Times wander on a busy machine, and counts do not. One client asks one question after the other: first while the daemon
counts its calls (cProfile), then while strace counts the system calls of both processes.
"""

import argparse
import json
import pstats
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import clients
import strace
from clients import Ask
from daemon import USER, CannotCountError, Daemon, running

#: Questions before any is counted: what is made once is made then.
WARM = 20

#: Makes the client of a daemon.
MakeClient = Callable[[Daemon], Ask]


@dataclass(frozen=True)
class Kind:
    """How a listener is asked."""

    protocol: str
    client: MakeClient
    tls: bool = False
    #: Whether a question with a process of its own and one whose process may be shared are told apart.
    has_shared: bool = True


def _kept_ssh(daemon: Daemon) -> Ask:
    return clients.ssh(daemon.port, daemon.key, USER, daemon.directory / "master")


KINDS = {
    "line": Kind("line", lambda daemon: clients.line(daemon.port)),
    "line over TLS": Kind("line", lambda daemon: clients.line(daemon.port, tls=True), tls=True, has_shared=False),
    "web": Kind("web", lambda daemon: clients.web(daemon.port)),
    "web on a kept connection": Kind("web", lambda daemon: clients.kept_web(daemon.port), has_shared=False),
    "web over TLS": Kind("web", lambda daemon: clients.web(daemon.port, tls=True), tls=True, has_shared=False),
    "ssh": Kind("ssh", lambda daemon: clients.ssh(daemon.port, daemon.key, USER), has_shared=False),
    "ssh on a kept connection": Kind("ssh", _kept_ssh),
    "nrpe": Kind("nrpe", lambda daemon: clients.nrpe(daemon.port), tls=True, has_shared=False),
}


@dataclass(frozen=True)
class Cost:
    """Of one request, on the average."""

    row: str
    #: Python functions of cmdserver, of Twisted, and everything else, functions in C among it.
    ours: float
    twisted: float
    others: float
    #: System calls; None: they were not counted.
    daemon: float | None = None
    runner: float | None = None

    @property
    def calls(self) -> float:
        """All calls in the daemon."""
        return self.ours + self.twisted + self.others


class Counting:
    """Counts.

    Args:
        requests: How many for each number.
        has_strace: Whether system calls are counted.
        most: Tell of so many functions and system calls that are called most; 0: of none.
    """

    def __init__(self, requests: int, most: int, *, has_strace: bool) -> None:
        self._requests = requests
        self._most = most
        self._has_strace = has_strace

    def costs(self, directory: Path, name: str) -> list[Cost]:
        """Count for one kind of listener."""
        kind = KINDS[name]
        with running(directory, kind.protocol, tls=kind.tls) as daemon:
            ask = kind.client(daemon)
            rows = [self._cost(daemon, partial(ask, "uptime"), name)]
            if kind.has_shared:
                rows.append(self._cost(daemon, partial(ask, "shared"), f"{name}, shared"))
        return rows

    def _cost(self, daemon: Daemon, ask: Callable[[], None], row: str) -> Cost:
        for _ in range(WARM):
            ask()
        with daemon.counting() as file:
            for _ in range(self._requests):
                ask()
        ours, twisted, others = self._sorted(file, row)
        if not self._has_strace:
            return Cost(row, ours, twisted, others)
        with ExitStack() as stack:
            counters = {
                who: stack.enter_context(strace.counting(pid, daemon.directory / f"{who}.strace"))
                for who, pid in (("daemon", daemon.pid), ("runner", daemon.runner))
            }
            for _ in range(self._requests):
                ask()
        for who, counter in counters.items():
            self._tell(f"{row}: system calls of the {who}", counter)
        each = {who: sum(counter.values()) / self._requests for who, counter in counters.items()}
        return Cost(row, ours, twisted, others, **each)

    def _sorted(self, file: Path, row: str) -> tuple[float, float, float]:
        """Say how many calls were whose."""
        whose: Counter[str] = Counter()
        functions: Counter[str] = Counter()
        for (path, number, function), (_, count, *_rest) in vars(pstats.Stats(str(file)))["stats"].items():
            owner = "cmdserver" if "/cmdserver/" in path else "twisted" if "/twisted/" in path else "others"
            whose[owner] += count
            place = "/".join(Path(path).parts[-3:]) if number else "C"
            functions[f"{owner}: {place}:{number} {function}"] += count
        self._tell(f"{row}: calls", functions)
        return tuple(whose[owner] / self._requests for owner in ("cmdserver", "twisted", "others"))  # type: ignore[return-value]

    def _tell(self, title: str, counter: Counter[str]) -> None:
        if self._most:
            print(f"\n{title}")
            for name, count in counter.most_common(self._most):
                print(f"{count / self._requests:8.2f}  {name}")


def table(costs: list[Cost]) -> str:
    """Lay them out as docs/benchmarks.md has them."""
    lines = [
        "| | calls | ours | Twisted's | others | system calls: daemon | runner |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for cost in costs:
        system = [f"{each:.1f}" if each is not None else "" for each in (cost.daemon, cost.runner)]
        cells = [cost.row, *(f"{each:.0f}" for each in (cost.calls, cost.ours, cost.twisted, cost.others)), *system]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="for each number (default: %(default)s)")
    parser.add_argument("--rows", default=",".join(KINDS), help="with commas (default: %(default)s)")
    parser.add_argument("--top", type=int, default=0, metavar="N", help="tell what is called most")
    parser.add_argument("--no-strace", action="store_true", help="count no system calls")
    parser.add_argument("--json", action="store_true", help="print numbers for a program")
    options = parser.parse_args()
    names = options.rows.split(",")
    if unknown := [each for each in names if each not in KINDS]:
        parser.error(f"there are no rows {', '.join(unknown)}")
    counting = Counting(options.requests, options.top, has_strace=not options.no_strace)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            Path(scratch).chmod(0o711)  # the daemon becomes somebody else, if it is started as root
            costs = [cost for name in names for cost in counting.costs(Path(scratch) / name.replace(" ", "-"), name)]
    except (CannotCountError, clients.WrongAnswerError) as error:
        print(f"cost: {error}", file=sys.stderr)
        return 2
    print(json.dumps([asdict(each) for each in costs]) if options.json else table(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
