"""What a page of ours is told of a run, as the server draws it on pages: there is one way to show it.

Its output comes in pieces, as `OutputHtml` makes them; beside it comes what there is to say when it begins and ends.
Links are as from the address of whoever asks for events; the script makes them good for its page.
"""

from collections.abc import Callable

from cmdserver.core.model import Caller, Command
from cmdserver.core.output import Answer, Stream
from cmdserver.core.run_states import RunState
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.common.rendering import output_omission
from cmdserver.frontends.web.pages.layout import Visitor
from cmdserver.frontends.web.pages.markup import Markup
from cmdserver.frontends.web.pages.output.output_html import OutputHtml
from cmdserver.frontends.web.pages.runs import run_pieces
from cmdserver.frontends.web.pages.runs.run_facts import RunFacts, Way
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.frontends.web.site import Site
from cmdserver.runs.record import RunRecord

#: Tells of the run as it is now; None if there is none yet, or none any more.
Look = Callable[[], SeenRun | None]


class RunDrawing:
    """One run, as it is drawn for one page.

    Args:
        site: What resources share.
        caller: Who looks.
        way: How they have come.
        look: Tells of the run.
        visitor: Says who looks, and from which address.
    """

    def __init__(self, site: Site, caller: Caller, way: Way, look: Look, visitor: Callable[[], Visitor]) -> None:
        self._site = site
        self._caller = caller
        self._way = way
        self._look = look
        self._usual_seconds: float | None = None
        self._last_success: RunRecord | None = None
        self._may_run = way is Way.ASKED
        self._command_name = ""
        self._output: OutputHtml | None = None
        #: As long as its page is not there it is that of the page that was.
        self.visitor = visitor
        #: What is known of the run, once that is more than can be looked up.
        self.record: RunRecord | None = None
        self._answer: Answer | None = None

    # Output

    def begin(self, command: Command) -> None:
        """Begin the output anew."""
        self._command_name = command.name
        self._output = OutputHtml(colours=command.colours)

    def feed(self, stream: Stream, chunk: bytes) -> Markup | None:
        """Return what a piece of output looks like behind those before."""
        return self._output.feed(stream, chunk) if self._output is not None else None

    def missing(self, count: int) -> Markup | None:
        """Return what is shown where so many bytes are no longer known."""
        return self.feed(Stream.STDERR, output_omission(self._command_name, count))

    def finish(self) -> Markup | None:
        """Return the end of the output."""
        return self._output.finish() if self._output is not None else None

    # Beside it

    def now(self) -> bytes:
        """Draw what has become of the run: that it was begun, or how it has ended; empty if nothing is known of it."""
        now, visitor = self._site.time_of_day(), self.visitor()
        if self._answer is not None and self.record is not None:
            shown = Shown(self.record, self._site.dispatcher.runs.command(self.record.command))
            return run_pieces.ending(visitor, shown, self._answer, self._facts(visitor, self.record), now)
        seen = self._look()
        if seen is None:
            return b""
        return run_pieces.beginning(visitor, seen, self._facts(visitor, seen.record), now)

    async def expect(self) -> None:
        """Learn how long the command usually takes."""
        if (seen := self._look()) is not None:
            self._usual_seconds = await self._site.dispatcher.runs.usual_seconds(seen.record.command)

    async def ended(self, answer: Answer) -> None:
        """Learn how the run has ended, and what is said beside that."""
        if self.record is None and (seen := self._look()) is not None:
            self.record = seen.record
        if self.record is None:
            return
        runs, caller = self._site.dispatcher.runs, self._caller
        if self._way is Way.WATCHED:
            self._may_run = self.record.command in self._site.dispatcher.names(caller)
        if answer.state is not RunState.OK:
            self._last_success = await runs.last_success(caller, self.record.command)
        self._answer = answer

    def _facts(self, visitor: Visitor, record: RunRecord) -> RunFacts:
        command = self._site.dispatcher.runs.command(record.command)
        return RunFacts(
            way=self._way,
            usual_seconds=self._usual_seconds,
            last_success=self._last_success,
            may_run=self._may_run,
            trend=None if record.state.is_alive else self._site.trend(self._caller, record),
            has_page=run_pieces.has_page(visitor, self._way, record, command),
        )
