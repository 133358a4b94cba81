"""Tests with whatever bytes: sessions of a real client that were tampered with, and messages that make no sense.

The invariant: no exception leaves the transport and no traceback is logged; a service never gets anything but what its
peer has said, in that order; before there are keys a peer gets messages of the key exchange and nothing else.
"""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.sshtransport import strict
from cmdserver.sshtransport.encoding import string
from cmdserver.sshtransport.packets import PacketBuffer, Plain
from tests.sshtransport.captured import Greeter, Session, deterministic, sessions
from tests.sshtransport.client import TalkingClient, TalkingServer, Wire, connected, taken

SESSIONS = sessions()
WANTED = [b"visitor", b"session"]


@st.composite
def tampered(draw: st.DrawFn) -> tuple[Session, bytes]:
    """Take a session, and change what the client has sent in a few places."""
    session = draw(st.sampled_from(SESSIONS))
    data = session.from_client
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["flip", "cut", "insert", "repeat", "end"])):
            case "flip":
                mask = draw(st.integers(1, 255))
                data = data[:start] + bytes(byte ^ mask for byte in data[start : start + 1]) + data[start + 1 :]
            case "cut":
                data = data[:start] + data[end:]
            case "insert":
                data = data[:start] + draw(st.binary(min_size=1, max_size=40)) + data[start:]
            case "repeat":
                data = data[:end] + data[start:]
            case "end":
                data = data[:start]
    return session, data


def plain_messages(data: bytes) -> Iterator[int]:
    """Number the messages that a server has sent before it had keys."""
    _, _, packets = data.partition(b"\r\n")
    buffer, plain = PacketBuffer(), Plain()
    buffer.feed(packets)
    while (payload := buffer.next(plain, 0)) is not None:
        yield payload[0]
        if payload[0] == strict.NEWKEYS:
            return


class TamperedTests(SynchronousTestCase):
    @settings(max_examples=400, deadline=None)
    @given(tampered(), st.integers(1, 2000))
    def test_what_was_tampered_with_gets_nobody_anywhere(self, changed: tuple[Session, bytes], size: int) -> None:
        """The service hears a beginning of what was said, and nothing else."""
        session, data = changed
        server = deterministic(session.name, rekeys=session.rekeys)
        server.makeConnection(StringTransport())

        for start in range(0, len(data), size):
            server.dataReceived(data[start : start + size])

        heard = server.service.asked if isinstance(server.service, Greeter) else []
        self.assertEqual(heard, WANTED[: len(heard)])
        self.assertEqual(self.flushLoggedErrors(), [])
        answered = taken(server)
        self.assertLessEqual(
            set(plain_messages(answered)), {strict.KEXINIT, strict.KEX_REPLY, strict.NEWKEYS, strict.DISCONNECT}
        )
        self.assertLessEqual(len(answered), len(session.from_server) + 200)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=600))
    def test_any_first_bytes(self, data: bytes) -> None:
        """Whoever comes first, they get the beginning of a key exchange and perhaps a farewell."""
        for prefix in (b"", b"SSH-2.0-x\r\n"):
            server = TalkingServer()
            server.makeConnection(StringTransport())

            server.dataReceived(prefix + data)

            self.assertLessEqual(set(plain_messages(taken(server))), {strict.KEXINIT, strict.DISCONNECT})
        self.assertEqual(self.flushLoggedErrors(), [])


class Changing(TalkingClient):
    """A client of which one message is changed on its way, in one place."""

    def __init__(self, number: int, place: float, mask: int) -> None:
        self._number, self._place, self._mask = number, place, mask

    def _send(self, number: int, message: bytes) -> None:
        if number == self._number:
            place = int(len(message) * self._place)
            message = message[:place] + bytes((message[place] ^ self._mask,)) + message[place + 1 :]
        super()._send(number, message)


class MeaninglessTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, 255), st.binary(max_size=60), st.integers(0, 6), st.booleans())
    def test_any_message_at_any_time(self, number: int, message: bytes, moment: int, rekeying: bool) -> None:
        """Whatever a peer says, properly protected, in whichever phase: it is answered, ignored, or the end."""
        wire = Wire(TalkingServer(), TalkingClient())
        for _ in range(moment):
            wire.deliver()
        if wire.server.service is not None and isinstance(wire.server, TalkingServer):
            wire.server.log_in()
            if rekeying:
                wire.server.sendKexInit()

        if not wire.client._is_over:
            wire.client._send(number, message)
        wire.deliver()

        self.assertEqual(self.flushLoggedErrors(), [])

    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from([strict.KEXINIT, strict.KEX_INIT]), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
    def test_any_change_to_an_exchange(self, number: int, place: float, mask: int) -> None:
        """A KEXINIT or a public key that was changed on its way makes no keys with which somebody could go on."""
        wire = Wire(TalkingServer(), Changing(number, place, mask))

        wire.settle()

        self.assertIsNone(wire.server.service)
        self.flushLoggedErrors(AssertionError)  # by which the client says that the signature is wrong

    def test_not_even_a_long_line_is_waited_for(self) -> None:
        """A first line has an end, and is an identification from its first byte on."""
        for data in (
            b"SSH-2.0-" + bytes(b"x" * 260),
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"SSH-1.5-old\r\n",
            b"\0",
        ):
            with self.subTest(data=data):
                server = TalkingServer()
                server.makeConnection(StringTransport())

                server.dataReceived(data)

                self.assertTrue(server.transport.disconnecting)

    def test_nobody_can_fill_the_log(self) -> None:
        """What a peer says when it leaves is logged in part, and without what would act on a terminal."""
        wire = connected()

        wire.client._send(strict.DISCONNECT, bytes(4) + string(b"\x1b[2J\n" * 6000))
        with capturedLogs() as events:
            wire.deliver()

        (line,) = [formatEvent(event) for event in events]
        self.assertLess(len(line), 1000)
        self.assertTrue(line.isprintable())
