"""``[fleet]``: names, and where the bus is."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.config.configuration import Configuration
from cmdserver.config.decoding import Mistakes
from cmdserver.config.loading import configure
from cmdserver.core.protocols import Protocol
from cmdserver.fleet.membership import SOCKET, BusServer
from tests.doubles import FakeHost

_LISTEN = '[[listen]]\nprotocol = "line"\nendpoint = "tcp:2022:interface=127.0.0.1"\nlogin = "never"\n'


def configured(text: str, before: str = _LISTEN) -> Configuration:
    """Read a ``[fleet]``."""
    return configure(f"{before}[fleet]\n{text}", FakeHost(), lambda _: None)


class FleetTests(SynchronousTestCase):
    def mistakes(self, text: str) -> list[str]:
        """Say what is wrong."""
        with self.assertRaises(Mistakes) as caught:
            configured(text)
        return [str(each).partition(": ")[2] for each in caught.exception.mistakes]

    def test_without_a_server(self) -> None:
        """A host has names, and takes part in nothing."""
        found = configured('name = "prod"\nfacts = { site = "berlin" }')
        self.assertEqual((found.fleet_host.fleet, found.fleet_member), ("prod", None))
        self.assertNotIn(SOCKET, found.all_listening)

    def test_a_member(self) -> None:
        """What is said of the bus, and what callers choose by; it is listened for what comes from there."""
        found = configured(
            'server = "tls://bus.example"\nfacts = { site = "berlin" }\ncredentials = "/etc/seed"\nca = "/etc/ca.pem"\n'
            'server_name = "bus"'
        )
        assert found.fleet_member is not None
        bus = BusServer(
            host="bus.example", port=4222, is_tls=True, credentials="/etc/seed", ca="/etc/ca.pem", server_name="bus"
        )
        self.assertEqual((found.fleet_member.bus, found.fleet_member.facts), (bus, {"site": "berlin"}))
        self.assertEqual(found.all_listening, (*found.listening, SOCKET))
        self.assertEqual(found.warnings, ())

    def test_no_listener_is_needed(self) -> None:
        """A host may be asked over its bus alone."""
        found = configured('server = "nats://localhost"', before="")
        self.assertEqual(found.all_listening, (SOCKET,))

    def test_mistakes(self) -> None:
        """Each at its place."""
        for text, said in {
            'server = "bus.example:4222"': "fleet.server: 'bus.example:4222' is no server of NATS: write tls://",
            'server = "nats://ann:secret@bus"': "fleet.server: ",
            'server = "nats://bus:65536"': "fleet.server: ",
            'server = "nats://bus:0"': "fleet.server: ",
            'server = "nats://localhost"\nca = "/ca"': "fleet.server: nats://localhost is without TLS, so ca and",
            'server = "tls://bus"\nca = "ca.pem"': "fleet.ca: 'ca.pem' is not an absolute path",
            'server = "tls://bus"\ncredentials = "seed"': "fleet.credentials: 'seed' is not an absolute path",
            'facts = { "a b" = "c" }': "fleet.facts: 'a b' is no name",
            'facts = { a = "x\\ny" }': "fleet.facts: a is not one line",
            f'facts = {{ a = "{"x" * 257}" }}': "fleet.facts: a is not one line of at most 256 characters",
            "facts = { a = 1 }": "fleet.facts.a: must be ",
            "facts = {" + ", ".join(f'a{number} = ""' for number in range(65)) + "}": "fleet.facts: there are 65",
        }.items():
            (found,) = self.mistakes(text)
            self.assertEqual(found[: len(said)], said)

    def test_warnings(self) -> None:
        """What is without effect, and what anybody could read."""
        for text, said in {
            'credentials = "/etc/seed"': "fleet.credentials: is without effect: there is no server",
            'server = "nats://bus.example"': "fleet.server: is without TLS: everybody on the way can read",
            'server = "nats://127.0.0.1"': "",
            'server = "nats://[::1]:4223"': "",
        }.items():
            found = configured(text).warnings
            self.assertEqual(
                [str(each).partition(": ")[2][: len(said)] for each in found], [said] if said else [], text
            )

    def test_a_name_that_a_fleet_cannot_use(self) -> None:
        """Somebody is told what the host is called then."""
        self.patch(FakeHost, "name", lambda _: "my_host!")
        found = configured('server = "nats://localhost"')
        self.assertEqual(found.fleet_host.name, "localhost")
        self.assertIn("is none that a fleet can call it, so it is localhost there; say host", str(found.warnings[0]))

    def test_nobody_else_listens_so(self) -> None:
        """What the daemon opens by itself is no protocol for a ``[[listen]]``."""
        with self.assertRaises(Mistakes) as caught:
            configured("", _LISTEN.replace('"line"', f'"{Protocol.FLEET}"'))
        self.assertIn("is what the daemon listens for by itself", str(caught.exception.mistakes[0]))
