"""Tests of starting programs: real ones, by posix_spawn(3)."""

import errno
import os
import signal

from twisted.trial.unittest import SynchronousTestCase

from cmdserver.execution.posix import open_null
from cmdserver.execution.spawning import spawn
from tests.contracts import open_descriptors


class SpawnTests(SynchronousTestCase):
    """What a program gets, and what keeps it from starting."""

    def setUp(self) -> None:
        self.null = open_null()
        self.addCleanup(os.close, self.null)

    def said(self, *argv: str | bytes, defaults: tuple[int, ...] = (), **environment: str) -> bytes:
        """Run a program to its end, and return what it says."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as said:
            pid = spawn(argv[0], argv, environment, {0: self.null, 1: writing, 2: writing}, defaults)
            os.close(writing)
            text = said.read()
        self.assertEqual(os.waitpid(pid, 0), (pid, 0))
        return text

    def test_words_and_variables(self) -> None:
        """As they are, bytes included, and no others; again and again."""
        for _ in range(3):
            words = self.said("/bin/echo", "a b", "", b"\xff\n", "ä")
            self.assertEqual(words, b"a b  " + b"\xff\n \xc3\xa4\n")
            self.assertEqual(self.said("/usr/bin/env", A="1=2", B=""), b"A=1=2\nB=\n")

    def test_a_session_of_its_own(self) -> None:
        """It leads it, and its group; no signal is blocked, and those named have their default actions."""
        with_ignored = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGUSR2, with_ignored)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        script = "read pid rest </proc/self/stat; echo $rest | cut -d' ' -f4; grep -E 'SigBlk|SigIgn' /proc/self/status"
        session, blocked, ignored = self.said("/bin/sh", "-c", script, defaults=(signal.SIGUSR2,)).split(b"\n")[:3]
        self.assertNotEqual(int(session), os.getsid(0))
        self.assertEqual(int(blocked.split()[1], 16), 0)
        self.assertEqual(int(ignored.split()[1], 16) & 1 << (signal.SIGUSR2 - 1), 0)

    def test_descriptors(self) -> None:
        """It has those that it is given, and one that has its number already stays; nothing is left open here."""
        before = open_descriptors()
        self.assertEqual(self.said("/bin/sh", "-c", "ls /proc/self/fd | wc -l"), b"4\n")  # and that of ls
        spare = os.dup(self.null)
        os.set_inheritable(spare, True)
        pid = spawn("/bin/sh", ["sh", "-c", f"test -e /proc/self/fd/{spare}"], {}, {spare: spare}, ())
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        os.close(spare)
        self.assertEqual(open_descriptors(), before)

    def test_what_goes_wrong(self) -> None:
        """Is the kernel's reason, with the path; a NUL would end a word early, and is refused."""
        for path, number in (("/no/such", errno.ENOENT), ("/etc/passwd", errno.EACCES), ("/", errno.EACCES)):
            with self.subTest(path):
                error = self.assertRaises(OSError, spawn, path, ["x"], {}, {}, ())
                self.assertEqual((error.errno, error.filename), (number, path))
        self.assertRaises(ValueError, spawn, "/bin/true", ["x\0y"], {}, {}, ())
        self.assertRaises(ValueError, spawn, "/bin/true", ["x"], {"A": "x\0y"}, {}, ())
        self.assertRaises(ValueError, spawn, "/bin/true", ["x"], {"A=B": "x"}, {}, ())
        self.assertRaises(OSError, spawn, "/bin/true", ["x"], {}, {}, (4711,))
