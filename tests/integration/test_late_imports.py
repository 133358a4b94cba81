"""Nothing that is needed after root was given up is loaded late, where the daemon's user cannot read Python.

Every import, and every look into a file beside the modules, that is tried after that is refused and written down. What
the daemon does must not need one.
"""

import os
import re
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import cmdserver
from tests.integration.daemon import Daemon, Listener, prepared, shell
from tests.integration.http_client import HTTPClient
from tests.integration.logins import (
    ALICE,
    CHEAP,
    LENIENT,
    believing,
    companion,
    knock,
    may_log_in,
    pipe,
    write_certificate,
    write_passwords,
)
from tests.integration.ssh import SSH, authorize, make_key
from tests.integration.test_forwarding import openssl_server
from tests.waiting import LIMIT_SECONDS, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root gives anything up")]

COMMANDS = {
    "word": shell("echo word"),
    "read": shell("echo wörd; echo oops >&2", read_only=True, help="Reads"),
    "fails": shell("exit 3"),
    "df": {"run": ["df"], "read_only": True, "parser": "df"},
}

#: Python, which can be read by nobody but root.
_UNREACHABLE = """
import os, sys

class Unreachable:
    written = os.open({file!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def find_spec(self, name, path=None, target=None):
        if os.geteuid() != 0:
            os.write(self.written, name.encode() + b"\\n")
            raise ModuleNotFoundError(f"out of reach: {{name}}", name=name)
        return None

def look(event, arguments):
    name = arguments[0] if event == "open" else None
    # The source is for tracebacks, which do without.
    if isinstance(name, str) and name.startswith({libraries!r}) and not name.endswith(".py") and os.geteuid() != 0:
        os.write(Unreachable.written, name.encode() + b"\\n")
        raise PermissionError(13, "out of reach", name)

sys.meta_path.insert(0, Unreachable())
sys.addaudithook(look)
"""

#: Where modules are, and what lies beside them.
_LIBRARIES = (str(Path(cmdserver.__file__).parent), sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"))

#: twistd, in which Python is out of reach for every user but root.
_TWISTD = """
from cmdserver.app import drop_privileges, preloading
drop_privileges.is_out_of_reach = preloading.is_out_of_reach = lambda uid, gid: True
sys.argv[0] = "twistd"
from twisted.scripts.twistd import run
run()
"""

#: What is looked for and may be missing: a package that is not installed is none that is needed.
_OPTIONAL = re.compile(r"(?:jc|readline)(?:\..*)?")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Give a daemon that is not started; at its end nothing was imported late."""
    with prepared(tmp_path) as daemon:
        yield daemon
        tried = daemon.directory / "tried"
        late = tried.read_text("utf-8").split() if tried.exists() else ["(it was not even begun)"]
    assert [name for name in late if not _OPTIONAL.fullmatch(name)] == []


def _start(daemon: Daemon) -> None:
    _, *options = daemon.command_line()
    script = _UNREACHABLE.format(file=str(daemon.directory / "tried"), libraries=_LIBRARIES) + _TWISTD
    daemon.start(command_line=[sys.executable, "-c", script, *options])


def _odd_certificate(directory: Path, authority: trustme.CA, kind: _ASN1Type) -> tuple[Path, Path]:
    """Make a client's certificate whose name is of an old string type."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "älice", _type=kind)])
    certificate = (
        x509.CertificateBuilder(
            x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject,
            name,
            key.public_key(),
            x509.random_serial_number(),
        )
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, SHA256())
    )
    paths = directory / f"{kind.name}.crt", directory / f"{kind.name}.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def test_every_door(daemon: Daemon) -> None:
    """Lines, TLS, the web and SSH, logins of every kind, a reload, clients that make mistakes, and the end."""
    line, tls = Listener(), Listener(tls=True)
    web, https = (
        Listener(protocol="web", login="optional", allow_plaintext_passwords=True),
        Listener(protocol="web", tls=True),
    )
    ssh = Listener(protocol="ssh")
    listeners = [tls, web, https, ssh]
    roles = {"all": {"commands": ["*"], "users": ["alice", "bob"]}, "anonymous": {"commands": ["read", "df", "word"]}}
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    files = {}
    for name in ("server", "alice"):
        leaf = authority.issue_cert("localhost" if name == "server" else name)
        files[name] = write_certificate(daemon.directory, name, leaf)
    authority.cert_pem.write_to_path(str(daemon.directory / "ca.crt"))
    pair = {"certificate": str(files["server"][0]), "key": str(files["server"][1])}
    wanted = {**pair, "client_ca": str(daemon.directory / "ca.crt")}
    write_passwords(daemon, {"alice": ALICE}, cost=CHEAP)
    key = make_key(daemon.directory)
    authorize(daemon, "alice", key)
    daemon.configure(COMMANDS, listeners=listeners, roles=roles, tls=wanted, limits=LENIENT)
    _start(daemon)

    for reloaded in (False, True):
        _use_lines(daemon, tls, files["alice"], authority)
        for listener in (web, https):
            _use_web(listener)
        _use_ssh(daemon, ssh, key)
        token = companion(daemon, "token", "add", "alice").stdout.strip()
        with HTTPClient(web.address) as client:
            assert (
                client.ask("/fails", "POST", authorization=f"Bearer {token}", accept="application/json").status == 200
            )
        if not reloaded:
            files["server"] = write_certificate(daemon.directory, "server", authority.issue_cert("localhost"))
            daemon.configure(
                {**COMMANDS, "more": shell("echo more")},
                listeners=[line, *listeners],
                roles=roles,
                tls=wanted,
                limits=LENIENT,
            )
            daemon.reload()
            assert "configuration read again" in daemon.log()
    daemon.configure({"bad": {"run": ["no-such"]}}, listeners=listeners)
    daemon.reload()
    assert "nothing was changed" in daemon.log()
    assert daemon.stop() == -15


