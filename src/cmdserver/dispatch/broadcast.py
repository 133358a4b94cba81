"""What one process says, told to many while it says it, to each at their own pace.

The process is never held up: what it says is kept until the slowest has heard it, which is no more than its
``output_limit_bytes``, and for a shared command that is bounded. All who hear share the one copy; a reader who is slow
has a place in it, not a copy of its own.

Nor are others held up by many readers: where there are more than `READERS_A_TURN`, so many are told in one turn of the
reactor, whatever they are to be told, and the rest in the next ones. As each has a place of its own, one whose turn
comes late hears what it has missed, in order.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.core.model import Grant, ProcessResult, Producer, Sink, Stream

#: Pieces that come one by one and are smaller are kept as one: a process that writes byte by byte would cost a hundred
#: bytes for each.
PIECE_BYTES: Final = 4096
#: Readers who are told in one turn of the reactor; to tell a thousand of them takes half a second.
READERS_A_TURN: Final = 50


class Broadcast:
    """The output of one process; itself the `Sink` that the process is run with.

    Args:
        clock: Says when it is the next readers' turn.
    """

    def __init__(self, clock: IReactorTime) -> None:
        #: In the order in which they came; only the last one ever grows.
        self.pieces: list[tuple[Stream, bytes]] = []
        #: What is run; None before it is.
        self.grant: Grant | None = None
        self._clock = clock
        self._readers: list[Subscriber] = []
        #: Those who are to be told something, in that order; a dict, so that nobody is in it twice.
        self._due: dict[Subscriber, None] = {}
        self._are_many = False
        self._is_turn_ahead = False

    def read(self, sink: Sink, broken: Callable[[Failure], None]) -> "Subscriber":
        """Let one more sink hear everything; before the process is started.

        Args:
            sink: Who hears.
            broken: Called with what the sink has raised, after which it hears no more.
        """
        reader = Subscriber(self, sink, broken)
        self._readers.append(reader)
        self._are_many = len(self._readers) > READERS_A_TURN
        return reader

    # Sink

    def started(self, grant: Grant, producer: Producer) -> None:
        """See `Sink`; the flow is left alone."""
        del producer
        self.grant = grant
        self._tell_all()

    def write(self, stream: Stream, chunk: bytes) -> None:
        """See `Sink`."""
        if self.pieces:
            last_stream, last = self.pieces[-1]
            if last_stream is stream and len(last) + len(chunk) <= PIECE_BYTES:
                self.pieces[-1] = (stream, last + chunk)
                self._tell_all()
                return
        self.pieces.append((stream, chunk))
        self._tell_all()

    # Turns

    def _tell_all(self) -> None:
        for reader in self._readers:
            self.tell(reader)

    def tell(self, reader: "Subscriber") -> None:
        """Let a reader hear what it has not heard: now or, where there are many, when its turn comes."""
        if not self._are_many:
            reader.hear()
            return
        self._due[reader] = None
        if not self._is_turn_ahead:
            self._is_turn_ahead = True
            self._clock.callLater(0, self._tell_some)

    def _tell_some(self) -> None:
        for reader in list(islice(self._due, READERS_A_TURN)):
            del self._due[reader]
            reader.hear()
        self._is_turn_ahead = bool(self._due)
        if self._is_turn_ahead:
            self._clock.callLater(0, self._tell_some)

    # The end

    def complete(self, finished: ProcessResult) -> ProcessResult:
        """Put together how the process ended and what it said; nothing more will come."""
        self._readers.clear()  # which point back, and would be left to the garbage collector
        stdout, stderr = (_join(self.pieces, stream) for stream in Stream)
        return replace(finished, stdout=stdout, stderr=stderr)


class Subscriber:
    """One sink's place in a recording, and its `Producer`; made by `Broadcast.read`."""

    __slots__ = (
        "_broken",
        "_done",
        "_is_begun",
        "_is_paused",
        "_is_stopped",
        "_is_telling",
        "_offset",
        "_piece",
        "_recording",
        "_sink",
    )

    def __init__(self, recording: Broadcast, sink: Sink, broken: Callable[[Failure], None]) -> None:
        self._recording = recording
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
        self._recording.tell(self)

    # What the recording and its owner ask

    def hear(self) -> None:
        """Tell what the sink has not heard and will take, first of all that the process was started.

        The sink may pause, resume and stop us from within.
        """
        if not self._is_telling:  # else the loop below goes on by itself
            self._is_telling = True
            self._guarded(self._tell_all)
            self._is_telling = False
            self._end_if_all_is_told()

    def end(self, done: Callable[[], None]) -> None:
        """Nothing more will come: call ``done``, once, when all is told; never after `stop`."""
        self._done = done
        self._recording.tell(self)

    def stop(self) -> None:
        """Nobody listens any more."""
        self._is_stopped = True
        self._done = None

    def _tell_all(self) -> None:
        grant = self._recording.grant
        if not (self._is_begun or self._is_stopped) and grant is not None:
            self._is_begun = True
            self._sink.started(grant, self)
        while not (self._is_paused or self._is_stopped) and (piece := self._next()) is not None:
            self._sink.write(*piece)

    def _next(self) -> tuple[Stream, bytes] | None:
        pieces = self._recording.pieces
        while self._piece < len(pieces):
            stream, data = pieces[self._piece]
            if self._offset < len(data):
                rest = data[self._offset :] if self._offset else data
                self._offset = len(data)
                return stream, rest
            if self._piece + 1 == len(pieces):
                return None
            self._piece += 1
            self._offset = 0
        return None

    def _end_if_all_is_told(self) -> None:
        if not (self._is_paused or self._is_stopped) and self._done is not None:
            done, self._done = self._done, None
            done()

    def _guarded(self, call: Callable[[], None]) -> None:
        """A mistake in one sink is neither another's trouble nor the process'."""
        try:
            call()
        except Exception:  # noqa: BLE001 - whatever it is, it is told to whom it concerns
            self.stop()
            self._broken(Failure())


def _join(pieces: Iterable[tuple[Stream, bytes]], stream: Stream) -> bytes:
    return b"".join(data for each, data in pieces if each is stream)
