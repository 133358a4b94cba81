"""The factory of web connections, and what is at which path."""

import socket
from collections.abc import Callable
from shlex import quote

from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from cmdserver.auth.hook_authenticator import HookAuthenticator
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal
from cmdserver.frontends.common.examples import Place, Trial
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import CertificateOf, Exposition, FrontEndContext, FrontEndResources
from cmdserver.frontends.web.authentication import Authentication
from cmdserver.frontends.web.command import CommandResource
from cmdserver.frontends.web.event_streams import EventStreams
from cmdserver.frontends.web.hooks import NAME as HOOKS
from cmdserver.frontends.web.hooks import Hooks, is_hook
from cmdserver.frontends.web.http.connection import WebConnection, WebListener
from cmdserver.frontends.web.http.large_bodies import LargeBodies
from cmdserver.frontends.web.http.problems import STATUS, whole_response
from cmdserver.frontends.web.login import LogIn, LogOut
from cmdserver.frontends.web.monitoring.metrics import Healthy, Metrics
from cmdserver.frontends.web.monitoring.probe import Probe
from cmdserver.frontends.web.options import WebOptions
from cmdserver.frontends.web.pages import static
from cmdserver.frontends.web.resources import Help, Index, Nothing, OpenAPI, Routes, Static, Unasked
from cmdserver.frontends.web.runs.events_resource import EventsResource
from cmdserver.frontends.web.runs.resource import RunsResource
from cmdserver.frontends.web.signed.fleet_host import FleetHostResource
from cmdserver.frontends.web.signed.signed_requests import Signer, signer_of
from cmdserver.frontends.web.site import Leaf, Site
from cmdserver.runs.check_trends import TrendOf, nothing_is_known


@implementer(IProtocolNegotiationFactory)
class WebFrontEnd(WebListener):
    """What all connections of one web listener share.

    Args:
        listener_auth: Authenticates clients.
        context: What every front end is given.
        options: Returns the options as they are now.
        exposition: Renders metrics.
        signer: Signs answers to signed requests.
        certificate_of: Reads client certificates; None without TLS.
        hooks: Knows whose requests to hooks are; None where there are none.
        trends: Tells what checks have found in the last day.
    """

    client_speaks_first = True
    #: Whether there are addresses at which nobody is asked who they are: those of pages, and for load balancers.
    has_open_addresses = True

    def __init__(
        self,
        listener_auth: ListenerAuth,
        context: FrontEndContext,
        options: Callable[[], WebOptions],
        exposition: Exposition,
        signer: Signer,
        certificate_of: CertificateOf | None = None,
        hooks: HookAuthenticator | None = None,
        trends: TrendOf = nothing_is_known,
    ) -> None:
        super().__init__(listener_auth, context, certificate_of)
        self.logs_access = lambda: options().access_log
        self.is_strict = lambda: options().is_strict
        place = f"{socket.gethostname()} {listener_auth.place}"
        authentication = Authentication(listener_auth, context.clock, place, signer)
        self.site = Site(
            listener_auth,
            context.dispatcher,
            authentication,
            options,
            context.clock,
            context.site,
            context.time_of_day,
            trends,
        )
        self.serve = self.site.serve
        fleet_host = FleetHostResource(self.site, signer, context.started_at)
        routes = _routes(self.site, exposition, hooks, fleet_host, has_open_ones=self.has_open_addresses)
        self.site.find = routes.find
        self.large_bodies = LargeBodies(self._most_body_bytes)

    def _most_body_bytes(self, target: bytes) -> int:
        """Say how many bytes a request's body may have: for every hook as many, as there is none for a stranger."""
        options, ordinary = self.site.options(), self.context.limits().request_bytes
        return max(ordinary, options.hook_body_bytes) if is_hook(target, options.base_path) else ordinary

    # Factory

    def is_trusted_proxy(self, source: str) -> bool:
        """See `FrontEnd`."""
        return self.site.options().trusted_proxies.include(source)

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        """See `FrontEnd`."""
        return WebConnection(self, source, pending_login)

    def refusal(self, refusal: Refusal, received: bytes) -> bytes:  # noqa: ARG002 - the answer is the same to all
        """See `FrontEnd`."""
        return whole_response(refusal, STATUS[refusal.code])

    def acceptableProtocols(self) -> list[bytes]:
        """Return the versions of HTTP that clients can choose from by ALPN (RFC 7301)."""
        return [b"h2", b"http/1.1"]

    # FrontEnd

    def example(self, place: Place, trial: Trial) -> str | None:
        """See `FrontEnd`."""
        words = ["curl"]
        if self.certificate_of is not None:
            words.append("--insecure")
        if place.is_proxied:
            words.append("--haproxy-protocol")
        if place.path:
            words.append(f"--unix-socket {quote(place.path)}")
        if trial.user is not None:
            words.append(f"--user {trial.user}")
        scheme = "http" if self.certificate_of is None else "https"
        page = f"{scheme}://{place.endpoint or place.host}{self.site.options().base_path}/"
        words.append(quote(page + (trial.command or "")))
        if not place.path and not place.is_proxied:
            words.append(f" # in a browser: {page}")
        return " ".join(words)


def _routes(
    site: Site, exposition: Exposition, hooks: HookAuthenticator | None, fleet_host: Leaf, *, has_open_ones: bool
) -> Routes:
    """Return what is at which path."""
    open_ones: dict[str, Leaf] = {
        "healthy": Healthy(site),
        "login": LogIn(site),
        "logout": LogOut(site),
        "static": Static(site, static.FILES),
    }
    streams = EventStreams(site)
    return Routes(
        top={"": Index(site), "metrics": Metrics(site, exposition)},
        below_dash={
            **(open_ones if has_open_ones else {}),
            "fleet": fleet_host,
            "help": Help(site),
            "openapi.json": OpenAPI(site),
            "probe": Probe(site, exposition),
            "events": EventsResource(site, streams),
            "runs": RunsResource(site, streams),
            **({HOOKS: Hooks(site, hooks)} if hooks is not None else {}),
        },
        nothing=Nothing(site),
        command=CommandResource(site, streams),
        unasked=Unasked(site),
    )


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    resources: FrontEndResources,
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of a web listener."""
    options = resources.latest(WebOptions.of)
    return WebFrontEnd(
        listener_auth,
        context,
        options,
        resources.exposition(),
        signer_of(resources),
        certificate_of,
        resources.hooks,
        resources.trends(),
    )
