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
from cmdserver.frontends.web.http.connection import WebConnection, WebListener
from cmdserver.frontends.web.http.problems import STATUS, headers_of
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.login import LogIn, LogOut
from cmdserver.frontends.web.options import WebOptions
from cmdserver.frontends.web.pages import static
from cmdserver.frontends.web.resources import Healthy, Index, Metrics, Nothing, OpenAPI, Routes, Static, Unasked
from cmdserver.frontends.web.site import Site


@implementer(IProtocolNegotiationFactory)
class WebFrontEnd(WebListener):
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
        self.site = Site(listener_auth, context.dispatcher, authentication, options, context.clock)
        self.serve = self.site.serve
        self.site.find = _routes(self.site, exposition).find

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

    def farewell(self, source: str, error: RequestError, status: int) -> bytes:
        """Write down what came and was no request; return a whole answer of HTTP/1.1."""
        if isinstance(error, Refusal):
            told = self.context.dispatcher.refuse(self.listener_auth.stranger(source), error)
            error, status = told, status if told is error else STATUS[told.code]
        if self._options().access_log:
            access_log.log_refused(source, status)
        return whole_answer(error, status)

    def note(self, request: WebRequest) -> None:
        """Log an answered request, or one that will not be."""
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


def _routes(site: Site, exposition: Exposition) -> Routes:
    """Put the leaves in their places."""
    return Routes(
        top={"": Index(site), "metrics": Metrics(site, exposition)},
        below_dash={
            "healthy": Healthy(site),
            "openapi.json": OpenAPI(site),
            "login": LogIn(site),
            "logout": LogOut(site),
            "static": Static(site, static.FILES),
        },
        nothing=Nothing(site),
        command=CommandResource(site, EventStreams(site)),
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
    return WebFrontEnd(listener_auth, context, options, resources.exposition(), certificate_of)
