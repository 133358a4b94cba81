"""The contracts of whatever starts processes, kept by a real runner process and its `RemoteBackend`."""

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.model import Command
from cmdserver.privsep.daemon.remote_backend import RemoteBackend
from cmdserver.privsep.messages import decode_report
from tests import contracts
from tests.contracts import RecordingProtocol, Script, state_of, until
from tests.running_doubles import command
from tests.waiting import LIMIT_SECONDS

_SCRIPT = Path(__file__).with_name("serve_commands.py")


class _Runners:
    """Runner processes for a test, one for each command; they are gone after it.

    Args:
        test: Which.
    """

    def __init__(self, test: SynchronousTestCase) -> None:
        self._test = test
        self._by_command: dict[Command, RemoteBackend] = {}

    def starts(self, asked: Command) -> RemoteBackend:
        """Give what starts a command."""
        if asked not in self._by_command:
            self._by_command[asked] = self._begin(asked)
        return self._by_command[asked]

    def _begin(self, asked: Command) -> RemoteBackend:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        family = str(int.from_bytes(os.urandom(3), "big"))
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT), str(theirs.fileno()), family],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env={"PYTHONPATH": ":".join(sys.path)},
            )
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((asked,)))
        process.stdin.close()
        remote = RemoteBackend(contracts.reactor, lambda *_: None, lambda: None)
        ours.settimeout(LIMIT_SECONDS)
        ready = decode_report(ours.recv(65536))
        remote.attach(ours)
        remote.take(ready, ())
        self._test.addCleanup(process.wait)
        self._test.addCleanup(remote.close)
        return remote


@pytest.mark.slow
class RemoteSpawnerTests(contracts.SpawnerContract):
    """What starts processes."""

    def setUp(self) -> None:
        self.runners = _Runners(self)

    def spawn(self, protocol: RecordingProtocol, script: Script) -> Any:
        stdout, stderr = (output.decode() for output in (script.stdout, script.stderr))
        ending = "exec sleep 60" if script.is_endless else f"exit {script.status}"
        line = f"printf %s '{stdout}'; printf %s '{stderr}' >&2; {ending}"
        return self._spawn(protocol, "/bin/sh", "-c", line)

    def spawn_missing(self, protocol: RecordingProtocol) -> IProcessTransport:
        transport: IProcessTransport = self._spawn(protocol, "/nonexistent/program")
        return transport

    def _spawn(self, protocol: RecordingProtocol, *argv: str) -> Any:
        asked = command(argv=argv, environment=(("PATH", "/bin"),))
        return self.runners.starts(asked).spawnProcess(cast("Any", protocol), asked.name, (asked.name,))

    async def settle(self, condition: Callable[[], bool]) -> None:
        await until(condition)

    async def linger(self) -> None:
        await deferLater(contracts.reactor, 0.05)


class _RemoteRunner(contracts.RunnerContract):
    """What runs commands."""

    def setUp(self) -> None:
        super().setUp()
        self.runners = _Runners(self)

    def starts(self, asked: Command) -> IReactorProcess:
        return self.runners.starts(asked)

    async def test_who_left_the_group_is_ended(self) -> None:
        """A child that went into a session of its own, with its output closed, does not outlive its command."""
        begun = self.begin(
            self.shell(
                "setsid sh -c 'echo $$ > child; exec sleep 60' >/dev/null 2>&1 & until test -s child; do :; done"
            )
        )

        finished = await begun.outcome()

        self.assertEqual((finished.exit_status, finished.timed_out), (0, False))
        child = await self.number("child")
        await until(lambda: state_of(child) == "gone")


@pytest.mark.slow
class GatheredTests(_RemoteRunner):
    """The contract, with the output gathered by getProcessOutputAndValue."""

    gathers = True


@pytest.mark.slow
class StreamedTests(_RemoteRunner):
    """The contract, with the output handed on as it comes."""

    gathers = False


del _RemoteRunner
