"""Bounds on logins that do not succeed: `UnauthenticatedConnections` (MaxStartups) and `Penalties`, for every listener.

A bound that concerns who may try to log in belongs here: every listener asks `LoginLimit`, and nothing else.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from cmdserver.core.errors import Throttled
from cmdserver.limits.max_startups import UnauthenticatedConnections
from cmdserver.limits.source_penalties import Offence, Penalties

_log = Logger()


class LoginLimit:
    """Who may try to log in; ``dice`` gives a number in [0, 1), anew at each call."""

    def __init__(
        self,
        unauthenticated_connections: UnauthenticatedConnections,
        penalties: Penalties,
        clock: IReactorTime,
        dice: Callable[[], float],
    ) -> None:
        self.unauthenticated_connections = unauthenticated_connections
        self.penalties = penalties
        self._clock = clock
        self._dice = dice

    def require_patience(self, source: str) -> None:
        """Raise `Throttled` while a source has too much outstanding to try a login."""
        seconds = self.penalties.is_refused(source, self._clock.seconds())
        if seconds is not None:
            raise Throttled(f"too many logins from {source} came to nothing", seconds, "limits.penalty_exempt")

    def enter(self, listener: str, source: str) -> None:
        """Count an unauthenticated connection in.

        Raises:
            Throttled: The source has too much outstanding.
            Busy: Too many have not logged in, or too many of the source.
        """
        self.require_patience(source)
        self.unauthenticated_connections.enter(listener, source, self._dice())

    def leave(self, listener: str, source: str) -> None:
        """Count a connection out that has logged in or is gone; once for each that was counted in."""
        self.unauthenticated_connections.leave(listener, source)

    def offend(self, source: str, offence: Offence) -> None:
        """Charge a source; once for each connection that came to nothing."""
        if self.penalties.charge(source, offence, self._clock.seconds()):
            _log.warn("logins from {source} are refused for now: {offence}", source=source, offence=offence)
