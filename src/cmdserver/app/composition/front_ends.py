"""The front ends of listeners, with the logins and the TLS that they need; each is made when it is first wanted."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress, IProtocolFactory

from cmdserver.auth.authenticator import Authenticator
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.listening import Listening, Login
from cmdserver.core.protocols import Protocol
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.common.examples import choose_trial, place_of
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import FrontEndContext, FrontEndResources
from cmdserver.net.listener import Listener

if TYPE_CHECKING:  # the types of what is imported late
    from cmdserver.app.authentication import Authentication
    from cmdserver.net.tls_context import Loaded, ServerCredentials


class FrontEnds:
    """Every front end that there has been since the start.

    Args:
        authentication: Makes what knows who callers are; called once, if a listener has logins.
        policy: Who may run what, as it is now.
    """

    def __init__(
        self,
        reactor: Any,
        context: FrontEndContext,
        resources: FrontEndResources,
        authentication: "Callable[[], Authentication]",
        policy: Callable[[], Policy],
    ) -> None:
        self._reactor = reactor
        self._context = context
        self._resources = resources
        self._build_authentication = authentication
        self._policy = policy
        self._by_listening: dict[Listening, FrontEnd] = {}
        self._credentials: ServerCredentials | None = None
        self._authentication: Authentication | None = None

    def listener(self, listening: Listening, tls: "Loaded | None") -> Listener:
        """Make, but do not open, a listener."""
        front_end = self._by_listening.get(listening)
        if front_end is None:
            front_end = self._by_listening[listening] = self._make(listening)
        front_end.source_filter.networks = listening.networks
        factory = self._over_tls(front_end, tls) if listening.tls else front_end
        example = partial(self._example, listening, front_end)
        return Listener(self._reactor, listening, factory, example, self._resources.state_directory)

    def reconfigure(self, listeners: Iterable[Listening], tls: "Loaded | None") -> None:
        """Go by another configuration's ``from`` and certificate, for new connections."""
        if self._credentials is not None and tls is not None:
            self._use_tls(tls)
        for listening in listeners:
            if front_end := self._by_listening.get(listening):
                front_end.source_filter.networks = listening.networks

    def close_anonymous_connections(self, required_at: frozenset[str]) -> None:
        """Close connections, when they are idle, that were made to a listener before it required a login.

        The policy refuses whoever has not logged in there; they are to come back through the new listener.
        """
        for listening, front_end in self._by_listening.items():
            if listening.login is not Login.REQUIRED and str(listening.endpoint) in required_at:
                front_end.close()

    def close_connections(self) -> None:
        """Close every connection when it is idle."""
        for front_end in self._by_listening.values():
            front_end.close()

    def refused_by_protocol(self) -> Mapping[str, int]:
        """Count whom ``from`` has kept out; listeners that are closed are counted in, as a counter never falls."""
        counts: dict[str, int] = {}
        for listening, front_end in self._by_listening.items():
            sources = front_end.source_filter
            if sources.networks or sources.refused:
                counts[listening.protocol] = counts.get(listening.protocol, 0) + sources.refused
        return counts

    def close(self) -> None:
        """Release the threads of logins."""
        if self._authentication is not None:
            self._authentication.close()

    def _example(self, listening: Listening, front_end: FrontEnd, address: IAddress) -> str | None:
        """Say what a person would type to try a listener, as somebody who may."""
        users = self._authentication.users_at(listening.protocol) if self._authentication is not None else ()
        trial = choose_trial(listening.login, users, self._policy().allowed)
        if trial is None:
            return None
        return front_end.example(place_of(address, is_proxied=listening.endpoint.is_proxied), trial)

    def _make(self, listening: Listening) -> FrontEnd:
        authenticator = None if listening.login is Login.NEVER else self._require_authenticator()
        auth = ListenerAuth(
            listening.protocol,
            listening.login,
            authenticator,
            place=str(listening.endpoint),
            tls=listening.tls,
            takes_signatures_only=listening.protocol is Protocol.FLEET,
        )
        certificate_of = import_module("cmdserver.app.tls").certificate_of if listening.tls else None
        make: Callable[..., FrontEnd] = import_module(listening.protocol.front_end).make
        return make(auth, self._context, self._resources, certificate_of)

    def _require_authenticator(self) -> Authenticator:
        if self._authentication is None:
            self._authentication = self._build_authentication()
        return self._authentication.authenticator

    def _over_tls(self, front_end: FrontEnd, loaded: "Loaded | None") -> IProtocolFactory:
        """Put TLS around the connections of a front end."""
        from cmdserver.net import tls_transport  # noqa: PLC0415 - see `tls`

        if loaded is not None and self._credentials is None:
            self._use_tls(loaded)
        if self._credentials is None:
            raise ValueError("a listener speaks TLS, and no certificate was loaded")
        return tls_transport.TLSFactory(front_end, self._credentials, self._reactor)

    def _use_tls(self, loaded: "Loaded") -> None:
        from cmdserver.app import tls  # noqa: PLC0415 - see `tls`

        self._credentials = tls.use(loaded, self._credentials)
