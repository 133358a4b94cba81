"""What one process says, told to many while it says it, to each at their own pace.

The process is never held up: what it says is kept until the slowest has heard it, which is no more than its
``output_limit_bytes``, and for a shared command that is bounded. All who hear share the one copy; a reader who is slow
has a place in it, not a copy of its own.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from twisted.python.failure import Failure

from cmdserver.model import Finished, Flow, Grant, Sink

#: Pieces that come one by one and are smaller are kept as one: a process that writes byte by byte would cost a hundred
#: bytes for each.
PIECE_BYTES: Final = 4096


class Recording:
    """The output of one process; itself the `Sink` that the process is run with."""

    def __init__(self) -> None:
        #: In the order in which they came; only the last one ever grows.
        self.pieces: list[tuple[bool, bytes]] = []
        self._readers: list[Reader] = []

    def read(self, sink: Sink, broken: Callable[[Failure], None]) -> "Reader":
        """Let one more sink hear everything; before the process is started.

        Args:
            sink: Who hears.
            broken: Called with what the sink has raised, after which it hears no more.
        """
        reader = Reader(self, sink, broken)
        self._readers.append(reader)
        return reader

    # Sink

    def started(self, grant: Grant, flow: Flow) -> None:
        """See `Sink`; the flow is left alone."""
        del flow
        for reader in self._readers:
            reader.begin(grant)

    def out(self, chunk: bytes) -> None:
        """See `Sink`."""
        self._add(chunk, is_error=False)

    def err(self, chunk: bytes) -> None:
        """See `Sink`."""
        self._add(chunk, is_error=True)

    def _add(self, chunk: bytes, *, is_error: bool) -> None:
        last_is_error, last = self.pieces[-1] if self.pieces else (not is_error, b"")
        if last_is_error is is_error and len(last) + len(chunk) <= PIECE_BYTES:
            self.pieces[-1] = (is_error, last + chunk)
        else:
            self.pieces.append((is_error, chunk))
        for reader in self._readers:
            reader.tell()

    # The end

    def complete(self, finished: Finished) -> Finished:
        """Put together how the process ended and what it said; nothing more will come."""
        self._readers.clear()  # which point back, and would be left to the garbage collector
        return replace(finished, stdout=_join(self.pieces, is_error=False), stderr=_join(self.pieces, is_error=True))


class Reader:
    """One sink's place in a recording, and its `Flow`; made by `Recording.read`."""

    __slots__ = (
        "_broken",
        "_done",
        "_is_paused",
        "_is_stopped",
        "_is_telling",
        "_offset",
        "_piece",
        "_recording",
        "_sink",
    )

    def __init__(self, recording: Recording, sink: Sink, broken: Callable[[Failure], None]) -> None:
        self._recording = recording
        self._sink = sink
        self._broken = broken
        self._done: Callable[[], None] | None = None
        self._piece = 0
        #: How much of that piece was told: it may have grown since.
        self._offset = 0
        self._is_paused = False
        self._is_telling = False
        self._is_stopped = False

    # Flow

    def pause(self) -> None:
        """Tell no more until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on."""
        self._is_paused = False
        self.tell()

    # What the recording and its owner ask

    def begin(self, grant: Grant) -> None:
        """Tell of the start."""
        if not self._is_stopped:
            self._guarded(lambda: self._sink.started(grant, self))

    def tell(self) -> None:
        """Tell what the sink has not heard and will take; it may pause, resume and stop us from within."""
        if not self._is_telling:  # else the loop below goes on by itself
            self._is_telling = True
            self._guarded(self._tell_all)
            self._is_telling = False
            self._end_if_all_is_told()

    def end(self, done: Callable[[], None]) -> None:
        """Nothing more will come: call ``done``, once, when all is told; never after `stop`."""
        self._done = done
        self.tell()

    def stop(self) -> None:
        """Nobody listens any more."""
        self._is_stopped = True
        self._done = None

    def _tell_all(self) -> None:
        while not (self._is_paused or self._is_stopped) and (piece := self._next()) is not None:
            is_error, data = piece
            (self._sink.err if is_error else self._sink.out)(data)

    def _next(self) -> tuple[bool, bytes] | None:
        pieces = self._recording.pieces
        while self._piece < len(pieces):
            is_error, data = pieces[self._piece]
            if self._offset < len(data):
                rest = data[self._offset :] if self._offset else data
                self._offset = len(data)
                return is_error, rest
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


def _join(pieces: Iterable[tuple[bool, bytes]], *, is_error: bool) -> bytes:
    return b"".join(data for each_is_error, data in pieces if each_is_error is is_error)
