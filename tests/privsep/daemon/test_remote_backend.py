"""Tests of the daemon's side of the runner process; the test is the runner, over a real socket pair."""

import errno
import os
import signal
import socket
from typing import Any, cast

from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cmdserver.core.errors import Unavailable
from cmdserver.privsep.channel import RETRY_SECONDS
from cmdserver.privsep.daemon.fetching import FETCH_SECONDS
from cmdserver.privsep.daemon.remote_backend import RemoteBackend, RunnerLost
from cmdserver.privsep.messages import (
    REQUEST_BYTES,
    SIGKILL,
    SIGTERM,
    Adopt,
    Exited,
    Fetch,
    Fetched,
    Ran,
    Read,
    Ready,
    Refused,
    Report,
    Request,
    Reread,
    Signal,
    Start,
    Started,
    Trouble,
    decode_request,
    encode,
)
from tests.contracts import RecordingProtocol, open_descriptors


class _Reactor(Clock):
    """A reactor that watches descriptors when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def turn(self) -> None:
        """Do what a turn of the real one does, for all that is watched."""
        for reader in list(self.readers):
            if reader in self.readers:
                why = reader.doRead()
                if why is not None:
                    self.readers.discard(reader)
                    reader.connectionLost(Failure(why))
        for writer in list(self.writers):
            writer.doWrite()
        self.advance(0)


class _Protocol(RecordingProtocol):
    """One that can do something when it is told of an end."""

    def __init__(self) -> None:
        super().__init__()
        self.transport: Any = None
        self.when_over: Any = lambda: None

    def makeConnection(self, process: Any) -> None:
        super().makeConnection(process)
        self.transport = process

    def processEnded(self, reason: Failure) -> None:
        super().processEnded(reason)
        self.when_over()


class _WithoutMemory:
    """A socket of a host that has no memory left."""

    def send(self, _: bytes) -> int:
        raise OSError(errno.ENOBUFS, "No buffer space available")


class _TestCase(SynchronousTestCase):
    """A remote, and the test as the runner of it."""

    def setUp(self) -> None:
        self.reactor = _Reactor()
        self.met: list[tuple[Ready, int | None]] = []
        self.lost = 0
        self.remote = RemoteBackend(self.reactor, lambda *each: self.met.append(each), self._is_lost)
        ours, self.runner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.runner.setblocking(False)
        self.addCleanup(self.runner.close)
        self.addCleanup(self.remote.close)
        self.remote.attach(ours)
        self.say(Ready(0, 4711, 5))
        self.before = open_descriptors()

    def _is_lost(self) -> None:
        self.lost += 1

    def say(self, report: Report, *descriptors: int) -> None:
        """Be the runner, and let the daemon hear."""
        self.send(report, *descriptors)
        self.reactor.turn()

    def send(self, report: Report, *descriptors: int) -> None:
        """Be the runner; the daemon hears it later. The descriptors are closed here."""
        if descriptors:
            socket.send_fds(self.runner, [encode(report)], descriptors)
        else:
            self.runner.send(encode(report))
        for descriptor in descriptors:
            os.close(descriptor)

    def heard(self) -> list[Request]:
        """Read what the runner was asked."""
        requests: list[Request] = []
        while True:
            try:
                requests.append(decode_request(self.runner.recv(65536 + 1)))
            except BlockingIOError:
                return requests

    def pipes(self, *outputs: bytes) -> tuple[int, int]:
        """Make the pipes of a process that has said something and closed its output."""
        ends = []
        for output in outputs:
            reading, writing = os.pipe()
            os.set_blocking(reading, False)
            os.write(writing, output)
            os.close(writing)
            ends.append(reading)
        stdout, stderr = ends
        return stdout, stderr

    def spawn(self, *arguments: str) -> _Protocol:
        """Ask for a command."""
        protocol = _Protocol()
        self.remote.spawnProcess(cast("Any", protocol), "uptime", ("uptime", *arguments))
        return protocol

    def assert_nothing_leaked(self) -> None:
        """All that came was closed."""
        self.assertEqual(open_descriptors(), self.before)


class RemoteTests(_TestCase):
    """Requests and reports, in their arguments."""

    # Starting

    def test_it_is_what_twisted_asks_for(self) -> None:
        """The runner provides Twisted's interface."""
        self.assertTrue(verifyObject(IReactorProcess, self.remote))

    def test_a_command_is_asked_for_by_its_name(self) -> None:
        """Name and arguments go to the runner, with an id greater than any before; the connection is made at once."""
        first, second = self.spawn("-p"), self.spawn()

        self.assertEqual(self.heard(), [Start(0, 0, "uptime", ("-p",)), Start(0, 1, "uptime", ())])
        self.assertEqual((first.events, second.events), (["made"], ["made"]))
        self.assertIsNone(first.transport.pid)

    def test_too_much_is_an_error_at_once(self) -> None:
        """Arguments that no request has room for are E2BIG, and the runner hears nothing of them."""
        with self.assertRaises(OSError) as caught:
            self.spawn("x" * REQUEST_BYTES)

        self.assertEqual((caught.exception.errno, self.heard()), (errno.E2BIG, []))

    def test_without_a_runner_it_is_an_error_at_once(self) -> None:
        """When there is none, it is busy."""
        self.remote.close()

        with self.assertRaises(OSError) as caught:
            self.spawn()

        self.assertEqual(caught.exception.errno, errno.EAGAIN)

    def test_what_cannot_be_started_is_an_end(self) -> None:
        """The runner's reason is the reason of the end, told once, and nothing else is."""
        protocol = self.spawn()

        self.say(Refused(0, errno.ENOENT, "No such file or directory"))

        self.assertEqual(protocol.events, ["made", "ended"])
        self.assertIsInstance(protocol.reasons[0].value, FileNotFoundError)

    # Running

    def test_a_quick_run_is_told_whole(self) -> None:
        """Exit, output, the loss of both pipes and the end come in one turn, in the order that everybody relies on."""
        protocol = self.spawn()

        self.say(Ran(0, 99, 3 << 8, is_alone=True), *self.pipes(b"out", b"err"))

        self.assertEqual(protocol.data, {1: b"out", 2: b"err"})
        self.assertEqual(protocol.events, ["made", "exited", "data", "data", "lost 1", "lost 2", "ended"])
        self.assertEqual([cast("Any", each.value).exitCode for each in protocol.reasons], [3, 3])
        self.assertIsNone(protocol.transport.pid)
        self.assert_nothing_leaked()

    def test_a_longer_run_is_told_as_it_goes(self) -> None:
        """Output comes while it runs; the end comes when it has exited and both pipes are at their end."""
        protocol = self.spawn()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        _, stderr = self.pipes(b"", b"")
        os.close(_)

        self.say(Started(0, 99), reading, stderr)
        self.assertEqual((protocol.transport.pid, set(protocol.transport.pipes)), (99, {1, 2}))
        os.write(writing, b"said")
        self.reactor.turn()
        self.assertEqual(protocol.data[1], b"said")
        self.say(Exited(0, signal.SIGTERM, is_alone=True))
        self.assertNotIn("ended", protocol.events)
        os.close(writing)
        self.reactor.turn()

        self.assertEqual(protocol.events[-1], "ended")
        self.assertEqual([cast("Any", each.value).signal for each in protocol.reasons], [signal.SIGTERM] * 2)
        self.assert_nothing_leaked()

    def test_nothing_comes_while_it_is_paused(self) -> None:
        """A pause from before the start counts; what was said comes when it is resumed, in a later turn."""
        protocol = self.spawn()
        protocol.transport.pauseProducing()
        protocol.transport.pauseProducing()

        self.say(Ran(0, 99, 0, is_alone=True), *self.pipes(b"out", b""))
        self.reactor.turn()
        self.assertEqual(protocol.events, ["made", "exited"])
        protocol.transport.resumeProducing()
        self.assertEqual(protocol.events, ["made", "exited"])
        self.reactor.turn()

        self.assertEqual((protocol.data[1], protocol.events[-1]), (b"out", "ended"))

    def test_pipes_that_are_not_wanted_are_closed_when_they_come(self) -> None:
        """Who has closed them before there were any gets no output, and the end all the same."""
        for report in (Ran(0, 99, 0, is_alone=True), Started(1, 99)):
            protocol = self.spawn()
            protocol.transport.loseConnection()
            self.assertEqual(protocol.events, ["made"])

            self.say(report, *self.pipes(b"out", b""))
            if isinstance(report, Started):
                self.say(Exited(1, 0, is_alone=True))
            self.reactor.turn()

            self.assertEqual(sorted(protocol.events), ["ended", "exited", "lost 1", "lost 2", "made"])
            self.assertEqual(protocol.data[1], b"")
        self.assert_nothing_leaked()

    # Signals

    def test_a_signal_before_the_start_is_told(self) -> None:
        """The runner gets it behind the request to start, and knows whom it means."""
        protocol = self.spawn()

        protocol.transport.signal_group(SIGTERM)

        self.assertEqual(self.heard(), [Start(0, 0, "uptime", ()), Signal(0, 0, SIGTERM)])

    def test_who_is_alone_is_not_signalled(self) -> None:
        """When nobody is left of a run the runner is not asked; when somebody is, it is."""
        for number, is_alone in enumerate((True, False)):
            protocol = self.spawn()
            self.say(Ran(number, 99, 0, is_alone=is_alone), *self.pipes(b"", b""))
            self.heard()

            protocol.transport.signal_group(SIGKILL)

            self.assertEqual(self.heard(), [] if is_alone else [Signal(0, number, SIGKILL)])

    # Trouble

    def test_descriptors_that_did_not_fit_end_the_run(self) -> None:
        """A process whose pipes the kernel has left out is killed, told as EMFILE, and nothing of it stays open."""
        for number, count in enumerate((0, 1, 0, 1)):
            protocol = self.spawn()
            self.heard()
            ends = self.pipes(b"", b"")
            for end in ends[count:]:
                os.close(end)
            report = Started(number, 99) if number < 2 else Ran(number, 99, 0, is_alone=True)

            self.say(report, *ends[:count])
            self.reactor.turn()

            self.assertEqual(protocol.events, ["made", "ended"])
            self.assertEqual(cast("Any", protocol.reasons[0].value).errno, errno.EMFILE)
            if isinstance(report, Started):
                self.assertEqual(self.heard(), [Signal(0, number, SIGKILL)])
                self.say(Exited(number, SIGKILL, is_alone=True))
            self.assert_nothing_leaked()

    def test_another_runner_ends_all_runs(self) -> None:
        """What the last one ran is lost, told once; the new one is asked from then on, in its own name."""
        started, asked = self.spawn(), self.spawn()
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        os.set_blocking(reading, False)
        self.say(Started(0, 99), reading, self.pipes(b"", b"")[0])
        self.heard()

        self.say(Ready(1, 4712, 5))
        self.reactor.turn()

        for protocol in (started, asked):
            self.assertIsInstance(protocol.reasons[-1].value, RunnerLost)
            self.assertEqual(protocol.events.count("ended"), 1)
        self.assertEqual(self.met[-1], (Ready(1, 4712, 5), 4711))
        self.spawn()
        started.transport.signal_group(SIGKILL)
        self.assertEqual(self.heard(), [Start(1, 2, "uptime", ())])
        self.say(Exited(0, 0, is_alone=True))  # of the old one, late
        self.assertEqual(started.events.count("ended"), 1)

    def test_without_any_runner_all_is_lost(self) -> None:
        """When the other end is closed all runs end, and whoever cares is told, once."""
        protocol = self.spawn()

        self.runner.close()
        self.reactor.turn()
        self.reactor.turn()

        self.assertIsInstance(protocol.reasons[-1].value, RunnerLost)
        self.assertEqual((self.lost, self.remote.is_there, self.reactor.readers), (1, False, set()))

    def test_nonsense_is_no_runner(self) -> None:
        """Who says what no runner says is none any more."""
        protocol = self.spawn()

        self.runner.send(b"\xc1")
        with capturedLogs():
            self.reactor.turn()
        self.flushLoggedErrors()

        self.assertEqual(self.lost, 1)
        self.assertIsInstance(protocol.reasons[-1].value, RunnerLost)

    def test_what_nobody_waits_for_is_closed(self) -> None:
        """Reports of runs that there are not, and readings that were not asked for, leave nothing open."""
        reports = (Started(7, 99), Ran(7, 99, 0, is_alone=True), Read((), ("a",)), Fetched("passwd", 0))
        for report in reports:
            self.say(report, *self.pipes(b"", b""))

        self.assert_nothing_leaked()

    def test_trouble_is_logged(self) -> None:
        """What the runner has to tell the administrator is in the log."""
        with capturedLogs() as events:
            self.say(Trouble("something is odd"))

        self.assertEqual([event["text"] for event in events if "text" in event], ["something is odd"])

    def test_what_the_kernel_has_no_memory_for_is_sent_later(self) -> None:
        """A socket that is writable would be tried again and again meanwhile: it is not watched for that."""
        channel = self.remote._channel
        assert channel is not None
        connection = channel._connection
        channel._connection = cast("Any", _WithoutMemory())
        self.spawn()

        self.spawn()

        self.assertEqual((self.reactor.writers, len(self.reactor.getDelayedCalls())), (set(), 1))
        channel._connection = connection
        self.assertEqual(self.heard(), [])
        self.reactor.advance(RETRY_SECONDS)

        self.assertEqual(self.heard(), [Start(0, 0, "uptime", ()), Start(0, 1, "uptime", ())])

    def test_a_runner_that_does_not_read_blocks_nobody(self) -> None:
        """Requests that there is no room for wait, and go in their order when there is."""
        for _ in range(2_000):
            self.remote.ask(Adopt(1))
        self.remote.ask(Adopt(2))
        self.assertTrue(self.reactor.writers)

        heard = self.heard()
        while self.reactor.writers:
            self.reactor.turn()
            heard += self.heard()

        self.assertEqual(heard, [Adopt(1)] * 2_000 + [Adopt(2)])

    def test_a_reading_is_told_to_who_has_asked(self) -> None:
        """With its descriptors, once."""
        readings: list[tuple[Read, tuple[int, ...]]] = []
        self.remote.ask(Reread(), lambda *each: readings.append(each))
        self.assertEqual(self.heard(), [Reread()])

        self.say(Read((), ("a",)), *self.pipes(b"text", b"file"))

        ((report, (text, file)),) = readings
        self.assertEqual((report, os.read(text, 9), os.read(file, 9)), (Read((), ("a",)), b"text", b"file"))
        os.close(text)
        os.close(file)


