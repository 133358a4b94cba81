"""Clients of an NRPE listener, on a transport and a host that do what the test says."""

from itertools import product
from struct import pack
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cmdserver.auth.credentials import Certificate
from cmdserver.checks.check import Check
from cmdserver.config.schema.host import Limits
from cmdserver.core.errors import Code, LoginRefused
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller, Role
from cmdserver.core.run_states import OnDisconnect
from cmdserver.dispatch.policy import Policy
from cmdserver.frontends.nrpe import answers
from cmdserver.frontends.nrpe.packets import Packet, Version
from cmdserver.parameters.text_types import String
from tests.doubles import with_parameters
from tests.frontends.line.doubles import Client
from tests.frontends.nrpe.doubles import NRPEComposition, answer, query
from tests.parameters.doubles import a_parameter, optional
from tests.running_doubles import EVERYTHING, command

ADA = Caller(name="ada", protocol="nrpe", source="192.0.2.1", method="certificate")
CERTIFICATE = Certificate(names=("ada",), fingerprint="SHA256:00", source="192.0.2.1")

#: A value is one line, and may be empty.
DISK = command(
    "disk", **with_parameters(a_parameter("limit", String(min_length=0)), optional("path", String(min_length=0)))
)
RESTART = command("restart", read_only=False)
DENIED = command("df")
COMMANDS = (command(), DISK, RESTART, DENIED)
#: The anonymous may run all but one; ada all but another.
ROLES = (
    Role(name="anonymous", patterns=("uptime", "disk", "restart"), users=frozenset()),
    Role(name="admin", patterns=("uptime", "disk", "restart"), users=frozenset({"ada"})),
)


