"""A daemon that was taken over: whatever it says, it gets what the allow-list gives, and the runner goes on working.

The test plays that daemon; the runner is a real process.
"""

import errno
import os
import random
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cmdserver.config.loading import read_file
from cmdserver.privsep.messages import (
    REQUEST_BYTES,
    SIGKILL,
    SIGTERM,
    Adopt,
    Exited,
    Fetch,
    Fetched,
    Ran,
    Read,
    Ready,
    Refused,
    Report,
    Reread,
    Signal,
    Start,
    Started,
    Trouble,
    checksum_of,
    encode,
)
from tests.integration.daemon import is_alive, marked_processes, shell
from tests.privsep.playing import Played, children, configuration, descriptors, played, rss_bytes, started_pid
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

COMMANDS = {
    "word": shell("echo word", read_only=True),
    "true": {"run": ["true"]},
    "long": {"run": ["sleep", "60"]},
    "taking": {
        "run": [
            "sh",
            "-c",
            'printf "%s\\n" "$#" "$@"; cat',
            "sh",
            "--unit={unit}",
            ["-n", "{lines}"],
            ["-s", "{since}"],
            "{utc}",
            "{files}",
        ],
        "stdin": "{body}",
        "parameters": [
            {"name": "unit", "type": "choice", "choices": ["nginx", "-v", "a b"]},
            {"name": "lines", "type": "integer", "minimum": -5, "maximum": 500, "required": False},
            {"name": "since", "type": "datetime", "format": "%Y", "required": False},
            {"name": "utc", "type": "flag", "gives": ["--utc"]},
            {"name": "files", "type": "string", "repeat": 3},
            {"name": "body", "type": "text", "default": "x"},
        ],
    },
    "listed": {
        "run": ["printf", "%s", "{unit}"],
        "parameters": [{"name": "unit", "type": "choice", "choices_from": "word"}],
    },
    "matched": {
        "run": ["printf", "%s", "{name}"],
        "parameters": [{"name": "name", "type": "string", "pattern": "(a+)+b"}],
    },
    "secret": {
        "run": ["sh", "-c", 'read -r line; echo "$line"; exec sleep 60'],
        "environment": {"PASSWORD": "{password}"},
        "stdin": "{password}\n",
        "parameters": [{"name": "password", "type": "secret"}],
    },
    "escaping": shell("setsid sh -c 'echo $$; exec sleep 60 >/dev/null 2>&1' & wait"),
}

RUNNING = 8
#: Besides those: what is being ended and is not dead yet.
MOST = RUNNING + 64


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Played]:
    """A runner whose every process carries the test's directory in its environment."""
    tagged: dict[str, dict[str, object]] = {}
    for name, table in COMMANDS.items():
        own = table.get("environment", {})
        assert isinstance(own, dict)
        tagged[name] = {**table, "environment": {**own, "MARKER": str(tmp_path)}}
    with played(tmp_path, tagged, running=RUNNING) as runner:
        yield runner
    assert not list(marked_processes(f"MARKER={tmp_path}")), "somebody is left behind"


def _in_peace(runner: Played) -> tuple[int, int]:
    """Wait until nothing but the standby is under way; say what the runner has open, and how much memory it uses."""
    assert runner.works()
    wait_until(lambda: children(runner.pid) == [runner.standby], "nothing is under way")
    # Answered when all that came before is done.
    assert isinstance(runner.run("none")[1], Refused)
    return descriptors(runner.pid), rss_bytes(runner.pid)


def _hear_all(runner: Played) -> list[Report]:
    """Take everything that has been said until nothing more is."""
    runner.connection.settimeout(0.5)
    reports = []
    with suppress(TimeoutError):
        while True:
            reports.append(runner.hear_only())
    runner.connection.settimeout(10)
    return reports


def test_nonsense_is_no_request(runner: Played) -> None:
    """Packets of any bytes start nothing, and one complaint is all that comes of them."""
    chance = random.Random(6)  # noqa: S311 - the same each time
    good = encode(Start(0, 0, "word", ()))
    packets = [b"\xc1", b"\x91" * 60_000, b"\x95\xa5start\x00\x00\xa1x\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"]
    packets += [chance.randbytes(chance.randrange(1, 300)) for _ in range(1000)]
    packets += [good[:cut] for cut in range(1, len(good))]
    packets += [good + b"\x00", b"x" * REQUEST_BYTES, b"x" * (REQUEST_BYTES + 1), b"\x00" * 150_000]
    packets += [encode(each) for each in (Ready(0, 1, 2), Started(0, 1), Ran(0, 1, 0, True), Exited(0, 0, True))]
    packets += [encode(each) for each in (Read((), ()), Trouble("x"), Refused(0, 1, "x"), Fetched("x", 0))]
    packets.append(encode(Start(0, 0, "word", ("x" * 200_000,))))

    for packet in packets:
        runner.send(packet)

    assert runner.works()
    assert [type(each) for each in _hear_all(runner)] in ([], [Trouble])
    assert children(runner.pid) == [runner.standby]


