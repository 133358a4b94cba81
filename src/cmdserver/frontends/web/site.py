"""From a complete request to the leaf at its address, and from whatever goes wrong there to an answer.

One leaf serves every command, whatever its name, one the list of them, and a few lie below ``/-/``, where no command
can be. Here is what they share, and the one place where errors become answers.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.addresses import NO_PROXIES
from cmdserver.core.errors import Denied, LoginRequired, Malformed, Refusal, RequestError, TryAgain, UnknownRun
from cmdserver.core.model import Caller, Somebody, Stranger
from cmdserver.core.run_states import RunState
from cmdserver.core.site import Site as HostSite
from cmdserver.dispatch.dispatcher import Dispatcher
from cmdserver.frontends.common.rendering import error_json, error_text
from cmdserver.frontends.web.authentication import Authentication
from cmdserver.frontends.web.http import cross_site
from cmdserver.frontends.web.http.cross_site import Misdirected
from cmdserver.frontends.web.http.form_data import TYPES, UnsupportedBody
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, Representation
from cmdserver.frontends.web.http.problems import headers_of, representation_of_errors, status_of, status_of_body
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.http.target import cut_behind, parse_target
from cmdserver.frontends.web.options import WebOptions
from cmdserver.frontends.web.pages import pages
from cmdserver.frontends.web.pages.layout import LOGIN_PATH, NEXT_FIELD, NO_SCRIPT_FIELD, SCRIPT_COOKIE, Visitor
from cmdserver.frontends.web.proxies.trusting import ProxyTrust
from cmdserver.runs.check_trends import MOST_POINTS, POINT_SECONDS, Trend, TrendOf
from cmdserver.runs.record import RunRecord

T = TypeVar("T")

_ANY_HOST = frozenset({"*"})


class Site:
    """What all resources of a listener share.

    Args:
        listener: Makes callers.
        dispatcher: Whom they ask.
        authentication: Finds callers out.
        options: As they are now.
        clock: For whatever takes time.
        about: What the administrator calls this host, now.
        time_of_day: Seconds since the epoch.
        trends: Tells what checks have found in the last day.
    """

    def __init__(
        self,
        listener_auth: ListenerAuth,
        dispatcher: Dispatcher,
        authentication: Authentication,
        options: Callable[[], WebOptions],
        clock: IReactorTime,
        about: Callable[[], HostSite],
        time_of_day: Callable[[], float],
        trends: TrendOf,
    ) -> None:
        self.listener_auth = listener_auth
        self.dispatcher = dispatcher
        self.authentication = authentication
        self.options = options
        self.clock = clock
        self.about = about
        self.time_of_day = time_of_day
        self._trends = trends
        self._proxy_trust = ProxyTrust(listener_auth, options, clock)
        #: Finds the leaf at a path; named before the first request.
        self.find: Callable[[Sequence[str]], Leaf]

    def serve(self, request: WebRequest) -> None:
        """Answer a request: is it for us, what is at its address, who asks.

        A page of another site is told nothing and asks for nothing in the name of whoever looks at it: neither with
        what a browser adds by itself, nor from where it is. It can have somebody see a page of ours, with our address
        above it; what is done there is up to them.
        """
        try:
            options = self.options()
            request.target = parse_target(request.uri, options.base_path)
            if options.trusted_proxies is not NO_PROXIES:
                self._proxy_trust.look(request)
            sender = request.sender
            request.provenance = cross_site.provenance_of(
                request.requestHeaders, is_secure=sender.is_secure, is_proxied=sender.is_proxied, host=sender.host
            )
            leaf = self.find(request.target.parts)
            hosts = request.requestHeaders.getRawHeaders(b"host") or ()
            ours = _ANY_HOST if leaf.is_for_any_host else options.hosts
            # The one that a proxy passes on besides may be of a page's own making.
            named = (request.target.authority, sender.host)
            cross_site.require_host(hosts, named, ours, may_lack_it=request.clientproto == b"HTTP/1.0")
            if request.body_refusal is not None:
                self.refuse(request, None, request.body_refusal, status_of_body(request.body_refusal))
                return
            if leaf.allowed is not None and request.method not in leaf.allowed.split(b", "):
                self.refuse_method(request, leaf.allowed)
                return
            if leaf.is_public:
                leaf.publish(request)
                return
            provenance = request.provenance
            if provenance is not cross_site.NOWHERE and not (request.is_read_only and request.is_page_to_be_seen):
                cross_site.require_own_page(provenance)
            caller = self.authentication.caller_of(request, is_for_strangers=leaf.is_for_strangers)
            if isinstance(caller, Caller) and caller.name is None:
                request.caller = caller
                leaf.serve(request, caller)
            elif isinstance(caller, Caller | Stranger):
                self._identified(caller, request, leaf)
            else:
                caller.addCallback(self._identified, request, leaf).addErrback(
                    lambda failure: self.complain(request, failure)
                )
        except Refusal as refusal:
            self.refuse(request, request.caller, refusal)
        except Exception:  # noqa: BLE001 - the outer edge: nothing that happens in here may leave a client waiting
            self.complain(request, Failure())

    def _identified(self, caller: Somebody, request: WebRequest, leaf: "Leaf") -> None:
        request.when_gone = None
        request.caller = caller
        if caller.name is not None:
            request.sender.pending_login.settle()
        if request.is_gone:
            return
        try:
            if isinstance(caller, Caller):
                if caller.forced_words is not None and not leaf.is_of_commands:
                    raise Denied("this key runs one command, and nothing else is for it")
                leaf.serve(request, caller)
            elif leaf.is_for_strangers:
                leaf.meet(request, caller)
            else:
                self._require_login(request, caller)
        except Refusal as refusal:
            self.refuse(request, caller, refusal)

    def visitor(self, request: WebRequest, caller: Somebody) -> Visitor:
        """Say who looks at a page, and how many runs that they may see are running."""
        counts = self.dispatcher.runs.counts(caller) if isinstance(caller, Caller) else None
        return Visitor(
            site=self.about(),
            name=caller.name,
            roles=self.dispatcher.roles_of(caller) if isinstance(caller, Caller) else (),
            may_log_in=self.authentication.may_log_in_or_out(request, caller),
            token=self.authentication.token(request, caller),
            root=request.target.root,
            running=None if counts is None else counts.get(RunState.RUNNING, 0),
        )

    def trend(self, caller: Caller, record: RunRecord) -> Trend | None:
        """Tell what a check has found in the day before, as its metrics do: to who may run it, and so find out.

        Returns:
            None if that is not known, is not theirs to know, or is of other values than the run, or of another day.
        """
        trend, command = self._trends(record.command), self.dispatcher.runs.command(record.command)
        if trend is None or command is None or record.command not in self.dispatcher.usual_names(caller):
            return None
        is_of_today = record.asked_at > self.time_of_day() - POINT_SECONDS * MOST_POINTS
        # Secrets are not among the arguments, and may have been others.
        is_alike = trend.arguments == record.arguments and not command.parameters.secrets
        return trend if is_of_today and is_alike else None

    def forget_script(self, request: WebRequest) -> None:
        """Forget that a browser has our script, if a page says so that was made for it and read without it."""
        if (NO_SCRIPT_FIELD, "yes") in request.target.query:
            request.received_cookies.pop(SCRIPT_COOKIE, None)
            path = f"{request.target.base_path}/".encode("ascii")
            request.cookies.append(SCRIPT_COOKIE + b"=; Path=" + path + b"; Max-Age=0; SameSite=Strict")

    # What goes wrong

    def refuse(self, request: WebRequest, caller: Somebody | None, refusal: Refusal, status: int | None = None) -> None:
        """Write a refusal down that nobody has written down yet, and answer it."""
        if isinstance(refusal, Misdirected | UnsupportedBody):
            status = refusal.status
        if isinstance(refusal, UnsupportedBody):
            request.responseHeaders.setRawHeaders(b"Accept-Post", [TYPES])
        stranger = self.listener_auth.stranger(request.sender.source)
        error = self.dispatcher.refuse(caller or stranger, refusal)
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

    def await_answer(self, request: WebRequest, answering: Deferred[None]) -> None:
        """Leave when the client does; tell it what went wrong.

        Args:
            request: To be answered.
            answering: Fires when it is; is cancelled if the client is gone before.
        """
        if not answering.called:
            request.when_gone = answering.cancel
        answering.addErrback(lambda failure: self.complain(request, failure))

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
        caller = caller or self.authentication.holder_of_session(request)
        caller = caller or self.listener_auth.stranger(request.sender.source)
        if status is None:
            status = status_of(error, may_log_in=self.authentication.may_log_in(request, caller))
        if status == HTTPStatus.UNAUTHORIZED and request.sender.users is not None:
            status = HTTPStatus.FORBIDDEN  # there is no way to log in but the proxy's
        representation = representation_of_errors(request.representation(OF_COMMANDS))
        if (
            isinstance(error, UnknownRun)
            and representation is Representation.PAGE
            and self.authentication.may_log_in(request, caller)
        ):
            status = HTTPStatus.UNAUTHORIZED  # a link that somebody was sent may be good for who they are
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
        visitor = self.visitor(request, caller)
        if status == HTTPStatus.UNAUTHORIZED and request.is_read_only:
            return pages.login(visitor, self._address(request), pages.why_log_in(error))
        again = None
        if isinstance(error, TryAgain) and (again := self._again(request)) is not None:
            refresh = b"%d; url=%s" % (error.retry_after_seconds, again.encode("latin-1"))
            request.responseHeaders.setRawHeaders(b"Refresh", [refresh])
        return pages.problem(visitor, status, error, self.time_of_day(), again=again)

    def _again(self, request: WebRequest) -> str | None:
        """Say where a page goes on by itself when its reader has waited; None: nowhere."""
        if request.is_read_only:
            return request.target.root + self._address(request).removeprefix("/")
        is_login = request.target.parts == ("-", "login")
        return request.target.root + LOGIN_PATH.removeprefix("/") if is_login else None

    def _require_login(self, request: WebRequest, stranger: Stranger) -> None:
        """Answer somebody who has to say who they are before anything else."""
        if request.is_read_only and request.representation(OF_COMMANDS) is Representation.PAGE:
            address = quote(self._address(request), safe="/")
            request.redirect_to(f"{LOGIN_PATH}?{NEXT_FIELD}={address}")
        else:
            self.refuse(request, stranger, LoginRequired(), HTTPStatus.UNAUTHORIZED)

    def _address(self, request: WebRequest) -> str:
        """Return where to go after a login, without what may be a secret."""
        address = cut_behind(request.target.address, self.dispatcher.commands_with_secrets)
        return cross_site.safe_next(address.decode("latin-1"))


class Leaf:
    """What is at an address; its attributes say how it may be asked for.

    Args:
        site: What resources share.
    """

    #: The methods that it has; None if that is for itself to say.
    allowed: bytes | None = b"GET, HEAD"
    #: Whether what stands behind it in a path is its business.
    takes_rest = False
    #: Whether it may be asked for under any name of the host: it says nothing that another site's page could want.
    is_for_any_host = False
    #: Whether it is told to everybody, and so nobody is asked who they are.
    is_public = False
    #: Whether commands are asked for there, and by whoever may run one alone.
    is_of_commands = False
    #: Whether it answers strangers too, where a login is required.
    is_for_strangers = False

    def __init__(self, site: Site) -> None:
        self.site = site

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """Answer; what is raised is answered too: a Refusal as something that nobody has written down yet."""
        raise NotImplementedError

    def publish(self, request: WebRequest) -> None:
        """Answer what is public."""
        raise NotImplementedError

    def meet(self, request: WebRequest, stranger: Stranger) -> None:
        """Answer somebody who has not logged in where that is required, if it is for strangers."""
        raise NotImplementedError
