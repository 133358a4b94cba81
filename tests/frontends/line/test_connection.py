"""The line listener's requests and their answers, on a transport and a host that do what the test says."""

import json
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cmdserver.auth.credentials import Certificate
from cmdserver.auth.listener_auth import ListenerAuth
from cmdserver.core.errors import Code, LoginRefused
from cmdserver.core.listening import Login
from cmdserver.core.model import Caller
from cmdserver.frontends.common.held_stderr import HELD_BYTES
from cmdserver.frontends.common.login_session import LOGIN_FAILED
from cmdserver.frontends.line.connection import GREETING, LineConnection
from tests.frontends.line.doubles import LineComposition
from tests.running_doubles import command, user

ADA = Certificate(names=("ada",), fingerprint="SHA256:00", source="192.0.2.1")


class LineTests(SynchronousTestCase):
    """One request, and its answer."""

    def setUp(self) -> None:
        self.composition = LineComposition(self)

    def test_provides_what_twisted_calls(self) -> None:
        """A connection is what it says it is."""
        connection = self.composition.connect().protocol

        for interface in (IHalfCloseableProtocol, IHandshakeListener, IPushProducer):
            verifyObject(interface, connection)

    def test_greets(self) -> None:
        """A client is greeted before it has said anything."""
        self.assertEqual(GREETING, self.composition.connect().value())

    def test_greeting_of_its_own(self) -> None:
        """It is said in the place of the usual one; what is empty is not said, and an answer is data alone."""
        for greeting in (b"Yes?\n", b""):
            composition = LineComposition(self, greeting=lambda greeting=greeting: greeting)  # type: ignore[misc]
            client = composition.connect()
            self.assertEqual(greeting, client.value())
            client.says(b"uptime\n")
            composition.process.says(b"up 1 day\n")
            composition.process.ends()

            self.assertEqual(greeting + b"up 1 day\n", client.value())
            self.assertFalse(client.is_open)

    def test_greeting_behind_a_login(self) -> None:
        """The questions stay, as a client that was not asked would not know when to say its name."""
        for greeting in (b"Yes?\n", b""):
            composition = LineComposition(self, login=Login.REQUIRED, greeting=lambda greeting=greeting: greeting)  # type: ignore[misc]
            composition.log_in = lambda _source, _credentials: succeed(user("ada"))
            client = composition.connect()
            self.assertEqual(b"User?\n", client.value())
            client.says(b"ada\nsecret\n")

            self.assertEqual(b"User?\nPassword?\n" + greeting, client.value())
            self.assertTrue(client.is_open)

    def test_answers_and_closes(self) -> None:
        """The first request's answer is the last thing on the connection."""
        client = self.composition.connect()
        client.says(b"uptime\n")
        self.composition.process.says(b"up 1 day\n")
        self.composition.process.ends()

        self.assertEqual(b"up 1 day\n", client.got)
        self.assertFalse(client.is_open)
        self.assertFalse(client.was_aborted)

    def test_output_comes_as_it_is_made(self) -> None:
        """A long command's output does not wait for its end."""
        client = self.composition.connect()
        client.says(b"uptime\n")
        self.composition.process.says(b"first\n")

        self.assertEqual(b"first\n", client.got)
        self.assertTrue(client.is_open)

    def test_stderr_comes_after_stdout_and_failure_last(self) -> None:
        """The order is standard output, standard error, what went wrong."""
        client = self.composition.connect()
        client.says(b"uptime\n")
        self.composition.process.says(stderr=b"oh ")
        self.composition.process.says(stdout=b"one\n")
        self.composition.process.says(stderr=b"dear")
        self.composition.process.ends(3)

        self.assertEqual(b"one\noh dear\ncmdserver: uptime: exit status 3\n", client.got)

    def test_more_stderr_than_is_held(self) -> None:
        """Its beginning and its end are told, with a line that says how much is missing; stdout stays in one piece."""
        self.composition = LineComposition(self, command(output_limit_bytes=2 * HELD_BYTES))
        client = self.composition.connect()
        client.says(b"uptime\n")
        self.composition.process.says(stdout=b"o")
        self.composition.process.says(stderr=b"first" + b"e" * HELD_BYTES + b"last\n")
        self.composition.process.says(stdout=b"ne\n")
        self.composition.process.ends(3)

        out, first, note, rest = client.got.split(b"\n", 3)
        self.assertEqual(
            (out, first[:6], rest[-39:]), (b"one", b"firste", b"elast\ncmdserver: uptime: exit status 3\n")
        )
        self.assertEqual(note, b"cmdserver: uptime: standard error truncated: 10 bytes are left out here")

    def test_answer_is_audited_before_it_is_complete(self) -> None:
        """When the client sees the end, the audit file has the line."""
        client = self.composition.connect()
        client.says(b"json uptime\n")
        self.composition.process.ends()

        self.assertEqual([Code.OK], self.composition.outcomes)
        self.assertEqual("uptime", json.loads(client.got)["command"])

    def test_crlf_and_blank_lines(self) -> None:
        """Blank lines mean nothing, and a line may end in CRLF."""
        client = self.composition.connect()
        client.says(b"\r\n \n\t\nuptime\r\n")

        self.assertEqual(1, len(self.composition.spawner.processes))
        self.assertEqual(b"", client.got)

    def test_byte_by_byte(self) -> None:
        """It does not matter how a line is cut on its way."""
        client = self.composition.connect()
        for byte in b"uptime\n":
            self.assertEqual([], self.composition.spawner.processes)
            client.says(bytes([byte]))

        self.assertEqual(1, len(self.composition.spawner.processes))

    def test_second_line_is_not_run_without_session(self) -> None:
        """One request a connection; what follows is discarded and the answer is not lost by it."""
        client = self.composition.connect()
        client.says(b"uptime\ndf\n")
        self.composition.process.says(b"up\n")
        self.composition.process.ends()

        self.assertEqual(b"up\n", client.got)
        self.assertEqual(1, len(self.composition.spawner.processes))
        self.assertTrue(client.said_all)
        client.says(b"more and more")
        client.ends_input()
        self.assertFalse(client.is_open)

    def test_unterminated_last_line_counts(self) -> None:
        """As in a shell, the last line needs no LF if the client has ended its input."""
        client = self.composition.connect()
        client.says(b"uptime")
        self.assertEqual([], self.composition.spawner.processes)
        client.ends_input()

        self.assertEqual(1, len(self.composition.spawner.processes))

    def test_end_of_input_without_a_request(self) -> None:
        """A client that has nothing to ask is let go."""
        client = self.composition.connect()
        client.ends_input()

        self.assertFalse(client.is_open)
        self.assertEqual(b"", client.got)

    def test_malformed(self) -> None:
        """What is no request is refused, recorded, and costs nothing."""
        for line in (b"\xff", b"a\0b", b"'", b"\x1b[2J", b"x" * 9000):
            client = self.composition.connect()
            client.says(line + b"\n")

            self.assertIn(b"cmdserver: malformed: ", client.got, line)
            self.assertTrue(client.said_all or not client.is_open)
        self.assertEqual([], self.composition.spawner.processes)
        self.assertEqual([Code.MALFORMED] * 5, self.composition.outcomes)

    def test_json_malformed_is_json(self) -> None:
        """A program that asked for JSON gets JSON, even if the rest was no request."""
        client = self.composition.connect()
        client.says(b"json 'x\n")

        self.assertEqual("malformed", json.loads(client.got)["error"]["code"])

    def test_quit(self) -> None:
        """Quit closes without a word."""
        client = self.composition.connect()
        client.says(b"quit\n")

        self.assertEqual(b"", client.got)
        self.assertFalse(client.is_open)

    def test_unknown_names_are_shown_harmlessly(self) -> None:
        """A stranger's escape sequence is not sent back as one."""
        client = self.composition.connect()
        client.says("x\u2028y\n".encode())

        self.assertNotIn("\u2028".encode(), client.got)
        self.assertIn(b"unknown_command", client.got)


