"""Tests of what the commands for a fleet take, and what they take to be installed."""

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

from cmdserver.cli.command_line import Trouble
from cmdserver.cli.fleet import options
from cmdserver.cli.fleet.options import CallerOptions, needing_extra, pick
from tests.cli.fleet.conftest import Ask


def test_what_belongs_together() -> None:
    """Is taken out of all that was said."""
    said = {"user": "ada", "identity": Path("/key"), "known_hosts": None, "hosts": ("x",)}
    assert pick(said, CallerOptions) == CallerOptions(user="ada", identity=Path("/key"), known_hosts=None)


@pytest.mark.parametrize("name", ["nats", "nkeys"])
def test_a_missing_extra(name: str) -> None:
    """It is said what to install."""
    with (
        pytest.raises(Trouble, match=r"^this takes the extra fleet: pip install 'cmdserver\[fleet\]'$"),
        needing_extra(),
    ):
        raise ModuleNotFoundError(name=name)


def test_what_is_missing_by_mistake() -> None:
    """Another module is another trouble."""
    with pytest.raises(ModuleNotFoundError), needing_extra():
        raise ModuleNotFoundError(name="cmdserver.nonsense")
    with pytest.raises(ImportError), needing_extra():
        raise ImportError(name="nats")


class _WithoutNATS(MetaPathFinder):
    """Finds that there is no client of NATS."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "nats":
            raise ModuleNotFoundError(name=fullname)


@pytest.mark.parametrize("words", [("ask", "uptime"), ("hosts",)])
def test_commands_without_the_extra(run: Ask, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    """They are there, and say what they take."""
    for name in [each for each in sys.modules if each.startswith(("cmdserver.cli.fleet.", "cmdserver.fleet."))]:
        if name != options.__name__ and not name.endswith(".membership"):
            monkeypatch.delitem(sys.modules, name)
    package = sys.modules["cmdserver.cli.fleet"]
    for name in ("ask", "hosts"):
        monkeypatch.delattr(package, name, raising=False)
    for name in [each for each in sys.modules if each.split(".")[0] == "nats"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_WithoutNATS(), *sys.meta_path])
    result = run(*words)

    assert result.exit_code == 1
    assert result.stderr == "cmdserver: this takes the extra fleet: pip install 'cmdserver[fleet]'\n"


@pytest.mark.parametrize("option", ["--user", "--identity", "--known-hosts"])
def test_options(run: Ask, option: str) -> None:
    """Each command takes who asks."""
    for words in (("ask", "uptime"), ("hosts",)):
        result = run(*words, option, "a\nb")
        if option == "--user":
            assert result.exit_code == 2
        else:
            assert result.exit_code == 1
        assert "No such option" not in result.stderr
