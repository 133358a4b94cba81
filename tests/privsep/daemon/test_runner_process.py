"""Tests of the runner process in the daemon's hands; the test is the runner."""

import os
import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import CannotStart
from cmdserver.privsep import linux
from cmdserver.privsep.daemon import runner_process as process_module
from cmdserver.privsep.daemon import starting
from cmdserver.privsep.daemon.runner_process import Reading, RunnerProcess
from cmdserver.privsep.messages import Adopt, Read, Ready, Report, Request, Reread, checksum_of, decode_request, encode
from tests.contracts import open_descriptors
from tests.privsep.daemon.test_remote_backend import _Reactor

_TEXT = "# the configuration"


class RunnerProcessTests(SynchronousTestCase):
    """Met, asked to read, replaced, lost."""

    def setUp(self) -> None:
        ours, self.runner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.runner.setblocking(False)
        self.addCleanup(self.runner.close)
        self.addCleanup(ours.close)
        self.arguments: list[Any] = []
        self._ours = ours
        self.patch(starting, "start", self._started)
        # Nothing of this is to happen to the process that runs the tests.
        self.patch(linux, "adopt_orphans", lambda: None)
        self.ended: list[object] = []
        self.patch(process_module, "end_tagged", self.ended.append)
        self.patch(RunnerProcess, "_reap", lambda _: None)
        self.reactor = _Reactor()
        self.happened: list[str] = []
        self.process = RunnerProcess(
            self.reactor,
            "/etc/x.toml",
            pid_file="/run/x.pid",
            gone=lambda: self.happened.append("gone"),
            differs=lambda: self.happened.append("differs"),
        )
        self.addCleanup(self.process.remote.close)

    def _started(self, arguments: Any) -> socket.socket:
        self.arguments.append(arguments)
        return self._ours

    def say(self, report: Report, *contents: bytes) -> None:
        """Be the runner; what is in the files that come with a report is given."""
        descriptors = []
        for content in contents:
            descriptor = os.memfd_create("test")
            os.write(descriptor, content)
            os.lseek(descriptor, 0, os.SEEK_SET)
            descriptors.append(descriptor)
        socket.send_fds(self.runner, [encode(report)], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.reactor.turn()

    def heard(self) -> list[Request]:
        """Read what the runner was asked."""
        requests: list[Request] = []
        while True:
            try:
                requests.append(decode_request(self.runner.recv(65536)))
            except BlockingIOError:
                return requests

    def begin(self) -> None:
        """Meet the first runner."""
        self.say(Ready(0, 11, checksum_of(_TEXT)))
        self.process.wait_until_ready(_TEXT)

    def reason(self, deferred: Deferred[Reading]) -> str:
        """Say why a reading has failed."""
        failure: Failure = self.failureResultOf(deferred)
        self.assertTrue(failure.check(OSError))
        return str(failure.value)

    def test_the_runner_is_told_what_it_must_know(self) -> None:
        """Once, when it is started: whose it is, what it reads, and what it is to remove."""
        (arguments,) = self.arguments

        self.assertEqual((arguments.daemon, arguments.configuration), (os.getpid(), "/etc/x.toml"))
        self.assertEqual((arguments.pid_file, arguments.state_directory), ("/run/x.pid", ""))

    def test_both_must_have_read_the_same(self) -> None:
        """A file that was changed between the two readings is a reason not to start."""
        self.say(Ready(0, 11, checksum_of("# another")))

        self.assertRaises(CannotStart, self.process.wait_until_ready, _TEXT)

    def test_a_reading_is_given(self) -> None:
        """The text, and the files that it names, as the runner has read them; other files are the disk's."""
        self.begin()
        before = open_descriptors()
        reading = self.process.reread()
        self.assertEqual(self.heard(), [Reread()])

        self.say(Read((), ("/nonexistent/key",)), b"# new", b"the key")

        result = self.successResultOf(reading)
        self.assertEqual((result.mistakes, result.text), ((), "# new"))
        path = Path("/nonexistent/key")
        self.assertEqual(result.read(path), b"the key")
        self.assertRaises(OSError, result.read, path.with_name("other"))
        self.assertEqual(open_descriptors(), before)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_mistakes_are_given(self) -> None:
        """They are a result, not a failure."""
        self.begin()
        reading = self.process.reread()

        self.say(Read(("7: wrong",), ()))

        self.assertEqual(self.successResultOf(reading).mistakes, ("7: wrong",))

    def test_a_reading_without_its_files_is_none(self) -> None:
        """When the kernel had no room for descriptors it fails, and is not taken for an empty configuration."""
        self.begin()
        for contents in ((), (b"# new",)):
            reading = self.process.reread()
            self.say(Read((), ("/key",)), *contents)
            self.assertIn("too many open files", self.reason(reading))
        reading = self.process.reread()
        self.say(Read((), ()))
        self.assertIn("too many open files", self.reason(reading))

    def test_one_reading_at_a_time(self) -> None:
        """A second one is refused while the first is under way, and may be tried again afterwards."""
        self.begin()
        first = self.process.reread()
        self.assertIn("busy", self.reason(self.process.reread()))

        self.say(Read((), ()), b"")

        self.successResultOf(first)
        self.assertNoResult(self.process.reread().addErrback(lambda _: None))

    def test_silence_is_no_reading(self) -> None:
        """A runner that does not answer is waited for only so long; what it says later does no harm."""
        self.begin()
        before = open_descriptors()
        reading = self.process.reread()

        self.reactor.advance(process_module._READ_SECONDS)
        self.assertIn("silent", self.reason(reading))
        self.say(Read((), ()), b"late")

        self.assertEqual(open_descriptors(), before)

    def test_adopted_by_its_checksum(self) -> None:
        """The runner is told which text is meant; a successor that goes by it is welcome, another is not."""
        self.begin()
        self.process.adopt("# new")
        self.assertEqual(self.heard(), [Adopt(checksum_of("# new"))])

        self.say(Ready(1, 12, checksum_of("# new")))
        self.assertEqual(self.happened, [])
        self.say(Ready(2, 13, checksum_of(_TEXT)))
        self.assertEqual(self.happened, ["differs"])

    def test_another_runner_ends_a_reading(self) -> None:
        """Who was asked is dead: it fails at once, and the log says who has taken the place."""
        self.begin()
        reading = self.process.reread()

        with capturedLogs() as events:
            self.say(Ready(1, 12, checksum_of(_TEXT)))

        self.assertIn("died", self.reason(reading))
        self.assertEqual([(event["old"], event["new"]) for event in events if "old" in event], [(11, 12)])

    def test_without_any_runner_it_is_over(self) -> None:
        """Whoever cares is told once, and what is left of the runs is ended as far as may be."""
        self.begin()

        self.runner.close()
        with capturedLogs() as events:
            self.reactor.turn()
            self.reactor.turn()

        self.assertEqual(self.happened, ["gone"])
        self.assertEqual(len(self.ended), 1)
        self.assertTrue(any("dead" in str(event["log_format"]) for event in events))

    def test_the_end_of_a_daemon_whose_runner_is_lost(self) -> None:
        """It waits for nobody: there is nobody to end."""
        self.begin()
        self.runner.close()
        with capturedLogs():
            self.reactor.turn()

        self.successResultOf(Deferred.fromCoroutine(self.process.end()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_its_end_is_no_loss_when_it_is_meant(self) -> None:
        """A daemon that stops waits until the runner has ended, and takes that for no loss."""
        self.begin()

        ending = Deferred.fromCoroutine(self.process.end())
        self.assertNoResult(ending)
        self.assertEqual(self.runner.recv(1), b"")
        self.runner.close()
        self.reactor.turn()

        self.successResultOf(ending)
        self.assertEqual(self.happened, [])
