"""The factory of web connections: requests to the site, and what must be known of bytes that are no request."""

import socket
from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Protocol
from twisted.web.http import H2_ENABLED, datetimeToString
from zope.interface import implementer

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Refusal, RequestError
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.common.interface import CertificateOf, Exposition, FrontEndContext, FrontEndResources
from cmdserver.frontends.common.rendering import error_text
from cmdserver.frontends.web.authentication import Authentication
from cmdserver.frontends.web.command import CommandResource
from cmdserver.frontends.web.event_streams import EventStreams
from cmdserver.frontends.web.http import access_log, headers
from cmdserver.frontends.web.http.connection import WebConnection
from cmdserver.frontends.web.http.problems import STATUS, headers_of
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.login import LogIn, LogOut
from cmdserver.frontends.web.options import WebOptions
from cmdserver.frontends.web.pages import static
from cmdserver.frontends.web.resources import Branch, Healthy, Index, Metrics, Nothing, OpenAPI, Root, Static, Unasked
from cmdserver.frontends.web.site import Site


@implementer(IProtocolNegotiationFactory)
class WebFrontEnd(FrontEnd):
    """What all connections of one web listener share.

    Args:
        listener_auth: Makes callers of its clients.
        context: What all front ends share.
        options: As they are now.
        exposition: Renders metrics.
        certificate_of: Over TLS: what a client's verified certificate says, if it has shown one.
    """

    client_speaks_first = True

    def __init__(
        self,
        listener_auth: ListenerAuth,
        context: FrontEndContext,
        options: Callable[[], WebOptions],
        exposition: Exposition,
        certificate_of: CertificateOf | None = None,
    ) -> None:
        super().__init__(listener_auth, context, certificate_of)
        self._options = options
        authentication = Authentication(listener_auth, context.clock, f"{socket.gethostname()} {listener_auth.place}")
        self._site = Site(
            listener_auth,
            context.dispatcher,
            authentication,
            lambda: options().hosts,
            lambda: options().base_path,
            context.clock,
        )
        self._site.root = _tree(self._site, exposition)

    # Factory

    def connect(self, source: str, pending_login: PendingLogin) -> Protocol:
        """See `FrontEnd`."""
        return WebConnection(self, source, pending_login)

    def refusal(self, refusal: Refusal) -> bytes:
        """See `FrontEnd`."""
        return whole_answer(refusal, STATUS[refusal.code])

    def acceptableProtocols(self) -> list[bytes]:
        """The versions of HTTP that a client can choose from by ALPN."""
        return [b"h2", b"http/1.1"] if H2_ENABLED else [b"http/1.1"]

    # FrontEnd

    @property
    def examples(self) -> tuple[str, str]:
        """See `FrontEnd`."""
        curl, scheme = ("curl", "http") if self.certificate_of is None else ("curl --insecure", "https")
        return (
            f"{curl} {scheme}://{{endpoint}}/{{command}}",
            f"{curl} --unix-socket {{path}} {scheme}://localhost/{{command}}",
        )

    # As seen by connections

    def serve(self, request: WebRequest) -> None:
        """See `connection.Behind`."""
        self._site.serve(request)

    def farewell(self, source: str, error: RequestError, status: int) -> bytes:
        """See `connection.Behind`."""
        if isinstance(error, Refusal):
            told = self.context.dispatcher.refuse(self.listener_auth.stranger(source), error)
            error, status = told, status if told is error else STATUS[told.code]
        if self._options().access_log:
            access_log.log_refused(source, status)
        return whole_answer(error, status)

    def note(self, request: WebRequest) -> None:
        """See `connection.Behind`."""
        if self._options().access_log:
            access_log.log(request)


def whole_answer(error: RequestError, status: int) -> bytes:
    """Write an answer of HTTP/1.1 to something that is no request, after which nothing more comes."""
    body = error_text(error)
    fields = [
        (b"Date", datetimeToString()),
        (b"Connection", b"close"),
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", b"%d" % len(body)),
        *headers.PLAIN,
        *headers_of(error, status, is_browser=True),
    ]
    head = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode("ascii"))
    return head + headers.as_sent(tuple(fields)) + b"\r\n" + body


def _tree(site: Site, exposition: Exposition) -> Root:
    """Put the resources together."""
    root = Root(CommandResource(site, EventStreams(site)), Unasked(site))
    root.putChild(b"", Index(site))
    root.putChild(b"metrics", Metrics(site, exposition))
    dash = Branch(Nothing(site))
    root.putChild(b"-", dash)
    dash.putChild(b"healthy", Healthy(site))
    dash.putChild(b"openapi.json", OpenAPI(site))
    dash.putChild(b"login", LogIn(site))
    dash.putChild(b"logout", LogOut(site))
    dash.putChild(b"static", Static(site, static.FILES))
    return root


def make(
    listener_auth: ListenerAuth,
    context: FrontEndContext,
    resources: FrontEndResources,
    certificate_of: CertificateOf | None,
) -> FrontEnd:
    """Make the front end of a web listener."""
    options = resources.latest(WebOptions.of)
    return WebFrontEnd(listener_auth, context, options, resources.exposition(), certificate_of)
