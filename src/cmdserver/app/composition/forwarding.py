"""Forwarding of the audit file's lines: made when the first receiver is configured."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from cmdserver.audit.receivers import ForwardCounts, Receiver, Transport
from cmdserver.core.events import Event
from cmdserver.files.opening import ReadFile

if TYPE_CHECKING:  # the types of what is imported late
    from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

    from cmdserver.forwarding.forwarders import Forwarders


class Receivers(Struct, frozen=True):
    """The receivers of a configuration, and all that had to be read for them."""

    all: tuple[Receiver, ...] = ()
    tls: "Mapping[Receiver, IOpenSSLClientConnectionCreator]" = field(default_factory=dict)


def load_receivers(receivers: Sequence[Receiver], read: ReadFile) -> Receivers:
    """Read the authorities that receivers over TLS are believed by.

    Raises:
        BadTLSFiles: They are no good.
    """
    over_tls = [each for each in receivers if each.transport is Transport.TLS]
    if not over_tls:
        return Receivers(tuple(receivers))
    from cmdserver.forwarding import tls  # noqa: PLC0415 - OpenSSL costs a tenth of a second

    return Receivers(tuple(receivers), tls.load(over_tls, read))


class AuditForwarding:
    """Forwards lines to whom the configuration names."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._forwarders: Forwarders | None = None
        self._is_started = False

    def reconfigure(self, receivers: Receivers) -> None:
        """Forward to these from now on."""
        if self._forwarders is None:
            if not receivers.all:
                return
            from cmdserver.forwarding.forwarders import Forwarders  # noqa: PLC0415 - few daemons forward anything

            self._forwarders = Forwarders(self._reactor)
            if self._is_started:
                self._forwarders.start()
        self._forwarders.reconfigure(receivers.all, receivers.tls)

    def start(self) -> None:
        """Begin to send: the reactor runs."""
        self._is_started = True
        if self._forwarders is not None:
            self._forwarders.start()

    def forward(self, written: Sequence[tuple[Event, bytes]]) -> None:
        """Send lines that are in the file."""
        if self._forwarders is not None:
            self._forwarders.forward(written)

    def counts(self) -> Mapping[str, ForwardCounts]:
        """Say what became of lines, by receiver."""
        return self._forwarders.counts() if self._forwarders is not None else {}

    async def close(self, seconds: float) -> None:
        """Send what waits, for so long."""
        if self._forwarders is not None:
            await self._forwarders.close(seconds)
