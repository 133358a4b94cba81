"""``cmdserver audit show``."""

import gzip
from pathlib import Path

import pytest

from cmdserver.audit.chain import GENESIS, sealed
from cmdserver.audit.records import line_of
from cmdserver.core.errors import Code
from cmdserver.core.events import Event, LoggedIn, Started
from tests.cli.doubles import Run, done
from tests.running_doubles import STRANGER, finished, requested, user

T = 1_700_000_000.0
EVENTS: list[Event] = [
    Started(time=T, id="1", caller=user("ada"), command="restart", arguments=("unit=nginx",)),
    requested(
        time=T + 1, id="1", caller=user("ada"), command="restart", arguments=("unit=nginx",), outcome=Code.FAILED,
        finished=finished(exit_status=3, duration_seconds=1.5),
    ),
    LoggedIn(
        time=T + 3600, id="2", protocol="ssh", source="203.0.113.9", user="root\x1b[2J", method="password",
        outcome=Code.DENIED, reason="no such user",
    ),
    requested(
        time=T + 7200, id="3", caller=STRANGER, command="\x1b]0;x\x07", arguments=("\u202e",),
        outcome=Code.UNKNOWN_COMMAND, finished=None,
    ),
]  # fmt: skip


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")


@pytest.fixture
def lines() -> list[bytes]:
    """Lines of a file."""
    found, before = [], GENESIS
    for event in EVENTS:
        before = sealed(before, line_of(event))
        found.append(before)
    return found


@pytest.fixture
def file(state: Path, lines: list[bytes]) -> Path:
    """The configured audit file."""
    state.mkdir()
    path = state / "audit.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def commands(text: str) -> list[str]:
    """Return the times of what was shown, by which events are told apart here."""
    return [line[11:19] for line in text.splitlines()]


ALL = ["23:13:20", "23:13:21", "00:13:20", "01:13:20"]


@pytest.mark.usefixtures("file")
def test_for_people(run: Run) -> None:
    """A line an event, in the host's time; nothing that a client says acts on the terminal."""
    assert (
        done(run("audit", "show"))
        == """\
2023-11-14 23:13:20  ada        192.0.2.2     line/password     started        -  restart unit=nginx
2023-11-14 23:13:21  ada        192.0.2.2     line/password     failed:3    1.500  restart unit=nginx
2023-11-15 00:13:20  root\\x1b[2J  203.0.113.9   ssh/password      denied          -  (login) no such user
2023-11-15 01:13:20  anonymous    192.0.2.1     line              unknown_command        -  '\\x1b]0;x\\x07' '\\u202e'
"""
    )


@pytest.mark.usefixtures("file")
def test_as_json(run: Run, lines: list[bytes]) -> None:
    """The lines as they are."""
    assert done(run("audit", "show", "--json", "-n1")).encode() == lines[-1] + b"\n"


@pytest.mark.usefixtures("file")
def test_filters(run: Run) -> None:
    """By whom, what, how, from where and when; each may be several, and all must fit."""
    for words, shown in (
        (("--user", "a*"), [0, 1, 3]),
        (("--user", "anonymous"), [3]),
        (("--user", "ada", "--outcome", "failed"), [1]),
        (("--command", "re*", "--command", "df"), [0, 1]),
        (("--outcome", "denied", "--outcome", "failed"), [1, 2]),
        (("--protocol", "ssh"), [2]),
        (("--source", "203.0.113.*"), [2]),
        (("--since", "2023-11-15"), [2, 3]),
        (("--since", "2023-11-14 23:13:21", "--until", "2023-11-15 00:13:20"), [1, 2]),
        (("--since", "yesterday"), []),
        (("-n", "2"), [2, 3]),
        (("-n", "0"), []),
        (("--user", "ada", "-n", "1"), [1]),
    ):
        assert commands(done(run("audit", "show", *words))) == [ALL[at] for at in shown], words


def test_wrong_words(run: Run) -> None:
    """They are told as everywhere."""
    for words, text in (
        (("--since", "soon"), "is no time: write 2026-11-28"),
        (("-n", "-1"), "-1 is not in the range"),
        (("-f", "-"), "standard input cannot be followed"),
        (("nowhere",), "nowhere: No such file"),
    ):
        result = run("audit", "show", *words)
        assert result.exit_code == 2
        assert text in result.stderr


def test_what_is_no_event(run: Run, file: Path, lines: list[bytes]) -> None:
    """It is shown as what it is: among events for people, and beside them for programs."""
    file.write_bytes(b"\n".join([lines[0], b"\x1b[2J" + b"\xff" * 9000, b"[]", b'{"time": 1}', b'{"time', lines[1]]))
    result = run("audit", "show", "--user", "ada")
    shown = done(result).splitlines()
    assert len(shown) == 6
    assert shown[1].startswith(f"{file}:2: no event: \\x1b[2J")
    assert len(shown[1]) < 3000
    assert [line.partition(": no event: ")[0] for line in shown[2:5]] == [f"{file}:{number}" for number in (3, 4, 5)]
    result = run("audit", "show", "--json")
    assert done(result).encode() == lines[0] + b"\n" + lines[1] + b"\n"
    assert result.stderr.count("no event") == 4


def test_several_files(run: Run, file: Path, tmp_path: Path) -> None:
    """One after the other; a compressed one that is cut is shown as far as it goes."""
    old = tmp_path / "old.gz"
    old.write_bytes(gzip.compress(file.read_bytes())[:-5])
    result = run("audit", "show", old, file, "-")
    assert commands(done(result)) == [*ALL, *ALL]
    assert f"{old}:5: is cut short or damaged" in result.stderr
