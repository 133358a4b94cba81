"""Two homes behind routers that translate and drop, a provider, a backbone and a machine room, in network namespaces.

    home1 ── router1 ─┐                            ┌─ bus
                      ├─ provider ── backbone ── room
    home2 ── router2 ─┘                            └─ services

The routers of the homes give their hosts' IPv4 connections an address of the provider's; both homes have the same
private network, as homes do. IPv6 addresses are everybody's own. What comes in from outside is dropped, by both
families, unless it belongs to what went out.

Namespaces are called after the process that made them, and nothing is left of them when `playground` ends.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.integration.playground.host import Host
from tests.waiting import wait_until

#: Files here are what a namespace has in place of those in /etc; see ip-netns(8).
_ETC: Final = Path("/etc/netns")


@dataclass(frozen=True)
class Wire:
    """A cable between two hosts, of which the second knows the way to the rest of the world.

    Interfaces are called after the host at the other end.
    """

    child: str
    parent: str
    #: Of both families, with the lengths of their networks; the first of each is the next hop of others.
    child_addresses: tuple[str, ...]
    parent_addresses: tuple[str, ...]
    #: The networks beyond the child that the parent knows the way to.
    beyond: tuple[str, ...] = ()

    def next_hop(self, end: str, network: str) -> str:
        """Return the address of one end, of the family of a network; raises a StopIteration if it has none."""
        addresses = self.child_addresses if end == self.child else self.parent_addresses
        return next(each.partition("/")[0] for each in addresses if (":" in each) == (":" in network))


HOME1, HOME2 = ("192.168.1.10", "fd00:a:1::10"), ("192.168.1.20", "fd00:a:2::20")
#: What the homes look like from outside, by IPv4.
ROUTER1, ROUTER2 = "198.51.100.2", "198.51.100.6"
BUS = ("192.0.2.2", "fd00:b:1::2")
MAIL, WEB, NAMES = (("192.0.2.18", "fd00:b:2::18"), ("192.0.2.19", "fd00:b:2::19"), ("192.0.2.20", "fd00:b:2::20"))

WIRES: Final = (
    Wire("home1", "router1", (f"{HOME1[0]}/24", f"{HOME1[1]}/64"), ("192.168.1.1/24", "fd00:a:1::1/64")),
    Wire("home2", "router2", (f"{HOME2[0]}/24", f"{HOME2[1]}/64"), ("192.168.1.1/24", "fd00:a:2::1/64")),
    # Nobody outside knows a way to 192.168.1.0/24: there are two.
    Wire(
        "router1", "provider", (f"{ROUTER1}/30", "fd00:a:f1::2/64"), ("198.51.100.1/30", "fd00:a:f1::1/64"),
        beyond=("fd00:a:1::/64",),
    ),
    Wire(
        "router2", "provider", (f"{ROUTER2}/30", "fd00:a:f2::2/64"), ("198.51.100.5/30", "fd00:a:f2::1/64"),
        beyond=("fd00:a:2::/64",),
    ),
    Wire(
        "provider", "backbone", ("203.0.113.2/30", "fd00:c:1::2/64"), ("203.0.113.1/30", "fd00:c:1::1/64"),
        beyond=("198.51.100.0/24", "fd00:a::/32"),
    ),
    Wire(
        "room", "backbone", ("203.0.113.6/30", "fd00:c:2::2/64"), ("203.0.113.5/30", "fd00:c:2::1/64"),
        beyond=("192.0.2.0/24", "fd00:b::/32"),
    ),
    Wire("bus", "room", (f"{BUS[0]}/28", f"{BUS[1]}/64"), ("192.0.2.1/28", "fd00:b:1::1/64")),
    Wire(
        "services", "room", tuple(f"{each}/{64 if ':' in each else 28}" for each in MAIL + WEB + NAMES),
        ("192.0.2.17/28", "fd00:b:2::1/64"),
    ),
)  # fmt: skip

#: Who asks the name server, and by which family first.
_RESOLVERS: Final = {"home1": NAMES, "home2": NAMES[::-1], "bus": NAMES, "services": NAMES}

_FIREWALL: Final = """
table inet home {{
    counter dropped {{ }}
    # What `Firewall.opened` lets in.
    chain redirected {{ type nat hook prerouting priority dstnat; }}
    chain admitted {{ }}
    chain outward {{
        type nat hook postrouting priority srcnat
        oifname "{outside}" meta nfproto ipv4 masquerade
    }}
    chain inward {{
        type filter hook forward priority filter
        iifname "{inside}" accept
        ct state established,related accept
        jump admitted
        counter name dropped drop
    }}
    chain own {{
        type filter hook input priority filter
        iifname != "{outside}" accept
        ct state established,related accept
        # Without neighbours there is no IPv6.
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
        counter name dropped drop
    }}
}}
"""


@dataclass(frozen=True)
class Firewall:
    """What a home's router drops."""

    router: Host
    #: The home's own addresses.
    home: tuple[str, str]

    def dropped(self) -> int:
        """Return how many packets it has dropped so far."""
        listed = _nft(self.router, "list counter inet home dropped")
        return int(listed.partition("packets ")[2].split()[0])

    @contextmanager
    def opened(self, port: int) -> Iterator[None]:
        """Let connections to a port of the home's host in for a while, by IPv4 to the address of the router."""
        _nft(
            self.router,
            "add rule inet home redirected iifname provider meta nfproto ipv4"
            f" tcp dport {port} dnat ip to {self.home[0]}"
            f"\nadd rule inet home admitted tcp dport {port} accept",
        )
        try:
            yield
        finally:
            _nft(self.router, "flush chain inet home redirected\nflush chain inet home admitted")


