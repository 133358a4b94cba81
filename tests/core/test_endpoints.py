"""Endpoint descriptions, and what is said of those that are none."""

import unittest
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import _parse
from twisted.internet.testing import MemoryReactor

from cmdserver.core.endpoints import _split, parse
from cmdserver.net.listener import server_endpoint
from tests.doubles import LAW


class ParseTests(unittest.TestCase):
    def test_what_it_says(self) -> None:
        """Values may have their names, or their places; backslashes are taken off."""
        for text, kind, arguments in (
            ("tcp:80", "tcp", {"port": "80"}),
            ("tcp:0:127.0.0.1:5", "tcp", {"port": "0", "interface": "127.0.0.1", "backlog": "5"}),
            ("tcp:interface=localhost:port=65535", "tcp", {"interface": "localhost", "port": "65535"}),
            (r"tcp6:80:interface=\:\:1", "tcp6", {"port": "80", "interface": "::1"}),
            (r"tcp6:80:5:fe80\:\:1%eth0", "tcp6", {"port": "80", "backlog": "5", "interface": "fe80::1%eth0"}),
            (r"unix:/a\:b\=c:mode=660", "unix", {"address": "/a:b=c", "mode": "660"}),
            ("unix:/a:mode=0o600:lockfile=0", "unix", {"address": "/a", "mode": "0o600", "lockfile": "0"}),
            ("systemd:domain=INET6:name=web", "systemd", {"domain": "INET6", "name": "web"}),
            ("systemd:name=web", "systemd", {"name": "web"}),
            ("systemd:UNIX:0", "systemd", {"domain": "UNIX", "index": "0"}),
            ("ssl:443:privateKey=/k", "ssl", {"privateKey": "/k"}),
        ):
            with self.subTest(text):
                endpoint = parse(text)
                self.assertEqual((kind, arguments, False), (endpoint.kind, endpoint.arguments, endpoint.is_proxied))
                behind = parse(f"haproxy:{text}")
                self.assertEqual((kind, arguments, True), (behind.kind, behind.arguments, behind.is_proxied))

    def assert_refused(self, cases: dict[str, str]) -> None:
        """Fail unless each text is refused with the words beside it."""
        for text, expected in cases.items():
            for prefix in ("", "haproxy:"):
                with self.subTest(prefix + text):
                    with self.assertRaises(ValueError) as raised:
                        parse(prefix + text)
                    self.assertEqual(expected, str(raised.exception))

    def test_colons_of_an_address(self) -> None:
        """Whoever writes an IPv6 address as everywhere else is shown how it is written here, as TOML has it."""
        text = "in front of each colon of an IPv6 address belongs a backslash, and no brackets around it: "
        loopback = rf'{text}"tcp6:2022:interface=\\:\\:1"'
        self.assert_refused(
            {
                "tcp6:2022:interface=::1": loopback,
                "tcp6:2022:interface=[::1]": loopback,
                r"tcp6:2022:interface=[\:\:1]": loopback,
                "tcp6:2022:interface=::1:backlog=5": loopback,
                "tcp:interface=::1:2022": loopback,
                "tcp:[::1]:2022": loopback,
                "tcp:::1:2022": loopback,
                "tcp6:2022:[::1]": loopback,
                "tcp6:80:interface=2001:db8::1": rf'{text}"tcp6:80:interface=2001\\:db8\\:\\:1"',
                "tcp6:80:interface=fe80::1%eth0": rf'{text}"tcp6:80:interface=fe80\\:\\:1%eth0"',
            }
        )

    def test_addresses_and_ports(self) -> None:
        """Whoever writes an address and a port is shown the description."""
        text = "it begins with its kind, and then comes the port: "
        self.assert_refused(
            {
                "127.0.0.1:2022": f'{text}"tcp:2022:interface=127.0.0.1"',
                "localhost:2022": f'{text}"tcp:2022:interface=localhost"',
                "[::1]:2022": rf'{text}"tcp6:2022:interface=\\:\\:1"',
                "::1:2022": rf'{text}"tcp6:2022:interface=\\:\\:1"',
                "*:2022": f'{text}"tcp:2022"',
            }
        )
        text = "it begins with its kind: "
        either = f'{text}"tcp:2022:interface=127.0.0.1", or "tcp:2022" for other hosts, too'
        self.assert_refused({"2022": either, ":2022": either, "/run/x": f'{text}"unix:/run/x"'})
        text = "the port comes first, then the address: "
        self.assert_refused(
            {
                "tcp:127.0.0.1:2022": f'{text}"tcp:2022:interface=127.0.0.1"',
                "tcp:localhost:2022": f'{text}"tcp:2022:interface=localhost"',
                "tcp:*:2022": f'{text}"tcp:2022"',
            }
        )

    def test_several_in_one(self) -> None:
        """A list of them is one of TOML."""
        for between in (",", ", ", "; ", " "):
            with self.assertRaises(ValueError) as raised:
                parse(f"tcp:2022{between}unix:/run/x")
            self.assertEqual('several endpoints are a list: ["tcp:2022", "unix:/run/x"]', str(raised.exception))
        self.assertEqual("/a,unix", parse("unix:/a,unix").arguments["address"])

    def test_addresses_of_the_web(self) -> None:
        """A URL says what is spoken, which is another key here."""
        text = "it is no URL; what is spoken there is the protocol, as in tcp:2022:interface=127.0.0.1"
        self.assert_refused({"http://localhost:2022": text, "https://[::1]/": text})

    def test_kinds(self) -> None:
        """What cannot be a kind is refused; an unknown one may be another library's."""
        begin = "it begins with its kind and a colon, as in tcp:2022:interface=127.0.0.1"
        self.assert_refused(
            {
                "": begin,
                "nonsense": begin,
                "999999": begin,
                "=": begin,
                "tpc:80": 'there is no kind "tpc"; did you mean tcp?',
                "TCP6:80": 'there is no kind "TCP6"; did you mean tcp6?',
                "tcp:80\\": "it ends in a backslash, which belongs in front of a character",
            }
        )
        self.assertEqual("onion", parse("onion:80").kind)

    def test_values(self) -> None:
        """A value that is wrong is named, with what it should be."""
        port = "it is a number from 0 to 65535"
        self.assert_refused(
            {
                "tcp:": f'port is ""; {port}',
                "tcp:65536": f'port is "65536"; {port}',
                "tcp:-1": f'port is "-1"; {port}',
                "tcp:http": f'port is "http"; {port}',
                "tcp:\uff11": f'port is "\uff11"; {port}',
                "tcp:99999999999999999999": f'port is "99999999999999999999"; {port}',
                "tcp6:1 ": f'port is "1 "; {port}',
                r"tcp6:65536:interface=\:\:1": f'port is "65536"; {port}',
                "tcp:1:interface=": 'interface is ""; leave it out to listen on every address',
                "tcp:1:interface=a b": 'interface is "a b"; it is an IP address of this host',
                "tcp:1:backlog=x": 'backlog is "x"; it is the length of the listen queue, a number',
                "unix:": 'address is ""; it may not be empty',
                "unix:/a:mode=rw": 'mode is "rw"; it is octal, as chmod takes it: 660',
                "unix:/a:mode=888": 'mode is "888"; it is octal, as chmod takes it: 660',
                "unix:/a:lockfile=no": 'lockfile is "no"; it is 0 or 1',
                "systemd:domain=inet:name=x": 'domain is "inet"; it is INET, INET6 or UNIX',
                "systemd:domain=INET:name=": 'name is ""; it may not be empty',
                "systemd:domain=INET:index=x": (
                    'index is "x"; it is a number; better give the socket a name (FileDescriptorName=)'
                ),
            }
        )

    def test_names(self) -> None:
        """What is missing, there twice, or unknown is named."""
        systemd = "it takes a name or an index, one of them, as in systemd:name=line"
        self.assert_refused(
            {
                "tcp": "port is missing, as in tcp:2022:interface=127.0.0.1",
                "tcp:interface=127.0.0.1": "port is missing, as in tcp:2022:interface=127.0.0.1",
                "unix:mode=600": "address is missing, as in unix:/run/cmdserver/line:mode=660",
                "systemd:domain=INET": systemd,
                "systemd:domain=INET:index=0:name=x": systemd,
                "tcp:1:interfaec=127.0.0.1": 'it has no "interfaec"; did you mean interface?',
                "tcp:1:mode=660": 'it has no "mode"; there are port, interface, backlog',
                "tcp:1:127.0.0.1:5:6": '"6" is one value too many, as in tcp:2022:interface=127.0.0.1',
                "tcp:1:port=2": 'port is there twice, as "1" and as "2"',
                "tcp:1:interface=127.0.0.1:interface=0.0.0.0": "interface= is there twice",
            }
        )

    @given(st.text("tcp6unix:=\\[]1.") | st.text())
    @LAW
    def test_any_text(self, text: str) -> None:
        """It is a description, or a ValueError says why not."""
        try:
            parse(text)
        except ValueError as error:
            self.assertTrue(str(error))

    @given(st.text("ab:=\\"))
    @LAW
    def test_it_is_read_as_twisted_reads_it(self, text: str) -> None:
        """What is checked here is what is opened there."""
        try:
            positional, named = _split(text)
        except ValueError:
            return
        theirs = _parse(text)
        self.assertEqual((positional, named), (theirs[0] or [""], theirs[1]))


