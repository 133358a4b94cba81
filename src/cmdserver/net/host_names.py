"""By which names clients may call this host on the web.

A browser says in every request for whom it is; a name that is not ours comes from a page whose owner has pointed that
name to our address (DNS rebinding), and is not served.
"""

import ipaddress
from collections.abc import Collection, Iterable
from functools import lru_cache

from cmdserver.core.addresses import parse_address
from cmdserver.core.endpoints import Endpoint

#: Of a resolver's own: they always mean the host that asks.
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "ip6-localhost", "ip6-loopback")


def own_names(host_name: str, endpoints: Iterable[Endpoint], configured: Iterable[str]) -> frozenset[str]:
    """List the names that this host answers to.

    Args:
        host_name: Its own, perhaps with a domain.
        endpoints: Of web listeners: an interface that they name is ours.
        configured: What the administrator adds; ``*`` is every name.
    """
    interfaces = (each.interface for each in endpoints)
    names = (*_LOOPBACK, host_name, host_name.partition(".")[0], *interfaces, *configured)
    return frozenset(normal_host(name) for name in names if name)


def is_own(name: str, ours: Collection[str]) -> bool:
    """Whether a name or an IP address, as `normal_host` spells it, means this host, whose names are `own_names`."""
    return name in ours or "*" in ours or name.endswith(".localhost") or parse_address(name) is not None


@lru_cache(maxsize=1024)
def normal_host(name: str) -> str:
    """Normalise a host's name or an IP address, with or without brackets, for comparison."""
    name = name.removeprefix("[").removesuffix("]").lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
