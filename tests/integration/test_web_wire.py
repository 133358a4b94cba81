"""The web listener on the wire: what is no request, what is half of one, and what tries to be two."""

import time
from collections.abc import Iterator

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.http_client import HOST, HTTPClient
from tests.waiting import wait_until, wait_until_steady

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

WEB = Listener(protocol="web", login="never")
#: That of `impatient`, which runs while `daemon` does.
HURRIED_WEB = Listener(protocol="web", login="never")
LOGIN_SECONDS, IDLE_SECONDS = 0.5, 0.7

_POST, _GET = b"POST /up HTTP/1.1\r\n" + HOST, b"GET /up HTTP/1.1\r\n" + HOST
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_NO_CHUNKS = b"\r\n0\r\n\r\n"

#: Requests that two parsers could understand differently, and others that are none.
NO_REQUESTS = {
    "a length and chunks": _POST + b"Content-Length: 4\r\n" + _CHUNKED + _NO_CHUNKS,
    "chunks and a length": _POST + _CHUNKED + b"Content-Length: 4\r\n" + _NO_CHUNKS,
    "two lengths": _POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "a signed length": _POST + b"Content-Length: +4\r\n\r\nabcd",
    "a length in words": _POST + b"Content-Length: four\r\n\r\nabcd",
    "a length twice in one": _POST + b"Content-Length: 4, 4\r\n\r\nabcd",
    "another encoding": _POST + b"Transfer-Encoding: xchunked\r\n" + _NO_CHUNKS,
    "two encodings": _POST + b"Transfer-Encoding: chunked, identity\r\n" + _NO_CHUNKS,
    "a chunk size that is none": _POST + _CHUNKED + b"\r\n0x1\r\na\r\n0\r\n\r\n",
    "a folded header": _GET + b"A: b\r\n c\r\n\r\n",
    "a folded encoding": _POST + b"Transfer-Encoding:\r\n chunked\r\n" + _NO_CHUNKS,
    "a space before the colon": _GET + b"Content-Length : 4\r\n\r\n",
    "a header without a colon": _GET + b"nothing\r\n\r\n",
    "a NUL": _GET + b"A: \0\r\n\r\n",
    "a version that is none": b"GET /up HTTP/1.2\r\n" + HOST + b"\r\n",
    "no version": b"GET /up\r\n" + HOST + b"\r\n",
    "no host": b"GET /up HTTP/1.1\r\n\r\n",
    "two hosts": _GET + HOST + b"\r\n",
    "a host that is none": b"GET /up HTTP/1.1\r\nHost: local host\r\n\r\n",
    "a huge line": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a huge header": _GET + b"A: " + b"x" * 20_000 + b"\r\n\r\n",
    "many headers": _GET + b"A: b\r\n" * 200 + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 20 + b"\r\n",
}


def flood(client: HTTPClient, data: bytes, most: int) -> None:
    """Send the same over and over again; fail if so much of it is taken."""
    sent = 0
    while sent < most:
        client.send(data)
        sent += len(data)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a web listener."""
    directory = tmp_path_factory.mktemp("wire")
    commands = {
        "up": {"run": ["echo", "up"], "read_only": True},
        "write": shell(f"echo written >> {directory}/written; echo written"),
        "slow": shell(f"echo began >> {directory}/slow; sleep 20", read_only=True, share=False),
        "much": {
            "run": ["head", "-c", "200000000", "/dev/zero"],
            "read_only": True,
            "output_limit_bytes": 400_000_000,
        },
    }
    with running(directory, commands, listeners=[WEB], limits={"request_bytes": 1000}) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a web listener and little patience."""
    commands = {"up": {"run": ["echo", "up"], "read_only": True}}
    limits = {"login_seconds": LOGIN_SECONDS, "idle_seconds": IDLE_SECONDS}
    with running(tmp_path_factory.mktemp("impatient"), commands, listeners=[HURRIED_WEB], limits=limits) as daemon:
        yield daemon


def call(listener: Listener = WEB) -> HTTPClient:
    """Connect to a web listener."""
    return HTTPClient(listener.address)


@pytest.mark.parametrize("what", NO_REQUESTS)
def test_what_is_no_request(daemon: Daemon, what: str) -> None:
    """It is answered 400, once, and nothing that follows it on the connection is understood."""
    with call() as client:
        follows = b"POST /write HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        client.send(NO_REQUESTS[what] + follows)
        response = client.read_response()
        rest = client.read_all()

    assert response.status == 400
    assert response["x-content-type-options"] == "nosniff"
    assert b"malformed" in response.body
    # What was refused as a request, not as bytes, leaves the next one whole: those that name no host of ours.
    assert not rest or "host" in what
    last = wait_until(lambda: [each for each in daemon.audit() if each["protocol"] == "web"], "a line")[-1]
    assert "host" in what or (last["outcome"], last["command"]) == ("malformed", None)


def test_another_host() -> None:
    """A name that is not ours is misdirected, in a header or in the target."""
    with call() as client:
        assert client.ask("/up", host="evil.example").status == 421
        assert client.ask("http://evil.example/up").status == 421
        assert client.ask("http://localhost/up").body == b"up\n"
        assert client.ask("/up", host="127.0.0.1:1").body == b"up\n"


@pytest.mark.usefixtures("impatient")
def test_bare_line_feeds_end_nothing() -> None:
    """A header in lines of another kind is not complete, and runs into its time limit."""
    with call(HURRIED_WEB) as client:
        client.send(b"GET /up HTTP/1.1\nHost: localhost\n\n")
        response = client.read_response()

    assert response.status == 408


