"""Tests of the reactor: events reach who waits for them, and what one of these does is nobody else's trouble."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from cmdserver.app.epoll_reactor import DirectEPollReactor


@implementer(IReadDescriptor)
class Pipe:
    """A pipe that there is something to read in."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self.reading, writing = os.pipe()
        os.write(writing, b"x")
        os.close(writing)
        self.read = read
        self.lost: Failure | None = None
        self.prefixes = 0

    def fileno(self) -> int:
        return self.reading

    def doRead(self) -> Any:
        return self.read()

    def connectionLost(self, reason: Failure) -> None:
        self.lost = reason

    def logPrefix(self) -> str:
        self.prefixes += 1
        return "pipe"


class DirectEPollReactorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = DirectEPollReactor()
        self.read: list[str] = []
        self.pipes: list[Pipe] = []

    def tearDown(self) -> None:
        self.reactor.removeAll()
        for each in self.pipes:
            os.close(each.reading)

    def watch(self, pipe: Pipe) -> Pipe:
        """Have a pipe watched."""
        self.pipes.append(pipe)
        self.reactor.addReader(pipe)
        return pipe

    def pipe(self, read: Callable[[], Any]) -> Pipe:
        """Have a pipe watched of which nothing else is to be known."""
        return self.watch(Pipe(read))

    def test_who_waits_is_told(self) -> None:
        """Each of them, once a turn; and nobody is asked how it is called."""
        pipes = [self.pipe(lambda name=name: self.read.append(name)) for name in "ab"]  # type: ignore[misc]

        self.reactor.doIteration(0)
        self.assertEqual(sorted(self.read), ["a", "b"])
        self.reactor.removeReader(pipes[0])
        self.reactor.doIteration(0)

        self.assertEqual(sorted(self.read), ["a", "b", "b"])
        self.assertEqual([each.prefixes for each in pipes], [0, 0])

    def test_the_end_of_a_connection(self) -> None:
        """It is told to whom it concerns, who is not watched any more."""
        pipe = self.pipe(lambda: CONNECTION_DONE)

        self.reactor.doIteration(0)

        self.assertIsInstance(pipe.lost, Failure)
        self.assertNotIn(pipe, self.reactor.getReaders())

    def test_what_an_event_has_closed(self) -> None:
        """An event of what another one of the same turn has closed is nobody's."""
        pipes: list[Pipe] = []

        def close() -> None:
            self.read.append("once")
            for each in pipes:
                self.reactor.removeReader(each)

        pipes += [self.pipe(close), self.pipe(close)]
        self.reactor.doIteration(0)

        self.assertEqual(self.read, ["once"])

    def test_a_mistake(self) -> None:
        """What raises is logged and closed; the others are told what they wait for."""

        class Broken(Pipe):
            def connectionLost(self, reason: Failure) -> None:
                raise ZeroDivisionError from reason.value

        def fail() -> None:
            raise ValueError

        self.watch(Broken(fail))
        self.pipe(lambda: self.read.append("other"))

        self.reactor.doIteration(0)

        self.assertEqual(self.read, ["other"])
        self.assertEqual(
            {each.type for each in self.flushLoggedErrors(ValueError, ZeroDivisionError)},
            {ValueError, ZeroDivisionError},
        )


class InstalledTests(SynchronousTestCase):
    def installed(self, *options: str) -> str:
        """Say which reactor twistd runs the daemon on."""
        script = """
import sys
from twisted.scripts.twistd import ServerOptions
options = ServerOptions()
try:
    options.parseOptions(sys.argv[1:])
finally:
    from twisted.internet import reactor
    print(type(reactor).__name__)
"""
        words = [sys.executable, "-c", script, *options, "cmdserver", "--check"]
        return subprocess.run(words, capture_output=True, check=True, text=True, timeout=60).stdout.split()[-1]

    def test_it_is_the_daemons(self) -> None:
        """Unless somebody has chosen another one."""
        self.assertEqual(self.installed(), "DirectEPollReactor")
        self.assertEqual(self.installed("--reactor=poll"), "PollReactor")
