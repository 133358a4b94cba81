"""Broadcast of one process's output to many sinks while it is made, each at its own pace.

The process is never paused: its output is kept until the slowest has heard it, which is no more than its
``output_limit_bytes``, and for a shared command that is bounded. All subscribers share the one copy; one that is slow
has a position in it.

Many subscribers do not hold others up either: where there are more than `READERS_A_TURN`, so many are told in one turn
of the reactor, and the rest in the next ones. One whose turn comes late hears what it has missed, in order.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.core.model import Grant, ProcessResult, Producer, Sink, Stream

#: Pieces that come one by one and are smaller are kept as one: a process that writes byte by byte would cost a hundred
#: bytes for each.
PIECE_BYTES: Final = 4096
#: Subscribers who are told in one turn of the reactor; to tell a thousand of them takes half a second.
READERS_A_TURN: Final = 50


class Broadcast:
    """The output of one process; the `Sink` that the process is run with.

    Args:
        clock: Says when it is the next subscribers' turn.
    """

    def __init__(self, clock: IReactorTime) -> None:
        #: In the order in which they came; only the last one ever grows.
        self.pieces: list[tuple[Stream, bytes]] = []
        #: What is run; None before it is.
        self.grant: Grant | None = None
        self._clock = clock
        self._subscribers: list[Subscriber] = []
        #: Those who are to be told something, in that order; a dict, so that nobody is in it twice.
        self._due: dict[Subscriber, None] = {}
        self._are_many = False
        self._is_turn_ahead = False

    def subscribe(self, sink: Sink, broken: Callable[[Failure], None]) -> "Subscriber":
        """Let one more sink hear everything; before the process is started.

        Args:
            sink: Who hears.
            broken: Called with what the sink has raised, after which it hears no more.
        """
        subscriber = Subscriber(self, sink, broken)
        self._subscribers.append(subscriber)
        self._are_many = len(self._subscribers) > READERS_A_TURN
        return subscriber

    # Sink

    def started(self, grant: Grant, producer: Producer) -> None:
        """See `Sink`; the producer is left alone."""
        del producer
        self.grant = grant
        self._tell_all()

    def write(self, stream: Stream, chunk: bytes) -> None:
        """See `Sink`."""
        last_stream, last = self.pieces[-1] if self.pieces else (None, b"")
        if last_stream is stream and len(last) + len(chunk) <= PIECE_BYTES:
            self.pieces[-1] = (stream, last + chunk)
        else:
            self.pieces.append((stream, chunk))
        if self._are_many:
            self._tell_all()
        else:
            for subscriber in self._subscribers:
                subscriber.hear()

    # Turns

    def _tell_all(self) -> None:
        for subscriber in self._subscribers:
            self.tell(subscriber)

    def tell(self, subscriber: "Subscriber") -> None:
        """Let a subscriber hear what it has not heard: now or, where there are many, when its turn comes."""
        if not self._are_many:
            subscriber.hear()
            return
        self._due[subscriber] = None
        if not self._is_turn_ahead:
            self._is_turn_ahead = True
            self._clock.callLater(0, self._tell_some)

    def _tell_some(self) -> None:
        for subscriber in list(islice(self._due, READERS_A_TURN)):
            del self._due[subscriber]
            subscriber.hear()
        self._is_turn_ahead = bool(self._due)
        if self._is_turn_ahead:
            self._clock.callLater(0, self._tell_some)

    # The end

    def complete(self, result: ProcessResult) -> ProcessResult:
        """Put together how the process ended and what it said; nothing more will come."""
        self._subscribers.clear()  # which point back, and would be left to the garbage collector
        stdout, stderr = (b"".join(data for each, data in self.pieces if each is stream) for stream in Stream)
        return replace(result, stdout=stdout, stderr=stderr)


class Subscriber:
    """One sink's position in a broadcast, and its `Producer`; made by `Broadcast.subscribe`."""

    __slots__ = (
        "_broadcast",
        "_broken",
        "_done",
        "_is_begun",
        "_is_paused",
        "_is_stopped",
        "_is_telling",
        "_offset",
        "_piece",
        "_sink",
    )

    def __init__(self, broadcast: Broadcast, sink: Sink, broken: Callable[[Failure], None]) -> None:
        self._broadcast = broadcast
        self._sink = sink
        self._broken = broken
        self._done: Callable[[], None] | None = None
        self._piece = 0
        #: How much of that piece was told: it may have grown since.
        self._offset = 0
        self._is_begun = False
        self._is_paused = False
        self._is_telling = False
        self._is_stopped = False

    # Producer

    def pauseProducing(self) -> None:
        """Tell no more until `resumeProducing`."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._broadcast.tell(self)

    # What the broadcast and its owner ask

    def hear(self) -> None:
        """Tell what the sink has not heard and will take, first of all that the process was started.

        The sink may pause, resume and stop us from within. What it raises is neither another's trouble nor the
        process's.
        """
        if self._is_telling:  # the loop below goes on by itself
            return
        self._is_telling = True
        try:
            if not (self._is_begun or self._is_stopped) and (grant := self._broadcast.grant) is not None:
                self._is_begun = True
                self._sink.started(grant, self)
            pieces = self._broadcast.pieces
            while self._piece < len(pieces) and not (self._is_paused or self._is_stopped):
                stream, data = pieces[self._piece]
                if self._offset < len(data):
                    rest = data[self._offset :] if self._offset else data
                    self._offset = len(data)
                    self._sink.write(stream, rest)
                elif self._piece + 1 < len(pieces):
                    self._piece, self._offset = self._piece + 1, 0
                else:
                    break
        except Exception:  # noqa: BLE001 - whatever it is, it is told to whom it concerns
            self.stop()
            self._broken(Failure())
        self._is_telling = False
        if self._done is not None and not (self._is_paused or self._is_stopped):
            done, self._done = self._done, None
            done()

    def end(self, done: Callable[[], None]) -> None:
        """Nothing more will come: call ``done``, once, when all is told; never after `stop`."""
        self._done = done
        self._broadcast.tell(self)

    def stop(self) -> None:
        """Nobody listens any more."""
        self._is_stopped = True
        self._done = None
