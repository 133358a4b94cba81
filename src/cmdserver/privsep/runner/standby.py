"""Who takes the runner's place when it dies, or is mute: a standby, its child, which does nothing but wait for that.

The daemon could not start another runner: it has given up the user that may. A standby costs no memory worth
mentioning, as it shares the runner's, and is there at once.

A runner that waits for something which never comes is as good as dead, and nobody else may end it. So it shows a sign
of life every now and then, through a pipe, and the standby, which looks every second, kills it after too many looks in
vain. Looks are counted, and no time is measured: who was stopped together with the runner, or sleeps with the whole
host, has not looked meanwhile.

Rule of this file: who forks raises `Forked` in the child, so that nothing of the parent's goes on there.
"""

import contextlib
import os
import signal

from cmdserver.privsep import linux

#: Between two signs of life of a runner.
HEARTBEAT_SECONDS = 2.0
#: Between two looks of its standby; and looks in vain, until the runner is taken for dead. It waits for nobody, and the
#: longest that it does at once is to read a configuration.
CHECK_SECONDS = 1.0
MOST_MISSED = 10

_PARENT_DIED = signal.SIGUSR1
#: More signs than there can be between two looks.
_MOST_HEARTBEATS = 4096


class Forked(BaseException):
    """We are the child."""


class MissedHeartbeats:
    """Says when a runner has been mute for too long.

    Args:
        looks: In vain, in a row.
    """

    def __init__(self, looks: int = MOST_MISSED) -> None:
        self._looks = looks
        self._in_vain = 0

    def is_over(self, *, has_heartbeat: bool) -> bool:
        """Take note of a look."""
        self._in_vain = 0 if has_heartbeat else self._in_vain + 1
        return self._in_vain >= self._looks


class Standby:
    """The line of runners: which we are, and who comes next."""

    def __init__(self) -> None:
        self.generation = 0
        #: Its process; None while there is none.
        self.pid: int | None = None
        #: All of its kind that have not been reaped.
        self.pids: set[int] = set()
        #: Where signs of life go to; in a standby, where they come from.
        self._heartbeats: int | None = None
        # Before any fork, so that the signal cannot come before somebody waits for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {_PARENT_DIED})

    def require(self) -> None:
        """Fork one; where we cannot, there will be none until the next time.

        Raises:
            Forked: In the successor.
        """
        self.pid = None
        try:
            looked_at, shown = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return
        try:
            pid = os.fork()
        except OSError:
            os.close(looked_at)
            os.close(shown)
            return
        mine, others = (shown, looked_at) if pid else (looked_at, shown)
        os.close(others)
        if self._heartbeats is not None:
            os.close(self._heartbeats)
        self._heartbeats = mine
        if not pid:
            raise Forked
        self.pid = pid
        self.pids.add(pid)

    def send_heartbeat(self) -> None:
        """Let the standby see that we do not wait for anything; to be called every `HEARTBEAT_SECONDS`."""
        if self._heartbeats is not None:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):  # it does not look, or is dead
                os.write(self._heartbeats, b"\0")

    def wait_for_takeover(self, predecessor: int) -> bool:
        """In the successor: wait until the predecessor is dead, or mute, and be its successor in name, too.

        Returns:
            Whether it was mute, and was killed. It may not be dead yet, if it hangs in the kernel: but it never comes
            back from there.
        """
        linux.adopt_orphans()  # a fork forgets it
        linux.die_with_parent(_PARENT_DIED, predecessor)
        patience = MissedHeartbeats()
        is_unresponsive = False
        while os.getppid() == predecessor and not is_unresponsive:
            if signal.sigtimedwait({_PARENT_DIED}, CHECK_SECONDS) is None:
                is_unresponsive = patience.is_over(has_heartbeat=self._has_heartbeat())
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
        """A child has been reaped."""
        self.pids.discard(pid)
        if pid == self.pid:
            self.pid = None

    def stop(self) -> None:
        """Do without a successor: there is nothing to succeed to.

        It does nothing more from now on, and may be dead only later: it is reaped like any child.
        """
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.pid = None

    def replace(self) -> None:
        """Have a successor who knows what we know now; raises `Forked` in that one."""
        self.stop()
        self.require()
