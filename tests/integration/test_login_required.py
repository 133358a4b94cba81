"""Certificates that libraries cannot read, and lines that are sent ahead: nobody is served who has not logged in."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.integration.client import GREETING
from tests.integration.daemon import Daemon, Listener, free_port, running
from tests.integration.http_client import HTTPClient
from tests.integration.logins import (
    COMMANDS,
    FAILED,
    LENIENT,
    ROLES,
    USER,
    knock,
    logins,
    pipe,
    require_program,
    write_certificate,
    write_passwords,
)
from tests.odd_certificates import ODD, pem
from tests.tls_doubles import pem_of
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

LINE = Listener(tls=True)
WEB = Listener(protocol="web", tls=True)


@dataclass(frozen=True)
class Authority:
    """One that signs anything."""

    directory: Path
    ca: trustme.CA

    def odd(self, what: str) -> tuple[Path, Path]:
        """Make one of the odd certificates, and its key."""
        key, ca_key = (
            ec.generate_private_key(ec.SECP256R1()),
            load_pem_private_key(self.ca.private_key_pem.bytes(), None),
        )
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        issuer = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes()).subject.public_bytes()
        paths = self.directory / "odd.crt", self.directory / "odd.key"
        paths[0].write_bytes(pem("CERTIFICATE", ODD[what][0].sign(key, issuer, ca_key)))
        paths[1].write_bytes(pem_of(key))
        return paths


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that the daemon believes."""
    made = Authority(tmp_path_factory.mktemp("odd"), trustme.CA(key_type=trustme.KeyType.ECDSA))
    made.ca.cert_pem.write_to_path(str(made.directory / "ca.crt"))
    write_certificate(made.directory, "server", made.ca.issue_cert("localhost", "127.0.0.1"))
    return made


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Daemon]:
    """A daemon that takes certificates; at its end its log has no traceback, see `running`."""
    tls = {
        "certificate": str(authority.directory / "server.crt"),
        "key": str(authority.directory / "server.key"),
        "client_ca": str(authority.directory / "ca.crt"),
    }
    # Whatever the anonymous may run would be seen.
    roles = {**ROLES, "anonymous": {"commands": ["*"]}, "ann": {"commands": ["df"], "users": ["ann"]}}
    directory = tmp_path_factory.mktemp("daemon")
    with running(directory, COMMANDS, listeners=[LINE, WEB], roles=roles, limits=LENIENT, tls=tls) as daemon:
        write_passwords(daemon)
        yield daemon