class QueryTests(SynchronousTestCase):
    """One query, and its answer."""

    def setUp(self) -> None:
        self.composition = NRPEComposition(self)

    def test_provides_what_twisted_calls(self) -> None:
        """A connection is what it says it is."""
        connection = self.composition.connect().protocol

        for interface in (IHalfCloseableProtocol, IHandshakeListener):
            verifyObject(interface, connection)

    def test_answers_and_closes(self) -> None:
        """In the version of the query, when the run has ended, and after the audit file has been told."""
        for version in Version:
            client = self.composition.asks("uptime", version)
            self.composition.process.says(b"up 1 day|days=1\n")
            self.assertEqual(b"", client.value())
            self.composition.process.ends(1)

            self.assertEqual(answer(client.value()), Packet(version, b"up 1 day|days=1", 1))
            self.assertFalse(client.is_open)
            self.assertFalse(client.was_aborted)
        self.assertEqual([Code.FAILED] * 3, self.composition.outcomes)
        self.assertEqual({"nrpe"}, {event.caller.protocol for event in self.composition.ledger.requests})

    def test_check(self) -> None:
        """It is offered though it may change something, and its state is told and not how its process ended."""
        for status, result, text in (
            (2, 2, b"DISK CRITICAL|/=93%"),
            (7, 3, b"exit status 7: DISK CRITICAL | /=93%"),
        ):
            composition = NRPEComposition(self, command(read_only=False, check=Check()))
            client = composition.asks("uptime")
            composition.process.says(b"DISK CRITICAL|/=93%\n")
            composition.process.ends(status)

            self.assertEqual(answer(client.value()), Packet(Version.V4, text, result))

    def test_version(self) -> None:
        """Who asks for no command is told what answers; nothing is run, and nothing is to be written down."""
        client = self.composition.asks("_NRPE_CHECK")

        self.assertTrue(answer(client.value()).text.startswith(b"cmdserver v"))
        self.assertEqual(([], []), (self.composition.spawner.processes, self.composition.ledger.events))

    def test_byte_by_byte(self) -> None:
        """It does not matter how a packet is cut on its way."""
        client = self.composition.connect()
        for byte in query("uptime"):
            self.assertEqual([], self.composition.spawner.processes)
            client.says(bytes([byte]))

        self.assertEqual(1, len(self.composition.spawner.processes))

    def test_what_comes_behind(self) -> None:
        """There is one query a connection: the rest means nothing, and is kept nowhere."""
        client = self.composition.connect()
        client.says(query("uptime") + query("uptime"))
        client.says(query("uptime") + b"x" * 100_000)

        self.assertEqual(1, len(self.composition.spawner.processes))
        self.assertEqual(bytearray(), client.protocol._received)
        self.composition.process.ends()
        self.assertEqual(0, answer(client.value()).result)

    def test_half_closed(self) -> None:
        """Whoever has asked may end the input, and gets the answer."""
        client = self.composition.asks("uptime")
        client.ends_input()
        self.assertIn(client.number, self.composition.liveness.watched)
        self.composition.process.ends()

        self.assertEqual(0, answer(client.value()).result)
        self.assertFalse(client.is_open)

    def test_silence(self) -> None:
        """Whatever is printed, there is a text: check_nrpe would wait for one."""
        client = self.composition.asks("uptime")
        self.composition.process.ends()

        self.assertEqual(b"cmdserver: uptime: printed nothing", answer(client.value()).text)

    def test_client_that_is_gone(self) -> None:
        """Its run is ended, or not, as the command says."""
        for on_disconnect, is_ended in ((OnDisconnect.END, True), (OnDisconnect.CONTINUE, False)):
            composition = NRPEComposition(self, command(on_disconnect=on_disconnect))
            composition.asks("uptime").abortConnection()
            composition.turn()

            self.assertEqual(is_ended, "SIGTERM" in [name for _, name in composition.spawner.signals])
            self.assertEqual(0, composition.connection_limit.total)

    def test_fault(self) -> None:
        """A mistake of ours has an id for the caller, and nothing else."""
        self.composition.spawner.trouble = OSError("no processes left: /secret")
        client = self.composition.asks("uptime")

        packet = answer(client.value())
        self.assertEqual(3, packet.result)
        self.assertIn(b"cmdserver: fault: ", packet.text)
        self.assertNotIn(b"secret", packet.text)
        self.flushLoggedErrors()

    def test_nothing_can_be_written_down(self) -> None:
        """Then nothing is run, nor answered as if it had been."""
        self.composition.ledger.is_full = True
        client = self.composition.asks("uptime")

        self.assertIn(b"cmdserver: fault: ", answer(client.value()).text)
        self.assertEqual([], self.composition.spawner.processes)
        self.flushLoggedErrors()

    def test_mistake_of_ours_in_the_answer(self) -> None:
        """The connection is closed, and the log says why."""
        self.patch(answers, "run_answer", lambda *_, **__: 1 / 0)
        client = self.composition.asks("uptime")
        self.composition.process.ends()

        self.assertTrue(client.was_aborted or answer(client.value()).result == 3)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class SwitchTests(SynchronousTestCase):
    """What is switched off is so in each version (nrpe had a switch that looked into the packet of another)."""

    #: What is asked; what the answer has in it; what is written down.
    CASES: tuple[tuple[str | bytes, bytes, Code], ...] = (
        ("restart", b"unknown_command", Code.UNKNOWN_COMMAND),  # not read_only
        ("restart!", b"unknown_command", Code.UNKNOWN_COMMAND),
        ("reboot", b"unknown_command", Code.UNKNOWN_COMMAND),
        ("uptime ", b"unknown_command", Code.UNKNOWN_COMMAND),
        ("uptime\n", b"unknown_command", Code.UNKNOWN_COMMAND),
        ("uptime;id", b"unknown_command", Code.UNKNOWN_COMMAND),
        ("help", b"unknown_command", Code.UNKNOWN_COMMAND),
        ("json uptime", b"unknown_command", Code.UNKNOWN_COMMAND),
        ("uptime!x", b"bad_argument", Code.BAD_ARGUMENT),  # takes no values
        ("uptime!", b"bad_argument", Code.BAD_ARGUMENT),
        ("disk", b"bad_argument", Code.BAD_ARGUMENT),
        ("disk!1!/!2", b"bad_argument", Code.BAD_ARGUMENT),
        ("disk!1\nid", b"bad_argument", Code.BAD_ARGUMENT),
        ("disk!1\rid", b"bad_argument", Code.BAD_ARGUMENT),
        ("disk!1!-rf", b"bad_argument", Code.BAD_ARGUMENT),
        ("disk!--", b"bad_argument", Code.BAD_ARGUMENT),
        ("", b"malformed", Code.MALFORMED),
        ("!disk", b"malformed", Code.MALFORMED),
        (b"disk!\xff", b"malformed", Code.MALFORMED),
    )

    def test_each_in_each_version(self) -> None:
        """Nothing is run; the caller is told why, and it is written down with what was asked."""
        for version, (text, code, outcome), caller in product(Version, self.CASES, (None, ADA)):
            composition = self.composition(caller)
            client = composition.asks(text, version)
            packet = answer(client.value())

            case = (version, text, caller)
            self.assertEqual([], composition.spawner.processes, case)
            self.assertEqual((version, 3), (packet.version, packet.result), case)
            self.assertTrue(packet.text.startswith(b"cmdserver: %s: " % code), (case, packet.text))
            self.assertEqual([outcome], composition.outcomes, case)
            self.assertEqual([caller and caller.name], [event.caller.name for event in composition.ledger.requests])

    def test_who_may_not(self) -> None:
        """A stranger is not told that there is such a command; a user is."""
        for version, (caller, code) in product(Version, ((None, Code.UNKNOWN_COMMAND), (ADA, Code.DENIED))):
            composition = self.composition(caller)
            client = composition.asks("df", version)

            self.assertTrue(answer(client.value()).text.startswith(b"cmdserver: %s: " % code.encode()), version)
            self.assertEqual([code], composition.outcomes)
            self.assertEqual([], composition.spawner.processes)

    def test_values_are_values(self) -> None:
        """What looks like a name and a value, like a command or like nothing is one word of the argument list."""
        for version, (text, argv) in product(
            Version,
            (
                ("disk!80!/var", ["limit=80", "path=/var"]),
                ("disk!path=/!limit=1", ["limit=path=/", "path=limit=1"]),
                ("disk!$(id) `id` | ; & > < ' \" \\ *", ["limit=$(id) `id` | ; & > < ' \" \\ *"]),
                ("disk!!", ["limit=", "path="]),
                ("disk!", ["limit="]),
            ),
        ):
            composition = self.composition(None)
            composition.asks(text, version)
            (process,) = composition.spawner.processes

            self.assertEqual(argv, process.argv[1:], (version, text))

    def test_until_a_reload(self) -> None:
        """What waits is not run any more if it does more than read since."""
        composition = NRPEComposition(self, command(), running=1)
        composition.asks("uptime")
        client = composition.asks("uptime")
        composition.dispatcher.reconfigure(Policy((command(read_only=False),), EVERYTHING))

        self.assertEqual(3, answer(client.value()).result)
        self.assertEqual(1, len(composition.spawner.processes))

    def composition(self, caller: Caller | None) -> NRPEComposition:
        """Make one at which nobody logs in, or whoever comes is somebody."""
        composition = NRPEComposition(self, *COMMANDS)
        composition.dispatcher.reconfigure(Policy(COMMANDS, ROLES))
        if caller is not None:
            composition.front_end.listener_auth.anonymous = lambda source: caller  # type: ignore[method-assign]  # noqa: ARG005
        return composition


