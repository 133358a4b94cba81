"""The line door's logic, on a transport and a host that do what the test says."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cmdserver.errors import Code
from cmdserver.events import Requested
from cmdserver.frontends.line import GREETING, LINGER_SECONDS, LineConnection, LineFrontEnd
from cmdserver.identity import Door
from cmdserver.lobby import Lobby
from cmdserver.settings import Limits
from tests.running_doubles import FakeProcess, House, command

CLIENT = IPv4Address("TCP", "192.0.2.1", 40000)


class FakeHangups:
    """Knows who is watched, and lets them be gone."""

    def __init__(self) -> None:
        self.watched: dict[int, Any] = {}

    def watch(self, descriptor: int, call: Any) -> None:
        self.watched[descriptor] = call

    def forget(self, descriptor: int) -> None:
        self.watched.pop(descriptor, None)


class FakeOrphans:
    """Knows whether clients were killed."""

    are_killed = False

    def is_orphan(self, client: object, server: object) -> bool:
        return self.are_killed


class Client(StringTransport):
    """A connection as the server sees it, with a client who does what the test says."""

    def __init__(self, house: "LineHouse", number: int) -> None:
        super().__init__(peerAddress=CLIENT)
        self._house = house
        self.number = number
        self.is_open = True
        self.said_all = False
        self.was_aborted = False
        self.is_slow = False
        self.protocol: Any = None

    # What the server uses beyond StringTransport

    def getHandle(self) -> "Client":
        return self

    def fileno(self) -> int:
        return self.number

    def send(self, data: bytes) -> int:
        self.io.write(data)
        return len(data)

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.is_slow and self.producer is not None:
            self.producer.pauseProducing()

    def loseConnection(self) -> None:
        self._gone()

    def abortConnection(self) -> None:
        self.was_aborted = True
        self._gone()

    def loseWriteConnection(self) -> None:
        self.said_all = True
        self.protocol.writeConnectionLost()

    # What the client does

    def says(self, data: bytes) -> None:
        assert self.producerState == "producing", "the server does not read now"
        self.protocol.dataReceived(data)

    def ends_input(self) -> None:
        self.protocol.readConnectionLost()

    def takes_some(self) -> None:
        self.protocol.resumeProducing()

    def catches_up(self) -> None:
        self.is_slow = False
        self.protocol.resumeProducing()

    @property
    def got(self) -> bytes:
        return bytes(self.value()).removeprefix(GREETING)

    def _gone(self) -> None:
        if self.is_open:
            self.is_open = False
            self.protocol.connectionLost(Failure(ConnectionDone()))


class LineHouse(House):
    """A house with a line door.

    Args:
        test: For its duration.
        limits: The file's, besides those that `House` takes.
    """

    def __init__(self, test: SynchronousTestCase, *commands: Any, limits: Limits | None = None, **rest: Any) -> None:
        super().__init__(test, *commands, **rest)
        self.hangups = FakeHangups()
        self.orphans = FakeOrphans()
        self.limits = limits or Limits()
        lobby = Lobby(
            dispatcher=self.dispatcher,
            gate=self.gate,
            hangups=self.hangups,  # type: ignore[arg-type]
            orphans=self.orphans,  # type: ignore[arg-type]
            clock=self.clock,
            limits=lambda: self.limits,
        )
        self.front_end = LineFrontEnd(Door("line"), lobby)
        self._clients = 100

    def connect(self, address: Any = CLIENT) -> Client:
        """Let a client in."""
        self._clients += 1
        client = Client(self, self._clients)
        client.peerAddr = address
        client.protocol = self.front_end.buildProtocol(address)
        client.protocol.makeConnection(client)
        return client

    @property
    def process(self) -> FakeProcess:
        """The process that was started last."""
        return self.spawner.last


class LineTests(SynchronousTestCase):
    """One request, and its answer."""

    def setUp(self) -> None:
        self.house = LineHouse(self)

    def test_provides_what_twisted_calls(self) -> None:
        """A connection is what it says it is."""
        connection = self.house.connect().protocol

        verifyObject(IHalfCloseableProtocol, connection)
        verifyObject(IPushProducer, connection)

    def test_greets(self) -> None:
        """A client is greeted before it has said anything."""
        self.assertEqual(GREETING, self.house.connect().value())

    def test_answers_and_closes(self) -> None:
        """The first request's answer is the last thing on the connection."""
        client = self.house.connect()
        client.says(b"uptime\n")
        self.house.process.says(b"up 1 day\n")
        self.house.process.ends()

        self.assertEqual(b"up 1 day\n", client.got)
        self.assertFalse(client.is_open)
        self.assertFalse(client.was_aborted)

    def test_output_comes_as_it_is_made(self) -> None:
        """A long command's output does not wait for its end."""
        client = self.house.connect()
        client.says(b"uptime\n")
        self.house.process.says(b"first\n")

        self.assertEqual(b"first\n", client.got)
        self.assertTrue(client.is_open)

    def test_stderr_comes_after_stdout_and_failure_last(self) -> None:
        """The order is standard output, standard error, what went wrong."""
        client = self.house.connect()
        client.says(b"uptime\n")
        self.house.process.says(stderr=b"oh ")
        self.house.process.says(stdout=b"one\n")
        self.house.process.says(stderr=b"dear")
        self.house.process.ends(3)

        self.assertEqual(b"one\noh dear\ncmdserver: uptime: exit status 3\n", client.got)

    def test_answer_is_audited_before_it_is_complete(self) -> None:
        """When the client sees the end, the audit file has the line."""
        client = self.house.connect()
        client.says(b"json uptime\n")
        self.house.process.ends()

        self.assertEqual([Code.OK], self.house.outcomes)
        self.assertEqual("uptime", json.loads(client.got)["command"])

    def test_crlf_and_blank_lines(self) -> None:
        """Blank lines mean nothing, and a line may end in CRLF."""
        client = self.house.connect()
        client.says(b"\r\n \n\t\nuptime\r\n")

        self.assertEqual(1, len(self.house.spawner.processes))
        self.assertEqual(b"", client.got)

    def test_byte_by_byte(self) -> None:
        """It does not matter how a line is cut on its way."""
        client = self.house.connect()
        for byte in b"uptime\n":
            self.assertEqual([], self.house.spawner.processes)
            client.says(bytes([byte]))

        self.assertEqual(1, len(self.house.spawner.processes))

    def test_second_line_is_not_run_without_session(self) -> None:
        """One request a connection; what follows is discarded and the answer is not lost by it."""
        client = self.house.connect()
        client.says(b"uptime\ndf\n")
        self.house.process.says(b"up\n")
        self.house.process.ends()

        self.assertEqual(b"up\n", client.got)
        self.assertEqual(1, len(self.house.spawner.processes))
        self.assertTrue(client.said_all)
        client.says(b"more and more")
        client.ends_input()
        self.assertFalse(client.is_open)

    def test_lingering_ends(self) -> None:
        """A client that goes on sending after its answer is cut off."""
        client = self.house.connect()
        client.says(b"who\nmore\n")
        self.assertTrue(client.is_open)
        self.house.clock.pump([0.25] * int(4 * (LINGER_SECONDS + 1)))

        self.assertTrue(client.was_aborted)

    def test_unterminated_last_line_counts(self) -> None:
        """As in a shell, the last line needs no LF if the client has ended its input."""
        client = self.house.connect()
        client.says(b"uptime")
        self.assertEqual([], self.house.spawner.processes)
        client.ends_input()

        self.assertEqual(1, len(self.house.spawner.processes))

    def test_end_of_input_without_a_request(self) -> None:
        """A client that has nothing to ask is let go."""
        client = self.house.connect()
        client.ends_input()

        self.assertFalse(client.is_open)
        self.assertEqual(b"", client.got)

    def test_malformed(self) -> None:
        """What is no request is refused, recorded, and costs nothing."""
        for line in (b"\xff", b"a\0b", b"'", b"\x1b[2J", b"x" * 9000):
            client = self.house.connect()
            client.says(line + b"\n")

            self.assertIn(b"cmdserver: malformed: ", client.got, line)
            self.assertTrue(client.said_all or not client.is_open)
        self.assertEqual([], self.house.spawner.processes)
        self.assertEqual([Code.MALFORMED] * 5, self.house.outcomes)

    def test_json_malformed_is_json(self) -> None:
        """A program that asked for JSON gets JSON, even if the rest was no request."""
        client = self.house.connect()
        client.says(b"json 'x\n")

        self.assertEqual("malformed", json.loads(client.got)["error"]["code"])

    def test_quit(self) -> None:
        """Quit closes without a word."""
        client = self.house.connect()
        client.says(b"quit\n")

        self.assertEqual(b"", client.got)
        self.assertFalse(client.is_open)

    def test_unknown_names_are_shown_harmlessly(self) -> None:
        """A stranger's escape sequence is not sent back as one."""
        client = self.house.connect()
        client.says("x\u2028y\n".encode())

        self.assertNotIn("\u2028".encode(), client.got)
        self.assertIn(b"unknown_command", client.got)


