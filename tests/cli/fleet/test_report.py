"""Tests of what a caller sees: lines and a bar for people, JSON for programs; and that no host acts on a terminal."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdserver.cli.fleet.report import JSONLines, Lines, OneJSON
from cmdserver.fleet.client.outcomes import MISSING, NOT_ASKED, UNVERIFIED, Outcome, Summary
from tests.doubles import LAW


def answered(host: str = "web-1", state: str = "ok", seconds: float = 0.5, **answer: Any) -> Outcome:
    """Make the outcome of an answer."""
    return Outcome(host=host, state=state, seconds=seconds, answer={"outcome": state, **answer})


def lines(*outcomes: Outcome, expected: Sequence[str] = ("web-1",), **options: Any) -> list[str]:
    """Return what is written of outcomes; each is written out at once."""
    output = io.StringIO()
    report = Lines(output, None, expected, **options)
    for each in outcomes:
        report.tell(each)
    return output.getvalue().split("\n")[:-1]


def test_columns() -> None:
    """Host, state, time, and what says most; each below the other."""
    assert lines(
        answered("web-1", stdout="a\nlast line \n\n", stderr="warning"),
        answered("db", "failed", 12.345, stdout="x", stderr="oh no\n", exit_status=3),
        Outcome(host="web-23", state=MISSING, why="no answer in 5 s"),
        answered("db", "denied", error={"code": "denied", "message": "you may not"}),
        Outcome(host="db", state="unknown_command", seconds=100.0, answer={}),
        expected=["web-1", "db", "web-23"],
    ) == [
        "web-1   ok             0.50 s  last line",
        "db      failed        12.35 s  exit status 3: oh no",
        "web-23  missing                no answer in 5 s",
        "db      denied         0.50 s  you may not",
        "db      unknown_command  100.00 s",
    ]


@pytest.mark.parametrize(
    ("state", "answer", "said"),
    [
        ("ok", {"stdout": "", "stderr": "a\nb"}, "b"),
        ("ok", {"stdout": None}, ""),
        ("ok", {"stdout": " \n", "exit_status": 0}, ""),
        ("ok", {"stdout": "x", "exit_status": 1}, "x"),
        ("ok", {"stdout": 17}, "17"),
        ("failed", {"stdout": "out", "stderr": "", "exit_status": 1}, "exit status 1: out"),
        ("failed", {"stdout": "out", "stderr": "err", "exit_status": None}, "err"),
        ("failed", {"exit_status": 0, "stderr": "err"}, "err"),
        ("failed", {"exit_status": "1"}, ""),
        ("failed", {"exit_status": 2}, "exit status 2"),
        ("failed", {"exit_status": 2, "error": {"message": "m"}}, "exit status 2"),
        ("timeout", {"error": {"message": "too slow"}, "stdout": "x"}, "too slow"),
        ("timeout", {"error": {}, "stdout": "x"}, ""),
        ("timeout", {"error": "m", "stdout": "x"}, "x"),
    ],
)
def test_what_says_most(state: str, answer: Mapping[str, Any], said: str) -> None:
    """Of a success the end of its output; of a failure the exit status and its complaint; of a refusal the reason."""
    (line,) = lines(answered("a", state, **answer), expected=["a"])

    assert line == f"a  {state:<11}    0.50 s  {said}".rstrip()


def test_why_there_is_nothing() -> None:
    """It says more than whatever there is besides."""
    outcome = Outcome(host="a", state="malformed", seconds=0.5, answer={"stdout": "x"}, why="no JSON")
    assert lines(outcome, expected=["a"]) == ["a  malformed      0.50 s  no JSON"]


def test_all_output() -> None:
    """Each line behind its host's name, in the place of the last one; that it was cut on the host is said."""
    assert lines(
        answered(stdout="a\n\n b\n", stderr="c"),
        answered(state="failed", exit_status=2, stderr="d", truncated=True),
        Outcome(host="web-1", state=MISSING, why="gone"),
        answered(stdout=None, truncated=False),
        shows_output=True,
    ) == [
        "web-1  ok             0.50 s",
        "web-1: a",
        "web-1: ",
        "web-1:  b",
        "web-1: c",
        "web-1  failed         0.50 s  exit status 2: d",
        "web-1: d",
        "web-1: (the output was cut here)",
        "web-1  missing                gone",
        "web-1  ok             0.50 s",
    ]


def test_cut_lines() -> None:
    """A line that does not fit leaves the last column of a terminal free, and shows that it is cut."""
    whole = "web-1  ok             0.50 s  " + "x" * 20
    for width, line in ((len(whole) + 1, whole), (len(whole), whole[:-2] + "…"), (20, whole[:18] + "…")):
        assert lines(answered(stdout="x" * 20), width=width) == [line]
        assert len(line) < width
    (line,) = lines(answered(stdout="x" * 1000))
    assert (len(line), line[-2:]) == (500, "x…")


