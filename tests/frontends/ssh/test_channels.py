"""Tests of channels: what there is, what is refused, and that no packet whatever is more than refused."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.frontends.ssh.channel import PACKET_BYTES, WINDOW_BYTES
from cmdserver.frontends.ssh.channels import MOST_SESSIONS, Channels
from cmdserver.sshtransport.encoding import Fields, Malformed, string, uint32
from tests.doubles import LAW
from tests.frontends.ssh.doubles import (
    CLOSE,
    DATA,
    DONE,
    EOF,
    EXTENDED,
    FAILURE,
    GLOBAL,
    NOT_DONE,
    NOT_OPENED,
    OPEN,
    OPENED,
    REQUEST,
    Client,
    pty,
)

PROHIBITED, UNKNOWN_TYPE, SHORTAGE = 1, 3, 4


class ChannelsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Client(self)

    def refusal(self) -> int:
        """Say why the last channel was not opened."""
        number, payload = self.client.connection.sent[-1]
        self.assertEqual(number, NOT_OPENED)
        fields = Fields(payload)
        fields.uint32()
        reason = fields.uint32()
        self.assertTrue(fields.string().isascii())
        fields.string()
        fields.end()
        return reason


class OpeningTests(ChannelsTestCase):
    def test_sessions(self) -> None:
        """A session is opened, and there is room in it."""
        session = self.client.opens()

        self.assertTrue(session.is_open)
        (number, payload) = self.client.connection.sent[0]
        self.assertEqual(number, OPENED)
        self.assertEqual(payload[8:], uint32(WINDOW_BYTES) + uint32(PACKET_BYTES))

    def test_forwarding(self) -> None:
        """There is none."""
        for kind in (b"direct-tcpip", b"direct-streamlocal@openssh.com", b"tun@openssh.com", b"x11"):
            self.client.opens(kind)
            self.assertEqual(self.refusal(), PROHIBITED)

    def test_unknown_kinds(self) -> None:
        """What nobody knows is not there either."""
        for kind in (b"", b"auth-agent@openssh.com", b"\xff\xfe"):
            self.client.opens(kind)
            self.assertEqual(self.refusal(), UNKNOWN_TYPE)

    def test_many(self) -> None:
        """There are so many at once and no more; a place becomes free when both have closed."""
        sessions = [self.client.opens(number=number) for number in range(MOST_SESSIONS)]
        self.client.opens(number=99)
        self.assertEqual(self.refusal(), SHORTAGE)

        sessions[3].closes()

        self.assertTrue(self.client.opens(number=100).is_open)
        self.client.opens(number=101)
        self.assertEqual(self.refusal(), SHORTAGE)

    def test_three_hundred(self) -> None:
        """A flood of requests for channels is refused one by one, and costs nothing."""
        for number in range(300):
            self.client.opens(number=number)

        self.assertEqual(self.client.kinds().count(OPENED), MOST_SESSIONS)
        self.assertEqual(self.client.kinds().count(NOT_OPENED), 300 - MOST_SESSIONS)

    def test_no_more_sessions(self) -> None:
        """A client that promises to want no more gets no more; those that it has go on."""
        session = self.client.opens()
        self.client.sends(GLOBAL, string(b"no-more-sessions@openssh.com") + b"\0")

        self.client.opens(number=8)

        self.assertEqual(self.refusal(), PROHIBITED)
        self.assertTrue(session.requests(b"exec", string(b"help")))


class RequestTests(ChannelsTestCase):
    def test_global_requests(self) -> None:
        """None is granted; only who wants an answer gets one."""
        for kind in (b"tcpip-forward", b"streamlocal-forward@openssh.com", b"keepalive@openssh.com", b"\xff"):
            self.client.sends(GLOBAL, string(kind) + b"\1")
            self.assertEqual(self.client.connection.sent.pop(), (FAILURE, b""))
            self.client.sends(GLOBAL, string(kind) + b"\0")
            self.assertEqual(self.client.connection.sent, [])

    def test_who_is_not_idle(self) -> None:
        """Keep-alives and refused channels keep no connection open; whatever is said about a session does."""
        connection = self.client.connection
        self.client.sends(GLOBAL, string(b"keepalive@openssh.com") + b"\1")
        self.client.opens(b"x11")
        self.assertEqual(connection.heard_of, 0)
        session = self.client.opens()
        session.requests(b"env", string(b"x"))
        session.types("x")
        session.widens(1)
        session.ends_input()
        session.closes()

        self.assertEqual(connection.heard_of, 6)

    def test_what_is_not_there(self) -> None:
        """Environment, X11, agents and subsystems are refused, and a command can still be asked for."""
        session = self.client.opens()
        for kind in (b"env", b"x11-req", b"auth-agent-req@openssh.com", b"subsystem", b"break", b"exec\xff", b""):
            self.assertIs(session.requests(kind, string(b"x")), False)
            self.assertIsNone(session.requests(kind, string(b"x"), wants_reply=False))

        self.assertTrue(session.requests(b"exec", string(b"help")))

    def test_one_program(self) -> None:
        """A session has one program, and its terminal is asked for before that."""
        session = self.client.asks("uptime")

        for kind, details in ((b"exec", string(b"df")), (b"shell", b""), (b"pty-req", pty())):
            self.assertIs(session.requests(kind, details), False)

    def test_terminals(self) -> None:
        """A session has one terminal, whose width may change; without one there is nothing to change."""
        session = self.client.opens()
        width = uint32(100) * 4
        self.assertIs(session.requests(b"window-change", width), False)
        self.assertIs(session.requests(b"pty-req", pty()), True)
        self.assertIs(session.requests(b"pty-req", pty()), False)
        self.assertIs(session.requests(b"window-change", width), True)

    def test_terminals_that_are_not_permitted(self) -> None:
        """Whose key says no-pty has none, and can still ask for commands."""
        session = Client(self, permits_pty=False).opens()

        self.assertIs(session.requests(b"pty-req", pty()), False)
        self.assertIs(session.requests(b"exec", string(b"help")), True)

    def test_the_reply_comes_first(self) -> None:
        """That a command is accepted is said before its first output."""
        self.client.asks("help")

        kinds = self.client.kinds()
        self.assertLess(kinds.index(DONE), kinds.index(DATA))

    def test_signals(self) -> None:
        """Signals that would end a process are known, others refused."""
        for name in (b"INT", b"TERM", b"KILL", b"HUP"):
            self.assertTrue(self.client.asks("uptime").requests(b"signal", string(name)))
        for name in (b"USR1", b"SIGINT", b"\xff"):
            self.assertIs(self.client.asks("uptime").requests(b"signal", string(name)), False)


class HostileTests(ChannelsTestCase):
    def test_channels_that_there_are_not(self) -> None:
        """Who speaks of a channel that there is not does not speak the protocol."""
        session = self.client.opens()
        session.closes()
        for number, rest in ((DATA, string(b"x")), (EOF, b""), (CLOSE, b""), (REQUEST, string(b"exec") + b"\1")):
            for channel in (0, 1, 0xFFFFFFFF):
                with self.assertRaises(Malformed):
                    self.client.sends(number, uint32(channel) + rest)

    def test_too_much_input(self) -> None:
        """Who sends more than there is room for does not either."""
        session = self.client.opens()
        with self.assertRaises(Malformed):
            session.types(b"x" * (PACKET_BYTES + 1))

        busy = Client(self)
        session = busy.opens()
        session.requests(b"pty-req", pty())
        session.requests(b"shell")
        session.types(b"uptime\r")
        session.types(b"x" * PACKET_BYTES)
        with self.assertRaises(Malformed):
            session.types(b"x" * PACKET_BYTES)

    def test_extended_data(self) -> None:
        """Clients have no standard error; what comes there is counted and forgotten."""
        session = self.client.opens()
        for _ in range(10):
            session.sends(EXTENDED, uint32(1) + string(b"x" * PACKET_BYTES))
        self.assertGreaterEqual(session.room, 9 * PACKET_BYTES)

        with self.assertRaises(Malformed):
            session.sends(EXTENDED, uint32(1) + string(b"x" * (PACKET_BYTES + 1)))

    def test_answers_to_nothing(self) -> None:
        """What answers questions that we never ask is ignored."""
        for number in (81, 82, DONE, NOT_DONE):
            self.client.sends(number, b"")

        self.assertEqual(self.client.connection.sent, [])

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.sampled_from(sorted(Channels.protocolMessages)), st.binary(max_size=40)),
                st.tuples(
                    st.just(REQUEST),
                    st.builds(
                        lambda kind, rest: uint32(0) + string(kind) + rest,
                        st.sampled_from([b"exec", b"shell", b"pty-req", b"window-change", b"signal", b"env"]),
                        st.binary(max_size=40),
                    ),
                ),
                st.tuples(st.just(DATA), st.binary(max_size=40).map(lambda data: uint32(0) + string(data))),
                st.tuples(st.sampled_from([EOF, CLOSE]), st.just(uint32(0))),
                st.tuples(st.just(OPEN), st.just(string(b"session") + uint32(0) * 3)),
            ),
            max_size=12,
        )
    )
    @LAW
    def test_any_packets(self, packets: list[tuple[int, bytes]]) -> None:
        """Any packets are answered, or found to be none; never another exception."""
        client = Client(self)
        client.opens()
        for number, payload in packets:
            try:
                client.sends(number, payload)
            except Malformed:
                break
            client.turn()
        client.channels.serviceStopped()
        client.turn()
        self.assertEqual(client.composition.running, 0)
