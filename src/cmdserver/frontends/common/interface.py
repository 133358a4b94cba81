"""What is between the listeners and the house: what a front end is given, and what it must be able to do.

Rule of this file: it knows no protocol and opens nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from cmdserver.config.schema import Limits
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.net.connection_table import Connections
from cmdserver.net.peer_liveness import PeerLiveness

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
    #: The names that this host answers to on the web, as they are now.
    web_hosts: Callable[[], frozenset[str]] = frozenset
    #: Below which path a proxy serves the web, as it is now; empty if it does not, or takes that away.
    web_base_path: Callable[[], str] = str
    #: Whether each of its requests is a line of the log.
    logs_access: Callable[[], bool] = lambda: True
    #: Begin to measure, if nobody has; what it returns renders what was measured of the commands named.
    exposition: Callable[[], Exposition] = lambda: lambda _: b""
    #: What an SSH listener proves itself with: `cmdserver.net.ssh_host_keys.HostKey`, the best first. Raises
    #: `CannotStart`.
    ssh_host_keys: Callable[[], Sequence[Any]] = tuple

    def connections_of(self, protocol: str) -> Connections[Any]:
        """Make the table of the connections of one front end."""
        return Connections(protocol, self.connection_limit, self.liveness, self.clock)


class FrontEnd(Factory):
    """A factory of one listener's connections that can be told to come to an end."""

    noisy = False

    def close(self) -> None:
        """End every connection, those with a request under way as soon as it is answered; take no new requests."""
        raise NotImplementedError

    def example_command(self, address: IAddress, command: str) -> str:
        """Say what a person would type to run a command through this listener."""
        raise NotImplementedError
