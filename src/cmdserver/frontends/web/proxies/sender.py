"""Who has sent a request: whoever is connected, or whom a trusted proxy names, which may be another one each time."""

from msgspec import Struct

from cmdserver.auth.pending_login import PendingLogin


class Sender(Struct, frozen=True, kw_only=True):
    """The client at the far end, as far as it is known."""

    #: As `cmdserver.net.listener.source_of` says it.
    source: str
    #: Whether it speaks HTTPS, to us or to a proxy.
    is_secure: bool
    #: Charges it.
    pending_login: PendingLogin
    #: Whether a trusted proxy has passed the request on.
    is_proxied: bool = False
    #: The ``Host`` that it has called, if the proxy says so, and not the one that the proxy has called.
    host: bytes | None = None
    #: Whom the proxy says it is: one name, if the proxy is in order; None if it names nobody.
    users: tuple[str, ...] | None = None
