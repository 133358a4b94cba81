"""Forwards messages to one receiver, for as long as the daemon lives and however often the receiver goes away.

Twisted's ClientService is for streams alone, takes a failed handshake of TLS for a connection, so that its pauses do
not grow, and logs each attempt. Here a receiver of any kind is opened anew after pauses that grow, and the log hears of
the beginning and the end of an outage, and now and then how much was lost.
"""

import random
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from cmdserver.audit.receivers import ForwardCounts
from cmdserver.forwarding.backlog import Backlog
from cmdserver.forwarding.channel import Channel, Owner, reason_of
from cmdserver.forwarding.outage import Level, Outage, Saying

#: That much waits for one receiver.
MOST_LINES: Final = 10_000
MOST_BYTES: Final = 1 << 23
#: Before the second attempt; doubled each time, up to the longest.
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
#: So long a channel must have been good for an outage to be over, and so long for pauses to begin anew.
SETTLED_SECONDS: Final = 5.0
GOOD_SECONDS: Final = 60.0
#: Messages that are sent without giving others a turn.
AT_ONCE: Final = 100

_LEVELS: Final = {Level.GOOD: LogLevel.info, Level.WARNING: LogLevel.warn, Level.ERROR: LogLevel.error}

Open = Callable[[Owner], Deferred[Channel]]

_log = Logger()


class Forwarder:
    """One receiver's; its `Owner` of channels.

    Args:
        clock: Of the reactor.
        to: What to call the receiver.
        open_channel: Opens a way to it.
        jitter: Returns a number from 0 to 1, by which a pause is shortened, so that many hosts do not come at once.
    """

    def __init__(
        self,
        clock: IReactorTime,
        to: str,
        open_channel: Open,
        backlog: Backlog | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._to = to
        self._open_channel = open_channel
        self._jitter = jitter
        self._backlog = backlog if backlog is not None else Backlog(MOST_LINES, MOST_BYTES)
        self._outage = Outage(to)
        self._is_started = False
        self._channel: Channel | None = None
        self._opening: Deferred[Channel] | None = None
        self._opened_at = 0.0
        self._failures = 0
        #: Until the next attempt, the next turn, the end of an outage, and the end.
        self._retry: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None
        self._settling: IDelayedCall | None = None
        self._deadline: IDelayedCall | None = None
        self._closed: Deferred[None] | None = None

    def start(self) -> None:
        """Open a way to the receiver, and send what waits."""
        if not self._is_started:
            self._is_started = True
            self._open()

    def use(self, open_channel: Open, *, at_once: bool) -> None:
        """Open the receiver in another way from now on; what waits stays.

        Args:
            open_channel: The other way.
            at_once: Whether what is open now is to be closed for that.
        """
        self._open_channel = open_channel
        if not at_once or not self._is_started or self._closed is not None:
            return
        for each in (self._retry, self._turn, self._settling):
            self._stop(each)
        self._turn = None
        channel, self._channel = self._channel, None
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        if channel is not None:
            channel.close()
        self._failures = 0
        self._open()

    def forward(self, message: bytes) -> None:
        """Send a message, now or later."""
        self._say(self._outage.lose(self._backlog.add(message), self._clock.seconds()))
        if self._channel is not None and self._turn is None and self._closed is None:
            self._send()

    def counts(self) -> ForwardCounts:
        """Say what became of messages."""
        return ForwardCounts(self._backlog.sent, self._backlog.lost, len(self._backlog))

    def close(self, seconds: float) -> Deferred[None]:
        """Send what waits, for so long; fires when that is done, or cannot be."""
        if self._closed is not None:
            return self._closed
        self._closed = Deferred()
        closed = self._closed
        self._deadline = self._clock.callLater(seconds, self._finish)
        if self._channel is not None:
            self._send()
        elif not self._backlog or not self._is_started:
            self._finish()
        elif self._opening is None:
            self._stop(self._retry)
            self._open()
        return closed

    # Owner

    def ready(self) -> None:
        """See `Owner`."""
        if self._channel is not None and self._turn is None:
            self._send()

    def gone(self, reason: str, lost: int = 0) -> None:
        """See `Owner`."""
        channel, self._channel = self._channel, None
        if channel is None:
            return
        channel.abort()
        for _ in range(min(lost, self._backlog.sent)):
            self._backlog.lose_sent()
        self._say(self._outage.begin(reason))
        self._say(self._outage.lose(lost, self._clock.seconds()))
        if self._clock.seconds() - self._opened_at >= GOOD_SECONDS:
            self._failures = 0
        self._try_later()

    def _open(self) -> None:
        self._retry = None
        opening = self._open_channel(self)
        self._opening = opening if not opening.called else None
        opening.addCallbacks(self._opened, self._not_opened)

    def _opened(self, channel: Channel) -> None:
        self._opening, self._channel, self._opened_at = None, channel, self._clock.seconds()
        self._settling = self._clock.callLater(SETTLED_SECONDS, self._settled)
        self._send()

    def _not_opened(self, failure: Failure) -> None:
        self._opening = None
        if failure.check(CancelledError) is None:
            self._say(self._outage.begin(reason_of(failure.value)))
            self._try_later()

    def _try_later(self) -> None:
        self._stop(self._settling)
        self._stop(self._turn)
        self._turn = None
        if self._closed is not None:
            self._finish()
            return
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 10), LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._retry = self._clock.callLater(pause * (1 - self._jitter() / 4), self._open)

    def _settled(self) -> None:
        self._settling = None
        self._say(self._outage.end())

    def _send(self) -> None:
        """Send what waits; others have a turn now and then."""
        self._turn = None
        for _ in range(AT_ONCE):
            channel, message = self._channel, self._backlog.first()
            if channel is None or message is None:
                break
            if not channel.send(message):
                return
            self._backlog.take_first()
        if self._backlog and self._channel is not None:
            self._turn = self._clock.callLater(0, self._send)
        elif self._closed is not None and self._channel is not None:
            channel, self._channel = self._channel, None
            closing = channel.close()
            closing.addBoth(lambda _: self._finish())
            self._opening = closing  # type: ignore[assignment] # to be cancelled at the deadline

    def _finish(self) -> None:
        """Give up what is left, and be closed."""
        closed, self._closed = self._closed, Deferred()
        for each in (self._retry, self._turn, self._settling, self._deadline):
            self._stop(each)
        channel, self._channel = self._channel, None
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        if channel is not None:
            channel.abort()
        if lost := self._backlog.lose_all():
            _log.warn("{lost} lines of the audit file could not be sent to {to} before the end", lost=lost, to=self._to)
        if closed is not None and not closed.called:
            closed.callback(None)

    def _say(self, saying: Saying | None) -> None:
        if saying is not None:
            _log.emit(_LEVELS[saying.level], "{text}", text=saying.text)

    @staticmethod
    def _stop(timer: IDelayedCall | None) -> None:
        if timer is not None and timer.active():
            timer.cancel()
