"""How a request over SSH ended: an exit status or an exit signal (RFC 4254, section 6.10).

A command's own end is passed on as it is. A request without a process has the status that scripts know from shells and
from sysexits.h.
"""

from collections.abc import Mapping

from msgspec import Struct

from cmdserver.core.errors import Code
from cmdserver.core.run_states import RunState
from cmdserver.frontends.common.check_text import is_overruled, is_own_text
from cmdserver.frontends.common.interpreter import Ending

#: One for each code; 126 and 127 are the shell's, 124 is timeout(1)'s, 64, 70 and 75 are from sysexits.h.
STATUS: Mapping[Code, int] = {
    Code.OK: 0,
    Code.MALFORMED: 2,
    Code.BAD_ARGUMENT: 64,
    Code.FAULT: 70,
    Code.THROTTLED: 75,
    Code.BUSY: 75,
    Code.TIMEOUT: 124,
    Code.DENIED: 126,
    Code.UNKNOWN_COMMAND: 127,
    Code.UNKNOWN_RUN: 127,
    Code.FAILED: 1,
}

#: Signals that RFC 4254 has names for, without ``SIG``.
NAMED_SIGNALS = frozenset("ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2".split())  # noqa: SIM905 - as in the RFC
#: What sshd calls all others; a name of one's own must have a domain.
_ANY_OTHER = "SIG@openssh.com"


class ExitStatus(Struct, frozen=True):
    """An exit status, or a signal."""

    #: 0 to 255; without meaning if there is a signal.
    status: int = 0
    #: As Linux spells it (``SIGTERM``, ``SIG42``); None: the command exited by itself.
    signal: str | None = None

    @property
    def signal_name(self) -> bytes:
        """The signal as the protocol spells it."""
        name = (self.signal or "").removeprefix("SIG")
        return (name if name in NAMED_SIGNALS else _ANY_OTHER).encode()


def of_ending(ending: Ending) -> ExitStatus:
    """Return the exit status of a request."""
    if isinstance(ending, Code):
        return ExitStatus(STATUS[ending])
    finished = ending.finished
    if ending.state in {RunState.FAULT, RunState.LOST}:
        return ExitStatus(STATUS[Code.FAULT])
    if finished.timed_out:
        return ExitStatus(STATUS[Code.TIMEOUT])
    if ending.check is not None and finished.exit_status is not None and (is_own_text(ending) or is_overruled(ending)):
        return ExitStatus(ending.check.state)
    if finished.exit_status is None:
        return ExitStatus(signal=finished.signal or "SIGTERM")
    return ExitStatus(finished.exit_status)
