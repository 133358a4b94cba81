"""Tests of HTTP/2: which streams are sent, how much waits, and how answers break off."""

from typing import Any

from h2 import config as h2_config
from h2 import connection as h2_connection
from h2 import events as h2_events
from h2 import settings as h2_settings
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.config.schema.host import Limits
from cmdserver.frontends.web.front_end import WebFrontEnd
from cmdserver.frontends.web.held_response import HELD_TEXT_BYTES
from tests.frontends.web.doubles import Client, NoExposition, WebComposition, a_signer
from tests.running_doubles import command

WINDOW = h2_settings.SettingCodes.INITIAL_WINDOW_SIZE
HEADERS = {":scheme": "https", ":authority": "cmd.example", "accept": "text/plain"}
BIG = b"x" * 200_000


class HTTP2Client:
    """A client in memory, which opens windows when its test says so.

    Args:
        composition: Where it asks.
        window: Of each of its streams, at first.
    """

    def __init__(self, composition: WebComposition, window: int = 65_535) -> None:
        self._clock = composition.clock
        front_end = WebFrontEnd(
            composition.listener_auth,
            composition.front_end.context,
            composition.options,
            NoExposition(),
            a_signer,
            lambda *_: None,
        )
        self.transport = Client(1)
        self.transport.negotiatedProtocol = b"h2"  # type: ignore[attr-defined]
        self.transport.protocol = front_end.buildProtocol(self.transport.peerAddr)
        self.transport.protocol.makeConnection(self.transport)
        self.transport.protocol.handshakeCompleted()
        self.connection = h2_connection.H2Connection(h2_config.H2Configuration(header_encoding="utf-8"))
        self.connection.initiate_connection()
        self.connection.update_settings({WINDOW: window})
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        self.is_told_to_go = False
        self.turns(3)

    @property
    def channel(self) -> Any:
        return self.transport.protocol._channel

    def ask(self, path: str = "/uptime", **headers: str) -> int:
        """Send a request; return its stream."""
        stream: int = self.connection.get_next_available_stream_id()
        fields = {":method": "GET", ":path": path, **HEADERS, **headers}
        self.connection.send_headers(stream, list(fields.items()), end_stream=True)
        self.flush()
        return stream

    def flush(self) -> None:
        """Send what there is to send, in one piece."""
        data = self.connection.data_to_send()
        if data and self.transport.is_open:
            self.transport.protocol.dataReceived(data)

    def open_window(self, by: int, stream: int | None = None) -> None:
        """Let the server send so much more, of one stream or of all."""
        self.connection.increment_flow_control_window(by, stream)
        self.flush()

    def turns(self, count: int) -> None:
        """Let the reactor have some turns; what was sent is read."""
        for _ in range(count):
            for call in self._due():
                if call.active():
                    self._clock.calls.remove(call)
                    call.called = 1
                    call.func(*call.args, **call.kw)
            self.read()

    def _due(self) -> list[Any]:
        """What is to be done in this turn; `Clock.advance` would do, without end, what that puts into the next."""
        return [call for call in self._clock.getDelayedCalls() if call.getTime() <= self._clock.seconds()]

    def read(self) -> None:
        """Take what was sent; windows are not opened."""
        data = self.transport.value()
        self.transport.clear()
        for event in self.connection.receive_data(data):
            if isinstance(event, h2_events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            elif isinstance(event, h2_events.TrailersReceived):
                self.trailers[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, h2_events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2_events.StreamReset):
                self.reset.add(event.stream_id)
            elif isinstance(event, h2_events.ConnectionTerminated):
                self.is_told_to_go = True
        self.flush()

    @property
    def is_server_busy(self) -> bool:
        """Whether the server does something in every turn of the reactor."""
        self.turns(20)
        return bool(self._due())


class HTTP2TestCase(SynchronousTestCase):
    limit = HELD_TEXT_BYTES

    def setUp(self) -> None:
        self.composition = WebComposition(
            self,
            command(output_limit_bytes=self.limit),
            limits=Limits(idle_seconds=60.0),
        )

    def ends(self, output: bytes, status: int = 0) -> None:
        """Let the command that runs say something and end."""
        self.composition.process.says(output)
        self.composition.process.ends(status)


class WindowTests(HTTP2TestCase):
    def test_nobody_spins_for_a_stream_without_a_window(self) -> None:
        """A client that opens no window leaves the reactor idle, however many streams it has."""
        for window in (0, 1, 65_535):
            client = HTTP2Client(self.composition, window)
            streams = [client.ask() for _ in range(3)]
            self.ends(BIG)
            self.assertFalse(client.is_server_busy, window)
            self.assertEqual(client.ended, set())
            self.assertTrue(all(len(client.bodies.get(each, b"")) <= window for each in streams))

    def test_who_opens_a_window_goes_on(self) -> None:
        """A window of the stream, of the connection, or of all streams to come and there: each wakes the sending up."""
        client = HTTP2Client(self.composition, 0)
        stream = client.ask()
        self.ends(BIG)
        client.turns(3)

        client.open_window(1000, stream)
        client.turns(5)
        self.assertEqual(len(client.bodies[stream]), 1000)

        client.connection.update_settings({WINDOW: 5000})
        client.flush()
        client.turns(5)
        self.assertEqual(len(client.bodies[stream]), 6000)

        client.open_window(300_000, stream)
        client.turns(20)
        self.assertEqual(len(client.bodies[stream]), 65_535, "as much as the connection's own window")
        self.assertFalse(client.is_server_busy)

        client.open_window(300_000)
        client.turns(20)
        self.assertTrue(client.bodies[stream] == BIG)
        self.assertEqual(client.ended, {stream})
        self.assertFalse(client.is_server_busy)

    def test_a_smaller_window(self) -> None:
        """A window that has become less than nothing (RFC 9113, section 6.9.2) is waited for, too."""
        client = HTTP2Client(self.composition)
        stream = client.ask()
        self.ends(BIG)
        client.turns(2)
        client.connection.update_settings({WINDOW: 10})
        client.flush()
        self.assertFalse(client.is_server_busy)

        client.connection.update_settings({WINDOW: 300_000})
        client.open_window(300_000)
        client.turns(30)
        self.assertTrue(client.bodies[stream] == BIG)

    def test_the_end_needs_no_window(self) -> None:
        """An answer without a body, or whose body is out, ends with an empty window."""
        client = HTTP2Client(self.composition, 0)
        empty = client.ask()
        self.ends(b"")
        exact = client.ask()
        client.open_window(4, exact)
        self.ends(b"fits")
        client.turns(5)

        self.assertEqual(client.ended, {empty, exact})
        self.assertEqual(client.bodies[exact], b"fits")

    def test_one_shut_window_holds_nobody_up(self) -> None:
        """Streams whose windows are open are answered beside one that waits."""
        client = HTTP2Client(self.composition, 0)
        client.ask()
        self.ends(BIG)
        other = client.ask()
        client.open_window(10_000, other)
        self.ends(b"y" * 10_000)
        client.turns(5)

        self.assertEqual(client.ended, {other})

    def test_streams_that_end_meanwhile(self) -> None:
        """A stream that is reset while it waits is forgotten; what is said of it in the same breath does no harm."""
        client = HTTP2Client(self.composition, 0)
        gone, stays = client.ask(), client.ask()
        self.ends(BIG)
        client.turns(2)
        client.connection.increment_flow_control_window(100_000, gone)
        client.connection.increment_flow_control_window(100_000)
        client.connection.reset_stream(gone)
        third = client.ask("/-/healthy")
        client.open_window(300_000, stays)
        client.open_window(300_000)
        client.open_window(10, third)
        client.turns(30)

        self.assertEqual(client.ended, {stays, third})
        self.assertFalse(client.is_server_busy)
        self.assertEqual(set(client.channel.streams), set())

    def test_a_run_whose_stream_ends_meanwhile(self) -> None:
        """The same of a stream whose run is paused: it is not resumed, but ended."""
        client = HTTP2Client(self.composition, 10)
        gone = client.ask(accept="text/event-stream")
        self.composition.process.says(BIG)
        self.assertTrue(self.composition.process.is_paused)
        client.connection.increment_flow_control_window(100_000)
        client.connection.reset_stream(gone)
        client.ask("/-/healthy")
        client.turns(3)
        self.composition.clock.advance(30)

        self.assertFalse(self.composition.process.is_alive)
        self.assertTrue(client.transport.is_open)

    def test_streams_that_end_as_they_begin(self) -> None:
        """Requests that are reset in the same breath, and more behind them, are no mistake of ours."""
        client = HTTP2Client(self.composition)
        for _ in range(50):
            stream = client.connection.get_next_available_stream_id()
            fields = {":method": "GET", ":path": "/-/healthy", **HEADERS}
            client.connection.send_headers(stream, list(fields.items()), end_stream=True)
            client.connection.reset_stream(stream)
        last = client.ask("/-/healthy")
        client.turns(3)

        self.assertEqual(client.ended, {last})
        self.assertEqual(self.flushLoggedErrors(), [])
        fields[":path"] = "/uptime"
        stream = client.connection.get_next_available_stream_id()
        client.connection.send_headers(stream, list(fields.items()), end_stream=True)
        client.connection.reset_stream(stream)
        client.flush()
        self.assertEqual(self.composition.spawner.processes, [], "nobody waits for it")

    def test_who_is_gone_leaves_nothing(self) -> None:
        """A connection that is lost while streams wait leaves no call behind."""
        client = HTTP2Client(self.composition, 0)
        client.ask()
        self.ends(BIG)
        client.turns(2)
        client.transport.gone()

        self.assertFalse(client.is_server_busy)


class WaitingTests(HTTP2TestCase):
    def waiting(self, client: HTTP2Client, stream: int) -> int:
        """How much of a stream's output waits."""
        return sum(map(len, client.channel._outboundStreamQueues[stream]))

    def test_a_run_is_paused_behind_its_queue(self) -> None:
        """However wide a window is, not more than a bounded part of the output waits in memory; then it goes on."""
        client = HTTP2Client(self.composition, 1 << 30)
        client.open_window(1 << 30)
        stream = client.ask(accept="text/event-stream")
        said = 0
        while not self.composition.process.is_paused:
            self.composition.process.says(b"x" * 32_768)
            said += 32_768
            self.assertLess(said, 10 * 65_536)
        self.assertLess(self.waiting(client, stream), 3 * 65_536)

        client.turns(20)

        self.assertFalse(self.composition.process.is_paused)
        self.assertGreaterEqual(len(client.bodies[stream]), said)

    def test_many_small_pieces(self) -> None:
        """What waits is bounded in pieces, too: to count them costs time."""
        client = HTTP2Client(self.composition, 1 << 30)
        stream = client.ask(accept="text/event-stream")
        for _ in range(1000):
            if not self.composition.process.is_paused:
                self.composition.process.says(b"x")

        self.assertTrue(self.composition.process.is_paused)
        self.assertLess(len(client.channel._outboundStreamQueues[stream]), 70)

    def test_who_does_not_read_pauses_all_runs(self) -> None:
        """A transport that is full pauses runs whose windows are open, and resumes them."""
        client = HTTP2Client(self.composition, 1 << 30)
        client.open_window(1 << 30)
        client.ask(accept="text/event-stream")
        client.turns(3)
        client.channel.pauseProducing()
        self.composition.process.says(b"x")
        self.assertTrue(self.composition.process.is_paused)

        client.channel.resumeProducing()

        self.assertFalse(self.composition.process.is_paused)

    def test_settings_resume_a_run(self) -> None:
        """A run that was paused with nothing left to send goes on when SETTINGS make its window wider."""
        client = HTTP2Client(self.composition, 1000)
        stream = client.ask(accept="text/event-stream")
        self.composition.process.says(b"x" * 2000)
        client.turns(3)
        client.open_window(self.waiting(client, stream), stream)
        client.turns(5)
        self.assertEqual((self.waiting(client, stream), self.composition.process.is_paused), (0, True))
        client.ask("/-/healthy")
        client.turns(3)
        client.connection.update_settings({WINDOW: 50_000})
        client.flush()

        self.assertFalse(self.composition.process.is_paused)

    def test_frames_are_cut_without_copies(self) -> None:
        """The rest of an answer is not copied for each frame."""
        client = HTTP2Client(self.composition, 100_000)
        stream = client.ask()
        self.ends(BIG)
        client.turns(3)
        rest = client.channel._outboundStreamQueues[stream][0]

        self.assertEqual(len(rest.obj), len(BIG))
        self.assertLess(len(rest), len(BIG))

    def test_priorities_are_not_kept(self) -> None:
        """PRIORITY frames, for streams that there are not, cost nothing and harm nobody."""
        client = HTTP2Client(self.composition)
        for number in range(1, 4001, 2):
            client.connection.prioritize(number, weight=7, depends_on=number + 2)
            client.flush()
        stream = client.ask("/-/healthy")
        client.turns(3)

        self.assertIn(stream, client.ended)


class EndTests(HTTP2TestCase):
    limit = 100 * HELD_TEXT_BYTES

    def test_why_comes_before_the_reset(self) -> None:
        """An answer that breaks off says why first, at whatever pace its client reads."""
        client = HTTP2Client(self.composition, 1 << 30)
        client.open_window(1 << 30)
        stream = client.ask()
        self.composition.process.says(b"x" * (HELD_TEXT_BYTES + 1))
        self.composition.process.says(b"", b"why\n")
        self.composition.process.ends(3)
        client.turns(200)

        self.assertTrue(client.bodies[stream].endswith(b"why\ncmdserver: uptime: exit status 3\n"))
        self.assertEqual((client.ended, client.reset), (set(), {stream}))
        self.assertEqual(set(client.channel.streams), set())

    def test_at_the_end_answers_are_sent_whole(self) -> None:
        """A daemon that ends has every answer out before it takes its leave."""
        client = HTTP2Client(self.composition, 1 << 30)
        client.open_window(1 << 30)
        stream = client.ask()
        client.transport.protocol.close_when_idle()
        self.ends(BIG)
        client.turns(30)

        self.assertTrue(client.bodies[stream] == BIG)
        self.assertEqual((client.ended, client.is_told_to_go), ({stream}, True))
        self.assertFalse(client.transport.is_open)

    def test_trailers(self) -> None:
        """What is told behind a body comes with the end of its stream, even if its window is shut."""
        client = HTTP2Client(self.composition)
        stream, other = client.ask("/uptime?follow", te="trailers"), client.ask("/-/healthy")
        client.turns(3)
        self.composition.process.says(b"one\n")
        self.composition.process.ends(3)
        client.turns(5)

        self.assertEqual(client.bodies[stream], b"one\ncmdserver: uptime: exit status 3\n")
        self.assertEqual(client.trailers, {stream: {"cmdserver-exit-status": "3"}})
        self.assertEqual(client.ended, {stream, other})
        self.assertEqual(client.channel.conn.trailers, {})