def test_only_names_of_the_allow_list_start(runner: Played) -> None:
    """Paths, shell words, other spellings and empty names are all unknown."""
    for name in (
        "sh",
        "/bin/sh",
        "WORD",
        "word ",
        " word",
        "",
        "word\0",
        "wo\0rd",
        "*",
        "../word",
        "word;id",
        "x" * 60_000,
    ):
        output, report = runner.run(name)
        assert output == b""
        assert isinstance(report, Refused)
        assert report.errno == errno.ENOENT


def test_nobody_is_given_arguments(runner: Played) -> None:
    """A command that takes none is not started with some."""
    for arguments in (("-c", "id"), ("",), ("x" * 60_000,), ("\0",), ("a",) * 10_000):
        output, report = runner.run("word", *arguments)
        assert (output, type(report)) == (b"", Refused)


GOOD = ("unit=nginx", "files=f", "body=x\n")


def test_values_are_given_as_they_are(runner: Played) -> None:
    """Each is one word, or a part of one, byte for byte; what reads is given the text."""
    words = [
        "unit=a b",
        "lines=-5",
        "since=2026-11-28T09:30:00",
        "utc=true",
        "files=$(id) ; *",
        "files=\u20ac='\"",
        "body=l1\n{x}\n",
    ]
    output, _ = runner.run("taking", *words)
    assert output.decode().split("\n") == [
        "8",
        "--unit=a b",
        "-n",
        "-5",
        "-s",
        "2026",
        "--utc",
        "$(id) ; *",
        "\u20ac='\"",
        "l1",
        "{x}",
        "",
    ]
    assert runner.run("taking", *GOOD)[0] == b"2\n--unit=nginx\nf\nx\n"
    assert runner.run("listed", "unit=any-word")[0] == b"any-word"
    assert runner.run("matched", "name=aab")[0] == b"aab"


@pytest.mark.parametrize(
    "words",
    [
        # Missing, and too many.
        (),
        ("unit=nginx",),
        GOOD[:2],
        GOOD[1:],
        (*GOOD, "unit=nginx"),
        (*GOOD, "files=a", "files=b", "files=c"),
        (*GOOD, "lines=5", "lines=5"),
        (*GOOD, "utc=true", "utc=true"),
        ("files=a",) * 10_000,
        # Not by name, or by none that there is.
        ("nginx", "f", "x\n"),
        ("nginx", *GOOD),
        (*GOOD, ""),
        (*GOOD, "="),
        (*GOOD, "=x"),
        (*GOOD, "unit"),
        (*GOOD, "-n"),
        (*GOOD, "--"),
        (*GOOD, "other=x"),
        (*GOOD, "UNIT=nginx"),
        (*GOOD, " unit=nginx"),
        (*GOOD, "unit\0=nginx"),
        # What the types do not accept.
        ("unit=other", *GOOD[1:]),
        ("unit=", *GOOD[1:]),
        ("unit=nginx\n", *GOOD[1:]),
        ("unit=nginx\0", *GOOD[1:]),
        ("unit=-x", *GOOD[1:]),
        ("unit=--help", *GOOD[1:]),
        ("unit=*", *GOOD[1:]),
        (*GOOD, "lines=501"),
        (*GOOD, "lines=-6"),
        (*GOOD, "lines=x"),
        (*GOOD, "lines="),
        (*GOOD, "lines=5 5"),
        (*GOOD, "lines=5\n"),
        (*GOOD, "lines=\u0665"),
        (*GOOD, "lines=5.0"),
        (*GOOD, "lines=1e2"),
        (*GOOD, f"lines={'9' * 60_000}"),
        (*GOOD, "since=now"),
        (*GOOD, "since=0001-01-01T00:00:00+14:00"),
        (*GOOD, "since=9999-12-31T23:59:59-14:00"),
        (*GOOD, "files=-rf"),
        (*GOOD, "files=--"),
        (*GOOD, "files="),
        (*GOOD, "files=a\nb"),
        (*GOOD, "files=a\0b"),
        (*GOOD, "files=\u2028"),
        (*GOOD, f"files={'x' * 257}"),
        (*GOOD[:2], "body=a\0\n"),
        (*GOOD[:2], "body=\x1b\n"),
        (*GOOD[:2], f"body={'x' * 65_536}\n"),
        # Not in their canonical forms.
        (*GOOD, "lines=05"),
        (*GOOD, "lines=+5"),
        (*GOOD, "lines=-0"),
        (*GOOD, "utc=yes"),
        (*GOOD, "utc=false"),
        (*GOOD, "utc=TRUE"),
        (*GOOD, "since=2026-11-28T09:30"),
        (*GOOD, "since=20261128T093000"),
        (*GOOD[:2], "body=x"),
        (*GOOD[:2], "body=x\r\n"),
    ],
    ids=lambda words: ascii(words)[:60],
)
def test_smuggled_values(runner: Played, words: tuple[str, ...]) -> None:
    """Nothing but canonical values of the parameters that there are is started; it is said why, in a few words."""
    output, report = runner.run("taking", *words)

    assert (output, type(report)) == (b"", Refused)
    assert isinstance(report, Refused)
    assert report.errno == errno.EINVAL
    assert 0 < len(report.text) <= 1000
    assert runner.works()


