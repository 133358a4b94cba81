"""Tests of whole connections, with real keys on a wire without time: from the accept to whatever end they come to."""

import gc
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.conch.ssh.service import SSHService
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.auth.pending_login import PendingLogin
from cmdserver.config.schema.host import Limits
from cmdserver.core.errors import Busy, LoginRefused, Throttled
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.frontends.common.front_end import MOST_REFUSED
from cmdserver.frontends.ssh.connection import TRANSITIONS, Event, State
from cmdserver.frontends.ssh.front_end import NOT_NOW, SSHFrontEnd
from cmdserver.limits.source_penalties import Offence
from cmdserver.net.proxied_endpoint import ProxyItself
from cmdserver.net.tcp import LINGER_SECONDS
from cmdserver.sshtransport.encoding import string, uint32
from tests.doubles import LAW, FakeLoginLimit
from tests.frontends.doubles import a_context
from tests.frontends.ssh.doubles import ADA, CLOSE, DATA, OPEN, OPENED, REQUEST, MemoryLines, pty
from tests.running_doubles import Composition
from tests.sshtransport.client import ClientTransport

ADDRESS = IPv4Address("TCP", "192.0.2.1", 40000)
HOST_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class FakeListenerAuth:
    """A listener that lets in whom the test wants to."""

    name = "ssh"
    place = "tcp:2222"
    login = Login.REQUIRED

    def __init__(self) -> None:
        self.limit = FakeLoginLimit()
        self.decision: Deferred[Caller] = Deferred()
        self.offences, self.sources = self.limit.offences, self.limit.sources

    def arrive(self, source: str) -> PendingLogin:
        return PendingLogin(self.limit, "tcp:2222", source, is_required=True)

    @property
    def unauthenticated_connections(self) -> int:
        return self.limit.unauthenticated

    def log_in(self, source: str, credentials: object) -> Deferred[Caller]:
        return self.decision


class FakeLiveness:
    """Nobody is watched here: SSH reads all the time."""

    def forget(self, descriptor: int) -> None:
        pass


class Pipe(StringTransport):
    """A connection as the server sees it."""

    def __init__(self, number: int) -> None:
        super().__init__(peerAddress=ADDRESS)
        self._number = number
        self.protocol: Any = None
        self.is_open = True
        self.was_aborted = False
        #: Whether what was written does not go away, so that the connection does not either.
        self.is_stuck = False

    def getHandle(self) -> "Pipe":
        return self

    def fileno(self) -> int:
        return self._number

    def loseConnection(self) -> None:
        if not self.is_stuck:
            self._close()

    def abortConnection(self) -> None:
        self.was_aborted = True
        self._close()

    def _close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.protocol.connectionLost(Failure(ConnectionDone()))


class Recorder(SSHService):
    """A client's service that keeps what it is told."""

    protocolMessages = dict.fromkeys(range(50, 101), "")

    def __init__(self) -> None:
        self.got: list[tuple[int, bytes]] = []

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        self.got.append((messageNum, packet))


class LoggingIn(Recorder):
    name = b"ssh-userauth"


class Client(ClientTransport):
    """A client that keeps why it was sent away."""

    def __init__(self) -> None:
        self.farewells: list[bytes] = []

    def connectionSecure(self) -> None:
        self.requestService(LoggingIn())

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        self.farewells.append(description)


class SSHComposition(Composition):
    """A composition with an SSH listener, and clients at it."""

    def __init__(self, test: SynchronousTestCase, **limits: Any) -> None:
        super().__init__(test)
        self.limits = Limits(**limits)
        self.listener_auth = FakeListenerAuth()
        context = a_context(self, FakeLiveness(), lambda: self.limits)
        self.front_end: Any = SSHFrontEnd(self.listener_auth, context, [HOST_KEY], MemoryLines())  # type: ignore[arg-type]
        self._pipes = 0

    def accept(self) -> "Visit":
        """Let somebody call."""
        self._pipes += 1
        return Visit(self, Pipe(self._pipes), self.front_end.buildProtocol(ADDRESS))


