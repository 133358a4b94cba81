"""Tests of the program ``cmdserver-agent``: what it reads, and how it tells that it cannot."""

import resource
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest

from cmdserver.config.decoding import Mistakes
from cmdserver.core.errors import CannotStart
from cmdserver.core.site import FleetHost
from cmdserver.fleet.agent import main as program
from cmdserver.fleet.agent import serving
from cmdserver.fleet.agent.main import main, read_settings
from cmdserver.fleet.membership import BusServer

FLEET = '[fleet]\nserver = "nats://bus.example"\nname = "prod"\nhost = "web-1"\n'


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CMDSERVER_CONFIG", "STATE_DIRECTORY", "NOTIFY_SOCKET", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of a host in a fleet."""
    path = tmp_path / "cmdserver.toml"
    path.write_text(FLEET)
    return path


def test_settings(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ``[fleet]``, and the place for state wherever the daemon finds it."""
    settings = read_settings(str(config), str(tmp_path))
    assert settings.host == FleetHost("prod", "web-1")
    assert settings.bus == BusServer(host="bus.example", port=4222, is_tls=False)
    assert settings.daemon._path == tmp_path / "fleet.sock"

    monkeypatch.setenv("CMDSERVER_CONFIG", str(config))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "a"))
    assert read_settings(None, None).daemon._path == tmp_path / "a" / "fleet.sock"
    config.write_text(f'state_dir = "{tmp_path}/b"\n{FLEET}')
    assert read_settings(None, None).daemon._path == tmp_path / "b" / "fleet.sock"
    assert read_settings(None, str(tmp_path / "c")).daemon._path == tmp_path / "c" / "fleet.sock"


def test_mistakes(config: Path, tmp_path: Path) -> None:
    """In ``[fleet]`` they are told; elsewhere they are the daemon's to tell."""
    config.write_text(f'{FLEET}[commands.x]\nrun = ["no such program"]\nnonsense = 1\n')
    read_settings(str(config), str(tmp_path))
    for text in (FLEET.replace("nats", "http"), FLEET.replace("web-1", "web 1"), f"{FLEET}nonsense = 1\n", "[fleet"):
        config.write_text(text)
        with pytest.raises(Mistakes):
            read_settings(str(config), str(tmp_path))


def test_no_bus(config: Path, tmp_path: Path) -> None:
    """Without a server there is nothing to do, and without a file neither."""
    for text in ("", '[fleet]\nhost = "web-1"\n'):
        config.write_text(text)
        with pytest.raises(CannotStart, match="names no server, so there is nothing to connect to"):
            read_settings(str(config), str(tmp_path))
    config.unlink()
    with pytest.raises(OSError, match="No such file"):
        read_settings(str(config), str(tmp_path))


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """Run the program; return what it ends with."""
    monkeypatch.setattr(sys, "argv", ["cmdserver-agent", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


def test_how_trouble_is_told(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line or two on standard error, with status 1."""
    state = ("--state-dir", str(tmp_path))
    config.write_text("")
    assert ended(monkeypatch, "--config", str(config), *state) == (
        f"cmdserver-agent: [fleet] in {config} names no server, so there is nothing to connect to"
    )
    config.write_text(FLEET.replace("nats", "http").replace("web-1", "web 1"))
    told = ended(monkeypatch, "--config", str(config), *state)
    assert sorted(line.split(" is no ")[0].split(": ")[-1] for line in str(told).splitlines()) == [
        "'http://bus.example'",
        "'web 1'",
    ]
    assert str(ended(monkeypatch, "--config", str(tmp_path / "none"), *state)).startswith(
        "cmdserver-agent: cannot read the configuration: [Errno 2] No such file"
    )


def test_what_is_run(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With little memory, and never more than whoever started it allows; with what was read."""
    limits: list[tuple[int, int]] = []
    ran: list[tuple[Any, ...]] = []
    before = (0, 0)

    async def serve(*given: Any) -> None:
        ran.append(given)

    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    monkeypatch.setattr(resource, "getrlimit", lambda _: before)
    monkeypatch.setattr(program, "log_to", lambda *_, **__: None)
    monkeypatch.setattr(serving, "serve", serve)
    monkeypatch.setattr(sys, "argv", ["cmdserver-agent", "--config", str(config), "--state-dir", str(tmp_path)])
    for hard, soft in ((resource.RLIM_INFINITY, 512 << 20), (1 << 40, 512 << 20), (1 << 20, 1 << 20)):
        before = (hard, hard)
        main()
        assert limits.pop() == (soft, hard)
    host, server, ask = ran[0]
    assert (host, server) == (FleetHost("prod", "web-1"), BusServer.parse("nats://bus.example"))
    assert ask.__self__._path == tmp_path / "fleet.sock"


@pytest.mark.parametrize("name", ["nats", "nkeys", "cmdserver.nonsense"])
def test_a_missing_extra(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is said what to install; what else is missing is another trouble."""

    class Without(MetaPathFinder):
        def find_spec(self, fullname: str, *_: object) -> None:
            if fullname == serving.__name__:
                raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(program, "log_to", lambda *_, **__: None)
    monkeypatch.delitem(sys.modules, serving.__name__)
    monkeypatch.setattr(sys, "meta_path", [Without(), *sys.meta_path])
    words = ("--config", str(config), "--state-dir", str(tmp_path))
    if name in {"nats", "nkeys"}:
        assert ended(monkeypatch, *words) == (
            "cmdserver-agent: this takes the extra fleet: pip install 'cmdserver[fleet]'"
        )
    else:
        with pytest.raises(ModuleNotFoundError):
            ended(monkeypatch, *words)
