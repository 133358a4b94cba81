"""Changing a file whole or not at all, one writer at a time."""

import itertools
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

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


def _fail_at(monkeypatch: pytest.MonkeyPatch, call: int) -> list[str]:
    """Have one of the system calls fail that make a new file; return the names of those that are made."""
    made: list[str] = []

    def failing(name: str, original: Callable[..., object]) -> Callable[..., object]:
        def function(*arguments: object, **keywords: object) -> object:
            made.append(name)
            if len(made) == call:
                raise OSError(5, "Input/output error")
            return original(*arguments, **keywords)

        return function

    for name in ("open", "fsync", "replace"):
        monkeypatch.setattr(os, name, failing(name, getattr(os, name)))
    return made


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
def test_each_system_call_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """The caller is told; the file is the old one until its name is the new one's, and nothing lies about."""
    path = tmp_path / "x"
    path.write_text("old")
    with monkeypatch.context() as patching:
        made = _fail_at(patching, call)
        with pytest.raises(OSError, match="Input/output error"):
            replace(path, b"new")

    assert made == ["open", "fsync", "replace", "open", "fsync"][:call]
    assert path.read_text() == ("old" if call <= 3 else "new")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def _replace_and_die(path: Path, content: bytes, line: int) -> bool:
    """Replace a file in a process that is killed before it runs so many lines more; return whether it was."""
    pid = os.fork()
    if not pid:
        left = itertools.count(line, -1)

        def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
            if frame.f_code.co_filename != replace.__code__.co_filename:
                return None
            if event == "line" and not next(left):
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        try:
            sys.settrace(trace)
            replace(path, content)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_a_writer_that_is_killed_anywhere(tmp_path: Path) -> None:
    """Before whichever line of ours: the file is the old one or the new one, whole, and may be replaced again."""
    path = tmp_path / "x"
    old, new = b"o" * 200_000, b"n" * 200_000
    seen = []
    for line in itertools.count():
        path.write_bytes(old)
        if not _replace_and_die(path, new, line):
            break
        seen.append(path.read_bytes())
        replace(path, old)
        assert [each.name for each in tmp_path.iterdir()] == ["x"]

    assert seen == [old] * seen.count(old) + [new] * seen.count(new)
    assert seen.count(old) > 5
    assert seen.count(new) > 2
    assert path.read_bytes() == new


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
