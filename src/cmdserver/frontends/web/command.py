"""One resource for all commands: GET runs what only reads, POST runs anything, and ``Accept`` says what comes back.

Whatever is asked, the dispatcher is asked once. What stands in the path behind the name, in the query, and in a form
beside the anti-forgery token, are arguments.
"""

from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.model import Answer, Caller, Command
from cmdserver.frontends.common.rendering import answer_json
from cmdserver.frontends.web import answers
from cmdserver.frontends.web.event_streams import EventStreams
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.live import HELD_TEXT_BYTES, LivePage, LiveText
from cmdserver.frontends.web.pages import pages
from cmdserver.frontends.web.resources import NOT_DONE_YET, Leaf
from cmdserver.frontends.web.site import Site

_METHODS = frozenset({b"GET", b"HEAD", b"POST"})


class CommandResource(Leaf):
    """Every command, by its path.

    Args:
        site: What resources share.
        streams: The event streams under way.
    """

    allowed = b"GET, HEAD, POST"
    takes_rest = True

    def __init__(self, site: Site, streams: EventStreams) -> None:
        super().__init__(site)
        self._streams = streams

    def render(self, request: WebRequest) -> int:
        """See IResource; which methods there are depends on the command, and on who asks."""
        self.site.identify(request, self.serve, self.meet)
        return NOT_DONE_YET

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`."""
        fields = request.query
        words = list(request.parts)
        if len(words) > 1 and not words[-1]:
            words.pop()  # a slash at the end
        command = self.site.dispatcher.peek(caller, words[0])
        if request.method not in _METHODS:
            self.site.refuse_method(request, self.allowed if command is None or command.read_only else b"POST")
            return
        if not request.is_read_only:
            form = request.form()
            self.site.authentication.require_meant(request, caller, form)
            fields = [*fields, *form]
        elif command is not None and not command.read_only:
            self._ask_for_post(request, caller, command)
            return
        elif request.method == b"HEAD":
            self._describe(request, caller, words[0])
            return
        words += [f"{name}={value}" for name, value in fields if name != pages.TOKEN_FIELD]
        if command is not None and request.provenance.is_of_other_page:
            self._ask_for_click(request, caller, command, words[1:])
        else:
            self._answer(request, caller, words, command)

    def _ask_for_post(self, request: WebRequest, caller: Caller, command: Command) -> None:
        """Show somebody who only looks at a command that changes something how to run it."""
        request.responseHeaders.setRawHeaders(b"Allow", [b"POST"])
        representation = request.representation()
        if self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller, command.name)) is None:
            return
        if representation is Representation.PAGE:
            visitor = self.site.authentication.visitor(request, caller)
            body = pages.command_form(visitor, command, (), pages.CHANGES_SOMETHING)
        elif representation is Representation.JSON:
            body = b'{"error": {"code": "malformed", "message": "this command is run with POST"}}\n'
        else:
            body = b"cmdserver: malformed: this command is run with POST\n"
        request.respond(HTTPStatus.METHOD_NOT_ALLOWED, representation, body)

    def _ask_for_click(self, request: WebRequest, caller: Caller, command: Command, arguments: list[str]) -> None:
        """Show somebody whom another site has led to a command how to run it: it may be that site's wish alone."""
        if self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller, command.name)) is not None:
            visitor = self.site.authentication.visitor(request, caller)
            body = pages.command_form(visitor, command, arguments, pages.LED_HERE)
            request.respond(HTTPStatus.OK, Representation.PAGE, body)

    def _describe(self, request: WebRequest, caller: Caller, name: str) -> None:
        """Answer HEAD without running anything: what cannot be known so is left out (RFC 9110, section 9.3.2)."""
        if self.site.consult(request, caller, lambda: self.site.dispatcher.help(caller, name)) is None:
            return
        request.begin(HTTPStatus.OK, request.representation(OF_COMMANDS))
        request.finish()

    def _answer(self, request: WebRequest, caller: Caller, words: list[str], command: Command | None) -> None:
        match request.representation(OF_COMMANDS):
            case Representation.EVENTS:
                self._streams.serve(request, caller, words)
            case Representation.PAGE:
                self._answer_page(request, caller, words)
            case Representation.TEXT if command is not None and command.output_limit_bytes > HELD_TEXT_BYTES:
                text = LiveText(request)
                asked = self.site.dispatcher.ask(caller, words, text)
                self._await(request, asked.addCallback(text.finish), text.close)
            case representation:
                asked = self.site.dispatcher.ask(caller, words)
                self._await(request, asked.addCallback(_respond, request, representation))

    def _answer_page(self, request: WebRequest, caller: Caller, words: list[str]) -> None:
        visitor = self.site.authentication.visitor(request, caller)
        page = LivePage(request, visitor, words[1:], self.site.clock)

        def complain(failure: Failure) -> None:
            if page.is_open and not failure.check(CancelledError):
                page.complain(self.site.error_of(failure))
                return
            page.close()
            failure.raiseException()

        asked = self.site.dispatcher.ask(caller, words, page)
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
