"""The tree, and its leaves that are no command: the list of commands, and what lies below ``/-/``."""

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from cmdserver.core.errors import UnknownCommand
from cmdserver.core.model import Caller, Somebody, Stranger
from cmdserver.frontends.common.rendering import help_json
from cmdserver.frontends.web import openapi
from cmdserver.frontends.web.http import headers
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import pages
from cmdserver.frontends.web.pages.static import StaticFile, is_fresh
from cmdserver.frontends.web.site import Site

#: What a resource returns whose answer is on its way; twisted.web.server has it too, and takes 14 ms to import.
NOT_DONE_YET: Final = 1


@implementer(IResource)
class Leaf:
    """What is asked by a caller.

    Args:
        site: What resources share.
    """

    isLeaf = True
    #: The methods that it has.
    allowed = b"GET, HEAD"
    #: Whether what stands behind it in a path is its business.
    takes_rest = False
    #: See `site.Found`.
    is_for_any_host = False

    def __init__(self, site: Site) -> None:
        self.site = site

    def render(self, request: WebRequest) -> int:
        """See IResource."""
        if request.method in self.allowed.split(b", "):
            self.site.identify(request, self.serve, self.meet)
        else:
            self.site.refuse_method(request, self.allowed)
        return NOT_DONE_YET

    def getChildWithDefault(self, name: bytes, request: object) -> IResource:
        """See IResource; a leaf is not asked."""
        raise NotImplementedError(name, request)

    def putChild(self, path: bytes, child: IResource) -> None:
        """See IResource; a leaf takes none."""
        raise NotImplementedError(path, child)

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """Answer; what is raised is answered too: a Refusal as something that nobody has written down yet."""
        raise NotImplementedError

    def meet(self, request: WebRequest, stranger: Stranger) -> None:
        """Answer somebody who has to log in before anything else."""
        self.site.require_login(request, stranger)


class Index(Leaf):
    """What this caller may run."""

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        commands = self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller))
        if commands is None:
            return
        match representation := request.representation():
            case Representation.PAGE:
                body = pages.index(self.site.authentication.visitor(request, caller), commands)
            case Representation.JSON:
                body = help_json(commands)
            case _:
                width = max((len(command.name) for command in commands), default=0)
                body = "".join(f"{each.name:<{width}}  {each.help}".rstrip() + "\n" for each in commands).encode()
        request.respond(HTTPStatus.OK, representation, body)


class OpenAPI(Leaf):
    """What this caller may run, for programs that make clients."""

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        commands = self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller))
        if commands is not None:
            body = json.dumps(openapi.describe(commands, request.base_path or "..")).encode("ascii") + b"\n"
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

    def render(self, request: WebRequest) -> int:
        """See IResource."""
        if request.is_read_only:
            request.respond(HTTPStatus.OK, Representation.TEXT, b"ok\n")
        else:
            self.site.refuse_method(request, self.allowed)
        return NOT_DONE_YET


class Static(Leaf):
    """The files beside the pages; everybody may have them."""

    takes_rest = True

    def __init__(self, site: Site, files: Mapping[str, StaticFile]) -> None:
        super().__init__(site)
        self._files = files

    def render(self, request: WebRequest) -> int:
        """See IResource."""
        file = self._files.get(request.parts[-1])
        if not request.is_read_only:
            self.site.refuse_method(request, self.allowed)
        elif file is None or len(request.postpath) != 1:
            self.site.refuse(request, None, UnknownCommand("/".join(request.parts)), HTTPStatus.NOT_FOUND)
        else:
            _send(request, file)
        return NOT_DONE_YET


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

    def serve(self, request: WebRequest, caller: Somebody) -> None:
        """See `Leaf`."""
        self.site.refuse(request, caller, UnknownCommand("/".join(request.parts)), HTTPStatus.NOT_FOUND)

    def meet(self, request: WebRequest, stranger: Stranger) -> None:
        """See `Leaf`. Everybody is told the same."""
        self.serve(request, stranger)


class Unasked(Leaf):
    """What browsers and crawlers ask for by themselves, and there is none of: nobody is asked who they are for it.

    Nor is it written down: nobody has meant to ask.
    """

    takes_rest = True

    def render(self, request: WebRequest) -> int:
        """See IResource."""
        request.respond(HTTPStatus.NOT_FOUND, Representation.TEXT, b"There is none here.\n")
        return NOT_DONE_YET


#: Browsers and crawlers look there for things (RFC 8615, RFC 9309), and phones for pictures of several sizes.
_UNASKED: Final = re.compile(rb"favicon\.ico|robots\.txt|apple-touch-icon[a-z0-9-]*\.png|\.well-known")


class Branch(Resource):
    """A place with leaves, and one leaf for whatever else is asked for."""

    is_for_any_host = False

    def __init__(self, otherwise: IResource) -> None:
        super().__init__()
        self._otherwise = otherwise

    def getChildWithDefault(self, path: bytes, request: WebRequest) -> IResource:
        """See Resource; a leaf is not found where there is more behind it than it takes."""
        child: IResource = self.children.get(path, self._otherwise)
        if isinstance(child, Leaf) and request.postpath and not child.takes_rest:
            return self._otherwise
        return child

    def render(self, request: WebRequest) -> int:
        """See Resource; a branch itself is nothing that could be asked for."""
        rendered: int = self._otherwise.render(request)
        return rendered


class Root(Branch):
    """The root of a tree: there is besides what nobody has asked for.

    Args:
        otherwise: Whatever else is asked for.
        unasked: What browsers ask for by themselves.
    """

    def __init__(self, otherwise: IResource, unasked: Unasked) -> None:
        super().__init__(otherwise)
        self._unasked = unasked

    def getChildWithDefault(self, path: bytes, request: WebRequest) -> IResource:
        """See Resource; no command is called as what is not asked for."""
        return self._unasked if _UNASKED.fullmatch(path) else super().getChildWithDefault(path, request)
