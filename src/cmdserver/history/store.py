"""The history of runs, as the reactor knows it: nothing here waits for a disk, and nothing depends on one.

What happens to runs is collected for a moment and written by a thread. While that does not work, it is collected within
bounds and tried again. What has ended and is not written yet is found like everything else.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from cmdserver.history.changes import Began, Ended, Forgotten
from cmdserver.history.database import Database
from cmdserver.history.errors import Corrupt, HistoryError
from cmdserver.history.retention import HistoryLimits
from cmdserver.history.session import Session
from cmdserver.history.trimming import trimmed, with_few_requests
from cmdserver.history.worker import HistoryThread, RunInThread, Worker
from cmdserver.history.writer import CLOSE_SECONDS, Writer
from cmdserver.runs.history import KeptRun
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.query import RunQuery, Sight
from cmdserver.runs.record import RunRecord

#: How long somebody who asks waits for the disk.
READ_SECONDS: Final = 1.0

T = TypeVar("T")

_log = Logger()


class History:
    """What is known of runs that are over.

    Args:
        path: Of the file; its directory must be there when it is opened.
        limits: What is kept.
        clock: Measures time.
        time_of_day: Seconds since the epoch.
        run_in_thread: Such as `HistoryThread.run`.
        stop_thread: Called at the end, unless the thread hangs; it may wait for the thread.
    """

    def __init__(
        self,
        path: Path,
        limits: HistoryLimits,
        *,
        clock: IReactorTime,
        time_of_day: Callable[[], float],
        run_in_thread: RunInThread,
        stop_thread: Callable[[], object] = lambda: None,
    ) -> None:
        self._path = path
        self._clock = clock
        self._stop_thread = stop_thread
        self._session = Session()
        self._worker = Worker(clock, run_in_thread)
        self._writer = Writer(
            path, limits, clock=clock, time_of_day=time_of_day, worker=self._worker, session=self._session
        )

    @classmethod
    def in_thread(cls, reactor: Any, path: Path, limits: HistoryLimits, time_of_day: Callable[[], float]) -> Self:
        """Make one with a thread of its own."""
        thread = HistoryThread(reactor)
        return cls(
            path,
            limits,
            clock=reactor,
            time_of_day=time_of_day,
            run_in_thread=thread.run,
            stop_thread=thread.stop,
        )

    @property
    def commands(self) -> frozenset[str]:
        """Names of commands of which there are runs."""
        return self._writer.commands.union(each.record.command for each in self._writer.pending.ended())

    def known(self) -> Deferred[None]:
        """Fire when the file was opened, if it is about to be; it does not fail."""
        if self._session.is_open:
            return succeed(None)
        return Deferred.fromCoroutine(self._ask(lambda _: None, None))

    def start(self) -> None:
        """Open the file, in the thread: call it when the process is who it will be, and in its directory."""
        self._writer.start()

    def began(self, record: RunRecord) -> None:
        """Note that a run's process was started: if its end is never told, it is ``lost``."""
        self._writer.add(Began(with_few_requests(record)))

    def ended(self, record: RunRecord, output: KeptOutput) -> None:
        """Keep a run that is over, whether it began or not; of its output what the limits allow."""
        self._writer.add(Ended(with_few_requests(record), trimmed(output, self._writer.limits.most_output_bytes)))

    def forgotten(self, record: RunRecord) -> None:
        """Note that a run that began is over, and is not to be kept."""
        self._writer.add(Forgotten(record))

    def find(self, query: RunQuery, sight: Sight, before: int | None) -> Deferred[tuple[RunRecord, ...]]:
        """List runs that are over, newest first.

        Args:
            query: What is looked for; its ``before`` is not looked at.
            sight: What may be seen.
            before: The number of the run before which the list begins; None: it begins with the newest.

        Returns:
            At most as many as are asked for, those among them that are not written yet; where the file cannot be read,
            there are no others. It does not fail.
        """
        here = {each.record.number: each.record for each in self._writer.pending.ended()}
        here = {
            number: record
            for number, record in here.items()
            if (sight.includes(record) and query.matches(record) and (before is None or record.number < before))
        }

        async def found() -> tuple[RunRecord, ...]:
            nothing: tuple[RunRecord, ...] = ()
            there = await self._ask(lambda database: database.find(query, sight, before), nothing)
            both = {each.number: each for each in there} | here
            return tuple(both[number] for number in sorted(both, reverse=True)[: query.limit])

        return Deferred.fromCoroutine(found())

    def get(self, request_id: str) -> Deferred[KeptRun | None]:
        """Look a run that is over up, by the id of any request that shared it.

        Whoever calls decides who may see it.

        Returns:
            None if there is none, or if it cannot be read; it does not fail.
        """
        here = [each for each in self._writer.pending.ended() if _has_id(each.record, request_id)]

        async def found() -> KeptRun | None:
            if here:
                return KeptRun(here[-1].record, here[-1].output)
            return await self._ask(lambda database: database.get(request_id), None)

        return Deferred.fromCoroutine(found())

    def newest(self, most_users: int) -> Deferred[tuple[RunRecord, ...] | None]:
        """Find of each command the newest run and the newest success of each who has asked for one, in any order.

        What is not written yet is not among them.

        Args:
            most_users: Of each command and kind: of those who have asked last.

        Returns:
            None if they cannot be read; it does not fail.
        """
        return Deferred.fromCoroutine(self._ask(lambda database: database.newest(most_users), None))

    def durations(self, command: str) -> Deferred[Mapping[int, float] | None]:
        """Say how long the last successes of a command have run, in seconds, by their numbers.

        Those that are not written yet are not among them.

        Returns:
            None if they cannot be read; it does not fail.
        """
        return Deferred.fromCoroutine(self._ask(lambda database: database.durations(command), None))

    def reconfigure(self, limits: HistoryLimits, path: Path | None = None) -> None:
        """Go on with other limits, or with another file; a file that was not ours is looked at again.

        Args:
            limits: From now on.
            path: None: the same.
        """
        self._path = path or self._path
        self._writer.reconfigure(limits, self._path)

    def close(self) -> Deferred[None]:
        """Write what is left, and close the file; nothing is written any more.

        Returns:
            Fires when that is done, or after `CLOSE_SECONDS`; it does not fail.
        """
        closed: Deferred[None] = Deferred()
        timer = self._clock.callLater(CLOSE_SECONDS, closed.callback, None)

        def finished(result: Failure | None) -> None:
            if timer.active():
                timer.cancel()
                if result is None:
                    self._stop_thread()
                closed.callback(None)

        Deferred.fromCoroutine(self._writer.finish()).addBoth(finished)
        return closed.addCallback(lambda _: self._writer.tell_what_is_left())

    async def _ask(self, question: Callable[[Database], T], otherwise: T) -> T:
        if not self._writer.is_readable:
            return otherwise
        try:
            return await self._worker.ask(READ_SECONDS, self._session.read, question)
        except Corrupt:
            self._writer.look_again()
        except HistoryError:
            pass  # the writer finds out as well, and tells
        except CancelledError:
            raise  # who asked does not want to know any more, and must not go on
        except Exception:  # noqa: BLE001 - whatever it is, who asks gets an answer
            _log.failure("the history cannot be read")
        return otherwise


def _has_id(record: RunRecord, request_id: str) -> bool:
    return request_id == record.id or any(request_id == each.id for each in record.others)
