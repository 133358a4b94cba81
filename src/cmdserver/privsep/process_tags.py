"""A tag on every process that was started for a run, which its descendants inherit and cannot lose by accident.

A process leaves its group with setsid(2), its family when its parent dies, and its environment is its own; a resource
limit goes with it through all of that. The tag is a value of RLIMIT_RTTIME, which bounds what processes with real-time
scheduling may take of a processor, in microseconds: our values are above three thousand years, and bound nobody.
"""

import contextlib
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cmdserver.execution.posix import next_death

#: ProcessTags lie above it: 2^57 microseconds.
_FLOOR = 1 << 57
#: Runs that one runner, with all that take its place, can tell apart; the numbers begin again then.
_RUNS = 1 << 32
_FAMILIES = 1 << 24

#: What was killed is to be dead by then; what hangs in the kernel longer is left to it.
_DEATH_SECONDS = 2.0
_GLANCE_SECONDS = 0.005
#: With nobody alive in that many looks in a row there is nobody: one look may miss who forks and exits.
_QUIET_LOOKS = 2

_LINE = re.compile(rb"^Max realtime timeout +([0-9]+) ", re.MULTILINE)


class ProcessTags:
    """The tags of one runner and of those who take its place.

    Args:
        family: Tells it from other runners on this host; taken modulo 2^24.
    """

    def __init__(self, family: int) -> None:
        self._base = _FLOOR + family % _FAMILIES * _RUNS

    def of(self, run_id: int) -> int:
        """Return the tag of a run's processes."""
        return self._base + run_id % _RUNS

    def read(self, pid: int) -> int | None:
        """Return the tag of ours that a process carries; None if none, or if there is no such process."""
        try:
            found = _LINE.search(Path(f"/proc/{pid}/limits").read_bytes())
        except OSError:  # gone, or hidden from us
            return None
        if found is None:
            return None
        tag = int(found[1])
        return tag if self._base <= tag < self._base + _RUNS else None

    def everywhere(self) -> Iterator[int]:
        """Find all processes of this host that carry one of our tags, zombies included."""
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


def tag_self(tag: int) -> None:
    """Put a tag on ourselves, between fork and exec."""
    resource.setrlimit(resource.RLIMIT_RTTIME, (tag, resource.RLIM_INFINITY))


def untag_self() -> None:
    """Take our own tag off, after having started a process that has inherited it."""
    resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def group_of(pid: int) -> int:
    """Return the process group of a process; 0 if there is no such process."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def kill_with_group(pid: int) -> None:
    """Kill a process that a command has left, and all who are in its process group: they are the same run's.

    A group does not reach beyond a session, and each run has one of its own.
    """
    group = group_of(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group > 1 and group != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def end_tagged(tags: ProcessTags, end_others: Callable[[], bool] | None = None) -> None:
    """Kill every process of this host that carries one of a runner's tags, until none is left, but not for ever.

    ``end_others`` kills what is found by other means; it returns whether nobody is left of that.
    """
    deadline = time.monotonic() + _DEATH_SECONDS
    quiet = 0
    while quiet < _QUIET_LOOKS and time.monotonic() < deadline:
        quiet = quiet + 1 if end_others is None or end_others() else 0
        for pid in tags.everywhere():
            # At once, not when all are found: who forks and exits is not there for long. The dead still say in which
            # group they are.
            kill_with_group(pid)
            quiet = quiet if is_dead(pid) else 0
        while next_death() is not None:
            pass
        if not quiet:
            time.sleep(_GLANCE_SECONDS)
