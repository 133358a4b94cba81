"""The parsing process as the daemon uses it, with its other end in the hands of the test."""

import os
import socket
from typing import Any
from unittest import TestCase

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from cmdserver.core.model import TargetUser
from cmdserver.core.output import Parsed
from cmdserver.execution.posix import in_memory
from cmdserver.privsep.daemon.parser_process import CANCEL_SECONDS, Lost, ParserProcess, checked, identity
from cmdserver.privsep.parsing.messages import (
    PACKET_BYTES,
    RESULT_BYTES,
    Answer,
    Cancel,
    Kind,
    Parse,
    decode_request,
)


class IdentityTests(TestCase):
    def test_whom_it_becomes(self) -> None:
        """The daemon's user; nobody in place of root; else who we are."""
        user = TargetUser(name="daemon", uid=7, gid=8)
        self.assertEqual([identity(user, each) for each in (0, 7)], [(7, 8)] * 2)
        self.assertEqual(identity(None, 0), (65_534, 65_534))
        self.assertEqual(identity(None, 7), (-1, -1))


class Reactor(Clock):
    """A clock that knows who is read."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)


class ParserProcessTests(TestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.others: list[socket.socket] = []
        self.is_barred = False
        self.process = ParserProcess(self.reactor, self.start)
        self.addCleanup(self.process.close)
        self.told: list[object] = []

    def start(self) -> tuple[socket.socket, int]:
        """Start a process that the test plays."""
        if self.is_barred:
            raise PermissionError
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)
        self.others.append(theirs)
        self.addCleanup(theirs.close)
        return ours, 0

    def ask(self, output: bytes = b"said") -> Any:
        """Ask for data."""
        asked = self.process.parse("df", output)
        asked.addCallbacks(self.told.append, lambda failure: self.told.append(failure.value))
        return asked

    def heard(self) -> tuple[Parse | Cancel, bytes | None]:
        """Say what the process was asked last, and with which output."""
        packet, descriptors, _, _ = socket.recv_fds(self.others[-1], PACKET_BYTES, 1)
        output = None
        for descriptor in descriptors:
            with os.fdopen(descriptor, "rb") as file:
                output = file.read()
        return decode_request(packet), output

    def answers(self, packet: bytes, content: bytes | None = None) -> None:
        """Let the process say something."""
        if content is None:
            self.others[-1].send(packet)
        else:
            descriptor = in_memory(content)
            socket.send_fds(self.others[-1], [packet], [descriptor])
            os.close(descriptor)
        self.process.doRead()

    def test_data(self) -> None:
        """Output goes there, data come back; the process is started when it is needed."""
        self.assertEqual(self.others, [])
        self.ask()
        self.assertEqual(self.heard(), (Parse(1, "df"), b"said"))
        self.answers(Answer(1, Kind.DATA).encode(), b'[{"a": 1}]')
        (parsed,) = self.told
        assert isinstance(parsed, Parsed)
        self.assertEqual((parsed.json, parsed.value, parsed.problem), (b'[{"a": 1}]', [{"a": 1}], None))

        self.ask(b"more")
        self.assertEqual(self.heard(), (Parse(2, "df"), b"more"))
        self.assertEqual(len(self.others), 1)

    def test_no_data(self) -> None:
        """What the parser says is told as it says it, on one line; what became of it, in our words."""
        for kind, content, text, is_lost in (
            (Kind.NOT_PARSED, b"it\x1b\nstumbles", "it^[^Jstumbles", False),
            (Kind.TOO_LONG, None, "its data would be longer than 2097152 bytes", False),
            (Kind.ENDED, None, "its parser broke over it", True),
            (Kind.DATA, None, "its parser broke over it", True),
            (Kind.DATA, b'{"a": 1}\n{"b": 2}', "what its parser made is no line of JSON", True),
        ):
            self.ask()
            request, _ = self.heard()
            self.answers(Answer(request.number, kind).encode(), content)
            error = self.told.pop()
            self.assertEqual((str(error), isinstance(error, Lost)), (text, is_lost))
        self.assertEqual(len(self.others), 1)

    def test_what_is_believed(self) -> None:
        """One line of JSON, and not too much."""
        self.assertEqual(checked(b'{"a": [1, null]}').value, {"a": [1, None]})
        for data in (b"", b"{", b"1\n", b'"\xc3\xbc"', b"[1]\r", b" " * RESULT_BYTES + b"1", b"NaN", b"[" * 100_000):
            with self.assertRaises(Lost):
                checked(data)

    def test_who_leaves(self) -> None:
        """The work is ended, and what comes of it is for nobody; the next one is asked at once."""
        self.ask().cancel()
        self.heard()
        self.assertEqual(self.heard(), (Cancel(1), None))
        self.ask()
        self.answers(Answer(1, Kind.ENDED).encode())
        self.assertEqual([type(each) for each in self.told], [CancelledError])
        self.answers(Answer(2, Kind.DATA).encode(), b"5")
        self.assertEqual(len(self.told), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_process_that_does_not_end_its_work(self) -> None:
        """It is given up, and another is started for the next one."""
        self.ask().cancel()
        with capturedLogs() as logged:
            self.reactor.advance(CANCEL_SECONDS)
        self.assertEqual((len(logged), self.reactor.readers), (1, []))
        self.ask()
        self.assertEqual(len(self.others), 2)

    def test_a_process_that_dies(self) -> None:
        """Who waits is told; another is started for the next one, as long as that may be."""
        self.ask()
        self.others[-1].close()
        with capturedLogs():
            self.process.doRead()
        self.assertEqual(str(self.told.pop()), "the process that parses output has died over it")
        self.is_barred = True
        self.ask()
        self.assertIn("takes a restart of the daemon", str(self.told.pop()))
        with capturedLogs() as logged:
            self.process.start_ahead()
        self.assertIn("there will be no data", formatEvent(logged[0]))
        self.is_barred = False
        self.ask()
        self.assertEqual(self.told, [])

    def test_nonsense(self) -> None:
        """A process that says what it never does is given up."""
        for packet in (b"nonsense", b"0", b"99 1", b"\xff"):
            self.ask()
            with capturedLogs():
                self.answers(packet, b"x")
            self.assertIsInstance(self.told.pop(), Lost)
            self.assertEqual(self.reactor.readers, [])

    def test_answers_that_nobody_has_asked_for(self) -> None:
        """Mean nothing."""
        self.process.require()
        for number in (0, 1, 7):
            self.answers(Answer(number, Kind.DATA).encode(), b"5")
        self.ask()
        self.answers(Answer(0, Kind.DATA).encode(), b"5")
        self.assertEqual(self.told, [])

    def test_one_at_a_time(self) -> None:
        """Who asks while another waits is told so."""
        self.ask()
        self.ask()
        self.assertIsInstance(self.told.pop(), Lost)

    def test_the_end(self) -> None:
        """The process sees it, and who waits is told."""
        self.ask()
        self.process.close()
        self.process.close()
        self.heard()
        self.assertEqual(self.others[-1].recv(1), b"")
        self.assertIsInstance(self.told.pop(), Lost)
