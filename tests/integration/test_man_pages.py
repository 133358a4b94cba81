"""The man pages, built as a package does it, before mandoc and man."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "packaging" / "man" / "build"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BUILD.exists(), reason="what builds the man pages is not here"),
]
needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")
needs_man = pytest.mark.skipif(shutil.which("lexgrog") is None, reason="needs man-db")


def _run(*words: str | Path, **environment: str) -> str:
    """Run a program that has nothing to complain of, and return what it prints."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The pages."""
    told = _run(BUILD, tmp_path_factory.mktemp("man"), PYTHON=sys.executable, SOURCE_DATE_EPOCH="1700000000")
    return [Path(line) for line in told.splitlines()]


def test_they_are_the_same_each_time(pages: list[Path], tmp_path: Path) -> None:
    """Whatever the place, the language, the time zone, the width of the terminal and the order of sets are."""
    other = {"LC_ALL": "C", "TZ": "Asia/Tokyo", "COLUMNS": "40", "PYTHONHASHSEED": "7", "CMDSERVER_CONFIG": "/nowhere"}
    _run(BUILD, tmp_path, PYTHON=sys.executable, SOURCE_DATE_EPOCH="1700000000", **other)

    assert {page.name: page.read_bytes() for page in pages} == {
        page.name: page.read_bytes() for page in tmp_path.iterdir()
    }


@needs_mandoc
def test_mandoc_has_no_complaint(pages: list[Path], tmp_path: Path) -> None:
    """Not even of style; and it does complain where there is a reason."""
    assert _run("mandoc", "-T", "lint", *pages) == ""

    (tmp_path / "bad.1").write_text(".TH BAD 1 2026-11-28\n.SH NAME\nbad \\- x\n.SH A\n.PP\n.XX\n")
    assert subprocess.run(["mandoc", "-T", "lint", tmp_path / "bad.1"], check=False, capture_output=True).stdout


@needs_mandoc
def test_what_is_copied_is_ascii(pages: list[Path]) -> None:
    """Hyphens, quotes and tildes of commands, as a terminal with UTF-8 shows them."""
    text = {page.name: re.sub("\\w\b", "", _run("mandoc", "-T", "utf8", "-O", "width=200", page)) for page in pages}

    assert "cmdserver token add ann --name backup --expires 90d --from 10.0.0.0/8,::1" in text["cmdserver.1"]
    assert "~/.local/state/cmdserver" in re.sub("_\b|.\b", "", text["cmdserver.1"])
    assert "cmdserver-probe tcp localhost:2022 --send 'uptime\\n' --expect 'load average'" in text["cmdserver-probe.1"]


@needs_man
def test_man_reads_them(pages: list[Path]) -> None:
    """Groff has no complaint, and whatis(1) finds what each is."""
    for page in pages:
        done = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l", page],
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"},
        )
        assert (done.returncode, done.stderr) == (0, b""), page
        found = _run("lexgrog", page)
        assert re.fullmatch(rf'{re.escape(str(page))}: "{re.escape(page.stem)} - \w.+"\n', found)