class Visit:
    """A client's connection, seen from both ends."""

    def __init__(self, composition: SSHComposition, pipe: Pipe, server: Any) -> None:
        self.composition, self.pipe, self.server = composition, pipe, server
        self.client: Any = Client()
        pipe.protocol = server
        if server is not None:
            server.makeConnection(pipe)

    def settle(self) -> None:
        """Bring everything that was written to the other side."""
        if self.client.transport is None:
            self.client.makeConnection(StringTransport())
        for _ in range(100):
            to_client, to_server = self.pipe.value(), self.client.transport.value()
            self.pipe.clear()
            self.client.transport.clear()
            if not to_client and not to_server:
                return
            self.client.dataReceived(to_client)
            if self.pipe.is_open:
                self.server.dataReceived(to_server)
        raise AssertionError("this never ends")

    def tries(self) -> None:
        """Exchange keys, and show a password."""
        self.settle()
        request = string(b"ada") + string(b"ssh-connection") + string(b"password") + b"\0" + string(b"x")
        self.client.sendPacket(50, request)
        self.settle()

    def logs_in(self) -> "Visit":
        """Do so, and be let in."""
        self.tries()
        decision, self.composition.listener_auth.decision = self.composition.listener_auth.decision, Deferred()
        decision.callback(ADA)
        self.settle()
        self.service = Recorder()
        self.client.service = self.service
        return self

    def asks(self, line: bytes, number: int = 0) -> None:
        """Ask for a command, in the next channel."""
        self.client.sendPacket(OPEN, string(b"session") + uint32(number) + uint32(1 << 20) + uint32(1 << 15))
        self.client.sendPacket(REQUEST, uint32(number) + string(b"exec") + b"\0" + string(line))
        self.settle()

    @property
    def producer(self) -> Any:
        """What the connection below paces."""
        return self.pipe.producer

    @property
    def got(self) -> list[int]:
        """What kinds of packets came about channels."""
        return [number for number, _ in self.service.got]


class ConnectionTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.composition = SSHComposition(self, login_seconds=30, idle_seconds=300)

    def wait(self, seconds: float) -> None:
        """Let time go by, in the steps in which deadlines are looked at."""
        for _ in range(int(seconds * 2) + 1):
            self.composition.clock.advance(0.5)


class BrokenTests(ConnectionTestCase):
    def test_mistakes_of_ours(self) -> None:
        """A login that ends as none may ends the connection; the log says why, once, and the client is not told."""
        visit = self.composition.accept()
        visit.tries()
        self.composition.listener_auth.decision.errback(RuntimeError("secret"))
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"Internal error"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        visit.asks(b"uptime")
        self.assertEqual(self.composition.spawner.processes, [])
        self.wait(LINGER_SECONDS)
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 0)

    def test_malformed_ahead(self) -> None:
        """A client that breaks the protocol while a login is decided is told that, and no traceback is made of it."""
        visit = self.composition.accept()
        visit.tries()
        visit.client.sendPacket(50, b"")
        visit.settle()
        self.composition.listener_auth.decision.errback(LoginRefused())
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"Malformed message"])


class WelcomeTests(ConnectionTestCase):
    def test_a_command(self) -> None:
        """Keys are exchanged, somebody logs in, and a command is answered."""
        visit = self.composition.accept()
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 1)
        visit.logs_in()
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 0)
        visit.asks(b"uptime")
        self.composition.spawner.last.says(b"up\n")
        self.composition.spawner.last.ends()
        self.composition.turn()
        visit.settle()

        self.assertEqual(visit.got[0], OPENED)
        self.assertIn((DATA, uint32(0) + string(b"up\n")), visit.service.got)
        self.assertEqual(visit.got[-1], CLOSE)

    def test_nothing_of_us_is_told(self) -> None:
        """The first line is the protocol and a name; there is no version in it."""
        visit = self.composition.accept()

        self.assertEqual(visit.pipe.value().partition(b"\r\n")[0], b"SSH-2.0-cmdserver")

    def test_counted(self) -> None:
        """Who is connected is counted, and counted out."""
        visit = self.composition.accept()
        self.assertEqual(self.composition.connection_limit.counts(), {"ssh": 1})
        visit.pipe.abortConnection()

        self.assertEqual(self.composition.connection_limit.counts(), {"ssh": 0})

    def test_turned_away(self) -> None:
        """For whom there is no room, or who has to wait, is told so without a word about us."""
        for refusal in (Busy("all", 5), Throttled("too many", 5)):
            self.composition.listener_auth.limit.refusal = refusal
            visit = self.composition.accept()
            self.assertEqual((visit.pipe.value(), visit.pipe.is_open), (NOT_NOW, False))
            self.assertEqual(self.composition.connection_limit.total, 0)
        self.composition.listener_auth.limit.refusal = None
        self.composition.connection_limit.connections = 0
        self.assertEqual(self.composition.accept().pipe.value(), NOT_NOW)
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 0)

    def test_behind_a_proxy(self) -> None:
        """A proxy that says nothing of its client is not the one who is charged when that leaves."""
        pipe = Pipe(1)
        pipe.protocol = self.composition.front_end.buildProtocol(ProxyItself(ADDRESS))
        pipe.protocol.makeConnection(pipe)
        pipe.abortConnection()

        self.assertEqual(pipe.protocol.source, ADDRESS.host)
        self.assertEqual(self.composition.listener_auth.offences, [Offence.NOAUTH])
        self.composition.connection_limit.connections = 0
        self.composition.front_end.buildProtocol(ProxyItself(ADDRESS))
        self.assertEqual(set(self.composition.listener_auth.sources), {"unknown"})
        self.assertEqual(self.composition.listener_auth.unauthenticated_connections, 0)

    def test_many_turned_away(self) -> None:
        """When too many are, the rest is told nothing at all."""
        self.composition.listener_auth.limit.refusal = Busy("all", 5)
        for _ in range(MOST_REFUSED):
            pipe = Pipe(1)
            pipe.is_stuck = True
            pipe.protocol = self.composition.front_end.buildProtocol(ADDRESS)
            pipe.protocol.makeConnection(pipe)

        self.assertIsNone(self.composition.front_end.buildProtocol(ADDRESS))


