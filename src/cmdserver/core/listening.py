"""What the configuration says of a listener."""

import enum

from msgspec import Struct

from cmdserver.core import protocols
from cmdserver.core.addresses import Network
from cmdserver.core.endpoints import Endpoint


class Login(enum.StrEnum):
    """Whether a listener asks its callers to log in."""

    NEVER = "never"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Listening(Struct, frozen=True, kw_only=True):
    """One listener of the configuration: a ``[[listen]]`` and one of its endpoints.

    Equal where they are the same listener, whatever a reload may change at the port that is open.
    """

    protocol: protocols.Protocol
    endpoint: Endpoint
    tls: bool
    login: Login
    #: What a line listener says before the first request, as text without a line break; None: the usual one; empty:
    #: nothing. Not a matter of which listener it is: a reload changes it at the port that is open.
    greeting: str | None = None
    #: Who may call (``from``); empty: everybody. A reload changes it as it does the greeting.
    networks: tuple[Network, ...] = ()
    #: Which ``[[listen]]`` it is of, from 0; no part of what it is.
    table: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listening) and self._which() == other._which()

    def __hash__(self) -> int:
        return hash(self._which())

    def _which(self) -> tuple[object, ...]:
        return self.protocol, self.endpoint, self.tls, self.login
