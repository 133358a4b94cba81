"""All that bounds what callers use, made of one configuration and told of the next."""

import random

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from cmdserver.config.configuration import Configuration
from cmdserver.dispatch.requests import Run
from cmdserver.limits.connection_limit import ConnectionLimit
from cmdserver.limits.fair_queue import FairQueue
from cmdserver.limits.login_limit import LoginLimit
from cmdserver.limits.max_startups import UnauthenticatedConnections
from cmdserver.limits.rate_limit import Throttle
from cmdserver.limits.source_penalties import Penalties
from cmdserver.net.proxied_endpoint import MOST_PENDING


class Limiters(Struct, frozen=True):
    """All that counts and bounds what callers use."""

    connections: ConnectionLimit
    logins: LoginLimit
    requests: Throttle
    runs: FairQueue[Run]

    def reconfigure(self, configuration: Configuration) -> None:
        """Go by the limits of another configuration; what was counted stays counted."""
        limits = configuration.limits
        self.connections.reconfigure(limits.connections, limits.connections_per_source)
        self.logins.unauthenticated_connections.reconfigure(
            configuration.max_startups, limits.unauthenticated_per_source
        )
        self.logins.penalties.reconfigure(configuration.penalty_exempt)
        self.requests.reconfigure(limits.caller_requests_per_minute)
        self.runs.reconfigure(limits.running, limits.queued)


def make_limiters(configuration: Configuration, clock: IReactorTime) -> Limiters:
    """Count from nothing, by the limits of a configuration."""
    limits = configuration.limits
    startups = UnauthenticatedConnections(configuration.max_startups, limits.unauthenticated_per_source)
    return Limiters(
        connections=ConnectionLimit(limits.connections, limits.connections_per_source),
        logins=LoginLimit(startups, Penalties(configuration.penalty_exempt), clock, random.SystemRandom().random),
        requests=Throttle(limits.caller_requests_per_minute),
        runs=FairQueue(limits.running, limits.queued),
    )


def descriptors_for(configuration: Configuration) -> int:
    """Say how many may be open: for connections, those whose proxy has not named their client yet, and pipes."""
    limits = configuration.limits
    proxied = sum(listening.endpoint.is_proxied for listening in configuration.listening)
    return limits.connections + proxied * MOST_PENDING + 4 * limits.running
