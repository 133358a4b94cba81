"""What shells are told, and that a real bash understands it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from cmdserver.auth.credential_formats import Token
from cmdserver.auth.credential_store import CredentialStore
from cmdserver.cli.completion import SHELLS, script
from cmdserver.cli.main import main
from tests.auth.test_credential_store import public_key
from tests.cli.doubles import CONFIGURATION, Run

PRESS_TAB = """
eval "$(cmdserver completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_cmdserver_completion cmdserver
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def files(state: Path, run: Run) -> CredentialStore:
    """Somebody's credentials, on a host with a configuration."""
    assert run is not None
    state.mkdir(mode=0o700)
    files = CredentialStore(state)
    files.add_token(Token(name="dora", sha256=b"\xab" * 32, label="ci"))
    files.add_token(Token(name="dora", sha256=b"\xcd" * 32))
    files.add_token(Token(name="cid", sha256=b"\xef" * 32, label="other"))
    files.add_keys("dora", public_key())
    return files


def _offered(*words: str, told_by: str = "zsh") -> list[str]:
    """Say what a shell is told for the last word."""
    os.environ["_CMDSERVER_COMPLETE"] = f"{told_by}_complete"
    try:
        complete = BashComplete(main, {}, "cmdserver", "_CMDSERVER_COMPLETE")
        return [each.value for each in complete.get_completions(list(words[:-1]), words[-1])]
    finally:
        del os.environ["_CMDSERVER_COMPLETE"]


def test_names_of_users(files: CredentialStore) -> None:
    """Of those who have something to log in with, and of those whom roles name."""
    for words in (("user", "passwd"), ("key", "list"), ("token", "remove"), ("token", "add")):
        assert _offered(*words, "") == ["ann", "cid", "dora"]
        assert _offered(*words, "d") == ["dora"]
    assert files.users() == ("cid", "dora")


def test_files() -> None:
    """They are the shell's to find."""
    os.environ["_CMDSERVER_COMPLETE"] = "zsh_complete"
    try:
        (item,) = BashComplete(main, {}, "cmdserver", "_CMDSERVER_COMPLETE").get_completions(["import"], "/etc/n")
    finally:
        del os.environ["_CMDSERVER_COMPLETE"]
    assert (item.type, item.value) == ("file", "/etc/n")


def test_callers_and_commands(files: CredentialStore, tmp_path: Path) -> None:
    """For explain: all who may ask for something, and what there is."""
    config = tmp_path / "cmdserver.toml"
    config.write_text(CONFIGURATION + '[hooks.deploy]\ncommand = "df"\n')

    assert _offered("explain", "") == ["ann", "cid", "dora", "anonymous", "schedule", "hook:deploy"]
    assert _offered("explain", "ann", "") == ["df", "uptime"]
    assert _offered("token", "add", "ann", "--commands", "u") == ["uptime"]
    assert _offered("token", "add", "ann", "--commands", "df,u") == ["df,uptime"]
    assert files.users()


def test_labels_and_fingerprints(files: CredentialStore) -> None:
    """Of the user who was named; bash takes a colon for a word's end, so there they are without what is before it."""
    (key,) = files.keys("dora")

    assert _offered("token", "remove", "dora", "") == ["ci", "cdcdcdcdcdcd"]
    assert _offered("token", "remove", "nobody", "") == []
    assert _offered("key", "remove", "dora", "") == [key.fingerprint]
    assert _offered("key", "remove", "dora", "", told_by="bash") == [key.fingerprint.removeprefix("SHA256:")]
    assert _offered("key", "remove", "cid", "") == []


def test_trouble_is_silent(run: Run, state: Path, tmp_path: Path) -> None:
    """Who pressed Tab wants no messages, and makes no directory."""
    assert _offered("user", "passwd", "") == ["ann"]
    assert not state.exists()
    state.mkdir(mode=0o700)
    (state / "passwd").mkdir()
    assert _offered("user", "passwd", "") == ["ann"]
    (tmp_path / "cmdserver.toml").write_text("[[[")
    assert _offered("user", "passwd", "") == []
    assert _offered("explain", "ann", "") == []
    assert run("user", "list").exit_code == 1


def test_scripts(run: Run) -> None:
    """One for each shell; another shell is a mistake."""
    for shell in SHELLS:
        result = run("completion", shell)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == f"{script(shell, main)}\n"
        assert "_CMDSERVER_COMPLETE" in result.stdout
    assert run("completion", "tcsh").exit_code == 2
    with pytest.raises(ValueError, match="tcsh"):
        script("tcsh", main)


def test_fish_splits_at_the_first_comma_alone() -> None:
    """What it is told is a kind, a comma, and a word with its description, which may have commas."""
    text = script("fish", main)
    assert text.count("string split") == text.count('string split -m1 "," $completion') == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cmdserver us", {"user"}),
        ("cmdserver user passwd ", {"ann", "cid", "dora"}),
        ("cmdserver token remove dora ", {"ci", "cdcdcdcdcdcd"}),
        ("cmdserver explain ann u", {"uptime"}),
        ("cmdserver token list --state", {"--state-dir"}),
        ("cmdserver token add ann --commands df,", {"df,df", "df,uptime"}),
    ],
)
def test_in_bash(files: CredentialStore, tmp_path: Path, words: str, expected: set[str]) -> None:
    """It reads the script, and Tab offers what there is."""
    assert files.users()
    (tmp_path / "cmdserver").write_text(
        f'#!{sys.executable}\nfrom cmdserver.cli.main import main\nmain(prog_name="cmdserver")\n'
    )
    (tmp_path / "cmdserver").chmod(0o755)
    line = words.split(" ")
    done = subprocess.run(
        [
            "bash",
            "--norc",
            "-c",
            PRESS_TAB,
            "bash",
            *line,
        ],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )

    assert set(done.stdout.split()) == expected
    assert done.stderr == ""
