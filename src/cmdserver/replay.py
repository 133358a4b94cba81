"""Tell kept output to a sink that may be slow, as if it were just being made."""

from collections.abc import Callable, Iterator
from functools import partial

from cmdserver.model import Answer, Finished, Sink

#: One chunk: as much as a transport takes before it asks for a pause.
CHUNK_BYTES = 65536


class Replay:
    """The `Flow` of output that one process made for many.

    All who are told share the one copy; a reader who is slow keeps its place in it, not a copy of its own.

    Args:
        answer: Whose output to tell.
        sink: To whom.
        done: Called once, when all is told; not after `stop`.
    """

    def __init__(self, answer: Answer, sink: Sink, done: Callable[[], None]) -> None:
        self._chunks = _chunks(answer.finished, sink)
        self._done: Callable[[], None] | None = done
        self._is_paused = False
        self._is_telling = False
        self._grant = answer.grant
        self._sink = sink

    def begin(self) -> None:
        """Tell what the sink takes; it may stop us from within."""
        self._sink.started(self._grant, self)
        self._tell()

    def pause(self) -> None:
        """Tell no more until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on."""
        self._is_paused = False
        self._tell()

    def stop(self) -> None:
        """Nobody listens any more."""
        self._chunks = iter(())
        self._done = None

    def _tell(self) -> None:
        if self._is_telling:
            return  # the sink resumed us from within; the loop below goes on by itself
        self._is_telling = True
        while not self._is_paused:
            tell = next(self._chunks, None)
            if tell is None:
                break
            tell()
        self._is_telling = False
        if not self._is_paused and self._done is not None:
            done, self._done = self._done, None
            done()


def _chunks(finished: Finished, sink: Sink) -> Iterator[Callable[[], None]]:
    for output, tell in ((finished.stdout, sink.out), (finished.stderr, sink.err)):
        for start in range(0, len(output), CHUNK_BYTES):
            chunk = output[start : start + CHUNK_BYTES]
            yield partial(tell, chunk)