class RequiredLoginTests(SynchronousTestCase):
    """A listener that requires a login, over TLS whose handshake ends when the test says so."""

    def setUp(self) -> None:
        self.composition = LineComposition(self, login=Login.REQUIRED, certificate_of=lambda *_: ADA)
        self.client = self.composition.connect()
        self.connection = self.client.protocol

    def test_nothing_before_the_handshake(self) -> None:
        """What comes before it is known who this is waits, and is that one's then."""
        with patch.object(ListenerAuth, "anonymous", side_effect=AssertionError):
            self.client.says(b"uptime\n")
            self.assertEqual((self.composition.spawner.processes, self.client.value()), ([], b""))
            self.composition.log_in = lambda *_: succeed(user("ada"))
            self.connection.handshakeCompleted()
        self.composition.process.ends()

        self.assertEqual([event.caller.name for event in self.composition.ledger.requests], ["ada"])

    def test_who_speaks_no_tls(self) -> None:
        """Is told so; what they have sent is written down nowhere, as it may be a name."""
        answer = self.connection.answer_plain(b"alice\n")

        self.assertEqual(
            answer, b"cmdserver: malformed: this port speaks TLS; try: openssl s_client -quiet -connect HOST:PORT\n"
        )
        (event,) = self.composition.ledger.requests
        self.assertEqual((event.outcome, event.command, event.arguments), (Code.MALFORMED, None, ()))
        self.assertEqual(self.composition.spawner.processes, [])

    def test_the_end_before_the_handshake(self) -> None:
        """A daemon that stops does not wait for it."""
        self.composition.front_end.close()

        self.assertFalse(self.client.is_open)

    def test_mistakes_of_ours(self) -> None:
        """Whatever is raised over a line is the end of the connection, once and for all; the log says what it was."""
        self.composition.log_in = lambda *_: succeed(user("ada"))
        self.connection.handshakeCompleted()
        self.client.says(b"session\n")
        self.client.abortConnection = lambda: None  # type: ignore[method-assign] # it takes Twisted a turn
        with patch.object(self.composition.dispatcher, "who", side_effect=LookupError):
            self.client.says(b"who\nuptime\n")
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.client.says(b"uptime\n")
        self.connection.readConnectionLost()
        self.composition.turn()

        self.assertEqual(self.composition.spawner.processes, [])


