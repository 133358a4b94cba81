"""Tests of how a caller reaches a fleet: which configuration, which name, which key, and whom they know."""

import asyncio
import getpass
import logging
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from cmdserver.cli.command_line import Trouble
from cmdserver.cli.fleet import connecting
from cmdserver.cli.fleet.connecting import Access, config_home, find_access, read_fleet, read_known_hosts
from cmdserver.cli.fleet.options import CallerOptions
from cmdserver.fleet.bus import NotConnected
from cmdserver.fleet.client.known_hosts import KnownHosts
from cmdserver.fleet.client.ssh_agent import AgentError
from tests.cli.fleet.conftest import FLEET, KEYS, Ask
from tests.fleet.doubles import run

NOTHING = CallerOptions(user=None, identity=None, known_hosts=None)


def context(**meta: str) -> Any:
    """Make what click knows of a command line."""
    return SimpleNamespace(meta={f"cmdserver.{name}": value for name, value in meta.items()})


def test_configurations(home: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That which is named, or of the environment, or the caller's own."""
    for name in ("named", "environment"):
        (home / name).write_text(FLEET.replace("prod", name))
    assert read_fleet(context()).fleet == "prod"
    monkeypatch.setenv("CMDSERVER_CONFIG", str(home / "environment"))
    assert read_fleet(context()).fleet == "environment"
    fleet = read_fleet(context(config=str(home / "named")))
    assert (fleet.fleet, str(fleet.bus), fleet.settings.fleet.name) == ("named", "nats://bus.example:4222", "named")

    monkeypatch.delenv("CMDSERVER_CONFIG")
    config.unlink()
    loaded: list[str | None] = []

    def load(name: str | None, _: object) -> Any:
        loaded.append(name)
        raise OSError("no")

    monkeypatch.setattr(connecting, "load", load)
    with pytest.raises(Trouble, match=r"^cannot read the configuration: no$"):
        read_fleet(context())
    assert loaded == [None]


def test_no_fleet(run: Ask, config: Path) -> None:
    """What to write is said; and what is wrong with what there is."""
    for words in (("ask", "uptime"), ("hosts",)):
        for text in ("", '[fleet]\nname = "prod"\n'):
            config.write_text(text)
            result = run(*words)
            assert (result.exit_code, result.stdout) == (1, "")
            assert result.stderr == (
                f"cmdserver: {config} has no [fleet] with a server; write one, or name another file with --config:\n\n"
                '    [fleet]\n    server = "tls://bus.example:4222"\n'
            )
        config.write_text('[fleet]\nserver = "x"\nnonsense = 1\n')
        result = run(*words)
        assert result.exit_code == 1
        assert "no server of NATS" in result.stderr
        assert "nonsense" in result.stderr
        result = run(*words, "--config", "/nonexistent")
        assert result.stderr.startswith("cmdserver: cannot read the configuration: ")


def test_the_caller(home: Path, known_hosts: Path) -> None:
    """The login name, and the first of the usual keys; or what was said."""
    access = find_access(NOTHING)
    assert access.user == getpass.getuser()
    assert [*access.known.hosts] == ["web-1", "db-1"]
    assert access.known_hosts_file == known_hosts
    other, key = home / "other", home / "key"
    other.write_text(f"x {KEYS[2]}\n")
    (home / ".ssh/id_ed25519").rename(key)
    access = find_access(CallerOptions(user="bob", identity=key, known_hosts=other))
    assert (access.user, [*access.known.hosts], access.known_hosts_file) == ("bob", ["x"], other)
    with pytest.raises(Trouble, match=r"^there is no key to sign with"):
        find_access(NOTHING)


def test_names_that_can_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login name need be no user's."""
    monkeypatch.setattr(getpass, "getuser", lambda: "a b")
    with pytest.raises(click.BadParameter):
        find_access(NOTHING)
    assert find_access(CallerOptions(user="ada", identity=None, known_hosts=None)).user == "ada"


def test_an_agent_that_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with ssh-agent is told."""

    def find(*words: object) -> Any:
        found.append(words)
        raise AgentError("the agent")

    found: list[tuple[object, ...]] = []
    monkeypatch.setattr(connecting, "find_identity", find)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    with pytest.raises(Trouble, match=r"^the agent$"):
        find_access(NOTHING)
    assert found == [(None, "/agent", connecting._ask_passphrase, home)]


def test_the_systems_known_hosts(home: Path, known_hosts: Path) -> None:
    """They are known as well, unless it was said which; hosts are added to the caller's own, where keys are revoked."""
    (home / "system").write_text(f"s {KEYS[2]}\n")
    own = known_hosts.read_text()
    assert [*find_access(NOTHING).known.hosts] == ["web-1", "db-1", "s"]
    known_hosts.write_text(f"{own}@revoked * {KEYS[2]}\n")
    assert [*find_access(NOTHING).known.hosts] == ["web-1", "db-1"]
    known_hosts.unlink()
    access = find_access(NOTHING)
    assert ([*access.known.hosts], access.known_hosts_file) == (["s"], known_hosts)
    given = CallerOptions(user=None, identity=None, known_hosts=home / "none")
    assert find_access(given).known.hosts == {}
    (home / "system").unlink()
    assert find_access(NOTHING).known.hosts == {}


def test_known_hosts(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Notes are told; a file that is not there has nobody; another encoding is named."""
    file = home / "file"
    assert read_known_hosts([file]) == KnownHosts()
    file.write_text(f"* {KEYS[0]}\nx {KEYS[1]}\n")
    assert [*read_known_hosts([file]).hosts] == ["x"]
    assert capsys.readouterr().err == f"cmdserver: note: {file}:1: '*' is a pattern, and no host\n"
    file.write_bytes(f"x {KEYS[1]}\n".encode("utf-16"))
    with pytest.raises(Trouble, match=f"^{file}: .*UTF-16"):
        read_known_hosts([file])
    with pytest.raises(IsADirectoryError):
        read_known_hosts([home])


def test_nobody_is_meant(run: Ask, known_hosts: Path) -> None:
    """Without known hosts it is said how there are some; nobody is asked."""
    known_hosts.unlink()
    result = run("ask", "uptime")
    assert result.exit_code == 1
    assert result.stderr == (
        f"cmdserver: nobody is meant: there is no host in {known_hosts}; cmdserver hosts --accept-new adds those that "
        "answer\n"
    )
    known_hosts.write_text(f"x {KEYS[1]}\n")
    assert run("ask", "--hosts", "y", "uptime").stderr == (
        f"cmdserver: nobody is meant: no host in {known_hosts} matches y\n"
    )


def test_where_own_files_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG specification has it: a relative path is none."""
    for value, directory in (
        (None, home / ".config"),
        ("", home / ".config"),
        ("x", home / ".config"),
        ("/x", Path("/x")),
    ):
        if value is not None:
            monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert config_home() == directory / "cmdserver"


class FakeBus:
    """A bus that is there, or is not."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self._trouble = trouble
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.runs -= 1

    async def require_connection(self) -> None:
        await asyncio.sleep(1)
        assert self.runs == 1
        if self._trouble is not None:
            raise self._trouble


def test_a_connection() -> None:
    """It lasts as long as it is used, and ends whatever happens."""

    async def work(bus: Any, error: Exception | None) -> None:
        try:
            async with connecting.connected(bus):
                assert bus.runs == 1
                if error is not None:
                    raise error
        finally:
            assert bus.runs == 0

    run(work(FakeBus(), None))
    for trouble in (NotConnected("away"), AgentError("no agent")):
        with pytest.raises(Trouble, match=str(trouble)):
            run(work(FakeBus(), trouble))
    with pytest.raises(Trouble, match="away"):
        run(work(FakeBus(NotConnected("away")), None))
    with pytest.raises(ZeroDivisionError):
        run(work(FakeBus(), ZeroDivisionError()))


def test_what_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its result is returned; the first interruption ends it, unless it comes to its end by itself, and the second."""
    monkeypatch.setattr(asyncio, "run", run)

    async def result() -> int:
        return 17

    assert connecting.run(result, lambda: False) == 17
    assert logging.getLogger("asyncio").level == logging.ERROR

    async def endless(number: int) -> None:
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()

    for number in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(SystemExit) as ended:
            connecting.run(lambda number=number: endless(number), lambda: False)  # type: ignore[misc]
        assert ended.value.code == 130

    told: list[int] = []

    def take() -> bool:
        told.append(1)
        return True

    async def patient(times: int) -> int:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(1)
        return 18

    assert connecting.run(lambda: patient(1), take) == 18
    assert told == [1]
    with pytest.raises(SystemExit):
        connecting.run(lambda: patient(2), take)
    assert told == [1, 1]


def test_an_exchange() -> None:
    """Words are random and never the same; the time is that of day."""
    key: Any = SimpleNamespace(fingerprint="x")
    access = Access("ada", key, KnownHosts(), Path())
    fleet: Any = SimpleNamespace(fleet="prod")
    words = {connecting.exchange(fleet, access)._random_token() for _ in range(9)}
    assert len(words) == 9
    assert {len(each) for each in words} == {32}
    assert connecting.exchange(fleet, access).fleet == "prod"
    assert {0 <= connecting.jitter() < 1 for _ in range(9)} == {True}
    assert connecting.clock() <= connecting.clock()


def test_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are asked for on standard error, unseen; nothing typed is none."""
    asked: list[tuple[object, dict[str, object]]] = []
    monkeypatch.setattr(click, "prompt", lambda text, **options: asked.append((text, options)) or "secret")  # type: ignore[func-returns-value]
    assert connecting._ask_passphrase("Enter: ") == "secret"
    ((text, options),) = asked
    assert (text, options["hide_input"], options["err"], options["default"]) == ("Enter: ", True, True, "")
