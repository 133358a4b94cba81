"""Tests of the names by which clients may call this host."""

import unittest

from cmdserver.core.endpoints import parse
from cmdserver.net.host_names import normal_host, own_names


class OwnNamesTests(unittest.TestCase):
    def test_what_is_always_ours(self) -> None:
        """The loopback's names and addresses, and the host's own name, with its domain and without."""
        names = own_names("web1.Example.org", [], [])

        self.assertLessEqual({"localhost", "127.0.0.1", "::1", "web1.example.org", "web1"}, names)
        self.assertNotIn("*", names)
        self.assertNotIn("example.org", names)

    def test_where_we_listen(self) -> None:
        """An interface that a web listener names is ours, IPv6 with its backslashes too."""
        endpoints = ["tcp:80:interface=192.0.2.7", r"tcp6:80:interface=2001\:db8\:\:0001", "tcp:80", "unix:/run/web"]

        self.assertLessEqual({"192.0.2.7", "2001:db8::1"}, own_names("web1", map(parse, endpoints), []))

    def test_what_the_administrator_adds(self) -> None:
        """Names are compared without regard to case, a dot at the end, or how an address is spelled."""
        names = own_names("web1", [], ["Ops.Example.", "[2001:DB8:0::1]", "*"])

        self.assertLessEqual({"ops.example", "2001:db8::1", "*"}, names)
        self.assertEqual(normal_host("OPS.example"), "ops.example")