class DerivedTests(unittest.TestCase):
    def test_where_sockets_are(self) -> None:
        """Endpoint descriptions of UNIX sockets name a path, others none."""
        for endpoint, path in (
            ("unix:/run/a", "/run/a"),
            ("unix:address=/run/a:mode=600", "/run/a"),
            ("haproxy:unix:/run/a", "/run/a"),
            ("unix:/run/a\\:b\\\\c:mode=600", "/run/a:b\\c"),
            ("unix:relative", "relative"),
            ("unix:a\0b", None),
            ("tcp:1:interface=127.0.0.1", None),
            ("systemd:domain=UNIX:index=0", None),
        ):
            found = parse(endpoint).path
            self.assertEqual(None if found is None else str(found), path, endpoint)

    def test_within_a_directory(self) -> None:
        """Only the path of a socket that is relative becomes another; colons and backslashes stay what they are."""
        for endpoint, text in (
            ("unix:a.sock:mode=600", "unix:/state/a\\:b\\\\c/a.sock:mode=600"),
            ("unix:/run/a", "unix:/run/a"),
            ("tcp:1", "tcp:1"),
        ):
            found = parse(endpoint).within(Path("/state/a:b\\c"))
            self.assertEqual(str(found), text)
            self.assertEqual(found.path, parse(text).path)
        self.assertEqual(str(parse("unix:a.sock").within(Path())), "unix:a.sock")

    def test_equal_is_what_is_written_equally(self) -> None:
        """A reload keeps the listeners whose descriptions are as they were."""
        self.assertEqual(parse("tcp:1"), parse("tcp:1"))
        self.assertNotEqual(parse("tcp:1"), parse("haproxy:tcp:1"))
        self.assertEqual(str(parse("haproxy:unix:/x")), "haproxy:unix:/x")


