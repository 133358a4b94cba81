"""Tests of connections: how long they may take, what they may send, and how they end."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.credentials import Certificate
from cmdserver.config.schema.host import Limits
from cmdserver.core.errors import Code
from cmdserver.core.listening import Login
from cmdserver.frontends.web.http.channel import MOST_AHEAD_BYTES
from cmdserver.frontends.web.http.connection import LINGER_BYTES
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.proxied_endpoint import ProxyItself
from cmdserver.net.tcp import LINGER_SECONDS
from tests.frontends.web.doubles import CLIENT, HOST, Client, WebComposition
from tests.running_doubles import command

LIMITS = Limits(login_seconds=10.0, idle_seconds=60.0, request_bytes=100)
HEAD = f"GET /uptime HTTP/1.1\r\nHost: {HOST}\r\n".encode()


class ConnectionTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), limits=LIMITS)

    def wait(self, seconds: float) -> None:
        """Let time pass, as the reactor sees it."""
        self.composition.clock.pump([0.5] * int(seconds * 2))


class DeadlineTests(ConnectionTestCase):
    def test_the_first_request_has_its_time(self) -> None:
        """A client that says nothing, or not enough, is told so, and let go."""
        silent, slow = self.composition.connect(), self.composition.connect()
        for _ in range(9):
            self.wait(1)
            slow.says(b"GET"[:1])
        self.wait(2)

        for client in (silent, slow):
            self.assertEqual(client.response.status, 408)
            self.assertTrue(client.said_all)
        self.wait(LINGER_SECONDS + 1)
        self.assertEqual((silent.was_aborted, slow.was_aborted), (True, True))

    def test_each_request_has_its_time(self) -> None:
        """Whoever has asked before has so long from the first byte of the next request on."""
        client = self.composition.ask_for("/-/healthy")
        self.wait(50)
        client.says(HEAD)
        self.wait(9)
        self.assertTrue(client.is_open)
        client.says(b"X: y\r\n")
        self.wait(2)

        self.assertEqual([response.status for response in client.responses], [200, 408])

    def test_between_requests_there_is_a_pause(self) -> None:
        """A connection on which nothing happens is closed, without a word."""
        client = self.composition.ask_for("/-/healthy")
        self.wait(59)
        self.assertTrue(client.is_open)
        self.wait(2)

        self.assertFalse(client.is_open)
        self.assertEqual(len(client.responses), 1)

    def test_a_run_may_take_its_time(self) -> None:
        """While we are asked, and not the client, nothing is due."""
        client = self.composition.ask_for("/uptime")
        self.wait(25)
        self.composition.process.ends()

        self.assertEqual(client.response.status, 200)
        self.assertTrue(client.is_open)

    def test_who_takes_nothing_is_cut_off(self) -> None:
        """A client that does not read its answer has as long as it has between requests."""
        client = self.composition.connect()
        client.is_slow = True
        client.asks("/-/healthy")
        self.wait(61)

        self.assertTrue(client.was_aborted)


class RefusalTests(ConnectionTestCase):
    def test_no_request(self) -> None:
        """Bytes that are none are answered, written down, and nothing behind them is looked at."""
        client = self.composition.connect()
        client.says(b"what?\r\n\r\n" + HEAD + b"\r\n")

        self.assertEqual(client.response.status, 400)
        self.assertEqual(client.response["connection"], "close")
        (event,) = self.composition.ledger.requests
        self.assertEqual((event.command, event.outcome, event.caller.protocol), (None, Code.MALFORMED, "web"))

    def test_who_goes_on_is_cut_off(self) -> None:
        """A client that was refused may have been sending; without end it may not."""
        client = self.composition.connect()
        client.says(b"what?\r\n\r\n")
        client.says(b"x" * LINGER_BYTES)
        self.assertFalse(client.was_aborted)
        client.says(b"x")

        self.assertTrue(client.was_aborted)

    def test_a_body_that_is_too_long(self) -> None:
        """It is refused when it is announced, or when it shows."""
        announced = self.composition.ask_for("/uptime", "POST", body=b"x" * 101)
        shown = self.composition.connect()
        shown.says(f"POST /uptime HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n".encode())
        shown.says(b"x" * 100 + b"\r\n")
        self.assertEqual(shown.responses, [])
        shown.says(b"1\r\nx\r\n")

        self.assertEqual((announced.response.status, shown.response.status), (413, 413))
        self.assertEqual(self.composition.spawner.processes, [])

    def test_no_room(self) -> None:
        """A client for whom there is no room is told so once it has asked, and is not counted."""
        self.composition.connection_limit.connections = 1
        first, second = self.composition.connect(), self.composition.connect()
        second.asks("/uptime")

        self.assertEqual(second.response.status, 503)
        self.assertEqual(second.response["retry-after"], "5")
        self.assertEqual(self.composition.connection_limit.total, 1)
        second.gone()
        first.gone()
        self.assertEqual(self.composition.connection_limit.total, 0)

    def test_no_room_for_the_silent(self) -> None:
        """One that asks nothing is let go soon."""
        self.composition.connection_limit.connections = 0
        client = self.composition.connect()
        self.composition.clock.advance(LINGER_SECONDS)

        self.assertTrue(client.was_aborted)


class PipeliningTests(ConnectionTestCase):
    def test_requests_wait_for_who_does_not_read(self) -> None:
        """Answers that are not taken hold up those behind them, which are left in the network."""
        client = self.composition.connect()
        client.is_slow = True
        client.says((HEAD.replace(b"/uptime", b"/-/healthy") + b"\r\n") * 2000)
        self.assertEqual(len(client.responses), 1)
        self.assertEqual(client.producerState, "paused")
        self.assertIn(client.number, self.composition.liveness.watched)

        client.catches_up()

        self.assertEqual(len(client.responses), 2000)
        self.assertEqual(client.producerState, "producing")
        self.assertNotIn(client.number, self.composition.liveness.watched)

    def test_a_flood_behind_a_run_is_left_in_the_network(self) -> None:
        """While a request is answered, a bounded part of what follows is taken in, and it is watched who goes."""
        client = self.composition.ask_for("/uptime")
        while client.producerState == "producing":
            client.says(b"x" * 1000)
        self.assertLess(
            client.protocol._channel._dataBuffer and sum(map(len, client.protocol._channel._dataBuffer)),
            MOST_AHEAD_BYTES,
        )
        self.composition.liveness.watched[client.number]()
        self.composition.turn()

        self.assertFalse(self.composition.process.is_alive)


class EndTests(ConnectionTestCase):
    def test_who_is_gone_has_its_run_ended(self) -> None:
        """Nobody reads any more: the process is ended."""
        client = self.composition.ask_for("/uptime")
        client.gone()
        self.composition.turn()

        self.assertFalse(self.composition.process.is_alive)
        self.assertEqual(self.composition.connection_limit.total, 0)

    def test_at_the_end_what_was_asked_is_answered(self) -> None:
        """Connections with a request under way end after it, the others at once."""
        busy, idle, new = (
            self.composition.ask_for("/uptime"),
            self.composition.ask_for("/-/healthy"),
            self.composition.connect(),
        )
        self.composition.front_end.close()
        self.assertEqual([client.is_open for client in (busy, idle, new)], [True, False, False])

        self.composition.process.ends()

        self.assertEqual(busy.response.status, 200)
        self.assertFalse(busy.is_open)

    def test_nothing_is_left(self) -> None:
        """Connections that are over are counted out, whatever became of them."""
        for say in (b"", b"GET", b"what?\r\n\r\n", HEAD + b"\r\n"):
            client = self.composition.connect()
            client.says(say)
            client.gone()
            client.gone()

        self.assertEqual(self.composition.connection_limit.total, 0)


class UnauthenticatedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = WebComposition(self, command(), login=Login.REQUIRED, limits=LIMITS)

    def test_who_has_said_who_they_are_is_none(self) -> None:
        """Whoever has not logged in counts as unauthenticated until they have, or are gone."""
        stranger, ada = self.composition.connect(), self.composition.connect()
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 2)
        ada.asks("/", authorization="Bearer good")
        ada.asks("/", authorization="Bearer good")
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 1)
        stranger.gone()
        ada.gone()

        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 0)

    def test_who_has_not_logged_in_is_not_waited_for(self) -> None:
        """A browser that only looks at the form does not keep its place among the unauthenticated for long."""
        stranger = self.composition.ask_for("/-/login")
        ada = self.composition.ask_for("/", authorization="Bearer good")
        self.composition.clock.pump([0.5] * 22)

        self.assertEqual((stranger.is_open, ada.is_open), (False, True))
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 0)

    def test_who_asks_nothing_has_wasted_our_time(self) -> None:
        """At a listener that asks who is there, that is remembered."""
        self.composition.connect()
        self.composition.clock.pump([0.5] * 22)

        self.assertEqual(self.composition.listener_auth.offences, [Offence.GRACE_EXCEEDED])
        self.assertEqual(set(self.composition.listener_auth.sources), {CLIENT.host})

    def test_behind_a_proxy(self) -> None:
        """A proxy that says nothing of its client is not the one who is charged, whatever that does wrong."""
        self.composition.connect(ProxyItself(CLIENT)).says(HEAD + b"Authorization: Bearer x\r\n\r\n")
        idle = self.composition.connect(ProxyItself(CLIENT))
        self.composition.clock.pump([0.5] * 22)

        self.assertEqual(idle.protocol.source, CLIENT.host)
        self.assertEqual(self.composition.listener_auth.offences, [Offence.AUTHFAIL, Offence.GRACE_EXCEEDED])
        self.composition.connection_limit.connections = 0
        self.composition.connect(ProxyItself(CLIENT))
        self.assertEqual(set(self.composition.listener_auth.sources), {"unknown"})
        self.assertEqual(
            self.composition.listener_auth.unauthenticated_connections,
            1,
            "the one that has been told that it was too slow",
        )

    def test_a_certificate_behind_a_proxy(self) -> None:
        """Nor is it, if its client shows a certificate that lets nobody in; that client is charged otherwise."""
        self.composition.front_end.certificate_of = lambda _, source: Certificate(
            names=("eve",), fingerprint="SHA256:x", source=source
        )
        for address, charged in ((ProxyItself(CLIENT), "unknown"), (CLIENT, CLIENT.host)):
            self.composition.listener_auth.sources.clear()
            client: Any = self.composition.connect(address)
            client.negotiatedProtocol = None
            client.protocol.handshakeCompleted()
            self.assertEqual(self.composition.listener_auth.offences.pop(), Offence.AUTHFAIL)
            self.assertEqual(self.composition.listener_auth.sources, [charged] * 2)


class SecureTests(ConnectionTestCase):
    def secure_client(self) -> Client:
        """Let a client in whose TLS is being negotiated."""
        self.composition.front_end.certificate_of = lambda *_: None
        client = self.composition.connect()
        client.negotiatedProtocol = None  # type: ignore[attr-defined]
        return client

    def test_strict_transport_security(self) -> None:
        """Over TLS with the administrator's certificate, and nowhere else: a browser would find no way back."""
        for is_strict in (False, True):
            self.composition.is_strict = is_strict
            client = self.secure_client()
            client.protocol.handshakeCompleted()
            for accept in ("text/html", "*/*"):
                client.asks("/-/login", accept=accept)
            self.composition.front_end.certificate_of = None
            plain = self.composition.ask_for("/-/login")

            expected = "max-age=31536000" if is_strict else ""
            for response in client.responses:
                self.assertEqual(response["strict-transport-security"], expected)
            self.assertEqual(plain.response["strict-transport-security"], "")

    def test_plain_http_where_tls_is_spoken(self) -> None:
        """One sentence says which address is meant; it is a request that was refused, and written down."""
        for data, address in (
            (b"GET /df?a=1 HTTP/1.1\r\nHost: shop1:2443\r\nAccept: */*\r\n\r\n", "https://shop1:2443/df?a=1"),
            (b"GET http://x/ HTTP/1.1\r\nhost:[::1]:1\r\n\r\n", "https://[::1]:1/"),
            (b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n", "https://…"),
            (b"uptime\n", "https://…"),
        ):
            client = self.secure_client()
            answer = client.protocol.answer_plain(data).decode()
            head, _, body = answer.partition("\r\n\r\n")
            self.assertTrue(head.startswith("HTTP/1.1 400 Bad Request\r\n"), head)
            self.assertEqual(body, f"cmdserver: malformed: this port speaks HTTPS; ask for {address}\n")
            self.assertEqual(client.value(), b"")
            client.gone()
        self.assertEqual(self.composition.outcomes, [Code.MALFORMED] * 4)
