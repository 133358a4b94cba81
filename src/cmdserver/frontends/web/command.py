"""One resource for all commands: GET runs what only reads, POST runs anything, and ``Accept`` says what comes back.

Whatever is asked, the dispatcher is asked once. What stands in the path behind the name, in the query, and in a form
beside the anti-forgery token, are arguments.
"""

from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.errors import Malformed, RequestError
from cmdserver.core.model import Answer, Caller
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.common.rendering import answer_json
from cmdserver.frontends.common.text_sink import Style, TextSink
from cmdserver.frontends.web import answers
from cmdserver.frontends.web.event_streams import LAST_EVENT_ID, EventStreams
from cmdserver.frontends.web.held_response import HELD_TEXT_BYTES, HeldText, LivePage
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import pages
from cmdserver.frontends.web.pages.layout import TOKEN_FIELD
from cmdserver.frontends.web.site import Leaf, Site

_ALL_METHODS = b"GET, HEAD, POST"
_METHODS = frozenset(_ALL_METHODS.split(b", "))


class CommandResource(Leaf):
    """Every command, by its path.

    Args:
        site: What resources share.
        streams: The event streams under way.
    """

    allowed = None
    takes_rest = True

    def __init__(self, site: Site, streams: EventStreams) -> None:
        super().__init__(site)
        self._streams = streams

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`; which methods there are depends on the command, and on who asks."""
        words = [*request.target.parts]
        if len(words) > 1 and not words[-1]:
            words.pop()  # a slash at the end
        values = request.target.query
        if not request.is_read_only and request.method in _METHODS:
            form = request.form()
            self.site.authentication.require_meant(request, caller, form)
            values = [*values, *form]
        if values:
            words += [f"{name}={value}" for name, value in values if name != TOKEN_FIELD]
        if (
            request.requestHeaders.hasHeader(LAST_EVENT_ID)
            and request.representation(OF_COMMANDS) is Representation.EVENTS
        ):
            self._streams.resume(request, caller)
            return
        try:
            granted = self.site.dispatcher.authorize(caller, words)
            self._serve(request, granted)
        except RequestError as error:
            status = None
            if request.method not in _METHODS:
                request.responseHeaders.setRawHeaders(b"Allow", [_ALL_METHODS])
                status = HTTPStatus.METHOD_NOT_ALLOWED
            self.site.answer_error(request, caller, error, status)

    def _serve(self, request: WebRequest, granted: Request) -> None:
        """Run what was granted, or say how it is to be asked for."""
        command = granted.grant.command
        if request.method not in _METHODS:
            self._refuse_method(request, granted, _ALL_METHODS if command.read_only else b"POST")
        elif request.is_read_only and not command.read_only:
            self._ask_for_post(request, granted)
        elif request.method == b"HEAD":
            # What cannot be known without running it is left out (RFC 9110, section 9.3.2).
            self.site.dispatcher.describe(granted)
            request.begin(HTTPStatus.OK, request.representation(OF_COMMANDS))
            request.finish()
        elif request.provenance.is_of_other_page:
            self._ask_for_click(request, granted)
        else:
            self._run(request, granted)

    def _refuse_method(self, request: WebRequest, granted: Request, allowed: bytes) -> None:
        request.responseHeaders.setRawHeaders(b"Allow", [allowed])
        refusal = Malformed(f"this address takes {allowed.decode('ascii')}")
        error = self.site.dispatcher.reject(granted, refusal)
        status = HTTPStatus.METHOD_NOT_ALLOWED if error is refusal else None
        self.site.answer_error(request, granted.caller, error, status)

    def _ask_for_post(self, request: WebRequest, granted: Request) -> None:
        """Show somebody who only looks at a command that changes something how to run it."""
        request.responseHeaders.setRawHeaders(b"Allow", [b"POST"])
        representation = request.representation()
        command = self.site.dispatcher.describe(granted)
        if representation is Representation.PAGE:
            visitor = self.site.authentication.visitor(request, granted.caller)
            body = pages.command_form(visitor, command, (), pages.CHANGES_SOMETHING)
        elif representation is Representation.JSON:
            body = b'{"error": {"code": "malformed", "message": "this command is run with POST"}}\n'
        else:
            body = b"cmdserver: malformed: this command is run with POST\n"
        request.respond(HTTPStatus.METHOD_NOT_ALLOWED, representation, body)

    def _ask_for_click(self, request: WebRequest, granted: Request) -> None:
        """Show somebody whom another site has led to a command how to run it: it may be that site's wish alone."""
        command = self.site.dispatcher.describe(granted)
        visitor = self.site.authentication.visitor(request, granted.caller)
        body = pages.command_form(visitor, command, list(granted.words[1:]), pages.LED_HERE)
        request.respond(HTTPStatus.OK, Representation.PAGE, body)

    def _run(self, request: WebRequest, granted: Request) -> None:
        dispatcher = self.site.dispatcher
        match request.representation(OF_COMMANDS):
            case Representation.EVENTS:
                self._streams.begin(request, granted)
            case Representation.PAGE:
                self._run_for_page(request, granted)
            case Representation.TEXT if granted.grant.command.output_limit_bytes > HELD_TEXT_BYTES:
                text = HeldText(request)
                sink = TextSink(text, Style.VERBATIM)
                running = dispatcher.run(granted, sink).addCallback(sink.finish).addCallback(text.finish, sink)
                self._await(request, running, lambda: text.follow(None))
            case representation:
                self._await(request, dispatcher.run(granted).addCallback(_respond, request, representation))

    def _run_for_page(self, request: WebRequest, granted: Request) -> None:
        visitor = self.site.authentication.visitor(request, granted.caller)
        page = LivePage(request, visitor, list(granted.words[1:]), self.site.clock)

        def complain(failure: Failure) -> None:
            if page.is_open and not failure.check(CancelledError):
                page.complain(self.site.error_of(failure))
                return
            page.close()
            failure.raiseException()

        asked = self.site.dispatcher.run(granted, page)
        self._await(request, asked.addCallback(page.finish).addErrback(complain))

    def _await(self, request: WebRequest, asked: Deferred[None], close: Callable[[], object] = lambda: None) -> None:
        """Leave when the client does; tell it what went wrong."""

        def complain(failure: Failure) -> None:
            close()
            self.site.complain(request, failure)

        if not asked.called:
            request.when_gone = asked.cancel
        asked.addErrback(complain)


def _respond(answer: Answer, request: WebRequest, representation: Representation) -> None:
    body = answer_json(answer) if representation is Representation.JSON else answers.text_of(answer)
    status = answers.status_of(answer, representation)
    request.respond(status, representation, body, answers.outcome_headers(answer))