class TimeTests(ConnectionTestCase):
    def test_silence(self) -> None:
        """Who says nothing is cut off in time, and remembered for it."""
        visit = self.composition.accept()
        self.wait(29)
        self.assertTrue(visit.pipe.is_open)
        self.wait(2)

        self.assertTrue(visit.pipe.was_aborted)
        self.assertEqual(
            (self.composition.listener_auth.offences, self.composition.listener_auth.unauthenticated_connections),
            ([Offence.GRACE_EXCEEDED], 0),
        )

    def test_nothing_prolongs_it(self) -> None:
        """The time runs from the accept, whatever is said meanwhile."""
        visit = self.composition.accept()
        self.wait(20)
        visit.settle()
        for _ in range(5):
            visit.client.sendPacket(50, string(b"ada") + string(b"ssh-connection") + string(b"none"))
            visit.settle()
        self.wait(11)
        visit.settle()

        self.assertFalse(visit.pipe.is_open)
        self.assertEqual(visit.client.farewells, [b"nobody has logged in within 30 s"])

    def test_deciding_too_long(self) -> None:
        """If it is we who take too long to decide, nobody is charged for it."""
        visit = self.composition.accept()
        visit.tries()
        self.wait(31)
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"busy: too many logins are being checked; try again in 30 s"])
        self.assertEqual(
            (self.composition.listener_auth.offences, self.composition.listener_auth.unauthenticated_connections),
            ([], 0),
        )

    def test_idle(self) -> None:
        """Who has logged in may be silent for longer, but not for ever."""
        visit = self.composition.accept().logs_in()
        self.wait(299)
        self.assertTrue(visit.pipe.is_open)
        self.wait(2)
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"nothing was asked within 300 s"])

    def test_idle_sessions(self) -> None:
        """Who has a session is told in it, and may close it before the connection ends."""
        visit = self.composition.accept().logs_in()
        visit.client.sendPacket(OPEN, string(b"session") + uint32(0) + uint32(1 << 20) + uint32(1 << 15))
        visit.client.sendPacket(REQUEST, uint32(0) + string(b"shell") + b"\0")
        visit.settle()
        self.wait(300)
        visit.settle()
        self.assertEqual((visit.got[-1], visit.pipe.is_open), (CLOSE, True))
        visit.client.sendPacket(CLOSE, uint32(0))
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"nothing was asked within 300 s"])

    def test_waiting_for_us(self) -> None:
        """While a command runs it is not the client who is waited for; afterwards it is."""
        self.composition = SSHComposition(self, idle_seconds=10)
        visit = self.composition.accept().logs_in()
        visit.asks(b"uptime")
        self.wait(20)
        self.assertTrue(visit.pipe.is_open)
        self.composition.spawner.last.ends()
        self.composition.turn()
        self.wait(8)
        self.assertTrue(visit.pipe.is_open)
        self.wait(3)

        self.assertFalse(visit.pipe.is_open)

    def test_keys_count(self) -> None:
        """Somebody who is typing is not idle."""
        self.composition = SSHComposition(self, idle_seconds=10)
        visit = self.composition.accept().logs_in()
        visit.client.sendPacket(OPEN, string(b"session") + uint32(0) + uint32(1 << 20) + uint32(1 << 15))
        for _ in range(3):
            self.wait(8)
            visit.client.sendPacket(DATA, uint32(0) + string(b"x"))
            visit.settle()

        self.assertTrue(visit.pipe.is_open)

    def test_last_words_that_are_not_taken(self) -> None:
        """Who is sent away and does not take it is cut off."""
        visit = self.composition.accept().logs_in()
        visit.pipe.is_stuck = True
        self.composition.front_end.close()
        self.wait(LINGER_SECONDS)

        self.assertTrue(visit.pipe.was_aborted)

    def test_output_that_is_not_taken(self) -> None:
        """Who takes nothing of their output is cut off in time, a running command notwithstanding."""
        visit = self.composition.accept().logs_in()
        visit.asks(b"uptime")
        visit.producer.pauseProducing()
        self.assertTrue(self.composition.spawner.last.is_paused)
        self.wait(301)

        self.assertTrue(visit.pipe.was_aborted)
        self.assertEqual(self.composition.running, 0)

    def test_output_that_is_taken_after_all(self) -> None:
        """Who takes it in time is served on."""
        visit = self.composition.accept().logs_in()
        visit.asks(b"uptime")
        visit.producer.pauseProducing()
        visit.producer.resumeProducing()
        self.composition.turn()

        self.assertFalse(self.composition.spawner.last.is_paused)