def test_methods() -> None:
    """Methods that an address does not have are 405 with those that it has, whether or not there are such methods."""
    with call() as client:
        for method in ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "BREW", "get"):
            response = client.ask("/up", method)
            assert (response.status, response["allow"]) == (405, "GET, HEAD, POST")
            assert b"x-secret" not in response.body
        assert client.ask("/-/healthy", "POST").status == 405
        assert client.ask("/write").status == 405
        head = client.ask("/up", "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert client.ask("/up").body == b"up\n"


def test_keep_alive_and_pipelining() -> None:
    """Requests that are sent ahead are answered in order, on the one connection, however they are cut."""
    requests = [f"GET /up HTTP/1.1\r\nHost: localhost\r\nX: {number}\r\n\r\n" for number in range(20)]
    requests[7] = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    data = "".join(requests).encode()
    with call() as client:
        for start in range(0, len(data), 37):
            client.send(data[start : start + 37])
        statuses = [client.read_response().status for _ in requests]

    assert statuses == [200] * 7 + [404] + [200] * 12


def test_http_1_0() -> None:
    """An old client is answered without chunks, and the end of the connection is the end of the answer."""
    with call() as client:
        client.send(b"GET /up HTTP/1.0\r\n\r\n")
        answer = client.read_all()

    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.endswith(b"\r\n\r\nup\n")


def test_a_body_has_a_limit() -> None:
    """A body that says, or shows, that it is too long is refused before it has come."""
    with call() as client:
        client.send(b"POST /up HTTP/1.1\r\n" + HOST + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_response().status == 413
        assert client.read_all() == b""
    with call() as client:
        client.send(b"POST /up HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        client.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx\r\n")
        assert client.read_response().status == 413
    with call() as client:
        client.send(b"POST /up HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_response().status == 100
        assert client.read_response().status == 200


def test_a_flood_of_body_is_not_read(daemon: Daemon) -> None:
    """A client that goes on sending after it was refused is cut off, and costs no memory."""
    before = daemon.rss_bytes()
    with call() as client:
        client.send(b"POST /up HTTP/1.1\r\n" + HOST + b"Content-Length: 600000000\r\n\r\n")
        with pytest.raises((ConnectionError, TimeoutError)):
            flood(client, b"x" * 65536, 1 << 30)

    assert daemon.rss_bytes() - before < 10 << 20


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("what", ["header", "body"])
def test_slow_requests_are_cut_off(what: str) -> None:
    """A byte now and then does not keep a request alive, and others are served meanwhile."""
    with call(HURRIED_WEB) as slow:
        slow.send(b"POST /up HTTP/1.1\r\n" + HOST + (b"Content-Length: 60000\r\n\r\n" if what == "body" else b""))
        slow.socket.settimeout(LOGIN_SECONDS / 5)
        with call(HURRIED_WEB) as other:
            assert other.ask("/up").body == b"up\n"
        assert wait_until(lambda: _drip(slow), "an answer").startswith(b"HTTP/1.1 408 ")


def _drip(client: HTTPClient) -> bytes:
    """Send a byte, and return what is there a moment later."""
    client.send(b"a")
    try:
        return client.socket.recv(4096)
    except TimeoutError:
        return b""


@pytest.mark.usefixtures("impatient")
def test_slow_requests_are_cut_off_later_too() -> None:
    """Having asked before is no licence: each request must be complete in time, and silence ends the connection."""
    with call(HURRIED_WEB) as client:
        assert client.ask("/up").status == 200
        client.send(b"GET /up HTTP/1.1\r\n")
        assert client.read_response().status == 408
    with call(HURRIED_WEB) as client:
        begun = time.monotonic()
        assert client.ask("/up").status == 200
        assert client.read_all() == b""
        assert time.monotonic() - begun >= IDLE_SECONDS


def test_who_does_not_read_is_not_answered_without_end(daemon: Daemon) -> None:
    """Requests sent ahead by a client that reads nothing wait, whatever they cost."""
    before = daemon.rss_bytes()
    with HTTPClient(WEB.address, receive_buffer=4096) as client:
        client.socket.settimeout(0.5)
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n"
        with pytest.raises((ConnectionError, TimeoutError)):
            flood(client, request * 100, 1 << 29)

    assert daemon.rss_bytes() - before < 20 << 20


def test_who_is_gone_has_its_run_ended(daemon: Daemon) -> None:
    """A client that closes, or resets, while its command runs ends it; also one that had sent too much ahead."""
    marks = daemon.directory / "slow"
    for number, ahead in enumerate((b"", b"", b"GET /up HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 60_000)):
        client = call()
        client.request("/slow")
        client.send(ahead)
        wait_until(lambda: marks.exists() and marks.read_text().count("\n") == number + 1, "it runs")  # noqa: B023
        if number == 1:
            client.reset()
        else:
            client.close()
        wait_until(lambda: not daemon.processes(), "nothing runs")


def test_much_output_is_at_its_readers_pace(daemon: Daemon) -> None:
    """Two hundred megabytes cost no memory, and arrive whole."""
    with call() as client:
        client.request("/much")
        status, headers = client.read_head()
        wait_until_steady(daemon.cpu_ticks, "rest, as nothing is read")
        assert daemon.rss_bytes() < 150 << 20
        assert (status, dict(headers)["transfer-encoding"]) == (200, "chunked")
        length = 0
        while chunk := client.read_chunk():
            length += len(chunk)

    assert chunk == b""
    assert length == 200_000_000
