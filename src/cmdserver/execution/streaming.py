"""What a process says, handed to a sink while it says it."""

from collections.abc import Callable
from typing import ParamSpec

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from cmdserver.core.model import Grant, Producer, Sink, Stream

P = ParamSpec("P")


class ToSink(ProcessProtocol):
    """Hands output on as it comes; fires what `getProcessOutputAndValue` would, without the output.

    Args:
        sink: Hears it.
        ended: Fires when the process has ended.
        broken: Called with what the sink has raised.
    """

    def __init__(
        self, sink: Sink, ended: Deferred[tuple[bytes, bytes, object]], broken: Callable[[Failure], None]
    ) -> None:
        self._sink = sink
        self._ended = ended
        self._broken = broken

    def begin(self, grant: Grant, producer: Producer) -> None:
        """Tell of the start."""
        self._guarded(self._sink.started, grant, producer)

    def outReceived(self, data: bytes) -> None:
        """See IProcessProtocol."""
        self._guarded(self._sink.write, Stream.STDOUT, data)

    def errReceived(self, data: bytes) -> None:
        """See IProcessProtocol."""
        self._guarded(self._sink.write, Stream.STDERR, data)

    def _guarded(self, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """A mistake of a sink's would end the reading of a pipe, and look like the end of the output."""
        try:
            call(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, it is told to whom it concerns
            self._broken(Failure())

    def processEnded(self, reason: Failure) -> None:  # noqa: ARG002 - the Execution has it
        """See IProcessProtocol."""
        self._ended.callback((b"", b"", None))
