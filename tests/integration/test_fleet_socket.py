"""The socket at which a host's agent hands over what came from a bus: signatures alone, and no address."""

import json
import signal
import stat
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Listener, prepared, running
from tests.integration.http_client import HTTPClient
from tests.integration.logins import ALICE, COMMANDS, ROLES, write_passwords
from tests.integration.signed import AT_ONCE, ask, caller, now, verify
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

FLEET = {
    "server": "nats://127.0.0.1:4222",
    "name": "prod",
    "host": "web-1",
    "facts": {"site": "berlin"},
}
MEANT = {"audience": 'prod;hosts=("web-*")'}
SECRET = {
    "unlock": {
        "run": ["sh", "-c", "cat >/dev/null; echo open"],
        "stdin": "{word}",
        "parameters": [{"name": "word", "type": "secret", "default": "usual"}],
    }
}
WEB = Listener(protocol="web", login="required")


def socket_of(daemon: Daemon) -> str:
    """Say where the agent connects to."""
    return str(daemon.state_directory / "fleet.sock")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Start a member of a fleet."""
    roles = {**ROLES, "opener": {"commands": ["unlock"], "users": ["alice"]}}
    with running(
        tmp_path,
        {**COMMANDS, **SECRET},
        roles=roles,
        listeners=(WEB,),
        fleet=FLEET,
        web={"base_path": "/ops", "trusted_proxies": ["unix"], "user_header": "Remote-User"},
        constants=AT_ONCE,
    ) as daemon:
        yield daemon


def test_a_request(daemon: Daemon) -> None:
    """It is answered, and the answer is signed; the audit file says by which way and how its caller has logged in."""
    asked = caller(daemon).ask("/uptime", **now(**MEANT))
    response = ask(socket_of(daemon), asked)

    assert (response.status, response.json["command"]) == (200, "uptime")
    verify(daemon, asked, response)
    login, request = daemon.audit()
    for each in (login, request):
        assert (each["protocol"], each["source"], each["user"], each["method"]) == (
            "fleet", "fleet", "alice", "signature",
        )  # fmt: skip
    assert stat.S_IMODE((daemon.state_directory / "fleet.sock").stat().st_mode) == 0o600


def test_what_it_tells_of_itself(daemon: Daemon) -> None:
    """To whoever has signed, with the key by which its answers are verified."""
    asked = caller(daemon).ask("/-/fleet", **now(**MEANT))
    response = ask(socket_of(daemon), asked)

    verify(daemon, asked, response)
    said = response.json
    assert (said["name"], said["fleet"], said["facts"]) == ("web-1", "prod", {"site": "berlin"})
    assert said["since"].endswith("Z")
    assert said["version"]
    assert said["roles"] == ["authenticated", "reader", "opener"]
    assert (daemon.state_directory / "ssh_host_ed25519_key.pub").read_text().startswith(said["key"])


def test_nothing_else_logs_in(daemon: Daemon) -> None:
    """Neither a password nor a proxy's word, and a form of the login begins no session; and nobody is anonymous."""
    write_passwords(daemon)
    basic = f"Basic {b64encode(f'alice:{ALICE}'.encode()).decode()}"
    form = f"name=alice&password={ALICE.replace(' ', '+')}".encode()
    with HTTPClient(WEB.address) as client:
        assert client.ask("/ops/members", authorization=basic, accept="application/json").status == 200
    for target, method, body, headers in (
        ("/uptime", "GET", b"", {}),
        ("/members", "GET", b"", {"authorization": basic}),
        ("/members", "GET", b"", {"remote_user": "alice"}),
        ("/-/login", "POST", form, {}),
        ("/-/login", "GET", b"", {}),
        ("/-/static/page.js", "GET", b"", {}),
        ("/-/healthy", "GET", b"", {}),
    ):
        with HTTPClient(socket_of(daemon)) as client:
            response = client.ask(target, method, body, accept="application/json", **headers)
        assert response.status in {401, 403, 404}, (target, headers, response)
        assert not response["set-cookie"]
    assert not [each for each in daemon.audit() if each["protocol"] == "fleet" and each["outcome"] == "ok"]


def test_no_address_is_known(daemon: Daemon) -> None:
    """A key that is good from somewhere is good where that is known, and not here, be it from anywhere."""
    signing = caller(daemon)
    file = daemon.state_directory / "authorized_keys" / "alice"
    line = file.read_text()
    for sources in ("127.0.0.1", "*", "0.0.0.0/0,::/0"):
        file.write_text(f'from="{sources}" {line}')
        assert ask(socket_of(daemon), signing.ask("/uptime", **now(**MEANT)), x_forwarded_for="127.0.0.1").status == 401
        assert ask(WEB, signing.ask("/ops/uptime", **now(**MEANT))).status == 200


def test_what_is_refused_is_held_against_nobody(daemon: Daemon) -> None:
    """Whoever can write to a bus could keep everybody out."""
    signing = caller(daemon)
    for _ in range(30):
        assert ask(socket_of(daemon), signing.ask("/uptime", **now(audience='prod;hosts=("db")'))).status == 401
    assert ask(socket_of(daemon), signing.ask("/uptime", **now(**MEANT))).status == 200


def test_secrets(daemon: Daemon) -> None:
    """A bus reads what it carries, so a secret is refused; the same command is run without it, and elsewhere."""
    signing = caller(daemon)
    given = json.dumps({"word": "mellon"}).encode()

    refused = ask(
        socket_of(daemon), signing.ask("/unlock", "POST", given, **now(**MEANT)), content_type="application/json"
    )
    assert (refused.status, refused.json["error"]["code"]) == (403, "denied")
    assert "word is secret" in refused.json["error"]["message"]
    assert "mellon" not in daemon.audit_file.read_text()
    assert ask(socket_of(daemon), signing.ask("/unlock", "POST", **now(**MEANT))).status == 200
    asked = signing.ask("/ops/unlock", "POST", given, **now(**MEANT))
    assert ask(WEB, asked, content_type="application/json").status == 200


def test_a_reload(daemon: Daemon) -> None:
    """A reload closes the socket, and opens it again."""
    whole = daemon.config_file.read_text()
    path = daemon.state_directory / "fleet.sock"
    daemon.config_file.write_text(whole.replace('server = "nats://127.0.0.1:4222"', ""))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: not path.exists(), "the socket is gone")
    daemon.config_file.write_text(whole)
    daemon.signal(signal.SIGHUP)
    wait_until(path.exists, "the socket is there")
    assert ask(str(path), caller(daemon).ask("/uptime", **now(**MEANT))).status == 200


def test_a_daemon_was_killed(tmp_path: Path) -> None:
    """What it has left is in nobody's way."""
    with prepared(tmp_path) as daemon:
        daemon.configure(COMMANDS, roles=ROLES, fleet=FLEET)
        daemon.start()
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        assert Path(socket_of(daemon)).exists()
        daemon.start()
        with HTTPClient(socket_of(daemon)) as client:
            assert client.ask("/uptime", accept="application/json").status == 401
        daemon.stop()
