"""How a request through SSH ended: an exit status or a signal (RFC 4254, section 6.10).

A command's own end goes through as it is; what became no process has the status that scripts know from shells and from
sysexits.h. Rule of this file: values only.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from cmdserver.core.errors import Code, RequestError
from cmdserver.core.model import Answer

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
}

#: The only ones that RFC 4254 has names for.
_NAMED = frozenset("ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2".split())  # noqa: SIM905 - as in the RFC
#: As sshd calls all others; a name of one's own must have a domain.
_ANY_OTHER = "SIG@openssh.com"


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """An exit status, unless there is a signal."""

    status: int = 0
    #: ``SIGTERM``, say.
    signal: str | None = None

    @property
    def signal_name(self) -> bytes:
        """The signal as the protocol spells it."""
        name = (self.signal or "").removeprefix("SIG")
        return (name if name in _NAMED else _ANY_OTHER).encode()

    @property
    def as_status(self) -> int:
        """What a shell makes of it: a signal is 128 and its number."""
        if self.signal is None:
            return self.status
        number = getattr(signal, self.signal, None)
        return 128 + int(number) if number is not None else 255


#: A request that was ended by whoever had made it.
INTERRUPTED = ExitStatus(signal="SIGINT")


def of_answer(answer: Answer) -> ExitStatus:
    """Say how a command ended that ran."""
    finished = answer.finished
    if finished.timed_out:
        return ExitStatus(STATUS[Code.TIMEOUT])
    if finished.exit_status is None:
        return ExitStatus(signal=finished.signal or "SIGKILL")
    return ExitStatus(finished.exit_status)


def of_error(error: RequestError) -> ExitStatus:
    """Say how a request ended that has no answer."""
    return ExitStatus(STATUS[error.code])
