"""The recording of one process's output, which all who watch read from: from the beginning, each at its own pace.

There is one copy, however many read. Of more than `KEPT_BYTES` the first and the last half are kept, and whoever comes
to the gap is told how much is missing. Readers do not hold each other up, nor the process; but one may be its pacer,
whose client's pace is the process's.

Many readers do not hold others up either: where there are more than `READERS_A_TURN`, so many are told in one turn of
the reactor, and the rest in the next ones. One whose turn comes late hears what it has missed, in order.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final, Self

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from cmdserver.core.model import Grant
from cmdserver.core.output import Listener, ProcessResult, Producer, Stream
from cmdserver.runs.kept_output import KeptOutput, shortened

#: Of one run, in memory; what is shared, or gathered, is never more.
KEPT_BYTES: Final = 1 << 20
#: Pieces that come one by one and are smaller are kept as one: a process that writes byte by byte would cost a hundred
#: bytes for each.
PIECE_BYTES: Final = 4096
#: Readers who are told in one turn of the reactor; to tell a thousand of them takes half a second.
READERS_A_TURN: Final = 50


class Recording:
    """The output of one process; the `Sink` that the process is run with.

    Args:
        clock: Says when it is the next readers' turn.
        kept_bytes: How much is kept.
    """

    __slots__ = (
        "_are_many",
        "_clock",
        "_dropped_pieces",
        "_due",
        "_first_bytes",
        "_first_pieces",
        "_is_turn_ahead",
        "_kept_bytes",
        "_kept_limit",
        "_pieces",
        "_producer",
        "_readers",
        "dropped_bytes",
        "grant",
        "is_over",
    )

    def __init__(self, clock: IReactorTime, kept_bytes: int = KEPT_BYTES) -> None:
        self._clock = clock
        self._kept_limit = kept_bytes
        #: In the order in which they came; only the last one ever grows. Bounded by merging small ones.
        self._pieces: list[tuple[Stream, bytes]] = []
        self._kept_bytes = 0
        #: How many pieces, and bytes, are the first half, once something is missing behind it.
        self._first_pieces = self._first_bytes = 0
        #: How many are missing there.
        self._dropped_pieces = self.dropped_bytes = 0
        #: What is run; None before it is.
        self.grant: Grant | None = None
        #: Whether nothing more will come.
        self.is_over = False
        self._producer: Producer | None = None
        self._readers: dict[Reader, None] = {}
        #: Those who are to be told something, in that order; a dict, so that nobody is in it twice.
        self._due: dict[Reader, None] = {}
        self._are_many = False
        self._is_turn_ahead = False

    @classmethod
    def of(cls, output: KeptOutput, clock: IReactorTime) -> Self:
        """Make the recording that output was kept of; it is over, but for its `started`."""
        recording = cls(clock)
        recording._pieces = [*output.first, *output.last]
        recording.is_over = True
        if output.omitted_bytes:
            recording._first_pieces = len(output.first)
            recording._first_bytes = sum(len(data) for _, data in output.first)
            recording._dropped_pieces, recording.dropped_bytes = 1, output.omitted_bytes
        return recording

    def read(self, sink: Listener, broken: Callable[[Failure], None], *, is_pacer: bool = False) -> "Reader":
        """Let a sink hear everything, from the beginning; what there is already, when its turn comes.

        Args:
            sink: Who hears.
            broken: Called with what the sink has raised, after which it hears no more.
            is_pacer: Whether the process waits while the sink does.
        """
        reader = Reader(self, sink, broken, is_pacer=is_pacer)
        self._readers[reader] = None
        self._are_many = len(self._readers) > READERS_A_TURN
        return reader

    def leave(self, reader: "Reader") -> None:
        """Forget a reader."""
        self._readers.pop(reader, None)
        if self._due:
            self._due.pop(reader, None)

    # Sink

    def started(self, grant: Grant, producer: Producer) -> None:
        self.grant, self._producer = grant, producer
        for reader in list(self._readers):
            if self._are_many:
                self.tell(reader)
            else:
                reader.hear()

    def write(self, stream: Stream, chunk: bytes) -> None:
        pieces, size = self._pieces, len(chunk)
        last_stream, last = pieces[-1] if pieces else (None, b"")
        if last_stream is stream and len(last) + size <= PIECE_BYTES:
            pieces[-1] = (stream, last + chunk)
        else:
            pieces.append((stream, chunk))
        self._kept_bytes += size
        if self._kept_bytes > self._kept_limit:
            self._drop()
        if self._are_many:
            for reader in self._readers:
                self.tell(reader)
        else:
            for reader in list(self._readers):
                reader.hear()

    def _drop(self) -> None:
        """Drop what is in the middle; at least the newest piece stays."""
        pieces = self._pieces
        if not self.dropped_bytes:
            while self._first_bytes + len(pieces[self._first_pieces][1]) <= self._kept_limit // 2:
                self._first_bytes += len(pieces[self._first_pieces][1])
                self._first_pieces += 1
        while self._kept_bytes > self._kept_limit and len(pieces) > self._first_pieces + 1:
            length = len(pieces.pop(self._first_pieces)[1])
            self._kept_bytes -= length
            self._dropped_pieces += 1
            self.dropped_bytes += length

    # Turns

    def tell(self, reader: "Reader") -> None:
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

    def finish(self) -> None:
        """Nothing more will come."""
        self.is_over = True
        self._producer = None  # which has us as its sink, and would be left to the garbage collector

    def complete(self, result: ProcessResult) -> ProcessResult:
        """Put together how the process ended and what it said."""
        stdout, stderr = (b"".join(data for each, data in self._pieces if each is stream) for stream in Stream)
        return result.with_output(stdout, stderr)

    def kept(self, most_bytes: int = KEPT_BYTES) -> KeptOutput:
        """Return what there is, or the first and the last half of so many bytes."""
        if not self.dropped_bytes:
            return shortened(self._pieces, most_bytes)
        return shortened(
            self._pieces[: self._first_pieces], most_bytes, self.dropped_bytes, self._pieces[self._first_pieces :]
        )

    def pace(self, *, is_paused: bool) -> None:
        """Let the process wait, or go on, as its pacer's client does."""
        if self._producer is None:
            return
        if is_paused:
            self._producer.pauseProducing()
        else:
            self._producer.resumeProducing()


