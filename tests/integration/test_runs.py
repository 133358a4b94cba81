"""Runs, with the clients that people have, together on one run: nc, curl and ssh."""

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.logins import ALICE, LENIENT, USERS, pipe, require_program, write_passwords
from tests.integration.ssh import SSH, authorize, make_key
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

LINE, WEB, SECURE = Listener(login="required"), Listener(protocol="web", login="optional"), Listener(protocol="ssh")
LISTENERS = [LINE, WEB, SECURE]

_CURL = ["curl", "-sN", "-u"]

#: Says something, waits until a file is there, and says something more.
WAITS = "echo begun; echo trouble >&2; while ! [ -e GO ]; do sleep 0.05; done; echo done"
#: Three megabytes.
MUCH = "head -c 3000000 /dev/zero | tr '\\0' x"

ROLES: Mapping[str, Mapping[str, Any]] = {
    "anonymous": {"commands": ["quick"]},
    "operator": {"users": ["alice"], "commands": ["*"]},
    "watcher": {"users": ["bob"], "commands": ["quick"], "sees": ["restart"]},
    "admin": {"users": ["root"], "commands": ["*"], "sees": ["*"], "stops": ["*"]},
}


def commands(directory: Path) -> Mapping[str, Mapping[str, Any]]:
    """Make the allow-list; what waits, waits for ``go`` in a directory."""
    waits = WAITS.replace("GO", str(directory / "go"))
    return {
        "quick": shell("echo quick", read_only=True),
        "restart": shell(waits, title="Restart the shop"),
        "look": shell(waits, read_only=True),
        "once": shell(waits, max_running=1, when_running="join"),
        "waits": shell(waits, max_running=1),
        "alone": shell(waits, max_running=1, when_running="refuse"),
        "grep": shell("exit 1", ok_statuses=[0, 1]),
        "fails": shell("echo oh >&2; exit 3"),
        "secretive": shell("echo kept nowhere", history="none"),
        "much": shell(MUCH, output_limit_bytes=1 << 23),
    }


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Give a daemon, and the directory in which ``go`` may be written."""
    place = tmp_path / "daemon"
    place.mkdir()
    tmp_path.chmod(0o755)
    with running(place, commands(tmp_path), listeners=LISTENERS, roles=ROLES, limits=LENIENT) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


@pytest.fixture
def alice(daemon: Daemon, tmp_path: Path) -> SSH:
    """Give somebody with an SSH client and a key."""
    key = make_key(tmp_path)
    authorize(daemon, "alice", key)
    return SSH(listener=SECURE, directory=tmp_path, key=key)


def go(tmp_path: Path) -> None:
    """Let everything that waits go on."""
    (tmp_path / "go").touch()


def nc(text: str, user: str = "alice") -> str:
    """Ask a line with nc, as a user; the dialogue before the answer is left out."""
    netcat = [require_program("nc"), "-N", "127.0.0.1", str(LINE.port)]
    said = pipe(netcat, f"{user}\n{USERS[user]}\n{text}\n".encode()).decode()
    return said.split("What can I do for you?\n", 1)[1]


def curl(*words: str, user: str | None = "alice") -> str:
    """Ask with curl; the last word is a path."""
    *options, path = words
    login = ["--user", f"{user}:{USERS[user]}"] if user is not None else []
    done = subprocess.run(
        [require_program("curl"), "--silent", "--no-buffer", *login, *options, f"http://127.0.0.1:{WEB.port}{path}"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout.decode()


def runs(user: str = "root", query: str = "") -> list[dict[str, Any]]:
    """List runs over the web."""
    found: list[dict[str, Any]] = json.loads(curl("-H", "Accept: application/json", f"/-/runs{query}", user=user))[
        "runs"
    ]
    return found


def state_of(run_id: str, user: str = "root") -> str:
    """Ask for the state of a run."""
    return str(json.loads(curl("-H", "Accept: application/json", f"/-/runs/{run_id}", user=user))["state"])


def kept(daemon: Daemon) -> list[tuple[str, str]]:
    """Read commands and states in the database, as an administrator does, oldest first."""
    address = f"file:{daemon.state_directory / 'history.sqlite3'}?mode=ro"
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(address, uri=True)) as database:
        return list(database.execute("SELECT command, state FROM history ORDER BY number"))
    return []  # not yet


def test_one_run_for_all(daemon: Daemon, alice: SSH) -> None:
    """Started over SSH, watched over the web and over SSH, stopped with nc, and one line in the audit file."""
    run_id = alice.run("start restart").stdout.decode().strip()
    assert re.fullmatch(r"[0-9a-f]{16}", run_id)
    assert [(each["id"], each["state"], each["user"], each["protocol"]) for each in runs("alice")] == [
        (run_id, "running", "alice", "ssh")
    ]
    watching = alice.start(f"attach {run_id}", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    streaming = subprocess.Popen(
        [*_CURL, f"alice:{ALICE}", "-H", "Accept: text/event-stream", f"http://127.0.0.1:{WEB.port}/-/runs/{run_id}"],
        stdout=subprocess.PIPE,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"begun\n"

    assert nc(f"stop {run_id}", "root") == f"restart ({run_id}): stopped by root\n"

    out, err = watching.communicate(timeout=30)
    assert (out, err, watching.returncode) == (b"", b"trouble\ncmdserver: restart: stopped by root\n", 255)
    events = streaming.communicate(timeout=30)[0].decode()
    assert re.findall(r"^event: (\w+)$", events, re.MULTILINE) == ["started", "stdout", "stderr", "outcome"]
    outcome = json.loads(events.rpartition("data: ")[2])
    assert (outcome["outcome"], outcome["ended_by"]) == ("failed", "stop")
    assert nc(f"attach {run_id}") == "begun\ntrouble\ncmdserver: restart: stopped by root\n"
    assert [(line["outcome"], line["ended_by"], line["user"]) for line in daemon.audit() if line["id"] == run_id] == [
        ("failed", "stop", "alice")
    ]
    wait_until(lambda: kept(daemon) == [("restart", "stopped")], "it is kept")


@pytest.mark.usefixtures("daemon")
def test_who_may_see_and_stop(alice: SSH) -> None:
    """One's own, and those of others where a role says so; all else does not exist."""
    run_id = alice.run("start restart").stdout.decode().strip()
    other = alice.run("start look").stdout.decode().strip()

    assert [each["id"] for each in runs("bob")] == [run_id]
    assert nc(f"attach {other}", "bob") == f"cmdserver: unknown_run: no run {other}; try: runs\n"
    assert nc(f"stop {run_id}", "bob").startswith("cmdserver: denied: ")
    assert curl("-o", "/dev/null", "-w", "%{http_code}", f"/-/runs/{other}", user="bob") == "404"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", f"/-/runs/{run_id}", user=None) == "404"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", f"/-/runs/{run_id}/stop", user="bob") == "403"
    assert (alice.run("attach nothing").returncode, alice.run("stop ../../x").returncode) == (127, 127)
    assert state_of(run_id) == "running"
    for each in (run_id, other):
        nc(f"stop {each}")
    assert [each["ended_by"] for each in runs()] == ["caller", "caller"]


