"""Lines of the audit file as messages of syslog (RFC 5424), and as those of syslog(3) to a socket of the same host.

The message is the line as it is in the file, chain value included, so that the copy can be verified. It has no
structured data: an element of our own needs an enterprise number (RFC 5424, section 7.2.2).
"""

import re
import time
from typing import Final

from msgspec import Struct

from cmdserver.audit.records import utc
from cmdserver.core.errors import Code
from cmdserver.core.events import Event, LoggedIn, Requested, Started

APP_NAME: Final = "cmdserver"
#: authpriv (RFC 5424, table 1), where logins are.
FACILITY: Final = 10

#: Of a message: what fits in a datagram over IPv4 (RFC 768, RFC 791). It is less than what syslog-ng (64 KiB) and
#: rsyslog (200,000 bytes) take in one frame of a stream: of a longer one the rest would be taken for other messages,
#: and so would all that follows it, for one caller's long argument.
MOST_BYTES: Final = 65_507

_ERROR, _WARNING, _NOTICE, _INFORMATIONAL = 3, 4, 5, 6
_SEVERITIES: Final = {
    Code.OK: _INFORMATIONAL,
    Code.SKIPPED: _INFORMATIONAL,
    Code.MISSED: _INFORMATIONAL,
    Code.DENIED: _WARNING,
    Code.FAULT: _ERROR,
}
#: PRINTUSASCII, and the length of HOSTNAME (RFC 5424, section 6).
_UNPRINTABLE: Final = re.compile(r"[^!-~]")
_MOST_HOST_CHARACTERS: Final = 255
#: RFC 3164, section 4.1.2: English, whatever the locale.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Sender(Struct, frozen=True):
    """Who sends messages."""

    host: str
    pid: int

    @property
    def host_name(self) -> str:
        """HOSTNAME as RFC 5424 wants it."""
        return _UNPRINTABLE.sub("-", self.host)[:_MOST_HOST_CHARACTERS] or "-"


def kind_of(event: Event) -> str:
    """Return the event's name in the file: MSGID."""
    match event:
        case Started():
            return "started"
        case LoggedIn():
            return "login"
        case Requested():
            return "request"


def severity_of(event: Event) -> int:
    """Say how grave an event is (RFC 5424, table 2)."""
    if isinstance(event, Started):
        return _INFORMATIONAL
    if isinstance(event, LoggedIn) and event.outcome is not Code.OK:
        return _ERROR if event.outcome is Code.FAULT else _WARNING
    return _SEVERITIES.get(event.outcome, _NOTICE)


def message(event: Event, line: bytes, sender: Sender) -> bytes:
    """Write a line as RFC 5424 has it."""
    priority = 8 * FACILITY + severity_of(event)
    header = f"<{priority}>1 {utc(event.time)} {sender.host_name} {APP_NAME} {sender.pid} {kind_of(event)} - "
    return cut_to(header.encode() + line, MOST_BYTES)


def local_message(event: Event, line: bytes, sender: Sender) -> bytes:
    """Write a line as glibc's syslog(3) does to /dev/log: there neither rsyslog nor journald reads RFC 5424."""
    at = time.localtime(event.time)
    priority = 8 * FACILITY + severity_of(event)
    stamp = f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday:2} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return cut_to(f"<{priority}>{stamp} {APP_NAME}[{sender.pid}]: ".encode() + line, MOST_BYTES)


def octet_counted(text: bytes) -> bytes:
    """Frame a message in a stream (RFC 6587, section 3.4.1)."""
    return b"%d %b" % (len(text), text)


def cut_to(text: bytes, most: int) -> bytes:
    """Cut a message visibly to so many bytes; a whole one is left as it is."""
    if len(text) <= most:
        return text
    mark = b" [cut: %d bytes]" % len(text)
    return text[: most - len(mark)] + mark
