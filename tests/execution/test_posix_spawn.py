"""Tests of starting processes: never by a fork, never by looking at what is open."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet import process as twisted_process
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from cmdserver.execution.posix_spawn import Spawner
from tests import contracts
from tests.contracts import RecordingProtocol, Script, open_descriptors, real_spawner, until
from tests.running_doubles import FakeSpawner, TurnClock, fake_host
from tests.waiting import LIMIT_SECONDS


@pytest.mark.slow
class RealSpawnerTests(contracts.SpawnerContract):
    """The contract, kept by real processes."""

    def setUp(self) -> None:
        self.spawner = real_spawner(self)

    def spawn(self, protocol: RecordingProtocol, script: Script) -> Any:
        stdout, stderr = (output.decode() for output in (script.stdout, script.stderr))
        ending = "exec sleep 60" if script.is_endless else f"exit {script.status}"
        # No earlier than its protocol can be told to pause.
        line = f"printf %s '{stdout}'; printf %s '{stderr}' >&2; {ending}"
        return self.spawner.start(cast("Any", protocol), "/bin/sh", ["sh", "-c", line], {"PATH": "/bin"})

    def spawn_missing(self, protocol: RecordingProtocol) -> IProcessTransport:
        return self.spawner.start(cast("Any", protocol), "/nonexistent/program", ["program"], {})

    async def settle(self, condition: Callable[[], bool]) -> None:
        await until(condition)

    async def linger(self) -> None:
        await deferLater(contracts.reactor, 0.05)


class FakeSpawnerTests(contracts.SpawnerContract):
    """The contract, kept by the fake."""

    def setUp(self) -> None:
        self.spawner = fake_host(self)
        self.clock = self.spawner.clock

    def spawn(self, protocol: RecordingProtocol, script: Script) -> Any:
        transport = self.spawner.spawnProcess(cast("Any", protocol), "/bin/sh", ["sh"])
        process = self.spawner.last
        self.clock.callLater(1, process.says, script.stdout, script.stderr)
        if not script.is_endless:
            self.clock.callLater(1, process.ends, script.status)
        return transport

    def spawn_missing(self, protocol: RecordingProtocol) -> IProcessTransport:
        self.spawner.trouble = FileNotFoundError(2, "No such file or directory")
        return self.spawner.spawnProcess(cast("Any", protocol), "/nonexistent/program", ["program"], {})

    async def settle(self, condition: Callable[[], bool]) -> None:
        for _ in range(10):
            self.clock.advance(1)
        assert condition()

    async def linger(self) -> None:
        self.clock.advance(10)


class InterfaceTests(SynchronousTestCase):
    def test_the_fake_is_what_twisted_asks_for(self) -> None:
        """The fake stands in for any IReactorProcess, and has its arguments."""
        self.assertTrue(verifyObject(IReactorProcess, FakeSpawner(TurnClock())))


class Watcher(Clock):
    """A reactor that only notes what it would watch."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[object] = set()

    def addReader(self, reader: object) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.discard(reader)


