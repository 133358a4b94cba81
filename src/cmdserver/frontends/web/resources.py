"""From paths to leaves, and the leaves that are no command: the list of commands, and what lies below ``/-/``."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from cmdserver.core.errors import UnknownCommand
from cmdserver.core.model import Caller, Command, Somebody, Stranger
from cmdserver.frontends.common.help_text import help_json
from cmdserver.frontends.web import openapi
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import pages, run_list
from cmdserver.frontends.web.pages.static import StaticFile, is_fresh
from cmdserver.frontends.web.runs.list_stream import shown_to
from cmdserver.frontends.web.site import Leaf, Site


class Index(Leaf):
    """What this caller may run, and what of theirs is under way.

    Args:
        site: What resources share.
        time_of_day: Seconds since the epoch.
    """

    def __init__(self, site: Site, time_of_day: Callable[[], float]) -> None:
        super().__init__(site)
        self._time_of_day = time_of_day

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        commands = self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller))
        if commands is None:
            return
        match representation := request.representation():
            case Representation.PAGE:
                body = self._page(request, caller, commands)
            case Representation.JSON:
                body = help_json(commands)
            case _:
                width = max((len(command.name) for command in commands), default=0)
                body = "".join(f"{each.name:<{width}}  {each.help}".rstrip() + "\n" for each in commands).encode()
        request.respond(HTTPStatus.OK, representation, body)

    def _page(self, request: WebRequest, caller: Caller, commands: Sequence[Command]) -> bytes:
        visitor = self.site.visitor(request, caller)
        own = [each for each in self.site.dispatcher.runs.alive(caller) if each.is_of(caller.name)]
        shown = [shown_to(self.site, caller, each) for each in own]
        return pages.index(visitor, commands, run_list.alive_rows(visitor, shown, self._time_of_day()))


class OpenAPI(Leaf):
    """What this caller may run, for programs that make clients."""

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        commands = self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller))
        if commands is not None:
            body = json.dumps(openapi.describe(commands, request.target.base_path or "..")).encode("ascii") + b"\n"
            request.respond(HTTPStatus.OK, Representation.JSON, body)


class Metrics(Leaf):
    """What Prometheus reads."""

    def __init__(self, site: Site, exposition: Callable[[frozenset[str]], bytes]) -> None:
        super().__init__(site)
        self._exposition = exposition

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """Tell of the commands that the caller may run, and no other: a stranger is not to learn what there is."""
        names = self.site.dispatcher.names(caller)
        body = self._exposition(names)
        request.respond_with(HTTPStatus.OK, b"text/plain; version=0.0.4; charset=utf-8", headers.PLAIN, body)


class Healthy(Leaf):
    """Whether we answer; asked by who knows an address and no name."""

    is_for_any_host = True
    is_public = True

    def publish(self, request: WebRequest) -> None:
        """See `Leaf`."""
        request.respond(HTTPStatus.OK, Representation.TEXT, b"ok\n")


class Static(Leaf):
    """The files beside the pages; everybody may have them."""

    takes_rest = True
    is_public = True

    def __init__(self, site: Site, files: Mapping[str, StaticFile]) -> None:
        super().__init__(site)
        self._files = files

    def publish(self, request: WebRequest) -> None:
        """See `Leaf`."""
        file = self._files.get(request.target.parts[-1])
        if file is None or len(request.target.parts) != len(("-", "static", "name")):
            self.site.refuse(request, None, UnknownCommand("/".join(request.target.parts)), HTTPStatus.NOT_FOUND)
        else:
            _send(request, file)


def _send(request: WebRequest, file: StaticFile) -> None:
    request.responseHeaders.setRawHeaders(b"ETag", [file.etag])
    request.responseHeaders.setRawHeaders(b"Cache-Control", [b"no-cache"])  # to be asked about, not to be fetched again
    if is_fresh(request.header(b"if-none-match"), file.etag):
        request.respond_with(HTTPStatus.NOT_MODIFIED, file.content_type, headers.COMMON)
    else:
        request.respond_with(HTTPStatus.OK, file.content_type, headers.COMMON, file.body)


class Nothing(Leaf):
    """Whatever else is asked for below ``/-/``: no login changes that it is not there."""

    allowed = b"GET, HEAD, POST"
    takes_rest = True
    is_for_strangers = True

    def serve(self, request: WebRequest, caller: Somebody) -> None:
        """See `Leaf`."""
        self.site.refuse(request, caller, UnknownCommand("/".join(request.target.parts)), HTTPStatus.NOT_FOUND)

    def meet(self, request: WebRequest, stranger: Stranger) -> None:
        """See `Leaf`: everybody is told the same."""
        self.serve(request, stranger)


class Unasked(Leaf):
    """What browsers and crawlers ask for by themselves, and there is none of: nobody is asked who they are for it.

    Nor is it written down: nobody has meant to ask.
    """

    allowed = None
    takes_rest = True
    is_public = True

    def publish(self, request: WebRequest) -> None:
        """See `Leaf`."""
        request.respond(HTTPStatus.NOT_FOUND, Representation.TEXT, b"There is none here.\n")


#: Browsers and crawlers look there for things (RFC 8615, RFC 9309), and phones for pictures of several sizes.
_UNASKED: Final = re.compile(r"favicon\.ico|robots\.txt|apple-touch-icon[a-z0-9-]*\.png|\.well-known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """From paths to leaves. No command is called as what has a place of its own here."""

    #: By the first part of a path.
    top: Mapping[str, Leaf]
    #: By the second part of a path below ``/-/``, and whatever else is asked for there.
    below_dash: Mapping[str, Leaf]
    nothing: Leaf
    #: Whatever else is asked for.
    command: Leaf
    #: What browsers ask for by themselves.
    unasked: Leaf

    def find(self, parts: Sequence[str]) -> Leaf:
        """Find what is at a path; a leaf is not found where there is more behind it than it takes."""
        first = parts[0]
        if first == "-":
            leaf = self.below_dash.get(parts[1], self.nothing) if len(parts) > 1 else self.nothing
            return leaf if leaf.takes_rest or len(parts) <= len(("-", "leaf")) else self.nothing
        if _UNASKED.fullmatch(first):
            return self.unasked
        leaf = self.top.get(first, self.command)
        return leaf if leaf.takes_rest or len(parts) == 1 else self.command
