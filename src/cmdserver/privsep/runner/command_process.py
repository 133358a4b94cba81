"""One process that the runner has started, and what it leaves behind: what is open for it, and how it is ended."""

import contextlib
import os

from cmdserver.core.model import Command
from cmdserver.execution.posix import ProcessGroup
from cmdserver.privsep.messages import SIGKILL
from cmdserver.privsep.runner.launching import Launched

#: How long the start of a process is kept for ourselves: what has ended by then is told of in one message.
HOLD_SECONDS = 0.02


class CommandProcess:
    """One process that we started, and whoever it has left behind."""

    def __init__(self, run_id: int, command: Command, launched: Launched, tag: int, now: float) -> None:
        self.id = run_id
        self.command = command
        self.pid = launched.pid
        #: Of its output; empty as soon as they are the daemon's.
        self.ends: tuple[int, ...] = (launched.stdout, launched.stderr)
        #: See `has_begun`; None as soon as it is the program.
        self.complaint = launched.complaint
        self.process_group = ProcessGroup(launched.pid)
        self.group = launched.group
        self.tag = tag
        self.started_at = now
        #: When its start is to be told of.
        self.look_at = now + HOLD_SECONDS
        self.has_ended = False
        #: Whether the daemon was told that it was not started, and waits for nothing more.
        self.is_refused = False
        #: Whether whoever is left is to be killed.
        self.is_ending = False

    def signal_group(self, number: int) -> None:
        """Signal everybody in its process group."""
        # A set-user-ID program of another user's, or root's and we are not: it is the time limit's to wait.
        with contextlib.suppress(PermissionError):
            self.process_group.signal(number)

    def signal_process(self, number: int) -> None:
        """Signal the process alone; harmless if it has been reaped."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process, its process group and its control group."""
        if self.complaint is None:
            self.signal_group(SIGKILL)
        else:
            self.signal_process(SIGKILL)  # it leads no group yet, perhaps
        if self.group is not None:
            self.group.kill()

    def is_alone(self) -> bool:
        """Whether, after its own end, nobody is left in its groups."""
        return self.process_group.is_gone and (self.group is None or self.group.remove())

    def close(self) -> None:
        """Close what is open of it here."""
        for end in self.ends:
            os.close(end)
        self.ends = ()
        self.close_complaint()

    def close_complaint(self) -> None:
        """Close what tells whether it has become the program."""
        if self.complaint is not None:
            os.close(self.complaint)
            self.complaint = None
