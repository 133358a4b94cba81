"""The daemon as a process of this host: its descriptors, its limits, its signals."""

import fcntl
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

from twisted.logger import Logger

from cmdserver.execution.posix import raise_descriptor_limit
from cmdserver.logs.systemd import notify

#: Besides connections and pipes: listening sockets, logs, the reactor's own.
_OTHER_DESCRIPTORS = 64

_log = Logger()


def open_standard_streams() -> None:
    """Open on /dev/null those standard streams that were closed when we were started; before anything else is opened.

    Else whatever is opened next gets their numbers, and what a child says is written into it. What Python has in their
    place is `standard_streams`' to see to.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def isolate_descriptors() -> None:
    """Make sure that no child inherits a descriptor by accident; once, before anything else is opened.

    Python opens everything close-on-exec, but what the daemon was started with (a systemd socket, a shell's ``3<``) is
    not.
    """
    open_standard_streams()
    for entry in list(Path("/proc/self/fd").iterdir()):
        if (descriptor := int(entry.name)) > 2:  # noqa: PLR2004 - standard error
            try:
                flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
                fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
            except OSError:
                continue  # the descriptor of the listing itself, closed by now


def allow_connections(descriptors: int) -> tuple[int, int] | None:
    """Raise our limit of open descriptors if it is too low for what is configured; see `raise_descriptor_limit`.

    Args:
        descriptors: For connections and for the pipes of running commands.
    """
    needed = descriptors + _OTHER_DESCRIPTORS
    before = raise_descriptor_limit(needed)
    possible, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if possible < needed:
        _log.warn(
            "{possible} descriptors may be open, [limits] may need {needed}; lower connections or raise that",
            possible=possible,
            needed=needed,
        )
    return before


def tell_systemd(state: str) -> None:
    """Report to systemd; see `notify`. That nobody listens there is logged."""
    try:
        notify(state)
    except OSError as error:
        _log.warn("cannot tell systemd {state}: {error}", state=state, error=error)


def on_signal(number: signal.Signals, call: Callable[[], None]) -> None:
    """Call a function from within a signal's handler."""
    signal.signal(number, lambda _number, _frame: call())