class EndTests(ConnectionTestCase):
    def test_gone_without_a_word(self) -> None:
        """Who knocks and goes has wasted a little of our time."""
        self.composition.accept().pipe.abortConnection()

        self.assertEqual(self.composition.listener_auth.offences, [Offence.NOAUTH])

    def test_gone_after_failing(self) -> None:
        """Who has failed and goes has tried to guess, and is charged once."""
        visit = self.composition.accept()
        visit.tries()
        self.composition.listener_auth.decision.errback(LoginRefused())
        visit.pipe.abortConnection()

        self.assertEqual(self.composition.listener_auth.offences, [Offence.AUTHFAIL])

    def test_gone_while_it_is_decided(self) -> None:
        """Not to wait for the answer is no way to guess for less."""
        visit = self.composition.accept()
        visit.tries()
        visit.pipe.abortConnection()

        self.assertEqual(
            (self.composition.listener_auth.offences, self.composition.listener_auth.unauthenticated_connections),
            ([Offence.AUTHFAIL], 0),
        )

    def test_gone_after_logging_in(self) -> None:
        """Who has logged in is charged nothing, whatever went before; what runs is ended."""
        visit = self.composition.accept().logs_in()
        visit.asks(b"uptime")
        visit.pipe.abortConnection()
        self.composition.turn()

        self.assertEqual((self.composition.listener_auth.offences, self.composition.running), ([], 0))

    def test_saying_goodbye(self) -> None:
        """A client that says goodbye is let go."""
        visit = self.composition.accept().logs_in()
        visit.client.sendDisconnect(11, b"bye")
        visit.settle()

        self.assertFalse(visit.pipe.is_open)

    def test_nonsense(self) -> None:
        """Who does not speak the protocol is told so, and that was it; the log has no traceback."""
        visit = self.composition.accept().logs_in()
        visit.client.sendPacket(DATA, uint32(77) + string(b"x"))
        visit.settle()

        self.assertEqual((visit.client.farewells, visit.pipe.is_open), ([b"Malformed message"], False))


class StateTests(SynchronousTestCase):
    def test_every_state_has_a_row(self) -> None:
        """Every state has its events, and what is over stays over, whatever comes late."""
        self.assertEqual(set(TRANSITIONS), set(State))
        self.assertEqual(TRANSITIONS[State.OVER], dict.fromkeys(Event, State.OVER))

    def test_only_a_login_opens(self) -> None:
        """No other event leads to a state in which anything is run, and only a login that has begun succeeds."""
        served = {State.OPEN, State.CLOSING}
        for state, row in TRANSITIONS.items():
            for event, then in row.items():
                if then in served and state not in served:
                    self.assertIs(event, Event.LOGGED_IN)
                    self.assertIn(state, {State.LOGIN, State.LAST_LOGIN})


