"""Tests of opening a database where the way to the working directory is barred."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cmdserver.history.working_directory import is_barred

#: Opens, writes and closes a database in the working directory, above which nobody may go, and opens it again.
_SCRIPT = """
import os, sqlite3
from pathlib import Path
from cmdserver.history.database import Database
from cmdserver.history.working_directory import is_barred
file = Path("history.sqlite3")
os.chmod("..", 0)
if os.geteuid() == 0:
    os.chown(".", 65534, 65534)
    os.setuid(65534)
assert is_barred(file)
for _ in range(2):
    Database.open(file).close()
print(sorted(os.listdir()))
"""


@pytest.mark.slow
def test_a_database_below_a_barred_directory(tmp_path: Path) -> None:
    """Is opened, and opened again, by a process that may not go through the directory above."""
    place = tmp_path / "barred" / "state"
    place.mkdir(parents=True)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT], cwd=place, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        place.parent.chmod(0o700)
    assert (done.stdout, done.stderr) == ("['history.sqlite3']\n", "")


def test_what_is_not_barred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an absolute path, nor one that can be gone."""
    monkeypatch.chdir(tmp_path)
    assert not is_barred(Path("history.sqlite3"))
    assert not is_barred(tmp_path / "missing" / "history.sqlite3")
    assert os.access(tmp_path, os.X_OK)
