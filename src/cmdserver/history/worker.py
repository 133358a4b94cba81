"""What is asked of the thread in which the history is written and read; nobody waits for it without an end.

A disk that does not answer keeps the thread, and what is asked then is answered at once: not now.
"""

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from cmdserver.history.errors import Unavailable

#: What may be asked before the first is answered.
MOST_JOBS: Final = 64

T = TypeVar("T")

#: Calls a function elsewhere, one at a time and in this order; its result or its error comes with the Deferred.
RunInThread = Callable[..., Deferred[Any]]


class _DaemonThread(threading.Thread):
    """Nobody who ends waits for it: a disk may not answer any more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, daemon=True)


class HistoryThread(ThreadPool):
    """One thread, started when first needed; `stop` waits for it."""

    threadFactory = _DaemonThread

    def __init__(self, reactor: Any) -> None:
        super().__init__(minthreads=0, maxthreads=1, name="history")
        self._reactor = reactor

    def run(self, function: Callable[..., T], *args: object) -> "Deferred[T]":
        """Call a function in the thread."""
        if not self.started:
            self.start()
        return deferToThreadPool(self._reactor, self, function, *args)


class Worker:
    """The queue in front of the thread.

    Args:
        clock: Measures how long is waited.
        run_in_thread: See `RunInThread`.
    """

    def __init__(self, clock: IReactorTime, run_in_thread: RunInThread) -> None:
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._jobs = 0
        #: Of those: which nobody waits for any more.
        self._late = 0

    @property
    def is_stuck(self) -> bool:
        """Whether something that was asked takes longer than anybody waits."""
        return self._late > 0

    def ask(self, patience_seconds: float, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Call a function in the thread.

        Args:
            patience_seconds: How long its answer is waited for, what was asked before included.
            function: What is called.
            args: With which values.

        Returns:
            Its answer, or what it raises; or `Unavailable`, if that takes too long, or too much is asked.
        """
        if self.is_stuck or self._jobs >= MOST_JOBS:
            return fail(Unavailable("the disk does not keep up"))
        self._jobs += 1
        answer: Deferred[T] = Deferred()
        timer = self._clock.callLater(patience_seconds, self._give_up, answer)
        self._run_in_thread(function, *args).addBoth(self._done, answer, timer)
        return answer

    def _give_up(self, answer: Deferred[T]) -> None:
        self._late += 1
        answer.errback(Unavailable("the disk does not answer"))

    def _done(self, result: T | Failure, answer: Deferred[T], timer: IDelayedCall) -> None:
        self._jobs -= 1
        if timer.active():
            timer.cancel()
            answer.callback(result)
        else:
            self._late -= 1
