"""What becomes of runs, connections and processes when runner, standby or daemon is killed, or short of room."""

import os
import select
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cmdserver.privsep.runner.control_groups import find_place
from cmdserver.privsep.runner.standby import MOST_MISSED
from tests.integration.client import Client
from tests.integration.daemon import Daemon, Listener, is_alive, prepared, running, shell
from tests.integration.logins import ALICE, LENIENT, PASSWORD, USER, write_passwords
from tests.integration.users import BECOME, as_nobody, directory_of_nobody
from tests.privsep.playing import children
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

#: Leaves its session, and hands on from one process to the next as fast as it can, for longer than any test takes;
#: without the mark that its run has put on it, if it is told so.
_COMET = """
import os, resource, sys, time
if os.fork():
    time.sleep(0.3)
    os._exit(0)
os.setsid()
for descriptor in range(3):
    os.close(descriptor)
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY,) * 2)
end = time.monotonic() + 120
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
"""

COMMANDS = {
    "word": shell("echo word"),
    "long": shell("echo begun; sleep 1000 & sleep 1000"),
    "escaping": shell(
        "setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' & until test -s /dev/null; do sleep 9; done"
    ),
    "leaving": shell("setsid sh -c 'exec sleep 1000' >/dev/null 2>&1 & sleep 0.2; echo left"),
    "slow": shell("echo begun; sleep 0.5; echo slow"),
    "comet": {"run": ["/usr/bin/python3", "-c", _COMET]},
    "shed": {"run": ["/usr/bin/python3", "-c", _COMET, "shed"]},
}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that runs, and that leaves nobody."""
    with running(tmp_path, COMMANDS, limits={"running": 16}) as daemon:
        yield daemon


#: A standby looks more often than usual, for as many signs of life.
_HURRY = {
    "cmdserver.privsep.runner.standby.HEARTBEAT_SECONDS": 0.2,
    "cmdserver.privsep.runner.standby.CHECK_SECONDS": 0.1,
}


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose standby notices soon that a runner is mute."""
    with running(tmp_path, COMMANDS, constants=_HURRY) as daemon:
        yield daemon


def _runner_of(daemon: Daemon) -> int:
    """Find the runner: the daemon's child that runs it; a zombie is none."""
    (pid,) = wait_until(lambda: [each for each in children(daemon.pid) if is_alive(each)], "there is a runner")[:1]
    return pid


def _standby_of(runner: int) -> int:
    """Find the standby: the runner's child that is the same program."""
    command_line = Path(f"/proc/{runner}/cmdline").read_bytes()

    def found() -> list[int]:
        return [each for each in children(runner) if _command_line(each) == command_line]

    return wait_until(found, "there is a standby")[0]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _session(daemon: Daemon) -> Client:
    """Open a session, and use it."""
    client = daemon.connect()
    client.read_greeting()
    client.send(b"session\nword\n")
    assert client.read_line() == b"word\n"
    return client


def _begin(daemon: Daemon, command: str) -> Client:
    """Have a command run, and wait for its first line."""
    client = daemon.connect()
    client.read_greeting()
    client.send(f"{command}\n".encode())
    assert client.read_line()
    return client


def test_runner_killed(daemon: Daemon) -> None:
    """Its runs end as faults and are audited, nobody of them is left, and a session goes on with another runner."""
    runner = _runner_of(daemon)
    standby = _standby_of(runner)
    with _session(daemon) as session, _begin(daemon, "long") as long, _begin(daemon, "escaping") as escaping:
        lost = daemon.processes()
        assert len(lost) >= 4
        os.kill(runner, signal.SIGKILL)

        assert b"cmdserver: fault: " in long.read_all()
        assert b"cmdserver: fault: " in escaping.read_all()
        wait_until(lambda: not any(map(is_alive, lost)), "they are gone")
        # For a moment nobody can start anything; who asks then is told so at once.
        wait_until(lambda: _is_answered(session), "the standby has taken over")
    assert _runner_of(daemon) == standby
    assert sorted(each["command"] for each in daemon.audit() if each["outcome"] == "fault") == ["escaping", "long"]
    assert f"the runner process {runner} has died" in daemon.log()
    wait_until(lambda: not Path(f"/proc/{runner}").exists(), "it is buried")


def test_runner_killed_again_and_again(daemon: Daemon) -> None:
    """Every runner has a standby; who left the group of a command of the fifth runner's is ended like the first's."""
    for _ in range(4):
        runner = _runner_of(daemon)
        standby = _standby_of(runner)
        os.kill(runner, signal.SIGKILL)
        wait_until(lambda standby=standby: _runner_of(daemon) == standby, "the standby takes over")  # type: ignore[misc]
        wait_until(lambda: daemon.ask("word\n") == b"word\n", "it works")

    assert daemon.ask("leaving\n") == b"left\n"
    wait_until(lambda: not daemon.processes(), "who has left is gone")


