"""Tests of what front ends have in common; who is refused is in the tests of each, as clients see it."""

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from tests.frontends.line.doubles import LineComposition
from tests.frontends.web.doubles import WebComposition

IPV4, IPV6, UNIX = IPv4Address("TCP", "0.0.0.0", 80), IPv6Address("TCP", "::1", 80), UNIXAddress(b"/run/{x}")


class ExampleTests(SynchronousTestCase):
    def test_what_to_type(self) -> None:
        """At each kind of address, with TLS and without."""

        def certificate_of(transport: Any, source: str) -> None:
            del transport, source

        line, web = LineComposition(self).front_end, WebComposition(self).front_end
        for front_end, expected in (
            (line, ("echo df | nc localhost 80", "echo df | nc ::1 80", "echo df | nc -U /run/{x}")),
            (
                web,
                (
                    "curl http://localhost:80/df",
                    "curl http://[::1]:80/df",
                    "curl --unix-socket /run/{x} http://localhost/df",
                ),
            ),
        ):
            self.assertEqual(tuple(front_end.example_command(each, "df") for each in (IPV4, IPV6, UNIX)), expected)
        line.certificate_of = web.certificate_of = certificate_of
        for front_end, expected in (
            (
                line,
                (
                    "openssl s_client -quiet -connect localhost:80",
                    "openssl s_client -quiet -connect [::1]:80",
                    "openssl s_client -quiet -unix /run/{x}",
                ),
            ),
            (
                web,
                (
                    "curl --insecure https://localhost:80/df",
                    "curl --insecure https://[::1]:80/df",
                    "curl --insecure --unix-socket /run/{x} https://localhost/df",
                ),
            ),
        ):
            self.assertEqual(tuple(front_end.example_command(each, "df") for each in (IPV4, IPV6, UNIX)), expected)
