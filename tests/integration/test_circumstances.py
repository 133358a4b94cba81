"""Starting where little can be taken for granted: after a crash, without streams or a home, amid signals."""

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Listener, clean_environment, is_listening, shell
from tests.integration.users import as_number, directory_of_nobody
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

COMMANDS = {"word": shell("echo word")}

#: twistd, to which a signal is sent when its listeners are open and it is not yet running.
_SIGNALLED = """
import os, signal, sys
from cmdserver.privsep.daemon import starting
waits = starting.wait_for

def wait_for(connection):
    for number in {numbers}:
        os.kill(os.getpid(), number)
    return waits(connection)

starting.wait_for = wait_for
sys.argv[0] = "twistd"
from twisted.scripts.twistd import run
run()
"""


def _signalled(daemon: Daemon, *numbers: signal.Signals) -> list[str]:
    _, *options = daemon.command_line()
    return [sys.executable, "-c", _SIGNALLED.format(numbers=[int(each) for each in numbers]), *options]


def test_a_reload_that_comes_too_early(daemon_to_be: Daemon) -> None:
    """SIGHUP while the daemon starts is no end of it: the file is read again as soon as it runs."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    daemon.start(command_line=_signalled(daemon, signal.SIGHUP, signal.SIGHUP))

    daemon.wait_for_log("configuration read again")
    assert daemon.ask("word\n") == b"word\n"
    daemon.stop()


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
    ids=["TERM", "INT", "several"],
)
def test_an_end_that_comes_too_early(daemon_to_be: Daemon, numbers: Sequence[signal.Signals]) -> None:
    """It is the end of a daemon that runs: nothing is left of it, and its status says which signal it was."""
    daemon = daemon_to_be
    path = daemon.directory / "socket"
    daemon.configure(COMMANDS, listen=[daemon.endpoint(), f"unix:{path}"])
    done = subprocess.run(
        _signalled(daemon, *numbers),
        cwd=daemon.directory,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr

    assert done.returncode == -numbers[0], said
    assert "Traceback" not in said
    wait_until(lambda: not daemon.pid_file.exists(), "the pid file is gone")
    wait_until(lambda: not path.exists(), "the socket is gone")
    assert not is_listening(daemon.address)


@pytest.mark.parametrize(
    "closed", [each for count in (1, 2, 3) for each in itertools.combinations((0, 1, 2), count)], ids=str
)
def test_without_standard_streams(daemon_to_be: Daemon, closed: Sequence[int]) -> None:
    """Whichever of them are closed: it starts, answers and ends, and nothing that it says goes anywhere else."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS, listeners=[Listener(tls=True)])
    shut = " ".join(f"{each}{'<' if each == 0 else '>'}&-" for each in closed)
    daemon.start(command_line=["sh", "-c", f'exec "$@" {shut}', "sh", *daemon.command_line()])

    assert daemon.ask("word\n") == b"word\n"
    streams = {each: Path(f"/proc/{daemon.pid}/fd/{each}").readlink() for each in closed}
    assert set(streams.values()) == {Path(os.devnull)}
    assert daemon.stop() == -signal.SIGTERM
    assert [each["command"] for each in daemon.audit() if each["event"] == "request"] == ["word"]


def test_the_foreground_needs_no_pid_file(daemon_to_be: Daemon) -> None:
    """With ``-n`` there is one only if it was asked for."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    line = [word for word in daemon.command_line() if not word.startswith("--pidfile")]
    daemon.start(command_line=line)
    assert not daemon.pid_file.exists()
    daemon.stop()
    line[2:2] = ["--pidfile", "twistd.pid"]
    daemon.start(command_line=line)
    assert daemon.pid_file.read_text("ascii") == f"{daemon.pid}\n"
    daemon.stop()
    wait_until(lambda: not daemon.pid_file.exists(), "it is gone with the daemon")


def test_a_second_daemon(daemon_to_be: Daemon) -> None:
    """While one runs with a pid file, another with the same does not start, and leaves it alone."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    daemon.start()
    done = daemon.run_to_end()

    assert done.returncode == 1
    assert f"a daemon runs already, as process {daemon.pid} says {daemon.pid_file}" in done.stdout + done.stderr
    assert daemon.pid_file.exists()
    daemon.stop()


@pytest.mark.parametrize("what", ["socket", "pid file"])
def test_a_number_that_is_somebodys_by_now(daemon_to_be: Daemon, what: str) -> None:
    """What a killed daemon has left names a process that is no daemon, as it soon does in a container."""
    daemon = daemon_to_be
    path = daemon.directory / "socket"
    daemon.configure(COMMANDS, listen=[daemon.endpoint(), f"unix:{path}"])
    somebody = os.getpid() if what == "socket" else os.getppid()
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            for number in (somebody, other.pid):
                daemon.pid_file.write_text(f"{number}", "ascii")
                with socket.socket(socket.AF_UNIX) as left:
                    left.bind(str(path))
                Path(f"{path}.lock").symlink_to(f"{number}")
                daemon.start(str(path))
                assert daemon.ask("word\n") == b"word\n"
                daemon.stop()
                wait_until(lambda: not path.exists() and not daemon.pid_file.exists(), "both are gone")
        finally:
            other.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become such a user")
@pytest.mark.parametrize("is_told", [True, False])
def test_a_user_without_a_home(is_told: bool) -> None:
    """A number without a name, a home or a directory to write to, as container platforms use: it runs, or says how."""
    with directory_of_nobody() as directory:
        daemon = Daemon(directory)
        try:
            daemon.configure(COMMANDS)
            directory.chmod(0o755)
            daemon.state_directory.mkdir(mode=0o700)
            options = [f"--config={daemon.config_file}", f"--state-dir={daemon.state_directory}"]
            if is_told:
                as_number(daemon, 54321, *options)
                assert daemon.ask("word\n") == b"word\n"
            else:
                with pytest.raises(AssertionError, match="the daemon is gone"):
                    as_number(daemon, 54321, options[0])
                assert "say where with --state-dir DIR" in daemon.log()
            assert "Traceback" not in daemon.log()
        finally:
            daemon.end()
