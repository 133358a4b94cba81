"""What the composition gives to a front end.

The module that `cmdserver.core.protocols.Protocol.front_end` names has
``make(listener_auth, context, resources, certificate_of) -> FrontEnd``; ``certificate_of`` is None without TLS.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from cmdserver.auth.credentials import Credentials
from cmdserver.auth.hook_authenticator import HookAuthenticator
from cmdserver.config.configuration import Configuration
from cmdserver.config.schema.host import Limits
from cmdserver.core.output import Answer
from cmdserver.core.site import Site
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.net.peer_liveness import PeerLiveness
from cmdserver.runs.check_trends import TrendOf

#: Returns what a client's verified certificate says, given its transport and source; None if it has shown none.
CertificateOf = Callable[[Any, str], Credentials | None]

Options = TypeVar("Options")


class Exposition(Protocol):
    """What Prometheus reads, in its text format 0.0.4."""

    def render(self, commands: Collection[str], found: Collection[str], /) -> bytes:
        """Render what was measured of the commands named, and of the latter what their last runs have found."""

    def probe(self, answer: Answer, /) -> bytes:
        """Render what one run has found, to whose answer data and check were added."""


class FrontEndContext(Struct, frozen=True, kw_only=True):
    """What every front end is given."""

    dispatcher: Dispatcher
    connection_limit: ConnectionLimit
    liveness: PeerLiveness
    clock: IReactorTime
    #: Seconds since the epoch.
    time_of_day: Callable[[], float]
    #: When the daemon was started, likewise.
    started_at: float
    #: As they are now: a reload replaces them.
    limits: Callable[[], Limits]
    #: As it is now.
    site: Callable[[], Site]


class FrontEndResources(Struct, frozen=True, kw_only=True):
    """What ``make`` of a front end gets its own options from."""

    #: As it is now: a reload replaces it.
    configuration: Callable[[], Configuration]
    #: For what it keeps, such as keys.
    state_directory: Path
    #: Knows whose requests to hooks are.
    hooks: HookAuthenticator
    #: Begin to listen to what checks find, if nobody has; what it returns tells what they have found in the last day.
    trends: Callable[[], TrendOf]
    #: Begin to measure, if nobody has.
    exposition: Callable[[], Exposition]

    def latest(self, read: Callable[[Configuration], Options]) -> Callable[[], Options]:
        """Return what gives a front end's options as they are now; they are read once for each configuration."""
        return latest(self.configuration, read)


def latest(
    configuration: Callable[[], Configuration], read: Callable[[Configuration], Options]
) -> Callable[[], Options]:
    """Return what reads options of the configuration of the moment, once for each configuration."""
    known: list[tuple[Configuration, Options]] = []

    def options() -> Options:
        now = configuration()
        if not known or known[0][0] is not now:
            known[:] = [(now, read(now))]
        return known[0][1]

    return options
