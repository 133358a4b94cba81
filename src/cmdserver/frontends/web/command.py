"""One resource for all commands: GET runs what only reads, POST runs anything, and ``Accept`` says what comes back.

Whatever is asked, the dispatcher is asked once. People are asked for values that they have not given, and whether they
mean it where the command says so; programs are not.
"""

from http import HTTPStatus

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cmdserver.core.errors import BadArgument, Denied, Malformed, RequestError
from cmdserver.core.model import Caller, Command
from cmdserver.core.output import Answer
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.common import run_text
from cmdserver.frontends.common.rendering import answer_json
from cmdserver.frontends.common.text_sink import Style, TextSink
from cmdserver.frontends.web import answers
from cmdserver.frontends.web.command_forms import CommandForms
from cmdserver.frontends.web.event_streams import LAST_EVENT_ID, EventStreams
from cmdserver.frontends.web.held_response import HELD_TEXT_BYTES, HeldText
from cmdserver.frontends.web.http.form_data import Fields
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import command_pages
from cmdserver.frontends.web.pages.forms.filled_form import is_sent_by_get
from cmdserver.frontends.web.pages.layout import RUNS_PATH
from cmdserver.frontends.web.request_values import RequestValues, values_of
from cmdserver.frontends.web.runs.asked_page import AskedPage
from cmdserver.frontends.web.runs.run_output import FollowedText
from cmdserver.frontends.web.site import Leaf, Site
from cmdserver.runs.record import RunRecord

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
    is_of_commands = True

    def __init__(self, site: Site, streams: EventStreams) -> None:
        super().__init__(site)
        self._streams = streams
        self._forms = CommandForms(site)

    def serve(self, request: WebRequest, caller: Caller) -> None:
        """See `Leaf`; which methods there are depends on the command, and on who asks."""
        form: Fields = ()
        if not request.is_read_only and request.method in _METHODS:
            form = request.form()
            self.site.authentication.require_meant(request, caller, form)
        target = request.target
        # Most requests have no values, and one call less each.
        asked = (
            values_of(target, form) if form or target.query or len(target.parts) > 1 else RequestValues(target.parts)
        )
        if (
            request.requestHeaders.hasHeader(LAST_EVENT_ID)
            and request.representation(OF_COMMANDS) is Representation.EVENTS
        ):
            self._streams.resume(request, caller)
            return
        try:
            granted = self.site.dispatcher.authorize(caller, asked.words, asked.fields)
            self._serve(request, granted, asked)
        except RequestError as error:
            status = None
            if request.method not in _METHODS:
                request.responseHeaders.setRawHeaders(b"Allow", [_ALL_METHODS])
                status = HTTPStatus.METHOD_NOT_ALLOWED
            elif (
                isinstance(error, Denied)
                and request.representation(OF_COMMANDS) is Representation.PAGE
                and self._forms.deny(request, caller, asked, error)
            ):
                return
            self.site.answer_error(request, caller, error, status)

    def _serve(self, request: WebRequest, granted: Request, asked: RequestValues) -> None:
        """Run what was granted, or say how it is to be asked for."""
        command = granted.grant.command
        if request.method not in _METHODS:
            self._refuse_method(request, granted, _ALL_METHODS if command.read_only else b"POST")
        elif command.parameters.secrets and (secrets := asked.secrets_in_address(command)) is not None:
            self._refuse_values(request, granted, asked, secrets)
        elif request.is_read_only and not command.read_only:
            self._ask_for_post(request, granted, asked)
        elif (
            (command.template is not None or command.confirm)  # others cost no calls for this
            and request.is_read_only
            and _asks_for_values(request, command, asked)
        ):
            self._forms.show(request, granted, asked, HTTPStatus.OK, "")
        elif request.method == b"HEAD" and granted.mistake is None:
            # What cannot be known without running it is left out (RFC 9110, section 9.3.2).
            self.site.dispatcher.describe(granted)
            request.begin(HTTPStatus.OK, request.representation(OF_COMMANDS))
            request.finish()
        elif granted.mistake is not None and not command.parameters:
            self._refuse_values(request, granted, asked, granted.mistake)
        elif request.provenance.is_of_other_page:
            # It may be that site's wish alone.
            self._forms.show(request, granted, asked, HTTPStatus.OK, command_pages.LED_HERE)
        elif granted.mistake is not None:
            self._refuse_values(request, granted, asked, granted.mistake)
        elif command.confirm and _is_unanswered(request, asked):
            self._forms.confirm(request, granted, asked)
        else:
            self._run(request, granted, asked)

    def _refuse_method(self, request: WebRequest, granted: Request, allowed: bytes) -> None:
        request.responseHeaders.setRawHeaders(b"Allow", [allowed])
        refusal = Malformed(f"this address takes {allowed.decode('ascii')}")
        error = self.site.dispatcher.reject(granted, refusal)
        status = HTTPStatus.METHOD_NOT_ALLOWED if error is refusal else None
        self.site.answer_error(request, granted.caller, error, status)

    def _refuse_values(self, request: WebRequest, granted: Request, asked: RequestValues, mistake: BadArgument) -> None:
        error = self.site.dispatcher.reject(granted, mistake)
        if (
            error is mistake
            and granted.grant.command.parameters
            and request.representation(OF_COMMANDS) is Representation.PAGE
        ):
            self._forms.refuse(request, granted, asked, mistake)
        else:
            self.site.answer_error(request, granted.caller, error)

    def _ask_for_post(self, request: WebRequest, granted: Request, asked: RequestValues) -> None:
        """Show somebody who only looks at a command that changes something how to run it."""
        request.responseHeaders.setRawHeaders(b"Allow", [b"POST"])
        representation = request.representation()
        if representation is Representation.PAGE:
            self._forms.show(request, granted, asked, HTTPStatus.METHOD_NOT_ALLOWED, "")
            return
        self.site.dispatcher.describe(granted)
        if representation is Representation.JSON:
            body = b'{"error": {"code": "malformed", "message": "this command is run with POST"}}\n'
        else:
            body = b"cmdserver: malformed: this command is run with POST\n"
        request.respond(HTTPStatus.METHOD_NOT_ALLOWED, representation, body)

    def _run(self, request: WebRequest, granted: Request, asked: RequestValues) -> None:
        dispatcher = self.site.dispatcher
        if request.requestHeaders.hasHeader(b"prefer") and request.prefers_async:
            self.site.await_answer(request, dispatcher.start(granted).addCallback(_accept, request, granted))
            return
        match request.representation(OF_COMMANDS):
            case Representation.EVENTS:
                self._streams.begin(request, granted)
            case Representation.PAGE:
                self._run_for_page(request, granted, asked)
            case Representation.TEXT if asked.is_followed:
                followed = FollowedText(request, granted.id)
                sink = TextSink(followed, Style.FOLLOWED)
                self.site.await_answer(
                    request, Deferred.fromCoroutine(followed.tell(sink, dispatcher.run(granted, sink)))
                )
            case Representation.TEXT if (
                granted.grant.command.output_limit_bytes > HELD_TEXT_BYTES and granted.grant.command.check is None
            ):
                text = HeldText(request)
                sink = TextSink(text, Style.VERBATIM)
                running = dispatcher.run(granted, sink).addCallback(sink.finish).addCallback(text.finish, sink)
                self.site.await_answer(request, running.addErrback(text.abandon))
            case representation:
                answering = dispatcher.run(granted)
                if representation is Representation.JSON and granted.grant.command.parser is not None:
                    answering.addCallback(dispatcher.assessor.complete)
                self.site.await_answer(request, answering.addCallback(_respond, request, representation))

    def _run_for_page(self, request: WebRequest, granted: Request, asked: RequestValues) -> None:
        def refuse(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, BadArgument) and granted.grant.command.parameters:
                self._forms.refuse(request, granted, asked, error)
            else:
                failure.raiseException()

        page = AskedPage(self.site, self._streams, request, granted)
        self.site.await_answer(request, page.run().addErrback(refuse))


