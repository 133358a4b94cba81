"""Telnet clients at the line listener: their wishes, their Ctrl-C, and what it costs not to read."""

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import Code
from cmdserver.core.listening import Login
from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.line.connection import INTERRUPTED
from cmdserver.limits.source_penalties import Offence
from tests.frontends.line.doubles import LineComposition
from tests.frontends.web.doubles import FakeListenerAuth
from tests.running_doubles import command

NOP, AYT, IP = b"\xff\xf1", b"\xff\xf6", b"\xff\xf4"
WILL_NAWS, DONT_NAWS = b"\xff\xfb\x1f", b"\xff\xfe\x1f"
DO_TIMING_MARK, WILL_TIMING_MARK = b"\xff\xfd\x06", b"\xff\xfb\x06"
#: What is written for INTERRUPTED to a telnet client.
TOLD = INTERRUPTED.replace(b"\n", b"\r\n")


class TelnetTests(SynchronousTestCase):
    """Somebody who types."""

    def setUp(self) -> None:
        self.composition = LineComposition(self, command(), command("df"))
        self.client = self.composition.connect()

    def test_a_client_that_negotiates_first(self) -> None:
        """It is answered, and gets what it has asked for, in lines that its screen understands."""
        self.client.says(WILL_NAWS + b"upt" + NOP + b"ime\r\n")
        self.composition.process.says(b"one\ntwo\n")
        self.composition.process.ends()

        self.assertEqual(self.client.got, DONT_NAWS + b"one\r\ntwo\r\n")

    def test_others_get_what_they_got(self) -> None:
        """Line breaks are changed for nobody else; a byte that is no command is told of as before."""
        self.client.says(b"session\n\xff\nuptime\n")
        self.composition.process.says(b"one\n")

        self.assertIn(b"byte 1 is 0xff", self.client.got)
        self.assertTrue(self.client.got.endswith(b"\none\n"))

    def test_an_interrupt_ends_what_runs(self) -> None:
        """Its output ends, and in a session the next line is asked for; what was sent ahead is forgotten."""
        self.client.says(b"session\nuptime\n")
        process = self.composition.process
        process.says(b"begun")
        self.client.says(b"df\nhalf a li" + IP + DO_TIMING_MARK + b"who\r\n")

        self.assertEqual(self.client.got, b"begun" + TOLD + WILL_TIMING_MARK + b"line  1\r\n")
        self.assertEqual(len(self.composition.spawner.processes), 1)
        self.assertIn((process.group, "SIGTERM"), self.composition.spawner.signals)
        self.client.says(b"df\r\n")
        self.composition.turn()
        self.composition.process.says(b"full\n")
        self.assertTrue(self.client.got.endswith(b"full\r\n"))

    def test_an_interrupt_without_a_session(self) -> None:
        """The request is over, and so is the connection."""
        self.client.says(b"uptime\n")
        self.client.says(IP)

        self.assertEqual(self.client.got, TOLD)
        self.assertFalse(self.client.is_open)
        self.composition.process.ends()
        self.assertEqual(self.composition.outcomes, [Code.FAILED])
        self.assertIs(self.composition.ledger.requests[-1].ended_by, EndedBy.CALLER)

    def test_an_interrupt_when_nothing_runs(self) -> None:
        """What was typed of the line is forgotten; the connection goes on, and its time too."""
        self.client.says(NOP + b"reboo\x03uptime\n")

        self.assertEqual(len(self.composition.spawner.processes), 1)
        self.assertEqual(self.client.got, b"")

    def test_interrupts_in_a_row(self) -> None:
        """Each ends what runs then, if anything does."""
        self.client.says(b"session\nuptime\n")
        self.client.says(IP * 3)
        self.client.says(b"who\n")

        self.assertEqual(self.client.got, TOLD + b"line  1\r\n")

    def test_an_interrupted_login(self) -> None:
        """It is given up, as at any login; who does that has not logged in."""
        listener_auth = FakeListenerAuth(Login.REQUIRED, "tcp:2022")
        self.composition.front_end.listener_auth = listener_auth
        for typed in (b"", b"ada\n", b"ada\nright\n"):
            listener_auth.waiting = []
            client = self.composition.connect(IPv4Address("TCP", "192.0.2.7", 1))
            client.says(typed + IP)
            self.assertFalse(client.is_open)
            self.assertNotIn(TOLD, client.got)
        self.assertEqual(listener_auth.offences, [Offence.NOAUTH, Offence.NOAUTH, Offence.AUTHFAIL])
        self.assertEqual(listener_auth.unauthenticated_connections, 0)

    def test_are_you_there(self) -> None:
        """Yes, also while a command runs."""
        self.client.says(b"uptime\n" + AYT)

        self.assertEqual(self.client.got, b"\r\n[Yes]\r\n")

    def test_a_command_in_pieces(self) -> None:
        """One that has begun is no text, until it is known to be one because nothing more comes."""
        for byte in b"upt" + DO_TIMING_MARK + b"ime\n":
            self.client.says(bytes([byte]))
        self.assertEqual(len(self.composition.spawner.processes), 1)

        client = self.composition.connect()
        client.says(b"uptime \xff")
        client.ends_input()
        self.assertIn(b"byte 8 is 0xff", client.got)

    def test_who_does_not_take_our_answers(self) -> None:
        """Whoever asks and asks and reads nothing is not read from, until it has caught up."""
        self.client.says(b"session\nuptime\n")
        self.client.is_slow = True
        self.client.says(AYT)
        self.assertEqual(self.client.producerState, "paused")
        self.assertIn(self.client.number, self.composition.liveness.watched)
        self.client.catches_up()
        self.assertEqual(self.client.producerState, "producing")
        self.client.says(IP)

        self.assertTrue(self.client.got.endswith(TOLD))

    def test_a_flood_of_commands(self) -> None:
        """It is refused like a line that is too long, and the connection is over."""
        self.client.says(b"session\n" + NOP * 2000)

        self.assertIn(b"more than 1000 telnet commands", self.client.got)
        self.assertTrue(self.client.said_all or not self.client.is_open)
        self.assertEqual(self.composition.outcomes, [Code.MALFORMED])

    def test_an_interrupt_makes_room(self) -> None:
        """A buffer that is full of lines sent ahead is emptied, and it is read on."""
        self.client.says(b"session\nuptime\n")
        self.client.says(NOP + b"df\n" * 3000 + IP)
        self.assertEqual(self.client.producerState, "producing")
        self.client.says(b"who\n")

        self.assertEqual(self.client.got, TOLD + b"line  1\r\n")
