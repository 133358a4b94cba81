"""The first start, and the second; starts that are refused because of who could log in, and how."""

import socket
import ssl
import stat
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.integration.client import Client
from tests.integration.daemon import Daemon, Listener, is_listening, program
from tests.integration.logins import (
    ALICE,
    COMMANDS,
    KEPT_OUT,
    LET_IN,
    ROLES,
    USER,
    believing,
    companion,
    files_with,
    knock,
    may_log_in,
    talk,
    write_certificate,
    write_passwords,
)

pytestmark = pytest.mark.slow

#: As the built-in configuration has them.
ANONYMOUS, SECURE = ("127.0.0.1", 2022), ("127.0.0.1", 2023)
ADMIN: Mapping[str, Mapping[str, object]] = {"admin": {"commands": ["*"], "users": ["admin"]}}


def mode(path: Path) -> int:
    """Say who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def contents(directory: Path) -> dict[str, bytes]:
    """Read all that was made, but for what grows."""
    return {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if path.name not in {"audit.jsonl", "lock"} and not path.name.startswith("history")
    }


def test_first_start(daemon_to_be: Daemon) -> None:
    """It makes what is missing, for itself alone, and says where the password is, but not what it is."""
    daemon, listener = daemon_to_be, Listener(tls=True)
    state = daemon.state_directory
    daemon.configure(COMMANDS, listeners=[listener], roles=ADMIN)
    daemon.start()

    assert mode(state) == 0o700
    for name in ("tls.key", "tls.crt", "passwd", "initial-password", "audit.jsonl"):
        assert mode(state / name) == 0o600, name
    password = (state / "initial-password").read_text("ascii").strip()
    assert len(password) >= 20
    assert str(state / "initial-password") in daemon.log()
    assert files_with(daemon, password) == [state / "initial-password"]
    assert (state / "passwd").read_text("ascii").startswith("admin:$2b$12$")

    assert not may_log_in(listener, "admin", "")
    assert not may_log_in(listener, "admin", "admin")
    assert talk(listener, f"admin\n{password}\nreboot\n".encode()) == LET_IN + b"rebooted\n"

    # The second start makes nothing anew.
    made = contents(state)
    daemon.stop()
    said = len(daemon.log())
    daemon.start()
    assert {name: content for name, content in contents(state).items() if name != "audit-chain"} == made
    assert "made" not in daemon.log()[said:]
    assert may_log_in(listener, "admin", password)

    # A new password takes the place of the first, and the file goes.
    companion(daemon, "user", "passwd", "admin", password="one of my own")
    assert not (state / "initial-password").exists()
    assert not may_log_in(listener, "admin", password)
    assert may_log_in(listener, "admin", "one of my own")
    daemon.stop()
    daemon.start()
    assert not (state / "initial-password").exists()
    assert not files_with(daemon, password)
    assert may_log_in(listener, "admin", "one of my own")


def test_certificate_of_the_first_start(daemon_to_be: Daemon) -> None:
    """It is good for the names by which a client finds this host, to a client that was given it."""
    daemon, listener = daemon_to_be, Listener(tls=True)
    daemon.configure(COMMANDS, listeners=[listener])
    daemon.start()

    context = ssl.create_default_context(cafile=str(daemon.state_directory / "tls.crt"))
    for name in ("localhost", "127.0.0.1", "::1", socket.gethostname()):
        with Client(listener.address) as client, context.wrap_socket(client.socket, server_hostname=name) as verified:
            assert verified.recv(100) == USER


def test_users_who_are_there_already(daemon_to_be: Daemon) -> None:
    """Then nobody is made, and nothing is written over."""
    daemon, listener = daemon_to_be, Listener(tls=True)
    daemon.configure(COMMANDS, listeners=[listener], roles=ROLES)
    write_passwords(daemon)
    before = (daemon.state_directory / "passwd").read_bytes()

    daemon.start()

    assert (daemon.state_directory / "passwd").read_bytes() == before
    assert not (daemon.state_directory / "initial-password").exists()
    assert may_log_in(listener, "alice", ALICE)


def test_without_a_login_nothing_is_made(daemon_to_be: Daemon) -> None:
    """Where nobody logs in and nothing is encrypted, neither is needed."""
    daemon_to_be.configure(COMMANDS)

    daemon_to_be.start()

    assert {path.name for path in daemon_to_be.state_directory.iterdir()} <= {"audit.jsonl", "lock"}


def test_login_door_added_by_a_reload(daemon_to_be: Daemon) -> None:
    """It gets what a first start makes."""
    daemon, listener = daemon_to_be, Listener(tls=True)
    daemon.configure(COMMANDS)
    daemon.start()
    daemon.configure(COMMANDS, listeners=[listener], roles=ADMIN)
    daemon.reload()

    password = (daemon.state_directory / "initial-password").read_text("ascii").strip()
    assert may_log_in(listener, "admin", password)
    assert files_with(daemon, password) == [daemon.state_directory / "initial-password"]


@pytest.mark.skipif(Path("/etc/cmdserver").exists(), reason="this host has a configuration of its own")
def test_built_in_configuration(daemon_to_be: Daemon) -> None:
    """Without a file, both listeners of the built-in one are open, on loopback, and do what they should."""
    daemon = daemon_to_be
    if is_listening(ANONYMOUS) or is_listening(SECURE):
        pytest.skip("somebody else has the usual ports")
    state = daemon.state_directory
    line = [program("twistd"), "-n", f"--pidfile={daemon.pid_file}", "cmdserver", f"--state-dir={state}"]
    daemon.start(ANONYMOUS, command_line=line)

    with Client(ANONYMOUS) as client:
        client.read_greeting()
        client.send(b"df\n")
        assert b"Filesystem" in client.read_all()
    with Client(SECURE, tls=believing()) as client:
        password = (state / "initial-password").read_text("ascii")
        client.send(f"admin\n{password}whoami\n".encode())
        said = client.read_all()
    assert said.startswith(LET_IN + b"name      admin\nroles     admin\n")
    with Client(SECURE, tls=believing()) as client:
        client.send(b"admin\nadmin\n")
        assert client.read_all() == KEPT_OUT


# Refused


def refusal(daemon: Daemon, *options: str) -> str:
    """Start it where it is to refuse, and say why it did."""
    done = daemon.run_to_end(*options)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert not daemon.pid_file.exists()
    assert not is_listening(daemon.address)
    return said


checked = pytest.mark.parametrize("options", [(), ("--check",)], ids=["start", "check"])


@checked
@pytest.mark.parametrize("login", ["required", "optional"])
@pytest.mark.parametrize("interface", ["0.0.0.0", "192.0.2.1"])
def test_password_over_plain_tcp_from_elsewhere(
    daemon_to_be: Daemon, options: tuple[str, ...], login: str, interface: str
) -> None:
    """It is refused, with the ways out."""
    listener = Listener(login=login, interface=interface)
    daemon_to_be.configure(COMMANDS, listeners=[listener])

    said = refusal(daemon_to_be, *options)

    assert (
        f": listen[1].endpoint: tcp:{listener.port}:interface={interface} would take passwords over plain TCP" in said
    )
    assert "tls = true" in said
    assert "allow_plaintext_passwords = true" in said


def test_password_over_plain_tcp_if_it_must_be(daemon_to_be: Daemon) -> None:
    """Who says that it is wanted gets it; so does who listens everywhere with TLS."""
    plain, secure = (
        Listener(interface="0.0.0.0", allow_plaintext_passwords=True),
        Listener(interface="0.0.0.0", tls=True),
    )
    daemon_to_be.configure(COMMANDS, listeners=[plain, secure], roles=ROLES)
    write_passwords(daemon_to_be)
    daemon_to_be.start()

    for listener in (plain, secure):
        assert may_log_in(listener, "alice", ALICE)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    return write_certificate(tmp_path, "server", trustme.CA().issue_cert("localhost"))


@checked
@pytest.mark.parametrize(
    "trouble", ["key of another", "no key", "no certificate", "not PEM", "key is a directory", "authority is missing"]
)
def test_certificate_that_is_no_good(
    daemon_to_be: Daemon, pair: tuple[Path, Path], options: tuple[str, ...], trouble: str
) -> None:
    """Which file, and what is wrong with it; no start, and ``--check`` says it before."""
    certificate, key = pair
    tls: dict[str, object] = {"certificate": str(certificate), "key": str(key)}
    match trouble:
        case "key of another":
            key.write_bytes(trustme.CA().issue_cert("localhost").private_key_pem.bytes())
            expected = f"the key {key} does not belong to the certificate {certificate}"
        case "no key":
            key.unlink()
            expected = f"{key}: No such file or directory"
        case "no certificate":
            certificate.unlink()
            expected = f"{certificate}: No such file or directory"
        case "not PEM":
            certificate.write_bytes(b"\x30\x82")
            expected = f"{certificate}: no certificate in PEM format"
        case "key is a directory":
            key.unlink()
            key.mkdir()
            expected = f"{key}: Is a directory"
        case _:
            tls["client_ca"] = str(certificate.with_name("nowhere.crt"))
            expected = f"{tls['client_ca']}: No such file or directory"
    daemon_to_be.configure(COMMANDS, listeners=[Listener(tls=True)], tls=tls)

    assert expected in refusal(daemon_to_be, *options)


@checked
@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"certificate": "/nowhere/tls.crt"}, "key is missing"),
        ({"certificate": "tls.crt", "key": "/nowhere/tls.key"}, "tls.certificate: 'tls.crt' is not an absolute path"),
        ({"minimum_version": "1.1"}, "tls.minimum_version"),
        ({"client_cas": "/nowhere"}, "did you mean client_ca?"),
    ],
    ids=["no key", "relative", "old version", "misspelt"],
)
def test_mistakes_about_tls(
    daemon_to_be: Daemon, options: tuple[str, ...], tls: Mapping[str, object], said: str
) -> None:
    """They are told with their places."""
    daemon_to_be.configure(COMMANDS, listeners=[Listener(tls=True)], tls=tls)

    assert said in refusal(daemon_to_be, *options)


@checked
@pytest.mark.parametrize(
    "setting", ['unauthenticated = "10:30"', 'penalty_exempt = ["10.0.0.0/33"]', "login_seconds = 0"]
)
def test_mistakes_about_limits(daemon_to_be: Daemon, options: tuple[str, ...], setting: str) -> None:
    """They too."""
    daemon_to_be.configure(COMMANDS, listeners=[Listener(tls=True)])
    text = daemon_to_be.config_file.read_text("utf-8")
    daemon_to_be.config_file.write_text(text.replace("[limits]", f"[limits]\n{setting}"), "utf-8")

    assert f": limits.{setting.split(maxsplit=1)[0]}" in refusal(daemon_to_be, *options)


def test_check_makes_nothing(daemon_to_be: Daemon) -> None:
    """``--check`` of a good file, whose certificate would be made at the first start, leaves no trace."""
    daemon_to_be.configure(COMMANDS, listeners=[Listener(tls=True)])

    done = daemon_to_be.run_to_end("--check")

    assert done.returncode == 0, done.stderr
    assert not daemon_to_be.state_directory.exists()


def test_expired_certificate_is_a_warning(daemon_to_be: Daemon, tmp_path: Path) -> None:
    """It is used, and the log says what clients will say."""
    past = datetime.now(UTC) - timedelta(days=1)
    leaf = trustme.CA().issue_cert("localhost", not_before=past - timedelta(days=1), not_after=past)
    certificate, key = write_certificate(tmp_path, "server", leaf)
    listener = Listener(tls=True)
    daemon_to_be.configure(COMMANDS, listeners=[listener], tls={"certificate": str(certificate), "key": str(key)})
    daemon_to_be.start()

    assert f"{certificate}: the certificate of " in daemon_to_be.log()
    assert " expired on " in daemon_to_be.log()
    with knock(listener) as client:
        assert client.read_line() == USER
