"""Doors behind a proxy that tells who calls (haproxy's PROXY protocol), with half-closing.

Twisted's own ``haproxy:`` ends a connection as soon as the client ends its input, and its answers are lost.
"""

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from zope.interface import implementer


@implementer(IHalfCloseableProtocol)
class ProxiedConnection(HAProxyProtocolWrapper):
    """Reads the header, and then is as good as the connection itself."""

    wrappedProtocol: Any

    def readConnectionLost(self) -> None:
        """The client has ended its input."""
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.readConnectionLost()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our output has ended."""
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.writeConnectionLost()


class _ProxiedFactory(HAProxyWrappingFactory):
    def buildProtocol(self, addr: IAddress | None) -> Any:
        inside = self.wrappedFactory.buildProtocol(addr)
        return None if inside is None else ProxiedConnection(cast("Any", self), inside)


@implementer(IStreamServerEndpoint)
class ProxyEndpoint:
    """An endpoint whose every connection begins with a PROXY header.

    Args:
        endpoint: Where the proxy connects to.
    """

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen as the endpoint inside does."""
        return self._endpoint.listen(_ProxiedFactory(protocolFactory))
