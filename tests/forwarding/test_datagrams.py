"""Tests of datagrams, over real sockets: nothing blocks, and what is refused is told."""

import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.forwarding.datagrams import DatagramChannel, open_udp, open_unix


class FakeReactor:
    """Remembers what is watched; the test calls it."""

    def __init__(self) -> None:
        self.readers: set[object] = set()
        self.writers: set[object] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard


class FakeOwner:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def ready(self) -> None:
        self.said.append("ready")

    def gone(self, reason: str, lost: int = 0) -> None:
        self.said.append((reason, lost))


class DatagramTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor, self.owner = FakeReactor(), FakeOwner()
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        self.path = str(Path(directory) / "log")

    def receiver(self, family: int = socket.AF_UNIX) -> socket.socket:
        """Open one."""
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(self.path if family == socket.AF_UNIX else ("127.0.0.1", 0))
        receiver.settimeout(10)
        return receiver

    def channel(self, opened: socket.socket, **how: Any) -> DatagramChannel:
        """Make a channel of a socket."""
        channel = DatagramChannel(self.reactor, opened, self.owner, **how)
        self.addCleanup(channel.abort)
        return channel

    def test_messages(self) -> None:
        """Each is one datagram."""
        receiver = self.receiver()
        channel = self.channel(open_unix(self.path))

        self.assertTrue(channel.send(b"one"))
        self.assertTrue(channel.send(b"two"))

        self.assertEqual([receiver.recv(99), receiver.recv(99)], [b"one", b"two"])

    def test_a_receiver_whose_queue_is_full(self) -> None:
        """Nobody waits: the channel says when there is room again."""
        receiver = self.receiver()
        channel = self.channel(open_unix(self.path))
        while channel.send(b"x" * 1000):
            pass
        self.assertEqual(self.reactor.writers, {channel})
        self.assertEqual(self.owner.said, [])

        receiver.recv(9999)
        channel.doWrite()

        self.assertEqual((self.owner.said, self.reactor.writers), (["ready"], set()))

    def test_a_receiver_that_has_gone(self) -> None:
        """A socket of this host says so at once, and the message was not taken."""
        receiver = self.receiver()
        channel = self.channel(open_unix(self.path))
        receiver.close()

        self.assertFalse(channel.send(b"x"))

        self.assertEqual(self.owner.said, [("Connection refused", 0)])

    def test_nobody_there(self) -> None:
        """No socket, nobody behind it, or one of another kind."""
        self.assertRaises(FileNotFoundError, open_unix, self.path)
        receiver = self.receiver()
        receiver.close()
        self.assertRaises(ConnectionRefusedError, open_unix, self.path)
        Path(self.path).unlink()
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(stream.close)
        stream.bind(self.path)
        with self.assertRaisesRegex(OSError, "of another kind than one of datagrams"):
            open_unix(self.path)

    def test_udp_that_nobody_receives(self) -> None:
        """The kernel tells of the datagram before: it is lost."""
        receiver = self.receiver(socket.AF_INET)
        address = receiver.getsockname()
        receiver.close()
        for hear in (
            lambda channel: channel.send(b"two"),
            lambda channel: channel.doRead(),
            lambda channel: channel.connectionLost(Failure(ConnectionLost())),
        ):
            self.owner.said.clear()
            channel = self.channel(open_udp(socket.AF_INET, address))
            self.assertTrue(channel.send(b"one"))
            hear(channel)
            self.assertEqual(self.owner.said, [("Connection refused", 1)])

    def test_udp(self) -> None:
        """It arrives, and an answer is dropped."""
        receiver = self.receiver(socket.AF_INET)
        channel = self.channel(open_udp(socket.AF_INET, receiver.getsockname()))
        channel.doRead()
        channel.send(b"one")
        data, address = receiver.recvfrom(99)
        receiver.sendto(b"answer", address)
        channel.doRead()

        self.assertEqual((data, self.owner.said), (b"one", []))

    def test_what_is_too_large(self) -> None:
        """It is cut visibly, or sent in another way."""
        receiver = self.receiver(socket.AF_INET)
        channel = self.channel(open_udp(socket.AF_INET, receiver.getsockname()))
        self.assertTrue(channel.send(b"x" * 70_000))
        self.assertTrue(receiver.recv(99_999).endswith(b"x [cut: 70000 bytes]"))

        large: list[bytes] = []
        channel = self.channel(
            open_udp(socket.AF_INET, receiver.getsockname()), send_large=lambda _, data: large.append(data)
        )
        self.assertTrue(channel.send(b"x" * 70_000))
        self.assertEqual(large, [b"x" * 70_000])

    def test_the_end(self) -> None:
        """Nothing is watched any more."""
        self.receiver()
        channel = self.channel(open_unix(self.path))
        self.assertEqual(self.reactor.readers, {channel})
        self.successResultOf(channel.close())
        self.assertEqual(self.reactor.readers, set())