class SessionTests(SynchronousTestCase):
    """Many requests on one connection."""

    def setUp(self) -> None:
        self.house = LineHouse(self, command(), command("df"))
        self.client = self.house.connect()

    def test_lines_are_answered_in_order(self) -> None:
        """A line waits until those before it have been answered."""
        self.client.says(b"session\nuptime\ndf\n")
        self.assertEqual(["uptime"], [process.argv[0].split("/")[-1] for process in self.house.spawner.processes])
        self.house.process.says(b"one\n")
        self.house.process.ends()
        self.house.process.says(b"two\n")
        self.house.process.ends()

        self.assertEqual(b"one\ntwo\n", self.client.got)
        self.assertTrue(self.client.is_open)

    def test_half_close_answers_everything(self) -> None:
        """End of input is not an abort."""
        self.client.says(b"session\nuptime\ndf\n")
        self.client.ends_input()
        for text in (b"one\n", b"two\n"):
            self.house.process.says(text)
            self.house.process.ends()

        self.assertEqual(b"one\ntwo\n", self.client.got)
        self.assertFalse(self.client.is_open)

    def test_malformed_line_does_not_end_a_session(self) -> None:
        """Only a line that is too long does, because nobody knows where the next one begins."""
        self.client.says(b"session\n'\nwho\n")
        self.assertTrue(self.client.is_open)
        self.assertIn(b"malformed", self.client.got)
        self.assertIn(b"line  1\n", self.client.got)

        self.client.says(b"x" * 9000)
        self.assertIn(b"longer than 8192 bytes", self.client.got)
        self.assertTrue(self.client.said_all)

    def test_thousands_of_lines_take_turns(self) -> None:
        """One connection's flood is answered in parts, so that others have a turn, and completely."""
        self.client.says(b"session\n" + b"nope\n" * 1000)
        in_one_turn = self.client.got.count(b"\n")
        self.house.clock.pump([0] * 100)

        self.assertLess(in_one_turn, 50)
        self.assertEqual(1000, self.client.got.count(b"\n"))

    def test_idle_session_is_closed(self) -> None:
        """Between requests, ``idle_seconds``; part of a line does not count."""
        self.client.says(b"session\n")
        self.house.clock.pump([100, 100, 99])
        self.client.says(b"upt")
        self.assertTrue(self.client.is_open)
        self.house.clock.pump([2])

        self.assertTrue(self.client.said_all)
        self.assertIn(b"nothing was asked within 300 s", self.client.got)

    def test_running_command_is_not_idle(self) -> None:
        """While the server is busy it is not the client who is waited for."""
        self.client.says(b"session\nuptime\n")
        self.house.clock.pump([29] + [0.1] * 9)
        self.house.clock.pump([400])

        self.assertTrue(self.client.is_open)

    def test_come_to_an_end_finishes_the_answer(self) -> None:
        """A daemon that stops gives a session the answer that is under way; lines sent ahead are told `busy`."""
        self.client.says(b"session\nuptime\ndf\n")
        self.house.dispatcher.close()
        self.house.front_end.close()
        self.assertTrue(self.client.is_open)
        self.house.process.says(b"one\n")
        self.house.process.ends()

        self.assertTrue(self.client.got.startswith(b"one\ncmdserver: busy: the daemon is stopping"))
        self.assertFalse(self.client.is_open)
        self.assertEqual(1, len(self.house.spawner.processes))

    def test_come_to_an_end_closes_the_idle(self) -> None:
        """A daemon that stops does not wait for those who say nothing."""
        self.client.says(b"session\n")
        self.house.front_end.close()

        self.assertFalse(self.client.is_open)


