"""Tests of sessions that read lines: each is answered, in order, and the last one's status is the session's."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.ssh.channel import PACKET_BYTES
from tests.doubles import LAW
from tests.frontends.ssh.doubles import Client, Session


class LinesTestCase(SynchronousTestCase):
    def begin(self, **how: Any) -> Session:
        """Ask for a session without a terminal."""
        self.client = Client(self, **how)
        session = self.client.opens()
        self.assertTrue(session.requests(b"shell"))
        return session

    def ends(self, status: int = 0) -> None:
        """Let what runs exit."""
        self.client.composition.spawner.last.ends(status)
        self.client.turn()

    @property
    def asked(self) -> list[str | None]:
        """The commands that were asked for, as written down."""
        return [event.command for event in self.client.composition.ledger.requests]


class LinesTests(LinesTestCase):
    def test_one_after_the_other(self) -> None:
        """A line waits until the one before it is answered."""
        session = self.begin()
        session.types("uptime\r\ndf\n")
        self.assertEqual(len(self.client.composition.spawner.processes), 1)
        self.client.composition.spawner.last.says(b"up\n", b"oh\n")
        self.ends(1)
        self.assertEqual(len(self.client.composition.spawner.processes), 2)
        self.ends(2)
        session.ends_input()

        self.assertEqual((session.stdout, session.stderr, session.ending), (b"up\n", b"oh\n", 2))
        self.assertEqual(self.asked, ["uptime", "df"])

    def test_status(self) -> None:
        """The session's status is the last line's; without a line it is success."""
        session = self.begin()
        session.types("nosuch\nwhoami\n")
        session.ends_input()
        self.assertEqual(session.ending, 0)
        session = self.begin()
        session.types("whoami\nnosuch\n")
        session.ends_input()
        self.assertEqual(session.ending, 127)
        session = self.begin()
        session.ends_input()
        self.assertEqual(session.ending, 0)

    def test_a_line_without_an_end(self) -> None:
        """The last line needs no line break."""
        session = self.begin()
        session.types("whoami")
        self.assertEqual(session.stdout, b"")
        session.ends_input()

        self.assertEqual(self.asked, ["whoami"])

    def test_input_that_ended_before_it_began(self) -> None:
        """What ends before the request for a session is answered is answered all the same."""
        self.client = Client(self)
        session = self.client.opens()
        session.ends_input()
        session.requests(b"shell")

        self.assertEqual(session.ending, 0)

    def test_quitting(self) -> None:
        """After `quit` there is nothing more."""
        session = self.begin()
        session.types("nosuch\nsession\nnosuch\nquit\nwhoami\n")
        session.types("whoami\n")

        self.assertEqual(session.ending, 127)
        self.assertEqual(self.asked, ["nosuch", "nosuch"])

    def test_too_long(self) -> None:
        """A line that is too long is the last one: there is no telling where the next one begins."""
        session = self.begin(line_bytes=64)
        session.types("x" * 100 + "\nwhoami\n")

        self.assertEqual(session.ending, 2)
        self.assertIn(b"malformed", session.stderr)
        self.assertEqual(self.asked, [None])

    def test_leaving(self) -> None:
        """Who closes the channel has no line answered any more, however many have come."""
        session = self.begin()
        session.types("uptime\nwhoami\ndf\n")
        session.closes()
        self.client.turn()

        self.assertEqual(self.asked, ["uptime"])
        self.assertEqual(self.client.composition.running, 0)

    def test_signal(self) -> None:
        """A signal ends what runs and the session with it."""
        session = self.begin()
        session.types("uptime\nwhoami\n")
        session.requests(b"signal", b"\0\0\0\3INT")
        self.client.turn()

        self.assertEqual((session.ending, self.client.composition.running), ("INT", 0))
        self.assertEqual(self.asked, ["uptime"])
        self.assertIs(self.client.composition.ledger.requests[-1].ended_by, EndedBy.CALLER)

    def test_stopping(self) -> None:
        """Lines that have come are answered by `busy` when the daemon stops, and the session exits."""
        session = self.begin()
        session.types("uptime\ndf\n")
        self.client.composition.dispatcher.close()
        self.client.channels.close_when_idle()
        self.assertIsNone(session.ending)
        self.ends()

        self.assertIn(b"cmdserver: busy: the daemon is stopping", session.stderr)
        self.assertEqual(session.ending, 75)

    def test_asking_nothing(self) -> None:
        """Who asks nothing for too long is told so."""
        session = self.begin()
        self.client.channels.expire("cmdserver: nothing was asked")

        self.assertEqual((session.stderr, session.ending), (b"cmdserver: nothing was asked\n", 0))


class FloodTests(LinesTestCase):
    def test_a_flood(self) -> None:
        """While a line is answered, no more is taken than the next line may need; then the network waits."""
        session = self.begin(line_bytes=1000)
        session.types("uptime\n")
        sent = 0
        while sent - session.room <= PACKET_BYTES:
            session.types(b"help\n" * 1000)
            sent += 5000
            self.assertLess(sent, 200_000)

        self.assertLess(session.room, PACKET_BYTES)
        self.assertEqual(self.asked, [])

    def test_turns(self) -> None:
        """Many lines that cost nothing are answered a few at a time."""
        session = self.begin()
        session.types(b"whoami\n" * 100)
        self.assertLess(len(self.asked), 50)
        for _ in range(10):
            self.client.turn()

        self.assertEqual(len(self.asked), 100)
        self.assertIsNone(session.ending)

    def test_a_slow_reader(self) -> None:
        """No further line is looked at while output waits to be sent."""
        self.client = Client(self)
        session = self.client.opens(window=10)
        session.requests(b"shell")
        session.types(b"whoami\n" * 3)
        self.assertEqual(len(self.asked), 1)
        session.widens(1000)

        self.assertEqual(len(self.asked), 3)

    @given(st.lists(st.binary(max_size=20)))
    @LAW
    def test_any_bytes(self, chunks: list[bytes]) -> None:
        """Any bytes are answered, and the session ends when they do."""
        session = self.begin(line_bytes=64)
        for chunk in chunks:
            session.types(chunk)
        session.ends_input()
        for _ in range(100):
            self.client.turn()

        self.assertIsNotNone(session.ending)
