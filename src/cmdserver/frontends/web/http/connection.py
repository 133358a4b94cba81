"""One connection of a web listener, whatever version of HTTP it speaks: counted, timed, watched, and closed.

A request has to be complete ``login_seconds`` after its first byte, and the first one ``login_seconds`` after the
connection was made. The next one may be ``idle_seconds`` in coming, and a client may not read for as long. A client
that ends its input is gone: that is how browsers close a tab.
"""

from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.core.errors import Fault, LoginRefused, Malformed, Refusal
from cmdserver.core.model import Caller
from cmdserver.frontends.common.front_end import FrontEnd
from cmdserver.frontends.web.http import access_log
from cmdserver.frontends.web.http.channel import Channel
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.large_bodies import LargeBodies
from cmdserver.frontends.web.http.problems import STATUS, speaks_tls, status_of_body, whole_response
from cmdserver.frontends.web.http.request import Connection, WebRequest
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.tcp import LINGER_SECONDS, close_at_once

#: The most bytes that are read, and ignored, from a client that was refused.
LINGER_BYTES: Final = 1 << 20

_log = Logger()


class State(Enum):
    """What a connection waits for."""

    #: The rest of a request, or the first one.
    READING = auto()
    #: Answers; over HTTP/2 also further requests.
    ANSWERING = auto()
    #: The next request.
    IDLE = auto()
    #: Its end: what is left is sent, and what comes is ignored.
    CLOSING = auto()


class WebListener(FrontEnd):
    """A front end with what its connections ask for."""

    #: Answers a request.
    serve: Callable[[WebRequest], None]
    large_bodies: LargeBodies
    #: Whether each request is a line of the access log, as the configuration is now.
    logs_access: Callable[[], bool]
    #: Whether browsers are told to ask this host over TLS alone, as the configuration is now.
    is_strict: Callable[[], bool]


