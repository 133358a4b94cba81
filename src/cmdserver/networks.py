"""IP addresses and networks, as people write them; read in the same way wherever they are written.

Rule of this file: no DNS. A name is somebody else's word for an address.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

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
