"""The audit file: every request, before its answer; or nothing is run."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.daemon import Daemon, running, shell
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

KEYS = {
    "time",
    "event",
    "id",
    "protocol",
    "tls",
    "source",
    "user",
    "method",
    "command",
    "arguments",
    "outcome",
    "ended_by",
    "exit_status",
    "signal",
    "duration_seconds",
    "stdout_bytes",
    "stderr_bytes",
    "truncated",
    "shared",
    "chain",
}

COMMANDS = {
    "word": shell("echo word"),
    "fails": shell("echo out; echo error >&2; exit 3"),
    "late": shell("echo some; sleep 1000", timeout_seconds=0.3),
    "endless": shell("yes", output_limit_bytes=1000),
    "killed": shell("kill -KILL $$"),
}


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with an empty audit file."""
    with running(tmp_path_factory.mktemp("audit"), COMMANDS) as daemon:
        yield daemon


def test_one_line_for_each_request(daemon: Daemon) -> None:
    """Every request, run, refused or failed, is one line of ASCII with exactly the keys that are promised."""
    lines = ["word", "fails", "late", "endless", "killed", "nobody 'ü' x", "word more", "help", "whoami", "who"]
    lines += ["explain word", "json word", "\x01", "explain nobody", "login"]
    daemon.ask("session\n" + "".join(f"{line}\n" for line in lines) + "quit\n", source="127.0.0.5")
    records = daemon.audit()

    assert daemon.audit_file.read_bytes().isascii()
    assert daemon.audit_file.stat().st_mode & 0o777 == 0o600
    assert daemon.state_directory.stat().st_mode & 0o777 == 0o700
    assert all(set(record) == KEYS for record in records)
    assert [(record["command"], record["arguments"], record["outcome"]) for record in records] == [
        ("word", [], "ok"),
        ("fails", [], "failed"),
        ("late", [], "timeout"),
        ("endless", [], "failed"),
        ("killed", [], "failed"),
        ("nobody", ["ü", "x"], "unknown_command"),
        ("word", ["more"], "bad_argument"),
        ("help", [], "ok"),
        ("whoami", [], "ok"),
        ("who", [], "ok"),
        ("explain", ["word"], "ok"),
        ("word", [], "ok"),
        (None, [], "malformed"),
        ("explain", ["nobody"], "unknown_command"),
        (None, [], "bad_argument"),
    ]
    assert {(each["event"], each["protocol"], each["source"], each["user"], each["method"]) for each in records} == {
        ("request", "line", "127.0.0.5", None, "none")
    }
    assert len({record["id"] for record in records}) == len(lines)


def test_facts(daemon: Daemon) -> None:
    """How a process ended, and how much it said, is written down; what it said is not."""
    daemon.ask("session\nfails\nlate\nendless\nkilled\nquit\n")
    fails, late, endless, killed = daemon.audit()

    assert (fails["exit_status"], fails["signal"], fails["stdout_bytes"], fails["stderr_bytes"]) == (3, None, 4, 6)
    assert (late["exit_status"], late["signal"], late["stdout_bytes"]) == (None, "SIGTERM", 5)
    assert 0.3 <= late["duration_seconds"] < 3
    assert (endless["truncated"], endless["stdout_bytes"]) == (True, 1000)
    assert killed["signal"] == "SIGKILL"
    assert [each["ended_by"] for each in (fails, late, endless, killed)] == [None, "limit", "limit", None]
    for record in (fails, late, endless, killed):
        assert record["time"].endswith("Z")
        assert abs(datetime.now(UTC) - datetime.fromisoformat(record["time"])) < timedelta(minutes=1)


def test_line_is_there_before_the_answer(daemon: Daemon) -> None:
    """Whoever has an answer in hand finds its id in the file."""
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"session\n")
        for number in range(1, 21):
            client.send(b"json word\n" if number % 2 else b"nobody\n")
            answer = client.read_line()
            records = daemon.audit()

            assert len(records) == number
            assert json.loads(answer)["id"] == records[-1]["id"] if number % 2 else b"nobody" in answer


