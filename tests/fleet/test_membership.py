"""Where a bus is, as people write it."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.fleet.membership import BusServer
from tests.doubles import LAW


class BusServerTests(unittest.TestCase):
    def test_what_is_said(self) -> None:
        """Names, addresses, ports; and how a log names it."""
        for url, host, port, is_tls, text in (
            ("nats://bus", "bus", 4222, False, "nats://bus:4222"),
            ("tls://bus.example:443/", "bus.example", 443, True, "tls://bus.example:443"),
            ("tls://[2001:db8::1]:4222", "2001:db8::1", 4222, True, "tls://[2001:db8::1]:4222"),
            ("nats://192.0.2.1:1", "192.0.2.1", 1, False, "nats://192.0.2.1:1"),
        ):
            found = BusServer.parse(url)
            self.assertEqual((found.host, found.port, found.is_tls, str(found)), (host, port, is_tls, text))

    @LAW
    @given(st.text())
    def test_anything(self, text: str) -> None:
        """It is one, whose own text is the same one; or a ValueError that can be printed."""
        try:
            found = BusServer.parse(f"tls://{text}")
        except ValueError as error:
            self.assertTrue(str(error).isprintable())
        else:
            self.assertEqual(BusServer.parse(str(found)), found)
