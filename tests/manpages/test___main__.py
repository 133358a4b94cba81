"""Tests of the command that writes the pages."""

import sys
from pathlib import Path

import pytest

from manpages import __main__ as builder


def test_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is not there is made, and what was written is told."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert builder.run([str(tmp_path / "a" / "b")]) == 0

    files = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
    assert files == ["cmdserver-agent.1", "cmdserver-probe.1", "cmdserver.1", "cmdserver.toml.5"]
    assert {Path(line).name for line in capsys.readouterr().out.splitlines()} == set(files)
    assert " 1970-01-02 " in (tmp_path / "a" / "b" / "cmdserver.1").read_text(encoding="ascii")


@pytest.mark.parametrize(("words", "status"), [([], 2), (["--help"], 0), (["--bogus"], 2), (["a", "b"], 2)])
def test_usage(words: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how it is called."""
    assert builder.run(words) == status
    assert capsys.readouterr().err.startswith("usage: packaging/man/build OUTDIR\n")


def test_a_module_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which, of which Python, and what to type."""
    for name in ("manpages.pages", "manpages.markdown", "manpages.documents", "manpages.probe_kinds"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "markdown_it", None)

    assert builder.run([str(tmp_path / "a")]) == 1
    said = capsys.readouterr().err
    assert said == f"{sys.executable} has no module markdown_it: {sys.executable} -m pip install '.[man]'\n"
    assert not (tmp_path / "a").exists()


def test_no_date(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is said in a line, and nothing is written."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")

    assert builder.run([str(tmp_path / "a")]) == 1
    assert capsys.readouterr().err == "packaging/man/build: SOURCE_DATE_EPOCH is no time in seconds: soon\n"
    assert not (tmp_path / "a").exists()
