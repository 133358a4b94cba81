"""Who is let in to the line listener, and for how long."""

import json

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.listening import Login
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.proxied_endpoint import ProxyItself
from tests.frontends.line.doubles import LineComposition
from tests.frontends.web.doubles import FakeListenerAuth


class DoorTests(SynchronousTestCase):
    """Who is let in, and for how long."""

    def test_silent_client_is_cut_off(self) -> None:
        """From the accept on there are ``login_seconds`` for the first request, however its bytes drip."""
        composition = LineComposition(self)
        client = composition.connect()
        for _ in range(29):
            client.says(b"x")
            composition.clock.pump([1])
        self.assertTrue(client.is_open)
        composition.clock.pump([1, 1])

        self.assertTrue(client.said_all)
        self.assertIn(b"nothing was asked within 30 s", client.got)

    def test_too_many_are_turned_away(self) -> None:
        """Over the limit a client is told to come back, and does not count."""
        composition = LineComposition(self)
        composition.connection_limit.per_source = 2
        for _ in range(2):
            composition.connect()
        client = composition.connect()

        self.assertEqual(2, composition.connection_limit.total)
        self.assertTrue(client.value().startswith(b"cmdserver: busy: "))

    def test_source_behind_a_proxy(self) -> None:
        """A proxy that says nothing of its client is told as the caller, and is not the one who is charged."""
        composition = LineComposition(self)
        client = composition.connect(ProxyItself(IPv4Address("TCP", "10.0.0.1", 1)))
        client.says(b"json whoami\n")

        self.assertEqual("10.0.0.1", json.loads(client.got)["address"])
        self.assertEqual(0, composition.connection_limit.total)

    def test_nobody_behind_a_proxy_is_charged(self) -> None:
        """Whom it does not name is counted among those who have not logged in, and out again, under no address."""
        composition = LineComposition(self)
        listener_auth = FakeListenerAuth(Login.REQUIRED, "tcp:2022")
        composition.front_end.listener_auth = listener_auth
        address = ProxyItself(IPv4Address("TCP", "10.0.0.1", 1))
        composition.connect(address).abortConnection()
        composition.connection_limit.connections = 0
        composition.connect(address)

        self.assertEqual((listener_auth.unauthenticated_connections, set(listener_auth.sources)), (0, {"unknown"}))
        self.assertEqual(listener_auth.offences, [Offence.NOAUTH])
