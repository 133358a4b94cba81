"""From paths to leaves, and the leaves that are no command: the list of commands, and what lies below ``/-/``."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from msgspec import Struct
from twisted.internet.defer import Deferred

from cmdserver.core.errors import UnknownCommand
from cmdserver.core.model import Caller, Command, Somebody, Stranger
from cmdserver.frontends.common.help_text import help_json
from cmdserver.frontends.web import openapi
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.content_coding import is_compressed
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import command_list, help_page, static
from cmdserver.frontends.web.pages.command_list import Listing
from cmdserver.frontends.web.pages.layout import SEARCH_FIELD
from cmdserver.frontends.web.pages.static import StaticFile, is_fresh
from cmdserver.frontends.web.runs.list_stream import shown_to
from cmdserver.frontends.web.site import Leaf, Site


class Index(Leaf):
    """What this caller may run, and what of theirs is under way."""

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        commands = self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller))
        if commands is None:
            return
        match representation := request.representation():
            case Representation.PAGE:
                answering = Deferred.fromCoroutine(self._answer_page(request, caller, commands))
                self.site.await_answer(request, answering)
                return
            case Representation.JSON:
                body = help_json(commands, lambda command: f"{request.target.base_path}/{command.name}")
            case _:
                width = max((len(command.name) for command in commands), default=0)
                body = "".join(f"{each.name:<{width}}  {each.help}".rstrip() + "\n" for each in commands).encode()
        request.respond(HTTPStatus.OK, representation, body)

    async def _answer_page(self, request: WebRequest, caller: Caller, commands: Sequence[Command]) -> None:
        self.site.forget_script(request)
        runs = self.site.dispatcher.runs
        latest = await runs.latest(caller)
        recent = await runs.recent(caller)
        request.when_gone = None
        listing = Listing(
            commands=commands,
            latest=latest,
            recent=[shown_to(self.site, caller, each) for each in recent],
            search=next((value for name, value in request.target.query if name == SEARCH_FIELD), ""),
            now=self.site.time_of_day(),
        )
        body = command_list.index(self.site.visitor(request, caller), listing)
        request.respond(HTTPStatus.OK, Representation.PAGE, body)


class Help(Leaf):
    """How to ask from elsewhere."""

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`; nothing is asked for, so nothing is written down."""
        address = f"{_address_of(request) or 'http://localhost'}/"
        commands = self.site.dispatcher.offered(caller)
        body = help_page.help_page(self.site.visitor(request, caller), commands, address)
        request.respond(HTTPStatus.OK, Representation.PAGE, body)


class OpenAPI(Leaf):
    """What this caller may run, for programs that make clients."""

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        commands = self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller))
        if commands is not None:
            described = openapi.describe(commands, request.target.base_path or "..", _address_of(request))
            body = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            request.respond(HTTPStatus.OK, Representation.JSON, body)


def _address_of(request: WebRequest) -> str | None:
    """Return the absolute address of the root, as the client has called it; that it is one of ours is known."""
    host = request.called_host
    scheme = "https" if request.sender.is_secure else "http"
    return None if not host else f"{scheme}://{host.decode('latin-1')}{request.target.base_path}"


class Static(Leaf):
    """The files beside the pages; everybody may have them."""

    takes_rest = True
    is_public = True

    def __init__(self, site: Site, files: Mapping[str, StaticFile]) -> None:
        super().__init__(site)
        self._files = files

    def publish(self, request: WebRequest) -> None:
        """See `Leaf`."""
        name = request.target.parts[-1]
        file = static.sheet_of(self.site.about()) if name == static.SITE_SHEET else self._files.get(name)
        if file is None or len(request.target.parts) != len(("-", "static", "name")):
            self.site.refuse(request, None, UnknownCommand("/".join(request.target.parts)), HTTPStatus.NOT_FOUND)
        else:
            _send(request, file)


def _send(request: WebRequest, file: StaticFile) -> None:
    """Send a file, whose two representations have an ETag each (RFC 9110, section 8.8.3.3)."""
    etag = file.etag[:-1] + b'-gzip"' if is_compressed(file.body, request.header(b"accept-encoding")) else file.etag
    request.responseHeaders.setRawHeaders(b"ETag", [etag])
    request.responseHeaders.setRawHeaders(b"Vary", [b"Accept-Encoding"])
    request.responseHeaders.setRawHeaders(b"Cache-Control", [b"no-cache"])  # to be asked about, not to be fetched again
    if is_fresh(request.header(b"if-none-match"), etag):
        request.respond_with(HTTPStatus.NOT_MODIFIED, file.content_type, headers.COMMON)
    else:
        beside = headers.SCRIPT if b"javascript" in file.content_type else headers.COMMON
        request.respond_with(HTTPStatus.OK, file.content_type, beside, file.body)


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


class Routes(Struct, frozen=True, kw_only=True):
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
