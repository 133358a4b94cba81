"""HTTP/2 with a client that does what no browser would: many requests at once, half of one, windows that stay shut."""

import signal
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest
from h2 import connection as h2_connection
from h2 import events as h2_events

from tests.integration.client import Client
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import believing
from tests.waiting import wait_until_steady

pytestmark = pytest.mark.slow

WEB = Listener(protocol="web", login="never", tls=True)
#: That of `impatient`, which runs while `daemon` does.
HURRIED_WEB = Listener(protocol="web", login="never", tls=True)
BIG = 1_000_000
_BIG = shell(f"head -c {BIG} /dev/zero | tr '\\0' x", read_only=True)
#: As many as a page may follow, and more than a browser has connections over HTTP/1.1.
STREAMS = 8
#: What a connection may send at first (RFC 9113, section 6.9.2).
SHUT = 65_535


class HTTP2Client:
    """One connection, with a window that its test opens or not."""

    def __init__(self, listener: Listener = WEB) -> None:
        context = believing()
        context.set_alpn_protocols(["h2"])
        self.client = Client(listener.address, tls=context)
        self.connection = h2_connection.H2Connection()
        self.connection.initiate_connection()
        self.bodies: dict[int, bytes] = {}
        self.statuses: dict[int, int] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()
        #: Whether the server has said that it will go.
        self.is_told = False
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def flush(self) -> None:
        """Send what there is to send."""
        self.client.send(self.connection.data_to_send())

    def ask(self, path: str, method: str = "GET", *, is_whole: bool = True, **headers: str) -> int:
        """Begin a request; return its stream."""
        stream: int = self.connection.get_next_available_stream_id()
        names = {":method": method, ":path": path, ":scheme": "https", ":authority": "localhost", **headers}
        self.connection.send_headers(stream, list(names.items()), end_stream=is_whole)
        self.flush()
        return stream

    def read(self, *, opens_windows: bool = True) -> bool:
        """Take what has come; return whether the connection goes on."""
        try:
            data = self.client.socket.recv(65536)
        except (ssl.SSLEOFError, ConnectionError):  # cut off
            return False
        if not data:
            return False
        for event in self.connection.receive_data(data):
            if isinstance(event, h2_events.ResponseReceived):
                self.statuses[event.stream_id] = int(dict(event.headers)[b":status"])
            elif isinstance(event, h2_events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                if opens_windows:
                    self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2_events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2_events.StreamReset):
                self.reset.add(event.stream_id)
            elif isinstance(event, h2_events.ConnectionTerminated):
                self.is_told = True
                return False
        self.flush()
        return True

    def read_all(self, streams: set[int]) -> None:
        """Read until these are answered."""
        while not streams <= self.ended:
            assert self.read()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that speaks HTTP/2."""
    directory = tmp_path_factory.mktemp("http2")
    commands = {
        "up": {"run": ["echo", "up"], "read_only": True},
        "wait": shell(f"echo on; until [ -e {directory}/go ]; do sleep 0.1; done", read_only=True, share=False),
        "big": _BIG,
        "late": {
            **shell(f"head -c {2 * BIG} /dev/zero | tr '\\0' x; echo why >&2; exit 3", read_only=True),
            "output_limit_bytes": 10 * BIG,
        },
    }
    with running(directory, commands, listeners=[WEB], limits={"running": 2 * STREAMS}) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that speaks HTTP/2, and has little patience."""
    commands = {"up": {"run": ["echo", "up"], "read_only": True}, "big": _BIG}
    limits = {"login_seconds": 0.5, "idle_seconds": 0.7}
    with running(tmp_path_factory.mktemp("impatient"), commands, listeners=[HURRIED_WEB], limits=limits) as daemon:
        yield daemon


@pytest.mark.usefixtures("daemon")
def test_many_at_once() -> None:
    """Requests beside each other are answered, whole, on one connection."""
    with HTTP2Client() as client:
        client.read()
        streams = {client.ask("/up" if number % 2 else "/big") for number in range(30)}
        client.read_all(streams)

    assert set(client.statuses.values()) == {200}
    assert sorted(set(map(len, client.bodies.values()))) == [3, BIG]


