"""What a reload replaces in the composition, on a reactor that does nothing by itself."""

from typing import Any

import trustme
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent

from cmdserver.app.composition import Composition, _descriptors
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.config.configuration import Configuration
from cmdserver.config.loading import configure
from cmdserver.core.errors import BadTLSFiles, Busy
from cmdserver.core.listening import Login
from cmdserver.net.proxied_endpoint import MOST_PENDING
from tests.doubles import FakeHost
from tests.running_doubles import requested
from tests.tls_doubles import Client, TLSFilesTestCase, Wire, client_context, issue, self_signed, write_pair

ENDPOINT = "tcp:2023:interface=127.0.0.1"


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

    def test_descriptors(self) -> None:
        """A listener behind a proxy has connections that are nobody's yet, beside those that are counted."""
        self.assertEqual(_descriptors(_configured()), 10 + 4 * 4)
        self.assertEqual(_descriptors(_configured(endpoint="haproxy:tcp:2023")), 10 + 4 * 4 + MOST_PENDING)


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
