"""``cmdserver import``."""

import tomllib
from pathlib import Path

from tests.cli.doubles import Run, done
from tests.nrpe_import.samples import NRPE_CFG


def test_what_was_taken(run: Run, tmp_path: Path) -> None:
    """It is printed, and nothing else is; the exit status says that it was all."""
    file = tmp_path / "nrpe.cfg"
    file.write_text("command[check_a]=/bin/true\ninclude=more.cfg\n")
    (tmp_path / "more.cfg").write_text("command[check_b]=/bin/false\n")
    result = run("import", file)
    assert list(tomllib.loads(done(result))["commands"]) == ["check_a", "check_b"]
    assert result.stderr == "cmdserver: note: 2 commands taken, 0 things refused\n"


def test_what_was_not(run: Run, tmp_path: Path) -> None:
    """It is told with its place, beside what is printed."""
    file = tmp_path / "nrpe.cfg"
    file.write_text(NRPE_CFG)
    result = run("import", file)
    assert result.exit_code == 1
    assert "check_load" in tomllib.loads(result.stdout)["commands"]
    said = result.stderr.splitlines()
    (number,) = (at for at, line in enumerate(NRPE_CFG.splitlines(), start=1) if "check_mailq" in line)
    text = f"{file}:{number}: refused: command[check_mailq]: column 28: | is the shell's: a pipe; no shell runs here"
    assert text in result.stderr
    assert all(each.startswith((f"{file}:", "cmdserver: note: ")) for each in said)
    assert said[-1] == "cmdserver: note: 7 commands taken, 6 things refused"


def test_standard_input(run: Run) -> None:
    """It is called as it is on the command line."""
    result = run("import", "-", stdin="command[a]=/bin/true | x\n")
    assert (result.exit_code, result.stdout.partition("\n")[0]) == (
        1,
        "# Made of standard input by cmdserver import. Look through it, then: cmdserver check",
    )
    assert result.stderr.startswith("-:1: refused: command[a]: column 22: | is the shell's")


def test_what_cannot_be_read(run: Run, tmp_path: Path) -> None:
    """That is like a wrong word: status 2, and nothing is printed."""
    (tmp_path / "big").write_bytes(b"#" * ((1 << 20) + 1))
    for name, text in (("none", "No such file or directory"), ("", "Is a directory"), ("big", "is larger than")):
        result = run("import", tmp_path / name)
        assert (result.exit_code, result.stdout) == (2, "")
        assert text in result.stderr
    assert run("import").exit_code == 2
    assert run("import", "a", "b").exit_code == 2
    assert run("import", "-", stdin="#" * ((1 << 20) + 1)).exit_code == 2


def test_control_characters(run: Run, tmp_path: Path) -> None:
    """Neither a name of a file nor a line can act on the terminal, or leave its comment."""
    file = tmp_path / "a\x1b[2J\n[limits]"
    file.write_text("command[\x1b[31m]=/x\ncommand[A\x9b]=/x\ncommand[ok]=/x\n")
    result = run("import", file)
    assert "\x1b" not in result.output + result.stderr
    assert "limits" not in tomllib.loads(result.stdout)
