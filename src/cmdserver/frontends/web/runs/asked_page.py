"""The page of a command that somebody has asked for: it runs, and whoever has asked is shown what becomes of it.

Where the page is completed before the run is over, the run goes on for the page's script, see
`EventStreams.take_over`: to leave the page is then to leave the run, as it is while a page comes.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from cmdserver.core.errors import UnknownRun
from cmdserver.core.model import Command
from cmdserver.core.output import Answer
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.requests import Request
from cmdserver.frontends.web.event_streams import EventStreams
from cmdserver.frontends.web.held_response import HELD_TEXT_BYTES
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages.layout import SCRIPT_COOKIE
from cmdserver.frontends.web.pages.runs.run_facts import Way
from cmdserver.frontends.web.runs.run_drawing import RunDrawing
from cmdserver.frontends.web.runs.run_page import RunPage
from cmdserver.frontends.web.runs.wanted import Kind
from cmdserver.frontends.web.site import Site


class AskedPage:
    """One of them.

    Args:
        site: What resources share.
        streams: Has the run once the page is complete.
        request: To be answered.
        granted: What was asked for.
    """

    def __init__(self, site: Site, streams: EventStreams, request: WebRequest, granted: Request) -> None:
        self._site = site
        self._streams = streams
        self._granted = granted
        self._visitor = site.visitor(request, granted.caller)
        self._look = site.dispatcher.runs.of_request(granted)
        self._page = RunPage(
            request,
            self._visitor,
            Way.ASKED,
            self._look,
            self._hand_over,
            site.time_of_day,
            is_whole=_goes_by_status(request, granted.grant.command),
        )
        #: Fires with the answer, for whoever shows it: the page, or nobody any more.
        self._answered: Deferred[Answer]
        self._running: Deferred[None]

    def run(self) -> Deferred[None]:
        """Run the command.

        Returns:
            Fires when the page is sent, or handed over; fails with what there is instead of a page. To cancel it is to
            leave.
        """
        page, runs = self._page, self._site.dispatcher.runs
        runs.usual_seconds(self._granted.grant.command.name).addCallback(page.expect)
        page.wait(self._site.clock)
        running = self._site.dispatcher.run(self._granted, page)
        self._answered = Deferred(lambda _: running.cancel())
        self._running = running.addCallbacks(self._pass_on, self._pass_on)
        return Deferred.fromCoroutine(self._show()).addErrback(self._complain)

    def _pass_on(self, result: Answer | Failure) -> None:
        answered = self._answered
        if not answered.called:
            answered.callback(result)

    async def _show(self) -> None:
        runs, granted = self._site.dispatcher.runs, self._granted
        answer = await self._answered
        self._page.close()
        answer = await self._site.dispatcher.assessor.complete(answer)
        seen = self._look()
        if seen is None:
            raise UnknownRun(granted.id)
        is_well = answer.state is RunState.OK
        last = None if is_well else await runs.last_success(granted.caller, granted.grant.command.name)
        self._page.finish(answer, seen.record, last, self._site.trend(granted.caller, seen.record))

    def _complain(self, failure: Failure) -> None:
        self._page.close()
        if not self._page.is_open or failure.check(CancelledError):
            failure.raiseException()
        self._page.complain(self._site.error_of(failure))

    def _hand_over(self) -> str | None:
        """Let the page's script have the rest; see `RunPage`."""
        granted, running = self._granted, self._running
        rest: Deferred[Answer] = Deferred(lambda _: running.cancel())
        drawing = RunDrawing(self._site, granted.caller, Way.ASKED, self._look, lambda: self._visitor)
        shown, self._answered = self._answered, rest
        if not self._streams.take_over(granted, rest, drawing):
            self._answered = shown
            return None
        shown.errback(CancelledError())
        return f"{Kind.ASKED.value}={granted.id}"


def _goes_by_status(request: WebRequest, command: Command) -> bool:
    """Whether somebody may look at nothing but the status of a check, as uptime checkers do that ask for a page.

    A browser with our script shows the state itself, and while it is found out.
    """
    is_small = command.output_limit_bytes <= HELD_TEXT_BYTES
    return command.check is not None and is_small and SCRIPT_COOKIE not in request.received_cookies