def _use_lines(daemon: Daemon, tls: Listener, certificate: tuple[Path, Path], authority: trustme.CA) -> None:
    said = daemon.ask(
        "session\nword\nread\nwhoami\nwho\nhelp\nexplain word\njson df\njson fails\nnope\n'\n\xff\nquit\n"
    )
    assert b"word\n" in said
    assert may_log_in(tls, "alice", ALICE)
    assert not may_log_in(tls, "alice", "wröng")
    assert not may_log_in(tls, "nobody", "x")
    with knock(tls, tls=believing(certificate)) as client:
        client.send(b"whoami\n")
        assert b"alice" in client.read_all()
    for kind in (_ASN1Type.BMPString, _ASN1Type.UniversalString, _ASN1Type.T61String, _ASN1Type.UTF8String):
        odd = _odd_certificate(daemon.directory, authority, kind)
        with suppress(OSError), knock(tls, tls=believing(odd)) as client:  # it may be refused
            client.send(b"whoami\n")
            client.read_all()


def _use_web(listener: Listener) -> None:
    requests: list[tuple[str, str, dict[str, str]]] = [
        ("/", "GET", {"accept": "text/html"}),
        ("/", "GET", {}),
        ("/df", "GET", {"accept": "text/html"}),
        ("/df", "GET", {"accept": "application/json"}),
        ("/read", "GET", {"accept": "text/event-stream"}),
        ("/read?follow", "GET", {"te": "trailers"}),
        ("/fails", "POST", {}),
        ("/nope", "GET", {"accept_language": "de", "accept_encoding": "gzip"}),
        ("/metrics", "GET", {}),
        ("/-/openapi.json", "GET", {}),
        ("/-/login", "GET", {"accept": "text/html"}),
        ("/-/healthy", "GET", {}),
        ("/-/static/style.css", "GET", {}),
        ("/-/static/nosuch", "GET", {}),
    ]
    context = {"tls": believing()} if listener.tls else {}
    authorization = "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ=="  # alice:correct horse
    for target, method, headers in requests:
        for login in ("", authorization):
            with HTTPClient(listener.address, **context) as client:
                said = headers | {"authorization": login} if login else headers
                assert client.ask(target, method, b"", **said).status < 599
    form = f"user=alice&password={ALICE.replace(' ', '+')}".encode()
    with HTTPClient(listener.address, **context) as client:
        client.ask("/-/login", "POST", form, accept="text/html", content_type="multipart/form-data; boundary=x")
    with HTTPClient(listener.address, **context) as client:
        client.ask("/-/login", "POST", form, accept="text/html")
    if listener.tls:
        url = f"https://localhost:{listener.port}/read"
        pipe(["curl", "-sk", "--http2", "-u", f"alice:{ALICE}", url], b"")