def test_a_reload_takes_what_may_be_seen(daemon: Daemon, tmp_path: Path) -> None:
    """Who watches the run of another hears no more of it when a reload says so; the run goes on."""
    run_id = curl("-d", "", "-H", "Prefer: respond-async", "/restart").strip()
    watching = subprocess.Popen(
        [*_CURL, f"bob:{USERS['bob']}", f"http://127.0.0.1:{WEB.port}/-/runs/{run_id}"],
        stdout=subprocess.PIPE,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == b"begun\n"
    blind = {**ROLES, "watcher": {**ROLES["watcher"], "sees": []}}
    daemon.configure(commands(tmp_path), listeners=LISTENERS, roles=blind, limits=LENIENT)

    daemon.reload()

    assert b"done" not in watching.communicate(timeout=30)[0]
    assert watching.returncode != 0
    assert runs("bob") == []
    go(tmp_path)
    wait_until(lambda: state_of(run_id) == "ok", "it goes on")


def test_who_closes_the_laptop(daemon: Daemon, alice: SSH, tmp_path: Path) -> None:
    """What changes something goes on without its caller, and what only reads does not."""
    for name in ("restart", "look"):
        client = alice.start(name, stdout=subprocess.PIPE)
        assert client.stdout is not None
        assert client.stdout.readline() == b"begun\n"
        client.kill()
        client.communicate()
    wait_until(lambda: [each["state"] for each in runs()] == ["stopped", "running"], "one ends")
    go(tmp_path)
    wait_until(lambda: [each["state"] for each in runs()] == ["stopped", "ok"], "the other goes on")

    assert [each["ended_by"] for each in runs()] == ["disconnect", None]
    lines = [line for line in daemon.audit() if line["event"] == "request"]
    ends = [(line["command"], line["outcome"], line["ended_by"]) for line in lines]
    assert [end for end in ends if end[0] in {"restart", "look"}] == [
        ("look", "failed", "disconnect"),
        ("restart", "ok", None),
    ]


@pytest.mark.usefixtures("daemon")
def test_ctrl_c(alice: SSH) -> None:
    """Ends what runs, whatever it is; and only the watching of what was attached to."""
    run_id = alice.run("start restart").stdout.decode().strip()
    for line in (f"attach {run_id}", "restart"):
        client = alice.start("-tt", line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == b"begun\r\n"
        client.stdin.write(b"\x03")
        client.stdin.flush()
        client.communicate(timeout=30)
    wait_until(lambda: [each["state"] for each in runs()] == ["stopped", "running"], "one has ended")

    assert [(each["ended_by"], each["stopped_by"]) for each in runs()] == [("caller", "alice"), (None, None)]
    nc(f"stop {run_id}")


@pytest.mark.usefixtures("daemon")
def test_what_runs_already(alice: SSH, tmp_path: Path) -> None:
    """Who joins is shown the run from its beginning, and told so; who is refused is told to come again."""
    client = alice.start("once", stdout=subprocess.PIPE)
    assert client.stdout is not None
    assert client.stdout.readline() == b"begun\n"
    joining = alice.start("once", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert joining.stdout is not None
    assert joining.stdout.readline() == b"begun\n"
    assert nc("start alone") != ""
    assert nc("alone").startswith("cmdserver: busy: alone is running already; try again in ")
    go(tmp_path)

    out, err = joining.communicate(timeout=30)
    assert out == b"done\n"
    assert err.startswith(b"cmdserver: this was under way already")
    assert client.communicate(timeout=30)[0] == b"done\n"
    assert [each["command"] for each in runs()] == ["alone", "once"]


@pytest.mark.usefixtures("daemon")
def test_who_joins_is_told_in_json(tmp_path: Path) -> None:
    """There and then only; the ids of both mean the same run."""
    run_id = nc("start once").strip()
    asking = subprocess.Popen(
        [*_CURL, f"alice:{ALICE}", "-d", "", "-H", "Accept: application/json", f"http://127.0.0.1:{WEB.port}/once"],
        stdout=subprocess.PIPE,
    )
    wait_until(lambda: runs()[0]["shared"], "it is joined")
    go(tmp_path)

    answer = json.loads(asking.communicate(timeout=30)[0])

    assert (answer["joined"], answer["stdout"]) == (True, "begun\ndone\n")
    assert answer["id"] != run_id
    again = json.loads(nc(f"json attach {answer['id']}"))
    assert (again["stdout"], "joined" in again) == ("begun\ndone\n", False)


def test_outcomes(daemon: Daemon) -> None:
    """Statuses that are meant to be are successes, everywhere; others are failures, everywhere."""
    assert (nc("grep"), nc("fails")) == ("", "oh\ncmdserver: fails: exit status 3\n")
    assert [json.loads(nc(f"json {name}"))["outcome"] for name in ("grep", "fails")] == ["ok", "failed"]
    codes = [curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "", f"/{name}") for name in ("grep", "fails")]

    assert codes == ["200", "502"]
    assert {(line["command"], line["outcome"]) for line in daemon.audit() if line["event"] == "request"} >= {
        ("grep", "ok"),
        ("fails", "failed"),
    }
    metrics = curl("/metrics")
    assert 'cmdserver_requests_total{command="fails",outcome="failed",protocol="line"} 2.0' in metrics
    assert 'cmdserver_requests_total{command="grep",outcome="ok",protocol="line"} 2.0' in metrics


@pytest.mark.usefixtures("daemon")
def test_what_is_cut_says_so() -> None:
    """The same in text, in JSON, in events and in what is kept; whoever heard it all is told nothing."""
    assert len(nc("much")) == 3_000_000
    run_id = curl("-d", "", "-H", "Prefer: respond-async", "/much").strip()
    wait_until(lambda: state_of(run_id) == "ok", "it has ended")

    text = nc(f"attach {run_id}")
    assert (
        found := re.search(r"^cmdserver: much: output truncated: (\d+) bytes are left out here$", text, re.MULTILINE)
    )
    assert len(re.findall("x", re.sub("(?m)^cmdserver:.*$", "", text))) + int(found[1]) == 3_000_000
    answer = json.loads(nc(f"json attach {run_id}"))
    assert len(answer["stdout"]) + answer["omitted_bytes"] == 3_000_000
    events = curl("-H", "Accept: text/event-stream", f"/-/runs/{run_id}")
    assert re.findall(r"event: gap\ndata: (\d+)", events) == [found[1]]


def test_nothing_is_kept_where_nothing_may_be(daemon: Daemon) -> None:
    """Of `none` no byte comes to the disk, and of what only reads no success."""
    nc("secretive")
    nc("quick")
    nc("fails")

    wait_until(lambda: kept(daemon) == [("fails", "failed")], "one is kept")
    assert all(b"kept nowhere" not in path.read_bytes() for path in daemon.state_directory.glob("history*"))


def test_a_daemon_that_is_killed(daemon: Daemon) -> None:
    """What it had begun is lost, and said to be; what was over before is still there, with its output."""
    nc("fails")
    run_id = nc("start restart").strip()
    wait_until(lambda: kept(daemon) == [("fails", "failed"), ("restart", "running")], "both are noted")

    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    wait_until(lambda: not daemon.processes(), "its commands end with it")
    daemon.start()

    assert state_of(run_id) == "lost"
    assert nc(f"attach {runs()[1]['id']}") == "oh\ncmdserver: fails: exit status 3\n"


def test_a_runner_that_is_killed(daemon: Daemon) -> None:
    """What it ran is a fault, to those who watch as well; the next run finds another runner."""
    run_id = nc("start restart").strip()
    wait_until(lambda: state_of(run_id) == "running", "it runs")
    runner = int(subprocess.check_output(["pgrep", "-f", "-P", str(daemon.pid), "cmdserver.privsep"]).split()[0])

    os.kill(runner, signal.SIGKILL)

    wait_until(lambda: state_of(run_id) == "fault", "it is over")
    assert nc("quick") == "quick\n"


def test_a_history_that_is_locked(daemon: Daemon) -> None:
    """Nobody waits for it; the log says so once, and what ended meanwhile is kept when it is free again."""
    nc("fails")
    wait_until(lambda: len(kept(daemon)) == 1, "it is there")
    with closing(sqlite3.connect(daemon.state_directory / "history.sqlite3")) as database:
        database.execute("BEGIN EXCLUSIVE")
        for _ in range(3):
            assert nc("fails") == "oh\ncmdserver: fails: exit status 3\n"
        daemon.wait_for_log("history")
        assert nc("runs").count("failed (exit status 3)") >= 3
        database.rollback()
    wait_until(lambda: len(kept(daemon)) == 4, "all are kept")


def test_a_history_that_is_none(daemon: Daemon) -> None:
    """A file that is no database is moved aside; the daemon starts, and keeps what comes."""
    daemon.stop()
    history = daemon.state_directory / "history.sqlite3"
    for each in daemon.state_directory.glob("history*"):
        each.unlink()
    history.write_bytes(os.urandom(8192))
    owner = daemon.state_directory.stat()
    os.chown(history, owner.st_uid, owner.st_gid)

    daemon.start()

    nc("fails")
    wait_until(lambda: kept(daemon) == [("fails", "failed")], "it begins anew")
    assert len(list(daemon.state_directory.glob("history.sqlite3.corrupt-*"))) == 1


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Requests are answered as ever, what is alive can be seen, and the log says once that nothing is kept."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=777", "none", disk], check=False).returncode:
        pytest.skip("takes root")
    try:
        place = tmp_path / "daemon"
        place.mkdir()
        history = {"file": str(disk / "history.sqlite3")}
        everything = {**commands(tmp_path), "prints": shell("head -c 60000 /dev/urandom | base64; exit 1")}
        with running(place, everything, listeners=LISTENERS, roles=ROLES, limits=LENIENT, history=history) as daemon:
            write_passwords(daemon, USERS)
            for _ in range(6):
                assert nc("prints").endswith("cmdserver: prints: exit status 1\n")
            daemon.wait_for_log("history")
            run_id = nc("start restart").strip()
            assert state_of(run_id) == "running"
            go(tmp_path)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_waits_when_the_daemon_is_killed(daemon: Daemon) -> None:
    """Is lost as well: whoever was promised it can find out."""
    nc("start once").strip()
    waiting = nc("start alone").strip()
    queued = curl("-d", "", "-H", "Prefer: respond-async", "/waits").strip()
    second = curl("-d", "", "-H", "Prefer: respond-async", "/waits").strip()
    wait_until(lambda: ("waits", "queued") in kept(daemon), "it is noted")

    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    wait_until(lambda: not daemon.processes(), "its commands end with it")
    daemon.start()

    assert [state_of(each) for each in (waiting, queued, second)] == ["lost"] * 3