class Playground:
    """The hosts by their names, and the cables between them."""

    def __init__(self) -> None:
        network = f"cmdserver-{os.getpid()}"
        names = dict.fromkeys(end for wire in WIRES for end in (wire.child, wire.parent))
        self.hosts: Mapping[str, Host] = {name: Host(name, network) for name in names}

    def __getitem__(self, name: str) -> Host:
        """Return a host."""
        return self.hosts[name]

    def firewall(self, home: str) -> Firewall:
        """Return the firewall of ``home1`` or ``home2``."""
        return Firewall(self[home.replace("home", "router")], {"home1": HOME1, "home2": HOME2}[home])

    @contextmanager
    def unplugged(self, name: str) -> Iterator[None]:
        """Take the cable out of a host, and put it in again."""
        (wire,) = (each for each in WIRES if each.child == name)
        _ip(f"link set {wire.parent} down", self[name])
        try:
            yield
        finally:
            # The kernel keeps the addresses, as it is told to, and forgets the routes.
            _ip("\n".join([f"link set {wire.parent} up", *_routes(name)]), self[name])

    # Building

    def build(self) -> None:
        """Make the namespaces, the cables, the addresses, the routes and the firewalls."""
        for host in self.hosts.values():
            _ip(f"netns add {host.namespace}")
            is_router = any(wire.parent == host.name for wire in WIRES)
            _set_kernel(
                host,
                {
                    "disable_ipv6": 0,
                    "keep_addr_on_down": 1,
                    "accept_ra": 0,
                    "accept_dad": 0,
                    "forwarding": int(is_router),
                },
            )
            if host.name in _RESOLVERS:
                self._write_resolvers(host)
        _ip(
            "\n".join(
                f"link add name {wire.parent} netns {self[wire.child].namespace}"
                f" type veth peer name {wire.child} netns {self[wire.parent].namespace}"
                for wire in WIRES
            )
        )
        for host in self.hosts.values():
            _ip("\n".join(["link set lo up", *_addresses(host.name), *_routes(host.name)]), host)
        for router, home in (("router1", "home1"), ("router2", "home2")):
            _nft(self[router], _FIREWALL.format(inside=home, outside="provider"))
        # The kernel tells itself of a cable that was plugged in when it finds the time.
        wait_until(lambda: all(map(_is_up, self.hosts.values())), "all interfaces are up")

    @staticmethod
    def _write_resolvers(host: Host) -> None:
        directory = _ETC / host.namespace
        directory.mkdir(parents=True)
        servers = [f"nameserver {address}" for address in _RESOLVERS[host.name]]
        (directory / "resolv.conf").write_text("\n".join([*servers, "options timeout:2 attempts:5", ""]), "ascii")

    def remove(self) -> None:
        """Leave nothing behind, whatever there is of it."""
        for host in self.hosts.values():
            host.end()
        there = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        namespaces = {line.split()[0] for line in there.splitlines() if line}
        for host in self.hosts.values():
            if host.namespace in namespaces:
                _ip(f"netns delete {host.namespace}")
            shutil.rmtree(_ETC / host.namespace, ignore_errors=True)
        with suppress(OSError):  # it was there before, or others are using it
            _ETC.rmdir()


