"""Tests of ``cmdserver ask``: what it asks, what it prints, and how it ends."""

import io
import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cmdserver.cli.fleet import ask as module
from cmdserver.cli.fleet import connecting
from cmdserver.cli.fleet.report import JSONLines, Lines, OneJSON
from cmdserver.fleet.client.asking import Asking
from tests.cli.fleet.conftest import FLEET, Ask
from tests.cli.fleet.doubles import CommandsBus, known_hosts_of
from tests.fleet.doubles import OK, Delivered, Host, Sent, hosts_of

Bus = type[CommandsBus]
HOSTS = hosts_of("a1", "a2", "b1")
FAILED = b'{"outcome": "failed", "exit_status": 3, "stderr": "oh no"}'


@pytest.fixture(autouse=True)
def hosts(known_hosts: Path) -> dict[str, Host]:
    """Hosts that are known."""
    known_hosts.write_text(known_hosts_of(HOSTS))
    return HOSTS


def answers(*failing: str, silent: tuple[str, ...] = ()) -> Any:
    """Have all answer, some of them that it has failed; and some of them not."""

    def behave(sent: Sent) -> list[Delivered]:
        if sent.host in silent:
            return []
        return HOSTS[sent.host].answer(sent, FAILED if sent.host in failing else OK)

    return staticmethod(behave)


def test_success(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each, a summary, and status 0 if all that are expected have answered ok."""
    monkeypatch.setattr(bus, "hosts", answers())
    result = run("ask", "df", "x", "a=b")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        *(f"{name}  ok             0.00 s" for name in HOSTS),
        "3 asked, 3 answered: 3 ok, 0 failed; 0.00 s",
    ]
    (made,) = bus.made
    assert made.was_ended
    assert (str(made.server), made.name) == ("nats://bus.example:4222", f"cmdserver ask {made.sent[0].read().user}")
    assert [each.subject for each in made.sent] == [f"cmdserver.prod.host.{name}" for name in HOSTS]
    assert {(each.headers["Cmdserver-Target"], each.body) for each in made.sent} == {("/df/x", b'{"a": "b"}')}
    assert {each.read().audience.hosts for each in made.sent} == {("a1", "a2", "b1")}


def test_globs(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only known hosts that match are asked, and expected."""
    monkeypatch.setattr(bus, "hosts", answers())
    assert run("ask", "--hosts", "A*", "uptime").exit_code == 0
    assert [each.host for each in bus.made[0].sent] == ["a1", "a2"]
    result = run("ask", "--hosts", "c*,d", "uptime")
    assert result.exit_code == 1
    assert "nobody is meant: no host in" in result.stderr
    assert result.stderr.endswith("matches c*, d\n")


@pytest.mark.parametrize(("failing", "silent"), [(("a2",), ()), ((), ("a2",)), ((*HOSTS,), ()), ((), (*HOSTS,))])
def test_no_success(
    run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...], silent: tuple[str, ...]
) -> None:
    """Whoever fails or is missing is named, and the status is 1."""
    monkeypatch.setattr(bus, "hosts", answers(*failing, silent=silent))
    result = run("ask", "uptime", "--timeout", "7")

    assert result.exit_code == 1
    for name in failing:
        assert f"{name}  failed         0.00 s  exit status 3: oh no" in result.stdout.splitlines()
    for name in silent:
        assert f"{name}  missing                no answer in 7 s" in result.stdout.splitlines()
    assert (f"no verified answer from {len(silent)}: {' '.join(silent)}\n" in result.stdout) == bool(silent)