class BadPacketTests(SynchronousTestCase):
    """What is no query is closed, counted and written down, and nobody else is the worse for it."""

    def refused(self, composition: NRPEComposition, client: Client) -> None:
        self.assertFalse(client.is_open)
        self.assertEqual(b"", client.value())
        self.assertEqual([Code.MALFORMED], composition.outcomes)
        self.assertEqual([], composition.spawner.processes)
        self.assertEqual(0, composition.connection_limit.total)

    def test_wrong(self) -> None:
        """At once, with no word, as nobody knows who is there."""
        good = query("uptime")
        for data in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x00\xa5\x01\x00\x00",
            good[:-1] + b"x",
            b"\0\5" + good[2:],
            pack("!hhIhhI", 4, 2, 0, 0, 0, 5),
            pack("!hhIhhI", 3, 1, 0, 0, 0, 0xFFFF_FFFF),
        ):
            composition = NRPEComposition(self)
            client = composition.connect()
            client.says(data)

            self.refused(composition, client)

    def test_a_length_that_is_too_long(self) -> None:
        """Nothing of it is waited for: ``line_bytes`` are what a query may have, and what version 2 has."""
        for line_bytes, length, is_open in (
            (8192, 8192, True),
            (8192, 8193, False),
            (64, 1024, True),
            (64, 1025, False),
        ):
            composition = NRPEComposition(self, limits=Limits(line_bytes=line_bytes))
            client = composition.connect()
            client.says(pack("!hhIhhI", 4, 1, 0, 0, 0, length))

            self.assertEqual(is_open, client.is_open, (line_bytes, length))

    def test_short(self) -> None:
        """A client that ends its input, or is gone, in the middle of a packet."""
        for leave in (Client.ends_input, Client.abortConnection):
            composition = NRPEComposition(self)
            client = composition.connect()
            client.says(query("uptime")[:-1])
            leave(client)

            self.refused(composition, client)

    def test_who_says_nothing(self) -> None:
        """Whoever only looks whether the port is open is no line of the audit file."""
        for leave in (Client.ends_input, Client.abortConnection):
            composition = NRPEComposition(self)
            leave(composition.connect())

            self.assertEqual(([], 0), (composition.ledger.events, composition.connection_limit.total))

    def test_slow(self) -> None:
        """All of a query has to come within ``login_seconds``, however it drips."""
        composition = NRPEComposition(self, limits=Limits(login_seconds=30))
        client = composition.connect()
        for byte in query("uptime" + "x" * 1000)[:60]:
            if client.is_open:
                client.says(bytes([byte]))
            composition.clock.advance(1)

        self.assertTrue(client.was_aborted)
        self.refused(composition, client)

    def test_an_answer_has_no_deadline(self) -> None:
        """A command may take longer than that; its own limit counts."""
        composition = NRPEComposition(self, command(timeout_seconds=1000.0), limits=Limits(login_seconds=5))
        client = composition.asks("uptime")
        for _ in range(20):
            composition.clock.advance(1)

        self.assertTrue(client.is_open)

    def test_who_does_not_take_the_answer(self) -> None:
        """It is waited for no longer than ``idle_seconds``."""
        composition = NRPEComposition(self, limits=Limits(idle_seconds=10))
        client = composition.connect()
        client.loseConnection = lambda: None  # type: ignore[method-assign] # as long as there is something to send
        client.says(query("uptime"))
        composition.process.ends()
        for _ in range(12):
            composition.clock.advance(1)

        self.assertTrue(client.was_aborted)

    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(
        st.lists(st.one_of(st.binary(max_size=50), st.sampled_from([query("uptime"), query("x!y")[:20]])), max_size=6)
    )
    def test_anything(self, chunks: list[bytes]) -> None:
        """Whatever comes, the connection ends, nothing is left, and at most one thing is run."""
        composition = NRPEComposition(self)
        client = composition.connect()
        for chunk in chunks:
            if client.is_open:
                client.says(chunk)
        if client.is_open:
            client.abortConnection()
        composition.turn()

        self.assertLessEqual(len(composition.spawner.processes), 1)
        self.assertEqual(0, composition.connection_limit.total)


