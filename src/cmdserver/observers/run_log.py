"""The lines of the daemon's log that say who has run what, and whose login failed: what people and fail2ban look for.

A line for a process, however many it has answered; what nobody was started for is in the audit file alone. What a
client has sent is written as JSON writes it, in ASCII, so that nothing in it ends the line or looks like a field; and
where it came from stands before it. No output and no secret is in it.
"""

import json
from collections.abc import Sequence
from typing import Final

from twisted.logger import LogLevel

from cmdserver.core.errors import Code
from cmdserver.core.events import Event, LoggedIn, Requested
from cmdserver.logs.line_logger import LineLogger

#: Characters of a run's arguments, as they are written; the audit file has all of them.
LONGEST_ARGUMENTS: Final = 500

_say, _warn = LineLogger(__name__), LineLogger(__name__, LogLevel.warn)


def log_event(event: Event) -> None:
    """Observe an event."""
    if isinstance(event, Requested):
        if event.answers:
            _say(run_line(event))
    elif isinstance(event, LoggedIn) and event.outcome is not Code.OK:
        # A client that has several keys offers one after the other: no more is wrong about that than with sshd.
        (_say if event.method == "publickey" else _warn)(login_line(event))


def run_line(event: Requested) -> str:
    """Tell of a run: ``run: user="ann" protocol=ssh method=publickey source=192.0.2.1 command=df ...``."""
    caller, result = event.caller, event.finished
    ended, seconds = "", 0.0
    if result is not None:
        seconds = result.duration_seconds
        if result.exit_status is not None:
            ended = f" exit_status={result.exit_status}"
        if result.signal is not None:
            ended += f" signal={result.signal}"
    if event.ended_by is not None:
        ended += f" ended_by={event.ended_by}"
    user = "null" if caller.name is None else json.dumps(caller.name)
    arguments = _shown(event.arguments) if event.arguments else "[]"
    return (
        f"run: user={user} protocol={caller.protocol} method={caller.method}"
        f" source={caller.source or '-'} command={event.command} arguments={arguments}"
        f" outcome={event.outcome}{ended} seconds={seconds:.3f} answers={event.answers} id={event.id}"
    )


def login_line(event: LoggedIn) -> str:
    """Tell of a login that failed: ``login failed from 192.0.2.1: protocol=ssh method=password ... user="root"``."""
    return (
        f"login failed from {event.source}: protocol={event.protocol} method={event.method} outcome={event.outcome}"
        f" id={event.id} reason={json.dumps(event.reason)} user={json.dumps(event.user)}"
    )


def _shown(arguments: Sequence[str]) -> str:
    """Write arguments as JSON does; what is cut shows that it is."""
    text = json.dumps(arguments)
    return text if len(text) <= LONGEST_ARGUMENTS else f"{text[:LONGEST_ARGUMENTS]}..."
