"""Tests of the daemon's socket, as the agent asks it: what is an answer, and what is none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cmdserver.fleet.agent.daemon_socket import DaemonAnswer, DaemonAway, DaemonSocket
from cmdserver.fleet.bus_messages import BusRequest

REQUEST = BusRequest.read(
    {
        "Cmdserver-Method": "POST",
        "Cmdserver-Target": "/uptime",
        "Cmdserver-Audience": "prod;hosts=()",
        "Signature-Input": "i",
        "Signature": "s",
    },
    b"body",
)


class Daemon:
    """Answers all with the same bytes, and closes the connection unless it is to hold it."""

    def __init__(self, path: Path, answer: bytes, *, holds: bool = False) -> None:
        self.path = path / "s"
        self._answer = answer
        self._holds = holds
        self.asked = b""
        #: Once the agent has left.
        self.left = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = await reader.readexactly(len(REQUEST.http()))
        writer.write(self._answer)
        if self._holds:
            assert await reader.read() == b""
            self.left.set()
        writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[DaemonSocket]:
        """Serve."""
        async with await asyncio.start_unix_server(self._serve, self.path):
            yield DaemonSocket(self.path)


def asked(path: Path, answer: bytes) -> tuple[DaemonAnswer, bytes]:
    """Ask a daemon that answers so; return the head, and the body."""

    async def work() -> tuple[DaemonAnswer, bytes]:
        daemon = Daemon(path, answer)
        async with daemon.serving() as socket, socket.ask(REQUEST) as (head, reader):
            body = await reader.readexactly(head.size)
        assert daemon.asked == REQUEST.http()
        return head, body

    return asyncio.run(work())


def test_an_answer(tmp_path: Path) -> None:
    """Its status, its length, and the fields that a bus is told: by the bus' names, and in its order."""
    head, body = asked(
        tmp_path,
        b"HTTP/1.1 403 Forbidden\r\nServer: x\r\nSIGNATURE:s:1 \r\ncontent-type: application/json\r\n"
        b"Content-Length:4\r\nSignature-Input: i\r\nRetry-After: 3\r\nCmdserver-Host: web-1\r\n"
        b"Content-Digest: d\r\nSet-Cookie: c\r\n\r\nbody and more",
    )

    assert (head.status, head.size, body) == (403, 4, b"body")
    assert head.fields == (
        ("Cmdserver-Host", "web-1"),
        ("Content-Type", "application/json"),
        ("Content-Digest", "d"),
        ("Signature-Input", "i"),
        ("Signature", "s:1"),
        ("Retry-After", "3"),
    )


@pytest.mark.parametrize("first", [b"HTTP/1.0 200 OK", b"HTTP/1.1 599", b"HTTP/1.1 200 "])
def test_status_lines(tmp_path: Path, first: bytes) -> None:
    """With a reason or without; and nothing need be in the body."""
    head, body = asked(tmp_path, first + b"\r\nContent-Length: 0\r\n\r\n")

    assert (head, body) == (DaemonAnswer(int(first[9:12]), (), 0), b"")


LONG = b"X: " + b"x" * 65_536 + b"\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "the daemon's answer is not one whole"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
            "the daemon's answer is not one whole",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nbody", "the daemon's answer is not one whole"),
        *(
            (b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % length, "the daemon's answer is not one whole")
            for length in (b"", b"-1", b"+1", b"x", b"1, 1", b"1" * 13, b"\xb2")
        ),
        *(
            (first + b"\r\nContent-Length: 0\r\n\r\n", "the daemon's answer is not one whole")
            for first in (
                b"HTTP/2 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 600 x", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000",
                b"200 OK", b"", b"xHTTP/1.1 200 OK", b"HTTP/1.1 200 OK\n",
            )
        ),
        (b"", "the daemon has not answered: 0 bytes read"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "the daemon has not answered: 36 bytes read"),
        (b"HTTP/1.1 200 OK\r\n" + LONG + b"\r\n", "the daemon has not answered: Separator is"),
        (b"HTTP/1.1 200 OK\r\n" + LONG, "the daemon has not answered: Separator is"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", "the daemon has not answered: 4 bytes read"),
    ],
)  # fmt: skip
def test_what_is_no_answer(tmp_path: Path, answer: bytes, why: str) -> None:
    """In pieces, without a length, cut, endless, or no HTTP."""
    with pytest.raises(DaemonAway, match=f"^{why}"):
        asked(tmp_path, answer)


def test_nobody_there(tmp_path: Path) -> None:
    """No socket, one that nobody listens at, or none that there can be: each is said."""
    (tmp_path / "file").touch()
    for path, why in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path / "file", "Connection refused"),
        (tmp_path / ("x" * 200), "AF_UNIX path too long"),
    ):

        async def work(path: Path = path) -> None:
            async with DaemonSocket(path).ask(REQUEST):
                pass

        with pytest.raises(DaemonAway, match=f"^the daemon cannot be asked at {path}: {why}$"):
            asyncio.run(work())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
def test_leaving_early(tmp_path: Path, answer: bytes) -> None:
    """Whoever gives up, before the head or before the body, has the daemon see that."""

    async def work() -> None:
        daemon = Daemon(tmp_path, answer, holds=True)
        reached = asyncio.Event()

        async def ask(socket: DaemonSocket) -> None:
            async with socket.ask(REQUEST) as (_, reader):
                reached.set()
                await reader.readexactly(9)

        async with daemon.serving() as socket:
            task = asyncio.create_task(ask(socket))
            if answer:
                await reached.wait()
            else:
                while not daemon.asked:  # noqa: ASYNC110 - it comes at once
                    await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()
            await daemon.left.wait()

    asyncio.run(work())
