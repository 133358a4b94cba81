"""Clients: a raw socket that does what no ordinary client would, and the netcats that people have."""

import shutil
import socket
import ssl
import struct
import subprocess
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pytest

from tests.waiting import LIMIT_SECONDS

#: A host and a port, or the path of a UNIX socket.
Address = tuple[str, int] | str

GREETING = b"What can I do for you?\n"


class Client:
    """A raw connection.

    Args:
        address: Where to.
        source: The address to call from; any of 127.0.0.0/8 is ours.
        receive_buffer: Bytes that the kernel keeps for us, for clients that do not read.
        tls: To speak TLS with; a server that ends without a close_notify is an error.
    """

    def __init__(
        self,
        address: Address,
        *,
        source: str | None = None,
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(LIMIT_SECONDS)
            if receive_buffer is not None:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source is not None:
                self.socket.bind((source, 0))
            self.socket.connect(address)
            if family != socket.AF_UNIX:
                # Or a second small packet waits until the first has been acknowledged, which takes a while.
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, suppress_ragged_eofs=False)
        except BaseException:
            self.socket.close()
            raise
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def read_until(self, end: bytes) -> bytes:
        """Read up to and with ``end``, or to the end of the connection if that comes first."""
        while end not in self._read:
            data = self.socket.recv(65536)
            if not data:
                result, self._read = self._read, b""
                return result
            self._read += data
        length = self._read.index(end) + len(end)
        result, self._read = self._read[:length], self._read[length:]
        return result

    def read_exactly(self, length: int) -> bytes:
        """Read so many bytes, or to the end of the connection if that comes first."""
        while len(self._read) < length and (data := self.socket.recv(65536)):
            self._read += data
        result, self._read = self._read[:length], self._read[length:]
        return result

    def read_line(self) -> bytes:
        """Read one line."""
        return self.read_until(b"\n")

    def read_greeting(self) -> None:
        """Read what everybody gets first."""
        assert self.read_line() == GREETING

    def read_all(self) -> bytes:
        """Read until the daemon closes; a reset would be an error."""
        chunks = [self._read]
        self._read = b""
        while data := self.socket.recv(1 << 20):
            chunks.append(data)
        return b"".join(chunks)

    def half_close(self) -> None:
        """Say that nothing more will come, as ``nc -N`` does at the end of its input."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Be gone altogether: the daemon gets an RST, as from a host that was switched off and on again."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@dataclass(frozen=True)
class Netcat:
    """One of the programs called nc, with the options that it is used with."""

    words: tuple[str, ...]
    #: Whether it tells the daemon that its input is over.
    half_closes: bool

    def __str__(self) -> str:
        """Name it, for test names."""
        return " ".join(self.words)

    def talk(self, target: tuple[str, ...], text: bytes, options: tuple[str, ...] = ()) -> bytes:
        """Do what ``printf TEXT | nc TARGET`` does; the client must end by itself."""
        if shutil.which(self.words[0]) is None:
            pytest.skip(f"{self.words[0]} is not installed here")
        done = subprocess.run(
            [*self.words, *options, *target], input=text, capture_output=True, timeout=LIMIT_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


NETCATS = (
    Netcat(("nc.openbsd",), half_closes=False),
    Netcat(("nc.openbsd", "-N"), half_closes=True),
    Netcat(("nc.traditional",), half_closes=False),
    Netcat(("nc.traditional", "-q", "5"), half_closes=False),
    Netcat(("ncat",), half_closes=True),
    Netcat(("ncat", "--no-shutdown"), half_closes=False),
)
