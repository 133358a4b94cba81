"""From where a credential may be used: the ``from=`` of tokens and of authorized keys.

A token's is a list of networks. A key's is OpenSSH's list of patterns (ssh_config(5), PATTERNS): networks, globs over
the address as it is written, and ``!`` before either. There is no DNS: a host name is somebody else's word for an
address, so a pattern that is one never matches; one that was to *exclude* a host cannot be honoured at all.
"""

import re
from fnmatch import fnmatchcase

from msgspec import Struct

from cmdserver.core.addresses import FLEET, Address, Network, parse_address, parse_network

#: Which patterns an address could match, if there is a wildcard in them.
_ADDRESS_GLOB = re.compile(r"(?=.*[*?])[0-9a-f.:*?]+", re.IGNORECASE)


class Pattern(Struct, frozen=True):
    """One entry of a list."""

    is_negated: bool
    #: A network, or a glob in lower case.
    what: Network | str


class Sources(Struct, frozen=True):
    """Where something may be used from."""

    patterns: tuple[Pattern, ...]
    #: What was written, for people and for writing it again.
    text: str
    #: Entries that are host names, which never match.
    host_names: tuple[str, ...] = ()

    def include(self, source: str) -> bool:
        """Whether an address, or ``unix``, which is in no network, is among them; one negated match outweighs all.

        Of who asks over a bus no address is known, so nothing matches, not even ``*``.
        """
        if source == FLEET:
            return False
        address = parse_address(source)
        matching = [each for each in self.patterns if _matches(each.what, source.lower(), address)]
        return bool(matching) and not any(each.is_negated for each in matching)


def parse_networks(text: str) -> Sources:
    """Read a token's list, as in ``10.0.0.0/8,::1``.

    Raises:
        ValueError: An entry is no network; the text says which and why.
    """
    return Sources(tuple(Pattern(is_negated=False, what=parse_network(each)) for each in text.split(",")), text)


def parse_patterns(text: str) -> Sources:
    """Read a key's list, as in ``10.0.0.0/8,192.168.?.*,!10.66.0.0/16``.

    Raises:
        ValueError: An entry is malformed or excludes a host name, or none can ever match; the text says which and why.
    """
    patterns, host_names = [], []
    for entry in text.split(","):
        is_negated = entry.startswith("!")
        word = entry[is_negated:]
        if "/" in word or parse_address(word) or not word:
            patterns.append(Pattern(is_negated=is_negated, what=parse_network(word)))
        elif _ADDRESS_GLOB.fullmatch(word):
            patterns.append(Pattern(is_negated=is_negated, what=word.lower()))
        elif is_negated:
            raise ValueError(f"{entry!a} excludes a host name, and names are not looked up here; write addresses")
        else:
            host_names.append(word)
    if all(each.is_negated for each in patterns):
        raise ValueError(f"{text!a} has no address in it that could match, and names are not looked up here")
    return Sources(tuple(patterns), text, tuple(host_names))


def _matches(what: Network | str, source: str, address: Address | None) -> bool:
    if isinstance(what, str):
        # In OpenSSH's globs a bracket is a character like others.
        return fnmatchcase(source if address is None else str(address), what.replace("[", "[[]"))
    return address is not None and address in what
