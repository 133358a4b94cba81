"""How many calls of ours a thing takes on its way: counts, which do not depend on the machine."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast

from twisted.internet.interfaces import IProcessProtocol
from twisted.trial.unittest import SynchronousTestCase

import cmdserver
from cmdserver.core.model import Command
from cmdserver.execution.pipes import Piped
from cmdserver.frontends.web.held_response import HELD_TEXT_BYTES
from cmdserver.observers.run_log import log_event
from cmdserver.parameters.number_types import Integer
from cmdserver.parameters.text_types import Choice, Flag
from tests.dispatch.doubles import taking
from tests.frontends.line.doubles import LineComposition
from tests.frontends.ssh.doubles import Client as SSHClient
from tests.frontends.web.doubles import WebComposition
from tests.parameters.doubles import a_parameter, optional
from tests.running_doubles import Composition, FakeSpawner, command, user

_MUCH = b"x" * (1 << 15)
SOURCE = str(Path(cmdserver.__file__).parent)


@contextmanager
def counting() -> Iterator[list[str]]:
    """Name the functions of ours that are called, in order."""
    names: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCE):
            names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield names
    finally:
        sys.setprofile(before)


class PipeReactor:
    """Watches nothing: the test says when a pipe can be read."""

    def addReader(self, reader: object) -> None:
        pass

    def removeReader(self, reader: object) -> None:
        pass


class RealPipe(Piped):
    """A process of which only a real pipe is there."""

    def signal_group(self, number: int) -> None:
        pass

    def look_at_group(self) -> None:
        pass


class ChunkTests(SynchronousTestCase):
    """A chunk of output, from the pipe to the transport of the client who asked for it."""

    def pipe_into(self, spawner: FakeSpawner) -> None:
        """Let the next process write into a real pipe."""
        self.reading, self.writing = os.pipe2(os.O_NONBLOCK)
        self.addCleanup(os.close, self.reading)
        self.addCleanup(os.close, self.writing)

        def spawnProcess(protocol: IProcessProtocol, *_: object) -> RealPipe:
            self.pipe = RealPipe(PipeReactor(), protocol)
            self.pipe.pid = 4711
            self.pipe.open({1: self.reading})
            protocol.makeConnection(cast("Any", self.pipe))
            return self.pipe

        self.patch(spawner, "spawnProcess", spawnProcess)

    def writes(self, data: bytes) -> None:
        """Write, and read the pipe."""
        os.write(self.writing, data)
        self.pipe.pipes[1].doRead()

    def calls(self) -> list[str]:
        """Count for the second chunk: the first may have more to do."""
        self.writes(b"one\n")
        with counting() as names:
            self.writes(b"two\n")
        return names

    def on_a_line(self, *, share: bool) -> list[str]:
        """Count for an answer to a line."""
        composition = LineComposition(self, command(share=share))
        self.pipe_into(composition.spawner)
        client = composition.connect()
        client.says(b"uptime\n")
        names = self.calls()
        self.assertTrue(client.got.endswith(b"one\ntwo\n"), client.got)
        return names

    def test_a_chunk_of_an_answer_of_its_own(self) -> None:
        """From the pipe to the transport in at most eight calls."""
        names = self.on_a_line(share=False)

        self.assertLessEqual(len(names), 8, names)

    def test_a_chunk_of_a_shared_answer(self) -> None:
        """Likewise."""
        names = self.on_a_line(share=True)

        self.assertLessEqual(len(names), 8, names)

    def test_a_chunk_over_ssh(self) -> None:
        """Likewise, up to what encrypts."""
        client = SSHClient(self)
        self.pipe_into(client.composition.spawner)
        session = client.asks("uptime")
        client.connection.when_sent = lambda: sys.setprofile(None)
        names = self.calls()

        self.assertEqual(session.stdout, b"one\ntwo\n")
        self.assertLessEqual(len(names), 8, names)

    def test_a_chunk_of_a_text_on_the_web(self) -> None:
        """Likewise, where it is too long to be held back."""
        composition = WebComposition(self, command(output_limit_bytes=1 << 30))
        self.pipe_into(composition.spawner)
        client = composition.ask_for("/uptime")
        for _ in range(HELD_TEXT_BYTES // len(_MUCH) + 1):
            self.writes(_MUCH)
        names = self.calls()

        self.assertTrue(client.response.body.endswith(b"xone\ntwo\n"), client.value()[-40:])
        self.assertLessEqual(len(names), 8, names)


class ValueTests(SynchronousTestCase):
    """From who asks to the process: what it costs that commands can take values."""

    def calls(self, asked: Command, *words: str) -> list[str]:
        """Count for the second time or the third: the first may have more to do, and one in 128 makes new ids."""
        composition = Composition(self, asked)
        counts = []
        for _ in range(3):
            with counting() as names:
                request = composition.dispatcher.authorize(user("ada"), [asked.name, *words])
                composition.dispatcher.run(request)
            composition.spawner.last.ends()
            counts.append(names)
        return min(counts[1:], key=len)

    def test_a_command_without_parameters(self) -> None:
        """As many as there were when no command took any, and ten to know the run and to record what it says."""
        self.assertLessEqual(len(names := self.calls(command())), 63, names)
        self.assertLessEqual(len(names := self.calls(command(share=True))), 65, names)

    def test_a_command_with_three(self) -> None:
        """At most sixty more."""
        parameters = [
            a_parameter("unit", Choice(choices={"nginx": "", "sshd": ""})),
            a_parameter("lines", Integer(minimum=1, maximum=500)),
            optional("utc", Flag(gives=("--utc",))),
        ]
        plain, taking_three = self.calls(command()), self.calls(taking("journal", *parameters), "nginx", "50", "yes")

        self.assertLessEqual(len(taking_three) - len(plain), 60, taking_three)


class EndTests(SynchronousTestCase):
    """From the end of a process to the answer, with all that is written down."""

    def calls(self, *, log: bool) -> list[str]:
        """Count for the second time: the first may have more to do."""
        composition = Composition(self, command())
        if log:
            composition.events.subscribe(log_event)
        for _ in range(2):
            composition.dispatcher.run(composition.dispatcher.authorize(user("ada"), ["uptime"]))
            with counting() as names:
                composition.spawner.last.ends()
        return names

    def test_the_log(self) -> None:
        """A line for a run costs three calls, whatever the logger does with it."""
        with_log, without = self.calls(log=True), self.calls(log=False)

        self.assertEqual(with_log.count("run_log.run_line"), 1)
        self.assertLessEqual(len(with_log) - len(without), 3, with_log)


class RequestTests(SynchronousTestCase):
    """A request of the web, from its last byte to the dispatcher's decision."""

    def test_a_request_is_authorized(self) -> None:
        """In at most twelve calls, beside those that look for a field."""
        composition = WebComposition(self)
        composition.ask_for("/uptime")
        with counting() as names:
            composition.ask_for("/uptime")

        names = [name for name in names if not name.startswith("whole_request.RequestFields.")]
        complete = names.index("request.WebRequest.requestReceived")
        self.assertLessEqual(names.index("dispatcher.Dispatcher.authorize") - complete, 12, names[complete:])
