"""Starting, and refusing to start."""

import os
import pty
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.daemon import (
    Daemon,
    Listener,
    clean_environment,
    free_port,
    is_alive,
    is_listening,
    program,
    shell,
)
from tests.integration.logins import write_passwords
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

COMMANDS = {"word": shell("echo word")}


@pytest.mark.parametrize("options", [("-n",), ("--logfile=log",)], ids=["foreground", "daemonized"])
def test_port_in_use(daemon_to_be: Daemon, options: tuple[str, ...]) -> None:
    """A listener that cannot be bound: it says which and why, exits with 1, and leaves nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        daemon_to_be.configure(COMMANDS, listen=[daemon_to_be.endpoint(), endpoint])
        done = subprocess.run(
            daemon_to_be.command_line(*options),
            cwd=daemon_to_be.directory,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    def said() -> str:
        return done.stdout + done.stderr + daemon_to_be.log()

    assert done.returncode == 1, said()
    assert endpoint in done.stdout + done.stderr
    # One in the background is still on its way out when the one that was started says how it went.
    wait_until(lambda: "in use" in said(), "it says why")
    wait_until(lambda: not daemon_to_be.pid_file.exists(), "the pid file is gone")
    wait_until(lambda: not is_listening(daemon_to_be.address), "the other listener is closed again")
    assert "Traceback" not in said()


@pytest.mark.parametrize("option", ["", "--check"])
def test_all_mistakes_at_once(daemon_to_be: Daemon, option: str) -> None:
    """Mistakes are all told, each with its place in the file; exit status 1, nothing is bound."""
    daemon = daemon_to_be
    daemon.config_file.write_text(
        f"""\
[[listen]]
protocol = "line"
endpoint = "{daemon.endpoint()}"
login = "never"

[commands.absent]
run = ["no-such-program"]

[commands.present]
run = ["/nowhere/at-all"]
timeout_seconds = -1
tiemout_seconds = 3

[commands.Upper]
run = ["true"]

[roles.anonymous]
commands = ["absent", "missing"]

