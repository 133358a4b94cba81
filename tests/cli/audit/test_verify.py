"""``cmdserver audit verify``."""

import gzip
from pathlib import Path

import pytest

from tests.audit.test_verifying import chain
from tests.cli.doubles import Run, done

LINES = chain(6)


def head(line: bytes) -> str:
    """Return the chain value of a line."""
    return line[-66:-2].decode()


@pytest.fixture
def file(state: Path) -> Path:
    """The configured audit file."""
    state.mkdir()
    path = state / "audit.jsonl"
    path.write_bytes(b"\n".join(LINES) + b"\n")
    return path


def test_a_whole_chain(run: Run, file: Path, tmp_path: Path) -> None:
    """The configured file, or those that are named, compressed ones too, or standard input."""
    text = "6 lines, from 2023-11-14T22:13:21.000Z to 2023-11-14T22:13:26.000Z, the chain is whole; head "
    expected = f"{text}{head(LINES[-1])}\n"
    old, new = tmp_path / "old.gz", tmp_path / "new"
    old.write_bytes(gzip.compress(b"\n".join(LINES[:2]) + b"\n"))
    new.write_bytes(b"\n".join(LINES[2:]) + b"\n")
    assert done(run("audit", "verify")) == expected
    assert done(run("audit", "verify", old, new)) == expected
    assert done(run("audit", "verify", "-", stdin=file.read_text())) == expected
    result = run("audit", "verify", new)
    assert done(result).startswith("4 lines, ")
    assert result.stderr.startswith("cmdserver: note: the chain begins before the first line")


def test_what_is_wrong(run: Run, file: Path, tmp_path: Path) -> None:
    """Each place, and exit status 1; the order of files matters."""
    file.write_bytes(file.read_bytes().replace(b'"id": "0000000000000003"', b'"id": "x"'))
    result = run("audit", "verify")
    assert result.exit_code == 1
    first, last = result.stdout.splitlines()
    assert first == f"{file}:3: was changed"
    assert ", the chain is NOT whole; head " in last
    new = tmp_path / "new"
    new.write_bytes(b"\n".join(LINES[3:]))
    file.write_bytes(b"\n".join(LINES[:3]) + b"\n")
    assert run("audit", "verify", new, file).stdout.startswith(f"{file}:1: the chain begins anew here")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"\n".join(LINES) + b"\n")[:-4])
    result = run("audit", "verify", cut)
    assert (result.exit_code, f"{cut}:7: is cut short or damaged" in result.stdout) == (1, True)


def test_a_copy_elsewhere(run: Run, file: Path) -> None:
    """Its last value must be there: so a tail that was cut off shows."""
    done(run("audit", "verify", "--head", head(LINES[-1]), "--head", head(LINES[2])))
    file.write_bytes(b"\n".join(LINES[:4]) + b"\n")
    result = run("audit", "verify", "--head", head(LINES[-1]), "--head", head(LINES[2]))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{head(LINES[-1])} is the chain value of no line: lines were cut off")
    assert head(LINES[2]) not in result.stdout
    assert run("audit", "verify", "--head", "abc").exit_code == 2


def test_what_cannot_be_read(run: Run, tmp_path: Path) -> None:
    """That is like a wrong word."""
    for words in ((), (tmp_path / "none",), (tmp_path,)):
        result = run("audit", "verify", *words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("cmdserver: /")
    (tmp_path / "cmdserver.toml").write_text(
        (tmp_path / "cmdserver.toml").read_text() + '[audit]\nfile = "/dev/null"\n'
    )
    assert "which is no file: name one" in run("audit", "verify").stderr


def test_what_is_no_fault(run: Run, file: Path) -> None:
    """What an older version has written, and what a crash has left, is told."""
    old, torn = b'{"time": "2023-11-14T22:13:20.000Z"}', LINES[0][:50]
    file.write_bytes(b"\n".join([old, *chain(1, old), torn, *chain(2, torn)]) + b"\n")
    result = run("audit", "verify")
    assert "1 line before the chain begins" in result.stderr
    assert "1 line cut short when written" in result.stderr
    assert done(result).startswith("5 lines, ")


def test_control_characters(run: Run, tmp_path: Path) -> None:
    """A name of a file does not act on the terminal."""
    file = tmp_path / "a\x1b[2J"
    file.write_bytes(b"{}\n")
    assert "\x1b" not in run("audit", "verify", file).output
