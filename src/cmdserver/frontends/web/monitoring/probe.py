"""``/-/probe?command=NAME``: a command is run for Prometheus, and answered with what it has found, as metrics.

As with blackbox_exporter, how it went is in the answer, which is 200 whenever the command ran: ``probe_success``.
"""

from http import HTTPStatus
from typing import Final

from cmdserver.core.errors import BadArgument, Malformed, RequestError
from cmdserver.core.model import Caller, Command
from cmdserver.core.output import Answer
from cmdserver.frontends.common.interface import Exposition
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.cross_site import require_own_page
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.monitoring.metrics import METRICS_TYPE
from cmdserver.frontends.web.request_values import RequestValues
from cmdserver.frontends.web.site import Leaf, Site

#: The first field of this name is the command; another one would be a parameter's.
_COMMAND: Final = "command"


class Probe(Leaf):
    """Runs a read-only command for a scrape.

    Args:
        site: What resources share.
        exposition: Renders metrics.
    """

    def __init__(self, site: Site, exposition: Exposition) -> None:
        super().__init__(site)
        self._exposition = exposition

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        asked = _asked(request)
        if asked is None:
            text = f"a probe names its command: {request.target.base_path}/-/probe?command=NAME"
            self.site.refuse(request, caller, BadArgument(text))
            return
        try:
            granted = self.site.dispatcher.authorize(caller, asked.words, asked.fields)
        except RequestError as error:
            self.site.answer_error(request, caller, error)
            return
        try:
            _require_harmless(request, asked, granted.grant.command)
        except RequestError as error:
            self.site.answer_error(request, caller, self.site.dispatcher.reject(granted, error))
            return
        if request.method == b"HEAD":  # as for commands: what cannot be known without running it is left out
            self.site.dispatcher.describe(granted)
            request.begin(HTTPStatus.OK, Representation.TEXT)
            request.finish()
            return
        answering = self.site.dispatcher.run(granted).addCallback(self.site.dispatcher.assessor.complete)
        self.site.await_answer(request, answering.addCallback(self._respond, request))

    def _respond(self, answer: Answer, request: WebRequest) -> None:
        request.respond_with(HTTPStatus.OK, METRICS_TYPE, headers.PLAIN, self._exposition.probe(answer))


def _asked(request: WebRequest) -> RequestValues | None:
    """Say what is to be run; None if no command is named."""
    query = list(request.target.query)
    place = next((index for index, (name, _) in enumerate(query) if name == _COMMAND), None)
    if place is None or not query[place][1]:
        return None
    words = (query.pop(place)[1],)
    return RequestValues(words, query, query)


def _require_harmless(request: WebRequest, asked: RequestValues, command: Command) -> None:
    """Refuse what a scrape may not do.

    Raises:
        RequestError: The command may change something, another site's page asks, or a secret is in the address.
    """
    if not command.read_only:
        raise Malformed("a scrape runs what is read_only, and this command may change something")
    require_own_page(request.provenance)
    if (secrets := asked.secrets_in_address(command)) is not None:
        raise secrets
