"""Gather the output of a run beside telling it, with Twisted's `getProcessOutputAndValue`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.core.model import Grant
from cmdserver.core.output import ProcessResult, Producer, Sink, Stream
from cmdserver.execution.process_run import ProcessRun

_NUMBERS: Final[Mapping[Stream, int]] = {stream: stream.value for stream in Stream}
_DONE: Final = Failure(ProcessDone(0))


def gather(grant: Grant, start: Callable[[Sink], ProcessRun], sink: Sink) -> ProcessRun:
    """Start a run, with a sink, whose result has all that it wrote; raises what ``start`` raises."""
    gathering = _Gathering(start, sink)
    # Its reactor is whatever can spawn a process; if that raises, so does this.
    spawns: Any = gathering
    getProcessOutputAndValue(grant.command.name, grant.arguments, reactor=spawns).addCallback(gathering.keep)
    run = gathering.run
    del gathering.run  # which has us as its sink
    run.finished.addBoth(gathering.end)
    return run


@implementer(IReactorProcess)
class _Gathering:
    """What `getProcessOutputAndValue` has for a reactor; a `Sink` for the run, whose output its protocol collects."""

    run: ProcessRun
    _protocol: IProcessProtocol
    _output = (b"", b"")

    def __init__(self, start: Callable[[Sink], ProcessRun], sink: Sink) -> None:
        self._start = start
        self._sink = sink

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: bytes | str,  # noqa: ARG002 - the run knows
        args: Sequence[bytes | str] = (),  # noqa: ARG002
        *_unused: object,
        **_also_unused: object,
    ) -> IProcessTransport:
        self._protocol = processProtocol
        transport: Any = self._start(self)
        self.run = transport
        return transport  # type: ignore[no-any-return] # who has asked for it does nothing with it

    def started(self, grant: Grant, producer: Producer) -> None:
        self._sink.started(grant, producer)

    def write(self, stream: Stream, chunk: bytes) -> None:
        self._protocol.childDataReceived(_NUMBERS[stream], chunk)
        self._sink.write(stream, chunk)

    def end(self, outcome: ProcessResult | Failure) -> ProcessResult | Failure:
        """The run is over; its status is in the outcome, so that the protocol is told of none."""
        self._protocol.processEnded(_DONE)  # which has `keep` be called
        return outcome if isinstance(outcome, Failure) else outcome.with_output(*self._output)

    def keep(self, output: tuple[bytes, bytes, int]) -> None:
        """Take what was gathered."""
        self._output = output[:2]
