"""Signed requests to a real daemon, by an implementation of RFC 9421 that is not ours, with keys of ssh-keygen's."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cmdserver.core.site import DEFAULT_FLEET
from tests.integration.daemon import Daemon, Listener, running
from tests.integration.logins import COMMANDS, LENIENT, ROLES
from tests.integration.signed import AT_ONCE, ask, caller, now, verify
from tests.signing import Signing
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

WEB, TLS = Listener(protocol="web", login="required"), Listener(protocol="web", login="optional", tls=True)
SSH = Listener(protocol="ssh")
FLEET = {"name": DEFAULT_FLEET, "host": "web-1"}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Start a daemon that is called web-1."""
    listeners = (WEB, TLS, SSH)
    with running(
        tmp_path, COMMANDS, listeners=listeners, roles=ROLES, fleet=FLEET, limits=LENIENT, constants=AT_ONCE
    ) as daemon:
        yield daemon


def test_a_request(daemon: Daemon) -> None:
    """It is answered once, at whatever listener, and the host signs that with the key that SSH clients know."""
    for kind in ("ed25519", "ecdsa", "rsa"):
        signing = caller(daemon, kind)
        asked = signing.ask("/uptime", **now())
        response = ask(WEB, asked)
        assert (response.status, response.json["command"]) == (200, "uptime")
        verify(daemon, asked, response)
        for listener in (WEB, TLS):
            again = ask(listener, asked)
            assert again.status == 401
            assert "used" not in again.json["error"]["message"]
    logins = [each for each in daemon.audit() if each["event"] == "login"]
    said = [(each["user"], each["method"], each["outcome"], each["reason"]) for each in logins[:2]]
    assert said == [
        ("alice", "signature", "ok", None), ("alice", "signature", "denied", "it was used before")
    ]  # fmt: skip
    assert logins[0]["fingerprint"].startswith("SHA256:")
    (request, *_) = (each for each in daemon.audit() if each["event"] == "request")
    assert (request["user"], request["method"], request["command"]) == ("alice", "signature", "uptime")


def test_what_is_refused(daemon: Daemon) -> None:
    """Without a reason for who has sent it, and with one in the audit file; nothing runs."""
    signing = caller(daemon)
    for asked, reason in (
        (Signing(user="alice").ask("/uptime", **now()), "no such key"),
        (signing.ask("/uptime", **now(audience='default;hosts=("db-*")')), "this is web-1 in default"),
        (signing.ask("/uptime", **now(audience='other;hosts=("web-1")')), "this is web-1 in default"),
        (signing.ask("/uptime", **now(created=time.time() - 100)), "expired"),
        (signing.ask("/uptime", **now(tag="other")), "its tag or its nonce"),
    ):
        response = ask(WEB, asked)
        assert response.status == 401
        assert "signature" not in dict(response.headers)
        refused = daemon.audit()[-1]
        assert (refused["event"], refused["outcome"]) == ("login", "denied"), refused
        assert reason in refused["reason"]
    assert not [each for each in daemon.audit() if each["event"] == "request" and each["exit_status"] is not None]


def test_roles_hold(daemon: Daemon) -> None:
    """A signature is a login like others: what its holder may not run is denied, and that answer is signed, too."""
    signing = caller(daemon)
    for target, status in (("/nothing", 404), ("/reboot", 403), ("/members", 200)):
        asked = signing.ask(target, "POST" if target == "/reboot" else "GET", **now())
        response = ask(WEB, asked)

        assert response.status == status, (target, response)
        verify(daemon, asked, response)


def test_a_start(tmp_path: Path) -> None:
    """What may have been used before a start is not taken after it: for five seconds nothing is."""
    with running(tmp_path, COMMANDS, listeners=(WEB,), roles=ROLES, fleet=FLEET) as daemon:
        asked = caller(daemon).ask("/uptime", **now())
        response = ask(WEB, asked)

        assert (response.status, response["retry-after"]) == (503, "5")
        assert daemon.audit()[-1]["outcome"] == "busy"


def test_a_key_is_made(tmp_path: Path) -> None:
    """Where nobody speaks SSH the host's key is made when the first answer is to be signed."""
    with running(
        tmp_path, COMMANDS, listeners=(WEB,), roles=ROLES, fleet=FLEET, limits=LENIENT, constants=AT_ONCE
    ) as daemon:
        signing = caller(daemon)
        assert not (daemon.state_directory / "ssh_host_ed25519_key").exists()

        asked = signing.ask("/uptime", **now())
        verify(daemon, asked, ask(WEB, asked))


def test_a_reload(daemon: Daemon) -> None:
    """It changes what the host is called; what was signed for its old name is for somebody else."""
    signing = caller(daemon)
    daemon.configure(COMMANDS, listeners=(WEB, TLS, SSH), roles=ROLES, fleet={**FLEET, "host": "web-2"}, limits=LENIENT)
    daemon.reload()

    wait_until(
        lambda: ask(WEB, signing.ask("/uptime", **now(audience='default;hosts=("web-2")'))).status == 200,
        "it is called web-2",
    )
    assert ask(WEB, signing.ask("/uptime", **now())).status == 401


def test_the_documented_client(daemon: Daemon) -> None:
    """The program in docs/signatures.md asks, and believes the host alone."""
    text = (Path(__file__).parents[2] / "docs" / "signatures.md").read_text("utf-8")
    program = daemon.directory / "ask.py"
    program.write_text(text.partition("```python\n")[2].partition("```")[0])
    caller(daemon)
    words = [sys.executable, str(program), "alice", str(daemon.directory / "id_ed25519")]

    def run(host_key_file: Path) -> "subprocess.CompletedProcess[str]":
        rest = [str(host_key_file), f"http://127.0.0.1:{WEB.port}/uptime", '"web-*"']
        return subprocess.run([*words, *rest], capture_output=True, check=False, text=True, timeout=LIMIT_SECONDS)

    said = run(daemon.state_directory / "ssh_host_ed25519_key.pub")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith('web-1 {"id": ')
    other = run(daemon.directory / "id_ed25519.pub")
    assert other.returncode != 0
    assert "InvalidSignature" in other.stderr
