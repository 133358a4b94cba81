"""Tests of the daemon as a process of its host."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.app.host_process import allow_connections, isolate_descriptors, on_signal, tell_systemd

LIST_INHERITABLE = """
import json, os, sys
from cmdserver.app.host_process import isolate_descriptors
isolate_descriptors()
inheritable = []
for entry in os.listdir("/proc/self/fd"):
    try:
        if os.get_inheritable(int(entry)):
            inheritable.append(int(entry))
    except OSError:
        pass  # that of the listing
names = [os.readlink(f"/proc/self/fd/{number}") for number in range(3)]
with open(sys.argv[1], "w") as file:
    json.dump([sorted(inheritable), names], file)
"""


def isolated(redirections: str = "", inherit: tuple[int, ...] = ()) -> tuple[list[int], list[str]]:
    """Isolate a Python of its own, started as by a shell.

    Args:
        redirections: What the shell does to its descriptors first, such as ``0<&-``.
        inherit: Descriptors of ours that it is given.

    Returns:
        Which descriptors its children would inherit, and what its standard streams are.
    """
    with tempfile.NamedTemporaryFile("r") as output:
        script = f'exec "$@" {redirections}'
        words = ["/bin/sh", "-c", script, "sh", sys.executable, "-c", LIST_INHERITABLE, output.name]
        subprocess.run(words, check=True, pass_fds=inherit, timeout=60)
        inheritable, names = json.load(output)
    return inheritable, names


@pytest.mark.slow
class IsolationTests(SynchronousTestCase):
    """What children inherit, tried in a process of its own."""

    def test_nothing_that_we_were_started_with_is_inherited(self) -> None:
        """A descriptor that came from outside is close-on-exec afterwards; the standard streams are not."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)

        inheritable, _ = isolated(inherit=(theirs.fileno(),))

        self.assertEqual(inheritable, [0, 1, 2])

    def test_closed_standard_streams_are_opened(self) -> None:
        """A daemon that was started without some of them has /dev/null there, and nothing else gets such a number."""
        for closed in ([0], [1], [2], [0, 1, 2]):
            inheritable, names = isolated(" ".join(f"{each}>&-" for each in closed))

            self.assertEqual(inheritable, [0, 1, 2])
            self.assertEqual([names[each] for each in closed], [os.devnull] * len(closed))

    def test_open_standard_streams_stay(self) -> None:
        """What is there is not replaced."""
        _, names = isolated("</etc/passwd >/dev/zero")

        self.assertEqual(names[:2], ["/etc/passwd", "/dev/zero"])


class HereTests(SynchronousTestCase):
    """The same, as far as it can be tried in the process of the tests."""

    def test_descriptors_are_made_close_on_exec(self) -> None:
        """A descriptor above the standard streams that could be inherited cannot be afterwards, and stays open."""
        inherited = [each for each in range(3, 1024) if self.is_inheritable(each)]
        for each in inherited:
            self.addCleanup(os.set_inheritable, each, True)
        descriptor = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        os.set_inheritable(descriptor, True)

        isolate_descriptors()

        self.assertFalse(os.get_inheritable(descriptor))
        self.assertEqual([each for each in inherited if os.get_inheritable(each)], [])

    @staticmethod
    def is_inheritable(descriptor: int) -> bool:
        """Whether there is such a descriptor, and children would have it."""
        try:
            return os.get_inheritable(descriptor)
        except OSError:
            return False

    def test_nothing_is_left_open(self) -> None:
        """To look at the descriptors leaves none behind."""
        before = os.open(os.devnull, os.O_RDONLY)
        os.close(before)

        isolate_descriptors()
        after = os.open(os.devnull, os.O_RDONLY)
        os.close(after)

        self.assertEqual(after, before)


