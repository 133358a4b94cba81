"""What asks for runs without a person, with the real daemon: hooks by curl and openssl, schedules over a restart."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cmdserver.triggers.last_look import NAME
from tests.integration.daemon import Daemon, Listener, clean_environment, prepared, program, shell
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

WEB = Listener(protocol="web", login="required")
TLS = Listener(protocol="web", login="required", tls=True)
PUSH, OTHER = b'{"ref": "refs/heads/main"}', b'{"ref": "other"}'

COMMANDS = {
    "deploy": shell('echo deployed >>"$OUT"', timeout_seconds=20),
    "tick": {"run": ["true"]},
}
HOOKS = """
[hooks.deploy]
command = "deploy"
secret_file = ["{secret}", "{secret}.old"]
signature = "github"
only_if = {{ "body.ref" = "refs/heads/main", "header.X-GitHub-Event" = ["push"] }}
"""


def write(daemon: Daemon, *listeners: Listener, schedule: str = "@yearly") -> Path:
    """Configure a daemon with a hook and a schedule; return the secret's file."""
    secret = daemon.directory / "secret"
    secret.write_text("s3cr3t\n", "ascii")
    secret.with_suffix(".old").write_text("0ld\n", "ascii")
    commands: Any = {name: dict(each) for name, each in COMMANDS.items()}
    commands["deploy"]["environment"] = {"OUT": str(daemon.directory / "out")}
    commands["tick"]["schedule"] = schedule
    daemon.configure(commands, listeners=listeners, roles={"anonymous": {"commands": []}})
    with daemon.config_file.open("a", encoding="utf-8") as file:
        file.write(HOOKS.format(secret=secret))
    return secret


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a hook and a schedule."""
    with prepared(tmp_path_factory.mktemp("triggers")) as daemon:
        write(daemon, WEB, TLS)
        daemon.start()
        yield daemon


def post(body: bytes, secret: str = "s3cr3t", *options: str, listener: Listener = WEB) -> tuple[int, str, str]:  # noqa: S107 - of a test
    """Sign with openssl and send with curl, as the document says; return status, Location and body."""
    for tool in ("curl", "openssl"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    sign = ["openssl", "dgst", "-sha256", "-hmac", secret, "-r"]
    signature = subprocess.run(sign, input=body, capture_output=True, check=True).stdout.decode().split()[0]
    words = ["curl", "--silent", "--show-error", "--insecure", "--max-time", "15", "--data-binary", "@-"]
    words += ["-H", f"X-Hub-Signature-256: sha256={signature}", "-H", "X-GitHub-Event: push"]
    words += ["-H", "Content-Type: application/json", *options, "--write-out", "\n%{http_code} %header{location}"]
    words.append(f"{'https' if listener.tls else 'http'}://localhost:{listener.port}/-/hooks/deploy")
    said = subprocess.run(words, input=body, capture_output=True, timeout=LIMIT_SECONDS, check=True).stdout.decode()
    answer, _, rest = said.rpartition("\n")
    status, _, location = rest.partition(" ")
    return int(status), location, answer


def lines(daemon: Daemon) -> int:
    """Count how often something was deployed."""
    out = daemon.directory / "out"
    return len(out.read_text("ascii").splitlines()) if out.exists() else 0


def wait_for(is_so: Callable[[Any], bool], value: object) -> None:
    """Wait until something has a value."""
    wait_until(lambda: is_so(value), f"it is {value}")


def test_a_hook(daemon: Daemon) -> None:
    """Over HTTP/1.1 and HTTP/2, where everybody else has to log in; a large body too, and the old secret."""
    large = json.dumps({"ref": "refs/heads/main", "commits": ["x" * 900_000]}).encode()
    for body, secret, listener in (
        (PUSH, "s3cr3t", WEB),
        (PUSH, "0ld", WEB),
        (large, "s3cr3t", WEB),
        (large, "s3cr3t", TLS),
    ):
        before = lines(daemon)
        status, location, answer = post(body, secret, listener=listener)
        run = json.loads(answer)["id"]
        assert (status, location) == (202, f"/-/runs/{run}")
        wait_for(lambda count: lines(daemon) == count, before + 1)
        wait_for(lambda last: [each["id"] for each in daemon.audit()[-1:]] == [last], run)
        record = daemon.audit()[-1]
        who = (record["user"], record["protocol"], record["method"], record["outcome"])
        assert who == ("hook:deploy", "web", "hook", "ok")


def test_what_is_not_right(daemon: Daemon) -> None:
    """Nothing runs, and nothing is told."""
    before = lines(daemon)
    refused = post(PUSH, "wrong")

    assert refused == (401, "", "cmdserver: denied: Login failed.\n")
    assert post(PUSH, "s3cr3t", "-X", "GET")[0] == 405
    assert post(b"x" * 1_100_000)[0] == 413
    assert post(OTHER)[0::2] == (200, '{"skipped": true}\n')
    record = next(each for each in daemon.audit() if each["event"] == "login")
    assert (record["user"], record["outcome"], record["method"]) == ("hook:deploy", "denied", "hook")
    assert daemon.audit()[-1]["outcome"] == "skipped"
    assert lines(daemon) == before
    assert "s3cr3t" not in daemon.audit_file.read_text("ascii") + daemon.log()


def test_a_new_secret(daemon: Daemon) -> None:
    """It is read again on SIGHUP; one that is no good changes nothing."""
    secret = daemon.directory / "secret"
    for text, good in (("n3w\n", True), ("\n", False)):
        secret.write_text(text, "ascii")
        daemon.reload()
        assert (f"{secret} is empty" in daemon.log()) != good
        assert post(OTHER, "n3w")[0] == 200
        assert post(OTHER, "s3cr3t")[0] == 401
    secret.write_text("s3cr3t\n", "ascii")
    daemon.reload()


def test_a_schedule_over_a_restart(tmp_path: Path) -> None:
    """What came while the daemon was not there is in the audit file, and was not made up."""
    with prepared(tmp_path) as daemon:
        write(daemon, Listener(protocol="web", login="never"), schedule="* * * * *")
        daemon.start()
        daemon.stop()
        kept = daemon.state_directory / NAME
        seen = json.loads(kept.read_text("ascii"))
        assert seen["schedules"] == {"tick": ["* * * * *"]}
        kept.write_text(json.dumps({**seen, "looked_at": seen["looked_at"] - 1800}), "ascii")
        before = len(daemon.audit())
        daemon.start()
        wait_until(lambda: len(daemon.audit()) >= before + 11, "it is told what was missed")

        told = daemon.audit()[before : before + 11]
        assert {(each["user"], each["protocol"], each["command"], each["outcome"]) for each in told} == {
            ("schedule", "schedule", "tick", "missed")
        }
        assert told[-1]["arguments"][0].endswith(" more")


def test_check_tells_the_next_times(tmp_path: Path) -> None:
    """In the time zone that the host, or TZ, says."""
    with prepared(tmp_path) as daemon:
        write(daemon)
        for words in ([program("twistd"), "cmdserver", "--check"], [program("cmdserver"), "check"]):
            checked = subprocess.run(
                [*words, f"--config={daemon.config_file}"],
                env=clean_environment({"TZ": "Asia/Tokyo"}),
                capture_output=True,
                text=True,
                timeout=LIMIT_SECONDS,
                check=True,
            )
            last = checked.stdout.splitlines()[-1]
            assert last.startswith("tick runs by itself, next at 20"), checked
            assert last.count("+09:00") == 3
            assert "everybody on this host may read" in checked.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_secrets_that_are_roots_alone(tmp_path: Path) -> None:
    """Root reads them, and hands them to the daemon, which is somebody else; on SIGHUP, too."""
    tmp_path.chmod(0o755)
    with prepared(tmp_path) as daemon:
        web = Listener(protocol="web", login="never")
        secret = write(daemon, web)
        with daemon.config_file.open("a", encoding="utf-8") as file:
            file.write('[runner]\ndaemon_user = "nobody"\n')
        for each in (secret, secret.with_suffix(".old")):
            each.chmod(0o600)
        daemon.start()
        assert post(OTHER, listener=web)[0] == 200
        secret.write_text("n3w", "ascii")
        daemon.reload()
        assert post(OTHER, "n3w", listener=web)[0] == 200
        assert post(OTHER, listener=web)[0] == 401