def test_what_waits_when_the_daemon_is_stopped(daemon: Daemon) -> None:
    """Is stopped as well, by the daemon's end, in the history and in the audit file."""
    first, second = (curl("-d", "", "-H", "Prefer: respond-async", "/waits").strip() for _ in range(2))
    daemon.stop()
    daemon.start()

    found = {each["id"]: (each["state"], each["ended_by"]) for each in runs()}
    assert found[second] == ("stopped", "shutdown")
    assert found[first][0] in {"ok", "stopped"}
    assert [line["ended_by"] for line in daemon.audit() if line["id"] == second] == ["shutdown"]


def test_who_shares_what_another_stops(daemon: Daemon, alice: SSH) -> None:
    """For whoever stops it they have, and for the others somebody else has; who starts what runs already is told."""
    first = alice.run("start once").stdout.decode().strip()
    joined = alice.run("start once")
    assert joined.stderr.startswith(b"cmdserver: this was under way already")
    second = joined.stdout.decode().strip()
    assert first != second
    assert json.loads(nc("json start once"))["joined"] is True
    third = curl("-i", "-d", "", "-H", "Prefer: respond-async", "/once", user="root")
    assert "Cmdserver-Joined: true" in third

    nc(f"stop {second}", "root")

    lines = [line for line in daemon.audit() if line["event"] == "request" and line["command"] == "once"]
    ends = {line["user"]: line["ended_by"] for line in lines}
    assert ends == {"alice": "stop", "root": "caller"}
    assert state_of(second) == "stopped"
