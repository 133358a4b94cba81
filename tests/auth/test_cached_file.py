"""Files that people change while the daemon runs."""

import errno
import os
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from cmdserver.auth.cached_file import CachedFile, open_to_read, read_trusted
from cmdserver.auth.credential_formats import Complaint, Parsed
from cmdserver.core.errors import Unavailable


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
    file = CachedFile(tmp_path / "x", Parser())

    assert file.read().value == ""
    assert not file.is_there
    assert logged == []


def test_a_file_is_read_once_for_each_version(tmp_path: Path) -> None:
    """Written in place, replaced, and gone again."""
    path, parser = tmp_path / "x", Parser()
    file = CachedFile(path, parser)
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
    file = CachedFile(path, Parser())
    for text in ("aaa", "bbb", "ccc"):
        path.write_text(text)
        assert file.read().value == text


def test_what_is_wrong_is_logged_once_for_each_version(tmp_path: Path, logged: list[str]) -> None:
    """However often somebody logs in."""
    path = tmp_path / "x"
    file = CachedFile(path, Parser())
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

    assert read_trusted(open_to_read(tmp_path / "x"), tmp_path / "x")[0].encode(errors="surrogateescape") == b"a\xff\n"


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
    file = CachedFile(path, Parser())

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

    assert CachedFile(tmp_path / "x", Parser()).read().value == "ann"


def test_a_file_in_another_encoding(tmp_path: Path, logged: list[str]) -> None:
    """Says nothing, and what is wrong is told once and not line by line."""
    (tmp_path / "x").write_bytes("?\n?\n".encode("utf-16"))
    file = CachedFile(tmp_path / "x", Parser())

    assert file.read().value == ""
    text = "cannot be used: it is UTF-16, not UTF-8; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8"
    assert logged == [f"{tmp_path}/x:{text}"]


class Fetching:
    """Somebody else who opens files, when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Path, Deferred[int]]] = []

    def __call__(self, path: Path) -> Deferred[int]:
        answer: Deferred[int] = Deferred()
        self.asked.append((path, answer))
        return answer

    def answer(self) -> None:
        """Open the file that was asked for last."""
        path, answer = self.asked[-1]
        answer.callback(open_to_read(path))


def _may_not(path: Path) -> int:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def _value(looking: Coroutine[Any, Any, Parsed[str]]) -> list[Any]:
    """Look; what comes of it is in the list as soon as it is known."""
    results: list[Any] = []
    Deferred.fromCoroutine(looking).addBoth(results.append)
    return results


def test_what_we_may_open_is_read_at_once(tmp_path: Path) -> None:
    """Nobody is asked, and no turn of the reactor goes by; nor for what is not there, or cannot be trusted."""
    fetch = Fetching()
    path = tmp_path / "x"
    file = CachedFile(path, Parser())
    assert _value(file.read_or_fetch(fetch))[0].value == ""
    path.write_text("text")
    assert _value(file.read_or_fetch(fetch))[0].value == "text"
    path.chmod(0o666)
    assert _value(file.read_or_fetch(fetch))[0].value == ""
    assert fetch.asked == []


def test_what_we_may_not_open_is_fetched(tmp_path: Path) -> None:
    """The answer is waited for, is trusted no more than ours, and counts for each look of its own."""
    fetch = Fetching()
    path = tmp_path / "x"
    path.write_text("one")
    file = CachedFile(path, Parser(), _may_not)

    first, second = _value(file.read_or_fetch(fetch)), _value(file.read_or_fetch(fetch))
    assert (first, second) == ([], [])
    assert [asked for asked, _ in fetch.asked] == [path, path]
    descriptor = open_to_read(path)
    fetch.asked[0][1].callback(os.dup(descriptor))
    fetch.asked[1][1].callback(descriptor)  # with an offset that they share
    assert [each.value for each in (*first, *second)] == ["one", "one"]

    path.chmod(0o666)
    third = _value(file.read_or_fetch(fetch))
    fetch.answer()
    assert third[0].value == ""
    assert "others may write" in third[0].complaints[0].text


def test_a_reason_of_the_file_is_a_complaint(tmp_path: Path, logged: list[str]) -> None:
    """Who opens it for us says why not; that there is none is nothing to complain of."""
    fetch = Fetching()
    file = CachedFile(tmp_path / "x", Parser(), _may_not)

    looking = _value(file.read_or_fetch(fetch))
    fetch.asked[-1][1].errback(OSError(errno.EPERM, "that is a link"))
    assert (looking[0].value, file.is_there) == ("", True)
    looking = _value(file.read_or_fetch(fetch))
    fetch.asked[-1][1].errback(FileNotFoundError(errno.ENOENT, "No such file or directory"))
    assert (looking[0].value, file.is_there) == ("", False)
    assert logged == [f"{tmp_path / 'x'}:cannot be used: that is a link"]
    assert isinstance(_value(CachedFile(tmp_path / "x", Parser(), _may_not).read_or_fetch(None))[0], Parsed)


@pytest.mark.parametrize("trouble", [Unavailable(errno.ETIMEDOUT, "no answer"), OSError(errno.EMFILE, "too many")])
def test_what_cannot_be_done_now_is_no_reason_of_the_file(tmp_path: Path, logged: list[str], trouble: OSError) -> None:
    """What was known of it is kept, and nothing is said about it: neither that it is empty nor that it is wrong."""
    fetch = Fetching()
    path = tmp_path / "x"
    path.write_text("text")
    file = CachedFile(path, Parser(), _may_not)
    _value(file.read_or_fetch(fetch))
    fetch.answer()

    looking = _value(file.read_or_fetch(fetch))
    fetch.asked[-1][1].errback(trouble)

    assert isinstance(looking[0].value, Unavailable)
    assert (file.is_there, logged) == (True, [])
    looking = _value(file.read_or_fetch(fetch))
    fetch.answer()
    assert looking[0].value == "text"
