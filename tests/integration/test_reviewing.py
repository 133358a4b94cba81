"""``cmdserver check --lint`` and ``diff`` as processes, and what the real daemon's log says after SIGHUP."""

import subprocess
from pathlib import Path

import pytest

from tests.integration.daemon import program, running, shell

pytestmark = pytest.mark.slow

FILE = """
[[listen]]
protocol = "line"
endpoint = "tcp:2022:interface=127.0.0.1"
login = "never"

[commands.df]
run = ["sh", "-c", "df"]
read_only = true

[roles.anonymous]
commands = ["df"]
"""


def done(*words: str | Path) -> tuple[int, str, str]:
    """Run a command; return its exit status, standard output and standard error."""
    result = subprocess.run([program("cmdserver"), *words], capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def test_exit_statuses_and_streams(tmp_path: Path) -> None:
    """Findings and changes are on standard output, all else beside it."""
    old, new, bad = (tmp_path / name for name in ("old.toml", "new.toml", "bad.toml"))
    old.write_text(FILE)
    new.write_text(FILE.replace("[roles", '[commands.up]\nrun = ["uptime"]\n[roles'))
    bad.write_text(FILE + 'allow = ["no-rule"]\n')

    status, out, err = done("check", "--lint", "--config", old, "--state-dir", tmp_path / "state")
    assert (status, out.count("\n")) == (0, 1)
    assert out.startswith(f"{old}:8: commands.df.run: ")
    assert out.endswith(" [shell]\n")
    assert "no mistakes; lint has 1 thing to say" in err
    status, out, err = done("check", "--lint", "--config", bad, "--state-dir", tmp_path / "state")
    assert (status, out) == (1, "")
    assert "there is no rule no-rule" in err

    assert done("diff", old, old) == (0, "", "")
    assert done("diff", old, new) == (1, "command up (run by nobody)\n  + is new: runs uptime\n", "")
    status, out, err = done("diff", bad, tmp_path / "missing.toml")
    assert (status, out) == (2, "")
    assert "there is no rule no-rule" in err
    assert "missing.toml: No such file or directory" in err


def test_files_from_a_shell(tmp_path: Path) -> None:
    """As they come from ``git show``."""
    (tmp_path / "a.toml").write_text(FILE)
    line = f"{program('cmdserver')} diff <(cat a.toml) <(sed 's/never/optional/' a.toml)"
    result = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout == "listener tcp:2022:interface=127.0.0.1\n  ~ login is optional, before never\n"


def test_a_reload_says_the_same(tmp_path: Path) -> None:
    """The daemon's log has the lines, and no value of an environment."""
    word = shell("echo word")
    with running(tmp_path, {"word": word, "slow": shell("sleep 1")}) as daemon:
        daemon.configure({"word": {**word, "environment": {"TOKEN": "hunter2"}}, "extra": shell("echo extra")})
        daemon.reload()
        for line in (
            "+ anonymous: may run extra",
            "- anonymous: may no longer run slow",
            "+ command extra (run by anonymous): is new: runs sh -c",
            "- command slow: is gone",
            "~ command word (run by anonymous): environment: adds TOKEN (values are not shown)",
        ):
            daemon.wait_for_log(f"configuration read again: {line}")
        assert "hunter2" not in daemon.log()

        daemon.config_file.write_text(f"{daemon.config_file.read_text()}\n# a comment\n")
        daemon.reload()
        daemon.wait_for_log("configuration read again: nothing differs")
