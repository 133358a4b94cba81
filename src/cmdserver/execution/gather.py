"""Gather the output of a run instead of streaming it."""

from collections.abc import Callable
from dataclasses import replace

from cmdserver.core.model import Grant, ProcessResult, Producer, Sink, Stream
from cmdserver.execution.process_run import ProcessRun


def gather(start: Callable[[Sink], ProcessRun]) -> ProcessRun:
    """Start a run whose result has all that it wrote.

    Args:
        start: Starts it with a sink.

    Raises:
        OSError: The process cannot be started.
    """
    gathering = _Gathering()
    run = start(gathering)
    run.finished.addCallback(gathering.add_output)
    return run


class _Gathering:
    """The `Sink` of a run that keeps what it is given."""

    def __init__(self) -> None:
        self._chunks: dict[Stream, list[bytes]] = {stream: [] for stream in Stream}

    def started(self, grant: Grant, producer: Producer) -> None:
        pass

    def write(self, stream: Stream, chunk: bytes) -> None:
        self._chunks[stream].append(chunk)

    def add_output(self, result: ProcessResult) -> ProcessResult:
        stdout, stderr = (b"".join(chunks) for chunks in self._chunks.values())
        return replace(result, stdout=stdout, stderr=stderr)