def test_long_names() -> None:
    """One of them does not take the place of how all others are, however narrow the terminal is."""
    long = "x" * 60
    for width, name in ((100, "x" * 55 + "…"), (30, "x" * 7 + "…"), (0, long)):
        (line,) = lines(answered(long, stdout="said"), expected=["a", long], width=width)
        assert line.startswith(f"{name}  ok  ")
        assert len(line) < (width or 500)


def test_colours() -> None:
    """The state's, whatever the host is called; a cut line does not leave the terminal coloured."""
    for outcome, colour in (
        (answered("ok"), "\x1b[32m"),
        (answered("ok", "failed"), "\x1b[31m"),
        (Outcome(host="ok", state=MISSING, why="x"), "\x1b[33m"),
        (Outcome(host="ok", state=UNVERIFIED), "\x1b[33m"),
        (Outcome(host="ok", state=NOT_ASKED), "\x1b[33m"),
    ):
        expected = ["ok", "a-longer-name"]
        (plain,) = lines(outcome, expected=expected)
        (line,) = lines(outcome, expected=expected, is_coloured=True)
        before, _, rest = line.partition(colour)
        assert before == f"{'ok':<13}  "
        state, _, behind = rest.partition("\x1b[0m")
        assert state.rstrip() == outcome.state
        assert before + state + behind == plain
        (line,) = lines(outcome, expected=expected, is_coloured=True, width=12)
        assert line.endswith("\x1b[0m")


HOSTILE = "\x1b[2J\x1b]0;x\x07\r\n\x9b1m\u2028\u2029\x00\x08\x7f\x0b\x0c\x85x"
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@LAW
@given(st.text(st.characters() | st.sampled_from(HOSTILE), max_size=30), st.booleans())
def test_hostile_hosts(text: str, shows_output: bool) -> None:
    """Nothing that a host says, in whatever place, acts on a terminal, or makes a line of another host."""
    outcomes = [
        answered("web-1", stdout=text, stderr=text),
        answered("web-1", "failed", stderr=text),
        answered("web-1", "denied", error={"code": text, "message": text}),
        Outcome.of_parsed("web-1", {"outcome": text}, 1),
        Outcome.of_parsed("web-1", {"error": {"code": text}}, 1),
        Outcome(host="web-1", state=MISSING, why=text),
    ]
    for each in lines(*outcomes, shows_output=shows_output):
        assert CONTROL.search(each) is None
        assert each.startswith("web-1")
    output = io.StringIO()
    besides = Outcome(host="web-1", state="ok", seconds=1, answer={}, besides=text)
    Lines(output, None, ["web-1"]).finish(Summary.of([besides]), 1)
    assert all(CONTROL.search(each) is None for each in output.getvalue().removesuffix("\n").split("\n"))
    assert output.getvalue().count("\n") == (2 if text else 1)


