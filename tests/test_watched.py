"""Files that people change while the daemon runs."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import globalLogPublisher

from cmdserver.credentials import Complaint, Parsed
from cmdserver.watched import WatchedFile, read_trusted


class Parser:
    """Counts how often it is asked; complains of every ``?``."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> Parsed[str]:
        self.texts.append(text)
        lines = text.split("\n")
        return Parsed(text, tuple(Complaint(number, "huh") for number, line in enumerate(lines, 1) if line == "?"))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What is logged, as text."""
    lines: list[str] = []

    def observe(event: dict[str, Any]) -> None:
        lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    yield lines
    globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]


def _age(path: Path, seconds: float = 10) -> None:
    """Let a file have been written a while ago, as far as one may say so: its ctime stays what it is."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def _settle(path: Path) -> None:
    _age(path)
    time.sleep(0.15)  # the kernel's own time of change cannot be set


def test_a_file_that_is_not_there(tmp_path: Path, logged: list[str]) -> None:
    """Says what an empty one says, and is no reason to complain."""
    file = WatchedFile(tmp_path / "x", Parser())

    assert file.read().value == ""
    assert not file.is_there
    assert logged == []


def test_a_file_is_read_once_for_each_version(tmp_path: Path) -> None:
    """Written in place, replaced, and gone again."""
    path, parser = tmp_path / "x", Parser()
    file = WatchedFile(path, parser)
    path.write_text("one")
    _settle(path)

    assert [file.read().value for _ in range(3)] == ["one"] * 3
    assert parser.texts == ["", "one"]

    path.write_text("two")
    assert file.read().value == "two"

    (tmp_path / "y").write_text("six")
    (tmp_path / "y").rename(path)
    assert file.read().value == "six"

    path.unlink()
    assert file.read().value == ""
    assert not file.is_there


def test_a_file_that_changes_again_in_the_same_tick(tmp_path: Path) -> None:
    """The same length and the same times: a young file is not taken for known."""
    path = tmp_path / "x"
    file = WatchedFile(path, Parser())
    for text in ("aaa", "bbb", "ccc"):
        path.write_text(text)
        assert file.read().value == text


def test_what_is_wrong_is_logged_once_for_each_version(tmp_path: Path, logged: list[str]) -> None:
    """However often somebody logs in."""
    path = tmp_path / "x"
    file = WatchedFile(path, Parser())
    path.write_text("a\n?\n")
    for _ in range(3):
        file.read()
    assert logged == [f"{path}:2: huh"]

    path.write_text("?")
    for _ in range(3):
        file.read()
    assert logged[1:] == [f"{path}:1: huh"]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """They survive, for whoever writes the file again."""
    (tmp_path / "x").write_bytes(b"a\xff\n")

    assert read_trusted(tmp_path / "x")[0].encode(errors="surrogateescape") == b"a\xff\n"


@pytest.mark.parametrize("what", ["directory", "pipe", "writable", "writable directory", "foreign", "loop"])
def test_what_is_not_trusted(tmp_path: Path, logged: list[str], what: str) -> None:
    """It says nothing, which lets nobody in; it is told once; and it counts as soon as it is mended."""
    path = tmp_path / "x"
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path)
    else:
        path.write_text("text")
    if what == "writable":
        path.chmod(0o620)
    elif what == "writable directory":
        tmp_path.chmod(0o777)
    elif what == "foreign":
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        os.chown(path, 65534, 65534)
    file = WatchedFile(path, Parser())

    assert [file.read().value for _ in range(3)] == [""] * 3
    assert len(logged) == 1
    assert logged[0].startswith(f"{path}:cannot be used: ")
    assert file.is_there

    tmp_path.chmod(0o700)
    path.rmdir() if what == "directory" else path.unlink()
    path.write_text("text")
    assert file.read().value == "text"


def test_a_byte_order_mark(tmp_path: Path) -> None:
    """One before the text, as Windows' editors put it there, is no part of the first line."""
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfann")

    assert WatchedFile(tmp_path / "x", Parser()).read().value == "ann"


def test_a_file_in_another_encoding(tmp_path: Path, logged: list[str]) -> None:
    """Says nothing, and what is wrong is told once and not line by line."""
    (tmp_path / "x").write_bytes("?\n?\n".encode("utf-16"))
    file = WatchedFile(tmp_path / "x", Parser())

    assert file.read().value == ""
    text = "cannot be used: it is UTF-16, not UTF-8; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8"
    assert logged == [f"{tmp_path}/x:{text}"]
