"""What is under way in the runner: from a request to a process, from its death to a report, to nobody being left.

Rule of this file: no loop and no socket; it is told of requests and of the time, and gives reports to a `Post`.
"""

import contextlib
import errno
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from cmdserver.model import Command
from cmdserver.privsep.launching import BRISK_SECONDS, Launcher
from cmdserver.privsep.marks import Marks
from cmdserver.privsep.messages import SIGKILL, Exited, Ran, Refused, Report, Signal, Start, Started

#: How long the start of a process is kept for ourselves: what has ended by then is told of in one message.
HOLD_SECONDS = 0.02
#: What the kernel gives of a list at once, at most; a number that does not fit into the rest comes with the next.
_PAGE_BYTES = 4096
_LONGEST_NUMBER = 12
#: What the daemon has to end a run that has met its time limit; then we do.
GRACE_SECONDS = 15.0

#: Takes a report, and descriptors to go with it: they are the taker's from then on.
Post = Callable[[Report, tuple[int, ...]], None]


class Run:
    """One process that we started, and whoever it has left behind."""

    __slots__ = ("command", "ends", "has_ended", "id", "is_ending", "is_group_empty", "mark", "pid", "started_at")

    def __init__(self, run_id: int, command: Command, pid: int, ends: tuple[int, int], mark: int, now: float) -> None:
        self.id = run_id
        self.command = command
        self.pid = pid
        #: Of its output; empty as soon as they are the daemon's.
        self.ends: tuple[int, ...] = ends
        self.mark = mark
        self.started_at = now
        self.has_ended = False
        #: Whether whoever is left is to be killed.
        self.is_ending = False
        #: Once it is, its number may be another's.
        self.is_group_empty = False

    def signal_group(self, number: int) -> None:
        """Signal everybody who is in the process's group."""
        if not self.is_group_empty:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                self.is_group_empty = True
            except PermissionError:
                # A set-user-ID program of another user's, or root's and we are not: it is the time limit's to wait.
                pass


