"""``/-/events``: the events of several runs and lists on one response, and what is added to it while it goes on.

Over HTTP/1.1 a browser has six connections to a server, and a page that follows a run would hold one of them.
"""

from http import HTTPStatus

from cmdserver.core.errors import LoginRequired, Malformed, UnknownRun
from cmdserver.core.events import new_id
from cmdserver.core.model import Caller
from cmdserver.frontends.web.event_streams import EventStreams
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.runs import wanted
from cmdserver.frontends.web.runs.combined_stream import CombinedStream
from cmdserver.frontends.web.runs.wanted import Change
from cmdserver.frontends.web.site import Leaf, Site


class EventsResource(Leaf):
    """Combined event streams.

    Args:
        site: What resources share.
        streams: The event streams under way.
    """

    allowed = b"GET"
    takes_rest = True

    def __init__(self, site: Site, streams: EventStreams) -> None:
        super().__init__(site)
        self._streams = streams
        self._combined: dict[str, CombinedStream] = {}

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        change = wanted.parse(request.target.query)
        if change.user is not None and change.user != (caller.name or ""):
            # Whose session has ended would be told, as a stranger, that there is nothing.
            self.site.refuse(request, caller, LoginRequired(), HTTPStatus.UNAUTHORIZED)
            return
        match request.target.parts[2:]:
            case () | ("",):
                self._begin(request, caller, change)
            case (name,):
                self._change(request, caller, name, change)
            case _:
                raise UnknownRun("/".join(request.target.parts))

    def _begin(self, request: WebRequest, caller: Caller, change: Change) -> None:
        if not change.wanted:
            raise Malformed("no events are asked for")
        combined = CombinedStream(new_id(), self._streams, request, caller, self._combined.pop)
        self._combined[combined.name] = combined
        combined.begin(change.wanted)

    def _change(self, request: WebRequest, caller: Caller, name: str, change: Change) -> None:
        combined = self._combined.get(name)
        if combined is None or combined.caller.key != caller.key or not combined.require_session():
            raise UnknownRun(name)
        if not combined.has_room(len(change.wanted)):
            raise Malformed("more events are asked for than go on one stream")
        combined.change(caller, change.wanted, change.unwanted)
        request.respond_with(HTTPStatus.NO_CONTENT, b"text/event-stream", headers.EVENTS)
