"""Tests of one process, from fork to exec: what is said of it is in force before the program's first instruction."""

import errno
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cmdserver.core.model import Command, Controls
from cmdserver.privsep.process_tags import ProcessTags
from cmdserver.privsep.runner import launching
from cmdserver.privsep.runner.launching import Launched, Launcher, has_begun
from tests.contracts import open_descriptors
from tests.running_doubles import command
from tests.waiting import wait_until

_NOBODY, _NOGROUP = 65534, 65534

#: Asks with PR_GET_PDEATHSIG of prctl(2).
_SHOW_DEATH_SIGNAL = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become others")


def _cat(file: str, **differences: Any) -> Command:
    return command(argv=("/bin/cat", f"/proc/self/{file}"), **differences)


def _python(script: str, **differences: Any) -> Command:
    return command(argv=(sys.executable, "-I", "-S", "-c", script), **differences)


class _TestCase(SynchronousTestCase):
    """What every test of a launch needs."""

    is_short_lived = False

    def setUp(self) -> None:
        self.launcher = Launcher()
        self.tag = ProcessTags(5).of(6)
        # A command must not inherit it.
        os.environ["OURS"] = "1"
        self.addCleanup(os.environ.pop, "OURS")

    def launch(self, asked: Command, *arguments: str) -> Launched:
        """Start a command, and wait until it runs; raises what keeps it from that, and leaves nothing of it then."""
        plain = asked.invocation(())
        invocation = plain._replace(argv=(*plain.argv, *arguments))
        launched = self.launcher.launch(asked, invocation, self.tag, is_short_lived=self.is_short_lived)
        if launched.complaint is None:
            return launched
        try:
            wait_until(lambda: has_begun(launched.complaint or 0), "it has begun, or cannot")
        except OSError:
            os.close(launched.stdout)
            os.close(launched.stderr)
            os.waitpid(launched.pid, 0)
            raise
        finally:
            os.close(launched.complaint)
        return replace(launched, complaint=None)

    def result(self, asked: Command, *arguments: str) -> tuple[bytes, bytes, int]:
        """Run a command to its end; return both outputs and its wait status."""
        launched = self.launch(asked, *arguments)
        outputs = []
        for descriptor in (launched.stdout, launched.stderr):
            os.set_blocking(descriptor, True)
            with os.fdopen(descriptor, "rb") as file:
                outputs.append(file.read())
        _, status = os.waitpid(launched.pid, 0)
        return outputs[0], outputs[1], status

    def said(self, asked: Command) -> str:
        """Run a command that succeeds, and return what it said."""
        stdout, stderr, status = self.result(asked)
        self.assertEqual((stderr, status), (b"", 0))
        return stdout.decode()

    def status(self, **differences: Any) -> Mapping[str, str]:
        """Start a program that shows its /proc/self/status."""
        return dict(line.split(":\t", 1) for line in self.said(_cat("status", **differences)).splitlines())


