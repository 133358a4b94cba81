"""What the configuration says of a listener."""

import enum
from dataclasses import dataclass

from cmdserver.core import protocols
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
