"""Opens a way to a receiver. Nothing here waits: names are looked up by a thread, and sockets do not block."""

import socket
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IAddress, IHostResolution, IOpenSSLClientConnectionCreator, IResolutionReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.audit.receivers import Receiver, Transport
from cmdserver.forwarding import journal
from cmdserver.forwarding.channel import Channel, Owner
from cmdserver.forwarding.datagrams import DatagramChannel, open_udp, open_unix
from cmdserver.forwarding.streams import StreamChannel, StreamFactory

#: For each address of a receiver.
_CONNECT_SECONDS: Final = 15


def open_channel(
    reactor: Any, receiver: Receiver, tls: IOpenSSLClientConnectionCreator | None, owner: Owner
) -> Deferred[Channel]:
    """Open a way to a receiver.

    Args:
        reactor: The reactor.
        receiver: Where to.
        tls: Begins TLS; None for other transports.
        owner: Whose the channel is.

    Returns:
        Fails if the receiver cannot be reached; may be cancelled.
    """
    match receiver.transport:
        case Transport.UNIX:
            return _open_unix(reactor, receiver.host, owner)
        case Transport.UDP:
            return _open_udp(reactor, receiver, owner)
        case Transport.TCP | Transport.TLS:
            return _open_stream(reactor, receiver, tls, owner)


def _open_unix(reactor: Any, path: str, owner: Owner) -> Deferred[Channel]:
    send_large = journal.send_in_memory if path == journal.SOCKET else None
    try:
        return succeed(DatagramChannel(reactor, open_unix(path), owner, send_large))
    except OSError as error:
        return fail(error)


def _open_udp(reactor: Any, receiver: Receiver, owner: Owner) -> Deferred[Channel]:
    def connect(addresses: Sequence[IAddress]) -> Channel:
        for address in addresses:
            is_ipv6 = isinstance(address, IPv6Address)
            place = (address.host, receiver.port)  # type: ignore[attr-defined]
            return DatagramChannel(reactor, open_udp(socket.AF_INET6 if is_ipv6 else socket.AF_INET, place), owner)
        raise OSError(None, f"the name {receiver.host} has no address")

    answer: Deferred[Sequence[IAddress]] = Deferred()
    reactor.nameResolver.resolveHostName(_Addresses(answer), receiver.host, receiver.port, transportSemantics="UDP")
    return answer.addCallback(connect)


def _open_stream(
    reactor: Any, receiver: Receiver, tls: IOpenSSLClientConnectionCreator | None, owner: Owner
) -> Deferred[Channel]:
    opened: Deferred[StreamChannel] = Deferred()
    channel = StreamChannel(reactor, owner, opened, is_tls=tls is not None)
    endpoint: Any = HostnameEndpoint(reactor, receiver.host, receiver.port, timeout=_CONNECT_SECONDS)
    if tls is not None:
        endpoint = wrapClientTLS(tls, endpoint)
    connecting = endpoint.connect(StreamFactory(channel))
    connecting.addErrback(channel.failed)
    opened.addErrback(partial(_cancelled, connecting))
    return opened  # type: ignore[return-value] # a channel like any other


def _cancelled(connecting: Deferred[object], failure: Failure) -> Failure:
    """Stop connecting, if nobody wants to be connected any more."""
    connecting.cancel()
    return failure


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects the addresses of a name."""

    def __init__(self, answer: Deferred[Sequence[IAddress]]) -> None:
        self._answer = answer
        self._found: list[IAddress] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """It takes a while."""

    def addressResolved(self, address: IAddress) -> None:
        """One of them is known."""
        self._found.append(address)

    def resolutionComplete(self) -> None:
        """There are no more."""
        if not self._answer.called:
            self._answer.callback(self._found)