[limits]
connections = "many"
""",
        "utf-8",
    )

    done = daemon.run_to_end(*filter(None, [option]))

    places = [line for line in done.stderr.splitlines() if line.startswith(f"{daemon.config_file}:")]
    assert done.returncode == 1
    for place, text in (
        ("7: commands.absent.run", "no-such-program"),
        ("10: commands.present.run", "/nowhere/at-all"),
        ("11: commands.present.timeout_seconds", "-1"),
        ("12: commands.present.tiemout_seconds", "timeout_seconds"),
        ("14: commands.Upper", ""),
        ("18: roles.anonymous.commands", "missing"),
        ("21: limits.connections", "many"),
    ):
        assert any(line.startswith(f"{daemon.config_file}:{place}") and text in line for line in places), place
    assert len(places) == 7
    assert "Traceback" not in done.stdout + done.stderr
    assert not daemon.pid_file.exists()
    assert not daemon.state_directory.exists()


def test_check_of_a_good_file(daemon_to_be: Daemon) -> None:
    """``--check`` exits with 0, binds nothing and makes nothing, also while another has the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon_to_be.configure(COMMANDS, listen=[f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"])
        done = daemon_to_be.run_to_end("--check")

    assert done.returncode == 0, done.stderr
    assert str(daemon_to_be.config_file) in done.stdout
    assert not daemon_to_be.state_directory.exists()
    assert not daemon_to_be.pid_file.exists()


def test_check_of_text_that_is_no_toml(daemon_to_be: Daemon) -> None:
    """The parser's place is told."""
    daemon_to_be.config_file.write_text("[[listen]]\nprotocol = line\n", "utf-8")

    done = daemon_to_be.run_to_end("--check")

    assert done.returncode == 1
    assert f"{daemon_to_be.config_file}:2: listen[0].protocol: not TOML: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"\xff\n"], ids=["missing", "UTF-16", "not UTF-8"])
def test_configuration_that_cannot_be_read(daemon_to_be: Daemon, content: bytes | None) -> None:
    """A named file that is not there, or is no text, is no reason to take another."""
    if content is not None:
        daemon_to_be.config_file.write_bytes(content)

    done = daemon_to_be.run_to_end()

    assert done.returncode == 1
    assert ("cmdserver: cannot read the configuration: " if content is None else "not UTF-8") in done.stderr
    assert str(daemon_to_be.config_file) in done.stderr
    assert "Traceback" not in done.stderr


def test_warnings(daemon_to_be: Daemon) -> None:
    """What is without effect is told at the start and after each reload, and keeps nobody from anything."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS, roles={"anonymous": {"commands": ["*", "x*"]}})
    daemon.start()
    warning = "roles.anonymous.commands: x* matches no command"
    assert daemon.log().count(warning) == 1
    daemon.configure(COMMANDS, roles={"anonymous": {"commands": ["*", "y*"]}})
    daemon.reload()
    assert daemon.log().count("roles.anonymous.commands: y* matches no command") == 1
    assert daemon.log().count(warning) == 1


def test_a_program_that_cannot_be_started_any_more(daemon_to_be: Daemon, public_directory: Path) -> None:
    """The log names the file and its interpreter; the caller is told the fault's id, and no more."""
    script = public_directory / "script"
    script.write_text("#!/bin/sh\necho word\n")
    script.chmod(0o755)
    daemon = daemon_to_be
    daemon.configure({"script": {"run": [str(script)]}})
    daemon.start()
    assert daemon.ask("script\n") == b"word\n"

    for text, reason in (("#!/no/such\n", "its interpreter /no/such is missing"), ("echo\n", "no first line")):
        script.write_text(text)
        assert b"internal fault" in (answer := daemon.ask("script\n"))
        assert str(script).encode() not in answer
        line = next(each for each in daemon.log().splitlines()[::-1] if "fault" in each)
        assert f"script: [Errno {2 if 'such' in text else 8}]" in line
        assert str(script) in line
        assert reason in line


def test_configuration_named_by_the_environment(daemon_to_be: Daemon) -> None:
    """``$CMDSERVER_CONFIG`` and ``$STATE_DIRECTORY`` count when there are no options."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    line = [word for word in daemon.command_line() if not word.startswith(("--config", "--state-dir"))]
    elsewhere = daemon.directory / "elsewhere"
    daemon.start(
        command_line=line, environment={"CMDSERVER_CONFIG": "cmdserver.toml", "STATE_DIRECTORY": str(elsewhere)}
    )

    assert daemon.ask("word\n") == b"word\n"
    assert (elsewhere / "audit.jsonl").exists()
    assert elsewhere.stat().st_mode & 0o777 == 0o700
    daemon.configure({"other": shell("echo other")})
    daemon.reload()
    assert daemon.ask("other\n") == b"other\n"


def test_option_counts_more_than_the_environment(daemon_to_be: Daemon) -> None:
    """``--config`` comes first."""
    daemon_to_be.configure(COMMANDS)

    daemon_to_be.start(environment={"CMDSERVER_CONFIG": "/nowhere/at-all", "STATE_DIRECTORY": "/nowhere/state"})

    assert daemon_to_be.ask("word\n") == b"word\n"
    assert daemon_to_be.audit_file.exists()


def test_state_directory_that_others_may_write_to(daemon_to_be: Daemon) -> None:
    """It is refused, with a reason."""
    daemon_to_be.configure(COMMANDS)
    daemon_to_be.state_directory.mkdir()
    daemon_to_be.state_directory.chmod(0o777)

    done = daemon_to_be.run_to_end()

    assert done.returncode == 1
    assert f"others may write to the state directory {daemon_to_be.state_directory}" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not daemon_to_be.pid_file.exists()


def test_terminal_is_told_what_to_type(daemon_to_be: Daemon) -> None:
    """Started by hand on a terminal, the daemon ends its start-up with a line a listener, which works as it is."""
    daemon = daemon_to_be
    tls, web, ssh = Listener(tls=True), Listener(protocol="web", login="optional"), Listener(protocol="ssh")
    word = shell("echo word", read_only=True)
    daemon.configure(
        {"change": shell("echo changed"), "word": word, "other": word},
        listen=[daemon.endpoint(), daemon.endpoint("127.0.0.2")],
        listeners=[tls, web, ssh],
        roles={"anonymous": {"commands": ["change"]}, "all": {"commands": ["*"], "users": ["bob"]}},
    )
    write_passwords(daemon)
    password = "battery staple"  # noqa: S105 - bob's
    lines = _told(daemon, b"ssh -p")[-4:]

    page = f"http://127.0.0.1:{web.port}/"
    assert lines == [
        f"echo help | nc 127.0.0.1 {daemon.port}",
        f"openssl s_client -quiet -connect 127.0.0.1:{tls.port}  # log in as bob",
        f"curl --user bob {page}word  # in a browser: {page}",
        f"ssh -p {ssh.port} bob@127.0.0.1 word",
    ]
    daemon.start()
    said = [
        subprocess.run(["sh", "-c", line], input=text, capture_output=True, timeout=LIMIT_SECONDS, check=True).stdout
        for line, text in (
            (lines[0], b""),
            (lines[1], f"bob\n{password}\nword\n".encode()),
            (lines[2].replace("--user bob", f"--user 'bob:{password}'"), b""),
        )
    ]
    assert b"change" in said[0]
    assert said[1].endswith(b"What can I do for you?\nword\n")
    assert said[2] == b"word\n"


def _told(daemon: Daemon, last: bytes) -> list[str]:
    """Start a daemon on a terminal, and end it; return what it has said up to a line with some words."""
    ours, theirs = pty.openpty()
    said = b""
    process = subprocess.Popen(
        daemon.command_line(), cwd=daemon.directory, env=clean_environment(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        while last not in said or not said.endswith(b"\n"):
            data = os.read(ours, 65536)
            assert data, said
            said += data
        return said.decode().splitlines()
    finally:
        process.terminate()
        with suppress(OSError):
            while os.read(ours, 65536):
                pass
        os.close(ours)
        process.wait(LIMIT_SECONDS)


def test_daemonized(daemon_to_be: Daemon) -> None:
    """Without ``-n`` it goes to the background, with a pid file that is gone again when it is."""
    daemon = daemon_to_be
    daemon.configure(COMMANDS)
    line = daemon.command_line(f"--logfile={daemon.log_file}")
    relative = [word if not word.startswith("--pidfile") else "--pidfile=twistd.pid" for word in line]
    subprocess.run(
        relative,
        cwd=daemon.directory,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    pid = int(wait_until(lambda: daemon.pid_file.exists() and daemon.pid_file.read_text("ascii"), "the pid file"))
    try:
        assert daemon.ask("word\n") == b"word\n"
        assert Path(f"/proc/{pid}/cwd").readlink() in {Path("/"), daemon.state_directory}
        os.kill(pid, signal.SIGHUP)
        daemon.wait_for_log("nothing differs")
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), "the daemon is gone")
    assert not daemon.pid_file.exists()


def test_start_after_a_crash(daemon_to_be: Daemon) -> None:
    """What a killed daemon leaves, a UNIX socket too, does not keep the next one from starting."""
    daemon = daemon_to_be
    path = str(daemon.directory / "socket")
    daemon.configure(COMMANDS, listen=[daemon.endpoint(), f"unix:{path}"])
    daemon.start(path)
    daemon.signal(signal.SIGKILL)
    daemon.wait()

    daemon.start(path)

    assert daemon.ask("word\n") == b"word\n"
    daemon.stop()
    assert not Path(path).exists()
    assert not daemon.pid_file.exists()


def test_plugin_is_listed() -> None:
    """``twistd --help`` knows cmdserver, wherever it is typed."""
    done = subprocess.run(
        [program("twistd"), "--help"], cwd="/", capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
    )

    assert sum(line.split()[:1] == ["cmdserver"] for line in done.stdout.splitlines()) == 1


def test_interface_that_is_not_ours(daemon_to_be: Daemon) -> None:
    """An interface that this host does not have is named."""
    endpoint = f"tcp:{free_port()}:interface=192.0.2.1"
    daemon_to_be.configure(COMMANDS, listen=[endpoint])

    done = daemon_to_be.run_to_end()

    assert done.returncode == 1
    assert endpoint in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
