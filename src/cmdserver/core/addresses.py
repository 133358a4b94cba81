"""IP addresses and networks, as people write them. There is no DNS: a name is somebody else's word for an address."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: The source of whoever calls by a UNIX socket; see `cmdserver.net.listener.source_of`.
UNIX = "unix"
#: The source of whoever asks over a fleet's bus, which tells no address.
FLEET = "fleet"

#: Where 64 bits are not one subscriber's network but everybody's: neighbours on a link, and IPv4 hosts behind NAT64.
_SHARED_PREFIXES = (IPv6Network("fe80::/10"), IPv6Network("64:ff9b::/96"))

#: Python takes a netmask behind the slash as well, OpenSSH does not.
_PREFIX_LENGTH = re.compile(r"[0-9]{1,3}", re.ASCII)

#: IPv4 addresses of clients of an IPv6 socket (RFC 4291, section 2.5.5.2).
_MAPPED = IPv6Network("::ffff:0:0/96")
#: How networks are written elsewhere: ``10.*.*.*``, ``192.168.1.*``, ``10.``.
_WITH_WILDCARDS = re.compile(r"(?P<numbers>([0-9]{1,3}\.){1,3})(\*(\.\*)*)?")


def parse_network(text: str) -> Network:
    """Read a network (``10.0.0.0/8``) or a single address (``::1``), which is a network of one.

    Raises:
        ValueError: It is neither, or has bits beyond its prefix; the text, which is ASCII, says which and why.
    """
    _, slash, length = text.partition("/")
    if slash and not _PREFIX_LENGTH.fullmatch(length):
        raise ValueError(f"{text!a} is no network: the length of its prefix is not a number")
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!a} is no network: {ascii(str(error))[1:-1]}") from None


def network_meant(text: str) -> str | None:
    """Say which network a text that is none most likely means: ``10.0.0.0/8`` for ``10.1.2.3/8`` or ``10.*.*.*``.

    Returns:
        None if that is anybody's guess, as for a host name.
    """
    found = _WITH_WILDCARDS.fullmatch(text)
    if found is not None:
        numbers = found["numbers"].rstrip(".").split(".")
        text = f"{'.'.join([*numbers, *['0'] * (4 - len(numbers))])}/{8 * len(numbers)}"
    address, slash, length = text.strip().strip("[]").partition("/")
    try:
        meant = ip_network(f"{address.partition('%')[0].strip('[]')}{slash}{length.strip()}", strict=False)
    except ValueError:
        return None
    mapped = _plain(meant)
    return str(mapped.network_address if mapped.num_addresses == 1 and not slash else mapped)


def _plain(network: Network) -> Network:
    """Spell a network of mapped IPv4 addresses as what it is."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


def parse_address(text: str) -> Address | None:
    """Read an address; an IPv4 client of an IPv6 socket (``::ffff:10.0.0.1``) is an IPv4 client.

    Returns:
        None if it is none, as ``unix`` is not.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


class TrustedProxies(Struct, frozen=True):
    """The proxies whose word counts for whom a request is from; none of them by default."""

    networks: tuple[Network, ...] = ()
    #: Whether whoever calls by a UNIX socket is one.
    has_unix: bool = False

    def include(self, source: str) -> bool:
        """Whether a source, as `cmdserver.net.listener.source_of` says it, is one of them."""
        if source == UNIX:
            return self.has_unix
        address = address_of(source) if self.networks else None
        return address is not None and any(address in network for network in self.networks)


#: Nobody is trusted.
NO_PROXIES = TrustedProxies()


def address_of(source: str) -> Address | None:
    """Read a source, as `cmdserver.net.listener.source_of` says it; a link-local address may name its link.

    Returns:
        None if it is no IP address: ``unix``, ``unknown``.
    """
    return parse_address(source.partition("%")[0])


@lru_cache(maxsize=4096)
def block_of(source: str) -> str:
    """Say who is counted together with a source, itself included, wherever something is counted by source.

    An IPv4 address is counted alone, an IPv6 address with its network of 64 bits: a host may choose its last 64 bits at
    will (RFC 8981 has it do so daily), so one that is counted by addresses has 2^64 of them to spend. The price is that
    neighbours in one IPv6 network share what there is, as they do behind one IPv4 address.

    Args:
        source: As `cmdserver.net.listener.source_of` says it.

    Returns:
        ``192.0.2.1`` or ``2001:db8::/64``; whatever is no IP address, as it is.
    """
    address = address_of(source)
    if address is None:
        return source
    if isinstance(address, IPv4Address) or any(address in shared for shared in _SHARED_PREFIXES):
        return str(address)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