class FetchTests(_TestCase):
    """To have files opened, with everything else going on."""

    def test_a_descriptor_comes_back(self) -> None:
        """What the runner has opened is what is returned; reports that come before are acted on as ever."""
        protocol = self.spawn()
        self.heard()
        answer = self.remote.fetch("passwd")
        self.assertEqual(self.heard(), [Fetch("passwd")])

        self.say(Ran(0, 98, 0, is_alone=True), *self.pipes(b"", b""))
        self.assertEqual(protocol.events[-1], "ended")
        self.assertNoResult(answer)
        stdout, stderr = self.pipes(b"ada:x", b"")
        os.close(stderr)
        self.say(Fetched("passwd", 0), stdout)

        descriptor = self.successResultOf(answer)
        self.assertEqual(os.read(descriptor, 99), b"ada:x")
        os.close(descriptor)
        self.assert_nothing_leaked()

    def test_without_a_runner_there_is_no_answer(self) -> None:
        """Before there is one, and as soon as there is none any more, that is said at once."""
        answer = self.remote.fetch("passwd")
        self.runner.close()
        self.reactor.turn()
        self.reactor.turn()

        self.failureResultOf(answer, Unavailable)
        self.failureResultOf(self.remote.fetch("passwd"), Unavailable)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_the_next_runner_is_asked_again(self) -> None:
        """Who waits when the runner dies hears of its successor."""
        answer = self.remote.fetch("passwd")
        self.heard()

        self.say(Ready(1, 4712, 5))
        self.assertEqual(self.heard(), [Fetch("passwd")])
        self.say(Fetched("passwd", errno.ENOENT))

        self.failureResultOf(answer, FileNotFoundError)

    def test_any_report_is_a_sign_that_it_answers(self) -> None:
        """After an answer that did not come nobody is asked, until the runner has said something."""
        answer = self.remote.fetch("passwd")
        with capturedLogs():
            self.reactor.advance(FETCH_SECONDS)
        self.failureResultOf(answer, Unavailable)
        self.failureResultOf(self.remote.fetch("passwd"), Unavailable)
        self.heard()

        self.say(Trouble("something is odd"))

        answer = self.remote.fetch("passwd")
        self.assertEqual(self.heard(), [Fetch("passwd")])
        self.say(Fetched("passwd", errno.ENOENT))
        self.failureResultOf(answer, FileNotFoundError)
