"""A page with one run: for whoever has asked for the run, or looks at it.

Whoever has asked is answered whole, and with the status of how the run ended, if that is soon; the page is held back
for a moment for that. After it the page is begun, and grows while the run goes on; or, where the browser runs our
script, it is completed with what is there: the script asks for the rest, with those of all other pages, on one
connection. A page that was begun or completed is 200, and tells in words how the run ended.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from msgspec.structs import replace
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from cmdserver.core.errors import RequestError
from cmdserver.core.model import Grant
from cmdserver.core.output import Answer, Producer, Stream
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.common.rendering import complaint, output_omission
from cmdserver.frontends.web import answers
from cmdserver.frontends.web.held_response import HeldResponse
from cmdserver.frontends.web.http.negotiation import Representation
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages.layout import SCRIPT_COOKIE, Visitor
from cmdserver.frontends.web.pages.markup import Markup, encode
from cmdserver.frontends.web.pages.output.output_html import OutputHtml
from cmdserver.frontends.web.pages.pages import in_words
from cmdserver.frontends.web.pages.runs import run_pages, run_pieces
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.frontends.web.runs.run_drawing import Look
from cmdserver.runs.check_trends import Trend
from cmdserver.runs.record import RunRecord

#: The most output that is held back: somebody waits for the page.
HELD_PAGE_BYTES: Final = 1 << 16
#: How long a page is held back.
PATIENCE_SECONDS: Final = 1.0

#: Lets somebody else hear the run from now on; returns what the script is to ask for, or None if nobody can.
HandOver = Callable[[], str | None]


class RunPage(HeldResponse):
    """The page of a run; a `Listener`.

    Args:
        request: To be answered.
        visitor: Who looks.
        way: How they have come.
        look: Tells of the run.
        hand_over: Is asked once it is known that the run goes on.
        time_of_day: Seconds since the epoch.
        is_whole: Whether it is held back until the run is over, as programs go by its status.
    """

    representation = Representation.PAGE

    def __init__(
        self,
        request: WebRequest,
        visitor: Visitor,
        way: Way,
        look: Look,
        hand_over: HandOver,
        time_of_day: Callable[[], float],
        *,
        is_whole: bool = False,
    ) -> None:
        super().__init__(request, HELD_PAGE_BYTES)
        self._is_whole = is_whole
        query = tuple(request.target.query) if request.is_read_only else None
        self.facts = RunFacts(way=way, may_run=way is Way.ASKED, query=query)
        #: Whether it is sent, and the run goes on.
        self.is_completed = False
        self._hand_over = hand_over if SCRIPT_COOKIE in request.received_cookies else None
        #: Bytes of output that were heard, or are missing.
        self._position = 0
        self._is_late = False
        self._visitor = visitor
        self._look = look
        self._time_of_day = time_of_day
        self._seen: SeenRun | None = None
        self._has_output = False
        self._patience: IDelayedCall | None = None
        self._html: OutputHtml | None = None

    def expect(self, usual_seconds: float | None) -> None:
        """Say how long it usually takes, if that is known before the page begins."""
        self.facts = replace(self.facts, usual_seconds=usual_seconds)

    def wait(self, clock: IReactorTime) -> None:
        """Hold the page back for a moment, in which the run may be over."""
        if not self._is_whole:
            self._patience = clock.callLater(PATIENCE_SECONDS, self._settle_late)

    def begin(self, seen: SeenRun, *, may_run: bool) -> None:
        """Begin the page with what is known of the run, unless all is known at once, or it waits for `settle`.

        Args:
            seen: The run.
            may_run: Whether the visitor may ask for the same anew.
        """
        self._know(seen)
        self.facts = replace(self.facts, may_run=may_run)
        if seen.record.state.is_alive and self._hand_over is None:
            self.open()

    @property
    def is_to_settle(self) -> bool:
        """Whether it was begun and waits for `settle`."""
        return self._hand_over is not None and self._seen is not None and self._seen.record.state.is_alive

    def settle(self) -> None:
        """Hold nothing back any more: the run goes on. Idempotent."""
        if self.is_completed or self.is_open or self.request.is_gone:
            return
        seen = self._look()
        if seen is not None:
            self._know(seen)
        if self._seen is None:
            return
        follow = None
        if self._hand_over is not None and self._seen.record.state.is_alive:
            follow = self._hand_over()
        if follow is None:
            self.open()
        else:
            self._complete(self._seen, follow)

    # Listener

    def started(self, grant: Grant, producer: Producer) -> None:  # noqa: ARG002 - known before
        if self.is_completed:
            return
        self.follow(producer)
        if self._seen is not None and not self._seen.record.state.is_alive:
            return
        seen = self._look()
        if seen is not None:
            self._know(seen)
        if self.is_open and not self._has_output and seen is not None:
            self.request.write(run_pages.state(self._visitor, seen, self.facts, self._time_of_day()))
            self._begin_output()
        elif self._is_late:
            self.settle()

    def write(self, stream: Stream, chunk: bytes) -> None:
        if not self.is_completed:
            self._position += len(chunk)
            self._hold(stream, chunk)

    def missed(self, count: int) -> None:
        if not self.is_completed:
            self._position += count
            self._hold(Stream.STDERR, output_omission(self._known.record.command, count))

    def notice(self, text: str) -> None:
        if not self.is_completed:
            self._hold(Stream.STDERR, complaint(text))

    # HeldResponse

    def overflow(self) -> None:
        if not self._is_whole:
            self.settle()

    def preface(self) -> None:
        seen = self._known
        self.request.write(run_pages.head(self._visitor, seen, self.facts, self._time_of_day()))
        if seen.record.started_at is not None or not seen.record.state.is_alive or self._held:
            self._begin_output()

    def send(self, stream: Stream, chunk: bytes) -> None:
        self._write(self._output.feed(stream, chunk))

    # The end

    def close(self) -> None:
        """Stop following the run, which is over or was left. Idempotent."""
        self.follow(None)
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None

    def finish(
        self, answer: Answer, record: RunRecord, last_success: RunRecord | None, trend: Trend | None = None
    ) -> None:
        """End the page: the run is over.

        Args:
            answer: How it ended.
            record: The run.
            last_success: The last run of the same command that went well.
            trend: What the check has found in the day before.
        """
        self.close()
        seen = self._known
        shown = Shown(record, seen.grant.command)
        has_page = self._has_page(record, seen)
        self.facts = replace(self.facts, has_page=has_page, last_success=last_success, trend=trend)
        now = self._time_of_day()
        if self.is_open:
            was_alive = seen.record.state.is_alive
            self._end_with(run_pages.tail(self._visitor, shown, answer, self.facts, now, was_alive=was_alive))
            return
        over = replace(seen, record=record, may_stop=False)
        body = b"".join(
            (
                run_pages.head(self._visitor, over, self.facts, now),
                run_pages.output_start(seen.grant.command, is_alive=False),
                self._said(),
                encode(self._output.finish()),
                run_pages.tail(self._visitor, shown, answer, self.facts, now, was_alive=False),
            )
        )
        is_asked = self.facts.way is Way.ASKED
        status = answers.status_of(answer, self.representation) if is_asked else HTTPStatus.OK
        self.request.respond(status, self.representation, body, answers.outcome_headers(answer) if is_asked else ())

    def complain(self, error: RequestError) -> None:
        """End a page that was begun, though its reader may see no more of the run, or there is no answer."""
        self.close()
        self._end_with(run_pages.gone(self._visitor, in_words(error), has_output=self._has_output))

    # Steps

    @property
    def _known(self) -> SeenRun:
        if self._seen is None:
            self._seen = self._look()
        if self._seen is None:
            raise ValueError("the page of a run that nothing is known of")
        return self._seen

    @property
    def _output(self) -> OutputHtml:
        if self._html is None:
            self._html = OutputHtml(colours=self._known.grant.command.colours)
        return self._html

    def _know(self, seen: SeenRun) -> None:
        self._seen = seen
        self.facts = replace(self.facts, has_page=self._has_page(seen.record, seen))

    def _has_page(self, record: RunRecord, seen: SeenRun) -> bool:
        return run_pieces.has_page(self._visitor, self.facts.way, record, seen.grant.command)

    def _complete(self, seen: SeenRun, follow: str) -> None:
        """Send the page with what there is, and where the script is to go on."""
        self.close()
        self.is_completed = True
        has_begun = seen.record.started_at is not None
        has_output = has_begun or bool(self._held)
        self.facts = replace(self.facts, follow=f"{follow}.{self._position}" if has_begun else follow)
        body = (
            run_pages.head(self._visitor, seen, self.facts, self._time_of_day()),
            run_pages.output_start(seen.grant.command, is_alive=True) + self._said() if has_output else b"",
            run_pieces.end(self._visitor, seen.record, self.facts, has_output=has_output),
        )
        self._held.clear()
        self.request.respond(HTTPStatus.OK, self.representation, b"".join(body))

    def _said(self) -> bytes:
        """Return the output that is held back."""
        return b"".join(encode(self._output.feed(stream, chunk)) for stream, chunk in self._held)

    def _settle_late(self) -> None:
        self._patience = None
        self._is_late = True
        self.settle()

    def _begin_output(self) -> None:
        if not self._has_output:
            self._has_output = True
            seen = self._known
            is_alive = seen.record.state.is_alive
            self.request.write(run_pages.output_start(seen.grant.command, is_alive=is_alive))

    def _end_with(self, tail: bytes) -> None:
        if self._has_output:
            self._write(self._output.finish())
        self.request.write(tail)
        self.request.finish()

    def _write(self, said: Markup) -> None:
        if said:
            self._begin_output()
            self.request.write(encode(said))
