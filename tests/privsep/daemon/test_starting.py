"""Tests of how the daemon starts the runner process and waits for it."""

import os
import socket
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.core.errors import CannotStart
from cmdserver.privsep.daemon import starting
from cmdserver.privsep.messages import Read, Ready, Trouble, encode
from tests.integration.daemon import is_alive, shell
from tests.privsep.playing import Played, children, configuration, played
from tests.waiting import wait_until


class WaitingTests(SynchronousTestCase):
    """What the runner may begin with."""

    def setUp(self) -> None:
        self.ours, self.runner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.ours.close)
        self.addCleanup(self.runner.close)

    def complaint(self) -> str:
        """Wait in vain; return what is said of it."""
        return str(self.assertRaises(CannotStart, starting.wait_for, self.ours))

    def test_a_runner_introduces_itself(self) -> None:
        """Then it can be asked, through a socket that does not block."""
        self.runner.send(encode(Ready(0, 1, 2)))

        self.assertEqual(starting.wait_for(self.ours), Ready(0, 1, 2))
        self.assertFalse(self.ours.getblocking())

    def test_its_mistakes_are_told(self) -> None:
        """A configuration that it cannot read is why the daemon does not start."""
        self.runner.send(encode(Read(("7: this is wrong",), ())))

        self.assertIn("7: this is wrong", self.complaint())

    def test_its_end_is_told(self) -> None:
        """A runner that dies at once is."""
        self.runner.close()

        self.assertIn("has ended", self.complaint())

    def test_silence_is_told(self) -> None:
        """One that says nothing is waited for only so long."""
        self.patch(starting, "PATIENCE_SECONDS", 0.01)

        self.assertIn("does not answer", self.complaint())

    def test_anything_else_is_told(self) -> None:
        """Who begins with something else is none."""
        self.runner.send(encode(Trouble("oh")))

        self.assertIn("oh", self.complaint())


@pytest.mark.slow
def test_runner_is_by_itself(tmp_path: Path) -> None:
    """It is in a session of its own, in no directory that matters, and has nothing open but what it needs."""
    with Path(os.devnull).open("rb") as file, played(tmp_path, {"word": shell("echo word")}) as runner:
        os.set_inheritable(file.fileno(), False)
        assert os.getsid(runner.pid) == runner.pid
        assert Path(f"/proc/{runner.pid}/cwd").readlink() == Path("/")
        sockets = [
            entry.name
            for entry in Path(f"/proc/{runner.pid}/fd").iterdir()
            if entry.name not in {"0", "1", "2"} and str(entry.readlink()).startswith("socket:")
        ]
        assert sockets == ["3"]
        environment = Path(f"/proc/{runner.pid}/environ").read_bytes().split(b"\0")
        assert {each.partition(b"=")[0] for each in environment} - {b"", b"PYTHONPATH"} == {b"PATH", b"LANG"}


@pytest.mark.slow
def test_runner_does_not_heed_a_terminal(tmp_path: Path) -> None:
    """The signals that end a service are for the daemon to hear; it tells the runner by hanging up."""
    with played(tmp_path, {"word": shell("echo word")}) as runner:
        for number in (1, 2, 15):
            os.kill(runner.pid, number)
            os.kill(runner.standby, number)
        assert runner.works()
        assert all(map(is_alive, (runner.pid, runner.standby)))
        assert children(runner.pid) == [runner.standby]


@pytest.mark.slow
def test_runner_cannot_begin(tmp_path: Path) -> None:
    """With a configuration that it does not understand it says so, in short, and is gone."""
    file = tmp_path / "cmdserver.toml"
    for text in (
        configuration({"x": {"run": ["/nonexistent"]}}),
        "[",
        configuration({"x": {"run": ["/" + "x" * 200_000]}}),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(CannotStart, match="cannot read the configuration"):
            Played(file)
    file.unlink()
    with pytest.raises(CannotStart, match="No such file"):
        Played(file)
    wait_until(lambda: not _of(file), "they are gone")


def _of(file: Path) -> list[str]:
    """Find processes that name a file, and are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and entry.name != str(os.getpid()):
            try:
                if str(file).encode() in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
    return found
