"""Notice that a client is gone altogether while nothing is read from it.

The reactor watches a connection only for what it wants to do with it: one that is paused, or half-closed by its client,
is not watched at all, so that a reset goes unseen and its command runs on for nobody. An epoll of our own, which the
reactor reads like any descriptor, watches such connections for errors and hang-ups alone, which the kernel always
tells.

A client that is killed closes its connection as politely as one that only ends its input (both send a FIN), so only
a reset counts. The kernel's keep-alive probes, set in `cmdserver.net.listener`, get one from a host where nobody is
left; for clients on this host `cmdserver.net.sock_diag` knows sooner.
"""

import contextlib
import select
from collections.abc import Callable

from twisted.internet.interfaces import IAddress, IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.net.sock_diag import SockDiag


@implementer(IReadDescriptor)
class PeerLiveness:
    """Knows of connections whose clients are gone: calls back, once, for each watched descriptor, and can be asked."""

    def __init__(self, reactor: IReactorFDSet) -> None:
        self._reactor = reactor
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[], None]] = {}
        self._sock_diag = SockDiag()
        reactor.addReader(self)

    def watch(self, descriptor: int, call: Callable[[], None]) -> None:
        """Call when the peer is gone, until `forget`; watching twice is the same as once."""
        with contextlib.suppress(FileExistsError):
            self._epoll.register(descriptor, select.EPOLLET)
        self._calls[descriptor] = call

    def forget(self, descriptor: int) -> None:
        """Stop watching, before the descriptor is closed if possible; harmless if it was not watched."""
        if self._calls.pop(descriptor, None) is not None and not self._epoll.closed:
            with contextlib.suppress(OSError):  # it has just been closed, and there is nothing left to name it by
                self._epoll.unregister(descriptor)

    def is_killed(self, client: IAddress, server: IAddress) -> bool:
        """Whether it is certain that no process holds the client's end of a connection; see `SockDiag.is_orphan`."""
        return self._sock_diag.is_orphan(client, server)

    def close(self) -> None:
        """Close the epoll."""
        self._reactor.removeReader(self)
        self._epoll.close()
        self._sock_diag.close()

    # IReadDescriptor

    def fileno(self) -> int:
        """Return the epoll's descriptor."""
        return -1 if self._epoll.closed else self._epoll.fileno()

    def doRead(self) -> None:
        """Some peers are gone.

        Or were: a child that has not come to its exec holds copies of our descriptors, so a socket that we have closed
        may still be there, and still be watched, under a number that is another connection's by now. So each is asked.
        """
        for descriptor, _ in self._epoll.poll(0):
            call = self._calls.get(descriptor)
            if call is not None and _is_gone(descriptor):
                self.forget(descriptor)
                call()

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002 - IReadDescriptor has it
        """The reactor has removed us."""
        self.close()

    def logPrefix(self) -> str:
        return "hangups"


def _is_gone(descriptor: int) -> bool:
    """Poll a descriptor for errors and hang-ups."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(0))
