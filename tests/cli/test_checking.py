"""``cmdserver check``, with and without lint."""

from pathlib import Path

import pytest

from tests.cli.doubles import CONFIGURATION, Run, done

_PAGER = '\n[commands.log]\nrun = ["sh", "-c", "df"]\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file with something that is allowed and perhaps not meant, and with something without effect."""
    path = tmp_path / "c.toml"
    path.write_text(CONFIGURATION.replace('run = ["uptime"]', 'run = ["uptime"]\nread_only = true') + _PAGER)
    return path


def test_check_does_not_lint(run: Run, config: Path) -> None:
    """It says what it always said."""
    result = run("check", "--config", config)
    assert "no mistakes, 3 warnings" in done(result)
    assert "[shell]" not in result.output


def test_lint(run: Run, config: Path) -> None:
    """Findings alone are on standard output; the exit status is that of a good file."""
    result = run("check", "--lint", "--config", config)
    (line,) = done(result).splitlines()
    assert line.startswith(f"{config}:22: commands.log.run: sh reads a line of its own")
    assert line.endswith(" [shell]")
    assert "commands.log: is in no role" in result.stderr
    assert "no mistakes, 3 warnings; lint has 1 thing to say" in result.stderr


def test_nothing_to_say(run: Run, config: Path) -> None:
    """Then nothing is on standard output."""
    config.write_text(config.read_text().replace(_PAGER, ""))
    result = run("check", "--lint", "--config", config)
    assert done(result) == ""
    assert "lint has nothing to say" in result.stderr


def test_mistakes(run: Run, config: Path) -> None:
    """They are what they are for a check: of a name that is no rule's, too."""
    config.write_text(config.read_text() + 'allow = ["shel"]\n')
    for words in (["check"], ["check", "--lint"]):
        result = run(*words, "--config", config)
        assert result.exit_code == 1
        assert (
            f"{config}:23: commands.log.allow: there is no rule shel of check --lint; did you mean shell"
            in result.stderr
        )
