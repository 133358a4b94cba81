"""The type of hosts: names and addresses."""

import re
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import ClassVar, Final

from cmdserver.parameters.mistakes import NotAccepted
from cmdserver.parameters.parameter_type import ParameterType

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
#: RFC 1123, section 2.1; lower case.
_NAME: Final = re.compile(rf"(?:{_LABEL}\.)*(?P<last>{_LABEL})")
_MOST_CHARACTERS: Final = 253
#: A last label that makes an address of a name: for inet_aton(3) ``1.2`` and ``0x7f000001`` are IPv4 addresses.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Host(ParameterType, frozen=True, kw_only=True):
    """A host's name, or its address.

    Args:
        networks: Addresses must lie in one of them; empty: any address.
        names: Globs of which names must match one; empty: any name.
    """

    name: ClassVar = "host"

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    names: tuple[str, ...] = ()

    def canonical(self, text: str) -> str:
        """See `ParameterType`: in lower case, addresses compressed, IPv4 in IPv6 as IPv4; no zone ids."""
        try:
            address = ip_address(text) if "%" not in text else None
        except ValueError:
            address = None
        if address is not None:
            return self._address(address)
        # U+212A, the sign of Kelvin, is a k in lower case, and no letter of a host's name.
        name = text.lower() if text.isascii() else ""
        found = _NAME.fullmatch(name) if len(name) <= _MOST_CHARACTERS else None
        if found is None or _NUMBER.fullmatch(found["last"]) is not None:
            raise NotAccepted(f"must be {self.accepts}")
        if self.names and not any(fnmatchcase(name, pattern) for pattern in self.names):
            raise NotAccepted(f"must be {self.accepts}")
        return name

    def _address(self, address: IPv4Address | IPv6Address) -> str:
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if self.networks and not any(address in network for network in self.networks):
            raise NotAccepted(f"must be {self.accepts}")
        return str(address)

    @property
    def accepts(self) -> str:
        """See `ParameterType`."""
        names = f" that matches {' or '.join(self.names)}" if self.names else ""
        addresses = f" in {' or '.join(map(str, self.networks))}" if self.networks else ""
        return f"a host name{names}, or an IP address{addresses}"
