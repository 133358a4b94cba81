"""What lies below ``/-/runs``: the list, one run, and what ends it; who may see what is the dispatcher's to say."""

from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Final

from twisted.internet.defer import CancelledError, Deferred

from cmdserver.core.errors import RequestError, UnknownCommand
from cmdserver.core.model import Caller
from cmdserver.core.output import Answer
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.run_access import FoundRuns
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.common import run_text
from cmdserver.frontends.common.text_sink import Style, TextSink
from cmdserver.frontends.web.event_streams import LAST_EVENT_ID, EventStreams, is_number
from cmdserver.frontends.web.http.negotiation import OF_COMMANDS, Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages.layout import RUNS_PATH
from cmdserver.frontends.web.pages.runs import run_list
from cmdserver.frontends.web.pages.runs.run_facts import Way
from cmdserver.frontends.web.request_values import follows
from cmdserver.frontends.web.runs.event_sink import ResponseSink
from cmdserver.frontends.web.runs.list_stream import ListStream, shown_to
from cmdserver.frontends.web.runs.run_output import FollowedText, RunText
from cmdserver.frontends.web.runs.run_page import RunPage
from cmdserver.frontends.web.site import Leaf, Site

_READ: Final = b"GET, HEAD"

#: What answers a request once it can.
_Answering = Coroutine[Deferred[object], object, None]


