"""The line listener as the house sees it: it lets clients in, tells those there is no room for, and comes to an end.

Rule of this file: it knows who may connect, and nothing of what they say; that is `LineConnection`'s.
"""

import os
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.errors import Busy, Refusal, RequestError, Throttled
from cmdserver.frontends.common.interface import FrontEnd, FrontEndContext, FrontEndResources
from cmdserver.frontends.common.interpreter import Interpreter
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.line.connection import CertificateOf, LineConnection, Shared
from cmdserver.net.listener import charged_source_of, endpoint_of, source_of

#: Clients for whom there is no room and who are told so, at once; the rest are closed without a word.
MOST_PARTING = 100


class LineFrontEnd(FrontEnd):
    """One line listener.

    Args:
        listener_auth: Makes callers of its clients.
        context: What all front ends share.
        certificate_of: Over TLS: what a client's verified certificate says, if it has shown one.
    """

    def __init__(
        self, listener_auth: ListenerAuth, context: FrontEndContext, certificate_of: CertificateOf | None = None
    ) -> None:
        self._shared = Shared(
            listener_auth=listener_auth,
            context=context,
            interpreter=Interpreter(context.dispatcher),
            connections=context.connections_of(listener_auth.name),
            certificate_of=certificate_of,
        )
        self._parting: set[Protocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Let a client in, or tell it that there is no room."""
        source, charged = source_of(addr), charged_source_of(addr)
        listener_auth = self._shared.listener_auth
        try:
            listener_auth.arrive(charged)
        except (Busy, Throttled) as refusal:
            return self._turn_away(refusal)
        try:
            self._shared.connections.enter(source)
        except Busy as busy:
            listener_auth.settle(charged)
            return self._turn_away(busy)
        return LineConnection(self._shared, source, charged)

    def _turn_away(self, refusal: Refusal) -> Protocol | None:
        """Say why, to a bounded number at once: over TLS it takes a handshake, and clients take their time."""
        if len(self._parting) >= MOST_PARTING:
            return None
        return _TurnedAway(refusal, self._parting)

    def close(self) -> None:
        """See `FrontEnd`."""
        self._shared.connections.close_when_idle()

    def example_command(self, address: IAddress, command: str) -> str:
        """See `FrontEnd`."""
        is_inet = isinstance(address, IPv4Address | IPv6Address)
        path = os.fsdecode(getattr(address, "name", b"") or b"")
        if self._shared.certificate_of is not None:
            where = f"-connect {endpoint_of(address)}" if is_inet else f"-unix {path}"
            return f"openssl s_client -quiet {where}"
        where = endpoint_of(address, " ") if is_inet else f"-U {path}"
        return f"echo {command} | nc {where}"


class _TurnedAway(Protocol):
    """A client for whom there is no room; it does not count as connected."""

    transport: Any

    def __init__(self, refusal: RequestError, parting: set[Protocol]) -> None:
        self._refusal = refusal
        self._parting = parting

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - IProtocol has it
        self._parting.discard(self)

    def connectionMade(self) -> None:
        self._parting.add(self)
        self.transport.write(error_text(self._refusal))
        self.transport.loseConnection()


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    _resources: FrontEndResources,
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of a line listener."""
    return LineFrontEnd(listener_auth, context, certificate_of)
