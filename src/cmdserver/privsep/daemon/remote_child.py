"""A process of the runner's, as its protocol in the daemon sees it."""

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProcessProtocol
from twisted.python.failure import Failure

from cmdserver.execution.pipes import Piped, reason_of
from cmdserver.privsep.channel import close_all
from cmdserver.privsep.messages import SIGKILL, Ran


class RemoteChild(Piped):
    """A process of the runner's.

    Args:
        run_id: By which the runner knows it.
        signal: Has the runner signal everything that is left of a run, given its id.
    """

    def __init__(
        self, reactor: Any, protocol: IProcessProtocol, run_id: int, signal: Callable[[int, int], None]
    ) -> None:
        super().__init__(reactor, protocol)
        self.id = run_id
        self._signal = signal
        #: Whether there is nobody to be signalled.
        self._is_alone = False
        self._is_unwanted = False

    def started(self, pid: int, descriptors: tuple[int, ...]) -> bool:
        """Read its output from now on; return False if that cannot be, and this is the end of it."""
        self.pid = pid
        if not self._has_pipes(descriptors):
            return False
        self.open({1: descriptors[0], 2: descriptors[1]})
        if self._is_unwanted:
            self.loseConnection()
        return True

    def ran_quickly(self, report: Ran, descriptors: tuple[int, ...]) -> None:
        """Read the output of a process that has run, and quickly."""
        self._is_alone = report.is_alone
        if self._is_unwanted:
            if self.started(report.pid, descriptors):
                self.ended(report.status, is_alone=report.is_alone)
        elif len(descriptors) == 2 or self._has_pipes(descriptors):  # noqa: PLR2004 - see there
            self.ran({1: descriptors[0], 2: descriptors[1]}, reason_of(report.status))

    def _has_pipes(self, descriptors: tuple[int, ...]) -> bool:
        """Whether both pipes have come; we may have had no room for more descriptors, and the kernel left some out."""
        if len(descriptors) == 2:  # noqa: PLR2004 - standard output and standard error
            return True
        close_all(descriptors)
        self.signal_group(SIGKILL)
        self.refused(OSError(errno.EMFILE, "too many open files"))
        return False

    def ended(self, status: int, *, is_alone: bool) -> None:
        """Note that the process is dead, and has been reaped."""
        self.pid = None
        self._is_alone = is_alone
        self.exited(reason_of(status))

    def refused(self, error: OSError) -> None:
        """End the run: there is no such process, or not any more."""
        self._is_alone = True
        self.pid = None
        protocol, self.protocol = self.protocol, None
        self.loseConnection()
        if protocol is not None:
            protocol.processEnded(Failure(error))

    def loseConnection(self) -> None:
        """Close the pipes, from the reactor's next round on; or as soon as we have them."""
        self._is_unwanted = True
        super().loseConnection()

    def signal_group(self, number: int) -> None:
        """Have everybody signalled who is left of the run; after SIGKILL nobody will be."""
        if not self._is_alone:
            self._signal(self.id, number)

    def look_at_group(self) -> None:
        """Do nothing: the runner keeps account of the group."""