class RunsResource(Leaf):
    """The runs that a caller may see.

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
        """See `Leaf`."""
        match request.target.parts[2:]:
            case () | ("",):
                self._serve_read(request, lambda: self._list(request, caller))
            case (run_id,):
                self._serve_read(request, lambda: self._one(request, caller, run_id))
            case (run_id, "stop"):
                self._serve_stop(request, caller, run_id)
            case _:
                self.site.refuse(request, caller, UnknownCommand("/".join(request.target.parts)), HTTPStatus.NOT_FOUND)

    def _serve_read(self, request: WebRequest, answer: Callable[[], _Answering | None]) -> None:
        if request.is_read_only:
            if (answering := answer()) is not None:
                self.site.await_answer(request, Deferred.fromCoroutine(answering))
        else:
            self.site.refuse_method(request, _READ)

    def _serve_stop(self, request: WebRequest, caller: Caller, run_id: str) -> None:
        if request.method != b"POST":
            self.site.refuse_method(request, b"POST")
            return
        self.site.authentication.require_meant(request, caller, request.form())
        self.site.await_answer(request, Deferred.fromCoroutine(self._stop(request, caller, run_id)))

    # The list

    def _list(self, request: WebRequest, caller: Caller) -> _Answering | None:
        if request.representation(OF_COMMANDS) is not Representation.EVENTS:
            return self._answer_list(request, caller)
        query = self.site.consult(
            request, caller, lambda: self.site.dispatcher.runs.follow(caller, request.target.query)
        )
        if query is not None:
            ListStream(self.site, request, ResponseSink(self.site, request), caller, query).begin()
        return None

    async def _answer_list(self, request: WebRequest, caller: Caller) -> None:
        found = await self.site.dispatcher.runs.find(caller, request.target.query)
        request.when_gone = None
        match representation := request.representation():
            case Representation.PAGE:
                body = self._list_page(request, caller, found)
            case Representation.JSON:
                body = run_text.list_json(found.records)
            case _:
                body = run_text.list_text(found.records)
        request.respond(HTTPStatus.OK, representation, body)

    def _list_page(self, request: WebRequest, caller: Caller, found: FoundRuns) -> bytes:
        runs = self.site.dispatcher.runs
        shown = [shown_to(self.site, caller, each) for each in found.records]
        counts = Counter(each.state for each in runs.alive(caller))
        visitor = self.site.visitor(request, caller)
        return run_list.list_page(visitor, shown, found.query, runs.names(caller), counts, self.site.time_of_day())

    # One run

    def _one(self, request: WebRequest, caller: Caller, run_id: str) -> _Answering | None:
        if request.method == b"HEAD":
            return self._answer_head(request, caller, run_id)
        match request.representation(OF_COMMANDS):
            case Representation.EVENTS:
                # What is known of another run says nothing of this one.
                last, _, position = (request.header(LAST_EVENT_ID) or b"").decode("latin-1").partition(".")
                position = position if last == run_id else ""
                events = ResponseSink(self.site, request)
                self._streams.watch(events, caller, run_id, int(position) if is_number(position) else None)
                return None
            case Representation.JSON:
                return self._answer_json(request, caller, run_id)
            case Representation.PAGE:
                return self._answer_page(request, caller, run_id)
            case _ if follows(request.target):
                output = FollowedText(request, run_id)
                sink = TextSink(output, Style.FOLLOWED)
                return output.tell(sink, self._answer_of(caller, run_id, sink))
            case _:
                return self._answer_text(request, caller, run_id)

    async def _answer_of(self, caller: Caller, run_id: str, sink: TextSink) -> Answer:
        return (await self.site.dispatcher.runs.attach(caller, run_id, sink)).answer

    async def _answer_head(self, request: WebRequest, caller: Caller, run_id: str) -> None:
        """Say that there is such a run, and do not wait for its end."""
        await self.site.dispatcher.runs.get(caller, run_id)
        request.begin(HTTPStatus.OK, request.representation(OF_COMMANDS))
        request.finish()

    async def _answer_json(self, request: WebRequest, caller: Caller, run_id: str) -> None:
        seen = await self.site.dispatcher.runs.get(caller, run_id)
        request.respond(HTTPStatus.OK, Representation.JSON, run_text.seen_json(seen))

    async def _answer_text(self, request: WebRequest, caller: Caller, run_id: str) -> None:
        output = RunText(request)
        sink = TextSink(output, Style.AS_IT_COMES, is_raw=True)
        try:
            ended = await self.site.dispatcher.runs.attach(caller, run_id, sink, output.expect)
        finally:
            output.follow(None)
        sink.finish(ended.answer)
        output.finish()

    async def _answer_page(self, request: WebRequest, caller: Caller, run_id: str) -> None:
        self.site.forget_script(request)
        runs, names = self.site.dispatcher.runs, self.site.dispatcher.names
        visitor = self.site.visitor(request, caller)
        look = partial(runs.look, caller, run_id)
        page = RunPage(request, visitor, Way.WATCHED, look, lambda: f"run={run_id}", self.site.time_of_day)
        page.expect(await self._usual_seconds(caller, run_id))

        def begin(seen: SeenRun) -> None:
            page.begin(seen, may_run=seen.record.command in names(caller))

        try:
            attached = runs.attach(caller, run_id, page, begin)
            if page.is_to_settle and not attached.called:
                page.settle()
            if page.is_completed:
                attached.addErrback(lambda failure: failure.trap(CancelledError))
                attached.cancel()
                return
            answer, record = await attached
            is_well = record.state is RunState.OK
            last = None if is_well else await runs.last_success(caller, record.command)
        except RequestError as error:
            page.close()
            if not request.startedWriting or request.is_gone:
                raise
            page.complain(error)
            return
        finally:
            page.close()
        answer = await self.site.dispatcher.assessor.complete(answer)
        page.finish(answer, record, last, self.site.trend(caller, record))

    async def _usual_seconds(self, caller: Caller, run_id: str) -> float | None:
        """Say how long a run usually takes; of one that is over that is not of interest."""
        seen = self.site.dispatcher.runs.look(caller, run_id)
        return await self.site.dispatcher.runs.usual_seconds(seen.record.command) if seen is not None else None

    async def _stop(self, request: WebRequest, caller: Caller, run_id: str) -> None:
        record = await self.site.dispatcher.runs.stop(caller, run_id)
        request.when_gone = None
        match representation := request.representation():
            case Representation.PAGE:
                request.redirect_to(f"{RUNS_PATH}/{record.id}")
            case Representation.JSON:
                request.respond(HTTPStatus.OK, representation, run_text.record_json(record))
            case _:
                request.respond(HTTPStatus.OK, representation, run_text.record_text(record))
