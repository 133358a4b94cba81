"""Tests of windows: output goes as fast as it is taken, and is not lost; input comes as fast as it is read."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.output import Stream
from cmdserver.frontends.ssh.channel import CLOSE, EOF, REQUEST, WINDOW_BYTES, Channel
from cmdserver.frontends.ssh.exit_status import ExitStatus
from cmdserver.sshtransport.encoding import Malformed
from tests.doubles import LAW
from tests.frontends.ssh.doubles import ADJUST, DATA, EXTENDED, FakeConnection


class FakeFlow:
    """Output that can be paused."""

    def __init__(self) -> None:
        self.is_paused = False
        self.turns = 0

    def pauseProducing(self) -> None:
        self.is_paused = True
        self.turns += 1

    def resumeProducing(self) -> None:
        self.is_paused = False
        self.turns += 1


class ChannelTestCase(SynchronousTestCase):
    def open(self, window: int = 100, packet: int = 40) -> None:
        """Begin, with so much room."""
        self.link = FakeConnection()
        self.channel = Channel(self.link, 7, window, packet)

    def setUp(self) -> None:
        self.open()

    def sent(self, kind: int = DATA) -> list[bytes]:
        """The strings that were sent."""
        skipped = 12 if kind == EXTENDED else 8
        return [payload[skipped:] for number, payload in self.link.sent if number == kind]

    @property
    def kinds(self) -> list[int]:
        """What was sent, by kind."""
        return [number for number, _ in self.link.sent]


class WritingTests(ChannelTestCase):
    def test_packets(self) -> None:
        """Output goes in packets that the client takes."""
        self.channel.write(b"x" * 90)

        self.assertEqual([len(each) for each in self.sent()], [40, 40, 10])

    def test_large_packets(self) -> None:
        """A client's word for how large packets may be is believed up to 32 KiB, and never below one byte."""
        for believed, said in ((32768, 1 << 31), (1, 0)):
            self.open(window=100_000, packet=said)
            self.channel.write(b"x" * 32768 * 2 if said else b"xx")
            self.assertEqual([len(each) for each in self.sent()], [believed] * 2)

    def test_both_streams(self) -> None:
        """Standard output and standard error go in the order in which they were written."""
        self.channel.write(b"1")
        self.channel.write(b"2", Stream.STDERR)
        self.channel.write(b"3")

        self.assertEqual(self.kinds, [DATA, EXTENDED, DATA])
        self.assertEqual((self.sent(), self.sent(EXTENDED)), ([b"1", b"3"], [b"2"]))

    def test_window(self) -> None:
        """What the client has no room for waits, and goes in the same order when it has."""
        self.channel.write(b"a" * 90)
        self.channel.write(b"b" * 20, Stream.STDERR)
        self.channel.write(b"c")
        self.assertEqual((len(b"".join(self.sent())), len(b"".join(self.sent(EXTENDED)))), (90, 10))

        self.channel.widen(10)
        self.assertTrue(self.channel.is_full)
        self.channel.widen(1)
        self.assertEqual((self.sent()[-1], self.sent(EXTENDED)), (b"c", [b"b" * 10, b"b" * 10]))
        self.assertFalse(self.channel.is_full)

    def test_widening_without_end(self) -> None:
        """A window is never larger than the protocol has numbers for."""
        for _ in range(3):
            self.channel.widen(0xFFFFFFFF)

        self.channel.write(b"x")
        self.assertEqual(self.sent(), [b"x"])

    def test_nothing(self) -> None:
        """An empty chunk is no packet."""
        self.channel.write(b"")

        self.assertEqual(self.link.sent, [])

    def test_a_connection_that_is_full(self) -> None:
        """Output waits for the connection, too."""
        self.link.isOutputHeld = True
        self.channel.write(b"x")
        self.assertEqual(self.link.sent, [])

        self.link.isOutputHeld = False
        self.channel.send_waiting()
        self.assertEqual(self.sent(), [b"x"])

    def test_a_connection_that_becomes_full(self) -> None:
        """A packet may be the last that there is room for."""

        def hold() -> None:
            self.link.isOutputHeld = True
            self.channel.steer()

        self.link.when_sent = hold
        producer = FakeFlow()
        self.channel.follow(producer)
        self.channel.write(b"x" * 60)

        self.assertEqual(len(self.sent()), 1)
        self.assertTrue(producer.is_paused)


