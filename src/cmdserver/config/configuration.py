"""The checked configuration: values that nobody has to parse again."""

from msgspec import Struct

from cmdserver.audit.receivers import Receiver
from cmdserver.config.decoding import Finding
from cmdserver.config.schema.host import Limits
from cmdserver.config.schema.settings import Settings
from cmdserver.core.addresses import NO_PROXIES, Network, TrustedProxies
from cmdserver.core.listening import Listening
from cmdserver.core.model import Command, Role
from cmdserver.core.site import DEFAULT_FLEET, FleetHost, Site
from cmdserver.fleet.membership import SOCKET, FleetMember
from cmdserver.limits.max_startups import MaxStartups
from cmdserver.triggers.hook import Hook


class Configuration(Struct, frozen=True):
    """What the daemon goes by."""

    settings: Settings
    site: Site
    listening: tuple[Listening, ...]
    commands: tuple[Command, ...]
    roles: tuple[Role, ...]
    #: ``[limits] unauthenticated``.
    max_startups: MaxStartups
    #: ``[limits] penalty_exempt``.
    penalty_exempt: tuple[Network, ...]
    #: What is without effect, or may have another than is meant.
    warnings: tuple[Finding, ...] = ()
    #: ``[hooks]``.
    hooks: tuple[Hook, ...] = ()
    #: ``[[audit.forward]]``.
    receivers: tuple[Receiver, ...] = ()
    #: ``[fleet]``.
    fleet_host: FleetHost = FleetHost(DEFAULT_FLEET, "localhost")
    #: ``[fleet]``, if there is a bus.
    fleet_member: FleetMember | None = None
    #: ``[web] trusted_proxies``.
    trusted_proxies: TrustedProxies = NO_PROXIES

    @property
    def all_listening(self) -> tuple[Listening, ...]:
        """All that the daemon opens: the file's ``[[listen]]``, and what it opens by itself."""
        return self.listening if self.fleet_member is None else (*self.listening, SOCKET)

    @property
    def limits(self) -> Limits:
        """The file's ``[limits]``."""
        return self.settings.limits
