"""What a host tells those who ask a whole fleet: that it is there, since when, and by what it is chosen."""

from http import HTTPStatus

import msgspec

from cmdserver.core.errors import LoginRequired
from cmdserver.core.model import Caller
from cmdserver.core.version import VERSION
from cmdserver.frontends.common.run_text import utc
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.signed.signed_requests import Signer
from cmdserver.frontends.web.site import Leaf, Site


class FleetHostResource(Leaf):
    """``GET /-/fleet``, for whoever has logged in.

    Args:
        site: What resources share.
        signer: Has the host's key, by which its answers are verified.
        started_at: When the daemon was started, in seconds since the epoch.
    """

    def __init__(self, site: Site, signer: Signer, started_at: float) -> None:
        super().__init__(site)
        self._signer = signer
        self._started_at = started_at

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`; it is counted and written down as ``whoami``, which it tells as well."""
        if caller.is_anonymous:
            self.site.refuse(request, caller, LoginRequired(), HTTPStatus.UNAUTHORIZED)
            return
        roles = self.site.consult(request, caller, lambda: self.site.dispatcher.whoami(caller))
        if roles is None:
            return
        options = self.site.options()
        said = {
            "name": options.fleet_host.name,
            "fleet": options.fleet_host.fleet,
            "version": VERSION,
            "since": utc(self._started_at),
            "facts": options.facts,
            "roles": roles,
            "key": self._signer().public_key,
        }
        request.respond(HTTPStatus.OK, Representation.JSON, msgspec.json.encode(said) + b"\n")