@contextmanager
def playground() -> Iterator[Playground]:
    """Make the network, and remove it."""
    network = Playground()
    with ExitStack() as stack:
        stack.callback(network.remove)
        network.build()
        yield network


def why_impossible() -> str | None:
    """Try to make a namespace and a firewall that translates; say what is in the way, if anything is."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    for needed in ("ip", "nft"):
        if shutil.which(needed) is None:
            return f"{needed} is not installed here"
    if not Path("/proc/sys/net/ipv6").exists():
        return "there is no IPv6 here"
    trial = Host("trial", f"cmdserver-{os.getpid()}")
    try:
        _ip(f"netns add {trial.namespace}")
        _ip("link add name one type veth peer name other", trial)
        _nft(trial, _FIREWALL.format(inside="one", outside="other"))
    except subprocess.CalledProcessError as error:
        first, *_ = str(error.stderr).splitlines() or [str(error)]
        return f"no network namespaces here: {first}"
    finally:
        subprocess.run(["ip", "netns", "delete", trial.namespace], capture_output=True, check=False)
    return None


def _addresses(name: str) -> Iterator[str]:
    for wire in WIRES:
        for end, other, addresses in (
            (wire.child, wire.parent, wire.child_addresses),
            (wire.parent, wire.child, wire.parent_addresses),
        ):
            if end == name:
                # Without asking first whether somebody else has it, which takes a second.
                yield from (f"address add {each} dev {other}{' nodad' if ':' in each else ''}" for each in addresses)
                yield f"link set {other} up"


def _is_up(host: Host) -> bool:
    """Whether all of its interfaces work, and have the address by which IPv6 asks for neighbours."""
    shown = subprocess.run(
        ["ip", "-netns", host.namespace, "-json", "address"], capture_output=True, text=True, check=True
    ).stdout
    return all(
        each["operstate"] == "UP" and any(address["scope"] == "link" for address in each["addr_info"])
        for each in json.loads(shown)
        if each["ifname"] != "lo"
    )


def _routes(name: str) -> Iterator[str]:
    for wire in WIRES:
        if wire.child == name:
            for network in ("0.0.0.0/0", "::/0"):
                yield f"route replace {network} via {wire.next_hop(wire.parent, network)}"
        if wire.parent == name:
            yield from (f"route replace {each} via {wire.next_hop(wire.child, each)}" for each in wire.beyond)


def _ip(lines: str, host: Host | None = None) -> None:
    """Have ip do what is written in lines, here or in a namespace."""
    where = () if host is None else ("-netns", host.namespace)
    subprocess.run(["ip", *where, "-batch", "-"], input=lines, capture_output=True, text=True, check=True)


def _nft(host: Host, lines: str) -> str:
    return subprocess.run(
        host.command(["nft", "-f", "-"]), input=lines, capture_output=True, text=True, check=True
    ).stdout


def _set_kernel(host: Host, ipv6: Mapping[str, int]) -> None:
    """Set what /proc/sys says of the namespace; routers forward both families."""
    lines = [
        f"echo {value} >/proc/sys/net/ipv6/conf/{of}/{key}" for key, value in ipv6.items() for of in ("all", "default")
    ]
    lines.append(f"echo {ipv6['forwarding']} >/proc/sys/net/ipv4/ip_forward")
    subprocess.run(host.command(["sh", "-e"]), input="\n".join(lines), capture_output=True, text=True, check=True)