@pytest.mark.slow
class ForkTests(_TestCase):
    """What is done to all, whichever way they are started."""

    def test_both_outputs_and_the_status_come_back(self) -> None:
        """Standard output and standard error are pipes of their own."""
        asked = command(argv=("/bin/sh", "-c", "echo out; echo err >&2; exit 3"))

        self.assertEqual(self.result(asked), (b"out\n", b"err\n", 3 << 8))

    def test_the_ends_that_are_read_do_not_block(self) -> None:
        """The daemon may not wait in a read."""
        launched = self.launch(command(argv=("/bin/sleep", "60")))
        self.addCleanup(os.waitpid, launched.pid, 0)
        self.addCleanup(os.kill, launched.pid, signal.SIGKILL)
        for end in (launched.stdout, launched.stderr):
            self.addCleanup(os.close, end)
            self.assertFalse(os.get_blocking(end))
            self.assertFalse(os.get_inheritable(end))

    def test_arguments_are_not_looked_into(self) -> None:
        """What a shell would act on reaches the program as it is."""
        words = ("a b", "$(id)", "`id`", "*", ";", "", "ü")

        stdout, _, _ = self.result(command(argv=("/usr/bin/printf", "%s|")), *words)

        self.assertEqual(stdout.decode(), "".join(f"{word}|" for word in words))

    def test_words_are_utf_8_in_every_locale(self) -> None:
        """A character that the locale lacks is nobody's mistake; and no other bytes are given instead."""
        self.patch(os, "fsencode", lambda word: word.encode("ascii"))
        environment = (("NAME", "€"),)

        stdout, _, _ = self.result(
            command(argv=("/bin/sh", "-c", 'echo "$NAME$1"', "sh"), environment=environment), "ü€"
        )

        self.assertEqual(stdout, "€ü€\n".encode())

    def test_standard_input(self) -> None:
        """What is to be read, from its beginning and to its end, by each process anew; nothing of it stays open."""
        before = open_descriptors()
        for text in ("", "a\nb\n", "x" * 1_000_000):
            self.assertEqual(self.said(command(argv=("/bin/cat",), stdin=text.encode())), text)
            self.assertEqual(self.said(command(argv=("/bin/cat",), stdin=text.encode())), text)
        self.assertEqual(self.said(command(argv=("/bin/cat",))), "")
        self.assertEqual(open_descriptors(), before)

    def test_the_environment_is_exactly_as_given(self) -> None:
        """A command has the variables of its configuration, and none of ours."""
        environment = (("LANG", "C.UTF-8"), ("NAME", "a b=c"))

        self.assertEqual(
            self.said(command(argv=("/usr/bin/env",), environment=environment)), "LANG=C.UTF-8\nNAME=a b=c\n"
        )
        self.assertEqual(self.said(command(argv=("/usr/bin/env",))), "")

    def test_nothing_but_three_streams_is_open(self) -> None:
        """Standard input is /dev/null; and of all that we have open nothing gets through."""
        self.addCleanup(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        for descriptor in open_descriptors():  # whatever the tests were started with
            if os.get_inheritable(descriptor) and descriptor > 2:
                os.set_inheritable(descriptor, False)
                self.addCleanup(os.set_inheritable, descriptor, True)
        script = "import os; print(sorted(os.listdir('/proc/self/fd')), os.readlink('/proc/self/fd/0'), os.read(0, 1))"

        # The fourth is the directory that is being listed.
        self.assertEqual(self.said(_python(script)), "['0', '1', '2', '3'] /dev/null b''\n")

    def test_it_leads_its_own_session(self) -> None:
        """Process, group and session are one, and have no terminal."""
        stat = self.said(_cat("stat"))

        group, session, terminal = map(int, stat.rpartition(")")[2].split()[2:5])
        pid = int(stat.split()[0])
        self.assertEqual((group, session, terminal), (pid, pid, 0))

    def test_no_signal_is_ignored_or_blocked(self) -> None:
        """Neither what Python ignores nor what we block is inherited."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)

        status = self.status()

        # The C library keeps signals 32 and 33 to itself; those cannot be set back.
        known = sum(1 << (number - 1) for number in signal.valid_signals())
        self.assertEqual([int(status[each], 16) & known for each in ("SigBlk", "SigIgn", "SigCgt")], [0, 0, 0])

    def test_it_is_marked(self) -> None:
        """The program runs with its run's tag; it is not waited for here, as posix_spawn's comes a moment later."""
        launched = self.launch(command(argv=("/bin/sleep", "60")))
        self.addCleanup(os.waitpid, launched.pid, 0)
        self.addCleanup(os.kill, launched.pid, signal.SIGKILL)
        self.addCleanup(os.close, launched.stdout)
        self.addCleanup(os.close, launched.stderr)

        self.assertEqual(ProcessTags(5).read(launched.pid), self.tag)

    def test_we_are_not_marked(self) -> None:
        """Who starts a command is not taken for one."""
        self.said(command(argv=("/bin/true",)))

        self.assertIsNone(ProcessTags(5).read(os.getpid()))

    def test_nobody_waits_for_who_is_stopped(self) -> None:
        """A child that is stopped before it is the program is not waited for, and can be killed."""
        if self.is_short_lived:
            raise SkipTest("nobody but we could stop it")
        self.patch(launching, "control", lambda *_: os.kill(os.getpid(), signal.SIGSTOP))
        launched = self.launcher.launch(command(), command().invocation(()), self.tag, is_short_lived=False)
        assert launched.complaint is not None
        for descriptor in (launched.stdout, launched.stderr, launched.complaint):
            self.addCleanup(os.close, descriptor)
        os.waitid(os.P_PID, launched.pid, os.WSTOPPED | os.WNOWAIT)

        self.assertFalse(has_begun(launched.complaint))
        os.kill(launched.pid, signal.SIGKILL)
        os.waitpid(launched.pid, 0)
        self.assertTrue(has_begun(launched.complaint))

    # What cannot be

    def test_what_cannot_be_executed_is_an_error(self) -> None:
        """The kernel's reason is raised, and nothing is left: no process, no descriptor."""
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        (directory / "text").write_text("no program", "ascii")
        (directory / "garbage").write_bytes(b"\x7fELF but no more")
        (directory / "garbage").chmod(0o755)
        before = open_descriptors()

        for path, reason in (
            ("/nonexistent/program", errno.ENOENT),
            ("/etc/passwd/program", errno.ENOTDIR),
            (str(directory), errno.EACCES),
            (str(directory / "text"), errno.EACCES),
            (str(directory / "garbage"), errno.ENOEXEC),
        ):
            with self.assertRaises(OSError) as caught:
                self.launch(command(argv=(path,)))
            self.assertEqual(caught.exception.errno, reason, path)

        self.assertEqual(open_descriptors(), before)
        self.assertRaises(ChildProcessError, os.waitpid, -1, os.WNOHANG)

    def test_words_that_are_too_long_are_an_error(self) -> None:
        """More than the kernel takes is E2BIG."""
        with self.assertRaises(OSError) as caught:
            self.launch(command(argv=("/bin/echo",)), "x" * (1 << 20))

        self.assertEqual(caught.exception.errno, errno.E2BIG)

    def test_a_word_with_a_nul_character_is_an_error(self) -> None:
        """The kernel would cut it there; no type of parameter lets one through."""
        before = open_descriptors()

        self.assertRaises((ValueError, OSError), self.launch, command(argv=("/bin/echo",)), "a\0b")

        self.assertEqual(open_descriptors(), before)

    def test_without_descriptors_it_is_an_error(self) -> None:
        """When no pipe can be made it is EMFILE, and nothing is kept open."""
        before = open_descriptors()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for room in range(6):
            free = next(number for number in range(1024) if number not in before)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + room, hard))
            try:
                launched = self.launch(command(argv=("/bin/true",)))
            except OSError as error:
                self.assertEqual(error.errno, errno.EMFILE)
            else:
                os.close(launched.stdout)
                os.close(launched.stderr)
                os.waitpid(launched.pid, 0)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            self.assertEqual(open_descriptors(), before)


