"""From a complete request to its resource, and from whatever goes wrong there to an answer.

The tree is of `twisted.web.resource`: one resource for every command, whatever its name, one for the list of them, and
a few below ``/-/``, where no command can be. Here are what they all share, and the one place where errors become
answers.
"""

from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Protocol, TypeVar
from urllib.parse import quote

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import getChildForRequest

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.errors import LoginRequired, Malformed, Refusal, RequestError
from cmdserver.core.model import Caller, Somebody, Stranger
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.frontends.common.rendering import error_json, error_text
from cmdserver.frontends.web.authentication import Authentication
from cmdserver.frontends.web.http import guard
from cmdserver.frontends.web.http.fields import TYPES, UnsupportedBody
from cmdserver.frontends.web.http.guard import Misdirected
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, Representation
from cmdserver.frontends.web.http.problems import headers_of, representation_of_errors, status_of
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import pages

T = TypeVar("T")

Serve = Callable[[WebRequest, Caller], None]
Meet = Callable[[WebRequest, Stranger], None]


class Found(Protocol):
    """What is at an address."""

    #: Whether it may be asked for under any name: it says nothing that a stranger's page could want to know.
    is_for_any_host: bool

    def render(self, request: WebRequest) -> int:
        """See IResource."""


class Site:
    """What all resources of a listener share.

    Args:
        listener: Makes callers.
        dispatcher: Whom they ask.
        authentication: Finds callers out.
        hosts: The names that this server answers to, as they are now.
        base_path: Below which path it may be asked, too, as it is now.
        clock: For whatever takes time.
    """

    def __init__(
        self,
        listener_auth: ListenerAuth,
        dispatcher: Dispatcher,
        authentication: Authentication,
        hosts: Callable[[], Collection[str]],
        base_path: Callable[[], str],
        clock: IReactorTime,
    ) -> None:
        self.listener_auth = listener_auth
        self.dispatcher = dispatcher
        self.authentication = authentication
        self.clock = clock
        self._hosts = hosts
        self.base_path = base_path
        #: The root of the tree; named before the first request.
        self.root: Found

    def serve(self, request: WebRequest) -> None:
        """Answer a request."""
        try:
            request.split(self.base_path())
            resource: Found = getChildForRequest(self.root, request)
            self._require_ours(request, any_name=resource.is_for_any_host)
            if request.is_too_long:
                self.refuse(request, None, Malformed("the body is too long"), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                resource.render(request)
        except Refusal as refusal:
            self.refuse(request, None, refusal)
        except Exception:  # noqa: BLE001 - the outer edge: nothing that happens in here may leave a client waiting
            self.complain(request, Failure())

    def identify(self, request: WebRequest, serve: Serve, meet: Meet) -> None:
        """Find out who asks, and go on.

        A page of another site is told nothing and asks for nothing in the name of whoever looks at it: neither with
        what a browser adds by itself, nor from where it is. It can have somebody see a page of ours, with our address
        above it; what is done there is up to them.

        Args:
            request: Which is asked.
            serve: For a caller.
            meet: For a stranger, who has to log in before anything else.

        Raises:
            Denied: Another site's page asks.
        """
        if not (request.is_read_only and request.is_page_to_be_seen):
            guard.require_own_page(request.provenance)
        caller = self.authentication.caller_of(request)
        if isinstance(caller, Caller | Stranger):
            self._identified(caller, request, serve, meet)
        else:
            caller.addCallback(self._identified, request, serve, meet).addErrback(
                lambda failure: self.complain(request, failure)
            )

    def _identified(self, caller: Somebody, request: WebRequest, serve: Serve, meet: Meet) -> None:
        request.when_gone = None
        request.caller = caller
        if caller.name is not None:
            request.connection.pending_login.settle()
        if request.is_gone:
            return
        try:
            if isinstance(caller, Caller):
                serve(request, caller)
            else:
                meet(request, caller)
        except Refusal as refusal:
            self.refuse(request, caller, refusal)

    # What goes wrong

    def refuse(self, request: WebRequest, caller: Somebody | None, refusal: Refusal, status: int | None = None) -> None:
        """Write a refusal down that no part of the house has written down, and answer it."""
        caller = caller or self.listener_auth.stranger(request.connection.source)
        if isinstance(refusal, Misdirected | UnsupportedBody):
            status = refusal.status
        if isinstance(refusal, UnsupportedBody):
            request.responseHeaders.setRawHeaders(b"Accept-Post", [TYPES])
        error = self.dispatcher.refuse(caller, refusal)
        self.answer_error(request, caller, error, status if error is refusal else None)

    def refuse_method(self, request: WebRequest, allowed: bytes) -> None:
        """Answer a method that a resource does not have."""
        request.responseHeaders.setRawHeaders(b"Allow", [allowed])
        refusal = Malformed(f"this address takes {allowed.decode('ascii')}")
        self.refuse(request, None, refusal, HTTPStatus.METHOD_NOT_ALLOWED)

    def consult(self, request: WebRequest, caller: Caller, query: Callable[[], T]) -> T | None:
        """Ask the dispatcher something that needs no process; None if it refused, and that was answered."""
        try:
            return query()
        except RequestError as error:
            self.answer_error(request, caller, error)
            return None

    def complain(self, request: WebRequest, failure: Failure) -> None:
        """Answer whatever came in place of an answer."""
        if not failure.check(CancelledError):  # then the client is gone
            self.answer_error(request, request.caller, self.error_of(failure))

    def error_of(self, failure: Failure) -> RequestError:
        """Say what a caller may know of a failure."""
        error = failure.value
        return error if isinstance(error, RequestError) else self.dispatcher.fault(failure)

    def answer_error(
        self, request: WebRequest, caller: Somebody | None, error: RequestError, status: int | None = None
    ) -> None:
        """Answer an error that is written down."""
        if request.is_gone:
            return
        if request.startedWriting:
            request.cut()
            return
        caller = caller or self.listener_auth.stranger(request.connection.source)
        if status is None:
            status = status_of(error, may_log_in=self.authentication.may_log_in(caller))
        representation = representation_of_errors(request.representation(OF_COMMANDS))
        is_browser = request.header(b"sec-fetch-mode") is not None or representation is Representation.PAGE
        body = self._error_body(request, caller, error, status, representation)
        request.respond(status, representation, body, headers_of(error, status, is_browser=is_browser))

    def _error_body(
        self, request: WebRequest, caller: Somebody, error: RequestError, status: int, representation: Representation
    ) -> bytes:
        if representation is Representation.JSON:
            return error_json(error)
        if representation is Representation.TEXT:
            return error_text(error)
        visitor = self.authentication.visitor(request, caller)
        if status == HTTPStatus.UNAUTHORIZED and request.is_read_only:
            return pages.login(visitor, _address(request), pages.why_log_in(error))
        return pages.problem(visitor, status, error)

    def require_login(self, request: WebRequest, stranger: Stranger) -> None:
        """Answer somebody who has to say who they are before anything else."""
        if request.is_read_only and request.representation(OF_COMMANDS) is Representation.PAGE:
            address = quote(_address(request), safe="/")
            request.redirect_to(f"{pages.LOGIN_PATH}?{pages.NEXT_FIELD}={address}")
        else:
            self.refuse(request, stranger, LoginRequired(), HTTPStatus.UNAUTHORIZED)

    def _require_ours(self, request: WebRequest, *, any_name: bool) -> None:
        hosts = request.requestHeaders.getRawHeaders(b"host") or ()
        ours = {"*"} if any_name else self._hosts()
        guard.require_host(hosts, request.authority, ours, may_lack_it=request.clientproto == b"HTTP/1.0")


def _address(request: WebRequest) -> str:
    return guard.safe_next(request.address.decode("latin-1"))
