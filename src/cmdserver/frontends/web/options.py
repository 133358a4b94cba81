"""What the configuration says of the web."""

import socket
from collections.abc import Mapping
from typing import Self

from msgspec import Struct, field

from cmdserver.config.configuration import Configuration
from cmdserver.core.addresses import NO_PROXIES, TrustedProxies
from cmdserver.core.protocols import Protocol
from cmdserver.core.site import DEFAULT_FLEET, FleetHost
from cmdserver.net.host_names import own_names


class WebOptions(Struct, frozen=True, kw_only=True):
    """What all web listeners go by."""

    #: The names that this host answers to; see `own_names`.
    hosts: frozenset[str]
    #: Below which path a proxy serves the web; empty if it does not, or takes that away.
    base_path: str = ""
    #: Whose ``Forwarded`` and ``X-Forwarded-…`` count.
    trusted_proxies: TrustedProxies = NO_PROXIES
    #: In which they say who the caller is; None: nowhere.
    user_header: bytes | None = None
    #: Whether each request is a line of the log.
    access_log: bool = True
    #: Whether the certificate is the administrator's, so that browsers may be told to use TLS alone.
    is_strict: bool = False
    #: The most bytes of a hook's body, whichever hook; 0 if there are no hooks.
    hook_body_bytes: int = 0
    #: As signed requests mean this host.
    fleet_host: FleetHost = FleetHost(DEFAULT_FLEET, "localhost")
    #: What callers may choose hosts by.
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """Read the options of a configuration."""
        web = configuration.settings.web
        endpoints = [each.endpoint for each in configuration.listening if each.protocol is Protocol.WEB]
        host_name = socket.gethostname()
        hosts = own_names(host_name, endpoints, web.hosts)
        return cls(
            hosts=hosts,
            base_path=web.base_path,
            trusted_proxies=configuration.trusted_proxies,
            user_header=None if web.user_header is None else web.user_header.encode("ascii"),
            access_log=web.access_log,
            is_strict=configuration.settings.tls.certificate is not None,
            hook_body_bytes=max((hook.body_bytes for hook in configuration.hooks), default=0),
            fleet_host=configuration.fleet_host,
            facts=configuration.settings.fleet.facts,
        )
