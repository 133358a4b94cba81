"""SIGHUP: a good configuration takes effect without dropping anybody, a bad one does not."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.client import Client
from tests.integration.daemon import Daemon, free_port, is_listening, running, shell

pytestmark = pytest.mark.slow

COMMANDS = {"word": shell("echo word"), "slow": shell("echo begun; sleep 0.5; echo slow")}
MORE = {"word": shell("echo changed"), "extra": shell("echo extra")}


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with an open listener."""
    with running(tmp_path_factory.mktemp("reload"), COMMANDS) as daemon:
        yield daemon


@pytest.fixture
def session(daemon: Daemon) -> Iterator[Client]:
    """A session that is open while all that happens."""
    with daemon.connect() as client:
        client.read_greeting()
        client.send(b"session\nword\n")
        assert client.read_line() == b"word\n"
        yield client


def test_commands_change_for_open_sessions(daemon: Daemon, session: Client) -> None:
    """Commands are added, changed and removed; what runs is finished as it was begun."""
    session.send(b"slow\n")
    assert session.read_line() == b"begun\n"
    daemon.configure(MORE)
    daemon.reload()

    assert session.read_line() == b"slow\n"
    session.send(b"word\nextra\nslow\n")
    assert (session.read_line(), session.read_line()) == (b"changed\n", b"extra\n")
    assert session.read_line().startswith(b"cmdserver: unknown_command: ")
    assert "configuration read again: + command extra " in daemon.log()
    assert "configuration read again: - command slow: is gone" in daemon.log()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"sh"', '"no-such-program"', "no-such-program"),
        ("[limits]", "[limits]\nconections = 3", "did you mean connections?"),
        ("[limits]", "[limits]\nconnections = 0", "limits.connections"),
        ("[limits]", "[limits", "not TOML"),
        ('protocol = "line"', 'protocol = "gopher"', "listen[0].protocol"),
        ("tcp:", "tpc:", "listen[0].endpoint"),
    ],
)
def test_bad_configuration_changes_nothing(daemon: Daemon, session: Client, old: str, new: str, said: str) -> None:
    """A file with mistakes is refused, the log says where they are, and everything goes on as before."""
    daemon.configure(MORE)
    text = daemon.config_file.read_text("utf-8")
    assert old in text
    daemon.config_file.write_text(text.replace(old, new), "utf-8")
    daemon.reload()

    assert "nothing was changed" in daemon.log()
    assert said in daemon.log()
    session.send(b"word\n")
    assert session.read_line() == b"word\n"
    assert daemon.ask("extra\n").startswith(b"cmdserver: unknown_command: ")


def test_missing_file_changes_nothing(daemon: Daemon, session: Client) -> None:
    """A file that is gone is a mistake like any other."""
    daemon.config_file.unlink()
    daemon.reload()

    assert "nothing was changed" in daemon.log()
    session.send(b"word\n")
    assert session.read_line() == b"word\n"


def test_listener_added_and_removed(daemon: Daemon, session: Client, public_directory: Path) -> None:
    """A new listener is open after the reload; one that is no longer wanted is closed; sessions live on."""
    another = "127.0.0.1", free_port()
    path = str(public_directory / "socket")
    daemon.configure(COMMANDS, listen=[daemon.endpoint(), f"tcp:{another[1]}:interface=127.0.0.1", f"unix:{path}"])
    daemon.reload()
    assert is_listening(daemon.address)
    assert is_listening(another)
    assert is_listening(path)

    with Client(another) as client:
        client.read_greeting()
        daemon.configure(COMMANDS, listen=[f"unix:{path}"])
        daemon.reload()
        assert not is_listening(daemon.address)
        assert not is_listening(another)
        assert is_listening(path)

        client.send(b"word\n")
        assert client.read_all() == b"word\n"
    session.send(b"word\n")
    assert session.read_line() == b"word\n"


def test_listener_moved(daemon: Daemon, session: Client) -> None:
    """The same port on another interface, on every interface, and back."""
    daemon.configure(COMMANDS, listen=[daemon.endpoint("127.0.0.2")])
    daemon.reload()
    assert not is_listening(daemon.address)
    assert is_listening(("127.0.0.2", daemon.port))

    daemon.configure(COMMANDS, listen=[f"tcp:{daemon.port}"])
    daemon.reload()
    assert is_listening(daemon.address)

    daemon.configure(COMMANDS, listen=[daemon.endpoint()])
    daemon.reload()
    assert is_listening(daemon.address)
    assert not is_listening(("127.0.0.2", daemon.port))
    assert "nothing was changed" not in daemon.log()
    session.send(b"word\n")
    assert session.read_line() == b"word\n"


def test_listener_that_cannot_be_opened_changes_nothing(daemon: Daemon, session: Client) -> None:
    """If one new listener cannot be opened, the listeners are as they were, and so is the rest."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon.configure(MORE, listen=[daemon.endpoint("127.0.0.2"), f"tcp:{port}:interface=127.0.0.1"])
        daemon.reload()

    assert f"tcp:{port}:interface=127.0.0.1" in daemon.log()
    assert "nothing was changed" in daemon.log()
    assert is_listening(daemon.address)
    assert not is_listening(("127.0.0.2", daemon.port))
    session.send(b"word\n")
    assert session.read_line() == b"word\n"


def test_limits_change(daemon: Daemon, session: Client) -> None:
    """Limits count from then on, for open sessions too."""
    daemon.configure(COMMANDS, limits={"connections_per_source": 1, "idle_seconds": 0.5})
    daemon.reload()

    with daemon.connect() as refused:
        assert refused.read_all().startswith(b"cmdserver: busy: ")
    session.send(b"word\n")
    assert session.read_line() == b"word\n"
    assert session.read_all() == b"cmdserver: nothing was asked within 0.5 s\n"


def test_many_hangups(daemon: Daemon, session: Client) -> None:
    """A shower of signals does no harm."""
    for _ in range(50):
        daemon.signal(signal.SIGHUP)
    daemon.reload()

    session.send(b"word\n")
    assert session.read_line() == b"word\n"
    assert is_listening(daemon.address)


def test_included_files(daemon: Daemon, session: Client) -> None:
    """They are read again with the main one; a mistake in one of them changes nothing, and is told with its place."""
    folder = daemon.directory / "conf.d"
    folder.mkdir()
    text = daemon.config_file.read_text("utf-8")
    daemon.config_file.write_text(f'include = ["conf.d/*.toml"]\n{text}', "utf-8")
    extra = folder / "extra.toml"
    extra.write_text('[commands.extra]\nrun = ["echo", "extra"]\n', "utf-8")
    daemon.reload()
    session.send(b"extra\nword\n")
    assert (session.read_line(), session.read_line()) == (b"extra\n", b"word\n")

    extra.write_text('[commands.extra]\nrun = ["echo", "other"]\n[commands.word]\nrun = ["echo"]\n', "utf-8")
    daemon.reload()
    assert f"{extra}:3: commands.word: is in {daemon.config_file}:" in daemon.log()
    session.send(b"extra\n")
    assert session.read_line() == b"extra\n"

    (folder / "more.toml").write_text('[commands.more]\nrun = ["echo", "more"]\n', "utf-8")
    extra.unlink()
    daemon.reload()
    session.send(b"more\nextra\n")
    assert session.read_line() == b"more\n"
    assert session.read_line().startswith(b"cmdserver: unknown_command: ")

    (folder / "more.toml").unlink()
    daemon.reload()
    assert f"{daemon.config_file}:1: include: conf.d/*.toml matches no file" in daemon.log()