def test_smuggled_choices_and_patterns(runner: Played) -> None:
    """What the runner cannot list must be a word all the same, and what cannot be decided in time does not match."""
    for unit in ("", "-rf", "--x", "a b", "a\n", "a\0", "\u00e9", "a" * 129, "=", ".x", "a;b"):
        assert isinstance(runner.run("listed", f"unit={unit}")[1], Refused), unit
    for name in ("", "b", "aab\n", "a" * 200, "a" * 256, "-aab"):
        assert isinstance(runner.run("matched", f"name={name}")[1], Refused), name
    assert runner.works()


def test_no_words_for_who_takes_none(runner: Played) -> None:
    """Named ones neither."""
    for words in (("a=b",), ("=",), ("",), GOOD, ("--",)):
        output, report = runner.run("word", *words)
        assert (output, type(report)) == (b"", Refused)


def test_any_words_at_all(runner: Played) -> None:
    """Thousands of changed requests start nothing that the types do not accept, and leave the runner as it was."""
    chance = random.Random(7)  # noqa: S311 - the same each time
    before = _in_peace(runner)
    good = [*GOOD, "lines=5", "since=2026-11-28T09:30:00", "utc=true"]
    for _ in range(1500):
        words = [*good]
        for _ in range(chance.randrange(1, 4)):
            index = chance.randrange(len(words))
            word, cut = words[index], chance.randrange(len(words[index]) + 1)
            junk = chance.choice(["", "=", "-", "\0", "\n", "x", "0", " ", "\ud7ff", "9" * 300, "--"])
            words[index] = chance.choice([word[:cut] + junk + word[cut:], junk, word[:cut], word + junk])
        output, report = runner.run("taking", *words)
        if isinstance(report, Refused):
            assert output == b""
        else:
            assert output.startswith((b"2\n", b"3\n", b"4\n", b"5\n", b"6\n", b"7\n", b"8\n", b"9\n"))
            assert b"\0" not in output
    after = _in_peace(runner)
    assert after[0] == before[0]
    assert after[1] < before[1] + (8 << 20)


def test_a_secret_is_on_no_command_line(runner: Played) -> None:
    """It is in the environment, and in what the process reads; neither the runner's line nor the process's has it."""
    run_id = runner.start("secret", "password=hunter2 x")
    report, pipes = runner.hear()
    pid = started_pid(report)
    try:
        assert pid in children(runner.pid)
        wait_until(lambda: b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes(), "it has read its secret")
        assert os.read(pipes[0], 100) == b"hunter2 x\n"
        for each in (pid, runner.pid, runner.standby, os.getpid()):
            assert b"hunter2" not in Path(f"/proc/{each}/cmdline").read_bytes()
        assert b"PASSWORD=hunter2 x\0" in Path(f"/proc/{pid}/environ").read_bytes()
        for each in (runner.pid, runner.standby):
            assert b"hunter2" not in Path(f"/proc/{each}/environ").read_bytes()
        # Of the text in memory nothing is open in the runner.
        open_files = [str(each.readlink()) for each in Path(f"/proc/{runner.pid}/fd").iterdir()]
        assert not [each for each in open_files if "memfd" in each]
    finally:
        for each in pipes:
            os.close(each)
        runner.signal(run_id, SIGKILL)
    assert isinstance(runner.hear_of(run_id)[-1], Exited)


