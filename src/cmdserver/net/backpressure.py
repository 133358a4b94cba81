"""Back-pressure: a transport whose client does not keep up pauses what produces the output, and nothing else."""

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from cmdserver.core.output import Producer


@implementer(IPushProducer)
class Backpressure:
    """The push producer of a transport: it pauses and resumes one source of output at a time.

    A base class, not a component: a component and its owner would form a reference cycle, which only the garbage
    collector frees.
    """

    #: Whether the transport holds output that the client has not taken.
    is_output_full = False
    _source: Producer | None = None

    def follow(self, source: Producer | None) -> None:
        """Pause and resume ``source`` as the client keeps up; None: there is nothing to pause any more."""
        self._source = source
        if source is not None and self.is_output_full:
            source.pauseProducing()

    def pauseProducing(self) -> None:
        self.is_output_full = True
        if self._source is not None:
            self._source.pauseProducing()

    def resumeProducing(self) -> None:
        self.is_output_full = False
        if self._source is not None:
            self._source.resumeProducing()

    def stopProducing(self) -> None:
        """Nothing: the transport is closed, of which its protocol hears."""
