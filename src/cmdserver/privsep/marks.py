"""A mark on every process that was started for a run, which its descendants inherit and cannot lose by accident.

A process leaves its group with setsid(2), its family when its parent dies, and its environment is its own; a resource
limit goes with it through all of that. RLIMIT_RTTIME bounds what processes with real-time scheduling may take of a
processor, in microseconds: at the height where our marks lie, above three thousand years, it bounds nobody.
"""

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

#: Marks lie above it: 2^57 microseconds.
_FLOOR = 1 << 57
#: Runs that one runner, with all its successors, can tell apart; the numbers begin again then.
_RUNS = 1 << 32
_FAMILIES = 1 << 24

_LINE = re.compile(rb"^Max realtime timeout +([0-9]+) ", re.MULTILINE)


class Marks:
    """The marks of one runner and of those who take its place.

    Args:
        family: Tells it from other runners on this host; taken modulo 2^24.
    """

    def __init__(self, family: int) -> None:
        self._base = _FLOOR + family % _FAMILIES * _RUNS

    def of(self, run_id: int) -> int:
        """Say which mark a run's processes carry."""
        return self._base + run_id % _RUNS

    def read(self, pid: int) -> int | None:
        """Say which of our marks a process carries; None if none, or if there is no such process."""
        try:
            found = _LINE.search(Path(f"/proc/{pid}/limits").read_bytes())
        except OSError:  # gone, or hidden from us
            return None
        if found is None:
            return None
        mark = int(found[1])
        return mark if self._base <= mark < self._base + _RUNS else None

    def everywhere(self) -> Iterator[int]:
        """Look for all processes of this host that carry one of our marks, the dead included that nobody has reaped."""
        own = os.getpid()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (pid := int(entry.name)) != own and self.read(pid):
                yield pid


def is_dead(pid: int) -> bool:
    """Whether a process is a zombie, or is not even that any more: only its parent can do something about it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
    except OSError:
        return True
    return state in {b"Z", b"X"}


def put_on_self(mark: int) -> None:
    """Mark ourselves, between fork and exec."""
    resource.setrlimit(resource.RLIMIT_RTTIME, (mark, resource.RLIM_INFINITY))


def take_off_self() -> None:
    """Be without a mark again, after having started somebody who got it from us."""
    resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