def test_an_id_is_good_once(runner: Played) -> None:
    """Ids that were given, or that lie before one that was, start nothing; the greatest that there is ends nothing."""
    for run_id in (5, 5, 4, 0, 5):
        runner.send(Start(0, run_id, "word", ()))
    assert isinstance(runner.hear_of(5)[-1], Ran | Exited)
    runner.last_id = 5
    assert runner.works()
    assert [each for each in _hear_all(runner) if isinstance(each, Ran | Started | Refused)] == []

    runner.send(Start(0, (1 << 62) - 1, "true", ()))
    assert isinstance(runner.hear_of((1 << 62) - 1)[-1], Ran | Exited)
    runner.send(Start(0, 7, "word", ()))
    assert _hear_all(runner) == []


def test_other_generations_are_not_served(runner: Played) -> None:
    """What is meant for a predecessor or a successor is not done, however often it is asked."""
    for generation in (1, 2, (1 << 62) - 1):
        runner.send(Start(generation, 0, "word", ()))
        runner.send(Signal(generation, 0, SIGKILL))

    assert runner.works()
    assert _hear_all(runner) == []


def test_nobody_else_is_signalled(runner: Played) -> None:
    """Signals for ids that are not there, or are process numbers, reach nobody: not us, not runner nor standby."""
    run_id = runner.start("long")
    pid = started_pid(runner.hear_only())
    for other in (run_id + 1, 0 if run_id else 99, os.getpid(), runner.pid, runner.standby, pid, 1, (1 << 62) - 1):
        if other != run_id:
            runner.signal(other, SIGTERM)
            runner.signal(other, SIGKILL)
    for number in (0, 1, 19, 64, -9, 1 << 40):
        runner.signal(run_id, number)

    assert runner.works()
    assert all(map(is_alive, (pid, runner.pid, runner.standby)))
    runner.signal(run_id, SIGKILL)
    assert any(isinstance(each, Exited) and each.status == SIGKILL for each in runner.hear_of(run_id))


def test_descriptors_are_not_taken(runner: Played) -> None:
    """What is sent along with requests, good and bad, is not kept open by the runner."""
    before, _ = _in_peace(runner)
    with Path(os.devnull).open("rb") as file:
        for number in range(300):
            packet = encode(Signal(0, 10_000 + number, SIGKILL)) if number % 2 else b"nonsense"
            socket.send_fds(runner.connection, [packet], [file.fileno()] * 200)

    assert _in_peace(runner)[0] == before


def test_only_so_many_run(runner: Played) -> None:
    """Thousands of starts give no more processes than may run, and the others are told to wait."""
    before = _in_peace(runner)
    first, asked = runner.last_id + 1, 1000
    reports: list[Report] = []
    while len(reports) < asked:
        readable, writable, _ = select.select([runner.connection], [runner.connection], [], 10)
        assert readable or writable
        if readable:
            reports.append(runner.hear_only())
        elif runner.last_id + 1 < first + asked:
            runner.start("long")
        else:
            reports.append(runner.hear_only())
    started = {each.id for each in reports if isinstance(each, Started)}

    assert {type(each) for each in reports} == {Started, Refused}
    assert len(started) == MOST
    assert len(children(runner.pid)) == MOST + 1
    for run_id in started:
        runner.signal(run_id, SIGKILL)
    ended = [runner.hear_only() for _ in started]
    assert {each.id for each in ended if isinstance(each, Exited)} == started
    after = _in_peace(runner)
    assert after[0] == before[0]
    assert after[1] < before[1] + (4 << 20)