def test_standby_killed(daemon: Daemon) -> None:
    """It is replaced, nobody notices, and the new one is as good."""
    runner = _runner_of(daemon)
    with _begin(daemon, "slow") as client:
        standby = _standby_of(runner)
        os.kill(standby, signal.SIGKILL)
        assert client.read_all() == b"slow\n"
    wait_until(lambda: _standby_of(runner) != standby, "there is another")

    os.kill(runner, signal.SIGKILL)
    wait_until(lambda: daemon.ask("word\n") == b"word\n", "the new one has taken over")


def test_both_killed(tmp_path: Path) -> None:
    """Without anybody who can start commands the daemon stops, as a failure, and says why; nobody is left."""
    with prepared(tmp_path) as daemon:
        daemon.configure(COMMANDS)
        daemon.start()
        runner = _runner_of(daemon)
        standby = _standby_of(runner)
        with _begin(daemon, "long"):
            os.kill(standby, signal.SIGSTOP)
            os.kill(runner, signal.SIGKILL)
            os.kill(standby, signal.SIGKILL)

            assert daemon.wait() == 1
        assert "the runner process and its standby are dead" in daemon.log()


@pytest.mark.parametrize("is_escaped", [False, True], ids=["in its group", "escaped"])
def test_daemon_killed(tmp_path: Path, is_escaped: bool) -> None:
    """The runner, the standby and every command end by themselves, whoever has left his group as well."""
    with prepared(tmp_path) as daemon:
        daemon.configure(COMMANDS)
        daemon.start()
        runner = _runner_of(daemon)
        standby = _standby_of(runner)
        with _begin(daemon, "escaping" if is_escaped else "long"):
            assert daemon.processes()
            daemon.signal(signal.SIGKILL)
            daemon.wait()

            wait_until(lambda: not daemon.processes(), "no command is left")
            wait_until(lambda: not any(map(is_alive, (runner, standby))), "neither is the runner")


def test_who_left_his_group_is_ended_with_his_command(daemon: Daemon) -> None:
    """A grandchild in a session of its own, silent, is gone soon after the answer; others are not hit."""
    with _begin(daemon, "long") as other:
        for _ in range(5):  # by both ways of starting a command
            assert daemon.ask("leaving\n") == b"left\n"
            wait_until(lambda: len(daemon.processes()) == 3, "who has left is gone")
        other.reset()
    wait_until(lambda: not daemon.processes(), "all is over")


def test_a_mute_runner_is_replaced(hurried: Daemon) -> None:
    """One that is stopped, or hangs: its standby notices, ends it and what it ran, and serves in its place."""
    daemon = hurried
    runner = _runner_of(daemon)
    standby = _standby_of(runner)
    with _session(daemon) as session, _begin(daemon, "long") as long, _begin(daemon, "escaping") as escaping:
        lost = daemon.processes()
        os.kill(runner, signal.SIGSTOP)
        session.send(b"word\n")
        # What takes no runner goes on.
        assert daemon.ask("whoami\n").startswith(b"name")

        wait_until(lambda: not is_alive(runner), "it is ended")
        for client in (long, escaping):
            assert b"cmdserver: fault: " in client.read_all()
        assert b": fault: " in session.read_line()
        wait_until(lambda: not any(map(is_alive, lost)), "they are gone")
        wait_until(lambda: daemon.ask("word\n") == b"word\n", "it works")
    assert _runner_of(daemon) == standby
    assert "did not answer for too long" in daemon.log()