class OptionalLoginTests(SynchronousTestCase):
    """A listener at which a client may log in."""

    def setUp(self) -> None:
        self.composition = LineComposition(self, login=Login.OPTIONAL)
        self.decision: Deferred[Caller] = Deferred()
        self.composition.log_in = lambda *_: self.decision
        self.client = self.composition.connect()
        self.client.says(b"session\nwho\nlogin\nada\nright\nuptime\n")

    def test_lines_wait_for_the_login(self) -> None:
        """Before it they are answered; while it is decided they wait, and are the user's then."""
        self.assertIn(b"line  1\n", self.client.got)
        self.assertEqual(self.composition.spawner.processes, [])
        self.decision.callback(user("ada"))
        self.composition.process.ends()

        self.assertEqual([event.caller.name for event in self.composition.ledger.requests], [None, "ada"])
        self.client.says(b"login\n")
        self.assertTrue(self.client.got.endswith(b"cmdserver: bad_argument: you have logged in\n"))
        self.assertFalse(self.client.is_open)

    def test_nothing_follows_a_refusal(self) -> None:
        """Nor is what came before it forgotten."""
        self.decision.errback(LoginRefused())
        self.composition.turn()

        self.assertTrue(self.client.got.endswith(LOGIN_FAILED))
        self.assertEqual(self.composition.spawner.processes, [])
        self.assertTrue(self.client.said_all)


