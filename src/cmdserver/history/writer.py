"""When the history is written: soon, a batch at a time, and later if it does not work; and what the log says of it.

Rule: an episode of trouble is two lines of the log, one when it begins and one when it is over.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cmdserver.history.changes import Change
from cmdserver.history.errors import HistoryError, NotOurs
from cmdserver.history.pending import Pending
from cmdserver.history.retention import HistoryLimits
from cmdserver.history.session import Order, Session, Written
from cmdserver.history.worker import Worker

#: How long changes are collected.
BATCH_SECONDS: Final = 0.05
#: When it is tried again after a failure; each time twice as late.
FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 60.0
#: How often what has become too old is looked for while nothing happens.
TIDY_SECONDS: Final = 3600.0
#: How long a write is waited for; one that opens a large file on a slow disk takes a while.
WRITE_SECONDS: Final = 60.0
#: How long the end of the daemon waits.
CLOSE_SECONDS: Final = 3.0
#: How often the log tells of runs that were dropped, at most.
_TELL_SECONDS: Final = 60.0

_log = Logger()


class Writer:
    """Brings changes to the disk; see `History` for the arguments."""

    def __init__(
        self,
        path: Path,
        limits: HistoryLimits,
        *,
        clock: IReactorTime,
        time_of_day: Callable[[], float],
        worker: Worker,
        session: Session,
    ) -> None:
        self.pending = Pending()
        #: Of which there are runs on the disk.
        self.commands: frozenset[str] = frozenset()
        self.limits = limits
        self._path = path
        self._clock = clock
        self._time_of_day = time_of_day
        self._worker = worker
        self._session = session
        self._timer: IDelayedCall | None = None
        self._is_flushing = False
        self._last_flush: Deferred[None] = succeed(None)
        self._has_started = self._is_closed = False
        #: The file is not ours: nothing is kept until the next reload.
        self._is_off = False
        self._is_in_trouble = False
        self._retry_seconds = FIRST_RETRY_SECONDS
        #: Limits have changed.
        self._prunes = False
        self._told_at = -_TELL_SECONDS

    @property
    def is_readable(self) -> bool:
        """Whether there is a file to ask, or will be at once."""
        is_opening = self._has_started and not self._is_off and not self._is_in_trouble
        return not self._is_closed and (self._session.is_open or is_opening)

    def start(self) -> None:
        """See `History.start`."""
        self._has_started = True
        if os.path.lexists(self._path):  # else there is nothing to be looked at before there is something to keep
            self._flush_in(0)

    def add(self, change: Change) -> None:
        """Take what has happened to a run."""
        self.pending.add(change)
        if self._is_off:
            self.pending.clear()
        elif not self._is_in_trouble:
            self._flush_in(BATCH_SECONDS)

    def look_again(self) -> None:
        """Write soon, though there may be nothing to write: the file was found to be damaged."""
        if not self._is_in_trouble:
            self._flush_in(0)

    def reconfigure(self, limits: HistoryLimits, path: Path) -> None:
        """See `History.reconfigure`."""
        self.limits, self._path = limits, path
        self._is_off, self._prunes = False, True
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._flush_in(0)

    async def finish(self) -> None:
        """Write what is left, and close the file; nothing is written any more.

        Raises:
            HistoryError: The thread hangs.
        """
        self._is_closed = True
        self._cancel_timer()
        if self._has_started:
            if self._is_flushing:
                await self._last_flush
            if self.pending:
                await self._flush()
            await self._worker.ask(CLOSE_SECONDS, self._session.close)

    def tell_what_is_left(self) -> None:
        """Log how many runs were not kept, at the end."""
        self.pending.dropped_runs += sum(1 for _ in self.pending.ended())
        self._told_at = -_TELL_SECONDS
        self._tell_what_was_dropped()

    def _flush_in(self, seconds: float) -> None:
        if not self._has_started or self._is_closed or self._is_off or self._is_flushing:
            return
        if self._timer is not None and self._timer.getTime() <= self._clock.seconds() + seconds:
            return
        self._cancel_timer()
        self._timer = self._clock.callLater(seconds, self._start_flush)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_flush(self) -> None:
        self._timer = None
        self._last_flush = Deferred.fromCoroutine(self._flush())

    async def _flush(self) -> None:
        self._is_flushing = True
        prunes, self._prunes = self._prunes or not self.pending, False
        order = Order(
            path=self._path,
            changes=self.pending.take(),
            alive=self.pending.alive,
            limits=self.limits,
            now=self._time_of_day(),
            prunes=prunes,
        )
        try:
            written = await self._worker.ask(WRITE_SECONDS, self._session.write, order)
        except NotOurs as error:
            next_seconds = self._turn_off(error, order.path)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests go on
            next_seconds = self._failed(error, prunes=prunes)
        else:
            next_seconds = self._succeeded(written)
        self._is_flushing = False
        self._flush_in(next_seconds)

    def _succeeded(self, written: Written) -> float:
        self.pending.written()
        self.commands = written.commands
        self._retry_seconds = FIRST_RETRY_SECONDS
        if written.moved_to is not None:
            _log.error("the history was damaged: it is {path} now, and a new one was begun", path=written.moved_to)
        if self._is_in_trouble:
            self._is_in_trouble = False
            _log.info("the history {path} is written again", path=self._path.absolute())
        self._tell_what_was_dropped()
        return BATCH_SECONDS if self.pending or self._prunes else TIDY_SECONDS

    def _failed(self, error: Exception, *, prunes: bool) -> float:
        self.pending.not_written()
        self._prunes = self._prunes or prunes
        if not self._is_in_trouble:
            self._is_in_trouble = True
            text = "the history cannot be written: {error}; everything else goes on, and it is tried again"
            if isinstance(error, HistoryError):
                _log.error(text, error=error)
            else:
                _log.failure(text, error=error)
        seconds, self._retry_seconds = self._retry_seconds, min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
        return seconds

    def _turn_off(self, error: NotOurs, path: Path) -> float:
        """Leave a file alone that is not ours, unless we were told of another one meanwhile."""
        if path != self._path or self._prunes:
            self.pending.not_written()
            return 0
        self._is_off, self._is_in_trouble = True, False
        self.pending.clear()
        self.commands = frozenset()
        _log.error("no history is kept: {error}; it is left as it is, and looked at again on a reload", error=error)
        return 0

    def _tell_what_was_dropped(self) -> None:
        pending, now = self.pending, self._clock.seconds()
        if (pending.dropped_runs or pending.dropped_outputs) and now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            _log.error(
                "the history could not be written for a while: {runs} runs, and the output of {outputs}, were not kept",
                runs=pending.dropped_runs,
                outputs=pending.dropped_outputs,
            )
            pending.dropped_runs = pending.dropped_outputs = 0
