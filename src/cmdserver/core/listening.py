"""What the configuration says of a listener."""

import enum
from dataclasses import dataclass, field

from cmdserver.core import protocols
from cmdserver.core.addresses import Network
from cmdserver.core.endpoints import Endpoint


class Login(enum.StrEnum):
    """Whether a listener asks its callers to log in."""

    NEVER = "never"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """One listener of the configuration: a ``[[listen]]`` and one of its endpoints."""

    protocol: protocols.Protocol
    endpoint: Endpoint
    tls: bool
    login: Login
    #: What a line listener says before the first request, as text without a line break; None: the usual one; empty:
    #: nothing. Not a matter of which listener it is: a reload changes it at the port that is open.
    greeting: str | None = field(default=None, compare=False)
    #: Who may call (``from``); empty: everybody. A reload changes it as it does the greeting.
    networks: tuple[Network, ...] = field(default=(), compare=False)
    #: Which ``[[listen]]`` it is of, from 0; no part of what it is.
    table: int = field(default=0, compare=False)