class CertificateTests(SynchronousTestCase):
    """Over TLS: who shows no certificate, where one is required, runs nothing."""

    def connect(self, log_in: Any, certificate: Any = CERTIFICATE, login: Login = Login.REQUIRED) -> Client:
        def certificate_of(_transport: object, _source: str) -> Any:
            return certificate

        self.composition = NRPEComposition(self, login=login, certificate_of=certificate_of)
        self.composition.log_in = log_in
        return self.composition.connect()

    def test_nothing_before_the_handshake(self) -> None:
        """What has come with it waits for it."""
        client = self.connect(lambda *_: succeed(ADA))
        client.says(query("uptime"))
        self.assertEqual([], self.composition.spawner.processes)
        client.protocol.handshakeCompleted()
        self.composition.process.ends()

        self.assertEqual(0, answer(client.value()).result)
        self.assertEqual(["ada"], [event.caller.name for event in self.composition.ledger.requests])

    def test_login_that_takes_its_time(self) -> None:
        """The query waits for it, and no second one is kept."""
        deciding: Deferred[Caller] = Deferred()
        client = self.connect(lambda *_: deciding)
        client.protocol.handshakeCompleted()
        client.says(query("uptime"))
        client.says(b"x" * 100_000)
        self.assertEqual(([], b""), (self.composition.spawner.processes, bytes(client.protocol._received)))
        client.ends_input()
        deciding.callback(ADA)
        self.composition.process.ends()

        self.assertEqual(0, answer(client.value()).result)

    def test_login_that_fails(self) -> None:
        """Whatever is asked is answered by that, and nothing is run."""
        client = self.connect(lambda *_: fail(LoginRefused()))
        client.protocol.handshakeCompleted()
        client.says(query("uptime", Version.V2))

        self.assertEqual(Packet(Version.V2, b"Login failed.", 3), answer(client.value()))
        self.assertEqual([], self.composition.spawner.processes)

    def test_no_certificate(self) -> None:
        """Neither a command nor the version; and it is written down."""
        for text in ("uptime", "_NRPE_CHECK"):
            client = self.connect(None, certificate=None)
            client.protocol.handshakeCompleted()
            client.says(query(text))

            self.assertIn(b"cmdserver: denied: a login is required here", answer(client.value()).text)
            self.assertEqual([Code.DENIED], self.composition.outcomes)
            self.assertEqual([], self.composition.spawner.processes)

    def test_where_nobody_logs_in(self) -> None:
        """There a certificate makes nobody of anybody."""
        client = self.connect(None, login=Login.NEVER)
        client.protocol.handshakeCompleted()
        client.says(query("uptime"))
        self.composition.process.ends()

        self.assertEqual([None], [event.caller.name for event in self.composition.ledger.requests])

    def test_whoever_stays_in_the_handshake(self) -> None:
        """They are closed in time, and so is whose login is not decided."""
        for is_shaken in (False, True):
            client = self.connect(lambda *_: Deferred())
            if is_shaken:
                client.protocol.handshakeCompleted()
            for _ in range(62):
                self.composition.clock.advance(0.5)

            self.assertTrue(client.was_aborted)
            self.assertEqual(0, self.composition.connection_limit.total)

    def test_stop(self) -> None:
        """Those that have not asked are closed; those that have are answered first."""
        clients = [self.connect(lambda *_: Deferred())]
        clients[0].protocol.handshakeCompleted()
        self.composition.front_end.close()
        composition = NRPEComposition(self)
        waiting, asking = composition.connect(), composition.asks("uptime")
        composition.front_end.close()
        self.assertEqual([False, False, True], [client.is_open for client in (*clients, waiting, asking)])
        composition.process.ends()

        self.assertEqual(0, answer(asking.value()).result)
        self.assertFalse(asking.is_open)