class BackPressureTests(SynchronousTestCase):
    """Nobody's pace costs memory."""

    def setUp(self) -> None:
        self.house = LineHouse(self, command(), command("df", share=True))

    def test_slow_reader_pauses_the_process(self) -> None:
        """What the client does not take is not read from the process either."""
        client = self.house.connect()
        client.is_slow = True
        client.says(b"uptime\n")
        self.house.process.says(b"much\n")
        self.assertTrue(self.house.process.is_paused)

        client.catches_up()
        self.assertFalse(self.house.process.is_paused)

    def test_slow_reader_is_not_served_ahead(self) -> None:
        """The next line waits until the answer before it has been taken."""
        client = self.house.connect()
        client.says(b"session\n")
        client.is_slow = True
        client.says(b"who\nuptime\n")
        self.assertEqual([], self.house.spawner.processes)

        client.catches_up()
        self.assertEqual(1, len(self.house.spawner.processes))

    def test_shared_output_waits_for_the_slow(self) -> None:
        """A reader of a shared answer keeps its place in the one copy."""
        client = self.house.connect()
        client.is_slow = True
        client.says(b"df\n")
        self.house.process.says(b"x" * 200_000)
        self.house.process.ends()
        self.assertEqual(65536, len(client.got))
        client.catches_up()

        self.assertEqual(200_000, len(client.got))
        self.assertFalse(client.is_open)

    def test_stalled_reader_is_cut_off(self) -> None:
        """A client that takes nothing for ``idle_seconds`` is aborted, and its process ended."""
        client = self.house.connect()
        client.is_slow = True
        client.says(b"uptime\n")
        self.house.process.says(b"much\n")
        self.house.clock.pump([301])

        self.assertTrue(client.was_aborted)

    def test_reader_that_stalls_again_is_cut_off(self) -> None:
        """To have taken a part of a shared answer is no reason to wait for ever for the rest to be taken."""
        client = self.house.connect()
        client.is_slow = True
        client.says(b"df\n")
        self.house.process.says(b"x" * 200_000)
        self.house.process.ends()
        client.takes_some()
        self.assertTrue(client.is_open)
        self.house.clock.pump([301])

        self.assertTrue(client.was_aborted)

    def test_flood_is_left_in_the_network(self) -> None:
        """While a request is answered, no more than a line or so is taken in."""
        client = self.house.connect()
        client.says(b"uptime\n" + b"x" * 8000)
        self.assertEqual("producing", client.producerState)
        client.says(b"x" * 8000)
        self.assertEqual("paused", client.producerState)
        self.assertIn(client.number, self.house.hangups.watched)

    def test_reading_goes_on_when_there_is_room(self) -> None:
        """A flood of lines is taken in part by part."""
        client = self.house.connect()
        client.says(b"session\nuptime\n" + b"who\n" * 3000)
        self.assertEqual("paused", client.producerState)
        self.house.process.ends()
        self.house.clock.pump([0] * 300)

        self.assertEqual("producing", client.producerState)
        self.assertEqual({}, self.house.hangups.watched)
        self.assertEqual(3000, client.got.count(b"line  1\n"))