def test_a_daemon_that_does_not_read_costs_nothing(runner: Played) -> None:
    """Starts, refusals and readings whose reports are not taken stop being done; memory and descriptors are bounded."""
    before = _in_peace(runner)
    runner.connection.setblocking(False)
    sent = 0
    for round_ in range(40):
        with suppress(BlockingIOError):
            for _ in range(500):
                runner.last_id += 1
                runner.send(Start(0, runner.last_id, ("true", "none")[round_ % 2], ()))
                sent += 1
        with suppress(BlockingIOError):
            runner.send(Reread())
        wait_until(lambda: True, "a moment")
        # What may run has two pipes each; besides, little.
        assert descriptors(runner.pid) < before[0] + 2 * MOST + 16
    assert rss_bytes(runner.pid) < before[1] + (8 << 20)
    assert sent > 200

    runner.connection.settimeout(10)
    _hear_all(runner)
    assert _in_peace(runner)[0] == before[0]
    assert runner.ready.generation == 0
    assert is_alive(runner.pid)


def test_nothing_but_the_file_is_adopted(runner: Played) -> None:
    """A checksum of another text, of none, or without a reading before, changes nothing."""
    word = checksum_of(runner.file.read_text("utf-8"))
    other = configuration({"evil": shell("echo evil")})
    for checksum in (checksum_of(other), 0, 1, (1 << 62) - 1):
        assert checksum != word
        runner.send(Adopt(checksum))
    runner.send(Reread())
    while not isinstance(runner.hear_only(), Read):
        pass
    for checksum in (checksum_of(other), 0):
        runner.send(Adopt(checksum))

    assert isinstance(runner.run("evil")[1], Refused)
    assert runner.works()
    assert children(runner.pid) == [runner.standby]


def test_a_reading_is_only_good_until_the_next(runner: Played) -> None:
    """A text that has been read, and is not what the file holds at the next reading, cannot be adopted any more."""
    text = runner.file.read_text("utf-8")
    evil = configuration({"evil": shell("echo evil")})
    runner.file.write_text(evil, "utf-8")
    runner.send(Reread())
    assert isinstance(runner.hear_only(), Read)
    runner.file.write_text(text, "utf-8")
    runner.send(Reread())
    assert isinstance(runner.hear_only(), Read)

    runner.send(Adopt(checksum_of(evil)))

    assert isinstance(runner.run("evil")[1], Refused)
    assert runner.works()


def test_many_readings_leave_nothing(runner: Played) -> None:
    """A configuration that is read and adopted hundreds of times costs neither descriptors nor memory nor pids."""
    before = _in_peace(runner)
    checksum = checksum_of(read_file(str(runner.file)).packed())
    for number in range(200):
        runner.send(Reread())
        report = runner.hear_only()
        assert isinstance(report, Read)
        assert report.mistakes == ()
        if number % 10 == 0:
            runner.send(Adopt(checksum))

    assert runner.works()
    wait_until(lambda: len(children(runner.pid)) == 1, "one standby")
    (runner.standby,) = children(runner.pid)
    after = _in_peace(runner)
    assert after[0] == before[0]
    assert after[1] < before[1] + (4 << 20)


@pytest.mark.parametrize("length", [10, 1_500, 5_000, 100_000])
def test_a_file_full_of_mistakes_is_told_in_one_packet(runner: Played, length: int) -> None:
    """However many mistakes there are, and however long, the report of them arrives, and nothing has changed."""
    mistakes = {f"c{number}": {"run": [f"/{'x' * length}{number}"]} for number in range(100)}
    runner.file.write_text(configuration(mistakes), "utf-8")

    runner.send(Reread())

    report = runner.hear_only()
    assert isinstance(report, Read)
    assert report.mistakes
    assert runner.works()


def test_what_cannot_be_read_is_told(runner: Played) -> None:
    """A file that is gone, or is no text, is a mistake, and nothing has changed."""
    runner.file.write_bytes(b"\xff\xfe")
    runner.send(Reread())
    report = runner.hear_only()
    assert isinstance(report, Read)
    assert len(report.mistakes) == 1

    runner.file.unlink()
    runner.send(Reread())
    report = runner.hear_only()
    assert isinstance(report, Read)
    assert len(report.mistakes) == 1
    assert runner.works()


