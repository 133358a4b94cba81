"""What a host tells of itself to its fleet, and where the bus is that connects them; NATS is what carries."""

import re
from collections.abc import Mapping
from typing import Final, Self

from msgspec import Struct, field

from cmdserver.core import endpoints
from cmdserver.core.listening import Listening, Login
from cmdserver.core.protocols import Protocol

#: In the state directory: where the agent of this host hands over what it got from the bus.
SOCKET_NAME: Final = "fleet.sock"
#: What listens there; a relative path lies in the state directory.
SOCKET: Final = Listening(
    protocol=Protocol.FLEET,
    endpoint=endpoints.parse(f"unix:{SOCKET_NAME}:mode=600"),
    tls=False,
    login=Login.REQUIRED,
)

#: What only the extra ``fleet`` brings, and what to say where that is missing.
EXTRA_MODULES: Final = frozenset({"nats", "nkeys"})
EXTRA_IS_MISSING: Final = "this takes the extra fleet: pip install 'cmdserver[fleet]'"

#: IANA's port for NATS.
_PORT: Final = 4222
_MOST_PORT: Final = 65535
_URL: Final = re.compile(
    r"(?P<scheme>nats|tls)://(?P<host>[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?/?"
)
_FACT: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_MOST_FACTS: Final = 64
_MOST_CHARACTERS: Final = 256


class BusServer(Struct, frozen=True, kw_only=True):
    """Where the bus is, and how to prove there who one is."""

    #: A name, or an address without brackets.
    host: str
    port: int
    is_tls: bool
    #: A file with the seed of an nkey; None: the bus takes everybody.
    credentials: str | None = None
    #: A file with certificates of authorities; None: those that the host trusts.
    ca: str | None = None
    #: What the certificate must name; None: the host.
    server_name: str | None = None

    @classmethod
    def parse(
        cls, url: str, credentials: str | None = None, ca: str | None = None, server_name: str | None = None
    ) -> Self:
        """Read ``server``.

        Raises:
            ValueError: It is none; the text says how it is written.
        """
        match = _URL.fullmatch(url)
        port = int(match["port"] or _PORT) if match is not None else 0
        if match is None or not 0 < port <= _MOST_PORT:
            raise ValueError(f"{url!a} is no server of NATS: write tls://bus.example:4222, or nats://127.0.0.1:4222")
        is_tls = match["scheme"] == "tls"
        if not is_tls and (ca is not None or server_name is not None):
            raise ValueError(f"{url} is without TLS, so ca and server_name say nothing; write tls://")
        return cls(
            host=match["host"].strip("[]"),
            port=port,
            is_tls=is_tls,
            credentials=credentials,
            ca=ca,
            server_name=server_name,
        )

    def __str__(self) -> str:
        """Return its URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.is_tls else 'nats'}://{host}:{self.port}"


class FleetMember(Struct, frozen=True, kw_only=True):
    """How a host takes part in a fleet."""

    bus: BusServer
    #: What callers may choose hosts by.
    facts: Mapping[str, str] = field(default_factory=dict)


def require_facts(facts: Mapping[str, str]) -> Mapping[str, str]:
    """Return facts that can be told; raises a ValueError for what cannot."""
    if len(facts) > _MOST_FACTS:
        raise ValueError(f"there are {len(facts)}; {_MOST_FACTS} are the most")
    for name, value in facts.items():
        if not _FACT.fullmatch(name):
            raise ValueError(f"{name!a} is no name: write it with letters, digits and . _ - only")
        if len(value) > _MOST_CHARACTERS or not value.isprintable():
            raise ValueError(f"{name} is not one line of at most {_MOST_CHARACTERS} characters")
    return facts
