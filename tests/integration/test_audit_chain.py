"""The audit file as a chain, with the real daemon, logrotate, and the commands that look at it."""

import gzip
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, clean_environment, program, running, shell
from tests.integration.logins import companion, require_program
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

COMMANDS = {"word": shell("echo word"), "look": shell("echo look", read_only=True)}


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with an empty audit file."""
    with running(tmp_path_factory.mktemp("chain"), COMMANDS) as daemon:
        yield daemon


def ask(daemon: Daemon, times: int = 3) -> None:
    """Have some lines written."""
    daemon.ask("session\n" + "word\n" * times + "quit\n")


def verified(daemon: Daemon, *files: Path) -> str:
    """Verify a chain that has its beginning; return the summary."""
    done = companion(daemon, "audit", "verify", *map(str, files))
    assert "begins before" not in done.stderr
    return done.stdout


def rotate(daemon: Daemon, *directives: str) -> None:
    """Let logrotate do its work, as in docs/operations.md."""
    lines = [f"{daemon.audit_file} {{", "rotate 9", "compress", "delaycompress", *directives, "}"]
    config = daemon.directory / "logrotate.conf"
    config.write_text("\n".join(lines) + "\n", "ascii")
    config.chmod(0o644)
    subprocess.run(
        [require_program("logrotate"), "--force", f"--state={daemon.directory / 'rotated'}", str(config)],
        check=True,
        timeout=LIMIT_SECONDS,
    )


def files(daemon: Daemon) -> list[Path]:
    """List all files, the oldest first."""

    def age(path: Path) -> int:
        number = path.name.removeprefix("audit.jsonl").removesuffix(".gz").strip(".")
        return -int(number or 0)

    return sorted(daemon.state_directory.glob("audit.jsonl*"), key=age)


def test_logrotate(daemon: Daemon) -> None:
    """Renamed, made anew, copied and emptied, compressed at once and later: all files are one chain."""
    hup = ["postrotate", f"kill -HUP {daemon.pid}", "endscript"]
    for number, directives in enumerate((["nocreate", *hup], ["create", *hup], ["copytruncate"], ["nocreate", *hup])):
        ask(daemon)
        said = daemon.log().count("configuration read again")
        rotate(daemon, *directives)
        if hup[0] in directives:
            daemon.wait_for_log("configuration read again", said + 1)
        assert len(files(daemon)) == number + 2
    ask(daemon)

    assert verified(daemon, *files(daemon)).startswith("30 lines, ")
    assert any(each.suffix == ".gz" for each in files(daemon))


def test_restarts(daemon: Daemon) -> None:
    """Stopped or killed, with the file where it was, or renamed meanwhile."""
    ask(daemon)
    for at, (number, is_renamed) in enumerate(
        ((signal.SIGTERM, False), (signal.SIGKILL, False), (signal.SIGTERM, True), (signal.SIGKILL, True))
    ):
        daemon.signal(number)
        daemon.wait()
        wait_until(lambda: not daemon.processes(), "its commands are gone")
        if is_renamed:
            daemon.audit_file.rename(daemon.state_directory / f"audit.jsonl.{9 - at}")
        daemon.start()
        ask(daemon)

    assert len(files(daemon)) == 3
    assert verified(daemon, *files(daemon)).startswith("30 lines, ")


def test_what_somebody_has_done(daemon: Daemon) -> None:
    """It is found, with file and line, and by a value that is known elsewhere."""
    ask(daemon)
    good = daemon.audit_file.read_bytes()
    head = good.splitlines()[-1][-66:-2].decode()
    lines = good.splitlines(keepends=True)
    for data, text in (
        (good.replace(b'"outcome": "ok"', b'"outcome": "no"', 1), ":2: was changed"),
        (b"".join([*lines[:2], *lines[3:]]), ":3: lines between "),
        (good[:-20], ":6: is cut short"),
        (b"".join(lines[:4]), f"{head} is the chain value of no line"),
    ):
        copy = daemon.directory / "copy"
        copy.write_bytes(data)
        with pytest.raises(subprocess.CalledProcessError) as caught:
            companion(daemon, "audit", "verify", "--head", head, str(copy))
        assert caught.value.returncode == 1
        assert text in caught.value.stdout
    compressed = daemon.directory / "copy.gz"
    compressed.write_bytes(gzip.compress(good))
    assert verified(daemon, compressed) == verified(daemon)


def test_a_tail_cut_off_while_it_was_down(daemon: Daemon) -> None:
    """The next start says so, and the chain shows it."""
    ask(daemon)
    daemon.stop()
    lines = daemon.audit_file.read_bytes().splitlines(keepends=True)
    daemon.audit_file.write_bytes(b"".join(lines[:4]))
    daemon.start()
    daemon.wait_for_log("does not end with the line that was written last")
    ask(daemon)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        companion(daemon, "audit", "verify")
    assert f"{daemon.audit_file}:5: lines between " in caught.value.stdout


def follow(daemon: Daemon, *words: str) -> subprocess.Popen[str]:
    """Follow the audit file; whoever has started the tests may have had SIGINT ignored."""
    return subprocess.Popen(
        [
            "env",
            "--default-signal=INT",
            program("cmdserver"),
            *("audit", "show", "-f", *words),
            f"--config={daemon.config_file}",
            f"--state-dir={daemon.state_directory}",
        ],
        env=clean_environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_following(daemon: Daemon) -> None:
    """Over a rotation, until Ctrl-C, without a word."""
    ask(daemon, 1)
    process = follow(daemon, "--command", "look", "-n", "3")
    assert process.stdout is not None
    daemon.ask("look\n")
    assert process.stdout.readline().split()[-1] == "look"
    daemon.audit_file.rename(daemon.state_directory / "audit.jsonl.1")
    daemon.ask("look\n")
    assert process.stdout.readline().split()[-1] == "look"
    daemon.reload()
    daemon.ask("word\n")
    daemon.ask("look\n")
    assert process.stdout.readline().split()[-1] == "look"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, out, errors) == (130, "", "")


def test_nobody_listens_to_who_follows(daemon: Daemon) -> None:
    """A closed pipe ends it, without waiting for the next line, and without a word."""
    ask(daemon, 1)
    process = follow(daemon)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(LIMIT_SECONDS)
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_file_that_is_none(daemon: Daemon) -> None:
    """A chain goes on to a pipe as well, and over a restart."""
    ask(daemon, 1)
    pipe = daemon.directory / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    read = b""
    try:
        daemon.configure(COMMANDS, audit_file=str(pipe))
        for _ in range(2):
            daemon.stop()
            daemon.start()
            ask(daemon, 1)
            read += os.read(reader, 1 << 16)
    finally:
        daemon.stop()
        os.close(reader)
    copy = daemon.directory / "copy"
    copy.write_bytes(read)
    assert verified(daemon, daemon.audit_file, copy).startswith("6 lines, ")
