"""What is between a program and systemd that has started it: sd_notify(3), and the journal. Without Twisted."""

import os
import socket
import time
from collections.abc import Mapping


def goes_to_journal(environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether systemd has started us and takes what we say; a terminal's shell may have its variables, too."""
    return not is_terminal and bool(environment.get("JOURNAL_STREAM") or environment.get("NOTIFY_SOCKET"))


def notify(state: str) -> None:
    """Report to whoever started us with ``$NOTIFY_SOCKET``, if somebody did.

    Args:
        state: ``READY=1``, ``RELOADING=1``, ``STOPPING=1``, or ``STATUS=`` and a line for people.

    Raises:
        OSError: They do not listen.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    message = f"{state}\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.sendto(message.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