def _asks_for_values(request: WebRequest, command: Command, asked: RequestValues) -> bool:
    """Whether somebody looks at a command with a browser who is to be asked for its values first, or for a yes."""
    is_asked = (command.parameters and (asked.is_empty or asked.is_to_be_edited)) or not is_sent_by_get(command)
    return bool(is_asked) and request.representation(OF_COMMANDS) is Representation.PAGE


def _is_unanswered(request: WebRequest, asked: RequestValues) -> bool:
    """Whether somebody has sent a form and was not asked yet whether they mean it."""
    return not asked.is_confirmed and request.representation(OF_COMMANDS) is Representation.PAGE


def _accept(record: RunRecord, request: WebRequest, granted: Request) -> None:
    """Answer with where a run can be looked at that goes on by itself (RFC 7240, section 4.1)."""
    location = f"{request.target.base_path}{RUNS_PATH}/{record.id}".encode("ascii")
    more: Headers = ((b"Location", location), (b"Preference-Applied", b"respond-async"))
    if granted.is_joined:
        more += answers.JOINED
    representation = request.representation()
    is_json = representation is Representation.JSON
    body = run_text.record_json(record, joined=granted.is_joined) if is_json else run_text.started_text(record.id)
    request.respond(HTTPStatus.ACCEPTED, Representation.JSON if is_json else Representation.TEXT, body, more)


def _respond(answer: Answer, request: WebRequest, representation: Representation) -> None:
    body = answer_json(answer) if representation is Representation.JSON else answers.text_of(answer)
    status = answers.status_of(answer, representation)
    request.respond(status, representation, body, answers.outcome_headers(answer))
