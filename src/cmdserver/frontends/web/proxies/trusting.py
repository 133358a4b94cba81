"""Whose word counts: the header fields of trusted proxies are read, and those of all others mean nothing."""

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.options import WebOptions
from cmdserver.frontends.web.proxies import forwarded
from cmdserver.frontends.web.proxies.sender import Sender

#: A proxy's word that cannot be read is told of at most so often; then how often it happened meanwhile is told too.
COMPLAINT_SECONDS: Final = 60.0
#: Of what it says.
_SHOWN_BYTES: Final = 64

_log = Logger()


class ProxyTrust:
    """What one listener believes of whom requests are from.

    Args:
        listener_auth: Charges senders.
        options: As they are now; trust that is taken away is gone for the next request of an open connection.
        clock: Of the lines in the log.
    """

    def __init__(self, listener_auth: ListenerAuth, options: Callable[[], WebOptions], clock: IReactorTime) -> None:
        self._listener_auth = listener_auth
        self._options = options
        self._clock = clock
        self._told_at: float | None = None
        self._untold = 0

    def look(self, request: WebRequest) -> None:
        """Find out who has sent a request, if a trusted proxy has passed it on.

        Raises:
            Malformed: What the proxy passes on cannot be read, or disagrees; see `forwarded.read`.
        """
        peer, options = request.connection.source, self._options()
        if not options.trusted_proxies.include(peer):
            return
        values = request.requestHeaders.getRawHeaders
        found = forwarded.read(peer, values, options.trusted_proxies)
        if found.unreadable is not None:
            self._complain(peer, found.unreadable)
        users = None if options.user_header is None else values(options.user_header)
        request.sender = Sender(
            source=found.source,
            is_secure=found.proto == b"https" if found.proto else request.connection.is_secure,
            pending_login=self._listener_auth.pending(found.source),
            is_proxied=True,
            host=found.host or None,
            users=_named(users or ()),
        )

    def _complain(self, peer: str, node: bytes) -> None:
        """Log that a proxy hides whom it speaks for, or says it in no way that can be read."""
        now = self._clock.seconds()
        if self._told_at is not None and now - self._told_at < COMPLAINT_SECONDS:
            self._untold += 1
            return
        _log.warn(
            "the proxy {peer} does not say for whom it asks, but {node}; what that one does counts for the last proxy"
            " that is known{others}",
            peer=peer,
            node=ascii(node[:_SHOWN_BYTES].decode("latin-1")),
            others=f", as {self._untold} times since this was said last" if self._untold else "",
        )
        self._told_at, self._untold = now, 0


def _named(values: Sequence[bytes]) -> tuple[str, ...] | None:
    """Read whom a proxy names; a single empty field is how some of them name nobody."""
    names = tuple(value.decode("latin-1") for value in values)
    return None if names in {(), ("",)} else names