class LimitTests(SynchronousTestCase):
    """How many descriptors may be open."""

    def setUp(self) -> None:
        self.changes: list[tuple[int, tuple[int, int]]] = []
        self.patch(resource, "setrlimit", self.change)

    def let(self, soft: int, hard: int) -> None:
        """Be started with these limits."""
        self.limits = (soft, hard)
        self.patch(resource, "getrlimit", lambda _: self.limits)

    def change(self, which: int, limits: tuple[int, int]) -> None:
        """Have these limits from now on."""
        self.changes.append((which, limits))
        self.limits = limits

    def test_enough_is_left_alone(self) -> None:
        """A limit that is high enough is not touched, and commands need no other."""
        self.let(4096, 8192)

        self.assertIsNone(allow_connections(1000))

        self.assertEqual(self.changes, [])

    def test_too_little_is_raised(self) -> None:
        """A soft limit that is too low becomes as much as is needed, with some for ourselves; the hard one stays."""
        self.let(1024, 20_000)

        with capturedLogs() as events:
            inherited = allow_connections(10_000)

        ((which, (soft, hard)),) = self.changes
        self.assertEqual((which, hard), (resource.RLIMIT_NOFILE, 20_000))
        self.assertTrue(10_000 < soft < 10_200, soft)
        self.assertEqual(inherited, (1024, 20_000))
        self.assertEqual(events, [])

    def test_no_hard_limit_is_no_limit(self) -> None:
        """With an infinite hard limit the soft one becomes what is needed."""
        self.let(1024, resource.RLIM_INFINITY)

        allow_connections(10_000)

        self.assertGreater(self.changes[0][1][0], 10_000)

    def test_more_than_possible_is_said(self) -> None:
        """Where the hard limit is too low, it is used up, and the log says how much is missing."""
        self.let(1024, 4096)

        with capturedLogs() as events:
            allow_connections(10_000)

        self.assertEqual(self.changes, [(resource.RLIMIT_NOFILE, (4096, 4096))])
        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])
        self.assertEqual(events[0]["possible"], 4096)


class HangupSignalTests(SynchronousTestCase):
    def test_sighup_calls(self) -> None:
        """Each SIGHUP is one call."""
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        calls: list[str] = []
        on_signal(signal.SIGHUP, lambda: calls.append("called"))

        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)

        self.assertEqual(calls, ["called", "called"])


class SystemdTests(SynchronousTestCase):
    """Telling systemd."""

    def setUp(self) -> None:
        self.patch(os, "environ", dict(os.environ))
        os.environ.pop("NOTIFY_SOCKET", None)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.setblocking(False)

    def heard(self) -> dict[str, str]:
        """Read what was told."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def test_it_is_told_by_a_path(self) -> None:
        """The state, and when it was reached, go to the socket that the environment names."""
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/notify"
            self.socket.bind(path)
            os.environ["NOTIFY_SOCKET"] = path

            tell_systemd("READY=1")

        heard = self.heard()
        self.assertEqual(heard["READY"], "1")
        self.assertLessEqual(int(heard["MONOTONIC_USEC"]), time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def test_it_is_told_by_an_abstract_name(self) -> None:
        """A name that begins with @ is one without a file."""
        name = f"cmdserver-test-{os.getpid()}"
        self.socket.bind(f"\0{name}")
        os.environ["NOTIFY_SOCKET"] = f"@{name}"

        tell_systemd("STOPPING=1")

        self.assertEqual(self.heard()["STOPPING"], "1")

    def test_without_systemd_nothing_is_told(self) -> None:
        """Without the variable, or with something else in it, nothing happens."""
        with capturedLogs() as events:
            tell_systemd("READY=1")
            os.environ["NOTIFY_SOCKET"] = "vsock:2:1234"
            tell_systemd("READY=1")

        self.assertEqual(events, [])

    def test_what_cannot_be_told_is_logged(self) -> None:
        """A socket that is gone is a warning, not an end."""
        os.environ["NOTIFY_SOCKET"] = "/nonexistent/notify"

        with capturedLogs() as events:
            tell_systemd("READY=1")

        self.assertEqual([event["log_level"] for event in events], [LogLevel.warn])