@implementer(IHandshakeListener)
class WebConnection(Connection):
    """The connection of one client."""

    # Most connections are idle, and there may be ten thousand: an attribute is in the instance only once it changes.
    state = State.READING
    #: HTTP/1.1's or HTTP/2's; None until that is decided, and when the connection is lost.
    _channel: Any = None
    #: How many requests are being answered.
    _active = 0
    _is_input_paused = False
    _is_leaving = False
    #: Whether the request that is being answered is the last one.
    _is_last = False
    #: How many bytes came after the client was refused.
    _ignored = 0

    def __init__(self, front_end: WebListener, source: str, pending_login: PendingLogin) -> None:
        self._front_end = front_end
        self._connections = front_end.connections
        self.source = source
        self.pending_login = pending_login

    # As called by the transport

    def connectionMade(self) -> None:
        """Await the first request; over TLS, once it is known which version of HTTP it will have."""
        self._connections.opened(self)
        self._expect_within_login_seconds()
        if self._front_end.certificate_of is None:
            self._speak(Channel(self, self._new_request))

    def handshakeCompleted(self) -> None:
        """Log in by the client's certificate, and speak what ALPN has chosen."""
        self.is_secure = True
        self.is_strict = self._front_end.is_strict()
        self._look_at_certificate()
        if self.transport.negotiatedProtocol == b"h2":
            from cmdserver.frontends.web.http.http2 import HTTP2Channel  # noqa: PLC0415 - for TLS only

            self.is_http2 = True
            self._speak(HTTP2Channel(self, self._new_request, self._front_end.context.clock))
        else:
            self._speak(Channel(self, self._new_request))

    def answer_plain(self, data: bytes) -> bytes:
        """See `PlainTextReceiver`."""
        return self._refusal(speaks_tls(data), HTTPStatus.BAD_REQUEST)

    def dataReceived(self, data: bytes) -> None:
        if self.state is State.CLOSING:
            self._ignored += len(data)
            if self._ignored > LINGER_BYTES:
                self.transport.abortConnection()
            return
        self._channel.dataReceived(data)
        if self.state is State.IDLE:
            self._expect_more()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.state = State.CLOSING
        self._connections.closed(self)
        self.pending_login.settle()
        self.follow(None)
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.connectionLost(reason)

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self._expect_within_idle_seconds()

    def resumeProducing(self) -> None:
        if self._active:
            self._connections.expect_nothing(self)
        super().resumeProducing()

    # As called by requests

    def begun(self, request: WebRequest) -> None:
        if self.state is not State.CLOSING:
            self.state = State.ANSWERING
        is_first = not self._active
        self._active += 1
        self._front_end.serve(request)
        # An answer that was sent at once, or could not be, has set a deadline of its own.
        if is_first and self._active and not self.is_output_full and self.state is State.ANSWERING:
            self._connections.expect_nothing(self)

    def done(self, request: WebRequest) -> None:
        self._active -= 1
        if self._front_end.logs_access():
            access_log.log(request, self._front_end.context.dispatcher.commands_with_secrets)
        if self._is_last and not self._active:
            close_at_once(self.transport)
            if self._channel is not None:
                self._expect_within_idle_seconds()
            return
        if self._active or self.state is State.CLOSING:
            return
        self.state = State.IDLE
        if self.is_output_full:
            return
        if self.pending_login.is_counted:  # it holds one of the few places of the unauthenticated (MaxStartups)
            self._expect_within_login_seconds()
        else:
            self._expect_within_idle_seconds()

    def cut(self, request: WebRequest) -> None:
        self._channel.cut(request)

    def end_body(self, request: WebRequest, trailers: Headers) -> None:
        self._channel.end_body(request, trailers)

    def hold_body(self, target: bytes, size: int, more: int) -> None:
        self._front_end.large_bodies.hold(target, size, more)

    def release_body(self, count: int) -> None:
        self._front_end.large_bodies.release(count)

    def refuse_body(self, refusal: Refusal) -> None:
        if not self.is_http2:
            self._refuse(refusal, status_of_body(refusal))

    def seconds(self) -> float:
        return self._front_end.context.clock.seconds()

    def time_of_day(self) -> float:
        return self._front_end.context.time_of_day()

    # As called by the channel

    def refuse_bytes(self, complaint: str) -> None:
        self._refuse(Malformed(complaint), 400)

    def pause_input(self) -> None:
        if not self._is_input_paused:
            self._is_input_paused = True
            self.transport.pauseProducing()
            self._connections.watch(self)

    def resume_input(self) -> None:
        if self._is_input_paused:
            self._is_input_paused = False
            if self.state is not State.CLOSING:
                self._connections.unwatch(self)
            self.transport.resumeProducing()

    def responses_sent(self) -> None:
        if self._is_leaving and self.state is not State.CLOSING:
            self.part()

    def part_when_done(self) -> None:
        self.state = State.CLOSING
        self._is_last = True

    def part(self) -> None:
        self.state = State.CLOSING
        self._expect_within_idle_seconds()
        if self.is_http2:
            self._channel.take_leave()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    # As called by `Connections`

    def overdue(self) -> None:
        if self.state is State.CLOSING or self.is_output_full or self._channel is None or self.is_http2:
            self.transport.abortConnection()
        elif self.state is State.READING:
            if self.pending_login.is_counted:
                self.pending_login.charge(Offence.GRACE_EXCEEDED)
            seconds = self._front_end.context.limits().login_seconds
            self._refuse(Malformed(f"the request was not complete within {seconds:g} s"), 408)
        else:
            self.part()

    def close_when_idle(self) -> None:
        """Close as soon as the requests that have come are answered."""
        self._is_leaving = True
        if self.state is State.CLOSING:
            return
        if self._channel is not None and self._channel.is_sending:
            self._channel.close_when_idle()
        else:
            self.part()

    def _expect_more(self) -> None:
        """Restart the deadline of a request that is incomplete; over HTTP/2, that of responses that are not read."""
        if self._channel.is_reading_request:
            self.state = State.READING
            self._expect_within_login_seconds()
        elif self.is_http2 and self._channel.is_sending:
            self._expect_within_idle_seconds()

    def _expect_within_login_seconds(self) -> None:
        self._connections.expect_within(self, self._front_end.context.limits().login_seconds)

    def _expect_within_idle_seconds(self) -> None:
        self._connections.expect_within(self, self._front_end.context.limits().idle_seconds)

    def _speak(self, channel: Any) -> None:
        self._channel = channel
        channel.makeConnection(self.transport)
        self.transport.registerProducer(self, True)
        self.follow(channel)

    def _new_request(self, channel: Any, queued: object = None) -> WebRequest:
        del queued
        return WebRequest(channel, self, self._front_end.context.limits().request_bytes)

    def _look_at_certificate(self) -> None:
        if self._front_end.is_trusted_proxy(self.source):
            return  # the certificate is its own, and the requests are others'
        trying = self._front_end.log_in_by_certificate(self.transport, self.source)
        if trying is None:
            return

        def certified(caller: Caller) -> None:
            self.certified = caller
            self.pending_login.settle()

        def refused(failure: Failure) -> None:
            # The client may have something better to show, unless it was we who could not read the certificate.
            if failure.trap(Refusal, Fault) is Fault:
                self.transport.abortConnection()
            elif failure.check(LoginRefused):
                self.pending_login.charge(Offence.AUTHFAIL)

        trying.addCallbacks(certified, refused).addErrback(self._broken)

    def _refuse(self, refusal: Refusal, status: int) -> None:
        """Over HTTP/1.1: write down and answer what is no request, and close once the client can have read why."""
        if self.state is State.CLOSING:
            return
        answer = self._refusal(refusal, status)
        self._channel.stop()
        self.transport.unregisterProducer()
        self.transport.write(answer)
        self._connections.expect_within(self, LINGER_SECONDS)
        self.transport.loseWriteConnection()

    def _refusal(self, refusal: Refusal, status: int) -> bytes:
        """Write down what is no request; return the answer, behind which the connection is closed."""
        self.state = State.CLOSING
        front_end = self._front_end
        error = front_end.context.dispatcher.refuse(front_end.listener_auth.stranger(self.source), refusal)
        if error is not refusal:
            status = STATUS[error.code]
        if front_end.logs_access():
            access_log.log_refused(self.source, status)
        return whole_response(error, status)

    def _broken(self, failure: Failure) -> None:
        """Abort over a mistake of ours."""
        _log.failure("web connection from {source}", failure, source=self.source)
        self.transport.abortConnection()
