"""Sockets that systemd has opened: one for both families, several of one name, a UNIX socket, behind a proxy."""

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import activate
from tests.integration.client import Address, Client
from tests.integration.daemon import Daemon, free_port, has_ipv6, prepared, shell

pytestmark = pytest.mark.slow

COMMANDS = {"word": shell("echo word")}
ENDPOINTS = (
    "systemd:domain=INET:name=both",  # what it is, the socket says
    "systemd:domain=INET:name=pair",
    "systemd:domain=UNIX:name=unix",
    "haproxy:systemd:name=proxied",
)


@pytest.fixture
def activated(tmp_path: Path, public_directory: Path) -> Iterator[Daemon]:
    """Start a daemon on sockets that are there already."""
    with prepared(tmp_path) as daemon:
        daemon.configure(COMMANDS, listen=ENDPOINTS)
        ports = [free_port() for _ in range(3)]
        both = "::" if has_ipv6() else "0.0.0.0"
        sockets = [f"both={both}={daemon.port}", f"pair=127.0.0.1={ports[0]}", f"pair=127.0.0.1={ports[1]}"]
        sockets += [f"unix={public_directory}/socket", f"proxied=127.0.0.1={ports[2]}"]
        (tmp_path / "ports").write_text(" ".join(map(str, ports)), "ascii")
        daemon.start(command_line=[sys.executable, activate.__file__, *sockets, "--", *daemon.command_line()])
        yield daemon


def whoami(address: Address, before: bytes = b"") -> bytes:
    """Ask where we are; return the last line."""
    with Client(address) as client:
        client.send(before + b"whoami\n")
        return client.read_all().splitlines()[-1]


def test_activated(activated: Daemon, public_directory: Path) -> None:
    """Everybody is answered, and has the right address; the mode of a UNIX socket is not ours to change."""
    pair_one, pair_two, proxied = map(int, (activated.directory / "ports").read_text("ascii").split())
    path = public_directory / "socket"

    def look() -> None:
        assert whoami(activated.address) == b"address   127.0.0.1"
        if has_ipv6():
            assert whoami(("::1", activated.port)) == b"address   ::1"
        assert [whoami(("127.0.0.1", port)) for port in (pair_one, pair_two)] == [b"address   127.0.0.1"] * 2
        assert whoami(str(path)) == b"address   unix"
        assert whoami(("127.0.0.1", proxied), b"PROXY UNKNOWN\r\n") == b"address   127.0.0.1"
        assert whoami(("127.0.0.1", proxied), b"PROXY TCP6 2001:db8::1 ::1 1 1\r\n") == b"address   2001:db8::1"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    look()
    # A listener that is another by its configuration has the same socket.
    text = activated.config_file.read_text("utf-8")
    activated.config_file.write_text(
        text.replace('login = "never"', 'login = "optional"\nallow_plaintext_passwords = true')
    )
    activated.reload()
    assert "nothing was changed" not in activated.log()
    look()
    activated.stop()
    assert path.is_socket(), "what systemd has made, it removes"


def test_what_was_not_given(tmp_path: Path) -> None:
    """It says which socket is missing, and does not start; the file as such is good."""
    with prepared(tmp_path) as daemon:
        daemon.configure(COMMANDS, listen=["systemd:domain=INET:name=line"])
        started = daemon.run_to_end()
        assert started.returncode == 1
        assert "systemd has given us no such socket; we were started without any" in started.stdout + started.stderr
        assert daemon.run_to_end("--check").returncode == 0
