"""Tests of what came of asking: what counts as success, and what a host cannot say of itself."""

import json

import pytest

from cmdserver.auth.signatures.answer_verification import Answer
from cmdserver.fleet.client.outcomes import MISSING, NOT_ASKED, UNVERIFIED, Outcome, Summary, unsigned_error


def an_outcome(host: str = "web-1", state: str = "ok") -> Outcome:
    """Make an outcome."""
    return Outcome(host=host, state=state)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b'{"outcome": "ok"}', "ok"),
        (b'{"outcome": "failed", "error": {"code": "timeout"}}', "failed"),
        (b'{"error": {"code": "denied"}}', "denied"),
        (b'{"outcome": null, "error": {"code": "a_new_one"}}', "a_new_one"),
        (b'{"error": "denied"}', "answered"),
        (b'{"error": {}}', "answered"),
        (b"{}", "answered"),
        (b'{"outcome": 1}', "answered"),
        (b'{"outcome": ["ok"]}', "answered"),
        # Words of ours, and words that act on a terminal.
        (b'{"outcome": "missing"}', "answered"),
        (b'{"outcome": "unverified"}', "answered"),
        (b'{"outcome": "not-asked"}', "answered"),
        (b'{"outcome": "\\u001b[2J"}', "answered"),
        (b'{"outcome": "ok\\n"}', "answered"),
        (b'{"outcome": "OK"}', "answered"),
        (b'{"outcome": "o k"}', "answered"),
        (b'{"outcome": "%s"}' % (b"x" * 33), "answered"),
    ],
)
def test_answers(body: bytes, state: str) -> None:
    """A host says by a code how it went; it cannot say that it has not answered."""
    outcome = Outcome.of_answer("web-1", 200, body, 0.1234)

    assert (outcome.host, outcome.state, outcome.seconds, outcome.why) == ("web-1", state, 0.1234, "")
    assert outcome.answer == json.loads(body)
    assert outcome.is_answer
    assert outcome.is_ok == (state == "ok")
    assert outcome.as_json() == {"host": "web-1", "state": state, "seconds": 0.123, "answer": json.loads(body)}


@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"[]", b'"ok"', b"null", b"\xff", b"[" * 100_000, b"{" + b'"a":{' * 9999],
)
def test_no_object(body: bytes) -> None:
    """A signed answer that is none is an answer, and not what was asked for."""
    outcome = Outcome.of_answer("web-1", 404, body, 1)

    assert (outcome.state, outcome.answer) == ("malformed", None)
    assert outcome.why == "its answer (404) is no JSON object"
    assert outcome.is_answer
    assert not outcome.is_ok


def test_as_json() -> None:
    """Four members, and why there is no answer, or that somebody makes up answers, if it is so."""
    assert Outcome(host="a", state=MISSING, why="gone").as_json() == {
        "host": "a",
        "state": "missing",
        "seconds": None,
        "answer": None,
        "why": "gone",
    }
    outcome = Outcome(host="a", state="ok", seconds=1.0, answer={"x": 1}, besides="forged")
    assert outcome.as_json() == {
        "host": "a",
        "state": "ok",
        "seconds": 1.0,
        "answer": {"x": 1},
        "unverified": "forged",
    }


@pytest.mark.parametrize("state", [MISSING, UNVERIFIED, NOT_ASKED])
def test_what_is_no_answer(state: str) -> None:
    """It is no success, whoever else has answered."""
    outcome = an_outcome(state=state)

    assert not outcome.is_answer
    assert not outcome.is_ok
    assert not Summary.of([outcome, an_outcome("web-2")]).is_success


def test_nobody() -> None:
    """Nobody meant is no success."""
    summary = Summary.of([])

    assert not summary.is_success
    assert summary.as_json() == {"asked": 0, "answered": 0, "ok": 0, "failed": 0, "missing": []}


def test_a_summary() -> None:
    """Each host counts once, in the order of names; what is not verified is missing."""
    states = {"e": "ok", "d": "failed", "c": MISSING, "b": UNVERIFIED, "a": NOT_ASKED, "f": "denied", "g": "ok"}
    summary = Summary.of(an_outcome(name, state) for name, state in states.items())

    assert [each.host for each in summary.outcomes] == ["a", "b", "c", "d", "e", "f", "g"]
    assert (summary.asked, summary.ok, summary.failed) == (6, 2, 2)
    assert (summary.missing, summary.not_asked) == (("b", "c"), ("a",))
    assert not summary.is_success
    assert summary.as_json() == {
        "asked": 6,
        "answered": 4,
        "ok": 2,
        "failed": 2,
        "missing": ["b", "c"],
        "not_asked": ["a"],
    }


def test_success() -> None:
    """All have answered ok."""
    assert Summary.of([an_outcome("a"), an_outcome("b")]).is_success
    assert not Summary.of([an_outcome("a"), an_outcome("b", "failed")]).is_success
    assert not Summary.of([an_outcome("a"), an_outcome("b", "answered")]).is_success


def test_errors_that_are_not_signed() -> None:
    """A refusal by a host, most likely; what is signed, or is no error, is none."""
    for status, text in (
        (400, "an error (400), not signed"),
        (401, "the login is refused, as by a host that does not know your key (401), not signed"),
        (503, "it is busy, as a host that has just started (503), not signed"),
        (599, "an error (599), not signed"),
        (399, ""),
        (200, ""),
    ):
        assert unsigned_error(Answer(status, lambda _: None, b"")) == text
    assert not unsigned_error(Answer(401, {"signature-input": "x"}.get, b""))
