"""What listeners can speak: one row for each protocol, the only place in which a new one is named.

A front end is imported when a listener of its protocol is configured, and nothing here imports it.
"""

from enum import StrEnum
from typing import Self

#: What counts for Prometheus.
_METRICS = ("observers.metrics", "observers.series", "observers.values")


class Protocol(StrEnum):
    """A protocol; its value is what the configuration, the audit file and the metrics call it.

    Attributes:
        front_end: The module whose ``make`` makes its front end; see `cmdserver.frontends.common.interface`.
        own_modules: What only its listeners need, by the beginnings of the modules' names; see `preloading`.
        secures_itself: Whether it encrypts, so that it does not go over TLS, and always asks for a login.
        monitors: Whether it is for monitoring: nothing but checks and what only reads can be asked for over it, whoever
            asks.
        is_configured: Whether ``[[listen]]`` can name it; else the daemon listens for it by itself.
    """

    front_end: str
    own_modules: tuple[str, ...]
    secures_itself: bool
    monitors: bool
    is_configured: bool

    def __new__(
        cls,
        name: str,
        front_end: str,
        own_modules: tuple[str, ...],
        secures_itself: bool,  # noqa: FBT001
        monitors: bool,  # noqa: FBT001
        is_configured: bool = True,  # noqa: FBT001, FBT002
    ) -> Self:
        """Make one of its row."""
        protocol = str.__new__(cls, name)
        protocol._value_ = name
        protocol.front_end = f"cmdserver.{front_end}"
        protocol.own_modules = tuple(f"cmdserver.{each}" for each in own_modules)
        protocol.secures_itself = secures_itself
        protocol.monitors = monitors
        protocol.is_configured = is_configured
        return protocol

    LINE = "line", "frontends.line.front_end", (), False, False
    WEB = "web", "frontends.web.front_end", ("frontends.web", *_METRICS), False, False
    SSH = "ssh", "frontends.ssh.front_end", ("frontends.ssh", "net.ssh_host_keys", "sshtransport"), True, False
    NRPE = "nrpe", "frontends.nrpe.front_end", ("frontends.nrpe",), False, True
    #: What comes from a fleet's bus: the web's, for signed requests alone.
    FLEET = "fleet", "frontends.web.signed.front_end", ("frontends.web", *_METRICS), False, False, False