class SessionTests(SynchronousTestCase):
    """Many requests on one connection."""

    def setUp(self) -> None:
        self.composition = LineComposition(self, command(), command("df"))
        self.client = self.composition.connect()

    def test_lines_are_answered_in_order(self) -> None:
        """A line waits until those before it have been answered."""
        self.client.says(b"session\nuptime\ndf\n")
        self.assertEqual(["uptime"], [process.argv[0].split("/")[-1] for process in self.composition.spawner.processes])
        self.composition.process.says(b"one\n")
        self.composition.process.ends()
        self.composition.process.says(b"two\n")
        self.composition.process.ends()

        self.assertEqual(b"one\ntwo\n", self.client.got)
        self.assertTrue(self.client.is_open)

    def test_half_close_answers_everything(self) -> None:
        """End of input is not an abort."""
        self.client.says(b"session\nuptime\ndf\n")
        self.client.ends_input()
        for text in (b"one\n", b"two\n"):
            self.composition.process.says(text)
            self.composition.process.ends()

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
        self.composition.clock.pump([0] * 100)

        self.assertLess(in_one_turn, 50)
        self.assertEqual(1000, self.client.got.count(b"\n"))

    def test_idle_session_is_closed(self) -> None:
        """Between requests, ``idle_seconds``; part of a line does not count."""
        self.client.says(b"session\n")
        self.composition.clock.pump([100, 100, 99])
        self.client.says(b"upt")
        self.assertTrue(self.client.is_open)
        self.composition.clock.pump([2])

        self.assertTrue(self.client.said_all)
        self.assertIn(b"nothing was asked within 300 s", self.client.got)

    def test_a_mistake_with_one_leaves_the_deadlines_of_others(self) -> None:
        """A connection that cannot be told that it is overdue ends, and so do those behind it, now and later."""
        self.client.protocol.overdue = lambda: 1 / 0
        others = [self.composition.connect(), self.composition.connect()]
        self.composition.clock.pump([20])
        late = self.composition.connect()
        self.composition.clock.pump([11, 20])

        self.assertEqual([each.is_open for each in (self.client, *others, late)], [False] * 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_running_command_is_not_idle(self) -> None:
        """While the server is busy it is not the client who is waited for."""
        self.client.says(b"session\nuptime\n")
        self.composition.clock.pump([29] + [0.1] * 9)
        self.composition.clock.pump([400])

        self.assertTrue(self.client.is_open)

    def test_come_to_an_end_finishes_the_answer(self) -> None:
        """A daemon that stops gives a session the answer that is under way; lines sent ahead are told `busy`."""
        self.client.says(b"session\nuptime\ndf\n")
        self.composition.dispatcher.close()
        self.composition.front_end.close()
        self.assertTrue(self.client.is_open)
        self.composition.process.says(b"one\n")
        self.composition.process.ends()

        self.assertTrue(self.client.got.startswith(b"one\ncmdserver: busy: the daemon is stopping"))
        self.assertFalse(self.client.is_open)
        self.assertEqual(1, len(self.composition.spawner.processes))

    def test_come_to_an_end_closes_the_idle(self) -> None:
        """A daemon that stops does not wait for those who say nothing."""
        self.client.says(b"session\n")
        self.composition.front_end.close()

        self.assertFalse(self.client.is_open)


class AnyBytesTests(SynchronousTestCase):
    """Whatever comes."""

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
    def test_any_bytes(self, chunks: list[bytes], ends: bool) -> None:
        """Invariant: no bytes in any chunks raise anything, and every connection can still be ended cleanly."""
        composition = LineComposition(self)
        client = composition.connect()
        connection: LineConnection = client.protocol
        for chunk in chunks:
            if client.is_open and client.producerState == "producing":
                connection.dataReceived(chunk)
        if ends and client.is_open:
            connection.readConnectionLost()
        client.abortConnection()
        composition.turn()

        self.assertEqual(0, composition.connection_limit.total)
