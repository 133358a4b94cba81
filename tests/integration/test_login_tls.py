"""Logging in by a certificate, certificates that are renewed, and what scanners say of the daemon's TLS."""

import re
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509

from tests.integration.client import GREETING, Client
from tests.integration.daemon import Daemon, Listener, running
from tests.integration.logins import (
    ALICE,
    COMMANDS,
    FAILED,
    LENIENT,
    LET_IN,
    ROLES,
    USER,
    believing,
    knock,
    log_in,
    logins,
    may_log_in,
    pipe,
    require_program,
    talk,
    write_certificate,
    write_passwords,
)
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("daemon")]

REQUIRED, OPTIONAL, NEVER = (Listener(login=login, tls=True) for login in ("required", "optional", "never"))
LISTENERS = (REQUIRED, OPTIONAL, NEVER)

versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name
)


@dataclass(frozen=True)
class Authorities:
    """Who signs what."""

    directory: Path
    ours: trustme.CA
    theirs: trustme.CA

    def server(self, name: str = "server") -> tuple[Path, Path]:
        """Make a certificate for the daemon, or renew it."""
        return write_certificate(self.directory, name, self.ours.issue_cert("localhost", "127.0.0.1"))

    def client(self, *names: str, ca: trustme.CA | None = None, **how: Any) -> tuple[Path, Path]:
        """Make a certificate for a client."""
        return write_certificate(self.directory, "client", (ca or self.ours).issue_cert(*names, **how))

    def tls(self) -> dict[str, object]:
        """Say ``[tls]``."""
        return {
            "certificate": str(self.directory / "server.crt"),
            "key": str(self.directory / "server.key"),
            "client_ca": str(self.directory / "ca.crt"),
        }


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    """One that the daemon believes, and one that it does not."""
    made = Authorities(tmp_path_factory.mktemp("pki"), trustme.CA(), trustme.CA())
    made.ours.cert_pem.write_to_path(str(made.directory / "ca.crt"))
    return made


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, authorities: Authorities) -> Iterator[Daemon]:
    """A daemon that takes certificates."""
    authorities.server()
    directory = tmp_path_factory.mktemp("certificates")
    with running(
        directory, COMMANDS, listeners=LISTENERS, roles=ROLES, limits=LENIENT, tls=authorities.tls()
    ) as daemon:
        write_passwords(daemon)
        yield daemon


def whoami(listener: Listener, certificate: tuple[Path, Path], version: ssl.TLSVersion | None = None) -> dict[str, Any]:
    """Ask who a certificate is for, of a listener that is to greet at once."""
    with knock(listener, tls=believing(certificate, version)) as client:
        assert client.read_line() == GREETING
        client.send(b"whoami\n")
        said = client.read_all().decode()
    return dict(line.split(maxsplit=1) for line in said.splitlines())


def serial(listener: Listener) -> int:
    """Say which certificate a new connection sees, by ``openssl s_client | openssl x509 -noout -serial``."""
    shown = pipe(["openssl", "s_client", "-connect", "{}:{}".format(*listener.address)], b"")
    said = pipe(["openssl", "x509", "-noout", "-serial"], shown).decode()
    return int(said.removeprefix("serial="), 16)


def serial_of(path: Path) -> int:
    """Say which certificate is in a file."""
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


# Certificates of clients


@versions
@pytest.mark.parametrize("listener", [REQUIRED, OPTIONAL], ids=str)
def test_certificate_is_enough(authorities: Authorities, listener: Listener, version: ssl.TLSVersion) -> None:
    """Its holder is not asked, and is who it says."""
    said = whoami(listener, authorities.client("alice"), version)

    assert said == {"name": "alice", "roles": "authenticated reader", "protocol": "line", "address": "127.0.0.1"}


@pytest.mark.parametrize(
    ("names", "common_name", "user"),
    [
        (["alice"], "root", "alice"),
        (["alice", "root"], None, "alice"),
        ([], "alice", "alice"),
        (["alice@example.org"], "root", "alice@example.org"),
        (["example.org", "alice@example.org"], "root", "alice@example.org"),
        (["*.example.org"], "alice", "alice"),
        (["192.0.2.1"], "alice", "alice"),
        (["nobody-in-passwd"], None, "nobody-in-passwd"),
    ],
    ids=str,
)
def test_name_in_the_certificate(
    authorities: Authorities, names: list[str], common_name: str | None, user: str
) -> None:
    """An alternative name wins over the common name, a mail address over a host's; the first that a user can have."""
    assert whoami(REQUIRED, authorities.client(*names, common_name=common_name))["name"] == user


