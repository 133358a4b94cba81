"""Listeners: from endpoints to open sockets, and from clients' addresses to sources.

A listener that cannot be opened keeps the daemon from starting: Twisted's own service for endpoints only logs that.
"""

import contextlib
import errno
import socket
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure

from cmdserver.core.addresses import parse_address
from cmdserver.core.endpoints import Endpoint
from cmdserver.core.errors import CannotListen
from cmdserver.core.listening import Listening
from cmdserver.net.proxied_endpoint import ProxyEndpoint, ProxyItself
from cmdserver.net.socket_activation import SystemdEndpoint
from cmdserver.net.tcp import make_prompt, with_prompt_ports

#: The source of a client that is not known; it is never charged with anything.
UNKNOWN = "unknown"

#: Twisted's 50 costs a second of p99 at 256 callers: a connection that finds the queue full is tried again a second on.
BACKLOG = 1024
_TAKES_BACKLOG = frozenset({"tcp", "tcp6", "unix"})

#: In tcp(7) of Linux; Python knows the name from 3.12 on.
_TCP_NOTSENT_LOWAT = 25
#: What the kernel takes from us that it cannot send yet. By itself it goes up to tcp_wmem's megabytes for each client
#: that does not read, and a thousand of those have all the memory that the host has for TCP.
_NOT_SENT_BYTES = 131_072

#: Accepted connections inherit these from the listening socket, so they cost nothing later. The probes find clients
#: whose host is gone, or who closed without a word left to read: within 30 + 4 x 10 seconds.
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _NOT_SENT_BYTES),
    # A telnet client may send the last byte of an interrupt as urgent data; by default it would be missing.
    (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),
)


def server_endpoint(reactor: Any, endpoint: Endpoint) -> IStreamServerEndpoint:
    """Make Twisted's endpoint of ours; where it says nothing of a backlog, it gets `BACKLOG`.

    Raises:
        ValueError: Twisted has none such; the text says what is wrong.
    """
    if endpoint.behind_proxy is not None:
        return ProxyEndpoint(server_endpoint(reactor, endpoint.behind_proxy), reactor)
    kind, description, arguments = endpoint.kind, endpoint.text, endpoint.arguments
    if kind == "systemd":
        return SystemdEndpoint(reactor, arguments["name"] if "name" in arguments else int(arguments["index"]))
    if kind in _TAKES_BACKLOG and "backlog" not in arguments:
        description += f":backlog={BACKLOG}"
    try:
        return cast("IStreamServerEndpoint", serverFromString(with_prompt_ports(reactor), description))
    except OSError as error:
        raise ValueError(f"{error.filename or kind}: {error.strerror}") from error
    except Exception as error:
        # Parsers raise whatever their authors did not think of, in words about their own functions, which help nobody.
        raise ValueError(f"Twisted has no kind {kind}, or not with these values; most use tcp, tcp6 or unix") from error


class Listener:
    """One endpoint that is, or will be, open.

    Args:
        key: What the configuration says of it; two listeners with the same key are the same listener.
        factory: Makes its connections: the front end, perhaps with TLS around it.
        example: Says what a person would type to run a command at an address; None: nobody can.
        directory: Where a UNIX socket lies whose path is not absolute.
    """

    def __init__(
        self,
        reactor: Any,
        key: Listening,
        factory: IProtocolFactory,
        example: Callable[[IAddress], str | None],
        directory: Path = Path(),
    ) -> None:
        self.key = key
        endpoint = key.endpoint.within(directory)
        #: Of its UNIX socket.
        self.path = endpoint.path
        self._example = example
        self._factory = factory
        self._endpoint = server_endpoint(reactor, endpoint)
        self._port: IListeningPort | None = None

    def example(self) -> str | None:
        """Say what a person would type to try the listener; None while it is closed, or if nobody can."""
        return self._example(self._port.getHost()) if self._port is not None else None

    def open(self) -> None:
        """Begin to listen.

        Raises:
            CannotListen: It does not work, for a reason that the text says.
        """
        outcome: list[IListeningPort | Failure] = []
        self._endpoint.listen(self._factory).addBoth(outcome.append)
        if not outcome:
            raise CannotListen(
                f"{self.key.endpoint}: this kind of endpoint does not open at once, which is not supported"
            )
        if isinstance(outcome[0], Failure):
            reason = getattr(outcome[0].value, "socketError", None)
            is_taken = getattr(reason, "errno", None) == errno.EADDRINUSE
            raise CannotListen(f"{self.key.endpoint}: {outcome[0].getErrorMessage()}", is_taken=is_taken)
        self._port = outcome[0]
        for port in getattr(self._port, "ports", (self._port,)):
            _set_options(port)
            make_prompt(port)

    def close(self) -> Deferred[None]:
        """Stop listening; open connections stay open."""
        port, self._port = self._port, None
        return maybeDeferred(cast("Callable[[], None]", port.stopListening)) if port is not None else succeed(None)


def source_of(address: object) -> str:
    """Say where a connection comes from: an IP address, ``unix``, or ``unknown``.

    An IPv4 client of an IPv6 socket has the same source as through an IPv4 one.
    """
    if address.__class__ is IPv4Address:  # most are
        return _source_of_host(address.host)
    if isinstance(address, ProxyItself):
        address = address.address
    if isinstance(address, IPv4Address | IPv6Address):
        return _source_of_host(address.host)
    return "unix" if isinstance(address, UNIXAddress) else UNKNOWN


def charged_source_of(address: object, source: str) -> str:
    """Say who is charged for what a connection does wrong: its source; `UNKNOWN`, which is nobody, for a proxy's own.

    A proxy's health checks connect and leave without a word, and its address may be everybody's whom it does not name.

    Args:
        address: Of the client.
        source: As `source_of` says it of that.
    """
    return UNKNOWN if isinstance(address, ProxyItself) else source


@lru_cache(maxsize=4096)
def _source_of_host(text: str) -> str:
    """Parse an address, cached: most connections come from a few."""
    host = parse_address(text.partition("%")[0])
    return UNKNOWN if host is None else str(host)


def endpoint_of(address: object, separator: str = ":") -> str:
    """Say where a client on this host reaches a socket that listens at an address, possibly every one."""
    host, port = getattr(address, "host", "localhost"), getattr(address, "port", 0)
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - to connect to, not to bind
        host = "localhost"
    return f"[{host}]:{port}" if ":" in host and separator == ":" else f"{host}{separator}{port}"


def _set_options(port: IListeningPort) -> None:
    listening: socket.socket | None = getattr(port, "socket", None)
    if listening is not None and listening.family in {socket.AF_INET, socket.AF_INET6}:
        for level, option, value in _SOCKET_OPTIONS:
            with contextlib.suppress(OSError):  # they make things better; nothing depends on them
                listening.setsockopt(level, option, value)
