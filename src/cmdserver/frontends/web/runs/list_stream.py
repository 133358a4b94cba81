"""The list of runs while it changes, as an event stream (HTML standard, "Server-sent events").

    event: alive
    data: {"ids": ["6f1c…", …]}

    event: run
    data: {"id": "6f1c…", "command": "df", "state": "running", …, "matches": true}

    event: count
    data: {"running": 2, "queued": 1}

First comes what is alive, and each of these runs; then whatever becomes of runs that the caller may see at that moment.
``matches`` says whether the run is one of those that were asked for: it may have become another. ``count`` is of all
that is alive. Of a run that changes often only the latest is told, some times a second. A client that does not read
costs no memory but one event a run; ``gap`` tells it that it has missed some.
"""

import json
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Final

from twisted.internet.interfaces import IDelayedCall

from cmdserver.core.model import Caller
from cmdserver.core.run_states import RunState
from cmdserver.frontends.common.run_text import run_fields
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.frontends.web.pages import command_list
from cmdserver.frontends.web.pages.runs import run_list
from cmdserver.frontends.web.pages.runs.run_marks import Shown
from cmdserver.frontends.web.runs.event_sink import HEARTBEAT_SECONDS, EventSink
from cmdserver.frontends.web.site import Site
from cmdserver.net.backpressure import Backpressure
from cmdserver.runs.query import RunQuery
from cmdserver.runs.record import RunRecord

#: How long changes wait to be told together.
TOGETHER_SECONDS: Final = 0.1
#: The most changes that are told at once, so that nobody else waits for long, and pages show them without a stutter.
MOST_TOGETHER: Final = 20
#: The most changes that wait for a client.
MOST_WAITING: Final = 1000
#: Who wants what the server draws beside the fields, such as rows of the page's table: our script says so.
ROWS: Final = b"cmdserver-rows"


class ListStream(Backpressure):
    """The events of one client.

    Args:
        site: What resources share.
        request: Which asks for it, and may ask for more.
        sink: Where events go.
        caller: Who looks.
        query: Which runs they want to see.
    """

    def __init__(self, site: Site, request: WebRequest, sink: EventSink, caller: Caller, query: RunQuery) -> None:
        self._site = site
        self._request = request
        self._sink = sink
        self._caller = caller
        self._query = query
        #: For whom rows are drawn; None if they are not wanted. Its address is the list's: what it says of links holds
        #: there.
        self._visitor = site.visitor(request, caller) if request.requestHeaders.hasHeader(ROWS) else None
        self._waiting: dict[int, Callable[[], RunRecord]] = {}
        self._has_gap = False
        self._counts: dict[str, int] = {}
        self._telling: IDelayedCall | None = None
        self._beating: IDelayedCall | None = None
        self._stop: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Tell what is alive, and then what changes, until the client leaves or may not look any more."""
        runs = self._site.dispatcher.runs
        self._sink.connect(self._end, self._end)
        self._sink.begin(self)
        alive = [each for each in runs.alive(self._caller) if self._query.matches(each)]
        self._write(b"alive", {"ids": [each.id for each in alive]})
        self._stop = runs.listen(self._caller, self._hear)
        # A page is older than its stream: what has ended in between is in neither.
        ended = runs.just_ended(self._caller) if self._visitor is not None else ()
        for record in (*ended, *reversed(alive)):
            self._hear(record.number, partial(_same, record))
        self._count()
        self._beat()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._tell_soon()

    def _hear(self, number: int, record: Callable[[], RunRecord]) -> None:
        self._waiting.pop(number, None)
        self._waiting[number] = record
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            self._has_gap = True
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._telling is None and self._waiting and not self.is_output_full:
            self._telling = self._site.clock.callLater(TOGETHER_SECONDS, self._tell)

    def _tell(self) -> None:
        self._telling = None
        if self._is_over():
            return
        if self._has_gap:
            self._has_gap = False
            self._write(b"gap", None)
        for number in list(islice(self._waiting, MOST_TOGETHER)):
            if self.is_output_full:
                return
            record = self._waiting.pop(number)()
            # Now, and not when it was heard: a reload may have come between.
            if self._site.dispatcher.runs.may_see(self._caller, record):
                self._write(b"run", self._fields(record))
        self._count()
        self._tell_soon()

    def _fields(self, record: RunRecord) -> dict[str, object]:
        fields = {**run_fields(record), "matches": self._query.matches(record)}
        if self._visitor is not None:
            shown = shown_to(self._site, self._caller, record)
            fields["group"] = run_list.group_of(shown)
            now = self._site.time_of_day()
            fields["row"] = run_list.row(self._visitor, shown, now)
            fields["number"] = record.number
            fields["last"] = command_list.last_run(record, now)
        return fields

    def _count(self) -> None:
        counted = self._site.dispatcher.runs.counts(self._caller) or {}
        counts = {state.value: counted.get(state, 0) for state in (RunState.RUNNING, RunState.QUEUED)}
        if counts != self._counts:
            self._counts = counts
            self._write(b"count", counts)

    def _beat(self) -> None:
        self._beating = self._site.clock.callLater(HEARTBEAT_SECONDS, self._beat)
        if not self._is_over() and not self.is_output_full:
            self._sink.beat(b": still here\n\n")

    def _is_over(self) -> bool:
        """Whether the session has ended that the stream belongs to; then the stream ends, too."""
        if not self._site.authentication.has_lost_session(self._request):
            return False
        self._end()
        self._sink.finish()
        return True

    def _end(self) -> None:
        self._stop()
        self._waiting.clear()
        for call in (self._telling, self._beating):
            if call is not None and call.active():
                call.cancel()
        self._telling = self._beating = None

    def _write(self, kind: bytes, data: object) -> None:
        self._sink.write(b"event: %s\ndata: %s\n\n" % (kind, json.dumps(data).encode("ascii")))


def shown_to(site: Site, caller: Caller, record: RunRecord) -> Shown:
    """Say how a run is shown to somebody who was told of it."""
    runs = site.dispatcher.runs
    waiting = runs.waiting(caller, record.id) if record.state is RunState.QUEUED else None
    return Shown(record, runs.command(record.command), may_stop=runs.may_stop(caller, record), waiting=waiting)


def _same(record: RunRecord) -> RunRecord:
    return record