class Reader:
    """One sink's position in a recording, and its `Producer`; made by `Recording.read`."""

    __slots__ = (
        "_broken",
        "_done",
        "_is_begun",
        "_is_pacer",
        "_is_paused",
        "_is_stopped",
        "_is_telling",
        "_offset",
        "_piece",
        "_position",
        "_recording",
        "_sink",
    )

    def __init__(
        self, recording: Recording, sink: Listener, broken: Callable[[Failure], None], *, is_pacer: bool
    ) -> None:
        self._recording = recording
        self._sink = sink
        self._broken = broken
        self._done: Callable[[], None] | None = None
        #: Of all that there ever were.
        self._piece = 0
        #: How much of that piece was told: it may have grown since.
        self._offset = 0
        #: How many bytes were told, or are missing.
        self._position = 0
        self._is_begun = False
        self._is_pacer = is_pacer
        self._is_paused = False
        self._is_telling = False
        self._is_stopped = False

    # Producer

    def pauseProducing(self) -> None:
        """Tell no more until `resumeProducing`."""
        self._is_paused = True
        if self._is_pacer:
            self._recording.pace(is_paused=True)

    def resumeProducing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._recording.tell(self)
        if self._is_pacer and not self._is_paused:
            self._recording.pace(is_paused=False)

    # What the recording and its owner ask

    def hear(self) -> None:
        """Tell what the sink has not heard and will take, first of all that the process was started.

        The sink may pause, resume and stop us from within. What it raises is neither another's trouble nor the
        process's.
        """
        if self._is_telling:  # the loop below goes on by itself
            return
        self._is_telling = True
        recording = self._recording
        pieces = recording._pieces  # noqa: SLF001 - the other half of this class
        try:
            if not (self._is_begun or self._is_stopped) and (grant := recording.grant) is not None:
                self._is_begun = True
                self._sink.started(grant, self)
            count = len(pieces)
            while not (self._is_paused or self._is_stopped):  # no function of its own, as each chunk comes here
                index, first = self._piece, recording._first_pieces  # noqa: SLF001
                if index >= first and (index := index - recording._dropped_pieces) < first:  # noqa: SLF001
                    self._tell_gap()
                    count = len(pieces)
                    continue
                if index >= count:
                    break
                stream, data = pieces[index]
                size, offset = len(data), self._offset
                if offset < size:
                    self._offset = size
                    self._position += size - offset
                    self._sink.write(stream, data[offset:] if offset else data)
                    count = len(pieces)  # as the sink may have led to more
                elif index + 1 < count:
                    self._piece, self._offset = self._piece + 1, 0
                else:
                    break  # it may grow
        except Exception:  # noqa: BLE001 - whatever it is, it is told to whom it concerns
            self.stop()
            self._broken(Failure())
        self._is_telling = False
        if self._done is not None and not (self._is_paused or self._is_stopped):
            done, self._done = self._done, None
            self._recording.leave(self)
            done()

    def _tell_gap(self) -> None:
        """Go on behind what is dropped, some of which may have been told before that."""
        recording = self._recording
        end = recording._first_bytes + recording.dropped_bytes  # noqa: SLF001
        missing, self._position = end - self._position, end
        self._piece = recording._first_pieces + recording._dropped_pieces  # noqa: SLF001
        self._offset = 0
        if missing:
            self._sink.missed(missing)

    def end(self, done: Callable[[], None]) -> None:
        """Nothing more will come: call ``done``, once, when all is told; never after `stop`."""
        self._done = done
        self._recording.tell(self)

    def stop(self) -> None:
        """Nobody listens any more; idempotent."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._done = None
        self._recording.leave(self)
        if self._is_pacer and self._is_paused:
            self._recording.pace(is_paused=False)