@contextmanager
def _waiting_for_the_runner(directory: Path, seconds: float) -> Iterator[tuple[Daemon, Listener, list[Client]]]:
    """Stop the runner, and have four log in, for which it has to open a password file that is root's alone.

    Args:
        directory: For the daemon.
        seconds: That the daemon waits for it.
    """
    listener = Listener()
    constants = {"cmdserver.privsep.daemon.fetching.FETCH_SECONDS": seconds}
    with prepared(directory) as daemon, ExitStack() as stack:
        write_passwords(daemon)
        daemon.configure(COMMANDS, listeners=[listener], limits=LENIENT)
        daemon.start(environment=daemon.with_constants(constants))
        write_passwords(daemon)  # as root, which the daemon is not any more
        runner = _runner_of(daemon)
        with _log_in(listener) as login:
            assert b"alice" in login.read_all()
        os.kill(runner, signal.SIGSTOP)
        yield daemon, listener, [stack.enter_context(_log_in(listener)) for _ in range(4)]
        assert _runner_of(daemon) == runner
        stack.close()
        daemon.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_login_that_needs_the_runner_holds_up_nobody(tmp_path: Path) -> None:
    """While those who log in wait for a runner, others are served; when it answers, they are let in."""
    with _waiting_for_the_runner(tmp_path, 1000) as (daemon, _, logins):
        for _ in range(20):
            assert daemon.ask("whoami\n").startswith(b"name")
        readable, _, _ = select.select([each.socket for each in logins], [], [], 0)
        assert readable == []
        os.kill(_runner_of(daemon), signal.SIGCONT)
        for login in logins:
            assert b"alice" in login.read_all()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_login_that_the_runner_does_not_answer(tmp_path: Path) -> None:
    """It is told to come again; when the runner is there again, it is let in."""
    with _waiting_for_the_runner(tmp_path, 0.1) as (daemon, listener, logins):
        for login in logins:
            assert b"busy: credentials cannot be looked up" in login.read_all()
        os.kill(_runner_of(daemon), signal.SIGCONT)

        def is_let_in() -> bool:
            with _log_in(listener) as login:
                return b"alice" in login.read_all()

        wait_until(is_let_in, "it is let in")


def _log_in(listener: Listener) -> Client:
    client = Client(listener.address)
    client.send(f"alice\n{ALICE}\nwhoami\n".encode())
    assert client.read_exactly(len(USER + PASSWORD)) == USER + PASSWORD
    return client


def test_a_runner_that_is_idle_is_not_replaced(hurried: Daemon) -> None:
    """Nobody asks for anything for longer than a standby is patient: that is no reason."""
    runner = _runner_of(hurried)
    looks = _sleeps_of(_standby_of(runner))
    wait_until(
        lambda: _sleeps_of(_standby_of(runner)) > looks + MOST_MISSED + 2, "more looks than a silent one is given"
    )

    assert hurried.ask("word\n") == b"word\n"
    assert _runner_of(hurried) == runner


def _sleeps_of(pid: int) -> int:
    """How often a process has begun to wait for something: a standby does once for each look."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def _comets_end(daemon: Daemon) -> None:
    for name in ("comet", "shed", "comet", "shed"):
        assert daemon.ask(f"{name}\n") == b""
        wait_until(lambda: not daemon.processes(), "it is gone")
    with _begin(daemon, "long") as other:
        daemon.ask("shed\n")
        wait_until(lambda: len(daemon.processes()) == 3, "it is gone while others run")
        other.reset()


@pytest.mark.skipif(os.geteuid() != 0 or find_place() is None, reason="no control group is ours to divide")
def test_who_forks_for_ever_does_not_outlive_his_answer(daemon: Daemon) -> None:
    """A process that is another one at each look ends with its run, and with the daemon."""
    _comets_end(daemon)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start it as another user")
def test_nor_where_there_are_no_control_groups() -> None:
    """The same by the marks alone, as for a user who has been given none."""
    with directory_of_nobody() as directory, prepared(directory) as daemon:
        daemon.configure(COMMANDS)
        as_nobody(daemon)
        _comets_end(daemon)
        daemon.stop()


@pytest.mark.parametrize("name", ["comet", "shed"])
def test_who_forks_for_ever_ends_with_the_daemon(tmp_path: Path, name: str) -> None:
    """Killed in the middle of such a run, nothing of it is left."""
    with prepared(tmp_path) as daemon:
        daemon.configure({**COMMANDS, "busy": shell(f"{_quoted(COMMANDS[name])} & echo begun; sleep 1000")})
        daemon.start()
        with _begin(daemon, "busy"):
            daemon.signal(signal.SIGKILL)
            daemon.wait()

            wait_until(lambda: not daemon.processes(), "no command is left")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_commands_end_before_anything_else(tmp_path: Path) -> None:
    """Whatever has become of the pid file: a daemon that is killed takes its commands with it."""
    with prepared(tmp_path) as daemon:
        daemon.configure(COMMANDS)
        daemon.start()
        runner = _runner_of(daemon)
        standby = _standby_of(runner)
        with _begin(daemon, "long"), _begin(daemon, "escaping"):
            daemon.pid_file.unlink()
            os.mkfifo(daemon.pid_file)
            daemon.signal(signal.SIGKILL)
            daemon.wait()

            wait_until(lambda: not daemon.processes(), "no command is left")
            wait_until(lambda: not is_alive(standby), "nor anybody who would take over")
        for pid in filter(is_alive, (runner,)):
            os.kill(pid, signal.SIGKILL)


def _quoted(command: Mapping[str, object]) -> str:
    return shlex.join(command["run"])  # type: ignore[arg-type] # it is a list of words


def test_flood_of_starts_over_a_dying_runner(daemon: Daemon) -> None:
    """Runners that are killed in the middle of a flood of requests: each one gets its answer, nobody waits for ever."""
    with _session(daemon) as session:
        for _ in range(5):
            session.send(b"word\n" * 50)
            os.kill(_runner_of(daemon), signal.SIGKILL)
            answers = [session.read_line() for _ in range(50)]
            assert {each.split(b": ")[1] if each != b"word\n" else b"word" for each in answers} <= {
                b"word",
                b"fault",
                b"busy",
            }
        wait_until(lambda: daemon.ask("word\n") == b"word\n", "it works")
        session.send(b"word\n")
        assert session.read_line() == b"word\n"


def test_ctrl_c(tmp_path: Path) -> None:
    """A terminal's signal to the whole group of processes ends the daemon in order: what runs is answered."""
    with prepared(tmp_path) as daemon:
        daemon.configure(COMMANDS)
        daemon.start(command_line=["setsid", *daemon.command_line()])
        with _begin(daemon, "slow") as client:
            os.killpg(daemon.pid, signal.SIGINT)
            assert client.read_all() == b"slow\n"
        daemon.wait()
        assert not daemon.processes()
        assert "has died" not in daemon.log()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start it as another user")
