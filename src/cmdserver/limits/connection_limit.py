"""Bounds on open connections: over all listeners, and from one source (nginx ``limit_conn``, HAProxy ``maxconn``)."""

from collections.abc import Mapping

from cmdserver.core.addresses import block_of
from cmdserver.core.errors import Busy


class ConnectionLimit:
    """The open connections, by protocol and by source.

    Args:
        connections: Over all listeners, >= 1.
        per_source: From one source, >= 1. A source is what `block_of` says.
    """

    #: What a client that was turned away is told to wait; a guess, as nobody knows when somebody will leave.
    RETRY_SECONDS = 5

    def __init__(self, connections: int, per_source: int) -> None:
        self.reconfigure(connections, per_source)
        self._by_source: dict[str, int] = {}
        self._by_protocol: dict[str, int] = {}
        #: Over all listeners.
        self.total = 0

    def reconfigure(self, connections: int, per_source: int) -> None:
        """Go by other bounds from now on; what is open beyond them stays open."""
        self.connections = connections
        self.per_source = per_source

    def enter(self, protocol: str, source: str, *, is_proxy: bool = False) -> None:
        """Count a connection in.

        Args:
            protocol: What it speaks.
            source: Where it is from.
            is_proxy: Whether it is a trusted proxy's, which has one for each of its clients: they are not one source.

        Raises:
            Busy: One of the limits is reached; nothing was counted.
        """
        if self.total >= self.connections:
            raise Busy(f"{self.total} connections are open", self.RETRY_SECONDS)
        block = block_of(source)
        if not is_proxy and self._by_source.get(block, 0) >= self.per_source:
            raise Busy(f"{self._by_source[block]} connections are open from {block}", self.RETRY_SECONDS)
        self.total += 1
        self._by_protocol[protocol] = self._by_protocol.get(protocol, 0) + 1
        self._by_source[block] = self._by_source.get(block, 0) + 1

    def leave(self, protocol: str, source: str) -> None:
        """Count a connection out that was counted in with the same protocol and source."""
        self.total -= 1
        self._by_protocol[protocol] -= 1
        block = block_of(source)
        self._by_source[block] -= 1
        if not self._by_source[block]:
            del self._by_source[block]

    def counts(self) -> Mapping[str, int]:
        """Open connections by protocol; one stays listed when it has none any more."""
        return dict(self._by_protocol)