class GoneTests(SynchronousTestCase):
    """Clients who do not wait for their answer."""

    def setUp(self) -> None:
        self.house = LineHouse(self, command(), command("df", share=True))

    def test_gone_client_ends_its_process(self) -> None:
        """An unshared run is ended with its client."""
        client = self.house.connect()
        client.says(b"uptime\n")
        client.abortConnection()

        self.assertEqual([(self.house.process.group, "SIGTERM")], self.house.spawner.signals)
        self.house.turn()
        (event,) = self.house.ledger.events
        assert isinstance(event, Requested)
        self.assertTrue(event.abandoned)

    def test_gone_half_closed_client_is_noticed(self) -> None:
        """A client that has ended its input is watched, because it is not read from any more."""
        client = self.house.connect()
        client.says(b"uptime\n")
        client.ends_input()
        self.house.hangups.watched[client.number]()

        self.assertFalse(client.is_open)
        self.assertEqual([(self.house.process.group, "SIGTERM")], self.house.spawner.signals)

    def test_gone_half_closed_client_is_noticed_from_the_last_line_on(self) -> None:
        """So is one whose request was complete only with the end of its input."""
        client = self.house.connect()
        client.says(b"uptime")
        client.ends_input()
        self.house.hangups.watched[client.number]()

        self.assertFalse(client.is_open)
        self.assertEqual([(self.house.process.group, "SIGTERM")], self.house.spawner.signals)

    def test_killed_half_closed_client_is_noticed(self) -> None:
        """On this host, a client that was killed is told from one that has only ended its input."""
        client = self.house.connect()
        client.says(b"uptime\n")
        client.ends_input()
        self.house.clock.pump([0.5, 0.5])
        self.assertTrue(client.is_open)
        self.house.orphans.are_killed = True
        self.house.clock.pump([0.5])

        self.assertFalse(client.is_open)
        self.assertEqual((self.house.process.group, "SIGTERM"), self.house.spawner.signals[0])

    def test_shared_run_goes_on_for_others(self) -> None:
        """Only the last one to go ends it."""
        clients = [self.house.connect() for _ in range(2)]
        self.house.connect().says(b"df\n")
        for client in clients:
            client.says(b"df\n")
        clients[0].abortConnection()
        self.house.process.ends()
        self.house.process.says(b"full\n")
        self.house.process.ends()

        self.assertEqual(b"full\n", clients[1].got)

    def test_connections_are_counted_out(self) -> None:
        """However they end, nothing is left of them."""
        for act in (b"quit\n", b"who\n", b"", b"uptime\n"):
            client = self.house.connect()
            if act:
                client.says(act)
            client.abortConnection()

        self.assertEqual(0, self.house.gate.total)
        self.assertEqual({"line": 0}, dict(self.house.gate.counts()))


