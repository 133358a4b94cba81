"""Lines of the audit file as entries of systemd's journal, by its native protocol.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: a datagram has a field a line; a value with a line feed in it is written
with its length. What does not fit in a datagram is handed over in a sealed file in memory.
"""

import fcntl
import os
import socket
from typing import Final

from cmdserver.core.events import Event, LoggedIn, Requested, Started
from cmdserver.forwarding.syslog import APP_NAME, FACILITY, kind_of, severity_of

SOCKET: Final = "/run/systemd/journal/socket"

_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def entry(event: Event, line: bytes) -> bytes:
    """Write a line as an entry, with fields that ``journalctl CMDSERVER_USER=ann`` finds it by."""
    fields = {
        "MESSAGE": line.decode("ascii"),
        "PRIORITY": str(severity_of(event)),
        "SYSLOG_FACILITY": str(FACILITY),
        "SYSLOG_IDENTIFIER": APP_NAME,
        "CMDSERVER_EVENT": kind_of(event),
        "CMDSERVER_ID": event.id,
        **{f"CMDSERVER_{name}": value for name, value in _more(event).items() if value is not None},
    }
    return b"".join(_field(name, value.encode("utf-8", "backslashreplace")) for name, value in fields.items())


def send_in_memory(channel: socket.socket, data: bytes) -> None:
    """Hand over an entry that is too large for a datagram.

    Raises:
        OSError: It cannot be done.
    """
    descriptor = os.memfd_create("cmdserver-audit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.write(descriptor, data)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        socket.send_fds(channel, [b""], [descriptor])
    finally:
        os.close(descriptor)


def _more(event: Event) -> dict[str, str | None]:
    match event:
        case LoggedIn():
            return {
                "USER": event.user,
                "SOURCE": event.source,
                "PROTOCOL": event.protocol,
                "OUTCOME": event.outcome,
            }
        case Started() | Requested():
            caller = event.caller
            return {
                "USER": caller.name,
                "SOURCE": caller.source,
                "PROTOCOL": caller.protocol,
                "COMMAND": event.command,
                "OUTCOME": event.outcome if isinstance(event, Requested) else None,
            }


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name.encode(), len(value).to_bytes(8, "little"), value)
    return b"%b=%b\n" % (name.encode(), value)
