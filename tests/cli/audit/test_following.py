"""Following a file, whatever becomes of it."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from cmdserver.audit import records
from cmdserver.audit.reading import Line
from cmdserver.cli.audit import following
from cmdserver.cli.audit.following import Follower, wait_for_reader


def follow(path: Path, deeds: Sequence[Callable[[], object]]) -> list[list[bytes]]:
    """Follow a file while things are done to it; return the lines after each."""
    rest = iter(deeds)

    def wait() -> bool:
        deed = next(rest, None)
        if deed is not None:
            deed()
        return deed is not None

    seen: list[list[bytes]] = [[]]
    lines: Iterator[Line | None] = Follower(path, wait).lines()
    for line in lines:
        if line is None:
            seen.append([])
        else:
            seen[-1].append(line.data)
    return seen[:-1]


def add(path: Path, text: str) -> None:
    """Append something."""
    with path.open("a") as file:
        file.write(text)


def test_what_comes(tmp_path: Path) -> None:
    """Each line when it is whole."""
    path = tmp_path / "a"
    add(path, "1\n2\n3")
    deeds = [lambda: add(path, "3\n"), lambda: None, lambda: add(path, "\n4\n")]
    assert follow(path, deeds) == [[b"1", b"2"], [b"33"], [], [b"", b"4"]]


def test_rotation(tmp_path: Path) -> None:
    """Lines that come into the renamed file count, until there is a new one."""
    path, old = tmp_path / "a", tmp_path / "a.1"
    add(path, "1\n")

    def renewed() -> None:
        add(old, "3\n")
        add(path, "4\n")

    deeds = [lambda: path.rename(old), lambda: add(old, "2\n"), renewed, lambda: add(path, "5\n")]
    assert follow(path, deeds) == [[b"1"], [], [b"2"], [b"3", b"4"], [b"5"]]


def test_copytruncate(tmp_path: Path) -> None:
    """An emptied file is read from its beginning."""
    path = tmp_path / "a"
    add(path, "1\n2\n")
    deeds = [lambda: os.truncate(path, 0), lambda: add(path, "3\n")]
    assert follow(path, deeds) == [[b"1", b"2"], [], [b"3"]]


def test_a_file_that_comes_later(tmp_path: Path) -> None:
    """It is waited for; nothing is left open."""
    path = tmp_path / "a"
    deeds = [lambda: None, lambda: add(path, "1\n"), path.unlink, lambda: add(path, "2\n")]
    assert follow(path, deeds) == [[], [], [b"1"], [], [b"2"]]


def test_long_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not fill the memory."""
    monkeypatch.setattr(following, "MOST_LINE_BYTES", 10)
    monkeypatch.setattr(following, "_CHUNK_BYTES", 7)
    path = tmp_path / "a"
    add(path, "x" * 100 + "\nshort\n")
    assert follow(path, []) == [[b"x" * 10, b"short"]]
    assert records.MOST_LINE_BYTES > 10


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever we print to has gone."""
    monkeypatch.setattr(following, "POLL_SECONDS", 0.0)
    reading, writing = os.pipe()
    assert wait_for_reader(writing)
    os.close(reading)
    assert not wait_for_reader(writing)
    os.close(writing)
