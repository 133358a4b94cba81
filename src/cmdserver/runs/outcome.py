"""How a run ended, in words."""

from cmdserver.core.model import Command
from cmdserver.core.output import ProcessResult
from cmdserver.core.run_states import EndedBy

_STOPPED = {
    EndedBy.DISCONNECT: "stopped, as its caller had left",
    EndedBy.SHUTDOWN: "stopped, as the daemon was",
}


def problem_of(command: Command, result: ProcessResult) -> str | None:
    """Say what went wrong with a run: of several reasons the one that explains the others; None if nothing did."""
    if result.truncated:
        return f"output truncated at {command.output_limit_bytes} bytes"
    if result.timed_out:
        return f"timeout: ran longer than {command.timeout_seconds:g} s and was ended"
    if result.ended_by is not None:
        return _STOPPED.get(result.ended_by, f"stopped by {result.stopped_by}" if result.stopped_by else "stopped")
    if result.signal is not None:
        return f"ended by {result.signal}"
    return None if result.exit_status in command.ok_statuses else f"exit status {result.exit_status}"