def _use_ssh(daemon: Daemon, listener: Listener, key: Path) -> None:
    client = SSH(listener=listener, directory=daemon.directory, key=key)
    assert client.run("word").stdout == b"word\n"
    assert client.run("fails").returncode == 3
    assert client.run(text=b"word\nhelp\n").stdout.startswith(b"word\n")
    shown = client.run("-tt", text=b"word\nhel\tp\nexplain word\n\x1b[A\nquit\n")
    assert b"word" in shown.stdout
    by_password = SSH(listener=listener, directory=daemon.directory)
    assert by_password.run("word").stdout == b"word\n"
    wrong = SSH(listener=listener, directory=daemon.directory, password="wrong")
    assert wrong.run("word").returncode == 255


def test_receivers_of_the_audit_file(daemon: Daemon) -> None:
    """Added by a reload, by every transport: one with TLS that is believed, one that is not, one of an unknown name."""
    daemon.configure(COMMANDS)
    _start(daemon)
    with openssl_server(daemon.directory, "localhost") as (port, out):
        ca = f'ca = "{daemon.directory / "ca.pem"}"'
        with daemon.config_file.open("a") as file:
            for to in (f'tls:localhost:{port}"\n{ca}', f'tls:127.0.0.1:{port}"\n{ca}', f'tls:[::1]:{port}"'):
                file.write(f'[[audit.forward]]\nto = "{to}\n')
            for to in (
                "tcp:nowhere.invalid:514",
                "udp:localhost:9",
                "unix:/dev/log",
                "unix:/run/systemd/journal/socket",
            ):
                file.write(f'[[audit.forward]]\nto = "{to}"\n')
        daemon.reload()
        daemon.ask("word\n")
        daemon.wait_for_log("wait for tls:127.0.0.1:")
        daemon.wait_for_log("wait for tcp:nowhere.invalid:514")
        wait_until(lambda: b'"chain"' in out.read_bytes(), "a line over TLS")
    daemon.wait_for_log("wait for tls:localhost:")
    daemon.stop()


def test_a_first_start_of_everything(daemon: Daemon) -> None:
    """Keys, certificate and the first user are made while Python is out of reach already."""
    tls, ssh = Listener(tls=True), Listener(protocol="ssh")
    daemon.configure(COMMANDS, listeners=[tls, ssh])
    _start(daemon)
    password = (daemon.state_directory / "initial-password").read_text("ascii").strip()
    assert may_log_in(tls, "admin", password)
    wait_until(lambda: "made an SSH host key" in daemon.log(), "keys are made")
    daemon.signal(signal.SIGINT)
    daemon.wait()


def test_the_companion_command(daemon: Daemon, tmp_path: Path) -> None:
    """It acts as the state directory's owner, who may not be able to read Python, whatever it is asked for."""
    daemon.configure(COMMANDS)
    daemon.state_directory.mkdir(mode=0o700)
    os.chown(daemon.state_directory, 61301, 61301)
    run = "from cmdserver.cli.main import main; main()"
    script = _UNREACHABLE.format(file=str(daemon.directory / "tried"), libraries=_LIBRARIES) + run
    public = f"{make_key(tmp_path)}.pub"
    for words, text, status in (
        (["user", "add", "ännchen", "--password-stdin"], "some password\n", 2),
        (["user", "add", "ann", "--password-stdin"], "some pässword\n", 0),
        (["user", "add", "ann", "--password-stdin"], "some password\n", 1),
        (["user", "passwd", "ann", "--password-stdin"], "another one\n", 0),
        (["user", "passwd", "bob", "--password-stdin"], "another one\n", 1),
        (["key", "add", "ann", public], "", 0),
        (["key", "add", "bob"], "no key \udcff\n", 1),
        (["token", "add", "ann", "--expires", "2099-01-01T00:00:00Z", "--from", "10.0.0.0/8,::1"], "", 0),
        (["user", "list"], "", 0),
        (["user", "remove", "ann"], "", 0),
    ):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                script,
                *words,
                f"--config={daemon.config_file}",
                f"--state-dir={daemon.state_directory}",
            ],
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        assert done.returncode == status, (words, done.stderr)
        assert b"Traceback" not in done.stderr
