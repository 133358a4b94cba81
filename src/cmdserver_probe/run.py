"""One probe under way: what was asked for, how far it is, and what is known already."""

from contextlib import suppress
from typing import Protocol

from cmdserver_probe.options import Options
from cmdserver_probe.report import TLSDetails
from cmdserver_probe.steps import Steps
from cmdserver_probe.target import Target

_BOTH_WAYS = 2  # socket.SHUT_RDWR


class Closable(Protocol):
    """A socket, as far as a run knows it: to import those takes its time."""

    def shutdown(self, how: int, /) -> object:
        """End it both ways."""

    def close(self) -> object:
        """Close it."""


class Run:
    """What a kind is given, and what it leaves for the report whatever becomes of it.

    Attributes:
        options: What was asked for.
        target: Where to go.
        steps: What was done so far.
        address: The address that was connected to last, with its port.
        is_loopback: Whether that is on this host, so that nobody listens on the way.
        is_encrypted: Whether there is TLS between.
        tls: What TLS has shown.
        password: What is sent, if there is a user.
        notes: For the person, beside the result.
        sockets: All that were opened.
    """

    __slots__ = (
        "address", "is_encrypted", "is_loopback", "notes", "options", "password", "sockets", "steps", "target",
        "tls",
    )  # fmt: skip

    def __init__(self, options: Options, target: Target, steps: Steps) -> None:
        self.options = options
        self.target = target
        self.steps = steps
        self.address: str | None = None
        self.is_loopback = False
        self.is_encrypted = False
        self.tls: TLSDetails | None = None
        self.password = ""
        self.notes: list[str] = []
        self.sockets: list[Closable] = []

    def close(self) -> None:
        """End all connections, also those that a client's file still holds open."""
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(_BOTH_WAYS)
            each.close()

    @property
    def server_name(self) -> str:
        """The name that the certificate must have."""
        return self.options.server_name or self.target.host
