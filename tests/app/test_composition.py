"""What a reload replaces in the composition, on a reactor that does nothing by itself."""

import struct
from typing import Any

import trustme
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent

from cmdserver.app.composition.composition import Composition
from cmdserver.app.composition.limiters import descriptors_for
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.config.configuration import Configuration
from cmdserver.config.loading import configure
from cmdserver.core.errors import BadTLSFiles, Busy
from cmdserver.core.listening import Login
from cmdserver.core.output import Assessment
from cmdserver.net.proxied_endpoint import MOST_PENDING
from tests.doubles import FakeHost
from tests.running_doubles import requested
from tests.tls_doubles import Client, FakeTCP, TLSFilesTestCase, Wire, client_context, issue, self_signed, write_pair

ENDPOINT = "tcp:2023:interface=127.0.0.1"

#: Protocol, whether over TLS, and login.
LISTENERS = (
    ("line", "false", "never"),
    ("line", "true", "required"),
    ("web", "false", "optional"),
    ("web", "true", "required"),
    ("ssh", "false", "required"),
)
PROXIED = '[[listen]]\nprotocol = "line"\nlogin = "never"\nendpoint = "haproxy:tcp:2090:interface=127.0.0.1"\n{}\n'
FROM = 'from = ["10.0.0.0/8", "2001:db8::/32"]'


def _configured(*lines: str, endpoint: str = "tcp:2023:interface=127.0.0.1") -> Configuration:
    """Make a configuration of one listener and these lines of ``[limits]``."""
    listen = f'[[listen]]\nprotocol = "line"\nlogin = "never"\nendpoint = {endpoint!r}\n'
    limits = "[limits]\nconnections = 10\nrunning = 4\n"
    return configure(listen + limits + "\n".join(lines), FakeHost(), lambda _: None)


class LimitsTests(TLSFilesTestCase):
    """What the file says of those who have not logged in, and of descriptors."""

    def test_one_source(self) -> None:
        """As many as the file says may stand there, from the start; a reload says how many from then on."""
        composition = Composition(MemoryReactorClock(), _configured("unauthenticated_per_source = 1"), self.directory)
        self.addCleanup(composition.close)
        composition.limiters.logins.enter("here", "192.0.2.1")
        self.assertRaises(Busy, composition.limiters.logins.enter, "here", "192.0.2.1")

        composition.reconfigure(_configured("unauthenticated_per_source = 2"), None)
        composition.limiters.logins.enter("here", "192.0.2.1")
        self.assertRaises(Busy, composition.limiters.logins.enter, "here", "192.0.2.1")

    def test_runs_are_in_the_log(self) -> None:
        """A line of the daemon's log tells of each."""
        composition = Composition(MemoryReactorClock(), _configured(), self.directory)
        self.addCleanup(composition.close)
        with capturedLogs() as logs:
            composition._events.publish([requested(answers=1)])

        self.assertEqual(["run"], [formatEvent(each).partition(":")[0] for each in logs])

    def test_what_checks_have_found(self) -> None:
        """It is heard, and forgotten at the reload after which the command is no check any more."""
        checks = '[commands.load]\nrun = ["uptime"]\ncheck = true\n[commands.other]\nrun = ["uptime"]\ncheck = {}\n'
        composition = Composition(MemoryReactorClock(), _configured(checks.format("true")), self.directory)
        self.addCleanup(composition.close)
        trends = composition._observing.trends()
        found = Assessment(check=CheckResult(state=CheckState.OK, text=""))
        for name in ("load", "other"):
            composition._events.publish([requested(command=name, assessment=found)])
        heard = trends("load") is not None and trends("other") is not None
        composition.reconfigure(_configured(checks.format("false")), None)

        self.assertTrue(heard)
        self.assertIsNotNone(trends("load"))
        self.assertIsNone(trends("other"))

    def testdescriptors_for(self) -> None:
        """A listener behind a proxy has connections that are nobody's yet, beside those that are counted."""
        self.assertEqual(descriptors_for(_configured()), 10 + 4 * 4)
        self.assertEqual(descriptors_for(_configured(endpoint="haproxy:tcp:2023")), 10 + 4 * 4 + MOST_PENDING)


