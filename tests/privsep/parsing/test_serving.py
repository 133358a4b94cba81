"""The parsing process itself, with children that do what the test wants: real processes."""

import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from unittest import TestCase
from unittest.mock import patch

import pytest

from cmdserver.checks.data import Json
from cmdserver.execution.posix import in_memory
from cmdserver.privsep.parsing import child
from cmdserver.privsep.parsing.messages import PACKET_BYTES, Answer, Cancel, Kind, Parse, decode_answer
from cmdserver.privsep.parsing.serving import Server

_RECEIVE_SECONDS = 30.0


def parse(parser: str, output: bytes) -> Json:
    """Do what the name of the parser says."""
    deeds: dict[str, Callable[[], object]] = {
        "say": lambda: None,
        "hang": signal.pause,
        "break": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "connect": lambda: socket.socket(socket.AF_INET),
        "fork": os.fork,
        "exit": lambda: os._exit(0),
        "memory": lambda: bytearray(1 << 30),
    }
    deeds[parser]()
    return output.decode()


@pytest.mark.slow
class ServerTests(TestCase):
    def setUp(self) -> None:
        # A process of many tests is larger than the parsing process, and has more files open.
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        most = pages * resource.getpagesize() + child._LIMITS[resource.RLIMIT_AS]
        files = max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + child._LIMITS[resource.RLIMIT_NOFILE]
        limits = {**child._LIMITS, resource.RLIMIT_AS: most, resource.RLIMIT_NOFILE: files}
        patched = patch.object(child, "_LIMITS", limits)
        patched.start()
        self.addCleanup(patched.stop)
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.settimeout(_RECEIVE_SECONDS)
        self.prepared: list[str] = []
        self.thread = threading.Thread(target=self.serve, args=(theirs,))
        self.thread.start()
        self.addCleanup(self.thread.join, _RECEIVE_SECONDS)
        self.addCleanup(self.ours.close)

    def serve(self, connection: socket.socket) -> None:
        """Be the parsing process."""
        with connection:
            Server(connection, self.prepared.append, self.work).serve()

    def work(self, parser: str, output: int, result: int, parent: int) -> NoReturn:
        """Be a child: of the parsing process, so without the daemon's end of the connection."""
        self.ours.close()
        child.work(parse, parser, output, result, parent)

    def ask(self, parser: str, number: int = 1) -> None:
        """Ask for data."""
        descriptor = in_memory(b"said")
        socket.send_fds(self.ours, [Parse(number, parser).encode()], [descriptor])
        os.close(descriptor)

    def told(self) -> tuple[Answer, bytes]:
        """Say what was answered."""
        packet, descriptors, _, _ = socket.recv_fds(self.ours, PACKET_BYTES, 1)
        content = b""
        for descriptor in descriptors:
            content = os.pread(descriptor, PACKET_BYTES, 0)
            os.close(descriptor)
        return decode_answer(packet), content

    def test_data(self) -> None:
        """A child makes data; the parser was loaded before."""
        for number in (1, 2):
            self.ask("say", number)
            self.assertEqual(self.told(), (Answer(number, Kind.DATA), b'"said"'))
        self.assertEqual(self.prepared, ["say", "say"])

    def test_what_a_child_may_not(self) -> None:
        """Break, speak to the network, start a process, take memory: its answer is that it has ended."""
        for parser in ("break", "connect", "fork", "memory"):
            self.ask(parser)
            self.assertEqual(self.told(), (Answer(1, Kind.ENDED), b""), parser)

    def test_a_child_that_says_nothing(self) -> None:
        """Data that are none are for the daemon to find out."""
        self.ask("exit")
        self.assertEqual(self.told(), (Answer(1, Kind.DATA), b""))

    def test_cancelled(self) -> None:
        """A child that nobody waits for is ended; a word that is late means nothing."""
        self.ask("hang", 1)
        self.ours.send(Cancel(1).encode())
        self.assertEqual(self.told(), (Answer(1, Kind.ENDED), b""))
        self.ours.send(Cancel(1).encode())
        self.ask("hang", 2)
        self.ours.send(Cancel(1).encode())
        self.ours.send(Cancel(2).encode())
        self.assertEqual(self.told()[0].number, 2)

    def test_the_end(self) -> None:
        """When the daemon is gone so is the process, with its child; also when it says what it never does."""
        self.ask("hang")
        self.ours.close()
        self.thread.join(_RECEIVE_SECONDS)
        self.assertFalse(self.thread.is_alive())

    def test_nonsense(self) -> None:
        """Ends it."""
        self.ours.send(b"nonsense")
        self.thread.join(_RECEIVE_SECONDS)
        self.assertFalse(self.thread.is_alive())