class DoorTests(SynchronousTestCase):
    """Who is let in, and for how long."""

    def test_silent_client_is_cut_off(self) -> None:
        """From the accept on there are ``login_seconds`` for the first request, however its bytes drip."""
        house = LineHouse(self)
        client = house.connect()
        for _ in range(29):
            client.says(b"x")
            house.clock.pump([1])
        self.assertTrue(client.is_open)
        house.clock.pump([1, 1])

        self.assertTrue(client.said_all)
        self.assertIn(b"nothing was asked within 30 s", client.got)

    def test_too_many_are_turned_away(self) -> None:
        """Over the limit a client is told to come back, and does not count."""
        house = LineHouse(self)
        house.gate.per_source = 2
        for _ in range(2):
            house.connect()
        client = house.connect()

        self.assertEqual(2, house.gate.total)
        self.assertTrue(client.value().startswith(b"cmdserver: busy: "))

    def test_source_behind_a_proxy(self) -> None:
        """Who calls is asked again with the first request, when a proxy has told."""
        house = LineHouse(self)
        client = house.connect(IPv4Address("TCP", "10.0.0.1", 1))
        client.peerAddr = IPv4Address("TCP", "203.0.113.9", 2)
        client.says(b"json whoami\n")

        self.assertEqual("203.0.113.9", json.loads(client.got)["address"])
        self.assertEqual(0, house.gate.total)

    def test_what_to_type(self) -> None:
        """A person at the terminal is told how to reach each kind of address."""
        front_end = LineHouse(self).front_end

        self.assertEqual("echo df | nc localhost 2022", front_end.try_it(IPv4Address("TCP", "0.0.0.0", 2022), "df"))
        self.assertEqual("echo df | nc -U /run/x", front_end.try_it(UNIXAddress("/run/x"), "df"))


class AnyBytesTests(SynchronousTestCase):
    """Whatever comes."""

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
    def test_any_bytes(self, chunks: list[bytes], ends: bool) -> None:
        """Invariant: no bytes in any chunks raise anything, and every connection can still be ended cleanly."""
        house = LineHouse(self)
        client = house.connect()
        connection: LineConnection = client.protocol
        for chunk in chunks:
            if client.is_open and client.producerState == "producing":
                connection.dataReceived(chunk)
        if ends and client.is_open:
            connection.readConnectionLost()
        client.abortConnection()
        house.turn()

        self.assertEqual(0, house.gate.total)
