"""Checks, with the plugins and the clients that people have."""

import json
import os
import pty
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.client import NETCATS, Netcat
from tests.integration.daemon import Daemon, Listener, running, shell
from tests.integration.http_client import HTTPClient
from tests.integration.logins import LENIENT, USERS, require_program, write_passwords
from tests.integration.ssh import NO_STATUS, SSH, authorize, make_key
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")]

PLUGINS = Path("/usr/lib/nagios/plugins")
#: Of `check_dummy`, by exit status.
STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
HTTP_STATUS = {"OK": 200, "WARNING": 200, "CRITICAL": 503, "UNKNOWN": 503}

WEB = Listener(protocol="web", login="never")
WEB_TLS = Listener(protocol="web", login="never", tls=True)
LINE_TLS = Listener(login="never", tls=True)
SSHD = Listener(protocol="ssh")

#: What rules find of a disk that is as full as that.
FULL = b"CRITICAL: use_percent of /var is 93 (over 90)"
READ: Mapping[str, Any] = {"read_only": True, "share": False}


def plugin(script: str, **settings: object) -> Mapping[str, object]:
    """Say a plugin that is a shell script."""
    return shell(script, check=True, **READ, **settings)


def disks(used: int, **settings: object) -> Mapping[str, object]:
    """Say a check by rules of one disk that is so full."""
    table = rf"Filesystem 1K-blocks Used Available Use%% Mounted on\n/dev/sda1 100 {used} {100 - used} {used}%% /var\n"
    rule = {"value": "use_percent", "row": "mounted_on", "warning": 80, "critical": "90"}
    return shell(f"printf '{table}'", parser="df", check=[rule], **READ, **settings)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with plugins and rules, good and bad."""
    directory = tmp_path_factory.mktemp("checks")
    commands: dict[str, Mapping[str, object]] = {
        "rubbish": plugin(r"printf '\377\376\000\001'"),
        "megabyte": plugin("head -c 1000000 /dev/zero | tr '\\000' x"),
        "too-much": plugin("exec yes", output_limit_bytes=10_000),
        "silent": plugin("exit 2"),
        "hangs": plugin("echo begun; exec sleep 60", timeout_seconds=0.3),
        "dies": plugin("echo oops; kill -SEGV $$"),
        "ansi": plugin(r"printf '\033[2J\033]0;pwned\007CRITICAL - \033[31mred\n'; exit 2"),
        "odd-status": plugin("echo what; exit 9"),
        "long": plugin(r"printf 'DISK OK | /=1MB;5;6;0;10\nsecond line\nthird | /var=2.5%%\n'"),
        "steps": plugin(f"echo one; until [ -e {directory}/go ]; do sleep 0.02; done; echo two; exit 1"),
        "disks-ok": disks(12),
        "disks-warning": disks(85),
        "disks-critical": disks(93),
        "disks-broken": shell("echo nonsense; echo oh >&2; exit 1", parser="df", check=[{"value": "x"}], **READ),
        "real-df": {"run": ["df"], "parser": "df", "check": [{"value": "use_percent", "critical": "~:101"}], **READ},
    }
    for status, state in enumerate(STATES):
        words = [str(PLUGINS / "check_dummy"), str(status), "what it says"]
        run: Mapping[str, object] = {"run": words, "check": True, **READ}
        if (PLUGINS / "check_dummy").exists():
            commands[f"dummy-{state.lower()}"] = run
    for name, words in (("load", ["-w", "9999,9999,9999", "-c", "9999,9999,9999"]), ("disk", ["-w", "0", "-p", "/"])):
        if (PLUGINS / f"check_{name}").exists():
            commands[name] = {"run": [str(PLUGINS / f"check_{name}"), *words], "check": True, **READ}
    everything = {"commands": ["*"], "sees": ["*"]}
    roles = {"anonymous": everything, "admin": {"commands": ["*"], "sees": ["*"], "users": ["alice"]}}
    listeners = [WEB, WEB_TLS, LINE_TLS, SSHD]
    with running(directory, commands, listeners=listeners, roles=roles, limits=LENIENT) as daemon:
        write_passwords(daemon, USERS)
        yield daemon


@pytest.fixture
def ssh(daemon: Daemon, tmp_path: Path) -> SSH:
    """Somebody with an SSH client."""
    key = make_key(tmp_path)
    authorize(daemon, "alice", key)
    return SSH(listener=SSHD, directory=tmp_path, key=key)


def need_plugin(name: str) -> None:
    """Skip the test where the plugin is not installed."""
    if not (PLUGINS / name).exists():
        pytest.skip(f"{PLUGINS}/{name} is not installed here (monitoring-plugins-basic)")


def curl(target: str, *options: str, listener: Listener = WEB) -> tuple[int, dict[str, str], bytes]:
    """Ask with curl; return status, headers and body."""
    scheme = "https" if listener.tls else "http"
    url = f"{scheme}://localhost:{listener.port}{target}"
    done = subprocess.run(
        [require_program("curl"), "--silent", "--insecure", "--dump-header", "/dev/stderr", *options, url],
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    first, *lines = done.stderr.decode().replace("\r", "").splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return int(first.split()[1]), headers, done.stdout


def as_json(name: str) -> Any:
    """Ask for JSON, which is 200."""
    status, headers, body = curl(f"/{name}", "--header", "Accept: application/json")
    told = json.loads(body)
    assert (status, headers["cmdserver-check"]) == (200, told["check"]["state"].lower())
    return told


# Plugins of Debian's


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("netcat", NETCATS[:3], ids=str)
def test_a_plugin_by_netcat(daemon: Daemon, netcat: Netcat, state: str) -> None:
    """Its line, as it is."""
    need_plugin("check_dummy")
    said = netcat.talk(("127.0.0.1", str(daemon.port)), f"dummy-{state.lower()}\n".encode())
    assert said.splitlines()[-1] == f"{state}: what it says".encode()


@pytest.mark.parametrize("state", STATES)
def test_a_plugin_by_curl(daemon: Daemon, state: str) -> None:
    """Its line, a status that wakes somebody or not, and its state in a header."""
    need_plugin("check_dummy")
    del daemon
    for listener in (WEB, WEB_TLS):
        status, headers, body = curl(f"/dummy-{state.lower()}", listener=listener)
        assert (status, headers["cmdserver-check"]) == (HTTP_STATUS[state], state.lower())
        assert body == f"{state}: what it says\n".encode()
        assert headers["cmdserver-exit-status"] == str(STATES.index(state))
    assert as_json(f"dummy-{state.lower()}")["check"]["text"] == f"{state}: what it says"


@pytest.mark.parametrize("state", STATES)
def test_a_plugin_by_ssh(daemon: Daemon, ssh: SSH, state: str) -> None:
    """Its line and its exit status, as check_by_ssh wants them."""
    need_plugin("check_dummy")
    del daemon
    done = ssh.run(f"dummy-{state.lower()}")
    assert (done.returncode, done.stdout, done.stderr) == (
        STATES.index(state),
        f"{state}: what it says\n".encode(),
        b"",
    )


def test_a_plugin_by_s_client(daemon: Daemon) -> None:
    """Over TLS it is the same."""
    need_plugin("check_dummy")
    del daemon
    done = subprocess.run(
        [require_program("openssl"), "s_client", "-quiet", "-connect", f"127.0.0.1:{LINE_TLS.port}"],
        input=b"dummy-critical\n",
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == b"CRITICAL: what it says"


def test_performance_data(daemon: Daemon) -> None:
    """What they measure is numbers with their limits."""
    need_plugin("check_load")
    need_plugin("check_disk")
    load = as_json("load")["check"]
    assert load["state"] == "OK"
    assert [each["label"] for each in load["performance"]][:3] == ["load1", "load5", "load15"]
    assert load["performance"][0]["critical"].startswith("9999")
    (disk,) = as_json("disk")["check"]["performance"]
    assert (disk["label"], disk["minimum"]) == ("/", 0)
    assert 0 < disk["value"] <= disk["maximum"]
    assert daemon.log().count("Traceback") == 0


def test_long_text(daemon: Daemon) -> None:
    """Both parts of the performance data, and the lines between them; whole numbers as such."""
    check = as_json("long")["check"]
    assert (check["text"], check["long_text"]) == ("DISK OK", "second line\nthird")
    assert [(each["label"], each["value"], each["unit"]) for each in check["performance"]] == [
        ("/", 1, "MB"),
        ("/var", 2.5, "%"),
    ]
    assert isinstance(check["performance"][0]["value"], int)
    assert daemon.ask("long\n") == b"DISK OK | /=1MB;5;6;0;10\nsecond line\nthird | /var=2.5%\n"


# Rules


@pytest.mark.parametrize(
    ("name", "state", "text"),
    [
        ("disks-ok", "OK", b"OK: use_percent of /var is 12 | 'use_percent /var'=12%;80;90\n"),
        ("disks-warning", "WARNING", b"WARNING: use_percent of /var is 85 (over 80) | 'use_percent /var'=85%;80;90\n"),
        ("disks-critical", "CRITICAL", FULL + b" | 'use_percent /var'=93%;80;90\n"),
        ("disks-broken", "UNKNOWN", b"UNKNOWN: exit status 1\noh\n"),
    ],
)
def test_rules(daemon: Daemon, ssh: SSH, name: str, state: str, text: bytes) -> None:
    """The same from everybody."""
    assert daemon.ask(f"{name}\n") == text
    assert curl(f"/{name}")[0::2] == (HTTP_STATUS[state], text)
    done = ssh.run(name)
    assert (done.returncode, done.stdout) == (STATES.index(state), text)
    told = as_json(name)
    assert told["check"]["state"] == state
    assert told["stdout"] != text.decode()
    assert daemon.ask_json(name)["check"] == told["check"]


def test_rules_on_what_there_is(daemon: Daemon) -> None:
    """Of this host: df itself may complain of what it may not look at."""
    told = as_json("real-df")
    assert told["check"]["state"] in ({"OK"} if told["exit_status"] == 0 else {"UNKNOWN"})
    assert daemon.ask("real-df\n").startswith(told["check"]["state"].encode())


def test_rules_at_a_terminal(daemon: Daemon, ssh: SSH) -> None:
    """A person sees the finding, and a script has its exit status."""
    del daemon
    ours, theirs = pty.openpty()
    with ssh.start("-tt", "disks-critical", stdin=theirs, stdout=theirs, stderr=theirs) as client:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 4096):
                seen += part
        except OSError:  # the end of a terminal
            pass
        os.close(ours)
        assert client.wait(LIMIT_SECONDS) == STATES.index("CRITICAL")
    assert seen.startswith(FULL)


# Plugins that mean no good, or are no good


@pytest.mark.parametrize(
    ("name", "status", "text", "exit_status"),
    [
        ("rubbish", 503, "the plugin has printed what is no text", 3),
        ("megabyte", 200, "xxx", 0),
        ("too-much", 503, "output truncated at 10000 bytes", None),
        ("silent", 503, "CRITICAL (the plugin has printed nothing)", 2),
        ("hangs", 504, "timeout: ran longer than 0.3 s", 124),
        ("dies", 503, "ended by SIGSEGV", None),
        ("ansi", 503, "CRITICAL - ", 2),
        ("odd-status", 503, "exit status 9", 9),
    ],
)
def test_bad_plugins(daemon: Daemon, ssh: SSH, name: str, status: int, text: str, exit_status: int | None) -> None:
    """Nobody knows, unless they say so; why is told, and the same over each protocol."""
    check = as_json(name)["check"]
    assert text in check["text"]
    state = check["state"]
    assert state == ("OK" if status == 200 else "CRITICAL" if exit_status == 2 else "UNKNOWN")
    assert len(check["text"]) <= 4096
    by_curl, headers, body = curl(f"/{name}")
    assert (by_curl, headers["cmdserver-check"]) == (status, state.lower())
    in_line = daemon.ask(f"{name}\n")
    if name != "ansi":
        assert text.encode() in body
        assert text.encode() in in_line
    assert b"\x1b" not in in_line
    done = ssh.run(name)
    assert b"\x1b" not in done.stdout
    assert done.returncode == (NO_STATUS if exit_status is None else exit_status)
    assert daemon.log().count("Traceback") == 0


# While it is made, and afterwards


def test_following(daemon: Daemon) -> None:
    """Each line as it comes, the state in the last one and in a trailer; the others by events."""
    go = daemon.directory / "go"
    go.unlink(missing_ok=True)
    command = [require_program("curl"), "--silent", "--no-buffer", "--include", "--header", "TE: trailers"]
    with subprocess.Popen([*command, f"http://localhost:{WEB.port}/steps?follow"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        head = b""
        while not head.endswith(b"one\n"):
            head += process.stdout.read(1)
        run_id = next(line.split()[1] for line in head.decode().splitlines() if "Request-Id" in line)
        attached = daemon.connect()
        attached.read_greeting()
        attached.send(f"attach {run_id}\n".encode())
        assert attached.read_until(b"one\n") == b"one\n"
        seen = json.loads(curl(f"/-/runs/{run_id}", "--header", "Accept: application/json")[2])
        assert (seen["state"], "check" in seen) == ("running", False)
        go.touch()
        rest, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert rest.replace(b"\r", b"").startswith(b"two\ncmdserver: steps: WARNING: exit status 1\n")
    assert b"cmdserver-check: warning" in rest.lower()
    with attached:
        assert attached.read_all() == b"two\n"
    seen = json.loads(curl(f"/-/runs/{run_id}", "--header", "Accept: application/json")[2])
    assert seen["check"] == {"state": "WARNING", "text": "one"}


def test_following_rules(daemon: Daemon) -> None:
    """What was printed, and behind it what was found."""
    del daemon
    _, _, body = curl("/disks-critical?follow")
    assert body.startswith(b"Filesystem")
    assert body.endswith(b"\ncmdserver: disks-critical: " + FULL + b"\n")


def test_events(daemon: Daemon) -> None:
    """The outcome has what JSON has."""
    del daemon
    _, _, body = curl("/disks-critical", "--header", "Accept: text/event-stream")
    outcome = next(line for line in reversed(body.decode().splitlines()) if line.startswith("data: {"))
    assert json.loads(outcome.removeprefix("data: "))["check"]["state"] == "CRITICAL"


@pytest.mark.parametrize(
    ("name", "state"), [("disks-critical", "CRITICAL"), ("silent", "CRITICAL"), ("hangs", "UNKNOWN")]
)
def test_what_is_over(daemon: Daemon, name: str, state: str) -> None:
    """It is found again with its state, by its id and in lists; plugins and rules say again what they have said."""
    told = as_json(name)
    shown: list[Any] = []

    def is_kept() -> bool:
        status, headers, body = curl(f"/-/runs/{told['id']}")
        shown[:] = [status, headers.get("cmdserver-check"), body]
        return status == 200

    wait_until(is_kept, "the run is in the history")
    assert shown[1] == state.lower()
    record = json.loads(curl(f"/-/runs/{told['id']}", "--header", "Accept: application/json")[2])
    assert record["check"] == {"state": state, "text": told["check"]["text"]}
    assert daemon.ask(f"attach {told['id']}\n") == shown[2]
    if name == "hangs":
        assert b"timeout: ran longer" in shown[2]
    else:
        assert shown[2].startswith(b"CRITICAL")
    rows = daemon.ask(f"runs command={name}\n").decode().splitlines()
    assert any(told["id"] in row and state in row for row in rows)


def test_it_is_said_to_be_one(daemon: Daemon) -> None:
    """By help, explain and the description for programs."""
    assert b"(check)" in daemon.ask("help disks-ok\n")
    explained = daemon.ask("explain disks-ok\n").decode()
    assert "check               use_percent by mounted_on: WARNING over 80, CRITICAL over 90\n" in explained
    assert "check               plugin\n" in daemon.ask("explain silent\n").decode()
    described = json.loads(curl("/-/openapi.json")[2])
    assert "503" in described["paths"]["/silent"]["get"]["responses"]


def test_the_end_of_the_daemon(tmp_path: Path) -> None:
    """While a parser is at work that will not end: whoever asked has an answer, and the daemon ends."""
    pytest.importorskip("jc", reason="jc is not installed")
    # Its parser's regular expressions take minutes for this.
    odd = shell("head -c 20000 /dev/zero | tr '\\000' x", parser="ifconfig", check=[{"value": "mtu"}], **READ)
    roles = {"anonymous": {"commands": ["*"], "sees": ["*"]}}

    def is_judged(daemon: Daemon) -> bool:
        runs = daemon.ask_json("runs")["runs"]
        return [(each["state"], each["stdout_bytes"]) for each in runs] == [("running", 20_000)]

    with running(tmp_path, {"odd": odd}, roles=roles) as daemon, daemon.connect() as client:
        client.read_greeting()
        client.send(b"odd\n")
        wait_until(lambda: is_judged(daemon) and not daemon.processes(), "it is judged")
        daemon.stop()
        assert client.read_all().startswith(b"UNKNOWN: ")
        (event,) = [each for each in daemon.audit() if each["command"] == "odd"]
        assert event["outcome"] == "ok"
        assert daemon.log().count("Traceback") == 0


def test_the_end_of_the_web(daemon: Daemon) -> None:
    """A client that leaves in the middle of a check leaves nothing behind."""
    (daemon.directory / "go").unlink(missing_ok=True)
    with HTTPClient(("127.0.0.1", WEB.port)) as client:
        client.request("/steps")
        wait_until(lambda: bool(daemon.processes()), "it runs")
        client.reset()
    wait_until(lambda: not daemon.processes(), "it is ended")
    wait_until(lambda: daemon.audit()[-1]["ended_by"] == "disconnect", "it is written down")
    assert daemon.audit()[-1]["command"] == "steps"