def test_what_changes_something_has_a_line_before_it_runs(daemon_to_be: Daemon) -> None:
    """A daemon that is killed has told what it had begun: who, what and when, for each who shares it."""
    daemon = daemon_to_be
    trace = daemon.directory / "trace"
    script = f"echo run >> {trace}; sleep 20"
    daemon.configure(
        {
            "act": shell(script),
            "share": shell(script, share=True),
            "look": shell(script, read_only=True),
            "word": shell("echo word", read_only=True),
        },
        limits={"running": 3},
    )
    daemon.start()
    with ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(3)]
        for client, command in zip(clients, ("act", "share", "look"), strict=True):
            client.read_greeting()
            client.send(f"{command}\n".encode())
        wait_until(lambda: trace.exists() and trace.read_text("ascii").count("run") == 3, "all three run")

        daemon.signal(signal.SIGKILL)
        daemon.wait()

    records = daemon.audit(starts=True)
    assert sorted((each["event"], each["command"]) for each in records) == [("started", "act"), ("started", "share")]
    wait_until(lambda: not daemon.processes(), "what it ran is ended")
    daemon.start()
    daemon.ask("word\n")
    assert [each["event"] for each in daemon.audit(starts=True)] == ["started", "started", "request"]


def test_rotation(daemon: Daemon) -> None:
    """Rename the file and send SIGHUP: the next line is in a new one, 0600 too, and sessions go on."""
    with daemon.connect() as session:
        session.read_greeting()
        session.send(b"session\njson word\n")
        assert b'"stdout": "word\\n"' in session.read_line()
        old = daemon.audit_file.rename(daemon.state_directory / "audit.jsonl.1")
        session.send(b"fails\n")
        session.read_until(b"status 3\n")
        daemon.reload()
        session.send(b"json word\n")
        assert b'"stdout": "word\\n"' in session.read_line()

    assert [json.loads(line)["command"] for line in old.read_text("ascii").splitlines()] == ["word"] * 2 + ["fails"] * 2
    assert [record["command"] for record in daemon.audit()] == ["word"]
    assert daemon.audit_file.stat().st_mode & 0o777 == 0o600


def test_file_that_was_removed_is_made_again(daemon: Daemon) -> None:
    """No line is written to where nobody can read it."""
    daemon.ask("word\n")
    daemon.audit_file.unlink()

    assert daemon.ask("word\n") == b"word\n"
    assert len(daemon.audit()) == 1


def test_file_is_appended_to_after_a_restart(daemon: Daemon) -> None:
    """What was written stays."""
    daemon.ask("word\n")
    daemon.stop()
    daemon.start()
    daemon.ask("fails\n")

    assert [record["command"] for record in daemon.audit()] == ["word", "fails"]


def test_full_disk(daemon_to_be: Daemon) -> None:
    """If the file cannot be written, nothing is run, every caller is told `fault` and an id, and the log has the id."""
    daemon = daemon_to_be
    trace = daemon.directory / "trace"
    commands = {
        "touches": shell(f"echo run >> {trace}"),
        "shared": shell(f"echo run >> {trace}", share=True),
    }
    daemon.configure(commands, audit_file="/dev/full")
    daemon.start()

    for line in ("touches", "shared", "json touches", "help", "whoami", "nobody", "explain touches", "'"):
        said = daemon.ask(f"{line}\n").decode()
        assert "fault" in said
        assert "internal fault " in said
        fault_id = said.partition("internal fault ")[2].partition(";")[0]
        assert len(fault_id) >= 8
        daemon.wait_for_log(fault_id)
    assert daemon.ask_json("touches")["error"]["code"] == "fault"
    assert not trace.exists()

    daemon.configure(commands)
    daemon.reload()
    assert daemon.ask("touches\n") == b""
    assert trace.exists()


def test_audit_file_that_cannot_be_opened(daemon_to_be: Daemon) -> None:
    """The daemon does not start without one."""
    daemon_to_be.configure(COMMANDS, audit_file="/nowhere/audit.jsonl")

    done = daemon_to_be.run_to_end()

    assert done.returncode == 1
    assert "/nowhere/audit.jsonl" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_reload_with_an_audit_file_that_cannot_be_opened(daemon: Daemon) -> None:
    """A reload that would lose the audit trail changes nothing."""
    daemon.configure({"other": shell("echo other")}, audit_file="/nowhere/audit.jsonl")
    daemon.reload()

    daemon.wait_for_log("nothing was changed")
    assert daemon.ask("word\n") == b"word\n"
    wait_until(daemon.audit, "the old file is in use")
