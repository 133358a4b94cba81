"""One connection of a web listener, whatever version of HTTP it speaks: counted, timed, watched, and brought to an end.

A connection has to ask something within ``login_seconds``, whatever it sends meanwhile; after that each request has to
be complete so soon after its first byte, and the next one may be ``idle_seconds`` in coming, as may a reader be who
does not read. A client that ends its input is gone: that is how a browser's tab is closed.

Rule of this file: it knows transports and versions of HTTP; what requests mean is others' business.
"""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Fault, LoginRefused, Malformed, Refusal, RequestError
from cmdserver.core.model import Caller
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.web.http.channel import Channel
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.tcp import LINGER_SECONDS

#: And how much.
LINGER_BYTES: Final = 1 << 20

_log = Logger()


class WebListener(FrontEnd):
    """What connections ask of their listener's front end, besides what every front end has."""

    #: Answers requests.
    serve: Callable[[WebRequest], None]

    def farewell(self, source: str, error: RequestError, status: int) -> bytes:
        """Write down what came and was no request; return a whole answer of HTTP/1.1."""
        raise NotImplementedError

    def note(self, request: WebRequest) -> None:
        """Log an answered request, or one that will not be."""
        raise NotImplementedError


@implementer(IHandshakeListener)
class WebConnection(Protocol):
    """One client, from accept to the end.

    Args:
        front_end: Its listener's.
        source: Where the client calls from.
        pending_login: Settled when the client has logged in, or is gone.
    """

    transport: Any

    # Most connections are idle, and there may be ten thousand: what is as it was at first stays in the class.
    certified: Caller | None = None
    is_secure = False
    #: HTTP/1.1's channel, or HTTP/2's connection.
    _channel: Any = None
    _is_http2 = False
    #: Requests that are being answered.
    _active = 0
    #: A request has begun to come, and has so long to be complete.
    _is_awaited = True
    _is_output_full = False
    _is_parting = False
    _is_leaving = False
    #: Bytes that came after the client was refused.
    _ignored = 0

    def __init__(self, front_end: WebListener, source: str, pending_login: PendingLogin) -> None:
        self._front_end = front_end
        self._connections = front_end.connections
        self.source = source
        self.pending_login = pending_login

    # As called by the transport

    def connectionMade(self) -> None:
        """Wait for the first request; over TLS when it is known which version of HTTP it will be of."""
        self._connections.opened(self)
        self._connections.expect_within(self, self._front_end.context.limits().login_seconds)
        if self._front_end.certificate_of is None:
            self._speak_http1()

    def handshakeCompleted(self) -> None:
        """TLS has its keys: it is known what is spoken, and by whom if the client has a certificate."""
        self.is_secure = True
        self._look_at_certificate()
        (self._speak_http2 if self.transport.negotiatedProtocol == b"h2" else self._speak_http1)()

    def dataReceived(self, data: bytes) -> None:
        """Take what came."""
        if self._is_parting:
            self._ignored += len(data)
            if self._ignored > LINGER_BYTES:
                self.transport.abortConnection()
            return
        self._channel.dataReceived(data)
        if not (self._active or self._is_awaited or self._is_parting):
            self._expect_more()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone, and with it the wish for answers."""
        self._is_parting = True
        self._connections.closed(self)
        self.pending_login.settle()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.connectionLost(reason)

    # As seen by requests

    def begun(self, request: WebRequest) -> None:
        """A request is complete."""
        self._is_awaited = False
        is_first = not self._active
        self._active += 1
        self._front_end.serve(request)
        # Whatever was answered at once, or could not be sent at once, has set a deadline of its own.
        if is_first and self._active and not (self._is_output_full or self._is_parting):
            self._connections.expect_nothing(self)

    def done(self, request: WebRequest) -> None:
        """It is answered, or will not be."""
        self._active -= 1
        self._front_end.note(request)
        if not (self._is_parting or self._active or self._is_output_full):
            limits = self._front_end.context.limits()
            # Who has to log in and has not holds one of the few places of those (MaxStartups).
            self._connections.expect_within(
                self, limits.login_seconds if self.pending_login.is_counted else limits.idle_seconds
            )

    def refuse_body(self) -> None:
        """A body is too long: with HTTP/1.1 the next request could not be found behind it."""
        if not self._is_http2:
            limit = self._front_end.context.limits().request_bytes
            self._refuse(Malformed(f"the body is longer than {limit} bytes"), 413)

    def cut(self, request: WebRequest) -> None:
        """An answer breaks off."""
        if self._is_http2:
            self._channel.cut(request)
        else:
            self._channel.loseConnection()

    def seconds(self) -> float:
        """See `Host`."""
        return self._front_end.context.clock.seconds()

    # As seen by the channel

    def refuse_bytes(self, complaint: str) -> None:
        """What came is no request."""
        self._refuse(Malformed(complaint), 400)

    def output_full(self) -> None:
        """The client does not take what we send."""
        self._is_output_full = True
        self._connections.expect_within(self, self._front_end.context.limits().idle_seconds)

    def output_flows(self) -> None:
        """It does again."""
        self._is_output_full = False
        if self._active:
            self._connections.expect_nothing(self)

    def output_over(self) -> None:
        """Of HTTP/2: every answer has been sent, or was broken off."""
        if self._is_leaving and not self._is_parting:
            self.part()

    def watch(self) -> None:
        """Nothing is read for now."""
        self._connections.watch(self)

    def unwatch(self) -> None:
        """It is read again."""
        if not self._is_parting:
            self._connections.unwatch(self)

    def part(self) -> None:
        """Send what is left to send, and close."""
        self._is_parting = True
        self._connections.expect_within(self, self._front_end.context.limits().idle_seconds)
        if self._is_http2:
            self._channel.take_leave()
        self.transport.loseConnection()

    # As seen by `Connections`

    def overdue(self) -> None:
        """What was expected did not come in time."""
        if self._is_parting or self._is_output_full or self._channel is None or self._is_http2:
            self.transport.abortConnection()
        elif self._is_awaited:
            if self.pending_login.is_counted:
                self.pending_login.charge(Offence.GRACE_EXCEEDED)
            seconds = self._front_end.context.limits().login_seconds
            self._refuse(Malformed(f"the request was not complete within {seconds:g} s"), 408)
        else:
            self.part()

    def close_when_idle(self) -> None:
        """Close as soon as what was asked has been answered."""
        self._is_leaving = True
        if self._is_parting:
            return
        if self._is_http2:
            if not self._channel.is_sending:
                self.part()
        elif self._active:
            self._channel.finish_up()
        else:
            self.part()

    def _expect_more(self) -> None:
        """Say by when the rest of a request is to be there; or, after a word from the reader of an answer, the next."""
        if self._channel.is_reading_request:
            self._is_awaited = True
            self._connections.expect_within(self, self._front_end.context.limits().login_seconds)
        elif self._is_http2 and self._channel.is_sending:
            self._connections.expect_within(self, self._front_end.context.limits().idle_seconds)

    def _speak_http1(self) -> None:
        self._channel = Channel(self, self._new_request)
        self._channel.makeConnection(self.transport)

    def _speak_http2(self) -> None:
        from cmdserver.frontends.web.http.http2 import HTTP2Channel  # noqa: PLC0415 - for those who speak it only

        self._is_http2 = True
        self._channel = HTTP2Channel(self, self._new_request, self._front_end.context.clock)
        self._channel.makeConnection(self.transport)
        self.transport.registerProducer(self._channel, True)

    def _new_request(self, channel: Any, queued: object = None) -> WebRequest:
        del queued
        return WebRequest(channel, self, self._front_end.context.limits().request_bytes)

    def _look_at_certificate(self) -> None:
        trying = self._front_end.log_in_by_certificate(self.transport, self.source)
        if trying is None:
            return

        def certified(caller: Caller) -> None:
            self.certified = caller
            self.pending_login.settle()

        def refused(failure: Failure) -> None:
            # It is written down; who holds it may have something better to show, unless it was we who could not see.
            if failure.trap(Refusal, Fault) is Fault:
                self.transport.abortConnection()
            elif failure.check(LoginRefused):
                self.pending_login.charge(Offence.AUTHFAIL)

        trying.addCallbacks(certified, refused).addErrback(self._broken)

    def _refuse(self, error: RequestError, status: int) -> None:
        """Answer bytes that are no request, and part, but not before the client can have read why."""
        if self._is_parting:
            return
        self._is_parting = True
        if self._is_http2:
            self.transport.abortConnection()
            return
        self._channel.stop()
        self.transport.unregisterProducer()
        self.transport.write(self._front_end.farewell(self.source, error, status))
        self._connections.expect_within(self, LINGER_SECONDS)
        self.transport.loseWriteConnection()

    def _broken(self, failure: Failure) -> None:
        """A mistake of ours."""
        _log.failure("web connection from {source}", failure, source=self.source)
        self.transport.abortConnection()