@pytest.mark.slow
class ShortLivedTests(ForkTests):
    """The same by posix_spawn, for commands that were over quickly the last time."""

    is_short_lived = True

    def test_nothing_is_forked(self) -> None:
        """A plain command is started without a copy of us."""
        self.patch(os, "fork", None)

        self.assertEqual(self.said(command(argv=("/bin/echo", "said"))), "said\n")

    def test_who_has_something_said_of_it_is_forked(self) -> None:
        """Whatever posix_spawn cannot do is done though the command was quick."""
        spawned: list[object] = []
        self.patch(launching, "spawn", lambda *args, **_: spawned.append(args))

        for differences in (
            {"working_directory": "/tmp"},
            {"controls": Controls(umask=0o077)},
            {"controls": Controls(nice=1)},
            {"controls": Controls(limits=(("cpu_seconds", 5),))},
        ):
            self.said(command(argv=("/bin/true",), **differences))

        self.assertEqual(spawned, [])


@pytest.mark.slow
class ControlTests(_TestCase):
    """What is said of a command."""

    def test_umask(self) -> None:
        """Files that it makes have the modes that it is allowed."""
        self.assertEqual(self.status()["Umask"], "0022")
        self.assertEqual(self.status(controls=Controls(umask=0o077))["Umask"], "0077")
        self.assertEqual(self.status(controls=Controls(umask=0))["Umask"], "0000")

    def test_nice(self) -> None:
        """Its priority is what is said, and ours if nothing is."""
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        script = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"

        self.assertEqual(self.said(_python(script, controls=Controls(nice=17))), "17\n")
        self.assertEqual(self.said(_python(script)), f"{ours}\n")

    def test_working_directory(self) -> None:
        """It begins where it is told to."""
        self.assertEqual(self.said(command(argv=("/bin/pwd",), working_directory="/usr")), "/usr\n")

    def test_a_directory_that_is_gone_is_an_error(self) -> None:
        """It does not run elsewhere instead."""
        with self.assertRaises(FileNotFoundError):
            self.launch(command(working_directory="/nonexistent"))

    def test_limits(self) -> None:
        """Each limit is the kernel's, soft and hard."""
        limits = (
            ("cpu_seconds", 7),
            ("memory_bytes", 1 << 30),
            ("processes", 4321),
            ("open_files", 123),
            ("file_bytes", 1 << 20),
        )

        said = self.said(_cat("limits", controls=Controls(limits=limits)))

        found = dict(re.findall(r"^(Max .+?)  +(\d+ +\d+) ", said, re.MULTILINE))
        for name, value in (
            ("Max cpu time", 7),
            ("Max address space", 1 << 30),
            ("Max processes", 4321),
            ("Max open files", 123),
            ("Max file size", 1 << 20),
        ):
            self.assertEqual(found[name].split(), [str(value)] * 2, name)

    def test_the_smallest_limits_let_a_program_begin(self) -> None:
        """Room for one descriptor more, and no file that may be written, are enough to say something."""
        limits = Controls(limits=(("open_files", 4), ("file_bytes", 0)))

        self.assertEqual(self.said(command(argv=("/bin/echo", "said"), controls=limits)), "said\n")

    def test_a_limit_above_what_we_have_is_no_exec_format_error(self) -> None:
        """Who is no root cannot raise a limit: it stays what it is, or the reason says so."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        asked = command(argv=("/bin/true",), controls=Controls(uid=None, limits=(("open_files", (1 << 31) - 1),)))

        try:
            self.result(asked)
        except OSError as error:
            self.assertIn(error.errno, {errno.EPERM, errno.EINVAL}, (soft, hard))

    def test_memory_too_small_to_begin_is_an_end(self) -> None:
        """A program that cannot even be loaded within its limit ends, and who started it goes on."""
        asked = command(argv=("/bin/true",), controls=Controls(limits=(("memory_bytes", 1 << 20),)))

        try:
            _, _, status = self.result(asked)
        except OSError as error:
            self.assertEqual(error.errno, errno.ENOMEM)
        else:
            self.assertNotEqual(status, 0)

    def test_it_dies_with_its_parent(self) -> None:
        """A command that was forked is killed by the kernel as soon as whoever started it is dead."""
        self.assertEqual(self.said(_python(_SHOW_DEATH_SIGNAL)), "9\n")


@pytest.mark.slow
@needs_root
class UserTests(_TestCase):
    """What only root can do."""

    nobody = Controls(uid=_NOBODY, gid=_NOGROUP)

    def test_user_and_group(self) -> None:
        """All its user and group numbers are those of the command's user, and it has no other group."""
        self.addCleanup(os.setgroups, os.getgroups())
        os.setgroups([0, 4, 27])

        status = self.status(controls=self.nobody)

        self.assertEqual(status["Uid"].split(), [str(_NOBODY)] * 4)
        self.assertEqual(status["Gid"].split(), [str(_NOGROUP)] * 4)
        self.assertEqual(status["Groups"].split(), [])

    def test_it_has_no_capabilities(self) -> None:
        """Nothing of root is left in who is another user: neither now nor to be had later."""
        status = self.status(controls=self.nobody)

        self.assertEqual([int(status[each], 16) for each in ("CapPrm", "CapEff", "CapInh", "CapAmb")], [0] * 4)

    def test_limits_and_nice_are_roots_to_set(self) -> None:
        """A command of another user may have a priority and limits that this user could not choose."""
        controls = Controls(uid=_NOBODY, gid=_NOGROUP, nice=-3, limits=(("processes", 9999),))

        self.assertEqual(self.said(command(argv=("/usr/bin/nice",), controls=controls)), "-3\n")
        self.assertIn("Max processes             9999 ", self.said(_cat("limits", controls=controls)))

    def test_a_directory_is_entered_as_the_user(self) -> None:
        """Where the user may not go, its command does not begin."""
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        directory.chmod(0o700)

        with self.assertRaises(PermissionError):
            self.launch(command(controls=self.nobody, working_directory=str(directory)))

    def test_it_dies_with_its_parent_as_another_user_too(self) -> None:
        """To change the user makes the kernel forget the signal; it is asked for after that."""
        try:
            said = self.said(_python(_SHOW_DEATH_SIGNAL, controls=self.nobody))
        except PermissionError:
            raise SkipTest("nobody may run this Python") from None
        self.assertEqual(said, "9\n")

    def test_a_user_with_too_many_processes_is_eagain(self) -> None:
        """The user's limit of processes keeps the program from beginning, and that is told as such."""
        controls = Controls(uid=_NOBODY, gid=_NOGROUP, limits=(("processes", 1),))
        for _ in range(2):
            running = self.launch(command(argv=("/bin/sleep", "60"), controls=self.nobody))
            self.addCleanup(os.waitpid, running.pid, 0)
            self.addCleanup(os.kill, running.pid, signal.SIGKILL)
            self.addCleanup(os.close, running.stdout)
            self.addCleanup(os.close, running.stderr)

        with self.assertRaises(BlockingIOError) as caught:
            self.launch(command(argv=("/bin/true",), controls=controls))

        self.assertEqual(caught.exception.errno, errno.EAGAIN)