class FlowTests(ChannelTestCase):
    def test_pace(self) -> None:
        """What makes the output is paused while some of it waits."""
        producer = FakeFlow()
        self.channel.follow(producer)
        self.channel.write(b"x" * 100)
        self.assertFalse(producer.is_paused)
        self.channel.write(b"x")
        self.channel.write(b"x")
        self.assertTrue(producer.is_paused)
        self.channel.widen(1)
        self.assertTrue(producer.is_paused)
        self.channel.widen(1)
        self.assertFalse(producer.is_paused)
        self.assertEqual(producer.turns, 2)

    def test_starting_when_full(self) -> None:
        """What begins while something waits is paused at once."""
        self.channel.write(b"x" * 101)
        producer = FakeFlow()
        self.channel.follow(producer)

        self.assertTrue(producer.is_paused)

    def test_letting_go(self) -> None:
        """What is over is left alone."""
        producer = FakeFlow()
        self.channel.follow(producer)
        self.channel.follow(None)
        self.channel.write(b"x" * 200)

        self.assertEqual(producer.turns, 0)


class EndingTests(ChannelTestCase):
    def test_order(self) -> None:
        """Everything is sent before it is said how it ended."""
        self.channel.write(b"x" * 150)
        self.channel.exit(ExitStatus(3))
        self.assertEqual(set(self.kinds), {DATA})
        self.channel.widen(50)

        self.assertEqual(self.kinds[-3:], [EOF, REQUEST, CLOSE])
        self.assertEqual(sum(map(len, self.sent())), 150)
        self.assertTrue(self.link.sent[-2][1].endswith(b"exit-status\0" + b"\0\0\0\3"))

    def test_signal(self) -> None:
        """A signal is said by the name that the protocol has for it, if it has one."""
        for signal, name in (("SIGKILL", b"KILL"), ("SIGBUS", b"SIG@openssh.com"), ("SIG42", b"SIG@openssh.com")):
            self.open()
            self.channel.exit(ExitStatus(signal=signal))
            self.assertIn(b"exit-signal\0" + len(name).to_bytes(4, "big") + name, self.link.sent[1][1])

    def test_the_first_ending_counts(self) -> None:
        """Nothing comes after it, and no other ending."""
        self.channel.exit(ExitStatus(1))
        self.channel.exit(ExitStatus(2))
        self.channel.write(b"x")
        self.channel.close()
        self.channel.reply(is_granted=True)

        self.assertEqual(self.kinds, [EOF, REQUEST, CLOSE])
        self.assertIn(b"\0\0\0\1", self.link.sent[1][1])

    def test_closing(self) -> None:
        """A channel that is closed says nothing more, and what waits is forgotten."""
        self.channel.write(b"x" * 150)
        self.channel.close()
        self.channel.widen(1000)
        self.channel.exit(ExitStatus())

        self.assertEqual(self.kinds[-1], CLOSE)
        self.assertEqual(sum(map(len, self.sent())), 100)
        self.assertFalse(self.channel.is_full)

    def test_nothing_ran(self) -> None:
        """A channel in which nothing ran is closed without an exit status."""
        self.channel.exit(None)

        self.assertEqual(self.kinds, [CLOSE])


class ReadingTests(ChannelTestCase):
    def test_room(self) -> None:
        """Room is made when half of it is used up, and only when somebody reads on."""
        self.channel.take(bytes(WINDOW_BYTES // 2 - 1))
        self.channel.read_on()
        self.assertEqual(self.link.sent, [])
        self.channel.take(bytes(1))
        self.channel.read_on()

        ((number, payload),) = self.link.sent
        self.assertEqual((number, int.from_bytes(payload[4:], "big")), (ADJUST, WINDOW_BYTES // 2))

    def test_no_room(self) -> None:
        """What nobody made room for, and packets that are too large, are not to be taken."""
        self.channel.take(bytes(WINDOW_BYTES // 2))
        self.channel.take(bytes(WINDOW_BYTES // 2))
        with self.assertRaises(Malformed):
            self.channel.take(bytes(1))
        self.open()
        with self.assertRaises(Malformed):
            self.channel.take(bytes(WINDOW_BYTES // 2 + 1))

    @given(
        st.lists(st.tuples(st.booleans(), st.binary(max_size=50))),
        st.lists(st.integers(0, 60)),
        st.integers(1, 50),
    )
    @LAW
    def test_nothing_is_lost(self, chunks: list[tuple[bool, bytes]], rooms: list[int], packet: int) -> None:
        """However small the windows, each stream arrives whole and in order, within them."""
        self.open(window=0, packet=packet)
        for is_error, chunk in chunks:
            self.channel.write(chunk, Stream.STDERR if is_error else Stream.STDOUT)
        self.channel.exit(ExitStatus())
        for room in rooms:
            before = sum(map(len, self.sent() + self.sent(EXTENDED)))
            self.channel.widen(room)
            self.assertLessEqual(sum(map(len, self.sent() + self.sent(EXTENDED))) - before, sum(rooms))
        self.channel.widen(10_000)

        self.assertEqual(b"".join(self.sent()), b"".join(each for is_error, each in chunks if not is_error))
        self.assertEqual(b"".join(self.sent(EXTENDED)), b"".join(each for is_error, each in chunks if is_error))
        self.assertEqual(self.kinds[-1], CLOSE)
