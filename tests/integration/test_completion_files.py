"""What packages have shells complete words with: files, made without state or configuration, where shells look."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
#: A shell on a busy host takes its time; nothing is asserted of it.
PATIENCE_SECONDS = 60.0
pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The command in a directory of its own, and the scripts beside it, made as a package is: with nothing there."""
    (tmp_path / "cmdserver").write_text(
        f'#!{sys.executable}\nfrom cmdserver.cli.main import main\nmain(prog_name="cmdserver")\n'
    )
    (tmp_path / "cmdserver").chmod(0o755)
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [sys.executable, "-m", "cmdserver.cli.main", "completion", shell],
            env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
        assert done.stderr == b""
        (tmp_path / f"{shell}.script").write_bytes(done.stdout)
    return tmp_path / "cmdserver"


def _environment(program: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(program.parent),
        "TERM": "dumb",
        "XDG_DATA_HOME": str(program.parent / "data"),
        "XDG_CONFIG_HOME": str(program.parent / "config"),
    }


@pytest.mark.skipif(not BASH_COMPLETION.exists(), reason="needs bash-completion")
def test_bash_loads_it_by_its_name(program: Path) -> None:
    """At the first Tab behind the command."""
    (program.parent / "completions").mkdir()
    (program.parent / "bash.script").rename(program.parent / "completions" / "cmdserver")
    script = f"""
        . {BASH_COMPLETION}
        _completion_loader cmdserver || true
        COMP_WORDS=(cmdserver user pas) COMP_CWORD=2 COMP_LINE='cmdserver user pas' COMP_POINT=18
        $(complete -p cmdserver | sed 's/.*-F \\([^ ]*\\) .*/\\1/') cmdserver pas user
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = {**_environment(program), "BASH_COMPLETION_USER_DIR": str(program.parent)}
    done = subprocess.run(["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "passwd\n"


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_loads_it_by_its_name(program: Path) -> None:
    """With descriptions, whatever commas there are in them."""
    (program.parent / "completions").mkdir()
    (program.parent / "fish.script").rename(program.parent / "completions" / "cmdserver.fish")
    script = f"set -p fish_complete_path {program.parent}/completions; complete -C'cmdserver us'"
    done = subprocess.run(["fish", "-c", script], env=_environment(program), capture_output=True, text=True, check=True)

    assert done.stdout == "user\tAdd, change, remove and list users.\n"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_loads_it_by_its_first_line(program: Path) -> None:
    """As `compinit` finds it among the functions."""
    (program.parent / "functions").mkdir()
    (program.parent / "zsh.script").rename(program.parent / "functions" / "_cmdserver")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], _environment(program))  # noqa: S606
    try:
        start = f"fpath=({program.parent}/functions $fpath); autoload -Uz compinit; compinit -u -D; print rea''dy\n"
        os.write(terminal, start.encode())
        _read_until(terminal, b"ready")
        os.write(terminal, b"cmdserver user pas\t")
        _read_until(terminal, b"passwd")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def _read_until(terminal: int, expected: bytes) -> None:
    """Read what a shell writes until something is there."""
    seen, deadline = b"", time.monotonic() + PATIENCE_SECONDS
    while expected not in seen:
        rest = deadline - time.monotonic()
        assert rest > 0, seen
        if select.select([terminal], [], [], rest)[0]:
            seen += os.read(terminal, 65536)
