"""HTTP/2 on one connection: Twisted's, with bounds of ours, and a way to break an answer off.

It has what a connection asks of `channel.Channel`, but for what HTTP/2 does not need: a request that is refused is a
stream of its own, and the connection goes on.

Twisted's sending loop takes any stream with data, again and again, whether its flow-control window (RFC 9113, section
5.2) lets it send or not: a client that opens no window would keep the reactor busy. Here the loop is given the streams
that can send, and sleeps if there is none. Its queues are bounded by the client's windows alone, which may be 2 GiB;
here a run is paused as well while `MOST_WAITING_BYTES` of its output wait.

Rule of this file: it rests on private names of Twisted's, all of `H2Connection`; it is imported only for those who
speak it, and needs the package ``h2``.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.exceptions import NoSuchStreamError
from h2.settings import SettingCodes, Settings
from priority.priority import PriorityTree
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection

from cmdserver.frontends.web.http.channel import MOST_HEADER_BYTES, Keeper

#: Requests of one connection that are answered at once; browsers ask for a dozen, and each may have an answer waiting.
MOST_STREAMS: Final = 32
#: Of one stream's output that waits to be sent, before its run is paused; and in so many pieces.
MOST_WAITING_BYTES: Final = 65_536
MOST_WAITING_PIECES: Final = 64


class SendableStreams(PriorityTree):
    """The streams of a connection, as its sending loop asks for the next one; what cannot send is blocked.

    Args:
        can_send: Whether a stream, by its number, can send what it has.
    """

    #: The stream that was taken last.
    taken = 0

    def __init__(self, can_send: Callable[[int], bool]) -> None:
        super().__init__()
        self._can_send = can_send

    def __next__(self) -> int:
        """Return the number of a stream that can send.

        Raises:
            DeadlockError: There is none.
        """
        while True:
            self.taken = super().__next__()
            if self._can_send(self.taken):
                return self.taken
            self.block(self.taken)


class HTTP2Channel(H2Connection):
    """The requests of one connection, side by side.

    Args:
        keeper: Told of what a channel cannot decide.
        request_factory: Makes a request for a stream.
        clock: For the next turn of the reactor.
    """

    #: None: Twisted's own timers are off.
    timeOut = None
    transport: Any
    priority: SendableStreams

    def __init__(self, keeper: Keeper, request_factory: Callable[..., Any], clock: IReactorTime) -> None:
        super().__init__(clock)
        self._keeper = keeper
        self.requestFactory = request_factory
        self.priority = SendableStreams(self._can_send)
        #: Streams whose answers break off as soon as what was said has been sent.
        self._cut: set[int] = set()
        self.conn.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
                SettingCodes.MAX_HEADER_LIST_SIZE: MOST_HEADER_BYTES,
            },
        )

    @property
    def is_reading_request(self) -> bool:
        """Whether a request has begun to come and has not come to its end."""
        requests = (stream._request for stream in self.streams.values())  # noqa: SLF001 - see the rule of this file
        return any(not request.is_begun for request in requests)

    @property
    def is_sending(self) -> bool:
        """Whether answers are on their way, complete or not."""
        return bool(self.streams)

    def cut(self, request: Any) -> None:
        """Break an answer off behind what was said of it, why above all."""
        stream_id = request.channel.streamID
        self._cut.add(stream_id)
        request.connectionLost(Failure(ConnectionAborted()))
        if not self._outboundStreamQueues[stream_id]:
            self._reset(stream_id)

    def take_leave(self) -> None:
        """Say that nothing more will be answered (GOAWAY), and hold the connection no longer."""
        self.conn.close_connection()
        self.transport.write(self.conn.data_to_send())
        self.transport.unregisterProducer()

    # H2Connection

    def dataReceived(self, data: bytes) -> None:
        """Take what came; it may have opened windows, of one stream or of all (RFC 9113, section 6.9.2)."""
        super().dataReceived(data)
        if self._stillProducing:
            self._wake()

    def writeDataToStream(self, streamID: int, data: bytes) -> None:
        """Queue a piece of an answer: a view of it, for to cut a frame off the front of bytes is to copy the rest."""
        super().writeDataToStream(streamID, memoryview(data))

    def remainingOutboundWindow(self, streamID: int) -> int:
        """Say how much more a stream may have in its queue; 0 or less pauses what fills it."""
        queue = self._outboundStreamQueues[streamID]
        if self._consumerBlocked is not None or len(queue) >= MOST_WAITING_PIECES:
            return 0
        waiting = sum(len(piece) for piece in queue if _is_data(piece))
        return min(self._window(streamID), MOST_WAITING_BYTES) - waiting

    def pauseProducing(self) -> None:
        """The client does not take what we send."""
        super().pauseProducing()
        self._keeper.output_full()

    def resumeProducing(self) -> None:
        """It does again."""
        super().resumeProducing()
        self._keeper.output_flows()

    def _sendPrioritisedData(self, *_: object) -> None:
        """Send a frame, of a stream that can; what fills its queue may go on."""
        super()._sendPrioritisedData()
        sent = self.priority.taken
        if sent in self._cut and not self._outboundStreamQueues[sent]:
            self._reset(sent)
        elif sent in self.streams:
            self.streams[sent].windowUpdated()

    def _requestDone(self, streamID: int) -> None:
        self._cut.discard(streamID)
        super()._requestDone(streamID)
        if not self.streams:
            self._keeper.output_over()

    # Frames come many at a time, and each is told when h2 knows of all: a request may have been reset already.

    def _requestReceived(self, event: Any) -> None:
        stream = self.conn.streams.get(event.stream_id)
        if stream is not None and not stream.closed:
            super()._requestReceived(event)

    def _requestDataReceived(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestDataReceived(event)

    def _requestEnded(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestEnded(event)

    def _requestAborted(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestAborted(event)

    def _handlePriorityUpdate(self, event: object) -> None:
        """Do nothing: a client's priorities are deprecated (RFC 9113, section 5.3.2), and a tree of them is memory."""

    # Windows

    def _window(self, stream_id: int) -> int:
        """How much a stream may send now; below 0 if the client has made its windows smaller."""
        try:
            return int(self.conn.local_flow_control_window(stream_id))
        except NoSuchStreamError:  # it was reset by what came, and that is not looked at yet
            return 0

    def _can_send(self, stream_id: int) -> bool:
        """Whether a stream can send what is first in its queue; the end of an answer needs no window."""
        queue: deque[Any] = self._outboundStreamQueues[stream_id]
        return not _is_data(queue[0]) or self._window(stream_id) > 0

    def _wake(self) -> None:
        """Let all streams try again to send, and have what fills their queues go on."""
        for stream_id, queue in self._outboundStreamQueues.items():
            if queue:
                self.priority.unblock(stream_id)
        if self._sendingDeferred is not None:
            sending, self._sendingDeferred = self._sendingDeferred, None
            sending.callback(None)
        for stream in list(self.streams.values()):
            stream.windowUpdated()

    def _reset(self, stream_id: int) -> None:
        """Reset a stream, as a mistake: to a reset without one (NO_ERROR) clients give no notice."""
        self.conn.reset_stream(stream_id, error_code=ErrorCodes.INTERNAL_ERROR)
        if self._tryToWriteControlData():
            self._requestDone(stream_id)


def _is_data(piece: object) -> bool:
    """Whether a piece of a queue is data, and not Twisted's mark of an answer's end."""
    return isinstance(piece, memoryview)