class Screen(io.StringIO):
    """A terminal that both streams go to: what is written, and how much of it has been."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed = ""

    def flush(self) -> None:
        self.flushed = self.getvalue()


def test_a_bar() -> None:
    """It is drawn at once, below the lines, and is gone at the end; it counts those that are not ok."""
    screen = Screen()
    report = Lines(screen, screen, ["a", "b", "c"])
    assert screen.flushed == f"[{'.' * 24}] 0/3"
    report.tell(answered("a"))
    report.tell(answered("b", "failed"))
    report.tell(Outcome(host="c", state=UNVERIFIED))
    report.finish(Summary.of([answered("a")]), 1.234)

    assert screen.flushed.split("\r\x1b[K") == [
        f"[{'.' * 24}] 0/3",
        f"a  ok             0.50 s\n[{'#' * 8}{'.' * 16}] 1/3",
        f"b  failed         0.50 s\n[{'#' * 16}{'.' * 8}] 2/3, 1 not ok",
        f"c  unverified\n[{'#' * 24}] 3/3, 2 not ok",
        "1 asked, 1 answered: 1 ok, 0 failed; 1.23 s\n",
    ]


def test_no_bar() -> None:
    """Where there is nobody to wait for, and where it would not be seen."""
    screen = Screen()
    Lines(screen, screen, []).finish(Summary.of([]), 0)
    assert screen.getvalue() == "0 asked, 0 answered: 0 ok, 0 failed; 0.00 s\n"
    bar, output = Screen(), Screen()
    report = Lines(output, bar, ["a"])
    report.tell(answered("a"))
    assert output.flushed == "a  ok             0.50 s\n"
    assert bar.flushed == f"[{'.' * 24}] 0/1\r\x1b[K[{'#' * 24}] 1/1"


def test_a_narrow_bar() -> None:
    """It is on one row, and leaves its last column free; without room for it the counts alone are there."""
    for width, bar in (
        (0, f"[{'.' * 24}] 0/1"),
        (80, f"[{'.' * 24}] 0/1"),
        (31, f"[{'.' * 24}] 0/1"),
        (30, f"[{'.' * 23}] 0/1"),
        (11, "[....] 0/1"),
        (10, "0/1"),
        (4, "0/1"),
        (3, "0…"),
        (1, "…"),
    ):
        screen = Screen()
        Lines(screen, screen, ["a"], width=width)
        assert screen.flushed == bar


def test_the_end() -> None:
    """How many, who is missing, who was not asked, and whom somebody makes up answers for."""
    output = Screen()
    outcomes = [
        answered("a"),
        answered("b", "denied"),
        Outcome(host="c", state=MISSING),
        Outcome(host="d", state=UNVERIFIED),
        Outcome(host="e", state=NOT_ASKED),
        Outcome(host="f", state=NOT_ASKED),
        Outcome(host="g", state="ok", answer={}, besides="it has no status"),
    ]
    Lines(output, None, []).finish(Summary.of(outcomes), 61.5)

    assert output.flushed.splitlines() == [
        "5 asked, 3 answered: 2 ok, 1 failed; 61.50 s",
        "no verified answer from 2: c d",
        "not asked any more: e f",
        "besides its answer, something came for g that is not verified: it has no status",
    ]


def test_json_lines() -> None:
    """An object for each as it comes, and the summary last."""
    output = Screen()
    report = JSONLines(output)
    report.tell(answered("a", stdout="\u00fc\x1b\n"))
    assert output.flushed == (
        '{"host": "a", "state": "ok", "seconds": 0.5, "answer": {"outcome": "ok", "stdout": "\\u00fc\\u001b\\n"}}\n'
    )
    missing = Outcome(host="b", state=MISSING)
    report.tell(missing)
    report.finish(Summary.of([answered("a"), missing]), 1)
    assert [json.loads(line) for line in output.flushed.splitlines()[1:]] == [
        {"host": "b", "state": "missing", "seconds": None, "answer": None},
        {"summary": {"asked": 2, "answered": 1, "ok": 1, "failed": 0, "missing": ["b"]}},
    ]


def nested(depth: int) -> Outcome:
    """Make an answer that can be read, or just not."""
    return Outcome.of_answer("a", 200, b'{"outcome": "ok", "x": ' + b"[" * depth + b"]" * depth + b"}", 1)


def test_what_is_no_json() -> None:
    """Numbers beyond all, and what is nested as deep as Python reads: only that answer is left out."""
    outcomes = [Outcome.of_answer("a", 200, b'{"outcome": "ok", "x": %s}' % each, 1) for each in (b"NaN", b"-1e999")]
    outcomes += map(nested, range(800, 1000))
    for each in outcomes:
        output = Screen()
        JSONLines(output).tell(each)
        OneJSON(output).finish(Summary.of([each]), 1)
        first, second = map(json.loads, output.flushed.splitlines())
        assert first["state"] == second["hosts"][0]["state"] == each.state
        assert second["hosts"][0]["answer"] in (first["answer"], None)
    assert first["state"] == "malformed"
    assert {**json.loads(_written(outcomes[0])), "state": "ok"} == {
        "host": "a",
        "state": "ok",
        "seconds": 1,
        "answer": None,
        "why": "its answer cannot be written as JSON",
    }


def _written(outcome: Outcome) -> str:
    output = Screen()
    JSONLines(output).tell(outcome)
    return output.flushed


def test_one_json() -> None:
    """All of it at the end, in the order of names."""
    output = Screen()
    report = OneJSON(output)
    outcomes = [Outcome(host="b", state=MISSING, why="x"), answered("a")]
    for each in outcomes:
        report.tell(each)
    assert output.getvalue() == ""
    report.finish(Summary.of(outcomes), 1)
    assert json.loads(output.flushed) == {
        "hosts": [
            {"host": "a", "state": "ok", "seconds": 0.5, "answer": {"outcome": "ok"}},
            {"host": "b", "state": "missing", "seconds": None, "answer": None, "why": "x"},
        ],
        "summary": {"asked": 2, "answered": 1, "ok": 1, "failed": 0, "missing": ["b"]},
    }
    assert output.flushed.count("\n") == 1
