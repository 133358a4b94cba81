"""What tests of logins share: users, dialogues, certificates, and where to look for what must not be there."""

import shutil
import ssl
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import trustme

from tests.integration.client import GREETING, Client
from tests.integration.daemon import Daemon, Listener, clean_environment, program, shell
from tests.waiting import LIMIT_SECONDS

USER, PASSWORD, FAILED = b"User?\n", b"Password?\n", b"Login failed.\n"
#: What a client that was let in by its password has read so far.
LET_IN = USER + PASSWORD + GREETING
#: And one that was not.
KEPT_OUT = USER + PASSWORD + FAILED

#: As cheap as bcrypt can be.
CHEAP = 4

#: Wrong logins are not held against anybody, and not counted.
LENIENT: Mapping[str, object] = {"penalty_exempt": ["127.0.0.0/8"]}

COMMANDS: Mapping[str, Mapping[str, object]] = {
    "uptime": {"run": ["uptime"], "help": "Since when", "read_only": True},
    "df": shell("echo full", help="How full"),
    "reboot": shell("echo rebooted", help="Begin again"),
    "members": shell("echo members", help="For those who have logged in", read_only=True),
}
ROLES: Mapping[str, Mapping[str, object]] = {
    "anonymous": {"commands": ["uptime"]},
    "authenticated": {"commands": ["members"]},
    "reader": {"commands": ["uptime", "df"], "users": ["alice"]},
    "admin": {"commands": ["*"], "users": ["root"]},
}
ALICE = "correct horse"
USERS: Mapping[str, str] = {
    "alice": ALICE,
    "bob": "battery staple",
    "root": "  spaces at both ends  ",
    "long": "x" * 72,
}


def write_passwords(daemon: Daemon, users: Mapping[str, str] = USERS, *, cost: int = CHEAP) -> None:
    """Write ``passwd``, whole, as htpasswd would."""
    daemon.state_directory.mkdir(mode=0o700, exist_ok=True)
    lines = [f"{name}:{bcrypt.hashpw(each.encode(), bcrypt.gensalt(cost)).decode()}\n" for name, each in users.items()]
    new = daemon.state_directory / "passwd.new"
    new.touch(0o600)
    new.write_text("".join(lines), "utf-8")
    new.replace(daemon.state_directory / "passwd")


def believing(certificate: tuple[Path, Path] | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Make a client's context that believes every server.

    Args:
        certificate: The client's own, and its key.
        version: The only one to speak.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(*certificate)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def knock(listener: Listener, **how: Any) -> Client:
    """Connect to a listener as it wants it, TLS included."""
    tls = {"tls": believing()} if listener.tls and "tls" not in how else {}
    return Client(listener.address, **{**tls, **how})


def talk(listener: Listener, text: bytes, **how: Any) -> bytes:
    """Send everything ahead, and read until the daemon closes."""
    with knock(listener, **how) as client:
        client.send(text)
        return client.read_all()


def log_in(listener: Listener, name: str = "alice", password: str = ALICE, **how: Any) -> Client:
    """Log in at a listener that requires it; the caller closes."""
    client = knock(listener, **how)
    try:
        client.send(f"{name}\n{password}\n".encode())
        assert client.read_line() + client.read_line() + client.read_line() == LET_IN
    except BaseException:
        client.close()
        raise
    return client


def may_log_in(listener: Listener, name: str, password: str, **how: Any) -> bool:
    """Whether a pair is believed; what is said is one of two texts, and nothing else."""
    said = talk(listener, f"{name}\n{password}\nquit\n".encode(), **how)
    assert said in {LET_IN, KEPT_OUT}
    return said == LET_IN


def logins(daemon: Daemon) -> list[dict[str, Any]]:
    """Read the audit file's lines about logins."""
    return [event for event in daemon.audit() if event["event"] == "login"]


def files_with(daemon: Daemon, secret: str) -> list[Path]:
    """Find a text in all that the daemon has written: its log and its state, whatever files there are."""
    found = []
    for path in daemon.directory.rglob("*"):
        # One may be replaced, and gone, while others are looked at.
        with suppress(FileNotFoundError):
            if path.is_file() and path != daemon.config_file and secret.encode() in path.read_bytes():
                found.append(path)
    return found


def companion(daemon: Daemon, *words: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command ``cmdserver`` on the daemon's files."""
    return subprocess.run(
        [
            program("cmdserver"),
            *words,
            *(["--password-stdin"] if password is not None else []),
            f"--config={daemon.config_file}",
            f"--state-dir={daemon.state_directory}",
        ],
        env=clean_environment(),
        input=f"{password or ''}\n",
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )


def require_program(name: str) -> str:
    """Find a program of the host, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path


def pipe(words: list[str], text: bytes, seconds: float = LIMIT_SECONDS) -> bytes:
    """Do what ``printf TEXT | WORDS`` does; the program must end by itself."""
    require_program(words[0])
    done = subprocess.run(words, input=text, capture_output=True, timeout=seconds, check=False)
    return done.stdout


def write_certificate(directory: Path, name: str, leaf: trustme.LeafCert) -> tuple[Path, Path]:
    """Write a certificate with its chain, and its key; each file whole, as a renewal does."""
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    for path, content in (
        (certificate, b"".join(each.bytes() for each in leaf.cert_chain_pems)),
        (key, leaf.private_key_pem.bytes()),
    ):
        new = path.with_suffix(".new")
        new.touch(0o600)
        new.write_bytes(content)
        new.replace(path)
    return certificate, key