@pytest.mark.slow
class SpawnerTests(TestCase):
    """What only real processes show."""

    timeout = 2 * LIMIT_SECONDS

    def setUp(self) -> None:
        self.protocol = RecordingProtocol()

    def spawn(self, *argv: str | bytes, **arguments: Any) -> Any:
        """Start a program, by its path."""
        spawner = real_spawner(self, **arguments)
        return spawner.start(cast("Any", self.protocol), os.fsdecode(argv[0]), argv, {})

    async def ended(self) -> None:
        """Wait for the end."""
        await until(lambda: self.protocol.is_over)

    async def test_the_daemon_is_never_forked(self) -> None:
        """A process is started by posix_spawn, though nothing that forks would work."""

        def forbidden(*_: object) -> int:
            raise AssertionError("the daemon was forked")

        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp"):
            self.patch(os, name, forbidden)

        self.spawn("/bin/echo", "said")
        await self.ended()

        self.assertEqual(self.protocol.data[1], b"said\n")

    async def test_open_descriptors_are_not_listed(self) -> None:
        """How many descriptors are open does not matter, as nobody looks."""

        def forbidden() -> list[int]:
            raise AssertionError("the open descriptors were listed")

        self.patch(twisted_process, "_listOpenFDs", forbidden)
        self.patch(os, "listdir", forbidden)

        self.spawn("/bin/echo", "said")
        await self.ended()

        self.assertEqual(self.protocol.data[1], b"said\n")

    async def test_nothing_is_left_open(self) -> None:
        """After the end all descriptors of a process are closed, and the reactor knows none of them."""
        await deferLater(contracts.reactor, 0)  # the reactor opens some of its own when it runs for the first time
        before, readers = open_descriptors(), set(contracts.reactor.getReaders())
        spawner = real_spawner(self)

        spawner.start(cast("Any", self.protocol), "/bin/echo", ["echo"], {})
        await self.ended()

        self.assertEqual(open_descriptors() - before, {spawner._null})
        self.assertEqual(set(contracts.reactor.getReaders()) - readers, set())

    async def test_pipes_that_are_about_to_be_closed_are_not_watched_again(self) -> None:
        """A reader who resumes in the turn in which the pipes are given up leaves the reactor nothing to watch.

        It would believe to be watching whoever gets the number of the descriptor next, and never do so.
        """
        watcher = Watcher()
        spawner = Spawner(cast("Any", watcher))
        self.addCleanup(os.close, spawner._null)
        transport = spawner.start(cast("Any", self.protocol), "/bin/true", ["true"], {})

        watched = [len(watcher.readers)]
        cast("Any", transport).pauseProducing()
        watched.append(len(watcher.readers))
        transport.loseConnection()
        cast("Any", transport).resumeProducing()
        watcher.advance(0)
        await self.ended()

        self.assertEqual([*watched, len(watcher.readers)], [2, 0, 0])

    async def test_a_closed_output_does_not_end_the_run(self) -> None:
        """A process that closes both of its outputs, and goes on, is not over before it exits."""
        self.spawn("/bin/sh", "-c", "exec >&- 2>&-; exec /bin/sleep 0.1")

        await until(lambda: "lost 2" in self.protocol.events and "lost 1" in self.protocol.events)
        self.assertNotIn("ended", self.protocol.events)
        await self.ended()

        self.assertEqual(self.protocol.events[-2:], ["exited", "ended"])

    def test_a_failure_leaves_nothing_open(self) -> None:
        """What could not be started has left no pipe behind."""
        before = open_descriptors()
        spawner = real_spawner(self)

        for _ in range(3):
            self.assertRaises(
                FileNotFoundError, spawner.start, cast("Any", self.protocol), "/nonexistent/program", ["program"], {}
            )

        self.assertEqual(open_descriptors() - before, {spawner._null})

    def test_running_out_of_descriptors_leaves_nothing_open(self) -> None:
        """If only the first pipe can be opened, the error is the kernel's, and that pipe is closed again."""
        spawner = real_spawner(self)
        before = open_descriptors()
        pipe = os.pipe
        opened: list[tuple[int, int]] = []

        def one_pipe() -> tuple[int, int]:
            if opened:
                raise OSError(24, "Too many open files")
            opened.append(pipe())
            return opened[0]

        self.patch(os, "pipe", one_pipe)
        error = self.assertRaises(OSError, spawner.start, cast("Any", self.protocol), "/bin/true", ["true"], {})

        self.assertEqual(error.errno, 24)
        self.assertEqual(len(opened), 1)
        self.assertEqual(open_descriptors(), before)

    def test_a_file_that_is_no_program_is_refused(self) -> None:
        """What may not be executed is a PermissionError at once."""
        self.assertRaises(PermissionError, self.spawn, "/etc/passwd")

    async def test_bytes_reach_the_program_as_they_are(self) -> None:
        """An argument that is not UTF-8 is passed on unchanged."""
        self.spawn(b"/usr/bin/printf", b"%s", b"\xff\xfe")
        await self.ended()

        self.assertEqual(self.protocol.data[1], b"\xff\xfe")

    async def test_children_get_the_limit_that_the_daemon_was_started_with(self) -> None:
        """However many descriptors the daemon may open, its children have the limits that they are given."""
        transport = self.spawn("/bin/sleep", "60", descriptor_limit=(123, 456))

        soft, hard = next(
            line.split()[3:5]
            for line in Path(f"/proc/{transport.pid}/limits").read_text(encoding="ascii").splitlines()  # noqa: ASYNC240
            if line.startswith("Max open files")
        )
        os.killpg(transport.pid, signal.SIGKILL)
        await self.ended()

        self.assertEqual((soft, hard), ("123", "456"))
        self.assertNotEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (123, 456))
