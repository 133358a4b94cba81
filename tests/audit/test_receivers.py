"""Tests of how receivers are named."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.audit.receivers import Receiver, Transport


class ReceiverTests(SynchronousTestCase):
    def test_receivers(self) -> None:
        """Each transport, names, addresses of both kinds, and sockets."""
        for to, transport, host, port in (
            ("udp:logs.example:514", Transport.UDP, "logs.example", 514),
            ("tcp:192.0.2.1:65535", Transport.TCP, "192.0.2.1", 65535),
            ("tls:[2001:db8::1]:6514", Transport.TLS, "2001:db8::1", 6514),
            ("udp:[fe80::1%eth0]:514", Transport.UDP, "fe80::1%eth0", 514),
            ("tcp:log-1:1", Transport.TCP, "log-1", 1),
            ("unix:/dev/log", Transport.UNIX, "/dev/log", 0),
            ("unix:/a:b", Transport.UNIX, "/a:b", 0),
        ):
            found = Receiver.parse(to)
            self.assertEqual((found.to, found.transport, found.host, found.port), (to, transport, host, port))

    def test_whom_a_certificate_must_name(self) -> None:
        """The host, unless somebody says another."""
        self.assertEqual(Receiver.parse("tls:a.example:6514").server_name, "a.example")
        self.assertEqual(Receiver.parse("tls:192.0.2.1:6514", "/ca", "a.example").server_name, "a.example")
        self.assertEqual(Receiver.parse("tls:192.0.2.1:6514", "/ca").ca, "/ca")

    def test_mistakes(self) -> None:
        """Each is told with what would be right."""
        for to, text in {
            "logs.example:514": 'begins with none of udp:, tcp:, tls: and unix:; write "tls:logs.example:6514"',
            "udp:logs.example": 'names no port; write "udp:logs.example:514"',
            "tls:": 'names no port; write "tls:HOST:6514"',
            "tls:[::1]": 'names no port; write "tls:[::1]:6514"',
            "tcp::514": 'names no host; write "tcp:HOST:514"',
            "udp:a:0": "is no port: a number from 1 to 65535; syslog's is 514",
            "udp:a:65536": "is no port",
            "udp:a:syslog": "is no port",
            "udp:a:٣": "is no port",
            "udp:::1:514": 'an IPv6 address stands in brackets: "udp:[::1]:514"',
            "udp:[a.example]:514": "is no IPv6 address, which alone stands in brackets",
            "udp:a b:514": "'a b' is no name of a host",
            "udp:ä:514": "is no name of a host",
            "udp:..:514": "is no name of a host",
            f"udp:{'a' * 64}:514": "is no name of a host",
            "unix:dev/log": "is not an absolute path",
            "unix:": "is not an absolute path",
            "unix:/a\0": "is not an absolute path",
            f"unix:/{'x' * 107}": "has 107 bytes at most",
        }.items():
            with self.assertRaises(ValueError) as caught:
                Receiver.parse(to)
            self.assertIn(text, str(caught.exception))
