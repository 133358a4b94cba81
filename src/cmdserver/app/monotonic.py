"""The monotonic clock for a Twisted reactor, in place of the time of day.

Twisted's ``reactor.seconds`` is `time.time`. Whoever sets the clock of the host, be it an NTP client at boot or the
hypervisor of a resumed guest, would let every timer run out at once or stop every limit. CLOCK_MONOTONIC does not jump.
It stands still while the host is suspended, and so do the processes whose time is measured.
"""

from collections.abc import Callable
from typing import Any


def use_clock(reactor: Any, seconds: Callable[[], float]) -> None:
    """Let a reactor, and all that asks it for the time, go by another clock from now on.

    Args:
        reactor: A `ReactorBase`; what is scheduled already keeps the time that it has left.
        seconds: From any origin.
    """
    left = [(call, call.getTime() - reactor.seconds()) for call in reactor.getDelayedCalls()]
    reactor.seconds = seconds
    for call, delay in left:
        call.seconds = seconds
        call.reset(max(0.0, delay))
