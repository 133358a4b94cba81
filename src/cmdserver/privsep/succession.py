"""Who takes the runner's place when it dies: a standby, its child, which does nothing but wait for that.

The daemon could not start another runner: it has given up the user that may. A standby costs no memory worth
mentioning, as it shares the runner's, and is there at once.

Rule of this file: who forks raises `Forked` in the child, so that nothing of the parent's goes on there.
"""

import os
import signal

from cmdserver.privsep import linux

_PARENT_DIED = signal.SIGUSR1


class Forked(BaseException):
    """We are the child."""


class Succession:
    """The line of runners: which we are, and who comes next."""

    def __init__(self) -> None:
        self.generation = 0
        #: Its process; None while there is none.
        self.successor: int | None = None
        # Before any fork, so that the signal cannot come before somebody waits for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {_PARENT_DIED})

    def require_successor(self) -> None:
        """Fork one; where we cannot, there will be none until the next time.

        Raises:
            Forked: In the successor.
        """
        self.successor = None
        try:
            pid = os.fork()
        except OSError:
            return
        if not pid:
            raise Forked
        self.successor = pid

    def wait_for_our_turn(self, predecessor: int) -> None:
        """In the successor: wait until the predecessor is dead, and be its successor in name, too."""
        linux.adopt_orphans()  # a fork forgets it
        linux.die_with_parent(_PARENT_DIED, predecessor)
        while os.getppid() == predecessor:
            signal.sigwait({_PARENT_DIED})
        self.generation += 1
        self.successor = None

    def dismiss(self) -> None:
        """Do without a successor: there is nothing to succeed to."""
        if self.successor is not None:
            os.kill(self.successor, signal.SIGKILL)
            os.waitpid(self.successor, 0)
            self.successor = None

    def replace(self) -> None:
        """Have a successor who knows what we know now; raises `Forked` in that one."""
        self.dismiss()
        self.require_successor()