def test_fork_refused() -> None:
    """Where the user may have no more processes a command is busy, not hung; when there is room again, it runs."""
    with directory_of_nobody() as directory, prepared(directory) as daemon:
        daemon.configure(COMMANDS)
        as_nobody(daemon)
        runner = _runner_of(daemon)
        _limit(runner, "--nproc=1:", *BECOME)

        assert daemon.ask("word\n").startswith(b"cmdserver: busy: ")
        _limit(runner, "--nproc=10000:", *BECOME)
        assert daemon.ask("word\n") == b"word\n"
        daemon.stop()


def test_descriptors_of_the_runner_run_out(daemon: Daemon) -> None:
    """A command that the runner has no descriptors for is busy or a fault, not hung; with room again it runs."""
    runner = _runner_of(daemon)
    with _session(daemon) as session:
        open_ = _descriptors(runner)
        for room in range(6):
            _limit(runner, f"--nofile={open_ + room}:")
            answer = _ask(session)
            assert answer == b"word\n" or answer.split(b": ")[1] in {b"busy", b"fault"}, answer
            if room == 0:
                assert answer != b"word\n"
        _limit(runner, "--nofile=1000:")
        assert _ask(session) == b"word\n"
    assert _runner_of(daemon) == runner


def test_descriptors_of_the_daemon_run_out(tmp_path: Path) -> None:
    """Full of connections, a command is busy or a fault, and SIGHUP changes nothing; with room again all works."""
    with prepared(tmp_path) as daemon, ExitStack() as stack:
        # Nothing is kept, so that no descriptor comes and goes but those of connections.
        commands = {name: {**settings, "history": "none"} for name, settings in COMMANDS.items()}
        daemon.configure(commands, limits={"running": 2})
        daemon.start(command_line=["prlimit", "--nofile=48:48", *daemon.command_line()])
        session = stack.enter_context(_session(daemon))
        while _descriptors(daemon.pid) < 48:
            fuller = _descriptors(daemon.pid) + 1
            stack.enter_context(daemon.connect())
            wait_until(lambda fuller=fuller: _descriptors(daemon.pid) >= fuller, "it is accepted")  # type: ignore[misc]

        answer = _ask(session)
        assert answer.split(b": ")[1] in {b"busy", b"fault"}, answer
        text = daemon.config_file.read_text("utf-8")
        daemon.configure({"word": shell("echo changed")})
        daemon.reload()
        assert "nothing was changed" in daemon.log()
        daemon.config_file.write_text(text, "utf-8")

        stack.pop_all().close()
        wait_until(lambda: _descriptors(daemon.pid) < 40, "they have hung up")
        assert daemon.ask("word\n") == b"word\n"
        assert is_alive(daemon.pid)
        daemon.stop()


def _is_answered(session: Client) -> bool:
    """Ask for a word, and say whether it came; if not, it is because the daemon is busy."""
    said = _ask(session)
    assert said == b"word\n" or said.startswith(b"cmdserver: busy: ")
    return said == b"word\n"


def _ask(session: Client) -> bytes:
    session.send(b"word\n")
    return session.read_line()


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - one number


def _limit(pid: int, limit: str, *wrapper: str) -> None:
    """Set a resource limit of a running process."""
    done = subprocess.run([*wrapper, "prlimit", f"--pid={pid}", limit], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a limit cannot be set from here: {done.stderr.strip()}")