class TLSTests(TLSFilesTestCase):
    """New certificates under way, at a listener that asks clients for theirs."""

    def setUp(self) -> None:
        super().setUp()
        configuration = self._configured()
        self.reactor: Any = MemoryReactorClock()
        self.composition = Composition(self.reactor, configuration, self.directory)
        self.addCleanup(self.composition.close)
        (listening,) = configuration.listening
        self.composition.listener(listening, self.composition.load_tls(configuration)).open()

    def _configured(self, *, tls: str = "true", login: str = "never") -> Configuration:
        return configure(
            f"""
            [[listen]]
            protocol = "line"
            endpoint = "{ENDPOINT}"
            login = "{login}"
            tls = {tls}

            [tls]
            certificate = "{self.certificate}"
            key = "{self.key}"
            client_ca = "{self.ca_path}"

            [limits]
            connections = 10
            """,
            FakeHost(),
            lambda _: None,
        )

    def _connect(self, client: Client | None = None) -> Wire:
        return Wire(self.reactor.tcpServers[0][1], client or Client())

    def test_a_login_is_required_now(self) -> None:
        """Whoever has not logged in is refused from then on, and its connection comes to an end."""
        wire = self._connect(client := Client())
        client.send(b"session\nwho\n")
        wire.settle()
        self.assertIn(b"line  1\n", client.got)
        configuration = self._configured(login="required")
        self.composition.reconfigure(configuration, None)
        wire.settle()

        self.assertEqual(client.ends[:1], ["close_notify"])
        self.assertEqual(
            self.composition.policy().roles_of(ListenerAuth("line", Login.NEVER, place=ENDPOINT).anonymous("")), ()
        )

    def test_a_login_was_required_before(self) -> None:
        """A reload does nothing to those at a listener that requires a login as it did."""
        configuration = self._configured(login="required")
        self.composition.listener(configuration.listening[0], self.composition.load_tls(configuration)).open()
        wire = Wire(self.reactor.tcpServers[1][1], client := Client())
        self.composition.reconfigure(configuration, None)
        wire.settle()

        self.assertEqual((client.got, client.ends), (b"User?\n", []))

    def test_a_login_is_required_elsewhere(self) -> None:
        """What other listeners require is no business of this one's."""
        wire = self._connect(client := Client())
        client.send(b"session\n")
        wire.settle()
        self.composition.reconfigure(self._configured(), None)
        client.send(b"who\n")
        wire.settle()

        self.assertIn(b"line  1\n", client.got)

    def _reload(self) -> None:
        configuration = self._configured()
        self.composition.reconfigure(configuration, self.composition.load_tls(configuration))

    def _serial(self, wire: Wire) -> int:
        certificate = wire.client.connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return certificate.serial_number

    def test_new_pair(self) -> None:
        """New connections get the new certificate, open ones live on."""
        old = self._connect()
        write_pair(self.directory, issue(self.ca, "localhost"))

        self._reload()
        new = self._connect()
        old.client.send(b"who\n")
        old.settle()

        self.assertNotEqual(self._serial(old), self._serial(new))
        self.assertEqual(b"What can I do for you?\nline  2\n", old.client.got)

    def test_other_files(self) -> None:
        """A configuration may name other files."""
        old = self._connect()
        self.certificate, self.key = self_signed(self.directory)

        self._reload()

        self.assertNotEqual(self._serial(old), self._serial(self._connect()))

    def test_bad_pair(self) -> None:
        """A bad one is refused, and what was good stays in use."""
        old = self._connect()
        for path in (self.certificate, self.key, self.ca_path):
            content = path.read_bytes()
            path.write_bytes(b"nonsense")
            self.assertRaises(BadTLSFiles, self._reload)
            path.write_bytes(content)

        self.assertEqual(self._serial(old), self._serial(self._connect()))

    def test_sessions_end(self) -> None:
        """What was resumed on the strength of the old files is not any more: another authority is another judgement."""
        context = client_context(leaf=issue(self.ca, "alice"))
        client = Client(context)
        self._connect(client)
        session = client.connection.get_session()
        again = Client(context, session=session)
        self.assertTrue(self._connect(again).tcp.is_open)
        self.assertTrue(again.is_resumed)

        self.ca_path.write_bytes(trustme.CA(key_type=trustme.KeyType.ECDSA).cert_pem.bytes())
        self._reload()

        self.assertFalse(self._connect(Client(context, session=session)).tcp.is_open, "the certificate is foreign now")

    def test_no_listener_needs_any(self) -> None:
        """Files that no listener needs are not read, and may be missing."""
        self.key.unlink()

        self.assertIsNone(self.composition.load_tls(self._configured(tls="false")))


