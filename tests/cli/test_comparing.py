"""``cmdserver diff``."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.doubles import CONFIGURATION, Run


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """What there was."""
    path = tmp_path / "old.toml"
    path.write_text(CONFIGURATION)
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """What is to be: a program that this host does not have, for everybody."""
    path = tmp_path / "new.toml"
    command = '[commands.rules]\nrun = ["no-such-program"]\nuser = "no-such-user"\nworking_directory = "/no/such"\n'
    path.write_text(CONFIGURATION.replace('commands = ["uptime"]', 'commands = ["uptime", "rules"]') + command)
    return path


def test_nothing(run: Run, old: Path, tmp_path: Path) -> None:
    """What means the same is no change."""
    other = tmp_path / "other.toml"
    other.write_text(f"# a comment\n{CONFIGURATION}")
    result = run("diff", old, other)
    assert (result.exit_code, result.output) == (0, "")


def test_something(run: Run, old: Path, new: Path) -> None:
    """It is on standard output, and what this host lacks is a note."""
    result = run("diff", old, new)
    assert result.exit_code == 1
    assert result.stdout == (
        "anonymous\n  + may run rules as no-such-user\n"
        "command rules (run by anonymous)\n  + is new: runs no-such-program as no-such-user\n"
    )
    assert "not on this host, and taken as they are: /no/such, no-such-program, no-such-user" in result.stderr


def test_json(run: Run, old: Path, new: Path) -> None:
    """For programs."""
    result = run("diff", "--json", old, new)
    assert result.exit_code == 1
    assert [each["effect"] for each in json.loads(result.stdout)["changes"]] == ["widens", "widens"]
    assert json.loads(run("diff", "--json", old, old).stdout) == {"changes": []}


def test_no_good_files(run: Run, old: Path, new: Path, tmp_path: Path) -> None:
    """Both are read, and the mistakes of both are told with their places."""
    old.write_text(CONFIGURATION.replace("[commands.df]", "[commands.df]\nrun_as = 3"))
    new.write_bytes(b"\xff\xfe")
    result = run("diff", old, new)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{old}:11: commands.df.run_as: unknown key" in result.stderr
    assert f"{new}: is UTF-16" in result.stderr

    result = run("diff", tmp_path / "missing", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path}/missing: No such file or directory" in result.stderr
    assert f"{tmp_path}: Is a directory" in result.stderr


@pytest.mark.parametrize("run_words", ['run = ["./df"]', 'run = [""]', 'run = ["df"]\nworking_directory = "srv"'])
def test_what_is_wrong_on_every_host(run: Run, old: Path, new: Path, run_words: str) -> None:
    """It is a mistake here, too."""
    new.write_text(CONFIGURATION.replace('run = ["df", "-h"]', run_words))
    assert run("diff", old, new).exit_code == 2


def test_included_files(run: Run, old: Path, tmp_path: Path) -> None:
    """Each file has its own beside it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "conf.d").mkdir()
    new = tmp_path / "a" / "new.toml"
    old.write_text(CONFIGURATION.replace("never", "optional"))
    new.write_text('include = ["conf.d/*.toml"]\n' + old.read_text())
    (tmp_path / "a" / "conf.d" / "x.toml").write_text('[roles.more]\nusers = ["bob"]\ncommands = ["df"]\n')
    assert run("diff", old, new).stdout == "bob (role more)\n  + may run df\n"


def test_a_pipe(run: Run, old: Path, new: Path) -> None:
    """As the shell's ``<(git show …)`` makes one."""
    reading, writing = os.pipe()
    os.write(writing, new.read_bytes())
    os.close(writing)
    try:
        assert run("diff", old, f"/dev/fd/{reading}").stdout.startswith("anonymous\n  + may run rules")
    finally:
        os.close(reading)


def test_what_others_may_write_to(run: Run, old: Path, new: Path) -> None:
    """A repository's files are somebody's; only what the daemon reads decides anything."""
    new.chmod(0o666)
    assert run("diff", old, new).exit_code == 1
