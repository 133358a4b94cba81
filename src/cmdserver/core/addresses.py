"""IP addresses and networks, as people write them. There is no DNS: a name is somebody else's word for an address."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Where 64 bits are not one subscriber's network but everybody's: neighbours on a link, and IPv4 hosts behind NAT64.
_SHARED_PREFIXES = (IPv6Network("fe80::/10"), IPv6Network("64:ff9b::/96"))

#: Python takes a netmask behind the slash as well, OpenSSH does not.
_PREFIX_LENGTH = re.compile(r"[0-9]{1,3}", re.ASCII)


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
