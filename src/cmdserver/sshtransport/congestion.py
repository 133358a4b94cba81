"""What happens when a peer asks faster than it takes answers.

The transport below holds what the peer has not taken yet, without a limit of its own. Once that is much, its
producers are told to stop; but answers to messages (that something is not implemented, say) are nobody's production. If
they become many, no more messages are read until the peer has taken them: what it sends then waits in its own memory.
"""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

#: What may be written after the transport below has said that it holds enough. Not less, so that a Ctrl-C is read
#: while output is slow: those who send much stop at once, see `Congestion`.
MAX_EXCESS_BYTES: Final = 256 * 1024


@implementer(IPushProducer)
class Congestion:
    """The one producer of the transport below.

    Args:
        source: The transport below, whose input can be stopped.
        told: Called when `is_congested` changes.
    """

    def __init__(self, source: IPushProducer, told: Callable[[], None]) -> None:
        self.is_congested = False
        self._source = source
        self._told = told
        self._excess = 0
        self._is_input_paused = False

    def wrote(self, size: int) -> None:
        """Count what was written."""
        if not self.is_congested:
            return
        self._excess += size
        if self._excess > MAX_EXCESS_BYTES and not self._is_input_paused:
            self._is_input_paused = True
            self._source.pauseProducing()

    def pauseProducing(self) -> None:
        self.is_congested = True
        self._excess = 0
        self._told()

    def resumeProducing(self) -> None:
        self.is_congested = False
        if self._is_input_paused:
            self._is_input_paused = False
            self._source.resumeProducing()
        self._told()

    def stopProducing(self) -> None:
        """Hear that the connection is over, which the protocol hears too."""
