"""Listening sockets that systemd (or whoever speaks its protocol, sd_listen_fds(3)) has opened for us.

A socket is asked what it is. Twisted's own ``systemd:`` believes its description: systemd's ``ListenStream=2022`` is a
socket for IPv6 and IPv4 at once, and said to be of IPv4 it gives addresses that were never written. Twisted also closes
the descriptor that it was given, so that a later look at the same number is a look at something else; and it makes a
UNIX socket writable for everybody and removes it at the end, though mode and file are systemd's to decide about.
What systemd has opened is used and left as it is.
"""

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Any, Final, cast

from twisted.internet import endpoints, tcp, unix
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.systemd import ListenFDs
from zope.interface import implementer

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def inherited() -> ListenFDs:
    """Say what we were started with; Twisted has looked, and has removed what says so from our environment."""
    return endpoints._SystemdParser._sddaemon  # noqa: SLF001 - there is no other way to it


@implementer(IStreamServerEndpoint)
class SystemdEndpoint:
    """The sockets of one name, or one by its place.

    Args:
        which: Their name, as a socket unit with several addresses has several sockets of one; or the place of one.
        given: What we were started with; None: `inherited`.
    """

    def __init__(self, reactor: Any, which: str | int, given: ListenFDs | None = None) -> None:
        self._reactor = reactor
        self._which = which
        self._given = inherited() if given is None else given

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Start accepting; may be repeated, as the given descriptors stay open."""
        try:
            sockets = self._sockets()
        except OSError as error:
            return fail(error)
        ports: list[IListeningPort] = []
        for each in sockets:
            if each.family == socket.AF_UNIX:
                port = ActivatedUNIXPort(each, protocolFactory, self._reactor)
                port.startListening()
                ports.append(port)
            else:
                with each:  # it is duplicated
                    ports.append(self._reactor.adoptStreamPort(each.fileno(), each.family, protocolFactory))
        return succeed(ports[0] if len(ports) == 1 else ActivatedPorts(ports))

    def _sockets(self) -> list[socket.socket]:
        """Duplicate the descriptors that are meant.

        Raises:
            OSError: There are none, or one is no socket to listen on; the text says which.
        """
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(_duplicate(each)) for each in self._descriptors()]
            stack.pop_all()
        return sockets

    def _descriptors(self) -> Sequence[int]:
        descriptors = self._given.inheritedDescriptors()
        names: Sequence[str] = self._given._names  # noqa: SLF001 - inheritedNamedDescriptors() has one of each name
        if isinstance(self._which, int):
            found = descriptors[self._which : self._which + 1]
        else:
            found = [each for each, name in zip(descriptors, names, strict=False) if name == self._which]
        if not found:
            has = f"it has given us: {', '.join(map(ascii, names))}" if names else "we were started without any"
            raise OSError(f"systemd has given us no such socket; {has}")
        return found


def _duplicate(descriptor: int) -> socket.socket:
    """Duplicate a descriptor as a socket object, whose kind the kernel says."""
    copy = os.dup(descriptor)
    try:
        found = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    is_listening = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if found.family not in _FAMILIES or found.type != socket.SOCK_STREAM or not is_listening:
        found.close()
        raise OSError(f"descriptor {descriptor} is no listening socket; it takes ListenStream= and Accept=no")
    found.setblocking(False)
    return found


class ActivatedUNIXPort(unix.Port):
    """A UNIX socket that somebody else has made: its file, its mode and its queue are left as they are.

    The object is ours, and is closed at the end.
    """

    #: Twisted's name: whether the socket itself is shut down at the end, for others who have it as well.
    _shouldShutdown = False

    def __init__(self, listening: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        # A name that is in no directory: nothing is done to a file.
        super().__init__(b"\0", factory, reactor=reactor)
        self._listening = listening

    def startListening(self) -> None:
        """Begin to accept; as Twisted's, without bind, chmod and listen."""
        tcp._reservedFD.reserve()  # noqa: SLF001 - without it the reactor spins when there are no more descriptors
        cast("Any", self.factory).doStart()
        self.connected = True
        self.socket = self._listening
        self.fileno = self.socket.fileno  # type: ignore[method-assign] # as Twisted does
        self.numberAccepts = 100
        self.startReading()


@implementer(IListeningPort)
class ActivatedPorts:
    """Several sockets of one listener, at least one."""

    def __init__(self, ports: Sequence[IListeningPort]) -> None:
        self.ports = ports

    def startListening(self) -> None:
        """Do nothing: the ports listen already."""

    def stopListening(self) -> Deferred[Any]:
        return DeferredList([maybeDeferred(each.stopListening) for each in self.ports], fireOnOneErrback=True)

    def getHost(self) -> IAddress:
        return self.ports[0].getHost()
