"""Who may call a listener with ``from``, and what becomes known of the others: a number, and lines in the log."""

from collections.abc import Sequence
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cmdserver.core.addresses import Network, address_of

#: A listener complains at most so often. What comes in between is told at the end of it, so that nothing is left out.
COMPLAINT_SECONDS: Final = 60.0

_log = Logger()


class SourceFilter:
    """The networks of one listener.

    Args:
        place: The listener's endpoint, for the log.
        clock: Of the lines in the log.
    """

    def __init__(self, place: str, clock: IReactorTime) -> None:
        #: Who may call; empty: everybody. May be replaced at any time, for connections from then on.
        self.networks: Sequence[Network] = ()
        #: How many were refused so far.
        self.refused = 0
        self._place = place
        self._clock = clock
        self._untold = 0
        self._last_source = ""
        self._timer: IDelayedCall | None = None

    def refuses(self, source: str) -> bool:
        """Whether a source, as `cmdserver.net.listener.source_of` says it, may not call; who may not is counted.

        A source that is no IP address (``unix``, ``unknown``) is in no network.
        """
        if not self.networks:
            return False
        address = address_of(source)
        if address is not None and any(address in network for network in self.networks):
            return False
        self.refused += 1
        self._untold += 1
        self._last_source = source
        if self._timer is None:
            self._tell()
        return True

    def close(self) -> None:
        """Log what is left to be told: nobody will come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._log_untold()

    def _tell(self) -> None:
        """Log who was refused since the last time, and be silent for a while; if it was nobody, until the next one."""
        self._timer = self._clock.callLater(COMPLAINT_SECONDS, self._tell) if self._untold else None
        self._log_untold()

    def _log_untold(self) -> None:
        if self._untold:
            _log.warn(
                "{place}: {count} connection{s} closed, as from has no {source}{others}",
                place=self._place,
                count=self._untold,
                s="" if self._untold == 1 else "s",
                source=self._last_source,
                others="" if self._untold == 1 else ", which was the last of them",
            )
        self._untold = 0
