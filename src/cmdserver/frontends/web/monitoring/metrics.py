"""What was measured, for Prometheus; and whether we answer, for whoever asks nothing else."""

from http import HTTPStatus
from typing import Final

from cmdserver.core.model import Caller
from cmdserver.frontends.common.interface import Exposition
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.site import Leaf, Site

#: Of Prometheus' text format.
METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics(Leaf):
    """What Prometheus reads."""

    def __init__(self, site: Site, exposition: Exposition) -> None:
        super().__init__(site)
        self._exposition = exposition

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """Tell of the commands that the caller may run, and no other: a stranger is not to learn what there is."""
        names = self.site.dispatcher.names(caller)
        body = self._exposition.render(names, self.site.dispatcher.usual_names(caller))
        request.respond_with(HTTPStatus.OK, METRICS_TYPE, headers.PLAIN, body)


class Healthy(Leaf):
    """Whether we answer; asked by who knows an address and no name."""

    is_for_any_host = True
    is_public = True

    def publish(self, request: WebRequest) -> None:
        """See `Leaf`."""
        request.respond(HTTPStatus.OK, Representation.TEXT, b"ok\n")
