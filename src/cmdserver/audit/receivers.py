"""Where lines of the audit file are forwarded to, as the configuration names it: ``udp:HOST:PORT`` and the like."""

import re
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Final, Self

from msgspec import Struct

_LABEL: Final = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?")
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
#: Of a UNIX socket's path: sockaddr_un has 108 bytes, with a NUL at the end (unix(7)).
_MOST_PATH_BYTES: Final = 107
#: IANA's ports for syslog (RFC 5426, 6587 and 5425).
_PORTS: Final = {"udp": 514, "tcp": 514, "tls": 6514}


class Transport(StrEnum):
    """How lines get there; its value is what the configuration calls it."""

    #: A datagram a line (RFC 5426).
    UDP = "udp"
    #: A stream, with octet counting (RFC 6587, section 3.4.1).
    TCP = "tcp"
    #: The same within TLS (RFC 5425).
    TLS = "tls"
    #: A datagram a line, to a socket of this host.
    UNIX = "unix"


class Receiver(Struct, frozen=True, kw_only=True):
    """One that lines are forwarded to."""

    #: As the configuration has it.
    to: str
    transport: Transport
    #: A name or an address; of a UNIX socket, its path.
    host: str
    port: int = 0
    #: A file with certificates of authorities, for TLS; None: those that the host trusts.
    ca: str | None = None
    #: What the certificate must name; empty for other transports.
    server_name: str = ""

    @classmethod
    def parse(cls, to: str, ca: str | None = None, server_name: str | None = None) -> Self:
        """Read ``to``.

        Raises:
            ValueError: It is none; the text says how it is written.
        """
        word, _, rest = to.partition(":")
        try:
            transport = Transport(word)
        except ValueError:
            text = 'begins with none of udp:, tcp:, tls: and unix:; write "tls:logs.example:6514" or "unix:/dev/log"'
            raise ValueError(f"{to!r} {text}") from None
        if transport is Transport.UNIX:
            return cls(to=to, transport=transport, host=_path(rest))
        host, port = _host_and_port(rest, transport)
        name = (server_name or host) if transport is Transport.TLS else ""
        return cls(to=to, transport=transport, host=host, port=port, ca=ca, server_name=name)


def require_name(name: str) -> None:
    """Raise a ValueError unless a text may be a host's name or address."""
    if not _HOST.fullmatch(name) and not _is_ipv6(name):
        raise ValueError(f"{name!r} is no name of a host, and no address")


def _host_and_port(text: str, transport: Transport) -> tuple[str, int]:
    usual = _PORTS[transport]
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if not colon or text.endswith("]"):
        raise ValueError(f'names no port; write "{transport}:{text or "HOST"}:{usual}"')
    if not _PORT.fullmatch(port) or not 0 < int(port) < 1 << 16:
        raise ValueError(f"{port!r} is no port: a number from 1 to 65535; syslog's is {usual}")
    if is_bracketed:
        host = host[1:-1]
        if not _is_ipv6(host):
            raise ValueError(f"{host!r} is no IPv6 address, which alone stands in brackets")
    elif ":" in host:
        raise ValueError(f'an IPv6 address stands in brackets: "{transport}:[{host}]:{port}"')
    elif not host:
        raise ValueError(f'names no host; write "{transport}:HOST:{port}"')
    else:
        require_name(host)
    return host, int(port)


def _path(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f'{path!r} is not an absolute path; write "unix:/dev/log"')
    if len(path.encode("utf-8", "surrogateescape")) > _MOST_PATH_BYTES:
        raise ValueError(f"the path of a socket has {_MOST_PATH_BYTES} bytes at most")
    return path


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


class ForwardCounts(Struct, frozen=True):
    """What became of the lines for one receiver, since the start."""

    sent: int
    lost: int
    #: At this moment.
    waiting: int