@pytest.mark.parametrize("listener", LISTENERS, ids=str)
@pytest.mark.parametrize("said", [b"uptime\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_who_speaks_no_tls_is_told(daemon: Daemon, listener: Listener, said: bytes) -> None:
    """With the first line, and the connection ends; it is one refused request."""
    before = len(daemon.audit())
    with Client(listener.address) as client:
        client.send(said)
        answer = client.read_all()

    assert answer == b"cmdserver: malformed: this port speaks TLS; try: openssl s_client -quiet -connect HOST:PORT\n"
    assert [each["outcome"] for each in daemon.audit()[before:]] == ["malformed"]


def test_certificate_without_a_name(daemon: Daemon, authorities: Authorities) -> None:
    """A certificate that names nobody is a login that failed; why is for the audit file."""
    certificate = authorities.client("*.example.org", common_name="../alice")

    assert talk(REQUIRED, f"alice\n{ALICE}\n".encode(), tls=believing(certificate)) == FAILED
    login = logins(daemon)[-1]
    assert login["method"] == "certificate"
    assert login["outcome"] == "denied"
    assert "../alice" in login["reason"]


def test_certificate_where_there_is_no_login(authorities: Authorities) -> None:
    """It counts for nothing."""
    assert whoami(NEVER, authorities.client("root"))["name"] == "(anonymous)"


def test_certificate_and_a_dialogue(authorities: Authorities) -> None:
    """Who has logged in by a certificate does not become somebody else by a password."""
    text = f"session\nreboot\nlogin\nalice\n{ALICE}\n".encode()

    said = talk(OPTIONAL, text, tls=believing(authorities.client("root"))).splitlines()

    assert said[1:] == [b"rebooted", b"cmdserver: bad_argument: you have logged in"]


def test_certificate_is_written_down(daemon: Daemon, authorities: Authorities) -> None:
    """With its fingerprint, OpenSSL's as OpenSSH spells those of keys, and the requests under its name."""
    before = len(daemon.audit())
    path, _ = certificate = authorities.client("alice")

    talk(REQUIRED, b"df\n", tls=believing(certificate), source="127.0.0.9")

    login, request = daemon.audit()[before:]
    said = pipe(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(path)], b"").decode()
    assert login.items() >= {
        "event": "login", "protocol": "line", "tls": True, "source": "127.0.0.9", "user": "alice",
        "method": "certificate", "outcome": "ok", "reason": None,
    }.items()  # fmt: skip
    digest = bytes.fromhex(said.strip().partition("=")[2].replace(":", ""))
    assert login["fingerprint"] == "SHA256:" + b64encode(digest).decode().rstrip("=")
    assert (request["user"], request["method"], request["command"]) == ("alice", "certificate", "df")
    assert request["tls"]


@versions
def test_no_certificate(version: ssl.TLSVersion) -> None:
    """Then there is the dialogue."""
    said = talk(REQUIRED, f"alice\n{ALICE}\ndf\n".encode(), tls=believing(version=version))

    assert said == LET_IN + b"full\n"


@versions
@pytest.mark.parametrize("listener", [REQUIRED, OPTIONAL], ids=str)
@pytest.mark.parametrize("trouble", ["another authority", "same name, another authority", "expired", "not yet valid"])
def test_certificate_that_is_no_good(
    daemon: Daemon, authorities: Authorities, listener: Listener, trouble: str, version: ssl.TLSVersion
) -> None:
    """It is refused in the handshake: nothing is said, and nobody falls back to anything."""
    now = datetime.now(UTC)
    troubles: dict[str, dict[str, Any]] = {
        "another authority": {"ca": authorities.theirs},
        "same name, another authority": {"ca": authorities.theirs, "common_name": "alice"},
        "expired": {"not_before": now - timedelta(days=2), "not_after": now - timedelta(minutes=1)},
        "not yet valid": {"not_before": now + timedelta(hours=1)},
    }
    before = len(daemon.audit())
    context = believing(authorities.client("alice", **troubles[trouble]), version)

    # With TLS 1.3 a client is done before its certificate is looked at, and hears of it when it reads.
    try:
        with knock(listener, tls=context) as client:
            client.send(f"alice\n{ALICE}\ndf\n".encode())
            pytest.fail(f"it is answered: {client.read_line()!r}")
    except (ssl.SSLError, ConnectionResetError):
        pass

    def refusals() -> list[dict[str, Any]]:
        return [event for event in daemon.audit()[before:] if event.get("method") == "certificate"]

    wait_until(refusals, "it is written down")
    assert [(event["outcome"], event["reason"]) for event in refusals()] == [("denied", "certificate verify failed")]
    assert not [event for event in daemon.audit()[before:] if event.get("outcome") == "ok"]
    assert may_log_in(REQUIRED, "alice", ALICE)


def test_without_an_authority_nobody_is_asked(tmp_path: Path, authorities: Authorities) -> None:
    """Where no authority is configured, a certificate counts for nothing, and its holder is asked."""
    listener = Listener(tls=True)
    with running(tmp_path, COMMANDS, listeners=[listener], roles=ROLES, limits=LENIENT) as daemon:
        write_passwords(daemon)

        said = talk(listener, f"alice\n{ALICE}\ndf\n".encode(), tls=believing(authorities.client("root")))

        assert said == LET_IN + b"full\n"


def test_openssl_client_with_a_certificate(authorities: Authorities) -> None:
    """As people do it."""
    certificate, key = map(str, authorities.client("alice"))
    words = ["openssl", "s_client", "-quiet", "-cert", certificate, "-key", key]

    said = pipe([*words, "-connect", "{}:{}".format(*REQUIRED.address)], b"session\ndf\nwhoami\nquit\n")

    assert said.startswith(GREETING + b"full\nname      alice\n")


# The daemon's own certificate


def test_certificate_is_verified_by_the_client(authorities: Authorities) -> None:
    """The chain and the name are good for a client that looks."""
    context = ssl.create_default_context()
    authorities.ours.configure_trust(context)
    with Client(REQUIRED.address) as client:
        verified = context.wrap_socket(client.socket, server_hostname="localhost")
        with verified:
            assert verified.recv(100) == USER


def test_renewal(daemon: Daemon, authorities: Authorities) -> None:
    """A new pair is used for new connections, from SIGHUP on; what is open lives on; a bad pair changes nothing."""
    certificate, key = authorities.server()
    daemon.reload()
    first = serial_of(certificate)
    assert serial(REQUIRED) == first
    with log_in(REQUIRED) as client, log_in(REQUIRED) as idle:
        client.send(b"session\ndf\n")
        assert client.read_line() == b"full\n"

        authorities.server()
        second = serial_of(certificate)
        assert serial(REQUIRED) == first  # not before it is told
        daemon.reload()
        assert [serial(listener) for listener in LISTENERS] == [second] * 3
        client.send(b"df\n")
        assert client.read_line() == b"full\n"

        # Half of a renewal: the key does not belong to the certificate.
        (authorities.directory / "other.key").write_bytes(trustme.CA().issue_cert("x").private_key_pem.bytes())
        good = key.read_bytes()
        for bad, said in (
            ((authorities.directory / "other.key").read_bytes(), f"{key} does not belong to the certificate"),
            (b"", f"{key}: no private key in PEM format"),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", f"{key}: no private key"),
        ):
            key.write_bytes(bad)
            before = len(daemon.log())
            daemon.reload()
            assert "nothing was changed" in daemon.log()[before:]
            assert said in daemon.log()[before:]
            assert serial(REQUIRED) == second
        key.unlink()
        before = len(daemon.log())
        daemon.reload()
        assert f"{key}: No such file or directory" in daemon.log()[before:]
        assert serial(REQUIRED) == second

        key.write_bytes(good)
        daemon.reload()
        client.send(b"df\nquit\n")
        assert client.read_all() == b"full\n"
        idle.send(b"df\n")
        assert idle.read_all() == b"full\n"
    assert serial(REQUIRED) == second


def test_authority_is_replaced(daemon: Daemon, authorities: Authorities) -> None:
    """From SIGHUP on another authority's certificates are good, and the old one's are not."""
    ours, theirs = authorities.client("alice"), authorities.ours
    file = authorities.directory / "ca.crt"
    try:
        authorities.theirs.cert_pem.write_to_path(str(file))
        daemon.reload()
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            talk(REQUIRED, b"df\n", tls=believing(ours))
        certificate = write_certificate(authorities.directory, "theirs", authorities.theirs.issue_cert("root"))
        assert whoami(REQUIRED, certificate)["name"] == "root"
    finally:
        theirs.cert_pem.write_to_path(str(file))
        daemon.reload()
    assert whoami(REQUIRED, ours)["name"] == "alice"


# Whoever speaks no TLS, or not with us


def test_plain_text_at_the_tls_door(daemon: Daemon) -> None:
    """It is no handshake: nobody is asked for a name or logged in, what was sent is kept nowhere, others are served."""
    before = len(daemon.audit())
    with Client(REQUIRED.address) as client, suppress(ConnectionResetError):
        client.send(f"alice\n{ALICE}\ndf\n".encode())
        assert b"User" not in client.read_all()

    (event,) = daemon.audit()[before:]
    assert (event["event"], event["outcome"], event["user"]) == ("request", "malformed", None)
    assert ALICE not in daemon.audit_file.read_text("ascii") + daemon.log()
    assert may_log_in(REQUIRED, "alice", ALICE)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions(version: str) -> None:
    """TLS 1.0 and 1.1 are refused, even to a client that would take anything."""
    address = "{}:{}".format(*REQUIRED.address)
    words = ["openssl", "s_client", "-quiet", version, "-cipher", "ALL:@SECLEVEL=0", "-connect", address]
    require_program(words[0])

    done = subprocess.run(words, input=b"", capture_output=True, timeout=LIMIT_SECONDS, check=False)

    assert done.returncode != 0
    assert done.stdout == b""


def test_minimum_version(tmp_path: Path) -> None:
    """With ``minimum_version = "1.3"``, 1.2 is too old."""
    listener = Listener(tls=True)
    with running(
        tmp_path, COMMANDS, listeners=[listener], roles=ROLES, limits=LENIENT, tls={"minimum_version": "1.3"}
    ) as daemon:
        write_passwords(daemon)
        with pytest.raises(ssl.SSLError):
            talk(listener, b"", tls=believing(version=ssl.TLSVersion.TLSv1_2))
        said = talk(listener, f"alice\n{ALICE}\ndf\n".encode(), tls=believing(version=ssl.TLSVersion.TLSv1_3))
        assert said == LET_IN + b"full\n"


def test_sslscan(daemon: Daemon) -> None:
    """What an auditor's first scan says."""
    address = "{}:{}".format(*REQUIRED.address)

    said = pipe([require_program("sslscan"), "--no-colour", address], b"", 60).decode()

    protocols = dict(re.findall(r"^((?:SSL|TLS)v\S+) +(enabled|disabled)$", said, re.MULTILINE))
    offered = {name for name, state in protocols.items() if state == "enabled"}
    assert offered == {"TLSv1.2", "TLSv1.3"}
    assert {"SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"} <= protocols.keys()
    ciphers = re.findall(r"^(?:Preferred|Accepted) +(\S+) +\d+ bits +(\S+)", said, re.MULTILINE)
    assert {version for version, _ in ciphers} == offered
    for version, cipher in ciphers:
        assert "GCM" in cipher or "CHACHA20" in cipher, cipher
        assert version == "TLSv1.3" or cipher.startswith("ECDHE-"), cipher
    assert "Compression disabled" in said or "does not support compression" in said
    assert "Session renegotiation not supported" in said
    assert "vulnerable to heartbleed" in said
    assert not re.search(r"(?<!not )vulnerable to heartbleed", said)
    wait_until(lambda: daemon.ask_json("who")["connected"] == {"line": 1}, "the scanner has left")
    assert may_log_in(REQUIRED, "alice", ALICE)


def test_testssl() -> None:
    """What a second opinion says of renegotiation, compression and padding."""
    words = [require_program("testssl"), "--quiet", "--color", "0", "--warnings", "batch", "-R", "-C", "-L"]

    said = pipe([*words, "{}:{}".format(*REQUIRED.address)], b"", 60).decode()

    verdicts = dict(
        re.findall(r"^ (Secure Reneg.*?|Secure Client.*?|CRIME, TLS|LUCKY13) .*(\(OK\))", said, re.MULTILINE)
    )
    assert len(verdicts) == 4, said
    assert "VULNERABLE" not in said