class Runs:
    """The runs.

    Args:
        launcher: Starts processes.
        marks: Tells whose they are.
        post: Takes our reports.
    """

    def __init__(self, launcher: Launcher, marks: Marks, post: Post) -> None:
        self._launcher = launcher
        self._marks = marks
        self._post = post
        self._commands: Mapping[str, Command] = {}
        self._most = 0
        self._last_id = -1
        self._by_id: dict[int, Run] = {}
        self._by_pid: dict[int, Run] = {}
        self._listing: int | None = None
        #: Started and not yet told of, in the order of their starts.
        self._held: deque[Run] = deque()
        #: Of each command, whether its last run was a short one.
        self._was_brisk: dict[str, bool] = {}

    def allow(self, commands: Sequence[Command], most: int) -> None:
        """Go by this allow-list from now on.

        Args:
            commands: All that may be run.
            most: Runs at once, those included that are being ended.
        """
        self._commands = {each.name: each for each in commands}
        self._most = most
        self._was_brisk = {name: was for name, was in self._was_brisk.items() if name in self._commands}

    # Requests

    def start(self, request: Start, now: float) -> None:
        """Start a process; whatever keeps us from it is reported."""
        if request.id <= self._last_id:
            return  # it would be another's, and nobody who is in his right mind asks for it
        self._last_id = request.id
        command = self._commands.get(request.command)
        if command is None:
            self._post(Refused(request.id, errno.ENOENT, "there is no such command"), ())
        elif request.arguments:
            self._post(Refused(request.id, errno.EINVAL, "the command takes no arguments"), ())
        elif len(self._by_id) >= self._most:
            self._post(Refused(request.id, errno.EAGAIN, "too many commands are running"), ())
        else:
            self._launch(request, command, now)

    def _launch(self, request: Start, command: Command, now: float) -> None:
        mark = self._marks.of(request.id)
        is_brisk = self._was_brisk.get(command.name, False)
        try:
            launched = self._launcher.launch(command, request.arguments, mark, is_brisk=is_brisk)
        except OSError as error:
            self._post(Refused(request.id, error.errno or errno.EIO, error.strerror or str(error)), ())
            return
        run = Run(request.id, command, launched.pid, (launched.stdout, launched.stderr), mark, now)
        self._by_id[run.id] = self._by_pid[run.pid] = run
        self._held.append(run)

    def signal(self, request: Signal) -> None:
        """Signal a run; one that there is not is over."""
        run = self._by_id.get(request.id)
        if run is None:
            return
        run.signal_group(request.number)
        if request.number == SIGKILL:
            self._make_an_end(run)

    def _make_an_end(self, run: Run) -> None:
        run.signal_group(SIGKILL)
        run.is_ending = True
        strays = self._strays_by_mark()
        self._kill(strays.get(run.mark, ()))
        if run.has_ended and run.is_group_empty and run.mark not in strays:
            del self._by_id[run.id]

    # Time

    def seconds_to_wait(self, now: float) -> float | None:
        """Say when `pass_time` is to be called, in seconds; None: when something else happens."""
        if self._held:
            return max(0.0, self._held[0].started_at + HOLD_SECONDS - now)
        return 1.0 if self._by_id else None

    def pass_time(self, now: float) -> None:
        """Tell of runs that take longer, and end those that the daemon should have ended."""
        while self._held and self._held[0].started_at + HOLD_SECONDS <= now:
            run = self._held.popleft()
            if not run.has_ended:
                self._post(Started(run.id, run.pid), run.ends)
                run.ends = ()
        for run in list(self._by_id.values()):
            if not run.is_ending and run.started_at + run.command.timeout_seconds + GRACE_SECONDS < now:
                self._make_an_end(run)

    # Deaths

    def reap(self, now: float) -> list[int]:
        """Take note of all children that have died; return those that were none of ours."""
        others: list[int] = []
        ended: list[tuple[Run, int]] = []
        while (death := _next_death()) is not None:
            pid, status = death
            run = self._by_pid.pop(pid, None)
            if run is None:
                others.append(pid)
            else:
                ended.append((run, status))
        strays = self._strays_by_mark() if ended else {}
        for run, status in ended:
            self._ended(run, status, now, has_strays=run.mark in strays)
        for run in [each for each in self._by_id.values() if each.is_ending and each.has_ended]:
            self._make_an_end(run)
        return others

    def _ended(self, run: Run, status: int, now: float, *, has_strays: bool) -> None:
        run.has_ended = True
        run.signal_group(0)  # seen now, while the number is surely still the group's
        is_alone = run.is_group_empty and not has_strays
        self._was_brisk[run.command.name] = now - run.started_at < BRISK_SECONDS
        if run.ends:
            self._post(Ran(run.id, run.pid, status, is_alone), run.ends)
            run.ends = ()
        else:
            self._post(Exited(run.id, status, is_alone), ())
        if is_alone:
            del self._by_id[run.id]
        elif run.is_ending:
            run.signal_group(SIGKILL)

    # Those who have left their group

    def _strays_by_mark(self) -> dict[int, list[int]]:
        """Find our children that we did not start: their parents have died, and we are the next."""
        found: dict[int, list[int]] = {}
        for pid in self._children():
            if pid not in self._by_pid and (mark := self._marks.read(pid)) is not None:
                found.setdefault(mark, []).append(pid)
        return found

    def _children(self) -> list[int]:
        """List our children, through a descriptor that is open already: there may be no room for another."""
        if self._listing is None:
            self._listing = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
        listed = chunk = os.pread(self._listing, _PAGE_BYTES, 0)
        while len(chunk) > _PAGE_BYTES - _LONGEST_NUMBER:
            chunk = os.pread(self._listing, _PAGE_BYTES, len(listed))
            listed += chunk
        return [int(each) for each in listed.split()]

    def _kill(self, pids: Sequence[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, SIGKILL)

    # The end

    def end_all(self) -> None:
        """Kill everything that we started, and whatever came of it, and wait until it is dead."""
        end_marked(self._marks)

    def let_go(self) -> None:
        """Close what is open here for the daemon; for a process that has copies of it and is none of our kind."""
        for run in self._held:
            for end in run.ends:
                os.close(end)
            run.ends = ()
        if self._listing is not None:
            os.close(self._listing)


#: For what was killed to be dead; what hangs in the kernel longer is left to it.
_DEATH_SECONDS = 2.0


def end_marked(marks: Marks) -> None:
    """Kill every process of this host that carries one of the marks, until none is left."""
    deadline = time.monotonic() + _DEATH_SECONDS
    while pids := list(marks.everywhere()):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, SIGKILL)
        if time.monotonic() > deadline:
            return
        while _next_death() is not None:
            pass
        time.sleep(0.005)


def _next_death() -> tuple[int, int] | None:
    """Reap a child; None if none is dead."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None
