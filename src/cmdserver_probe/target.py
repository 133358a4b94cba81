"""Where to go: ``HOST:PORT``, ``[V6]:PORT``, and the port left out. Pure."""

from cmdserver_probe.errors import WrongUsage

_LONGEST_HOST = 253  # octets; RFC 1035, section 2.3.4, as text
_LONGEST_LABEL = 63
HIGHEST_PORT = 65535


class Target:
    """A host and a port.

    Attributes:
        host: A name or address in ASCII, without brackets.
        port: 1 to 65535.
    """

    __slots__ = ("host", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_target(text: str, port: int | None) -> Target:
    """Read a target.

    Args:
        text: As typed.
        port: What it is if none is typed; None if one must be.

    Raises:
        WrongUsage: It is none.
    """
    host, given = _split(text)
    if given is not None:
        port = parse_port(given)
    if port is None:
        raise WrongUsage(f"{text} has no port; write HOST:PORT or [V6]:PORT")
    return Target(ascii_host(host), port)


def parse_port(text: str) -> int:
    """Read a port.

    Raises:
        WrongUsage: It is none.
    """
    if not (
        text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST_PORT)) and 0 < int(text) <= HIGHEST_PORT
    ):
        raise WrongUsage(f"{text or 'nothing'} is no port; ports are 1 to {HIGHEST_PORT}")
    return int(text)


def ascii_host(host: str) -> str:
    """Write a host as DNS and TLS have it.

    Raises:
        WrongUsage: It is none.
    """
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise WrongUsage(f"{host} is no host name") from None
    labels = host.removesuffix(".").split(".")
    fits = len(host) <= _LONGEST_HOST and all(0 < len(label) <= _LONGEST_LABEL for label in labels)
    if not fits or host.startswith("-") or not all(each.isalnum() or each in "-_.:%" for each in host):
        raise WrongUsage(f"{host or 'nothing'} is no host name and no address")
    return host


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or ":" not in host:
            raise WrongUsage(f"{text} is no target; an IPv6 address with a port is [ADDRESS]:PORT")
        return host, rest[1:] if rest else None
    if text.count(":") > 1:
        return text, None  # an IPv6 address alone
    host, colon, port = text.partition(":")
    return host, port if colon else None