def test_event_streams_hold_nobody_up(daemon: Daemon) -> None:
    """However many a browser has open on its one connection, the next request is answered while they go on."""
    (daemon.directory / "go").unlink(missing_ok=True)
    with HTTP2Client() as client:
        streams = {client.ask("/wait", accept="text/event-stream") for _ in range(STREAMS)}
        while not all(b'"on\\n"' in client.bodies.get(each, b"") for each in streams):
            assert client.read()
        another = client.ask("/up")
        client.read_all({another})
        assert (client.bodies[another], client.ended) == (b"up\n", {another})

        (daemon.directory / "go").touch()
        client.read_all(streams)
    assert all(b"event: outcome" in client.bodies[each] for each in streams)


def test_event_streams_over_http_1_1(daemon: Daemon) -> None:
    """There each has a connection of its own: what comes behind it there waits, and on another one it does not."""
    (daemon.directory / "go").unlink(missing_ok=True)
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(WEB.address, tls=believing())) for _ in range(STREAMS + 1)]
        ask = "GET /{} HTTP/1.1\r\nHost: localhost\r\nAccept: {}\r\n\r\n"
        for client in clients[:-1]:
            client.send((ask.format("wait", "text/event-stream") + ask.format("up", "*/*")).encode())
            client.read_until(b'"on\\n"')
        clients[-1].send(ask.format("up", "*/*").encode())
        clients[-1].read_until(b"\r\n\r\nup\n")

        (daemon.directory / "go").touch()
        for client in clients[:-1]:
            assert b"up\n" not in client.read_until(b"event: outcome")
            client.read_until(b"\r\n\r\nup\n")


@pytest.mark.usefixtures("impatient")
def test_half_a_request() -> None:
    """A body that does not come to its end ends the connection in time."""
    with HTTP2Client(HURRIED_WEB) as client:
        client.read_all({client.ask("/up")})
        client.ask("/up", "POST", is_whole=False)
        while client.read():  # until it is cut off
            pass


def test_who_opens_no_window(impatient: Daemon) -> None:
    """Answers that are not taken are kept, for a bounded number of requests and time."""
    before = impatient.rss_bytes()
    with HTTP2Client(HURRIED_WEB) as client:
        client.read()
        for _ in range(32):
            client.ask("/big")
        while client.read(opens_windows=False):  # until it is cut off
            assert impatient.rss_bytes() - before < 60 << 20

    assert set(client.bodies) != set()
    assert client.ended == set()


def test_nobody_spins_for_who_opens_no_window(daemon: Daemon) -> None:
    """While nothing may be sent, the daemon rests; when it may, it goes on."""
    with HTTP2Client() as client:
        client.read()
        streams = {client.ask("/big") for _ in range(3)}
        while sum(map(len, client.bodies.values())) < SHUT:
            client.read(opens_windows=False)
        wait_until_steady(daemon.cpu_ticks, "rest, as nothing may be sent")
        for stream in (None, *streams):
            client.connection.increment_flow_control_window(4 * BIG, stream)
        client.flush()
        client.read_all(streams)

    assert set(map(len, client.bodies.values())) == {BIG}


@pytest.mark.usefixtures("daemon")
def test_an_answer_that_breaks_off_says_why() -> None:
    """What went wrong is sent before the stream is reset."""
    with HTTP2Client() as client:
        client.read()
        stream = client.ask("/late")
        while stream not in client.reset:
            assert client.read()

    assert client.bodies[stream].endswith(b"why\ncmdserver: late: exit status 3\n")
    assert len(client.bodies[stream]) > 2 * BIG


def test_the_end(tmp_path: Path) -> None:
    """A daemon that ends does not wait for connections on which nothing is asked."""
    listener = Listener(protocol="web", login="never", tls=True)
    commands = {"up": {"run": ["echo", "up"], "read_only": True}}
    # Longer than any test waits: what is not told to go would be there for as long.
    limits = {"drain_seconds": 1000, "idle_seconds": 1000}
    with running(tmp_path, commands, listeners=[listener], limits=limits) as daemon, HTTP2Client(listener) as client:
        client.read_all({client.ask("/up")})
        daemon.signal(signal.SIGTERM)
        while client.read():
            pass
        client.client.close()
        daemon.wait()

    assert client.is_told
