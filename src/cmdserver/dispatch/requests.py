"""Questions on their way to an answer, and who is told how they end."""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cmdserver.core.errors import Refusal
from cmdserver.core.model import Answer, Caller, Grant, ProcessResult, Sink
from cmdserver.dispatch.broadcast import Subscriber
from cmdserver.dispatch.coalescing import Group


class Request:
    """One granted request on its way to an answer.

    Args:
        question_id: Under which it is recorded.
        caller: Who asks.
        words: What they asked for, as the policy was asked.
        grant: What may be run.
    """

    __slots__ = ("answered", "caller", "grant", "group", "id", "reader", "sink", "words")

    def __init__(self, request_id: str, caller: Caller, words: Sequence[str], grant: Grant) -> None:
        self.id = request_id
        self.caller = caller
        self.words = words
        self.grant = grant
        #: Where output goes as it comes; None to have it in the answer.
        self.sink: Sink | None = None
        #: Its place in what a shared run says.
        self.reader: Subscriber | None = None
        #: None as soon as its end is decided, even if it is not yet told.
        self.group: Group[object, Request] | None = None
        self.answered: Deferred[Answer]


class Reporter(Protocol):
    """Who writes down how questions ended, and answers those that got no process."""

    def starting(self, requests: Sequence[Request]) -> None:
        """A process is about to be started for questions; raise `AuditError` if it may not be."""

    def settled(self, asked: Sequence[Request], departed: Sequence[Request], finished: ProcessResult) -> bool:
        """A process has ended; return whether those who asked may be told."""

    def turned_away(self, request: Request, refusal: Refusal, so_far: ProcessResult | None = None) -> None:
        """There was no room for it after all, or its caller may not ask for it any more.

        Args:
            request: Which gets no answer.
            refusal: What to tell instead.
            so_far: What its process, if there is one, had done by then.
        """

    def failed(self, request: Request, failure: Failure) -> None:
        """It was our fault."""

    def withdrawn(self, request: Request) -> None:
        """Its caller left before anything was run for it."""


#: Says why a question may not be answered, given whether its process was started; None if it may.
Judge = Callable[[Request, bool], Refusal | None]