class GarbageTests(ConnectionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.visit = self.composition.accept().logs_in()
        self.number = 0

    def open(self, kind: bytes, details: bytes = b"", *, terminal: bool = False) -> int:
        """Begin a session."""
        number, self.number = self.number, self.number + 1
        send, to = self.visit.client.sendPacket, uint32(number)
        send(OPEN, string(b"session") + to + uint32(1 << 20) + uint32(1 << 15))
        if terminal:
            send(REQUEST, to + string(b"pty-req") + b"\0" + pty())
        send(REQUEST, to + string(kind) + b"\0" + details)
        self.visit.settle()
        return number

    def types(self, number: int, *inputs: bytes) -> None:
        """Type, and look at what comes of it; then close the session."""
        for data in inputs:
            self.visit.client.sendPacket(DATA, uint32(number) + string(data))
            self.visit.settle()
            self.composition.turn()
        self.visit.client.sendPacket(CLOSE, uint32(number))
        self.visit.settle()
        self.composition.turn()

    def sessions(self) -> None:
        """One of each kind: commands, lines and a prompt, answered, refused, interrupted and left."""
        for line in (b"help", b"nosuch", b"'", b"json nosuch", b"uptime"):
            self.types(self.open(b"exec", string(line)))
        self.types(self.open(b"shell"), b"nosuch\nhelp\njson help\nuptime\n")
        self.types(self.open(b"shell", terminal=True), b"nosuch\r", b"up\t\r", b"\x03", b"uptime\r")
        for line in (b"uptime", b"json uptime"):
            session = self.open(b"exec", string(line))
            self.composition.spawner.last.says(b"up\n")
            self.composition.spawner.last.ends()
            self.types(session)

    def test_nothing_is_left_to_the_garbage_collector(self) -> None:
        """A session that is closed is freed at once: no request, however it ends, makes a reference cycle."""
        gc.disable()
        self.addCleanup(gc.enable)
        left = []
        for _ in range(4):
            gc.collect()
            self.sessions()
            left.append(gc.collect())

        # A cycle of a request would be there in every round; what a cache of the library drops is there in one.
        self.assertEqual(min(left), 0, left)


class HostileTests(ConnectionTestCase):
    @given(st.booleans(), st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=6))
    @settings(LAW, max_examples=100)
    def test_any_packets(self, is_logged_in: bool, packets: list[tuple[int, bytes]]) -> None:
        """Any packets, before and after the login, are answered or end the connection; none makes a traceback."""
        self.composition = SSHComposition(self)
        visit = self.composition.accept()
        if is_logged_in:
            visit.logs_in()
        else:
            visit.settle()
        for number, payload in packets:
            visit.client._send(number, payload)
        visit.settle()
        visit.pipe.abortConnection()
        self.composition.turn()

        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(
            (
                self.composition.connection_limit.total,
                self.composition.listener_auth.unauthenticated_connections,
                self.composition.running,
            ),
            (0, 0, 0),
        )


class StoppingTests(ConnectionTestCase):
    def test_strangers(self) -> None:
        """Who has not logged in when the daemon stops is sent away."""
        visit = self.composition.accept()
        visit.settle()
        self.composition.front_end.close()
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"the daemon is stopping"])

    def test_who_is_about_to_log_in(self) -> None:
        """Who is being let in just then is sent away afterwards."""
        visit = self.composition.accept()
        visit.tries()
        self.composition.front_end.close()
        self.assertTrue(visit.pipe.is_open)
        self.composition.listener_auth.decision.callback(ADA)
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"the daemon is stopping"])

    def test_what_runs(self) -> None:
        """What runs comes to its end, and its answer to the client, before the connection does."""
        visit = self.composition.accept().logs_in()
        visit.asks(b"uptime")
        self.composition.front_end.close()
        visit.settle()
        self.assertTrue(visit.pipe.is_open)
        self.composition.spawner.last.says(b"up\n")
        self.composition.spawner.last.ends()
        self.composition.turn()
        visit.settle()

        self.assertIn((DATA, uint32(0) + string(b"up\n")), visit.service.got)
        self.assertTrue(visit.pipe.is_open)
        visit.client.sendPacket(CLOSE, uint32(0))
        visit.settle()
        self.assertEqual(visit.client.farewells, [b"the daemon is stopping"])
        self.assertFalse(visit.pipe.is_open)

    def test_who_does_not_close(self) -> None:
        """A client that leaves it to us is disconnected a little later."""
        visit = self.composition.accept().logs_in()
        visit.asks(b"help")
        self.composition.front_end.close()
        self.wait(LINGER_SECONDS)
        visit.settle()

        self.assertEqual(visit.client.farewells, [b"the daemon is stopping"])

    def test_who_does_nothing(self) -> None:
        """Who has logged in and asks nothing is let go at once."""
        visit = self.composition.accept().logs_in()
        self.composition.front_end.close()
        visit.settle()

        self.assertFalse(visit.pipe.is_open)
