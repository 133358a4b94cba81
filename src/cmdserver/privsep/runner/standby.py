"""A standby process, forked by the runner, that takes its place when it dies or does not respond.

The daemon could not start another runner: it has given up the user that may. A standby shares the runner's memory, and
is there at once.

A runner that waits for something which never comes is as good as dead, and nobody else may end it. So it sends
heartbeats through a pipe, and the standby, which checks every second, kills it after too many checks in vain. Checks
are counted, and no time is measured: a standby that was stopped together with the runner, or sleeps with the whole
host, has not checked meanwhile.

Rule: a fork raises `Forked` in the child, so that nothing of the parent's goes on there.
"""

import contextlib
import os
import signal

from cmdserver.privsep import linux

#: Between two heartbeats of a runner.
HEARTBEAT_SECONDS = 2.0
#: Between two checks of its standby; and checks in vain, until the runner is taken for dead. It waits for nobody, and
#: the longest that it does at once is to read a configuration.
CHECK_SECONDS = 1.0
MOST_MISSED = 10

_PARENT_DIED = signal.SIGUSR1
#: More than there can be between two checks.
_MOST_HEARTBEATS = 4096


class Forked(BaseException):
    """Raised in the child of a fork, see `Standby.require`."""


class MissedHeartbeats:
    """Counts the checks in a row that found no heartbeat, after so many of which the runner is taken for dead."""

    def __init__(self, most: int = MOST_MISSED) -> None:
        self._most = most
        self._missed = 0

    def is_over(self, *, has_heartbeat: bool) -> bool:
        """Count a check; return whether the runner is to be taken for dead."""
        self._missed = 0 if has_heartbeat else self._missed + 1
        return self._missed >= self._most


class Standby:
    """The standby of this runner; or, in the standby, the runner that it waits for."""

    def __init__(self) -> None:
        #: How many runners were there before this one.
        self.generation = 0
        #: Its process; None while there is none.
        self.pid: int | None = None
        #: Of all standbys that have not been reaped.
        self.pids: set[int] = set()
        #: The pipe's end for heartbeats: the writing one, in a standby the reading one.
        self._heartbeats: int | None = None
        # Before any fork, so that the signal cannot come before somebody waits for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {_PARENT_DIED})

    def require(self) -> None:
        """Fork one; where we cannot, there will be none until the next time.

        Raises:
            Forked: In the standby.
        """
        self.pid = None
        try:
            reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return
        try:
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            return
        mine, others = (writing, reading) if pid else (reading, writing)
        os.close(others)
        if self._heartbeats is not None:
            os.close(self._heartbeats)
        self._heartbeats = mine
        if not pid:
            raise Forked
        self.pid = pid
        self.pids.add(pid)

    def send_heartbeat(self) -> None:
        """Show the standby that we respond; to be called every `HEARTBEAT_SECONDS`."""
        if self._heartbeats is not None:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):  # it does not read, or is dead
                os.write(self._heartbeats, b"\0")

    def wait_for_takeover(self, predecessor: int) -> bool:
        """In the standby: wait until the runner is dead or does not respond, and be the next generation.

        Returns:
            Whether it did not respond, and was killed. It may not be dead yet, if it hangs in the kernel: but it never
            comes back from there.
        """
        linux.adopt_orphans()  # a fork forgets it
        linux.die_with_parent(_PARENT_DIED, predecessor)
        heartbeats = MissedHeartbeats()
        is_unresponsive = False
        while os.getppid() == predecessor and not is_unresponsive:
            if signal.sigtimedwait({_PARENT_DIED}, CHECK_SECONDS) is None:
                is_unresponsive = heartbeats.is_over(has_heartbeat=self._has_heartbeat())
        if is_unresponsive:
            os.kill(predecessor, signal.SIGKILL)
        if self._heartbeats is not None:
            os.close(self._heartbeats)
            self._heartbeats = None
        self.generation += 1
        self.pid = None
        self.pids.clear()
        return is_unresponsive

    def _has_heartbeat(self) -> bool:
        try:
            return self._heartbeats is not None and bool(os.read(self._heartbeats, _MOST_HEARTBEATS))
        except BlockingIOError:
            return False

    def reaped(self, pid: int) -> None:
        """Note that a child has been reaped."""
        self.pids.discard(pid)
        if pid == self.pid:
            self.pid = None

    def stop(self) -> None:
        """Kill the standby. It may be dead only later, and is reaped like any child."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.pid = None

    def replace(self) -> None:
        """Fork a standby that knows what we know now; raises `Forked` in that one."""
        self.stop()
        self.require()