def test_json(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object, or one a line; nothing else on standard output."""
    monkeypatch.setattr(bus, "hosts", answers("b1"))
    summary = {"asked": 2, "answered": 2, "ok": 1, "failed": 1, "missing": []}
    records = [
        {"host": "a1", "state": "ok", "seconds": 0.0, "answer": {"outcome": "ok"}},
        {"host": "b1", "state": "failed", "seconds": 0.0, "answer": json.loads(FAILED)},
    ]

    result = run("ask", "--json", "--hosts", "?1", "uptime")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"hosts": records, "summary": summary})
    result = run("ask", "--jsonl", "--hosts", "?1", "uptime")
    assert result.exit_code == 1
    assert [json.loads(line) for line in result.stdout.splitlines()] == [*records, {"summary": summary}]
    result = run("ask", "--json", "--jsonl", "uptime")
    assert result.exit_code == 2
    assert "--json and --jsonl are two ways to print, and one is enough" in result.stderr


def test_batches(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at once, with a pause between; without a number all."""
    monkeypatch.setattr(bus, "hosts", answers())
    assert run("ask", "--batch", "2", "--wait", "9", "uptime").stdout.endswith("; 9.00 s\n")
    assert [each.at for each in bus.made[0].sent] == [0, 0, 9]
    run("ask", "--wait", "9", "uptime")
    assert [each.at for each in bus.made[1].sent] == [0, 0, 0]
    for words in (("--batch", "0"), ("--wait", "-1"), ("--timeout", "0"), ("--batch", "x")):
        assert run("ask", *words, "uptime").exit_code == 2


def test_fail_fast(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who fails, or does not answer, is the last; without that all are asked."""
    for behave, state in ((answers("a2"), "failed"), (answers(silent=("a2",)), "missing")):
        monkeypatch.setattr(bus, "hosts", behave)
        result = run("ask", "--fail-fast", "--batch", "1", "--jsonl", "uptime")
        assert result.exit_code == 1
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert [each["state"] for each in records[:-1]] == ["ok", state, "not-asked"]
        assert records[-1]["summary"]["not_asked"] == ["b1"]
        result = run("ask", "--batch", "1", "--jsonl", "uptime")
        assert "not-asked" not in result.stdout
    monkeypatch.setattr(bus, "hosts", answers())
    assert run("ask", "--fail-fast", "--batch", "1", "uptime").exit_code == 0


def facts(role: str | None) -> bytes:
    """Return what a host tells of itself."""
    return json.dumps({"facts": {"role": role} if role else {}}).encode()


def test_where(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A roll call of those who may be meant, and a question to those who match; the silent ones are missing."""

    def behave(sent: Sent) -> list[Delivered]:
        if sent.subject.endswith(".all"):
            told = ("a1", "web"), ("a2", "db")
            return [each for name, role in told for each in HOSTS[name].answer(sent, facts(role))]
        return HOSTS[sent.host].answer(sent)

    monkeypatch.setattr(bus, "hosts", staticmethod(behave))
    result = run("ask", "--where", "role=w*", "--jsonl", "uptime")
    assert result.exit_code == 1
    assert [(each["host"], each["state"]) for each in map(json.loads, result.stdout.splitlines()[:-1])] == [
        ("b1", "missing"),
        ("a1", "ok"),
    ]
    first, second = bus.made[0].sent
    assert (first.read().audience.hosts, first.at) == (("*",), 0)
    assert (second.subject, second.read().audience.hosts, second.at) == ("cmdserver.prod.host.a1", ("a1",), 1)

    result = run("ask", "--where", "role=web", "--hosts", "a*", "uptime")
    assert (result.exit_code, bus.made[1].sent[0].read().audience.hosts) == (0, ("a*",))
    result = run("ask", "--where", "role=x", "--where", "b=c", "--hosts", "a*", "uptime")
    assert result.exit_code == 1
    assert result.stderr == "cmdserver: nobody is meant: no host that is there has role=x b=c\n"
    # Those who are missing are told, though nobody is left to be asked.
    result = run("ask", "--where", "role=x", "uptime")
    assert (result.exit_code, len(bus.made[3].sent)) == (1, 1)
    assert result.stdout.splitlines()[-1] == "no verified answer from 1: b1"
    # And one that is missing is a failure.
    result = run("ask", "--where", "role=web", "--fail-fast", "--jsonl", "uptime")
    assert [json.loads(line)["state"] for line in result.stdout.splitlines()[:-1]] == ["missing", "not-asked"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--where", "role", "uptime"], "'role' is not like KEY=VALUE"),
        (["--hosts", "a b", "uptime"], "'a b' is neither a host's name nor a glob with * and ?"),
        (["--hosts", "", "uptime"], "'' is neither a host's name nor a glob with * and ?"),
        (["df", ""], "an empty value takes its name: NAME="),
        (["df", "--nonsense"], "No such option"),
        ([], "Missing argument 'COMMAND'"),
    ],
)
def test_usage(run: Ask, words: list[str], why: str) -> None:
    """What is typed wrongly is told with the usage, and nothing is asked."""
    result = run("ask", *words)

    assert result.exit_code == 2
    assert why in result.stderr


def test_secrets(run: Ask, bus: Bus, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not given to a bus, where this host knows that they are some; other values are."""
    monkeypatch.setattr(bus, "hosts", answers())
    config.write_text(
        FLEET
        + '[commands.login]\nrun = ["x", "{user}", "{password}"]\nparameters = [\n'
        + '  {name = "user", type = "string"}, {name = "password", type = "secret"},\n]\n'
        + '[commands.df]\nrun = ["df", "{path}"]\nparameters = [{name = "path", type = "string"}]\n'
        + '[commands.uptime]\nrun = ["uptime"]\n[commands.bad]\nrun = ["x"]\nparameters = 1\n'
        + '[commands.worse]\nrun = ["x"]\nparameters = [1, {name = 2}, {name = "a", type = "string"}]\n'
    )
    for values in (["ada", "x"], ["password=x"], ["--", "x"]):
        result = run("ask", "login", *values)
        assert result.exit_code == 1
        assert result.stderr == (
            "cmdserver: login takes a secret (password), and a bus reads what it carries; ask the host itself\n"
        )
    assert bus.made == []
    for words in (["login"], ["df", "/"], ["uptime"], ["unknown", "x"], ["bad", "x"], ["worse", "x"]):
        assert run("ask", *words).exit_code == 0


def test_no_connection(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and ends the program."""
    monkeypatch.setattr(bus, "trouble", "the bus cannot be reached")
    result = run("ask", "uptime")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "cmdserver: the bus cannot be reached\n"
    assert bus.made[0].sent == []


def interrupting(times: int, last: str = "b1") -> Any:
    """Have somebody press Ctrl-C when the last host is asked; only the first one answers."""

    def behave(sent: Sent) -> list[Delivered]:
        if sent.host == last:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
        return HOSTS["a1"].answer(sent) if sent.host == "a1" else []

    return staticmethod(behave)


def test_interruption(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a summary of what there is; the second time there is none. The status is a shell's."""
    monkeypatch.setattr(bus, "hosts", interrupting(1))
    result = run("ask", "uptime")
    assert result.exit_code == 130
    assert result.stdout.splitlines()[-2:] == [
        "3 asked, 1 answered: 1 ok, 0 failed; 0.00 s",
        "no verified answer from 2: a2 b1",
    ]
    assert "a2  missing                not waited for" in result.stdout
    # Whatever was answered by then.
    monkeypatch.setattr(bus, "hosts", interrupting(1, last="a1"))
    result = run("ask", "--hosts", "a1", "--jsonl", "uptime")
    assert result.exit_code == 130


def test_interruption_of_a_roll_call(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to sum up, so that it ends at once."""

    def behave(_: Sent) -> list[Delivered]:
        os.kill(os.getpid(), signal.SIGINT)
        return []

    monkeypatch.setattr(bus, "hosts", staticmethod(behave))
    result = run("ask", "--where", "role=web", "uptime")
    assert (result.exit_code, result.stdout, len(bus.made[0].sent)) == (130, "", 1)
    result = run("ask", "--where", "role=web", "--json", "uptime")
    assert (result.exit_code, result.stdout) == (130, "")


def test_impatience(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time the program ends at once."""
    asking: list[int] = []
    monkeypatch.setattr(Asking, "stop", lambda _: asking.append(1))
    calls = 0

    def behave(_: Sent) -> list[Delivered]:
        nonlocal calls
        calls += 1
        if calls > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return []

    monkeypatch.setattr(bus, "hosts", staticmethod(behave))
    result = run("ask", "uptime")
    assert (result.exit_code, len(asking)) == (130, 1)
    assert "asked" not in result.stdout
    assert bus.made[0].was_ended


class Stream(io.StringIO):
    """A stream that is a terminal, or is none."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def test_terminals(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours and cut lines are for a terminal, and a bar where errors go to one; whole output is not cut."""
    made: list[dict[str, Any]] = []

    class FakeLines(Lines):
        def __init__(self, output: Any, bar: Any, expected: Any, **options: Any) -> None:
            made.append({"bar": bar, "expected": expected, **options})
            super().__init__(output, bar, expected, **options)

    monkeypatch.setattr(bus, "hosts", answers())
    monkeypatch.setattr(module, "Lines", FakeLines)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((77, 9)))
    for is_out, is_err, words, width in (
        (False, False, [], 0),
        (True, False, [], 77),
        (False, True, [], 0),
        (True, True, ["--output"], 0),
    ):
        streams = SimpleNamespace(stdout=Stream(is_terminal=is_out), stderr=Stream(is_terminal=is_err))
        monkeypatch.setattr(module, "sys", streams)
        assert run("ask", *words, "--hosts", "a*", "uptime").exit_code == 0
        assert made.pop() == {
            "bar": streams.stderr if is_err else None,
            "expected": ["a1", "a2"],
            "width": width,
            "shows_output": bool(words),
            "is_coloured": is_out,
        }
        assert ("\x1b[32m" in streams.stdout.getvalue()) == is_out


def test_reports() -> None:
    """Each way to print has a class of its own; so has JSON before lines."""
    for is_json, is_jsonl, kind in ((True, False, OneJSON), (False, True, JSONLines), (True, True, OneJSON)):
        manner = SimpleNamespace(is_json=is_json, is_jsonl=is_jsonl)
        made: Any = module._Run._make_report(SimpleNamespace(_manner=manner), [])  # type: ignore[arg-type]
        assert type(made) is kind


def test_a_closed_pipe(run: Ask, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the program at once, and not when the time for answers is over."""

    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(bus, "hosts", answers(silent=("b1",)))
    monkeypatch.setattr(JSONLines, "tell", broken)
    ended: list[float] = []
    real = connecting.connected

    def connected(bus: Any) -> Any:
        ended.append(connecting.clock())
        return real(bus)

    monkeypatch.setattr(connecting, "connected", connected)
    result = run("ask", "--jsonl", "uptime")
    assert result.exit_code == 1
    assert "asked" not in result.stdout
    assert len(bus.made[0].sent) == 3
