"""Tests of what both processes need of POSIX: groups that are never signalled too late, pipes that are closed."""

import os
import resource
import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.execution import posix
from cmdserver.execution.posix import ProcessGroup
from tests.contracts import open_descriptors


class StandardInputTests(SynchronousTestCase):
    """What a process reads."""

    def test_a_text(self) -> None:
        """A file in memory, at its beginning, close-on-exec, and closed afterwards."""
        before = open_descriptors()
        with posix.standard_input(b"a\n" * 100_000, 0) as descriptor:
            self.assertFalse(os.get_inheritable(descriptor))
            self.assertEqual(os.read(descriptor, 1_000_000), b"a\n" * 100_000)
        self.assertEqual(open_descriptors(), before)

    def test_none(self) -> None:
        """It is what is given for that; an empty text is another matter."""
        with posix.standard_input(None, 4711) as descriptor:
            self.assertEqual(descriptor, 4711)
        with posix.standard_input(b"", 4711) as descriptor:
            self.assertEqual((descriptor == 4711, os.read(descriptor, 1)), (False, b""))

    def test_what_goes_wrong(self) -> None:
        """Leaves nothing open, whether it is ours or that of whoever starts the process."""
        before = open_descriptors()

        def fail() -> None:
            with posix.standard_input(b"x", 0):
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.patch(os, "lseek", lambda *_: os.close(-1))
        self.assertRaises(OSError, posix.in_memory, b"x")
        self.assertEqual(open_descriptors(), before)


class ProcessGroupTests(SynchronousTestCase):
    """Signals, and to whom they go."""

    def setUp(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self.error: OSError | None = None
        self.patch(os, "killpg", self.killpg)

    def killpg(self, group: int, number: int) -> None:
        """Be the kernel."""
        self.sent.append((group, number))
        if self.error is not None:
            raise self.error

    def test_neither_we_nor_init_are_a_group_of_ours(self) -> None:
        """To killpg(2), 0 is the caller's own group."""
        for number in (-1, 0, 1):
            self.assertRaises(ValueError, ProcessGroup, number)

    def test_a_group_that_was_seen_to_be_empty_is_not_signalled(self) -> None:
        """Its number may be another's."""
        group = ProcessGroup(4711)
        group.signal(signal.SIGTERM)
        self.error = ProcessLookupError()
        group.look()
        self.error = None

        group.signal(signal.SIGKILL)

        self.assertTrue(group.is_gone)
        self.assertEqual(self.sent, [(4711, signal.SIGTERM), (4711, 0)])

    def test_a_group_that_may_not_be_signalled_is_there(self) -> None:
        """To look at it says so, and to signal it says why not."""
        group = ProcessGroup(4711)
        self.error = PermissionError()

        group.look()

        self.assertFalse(group.is_gone)
        self.assertRaises(PermissionError, group.signal, signal.SIGTERM)


class OutputPipesTests(SynchronousTestCase):
    """Pipes, while a process is started."""

    def test_the_ends_of_a_process_are_closed(self) -> None:
        """What is left are ours, which never wait for output."""
        before = open_descriptors()

        with posix.output_pipes() as pipes:
            os.write(pipes.stdout_end, b"out")
            os.write(pipes.stderr_end, b"err")

        self.assertEqual(open_descriptors() - before, {pipes.stdout, pipes.stderr})
        for end, said in ((pipes.stdout, b"out"), (pipes.stderr, b"err")):
            self.addCleanup(os.close, end)
            self.assertEqual((os.read(end, 9), os.read(end, 9), os.get_blocking(end)), (said, b"", False))

    def test_nothing_is_left_open_if_there_is_no_process(self) -> None:
        """Whatever keeps it from being started."""
        before = open_descriptors()

        self.assertRaises(OSError, self.start)

        self.assertEqual(open_descriptors(), before)

    def test_nor_if_there_is_room_for_one_pipe_only(self) -> None:
        """The first is closed when the second cannot be made."""
        before = open_descriptors()
        pipes = [os.pipe()]
        self.patch(os, "pipe", lambda: pipes.pop() if pipes else self.fail_with(OSError(24, "Too many open files")))

        self.assertRaises(OSError, self.start)

        self.assertEqual(open_descriptors(), before)

    def start(self) -> None:
        """Start what cannot be started."""
        with posix.output_pipes():
            raise OSError

    def fail_with(self, error: OSError) -> Any:
        """Raise it, within an expression."""
        raise error


class DescriptorLimitTests(SynchronousTestCase):
    """RLIMIT_NOFILE."""

    def test_it_is_raised_as_far_as_possible(self) -> None:
        """What commands are to have instead is told if anything was changed."""
        infinity = resource.RLIM_INFINITY
        for before, needed, after in (
            ((1024, 8192), 1000, None),
            ((1024, 8192), 4000, (4000, 8192)),
            ((1024, 8192), 9000, (8192, 8192)),
            ((1024, infinity), 9000, (9000, infinity)),
            ((1024, 1024), 9000, None),
        ):
            changes: list[tuple[int, int]] = []
            self.patch(resource, "getrlimit", lambda _, limits=before: limits)
            self.patch(resource, "setrlimit", lambda _, limits, changes=changes: changes.append(limits))

            told = posix.raise_descriptor_limit(needed)

            self.assertEqual((changes, told), ([after], before) if after is not None else ([], None))
