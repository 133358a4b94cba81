"""What tests of the command line begin with."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cmdserver.auth import password_hash
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.cli.main import main
from tests.cli.doubles import CONFIGURATION, Run


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory to be."""
    return tmp_path / "state"


@pytest.fixture
def files(state: Path) -> CredentialStore:
    """What is in it."""
    return CredentialStore(state)


@pytest.fixture
def run(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command as a person would whose host has a configuration."""
    config = tmp_path / "cmdserver.toml"
    config.write_text(CONFIGURATION)
    monkeypatch.setenv("CMDSERVER_CONFIG", str(config))
    monkeypatch.setenv("STATE_DIRECTORY", str(state))
    monkeypatch.setattr(password_hash, "COST", 4)
    return lambda *words, stdin="": CliRunner().invoke(main, [str(word) for word in words], input=stdin)