def test_only_credential_files_are_opened(tmp_path: Path) -> None:
    """Of all names only those of credential files are opened, below the state directory, and over no link."""
    state = tmp_path / "state"
    (state / "authorized_keys").mkdir(parents=True)
    for name in ("passwd", "authorized_keys/ada", "tls.key", "authorized_keys/.hidden"):
        (state / name).write_text(name, "ascii")
    (state / "tokens").symlink_to(tmp_path / "cmdserver.toml")
    (state / "authorized_keys" / "link").symlink_to("/etc/shadow")
    (state / "authorized_keys" / "hard").hardlink_to(state / "tls.key")
    os.mkfifo(state / "authorized_keys" / "pipe")
    (state / "authorized_keys" / "directory").mkdir()
    with played(tmp_path, COMMANDS, state_directory=str(state)) as runner:
        before, _ = _in_peace(runner)
        for name in ("passwd", "authorized_keys/ada"):
            runner.send(Fetch(name))
            report, (descriptor,) = runner.hear()
            assert isinstance(report, Fetched)
            assert os.read(descriptor, 100) == name.encode()
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(descriptor, b"x")
            os.close(descriptor)

        names = [
            "tls.key",
            "tokens",
            "",
            ".",
            "..",
            "/etc/shadow",
            "../state/passwd",
            "./passwd",
            "passwd/",
            "passwd\0",
        ]
        names += ["authorized_keys", "authorized_keys/", "authorized_keys/..", "authorized_keys/../passwd"]
        names += ["authorized_keys//etc/shadow", "authorized_keys/link", "authorized_keys/hard", "authorized_keys/pipe"]
        names += ["authorized_keys/directory", "authorized_keys/.hidden", "authorized_keys/a\0b", "x" * 60_000]
        for name in names:
            runner.send(Fetch(name))
            report, taken = runner.hear()
            assert isinstance(report, Fetched), name
            assert (report.errno != 0, taken) == (True, []), name

        (state / "authorized_keys").rename(state / "other")
        (state / "authorized_keys").symlink_to("other")
        runner.send(Fetch("authorized_keys/ada"))
        assert isinstance(report := runner.hear_only(), Fetched)
        assert report.errno != 0
        assert _in_peace(runner)[0] == before


def test_nothing_is_opened_where_nothing_need_be(runner: Played) -> None:
    """A daemon that may open its files itself has none opened."""
    for name in ("passwd", "tokens", "authorized_keys/ada"):
        runner.send(Fetch(name))
        report, taken = runner.hear()
        assert isinstance(report, Fetched)
        assert (report.errno, taken) == (errno.EPERM, [])


@pytest.mark.parametrize("is_abrupt", [True, False], ids=["with reports unread", "with all read"])
def test_everything_ends_with_the_socket(tmp_path: Path, is_abrupt: bool) -> None:
    """A daemon that hangs up in the middle of runs leaves nobody: not those who left their group, not the standby."""
    tagged = {name: {**table, "environment": {"MARKER": str(tmp_path)}} for name, table in COMMANDS.items()}
    with played(tmp_path, tagged, running=RUNNING) as runner:
        for name in ("long", "escaping", "true") * 4:
            runner.start(name)
        wait_until(lambda: len(list(marked_processes(f"MARKER={tmp_path}"))) >= 12, "they run")
        if not is_abrupt:
            _hear_all(runner)
    assert not list(marked_processes(f"MARKER={tmp_path}"))


def test_who_left_the_group_is_ended_with_its_run(runner: Played) -> None:
    """A process in a session of its own, whose parent is gone, dies when its run is ended; another run's does not."""
    pids = []
    for _ in range(2):
        run_id = runner.start("escaping")
        report, (stdout, stderr) = runner.hear()
        started_pid(report)
        pids.append((run_id, int(wait_until(lambda end=stdout: _read(end), "the number"))))  # type: ignore[misc]
        os.close(stdout)
        os.close(stderr)

    runner.signal(pids[0][0], SIGKILL)

    wait_until(lambda: not is_alive(pids[0][1]), "it is gone")
    assert is_alive(pids[1][1])


def test_the_same_after_a_takeover(runner: Played) -> None:
    """The next runner, too, is told when somebody has left his group, finds him, and ends him; and it comes at once."""
    run_id = runner.start("long")
    before = started_pid(runner.hear_only())
    os.kill(runner.pid, SIGKILL)

    ready = runner.meet()

    assert ready.generation == 1
    assert not is_alive(before)
    run_id = runner.start("escaping")
    report, (stdout, stderr) = runner.hear()
    escaped = int(wait_until(lambda: _read(stdout), "the number"))
    os.close(stdout)
    os.close(stderr)
    os.kill(started_pid(report), SIGKILL)
    ended = runner.hear_only()
    assert isinstance(ended, Exited)
    assert not ended.is_alone
    runner.signal(run_id, SIGKILL)
    wait_until(lambda: not is_alive(escaped), "it is gone")
    assert runner.works()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 100)
    except BlockingIOError:
        return b""
