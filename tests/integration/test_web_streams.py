"""Event streams of real runs: live, resumed, ended with their readers, and a thousand of them."""

import json
import selectors
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.http_client import HTTPClient
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

WEB = Listener(protocol="web", login="never")
READERS, IDLERS = 1000, 50
#: What a reader may cost: what waits in its connection, which is asked to pause at 64 KiB, and one piece more.
READER_BYTES = 200_000
#: What the shared command says: half a megabyte, in pieces, over a second or so.
PIECES, PIECE_BYTES = 16, 32768
#: Says each number when it is allowed to.
_STEPS = "for i in 1 2 3; do until [ -e {directory}/$i ]; do sleep 0.02; done; echo $i; rm {directory}/$i; done; exit 4"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with commands that take their time, one at once."""
    directory = tmp_path_factory.mktemp("streams")
    say = f"head -c {PIECE_BYTES - 1} /dev/zero | tr '\\0' '~'; echo"
    commands = {
        "steps": shell(_STEPS.format(directory=directory), read_only=True, share=False),
        "wait": shell(f"until [ -e {directory}/go ]; do sleep 0.05; done", read_only=True),
        "shared": shell(
            f"echo x >> {directory}/shared; for i in $(seq {PIECES}); do {say}; sleep 0.05; done", read_only=True
        ),
    }
    limits = {"running": 1, "connections_per_source": 5000, "idle_seconds": 60}
    with running(directory, commands, listeners=[WEB], limits=limits) as daemon:
        yield daemon


class Stream(HTTPClient):
    """One event stream.

    Args:
        command: What to run.
        how: For `HTTPClient`.
    """

    def __init__(
        self, command: str, last_id: str | None = None, receive_buffer: int | None = None, listener: Listener = WEB
    ) -> None:
        super().__init__(listener.address, receive_buffer=receive_buffer)
        if last_id is None:
            self.request(f"/{command}", accept="text/event-stream")
        else:
            self.request(f"/{command}", accept="text/event-stream", last_event_id=last_id)
        self._events = b""
        self.last_id = ""

    def begin(self) -> None:
        """Read the head."""
        status, headers = self.read_head()
        assert (status, dict(headers)["content-type"]) == (200, "text/event-stream; charset=utf-8")

    def next(self) -> tuple[str, object] | None:
        """Read one event; None at the end."""
        while b"\n\n" not in self._events:
            chunk = self.read_chunk()
            if not chunk:
                return None
            self._events += chunk
        block, _, self._events = self._events.partition(b"\n\n")
        if block.startswith(b":"):
            return self.next()
        fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
        self.last_id = fields["id"]
        return fields["event"], json.loads(fields["data"])


def test_output_comes_while_the_command_runs(daemon: Daemon) -> None:
    """Each piece is told when it is said, then the outcome, and that is the end."""
    with Stream("steps") as stream:
        stream.begin()
        assert stream.next() == ("started", {"command": "steps", "arguments": []})
        for number in (1, 2, 3):
            (daemon.directory / f"{number}").touch()
            assert stream.next() == ("stdout", f"{number}\n")
        kind, outcome = stream.next() or ("", {})
        assert stream.next() is None

    assert kind == "outcome"
    assert isinstance(outcome, dict)
    assert (outcome["exit_status"], outcome["signal"], "stdout" in outcome) == (4, None, False)
    assert daemon.audit()[-1]["id"] == outcome["id"]


def test_a_reader_goes_on_where_it_was(daemon: Daemon) -> None:
    """A connection that breaks is no end: the next one tells what was missed, of the same run."""
    with Stream("steps") as stream:
        stream.begin()
        stream.next()
        (daemon.directory / "1").touch()
        assert stream.next() == ("stdout", "1\n")
        stream.reset()
    (daemon.directory / "2").touch()
    with Stream("steps", stream.last_id) as again:
        again.begin()
        (daemon.directory / "3").touch()
        rest = list(iter(again.next, None))

    assert "".join(str(event[1]) for event in rest[:-1]) == "2\n3\n"
    assert rest[-1][0] == "outcome"
    assert daemon.audit()[-1]["ended_by"] is None


def test_what_nobody_knows_any_more(daemon: Daemon) -> None:
    """An id that means nothing is answered 204, which tells a browser not to try again, and runs nothing."""
    before = len(daemon.audit())
    for last_id in ("0123456789abcdef.1", "nothing", "", "."):
        with HTTPClient(WEB.address) as client:
            assert client.ask("/steps", accept="text/event-stream", last_event_id=last_id).status == 204

    assert len(daemon.audit()) == before


def test_a_run_ends_when_nobody_comes_back(tmp_path: Path) -> None:
    """A reader who is gone has some time to come back; then its run is ended."""
    listener = Listener(protocol="web", login="never")
    commands = {"long": shell("echo began; sleep 1000", read_only=True, share=False)}
    constants = {"cmdserver.frontends.web.event_streams.RESUME_SECONDS": 0.1}
    with running(tmp_path, commands, listeners=[listener], constants=constants) as daemon:
        with Stream("long", listener=listener) as stream:
            stream.begin()
            stream.next()
            wait_until(daemon.processes, "it runs")
        wait_until(lambda: not daemon.processes(), "nothing runs")

        wait_until(lambda: [each["ended_by"] for each in daemon.audit()] == ["disconnect"], "it is written down")


def test_a_thousand_readers(daemon: Daemon) -> None:
    """One process tells a thousand, of whom fifty do not read: the others are served, and memory is bounded."""
    with ExitStack() as stack:
        waiting = stack.enter_context(HTTPClient(WEB.address))
        waiting.request("/wait")
        wait_until(daemon.processes, "the only place is taken")
        readers = [stack.enter_context(Stream("shared")) for _ in range(READERS - IDLERS)]
        for _ in range(IDLERS):
            stack.enter_context(Stream("shared", receive_buffer=4096))
        wait_until(lambda: _waiting() == (1, READERS + 2), "all wait for one run")
        before = daemon.rss_bytes()
        (daemon.directory / "go").touch()
        assert waiting.read_response().status == 200

        received, highest = _read_all(daemon, readers)

        assert received == {PIECES * (PIECE_BYTES - 1)}
        assert (daemon.directory / "shared").read_text() == "x\n"
        assert highest - before < READERS * READER_BYTES
        shared = [line for line in daemon.audit() if line["command"] == "shared"]
        assert len(shared) == READERS
        assert {line["shared"] for line in shared} == {True}


def _waiting() -> tuple[float, float]:
    """Ask how many runs wait, and how many are connected to the web listener, as Prometheus does."""
    with HTTPClient(WEB.address) as client:
        lines = client.ask("/metrics").body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return float(values["cmdserver_queued"]), float(values['cmdserver_connections{protocol="web"}'])


def _read_all(daemon: Daemon, readers: list[Stream]) -> tuple[set[int], int]:
    """Read all streams to their ends, whichever has something; say how much each had, and the daemon's memory."""
    counts = dict.fromkeys(readers, 0)
    ends: set[Stream] = set()
    highest = 0
    deadline = time.monotonic() + LIMIT_SECONDS
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader.socket, selectors.EVENT_READ, reader)
        while len(ends) < len(readers):
            assert time.monotonic() < deadline, f"{len(ends)} of {len(readers)} have ended"
            for key, _ in selector.select(1.0):
                data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
                counts[key.data] += data.count(b"~")
                if data.endswith(b"0\r\n\r\n"):
                    ends.add(key.data)
                    selector.unregister(key.fileobj)
            highest = max(highest, daemon.rss_bytes())
    return set(counts.values()), highest