def served(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was done for nobody, by what is written down; the daemon's other listener is for everybody."""
    return [each for each in events if each.get("outcome") == "ok" and each["user"] is None]


def showing(pair: tuple[Path, Path]) -> list[str]:
    """Spell a client of the line listener that shows a certificate."""
    certificate, key = map(str, pair)
    address = "{}:{}".format(*LINE.address)
    return ["openssl", "s_client", "-quiet", "-connect", address, "-cert", certificate, "-key", key]


@pytest.mark.parametrize("what", sorted(ODD))
def test_line(daemon: Daemon, authority: Authority, what: str) -> None:
    """With s_client and lines sent ahead: its holder is served, or nobody is; and there is a line about the login."""
    before = len(daemon.audit())
    words = showing(authority.odd(what))

    said = pipe(words, b"df\nalice\ncorrect horse\ndf\n")

    wait_until(lambda: len(daemon.audit()) > before or said == b"", "it is written down")
    events = daemon.audit()[before:]
    assert served(events) == []
    if said == GREETING + b"full\n":
        assert [(each["event"], each["user"], each["outcome"]) for each in events] == [
            ("login", events[0]["user"], "ok"),
            ("request", events[0]["user"], "ok"),
        ]
        assert events[0]["user"] == "ann"
    else:
        # Refused by the daemon, in the handshake, or by s_client itself.
        assert said in {FAILED, b""}
        assert [each["outcome"] for each in events if each["event"] == "request"] == []
        if said:
            assert [each["outcome"] for each in events] == ["denied"]
            assert events[0]["reason"].startswith("no user's name in the certificate: ")


@pytest.mark.parametrize("what", ["BMPString", "TeletexString", "TeletexString, and a name", "version of tomorrow"])
def test_web(daemon: Daemon, authority: Authority, what: str) -> None:
    """With curl: its holder is served, or nobody is, without another login."""
    certificate, key = map(str, authority.odd(what))
    before = len(daemon.audit())
    url = "https://{}:{}/df".format(*WEB.address)
    words = [
        require_program("curl"),
        "-sk",
        "-d",
        "",
        "--cert",
        certificate,
        "--key",
        key,
        "-w",
        "%{http_code}",
        url,
        url,
    ]

    done = subprocess.run(words, capture_output=True, timeout=LIMIT_SECONDS, check=False)

    events = daemon.audit()[before:]
    assert served(events) == []
    if done.returncode == 0:
        is_let_in = b"full\n200" in done.stdout
        assert is_let_in == bool([each for each in events if each.get("outcome") == "ok" and each["user"] == "ann"])
        if not is_let_in:
            assert done.stdout.count(b"401") == 2
            assert [each["outcome"] for each in events if each["event"] == "login"] == ["denied"]


def test_a_name_in_a_string_of_old(daemon: Daemon, authority: Authority) -> None:
    """The reason is for whoever has such certificates made."""
    words = showing(authority.odd("TeletexString"))

    assert pipe(words, b"df\n") == FAILED
    assert "its subject cannot be read" in logins(daemon)[-1]["reason"]


# A reload that begins to require a login


def test_open_connections_when_a_login_is_required(tmp_path: Path) -> None:
    """Who has not logged in hears no more of what runs, nor of lines that were sent ahead, and is closed."""
    listener = Listener(login="never", port=free_port())
    changed = Listener(login="required", port=listener.port)
    commands = {**COMMANDS, "slow": {"run": ["sh", "-c", "echo begun; sleep 1; echo done"]}}
    roles: dict[str, Any] = {"anonymous": {"commands": ["*"]}}
    with running(tmp_path, commands, listeners=[listener], roles=roles, limits=LENIENT) as daemon:
        write_passwords(daemon)
        with knock(listener) as idle, knock(listener) as busy:
            assert idle.read_line() == busy.read_line() == GREETING
            idle.send(b"session\ndf\n")
            assert idle.read_line() == b"full\n"
            busy.send(b"session\nslow\ndf\n")
            assert busy.read_line() == b"begun\n"
            daemon.configure(commands, listeners=[changed], roles=roles, limits=LENIENT)
            daemon.reload()

            assert idle.read_all() == b""
            assert busy.read_all() == 2 * b"cmdserver: denied: a login is required here: log in first\n"
        with knock(changed) as client:
            assert client.read_line() == USER
        requests = [each for each in daemon.audit() if each["event"] == "request"]
        assert [(each["command"], each["outcome"]) for each in requests] == [
            ("df", "ok"),
            ("slow", "denied"),
            ("df", "denied"),
        ]


def test_open_web_connections_when_a_login_is_required(tmp_path: Path) -> None:
    """A connection that is kept open is closed, and sessions of before are none; whoever comes again logs in."""
    listener = Listener(protocol="web", login="optional", port=free_port())
    changed = Listener(protocol="web", login="required", port=listener.port)
    roles: dict[str, Any] = {"anonymous": {"commands": ["*"]}}
    with running(tmp_path, COMMANDS, listeners=[listener], roles=roles, limits=LENIENT) as daemon:
        write_passwords(daemon)
        with HTTPClient(listener.address) as kept:
            assert kept.ask("/df", "POST").status == 200
            daemon.configure(COMMANDS, listeners=[changed], roles=roles, limits=LENIENT)
            daemon.reload()
            assert kept.read_all() == b""
        with HTTPClient(listener.address) as client:
            answer = client.ask("/df", "POST", accept="application/json")
            assert answer.status == 401
            assert json.loads(answer.body)["error"]["code"] == "denied"