class FromTests(TLSFilesTestCase):
    """Who may call listeners of every protocol."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor: Any = MemoryReactorClock()
        configuration = self.configured(FROM)
        self.composition = Composition(self.reactor, configuration, self.directory)
        self.addCleanup(self.composition.close)
        tls = self.composition.load_tls(configuration)
        for each in configuration.listening:
            self.composition.listener(each, tls).open()
        self.factories: list[Any] = [each[1] for each in self.reactor.tcpServers[: len(LISTENERS)]]
        self.proxied: Any = self.reactor.tcpServers[-1][1]

    def configured(self, allowed: str) -> Configuration:
        """Make a configuration of a listener of each kind."""
        text = "".join(
            f'[[listen]]\nprotocol = "{protocol}"\ntls = {tls}\nlogin = "{login}"\n'
            f'endpoint = "tcp:{2022 + index}:interface=127.0.0.1"\n{allowed}\n'
            for index, (protocol, tls, login) in enumerate(LISTENERS)
        )
        files = f'[tls]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\n'
        return configure(text + PROXIED.format(allowed) + files, FakeHost(), lambda _: None)

    def is_let_in(self, factory: Any, address: object) -> bool:
        """Whether a connection gets a protocol, as Twisted's ports ask; it leaves at once."""
        protocol = factory.buildProtocol(address)
        if protocol is None:
            return False
        protocol.makeConnection(tcp := FakeTCP(protocol))
        tcp.lose(ConnectionDone())
        return True

    def counts(self) -> dict[str, int]:
        """Read the numbers of those who were refused."""
        return {str(name): number for name, number in self.composition._front_ends.refused_by_protocol().items()}

    def test_who_may_call(self) -> None:
        """They are let in, by whichever kind of socket they come."""
        for address in (
            IPv4Address("TCP", "10.1.2.3", 1),
            IPv6Address("TCP", "::ffff:10.1.2.3", 1),
            IPv6Address("TCP", "2001:db8::1", 1),
        ):
            self.assertEqual([True] * len(LISTENERS), [self.is_let_in(each, address) for each in self.factories])
        self.assertEqual({"line": 0, "web": 0, "ssh": 0}, self.counts())

    def test_who_may_not(self) -> None:
        """They have no protocol, so that no byte is read or sent, and are nowhere but in the count."""
        connections = self.composition.limiters.connections
        unauthenticated = self.composition.limiters.logins.unauthenticated_connections
        unauthenticated.enter = lambda *_: self.fail("counted as unauthenticated")  # type: ignore[method-assign]
        for address in (
            IPv4Address("TCP", "192.0.2.1", 1),
            IPv6Address("TCP", "::ffff:192.0.2.1", 1),
            IPv6Address("TCP", "::1", 1),
            UNIXAddress(b"/run/x"),
            None,
        ):
            protocols = [each.buildProtocol(address) for each in self.factories]
            self.assertEqual([None] * len(LISTENERS), protocols)
        self.assertEqual(0, connections.total)
        self.assertEqual({"line": 10, "web": 10, "ssh": 5}, self.counts())
        self.assertEqual(
            [], [each for each in (self.directory / "audit.jsonl").read_text().splitlines() if "start" not in each]
        )

    def test_when_the_house_is_full(self) -> None:
        """They are not told so: to be told takes a place."""
        self.composition.limiters.connections.connections = 0
        for factory in self.factories:
            self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))
            self.assertIsNotNone(factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 1)))

    def test_behind_a_proxy(self) -> None:
        """It is about whom the proxy names; who it does not name is the proxy itself."""
        for header, is_let_in in (
            (b"PROXY TCP4 10.1.2.3 192.0.2.1 1 2\r\n", True),
            (b"PROXY TCP6 ::ffff:10.1.2.3 ::1 1 2\r\n", True),
            (b"PROXY TCP4 192.0.2.9 10.0.0.1 1 2\r\n", False),
            (b"PROXY UNKNOWN\r\n", False),
            (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", False),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H4s4sHH", 12, b"\x0a\1\2\3", b"\x0a\0\0\1", 1, 2), True),
        ):
            # The proxy's own address is none that may call.
            connection = self.proxied.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40000))
            connection.makeConnection(tcp := FakeTCP(connection))
            connection.dataReceived(header + b"who\n")
            self.assertEqual((is_let_in, is_let_in), (bool(tcp.unsent), not tcp.is_aborting), header)
            tcp.lose(ConnectionDone())
        self.assertEqual(3, self.counts()["line"])

    def test_a_reload(self) -> None:
        """It counts from the next connection on, and the numbers go on; a protocol without ``from`` has none."""
        here, there = IPv4Address("TCP", "192.0.2.1", 1), IPv4Address("TCP", "10.0.0.1", 1)
        for allowed, expected in (
            ('from = ["192.0.2.0/24"]', (True, False)),
            ("", (True, True)),
            (FROM, (False, True)),
        ):
            self.composition.reconfigure(self.configured(allowed), None)
            for factory in self.factories:
                self.assertEqual(expected, (self.is_let_in(factory, here), self.is_let_in(factory, there)))
        self.assertEqual({"line": 4, "web": 4, "ssh": 2}, self.counts())

    def test_no_series_without_from(self) -> None:
        """What cannot happen is no number, 0 neither."""
        composition = Composition(self.reactor, self.configured(""), self.directory)
        self.addCleanup(composition.close)
        for each in composition.configuration.listening:
            composition.listener(each, composition.load_tls(composition.configuration))
        self.assertEqual({}, composition._front_ends.refused_by_protocol())
