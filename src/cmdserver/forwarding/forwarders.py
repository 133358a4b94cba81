"""All receivers of the audit file's lines, as a configuration names them and the next one changes them."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from cmdserver.audit.receivers import ForwardCounts, Receiver, Transport
from cmdserver.core.events import Event
from cmdserver.forwarding import journal, syslog
from cmdserver.forwarding.channel import Channel, Owner
from cmdserver.forwarding.forwarder import Forwarder
from cmdserver.forwarding.opening import open_channel
from cmdserver.forwarding.syslog import Sender

#: What speaks as syslog(3) does, and not RFC 5424: rsyslog's and journald's socket for the programs of this host.
_LOCAL_SOCKETS: Final = frozenset({"/dev/log", "/run/systemd/journal/dev-log"})
#: For what waits for a receiver that a reload has removed.
_REMOVED_SECONDS: Final = 2.0

Render = Callable[[Event, bytes], bytes]
#: What begins TLS with each receiver that wants it.
TLS = Mapping[Receiver, IOpenSSLClientConnectionCreator]


class Forwarders:
    """One forwarder a receiver; those that stay keep what they have.

    Args:
        sender: Who we are; None: this process, on this host.
    """

    def __init__(self, reactor: Any, sender: Sender | None = None) -> None:
        self._reactor = reactor
        self._sender = sender or Sender(socket.gethostname(), os.getpid())
        self._by_receiver: dict[Receiver, tuple[Render, Forwarder]] = {}
        self._is_started = False

    def reconfigure(self, receivers: Sequence[Receiver], tls: TLS) -> None:
        """Forward to these from now on; what waits for one that is no more is sent within a moment, or lost."""
        before = {receiver.to: (receiver, *known) for receiver, known in self._by_receiver.items()}
        self._by_receiver = {}
        for receiver in receivers:
            open_it = partial(self._open, receiver, tls.get(receiver))
            if receiver.to in before:
                old, render, forwarder = before.pop(receiver.to)
                # The same file may have other authorities in it, which count for the next connection.
                forwarder.use(open_it, at_once=old != receiver)
            else:
                render, forwarder = self._render_for(receiver), Forwarder(self._reactor, receiver.to, open_it)
                if self._is_started:
                    forwarder.start()
            self._by_receiver[receiver] = (render, forwarder)
        for _, _, forwarder in before.values():
            forwarder.close(_REMOVED_SECONDS)

    def start(self) -> None:
        """Begin to send: the reactor runs."""
        self._is_started = True
        for _, forwarder in self._by_receiver.values():
            forwarder.start()

    def forward(self, written: Sequence[tuple[Event, bytes]]) -> None:
        """Send lines that are in the file, to all of them."""
        for render, forwarder in self._by_receiver.values():
            for event, line in written:
                forwarder.forward(render(event, line))

    def counts(self) -> Mapping[str, ForwardCounts]:
        """Say what became of lines, by receiver."""
        return {receiver.to: forwarder.counts() for receiver, (_, forwarder) in self._by_receiver.items()}

    async def close(self, seconds: float) -> None:
        """Send what waits, for so long."""
        closing = [forwarder.close(seconds) for _, forwarder in self._by_receiver.values()]
        await gatherResults(closing, consumeErrors=True)

    def _open(self, receiver: Receiver, tls: IOpenSSLClientConnectionCreator | None, owner: Owner) -> Deferred[Channel]:
        return open_channel(self._reactor, receiver, tls, owner)

    def _render_for(self, receiver: Receiver) -> Render:
        if receiver.transport is Transport.UNIX and receiver.host == journal.SOCKET:
            return journal.entry
        is_local = receiver.transport is Transport.UNIX and receiver.host in _LOCAL_SOCKETS
        return partial(_message, syslog.local_message if is_local else syslog.message, self._sender)


def _message(write: Callable[[Event, bytes, Sender], bytes], sender: Sender, event: Event, line: bytes) -> bytes:
    return write(event, line, sender)
