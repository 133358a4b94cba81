"""HTTP/2 on one connection: Twisted's, with bounds of ours, and a way to break an answer off.

It has what a connection asks of `channel.Channel`, but for what HTTP/2 does not need: a request that is refused is a
stream of its own, and the connection goes on.

Rule of this file: it rests on private names of Twisted's, all of `H2Connection`; it is imported only for those who
speak it, and needs the package ``h2``.
"""

from collections.abc import Callable
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection

from cmdserver.frontends.web.channel import MOST_HEADER_BYTES, Keeper

#: Requests of one connection that are answered at once; browsers ask for a dozen, and each may have an answer waiting.
MOST_STREAMS: Final = 32


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

    def __init__(self, keeper: Keeper, request_factory: Callable[..., Any], clock: IReactorTime) -> None:
        super().__init__(clock)
        self._keeper = keeper
        self.requestFactory = request_factory
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
        """Break an answer off, as a mistake: to a reset without one (NO_ERROR) clients give no notice."""
        stream_id = request.channel.streamID
        self.conn.reset_stream(stream_id, error_code=ErrorCodes.INTERNAL_ERROR)
        if self._tryToWriteControlData() and stream_id in self.streams:
            self._requestDone(stream_id)
        request.connectionLost(Failure(ConnectionAborted()))

    def take_leave(self) -> None:
        """Say that nothing more will be answered (GOAWAY), and hold the connection no longer."""
        self.conn.close_connection()
        self.transport.write(self.conn.data_to_send())
        self.transport.unregisterProducer()

    # H2Connection

    def pauseProducing(self) -> None:
        """The client does not take what we send."""
        super().pauseProducing()
        self._keeper.output_full()

    def resumeProducing(self) -> None:
        """It does again."""
        super().resumeProducing()
        self._keeper.output_flows()
