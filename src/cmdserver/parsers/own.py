"""Parsers of our own, for what people look at and jc has no parser for: ``docker ps``, ``apt list``, ``ip addr``.

Rule of this module: pure. A line that is not understood is an error: what stands beside it might be wrong, too.
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

from cmdserver.checks.data import Json

_APT: Final = re.compile(
    r"(?P<name>[^/\s]+)/(?P<suites>\S+) (?P<version>\S+) (?P<architecture>\S+)(?: \[(?P<status>[^\]]*)\])?"
)
_LINK: Final = re.compile(r"(?P<index>\d+): (?P<name>[^:@]+)(?:@[^:]+)?: <(?P<flags>[^>]*)> (?P<rest>.*)")
_ADDRESS: Final = re.compile(r"\s+(?P<family>inet6?) (?P<local>[^/\s]+)(?:/(?P<length>\d+))?(?P<rest> .*)?")


def docker_ps(text: str) -> Json:
    """Read a table of docker's (``docker ps``, ``docker images``): columns begin where their heads do."""
    head, *lines = [line for line in text.splitlines() if line.strip()] or [""]
    heads = list(re.finditer(r"\S+(?: \S+)*", head))
    if len(heads) < 2 or head != head.upper():  # noqa: PLR2004 - else it is a message
        raise ValueError(head)
    edges = [each.start() for each in heads] + [None]
    keys = [each[0].lower().replace(" ", "_") for each in heads]
    rows: list[Json] = []
    for line in lines:
        if any(line[start - 1 : start].strip() for start in edges[1:-1] if start is not None):
            raise ValueError(line)
        cells = [line[start:end].strip() for start, end in pairwise(edges)]
        rows.append({key: cell or None for key, cell in zip(keys, cells, strict=True)})
    return rows


def apt_list(text: str) -> Json:
    """Read what ``apt list`` prints, with any of its options."""
    rows: list[Json] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith(("Listing...", "WARNING: ", "N: ")):
            continue
        match = _APT.fullmatch(line)
        if match is None:
            raise ValueError(line)
        status = match["status"].split(",") if match["status"] else []
        rows.append(
            {
                "package": match["name"],
                "version": match["version"],
                "architecture": match["architecture"],
                "suites": match["suites"].split(","),
                "status": [each.strip() for each in status],
            }
        )
    return rows


def ip_addr(text: str) -> Json:
    """Read what ``ip addr`` prints; the keys are those of ``ip -j addr``."""
    links: list[dict[str, Json]] = []
    addresses: list[dict[str, Json]] = []
    for line in text.splitlines():
        if (link := _LINK.fullmatch(line.rstrip())) is not None:
            words = link["rest"].split()
            said = dict(zip(words[::2], words[1::2], strict=False))
            addresses = []
            links.append(
                {
                    "ifindex": int(link["index"]),
                    "ifname": link["name"],
                    "flags": link["flags"].split(","),
                    "mtu": int(said["mtu"]),
                    "operstate": said.get("state", "UNKNOWN"),
                    "address": None,
                    "addr_info": addresses,
                }
            )
        elif not links:
            if line.strip():
                raise ValueError(line)
        elif (found := _ADDRESS.fullmatch(line.rstrip())) is not None:
            length = int(found["length"] or (32 if found["family"] == "inet" else 128))
            scope = re.search(r" scope (\S+)", found["rest"] or "")
            addresses.append(
                {
                    "family": found["family"],
                    "local": found["local"],
                    "prefixlen": length,
                    "scope": scope[1] if scope is not None else None,
                }
            )
        elif (hardware := re.match(r"\s+link/\S+ (\S+)", line)) is not None:
            links[-1]["address"] = hardware[1]
    return links


#: By their names, as jc's are written.
OWN: Final[Mapping[str, Callable[[str], Json]]] = {"docker-ps": docker_ps, "apt-list": apt_list, "ip-addr": ip_addr}
