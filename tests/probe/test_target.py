"""Tests of targets."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.errors import WrongUsage
from cmdserver_probe.target import parse_target


class TargetTests(SynchronousTestCase):
    def test_all_forms(self) -> None:
        """Names and addresses, with a port and without."""
        forms = {
            "mail.example.org": ("mail.example.org", 25, "mail.example.org:25"),
            "mail.example.org.:587": ("mail.example.org.", 587, "mail.example.org.:587"),
            "192.0.2.1:1": ("192.0.2.1", 1, "192.0.2.1:1"),
            "[2001:db8::1]:65535": ("2001:db8::1", 65535, "[2001:db8::1]:65535"),
            "[::1]": ("::1", 25, "[::1]:25"),
            "::1": ("::1", 25, "[::1]:25"),
            "fe80::1%eth0": ("fe80::1%eth0", 25, "[fe80::1%eth0]:25"),
            "bücher.example": ("xn--bcher-kva.example", 25, "xn--bcher-kva.example:25"),
        }
        for text, (host, port, again) in forms.items():
            with self.subTest(text):
                target = parse_target(text, 25)
                self.assertEqual((target.host, target.port, str(target)), (host, port, again))

    def test_what_is_none(self) -> None:
        """It is said what is wrong."""
        wrong = {
            "": "nothing is no host name",
            ":25": "nothing is no host name",
            "-oProxy": "-oProxy is no host name",
            "a b": "a b is no host name",
            "a/b": "a/b is no host name",
            "a..b": "a..b is no host name",
            "x" * 64: "is no host name",
            "host:": "nothing is no port",
            "host:0": "0 is no port",
            "host:65536": "65536 is no port",
            "host:+25": "is no port",
            "host:\u0662\u0665": "is no port",
            "[::1": "an IPv6 address with a port is",
            "[::1]25": "an IPv6 address with a port is",
            "[localhost]:25": "an IPv6 address with a port is",
            "\u00fc" * 70: "is no host name",
        }
        for text, said in wrong.items():
            with self.subTest(text), self.assertRaisesRegex(WrongUsage, said):
                parse_target(text, 25)

    def test_no_port(self) -> None:
        """Where there is no usual one, it must be typed."""
        with self.assertRaisesRegex(WrongUsage, "localhost has no port; write HOST:PORT"):
            parse_target("localhost", None)
