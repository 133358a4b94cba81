"""HTTP/2 on one connection: Twisted's, with bounds of ours, and a way to break a response off.

Twisted's sending loop takes any stream with data, again and again, whether its flow-control window (RFC 9113, section
5.2) lets it send or not: a client that opens no window would keep the reactor busy. Here the loop is given the streams
that can send, and sleeps if there is none. Twisted's queues are bounded by the client's windows only, which may be
2 GiB; here a run is paused as well while `MOST_WAITING_BYTES` of its output wait.

Rests on private names of `H2Connection`. Imported for the first client that speaks it.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from h2.connection import H2Connection as H2State
from h2.errors import ErrorCodes
from h2.exceptions import NoSuchStreamError
from h2.settings import SettingCodes, Settings
from priority.priority import PriorityTree
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection

from cmdserver.frontends.web.http.channel import MOST_HEADER_BYTES
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.request import Connection

#: The most requests of one connection that are answered at once; browsers send a dozen.
MOST_STREAMS: Final = 32
#: The most output of a stream that waits to be sent before its run is paused, in bytes and in pieces.
MOST_WAITING_BYTES: Final = 65_536
MOST_WAITING_PIECES: Final = 64


class SendableStreams(PriorityTree):
    """The streams of a connection, of which its sending loop takes the next one; one that cannot send is blocked."""

    #: The number of the stream that was taken last.
    taken = 0

    def __init__(self, can_send: Callable[[int], bool]) -> None:
        super().__init__()
        self._can_send = can_send

    def __next__(self) -> int:
        """Return the number of a stream that can send; raises a DeadlockError if there is none."""
        while True:
            self.taken = super().__next__()
            if self._can_send(self.taken):
                return self.taken
            self.block(self.taken)


class _Connection(H2State):
    """The state of a connection, which ends a stream with fields behind the body where there are some."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        #: By stream, until it is ended.
        self.trailers: dict[int, Headers] = {}

    def end_stream(self, stream_id: int) -> None:
        trailers = self.trailers.pop(stream_id, None)
        if trailers is None:
            super().end_stream(stream_id)
        else:
            fields = [(name.lower(), value) for name, value in trailers]
            self.send_headers(stream_id, fields, end_stream=True)


class HTTP2Channel(H2Connection):
    """The requests of one connection, side by side; the clock calls the sending loop in the reactor's next turn."""

    #: None: Twisted's own timers are off.
    timeOut = None
    transport: Any
    priority: SendableStreams
    conn: _Connection

    def __init__(self, connection: Connection, request_factory: Callable[..., Any], clock: IReactorTime) -> None:
        super().__init__(clock)
        self._connection = connection
        self.requestFactory = request_factory
        self.priority = SendableStreams(self._can_send)
        #: Streams whose responses break off as soon as their queues are sent.
        self._cut: set[int] = set()
        self.conn = _Connection(self.conn.config)
        self.conn.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
                SettingCodes.MAX_HEADER_LIST_SIZE: MOST_HEADER_BYTES,
            },
        )

    @property
    def is_reading_request(self) -> bool:
        """Whether a request has begun to come and is incomplete."""
        requests = (stream._request for stream in self.streams.values())  # noqa: SLF001 - see the module's docstring
        return any(not request.is_begun for request in requests)

    @property
    def is_sending(self) -> bool:
        """Whether responses are on their way, complete or not."""
        return bool(self.streams)

    def close_when_idle(self) -> None:
        """Do nothing: `Connection.responses_sent` is called when the connection is idle."""

    def cut(self, request: Any) -> None:
        """Break a response off behind what is queued of it, which tells why."""
        stream_id = request.channel.streamID
        self._cut.add(stream_id)
        request.connectionLost(Failure(ConnectionAborted()))
        if not self._outboundStreamQueues[stream_id]:
            self._reset(stream_id)

    def end_body(self, request: Any, trailers: Headers) -> None:
        """Let fields stand behind a body (RFC 9113, section 8.1)."""
        self.conn.trailers[request.channel.streamID] = trailers

    def take_leave(self) -> None:
        """Tell the client that nothing more will be answered (GOAWAY)."""
        self.conn.close_connection()
        self.transport.write(self.conn.data_to_send())

    # H2Connection

    def dataReceived(self, data: bytes) -> None:
        """Take what came; it may have opened windows, of one stream or of all (RFC 9113, section 6.9.2)."""
        super().dataReceived(data)
        if self._stillProducing:
            self._wake()

    def writeDataToStream(self, streamID: int, data: bytes) -> None:
        """Queue a piece of a response, as a view: to cut a frame off the front of bytes would copy the rest."""
        super().writeDataToStream(streamID, memoryview(data))

    def remainingOutboundWindow(self, streamID: int) -> int:
        """Return how many bytes more a stream may queue; 0 or less pauses what fills the queue."""
        queue = self._outboundStreamQueues[streamID]
        if self._consumerBlocked is not None or len(queue) >= MOST_WAITING_PIECES:
            return 0
        waiting = sum(len(piece) for piece in queue if _is_data(piece))
        return min(self._window(streamID), MOST_WAITING_BYTES) - waiting

    def _sendPrioritisedData(self, *_: object) -> None:
        """Send a frame of a stream that can send, and resume what fills its queue."""
        super()._sendPrioritisedData()
        sent = self.priority.taken
        if sent in self._cut and not self._outboundStreamQueues[sent]:
            self._reset(sent)
        elif sent in self.streams:
            self.streams[sent].windowUpdated()

    def _requestDone(self, streamID: int) -> None:
        self._cut.discard(streamID)
        self.conn.trailers.pop(streamID, None)
        super()._requestDone(streamID)
        if not self.streams:
            self._connection.responses_sent()

    # Many frames come at a time, and h2 has taken all when each is told: a request may have been reset already.

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
        """Return how many bytes a stream may send now; below 0 if the client has made its windows smaller."""
        try:
            return int(self.conn.local_flow_control_window(stream_id))
        except NoSuchStreamError:  # it was reset by frames that are not told yet
            return 0

    def _can_send(self, stream_id: int) -> bool:
        """Whether a stream can send what is first in its queue; the end of a response needs no window."""
        queue: deque[Any] = self._outboundStreamQueues[stream_id]
        return not _is_data(queue[0]) or self._window(stream_id) > 0

    def _wake(self) -> None:
        """Let all streams try again to send, and resume what fills their queues."""
        for stream_id, queue in self._outboundStreamQueues.items():
            if queue:
                self.priority.unblock(stream_id)
        if self._sendingDeferred is not None:
            sending, self._sendingDeferred = self._sendingDeferred, None
            sending.callback(None)
        for stream in list(self.streams.values()):
            stream.windowUpdated()

    def _reset(self, stream_id: int) -> None:
        """Reset a stream with an error: clients take no notice of NO_ERROR."""
        self.conn.reset_stream(stream_id, error_code=ErrorCodes.INTERNAL_ERROR)
        if self._tryToWriteControlData():
            self._requestDone(stream_id)


def _is_data(piece: object) -> bool:
    """Whether a piece of a queue is data, and not Twisted's mark of a response's end."""
    return isinstance(piece, memoryview)
