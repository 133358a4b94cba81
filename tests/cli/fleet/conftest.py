"""What tests of the commands for a fleet begin with."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cmdserver.cli.fleet import ask, connecting, hosts
from cmdserver.cli.main import main
from tests.cli.fleet.doubles import CommandsBus
from tests.fleet import doubles
from tests.signing import Signing

FLEET = '[fleet]\nserver = "nats://bus.example"\nname = "prod"\n'
#: Keys of hosts that nobody has.
KEYS = [Signing().line for _ in range(3)]

Ask = Callable[..., Result]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home, with a key, a configuration of a fleet, and two hosts that are known."""
    # To end at once would end the tests.
    monkeypatch.setattr(os, "_exit", sys.exit)
    for name in ("CMDSERVER_CONFIG", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr(connecting, "_SYSTEM_KNOWN_HOSTS", tmp_path / "system")
    key = Signing().key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    for file, content in (
        (".ssh/id_ed25519", key),
        (".config/cmdserver/cmdserver.toml", FLEET.encode()),
        (".config/cmdserver/known_hosts", f"Web-1 {KEYS[0]}\ndb-1 {KEYS[1]}\n".encode()),
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
    return tmp_path


@pytest.fixture
def config(home: Path) -> Path:
    """The configuration."""
    return home / ".config/cmdserver/cmdserver.toml"


@pytest.fixture
def known_hosts(home: Path) -> Path:
    """The known hosts."""
    return home / ".config/cmdserver/known_hosts"


@pytest.fixture
def run() -> Ask:
    """Run the command."""
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> type[CommandsBus]:
    """Have all commands use a bus without a network, in a loop without time."""
    for module in (ask, hosts):
        monkeypatch.setattr(module, "Bus", CommandsBus)
    monkeypatch.setattr(CommandsBus, "made", [])
    monkeypatch.setattr(CommandsBus, "hosts", CommandsBus.hosts)
    monkeypatch.setattr(CommandsBus, "trouble", "")
    monkeypatch.setattr(asyncio, "run", doubles.run)
    monkeypatch.setattr(connecting, "clock", doubles.now)
    return CommandsBus
