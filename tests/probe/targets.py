"""Targets of a few lines, each in a thread of its own on a free port of loopback: what a real server would never do."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[[socket.socket], None]

_MUCH = 1 << 26  # octets; far more than a probe reads


@contextmanager
def serving(behave: Behaviour, kind: int = socket.SOCK_STREAM) -> Iterator[int]:
    """Serve all who connect, one after the other; give the port. Datagrams come to ``behave`` by the socket itself."""
    with socket.socket(socket.AF_INET, kind) as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, behave), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, behave: Behaviour) -> None:
    with suppress(OSError):
        if listener.type == socket.SOCK_DGRAM:
            behave(listener)
        while listener.type == socket.SOCK_STREAM:
            client, _ = listener.accept()
            with client, suppress(OSError):
                behave(client)


def saying(said: bytes) -> Behaviour:
    """Say something and no more, then listen until the other is gone."""

    def behave(client: socket.socket) -> None:
        client.sendall(said)
        closing(client)

    return behave


def closing(client: socket.socket) -> None:
    """Be gone at once, politely."""
    client.shutdown(socket.SHUT_WR)
    drain(client)


def resetting(client: socket.socket) -> None:
    """Be gone at once, as by a firewall."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def flooding(first: bytes, again: bytes) -> Behaviour:
    """Say something, and something else without end."""

    def behave(client: socket.socket) -> None:
        client.sendall(first)
        chunk = again * (65536 // len(again))
        for _ in range(_MUCH // len(chunk)):
            client.sendall(chunk)

    return behave


def answering(answer: bytes) -> Behaviour:
    """Answer a datagram."""

    def behave(server: socket.socket) -> None:
        while True:
            _, caller = server.recvfrom(65536)
            if caller is None:  # the socket was shut down
                return
            server.sendto(answer, caller)

    return behave


def dialogue(*turns: tuple[bytes, bytes]) -> Behaviour:
    """Say each answer to the line with its word, with IMAP's tag for TAG; an empty word at the beginning greets."""

    def behave(client: socket.socket) -> None:
        answers = list(turns)
        if answers and not answers[0][0]:
            client.sendall(answers.pop(0)[1])
        with client.makefile("rb") as lines:
            for line in lines:
                answer = next((answer for word, answer in answers if word in line.upper()), b"-ERR\r\n")
                client.sendall(answer.replace(b"TAG", line.split(b" ")[0]))

    return behave


def with_tls(context: ssl.SSLContext, behave: Behaviour) -> Behaviour:
    """Shake hands first."""

    def behave_with_tls(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as encrypted:
            behave(encrypted)

    return behave_with_tls


def drain(client: socket.socket) -> bytes:
    """Read until the other has ended."""
    heard = b""
    while data := client.recv(65536):
        heard += data
    return heard
