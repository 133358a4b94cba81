"""What a front end is given, and what it must be able to do.

The module that `cmdserver.core.protocols.Protocol.front_end` names has
``make(listener_auth, context, resources, certificate_of) -> FrontEnd``; ``certificate_of`` is None where there is no
TLS, and else reads a client's verified certificate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from cmdserver.config.configuration import Configuration
from cmdserver.config.schema import Limits
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.net.connection_table import Connections
from cmdserver.net.peer_liveness import PeerLiveness

Options = TypeVar("Options")

#: Names of commands to what Prometheus reads of them.
Exposition = Callable[[frozenset[str]], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndContext:
    """What every front end is given."""

    dispatcher: Dispatcher
    connection_limit: ConnectionLimit
    liveness: PeerLiveness
    clock: IReactorTime
    #: As they are now: a reload replaces them.
    limits: Callable[[], Limits]

    def connections_of(self, protocol: str) -> Connections[Any]:
        """Make the table of the connections of one front end."""
        return Connections(protocol, self.connection_limit, self.liveness, self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndResources:
    """What ``make`` of a front end gets its own options from."""

    #: As it is now: a reload replaces it.
    configuration: Callable[[], Configuration]
    #: For what it keeps, such as keys.
    state_directory: Path
    #: Begin to measure, if nobody has; what it returns renders what was measured of the commands named.
    exposition: Callable[[], Exposition]

    def latest(self, read: Callable[[Configuration], Options]) -> Callable[[], Options]:
        """Return what gives a front end's options as they are now; they are read once for each configuration."""
        known: list[tuple[Configuration, Options]] = []

        def options() -> Options:
            configuration = self.configuration()
            if not known or known[0][0] is not configuration:
                known[:] = [(configuration, read(configuration))]
            return known[0][1]

        return options


class FrontEnd(Factory):
    """A factory of one listener's connections that can be told to come to an end."""

    noisy = False

    def close(self) -> None:
        """End every connection, those with a request under way as soon as it is answered; take no new requests."""
        raise NotImplementedError

    def example_command(self, address: IAddress, command: str) -> str:
        """Say what a person would type to run a command through this listener."""
        raise NotImplementedError
