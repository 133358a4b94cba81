"""Changing a file whole or not at all, one writer at a time."""

import os
import stat
from pathlib import Path

import pytest

from cmdserver.files.atomic_file import LOCK_NAME, locked, make_directory, remove, replace


def test_a_replaced_file(tmp_path: Path) -> None:
    """It is ours alone, whatever it was and whatever a killed writer left."""
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o644)
    (tmp_path / ".x.new").symlink_to(tmp_path / "victim")

    replace(path, b"new")

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_a_file_that_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, say: it is as it was, and nothing lies about."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "x"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace(path, b"new")

    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_removing(tmp_path: Path) -> None:
    """Says whether there was something."""
    (tmp_path / "x").touch()

    assert remove(tmp_path / "x")
    assert not remove(tmp_path / "x")


def test_making_a_directory(tmp_path: Path) -> None:
    """For us alone; twice is the same as once."""
    make_directory(tmp_path / "d")
    make_directory(tmp_path / "d")

    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_the_lock(tmp_path: Path) -> None:
    """One at a time; who waits in vain is told for what; the next one is let in."""
    with locked(tmp_path, 0), pytest.raises(TimeoutError) as caught, locked(tmp_path, 0.05):
        pytest.fail("two at once")
    with locked(tmp_path, 0):
        pass

    assert caught.value.filename == str(tmp_path / LOCK_NAME)
    assert "another process" in str(caught.value)


def test_a_lock_is_no_way_to_other_files(tmp_path: Path) -> None:
    """A link in its place is not followed."""
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic link"), locked(tmp_path, 0):
        pytest.fail("followed")

    assert not (tmp_path / "victim").exists()