class TwistedTests(unittest.TestCase):
    def complaint(self, description: str) -> str:
        """Have Twisted read what it will not take."""
        with self.assertRaises(ValueError) as raised:
            server_endpoint(MemoryReactor(), parse(description))
        return str(raised.exception)

    def test_what_twisted_knows(self) -> None:
        """It is read by Twisted, whatever kind it is."""
        for description in ("tcp:0", r"tcp6:0:interface=\:\:1", "unix:/x:mode=600", "haproxy:tcp:0", "systemd:name=x"):
            with self.subTest(description):
                self.assertTrue(server_endpoint(MemoryReactor(), parse(description)))

    def test_values_without_names_are_where_twisted_takes_them(self) -> None:
        """Whether a listener is on loopback depends on it."""
        for description in ("tcp:80:127.0.0.1:5", r"tcp6:80:5:\:\:1", r"tcp6:80:interface=\:\:1:backlog=5"):
            with self.subTest(description):
                theirs, ours = vars(server_endpoint(MemoryReactor(), parse(description))), parse(description).arguments
                self.assertEqual(
                    (theirs["_port"], theirs["_interface"], theirs["_backlog"]),
                    (int(ours["port"]), ours["interface"], int(ours["backlog"])),
                )
        theirs, ours = (
            vars(server_endpoint(MemoryReactor(), parse("unix:/x:600:5:0"))),
            parse("unix:/x:600:5:0").arguments,
        )
        self.assertEqual((theirs["_address"], theirs["_mode"]), (ours["address"], int(ours["mode"], 8)))
        self.assertEqual((theirs["_backlog"], theirs["_wantPID"]), (int(ours["backlog"]), bool(int(ours["lockfile"]))))

    def test_what_twisted_says_is_for_programmers(self) -> None:
        """Whoever reads a complaint is told about the description, and nothing of functions and their arguments."""
        text = "Twisted has no kind {}, or not with these values; most use tcp, tcp6 or unix"
        self.assertEqual(text.format("udp"), self.complaint("udp:1"))
        self.assertEqual(text.format("onion"), self.complaint("haproxy:onion:1:x=y"))
        self.assertEqual(text.format("ssl"), self.complaint("ssl:1:port=2"))
        self.assertEqual("/no/such: No such file or directory", self.complaint("ssl:1:privateKey=/no/such"))
        self.assertEqual("it ends in a backslash, which belongs in front of a character", self.complaint("tcp:1\\"))
