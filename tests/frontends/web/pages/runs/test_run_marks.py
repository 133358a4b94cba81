"""Tests of what pages say of a run."""

from datetime import datetime
from typing import Any
from unittest import TestCase

from cmdserver.checks.states import CheckState
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.frontends.web.pages.markup import join
from cmdserver.frontends.web.pages.relative_time import whole
from cmdserver.frontends.web.pages.runs.run_marks import (
    Shown,
    brief_state,
    mark,
    mark_class,
    reason,
    sign,
    started,
    state_words,
    took,
    who,
)
from tests.doubles import a_command
from tests.frontends.web.reading import Read
from tests.runs.doubles import a_record


def local(*when: int) -> float:
    """Say when it is so late here, wherever that is."""
    return datetime(*when).astimezone().timestamp()  # type: ignore[arg-type]


class StateTests(TestCase):
    def test_words(self) -> None:
        """Each state has words of its own; the one fact that explains it is among them."""
        cases: list[tuple[RunState, dict[str, Any], str]] = [
            (RunState.QUEUED, {}, "Waiting for its turn"),
            (RunState.RUNNING, {}, "Running"),
            (RunState.OK, {}, "Done"),
            (RunState.FAILED, {"exit_status": 3}, "Failed (exit status 3)"),
            (RunState.FAILED, {"exit_status": None, "signal": "SIGTERM"}, "Failed (signal TERM)"),
            (RunState.TIMEOUT, {"duration_seconds": 299.99}, "Timed out after 5 min"),
            (RunState.TRUNCATED, {}, "Stopped: too much output"),
            (RunState.STOPPED, {"stopped_by": "ben"}, "Stopped by ben"),
            (RunState.STOPPED, {"stopped_by": "ann"}, "Stopped by you"),
            (RunState.STOPPED, {"stopped_by": None}, "Stopped"),
            (RunState.STOPPED, {"ended_by": EndedBy.DISCONNECT}, "Stopped: its caller left"),
            (RunState.STOPPED, {"ended_by": EndedBy.SHUTDOWN}, "Stopped: the server stopped"),
            (RunState.FAULT, {"id": "a7"}, "Fault, id a7"),
            (RunState.LOST, {}, "Lost: the server stopped"),
        ]
        self.assertEqual({state for state, _, _ in cases}, set(RunState))
        for state, differences, words in cases:
            with self.subTest(words):
                self.assertEqual(state_words(a_record(state=state, **differences), "ann"), words)

    def test_nobody_is_you(self) -> None:
        """Somebody without a name has stopped nothing, not even what nobody knows who has stopped."""
        self.assertEqual(state_words(a_record(state=RunState.STOPPED, stopped_by=None), None), "Stopped")

    def test_the_mark(self) -> None:
        """It has its state as class, for the shape, and its sign for the window's title; a short one leaves out why."""
        failed = a_record(state=RunState.FAILED, exit_status=3)

        self.assertEqual(Read(mark(Shown(failed, None), None)).text, ["Failed (exit status 3)"])
        self.assertEqual(Read(mark(Shown(failed, None), None, is_short=True)).text, ["Failed"])
        self.assertEqual(
            Read(mark(Shown(failed, None), None)).all("span"), [{"class": "mark failed", "data-sign": "✗"}]
        )
        self.assertEqual(Read(mark(Shown(a_record(), None), None, is_short=True)).text, ["Done"])
        self.assertEqual([reason(failed), reason(a_record())], ["exit status 3", None])

    def test_signs(self) -> None:
        """What waits, runs, is done and was stopped can be told apart in a row of tabs; all else has gone wrong."""
        signs = {state: sign(a_record(state=state)) for state in RunState}

        alone = {RunState.QUEUED: "◷", RunState.RUNNING: "●", RunState.OK: "✓", RunState.STOPPED: "■"}
        self.assertEqual(signs, dict.fromkeys(RunState, "✗") | alone)

    def test_checks(self) -> None:
        """What they have found takes the place of how they ended; why nobody knows is said where there is room."""
        cases = [
            (RunState.OK, CheckState.OK, "OK", "OK", "mark ok", "✓ OK"),
            (RunState.FAILED, CheckState.WARNING, "WARNING", "WARNING", "mark warning", "▲ WARNING"),
            (RunState.FAILED, CheckState.CRITICAL, "CRITICAL", "CRITICAL", "mark critical", "✗ CRITICAL"),
            (RunState.FAILED, CheckState.UNKNOWN, "UNKNOWN", "UNKNOWN", "mark unknown", "? UNKNOWN"),
            (
                RunState.TIMEOUT,
                CheckState.UNKNOWN,
                "UNKNOWN: timed out after 0 s",
                "UNKNOWN",
                "mark unknown",
                "? UNKNOWN",
            ),
            (RunState.STOPPED, CheckState.UNKNOWN, "Stopped by ben", "stopped by ben", "mark stopped", "■"),
            (RunState.RUNNING, None, "Running", "running", "mark running", "●"),
            (RunState.LOST, None, "Lost: the server stopped", "lost", "mark lost", "✗"),
        ]
        for state, found, words, briefly, names, title in cases:
            with self.subTest(words):
                record = a_record(state=state, check_state=found, stopped_by="ben")
                self.assertEqual(state_words(record, None), words)
                self.assertEqual(brief_state(record), briefly)
                self.assertEqual(mark_class(record), names)
                self.assertEqual(sign(record), title)
        timed_out = Shown(a_record(state=RunState.TIMEOUT, check_state=CheckState.UNKNOWN), None)
        self.assertEqual(Read(mark(timed_out, None, is_short=True)).text, ["UNKNOWN"])


class TimeTests(TestCase):
    def test_whole(self) -> None:
        """No more than two units, and none that is zero but seconds."""
        cases = {
            0: "0 s",
            59.9: "59 s",
            60: "1 min",
            72: "1 min 12 s",
            3600: "1 h",
            3725: "1 h 2 min",
            90000: "1 d 1 h",
        }

        self.assertEqual({seconds: whole(seconds) for seconds in cases}, cases)

    def test_took(self) -> None:
        """What is over has tenths while they matter; what is alive has seconds that are counted on."""
        now = 1_600_000_012.5
        over = [Read(took(a_record(duration_seconds=each), now) or "").text for each in (0.0123, 9.96, 12.34)]

        self.assertEqual(over, [["12 ms"], ["10.0 s"], ["12 s"]])
        self.assertIsNone(took(a_record(state=RunState.FAULT, duration_seconds=None), now))
        running = Read(took(a_record(state=RunState.RUNNING, duration_seconds=72.9), now) or "")
        self.assertEqual((running.text, running.all("span")[0]["data-seconds"]), (["1 min 12 s"], "72"))
        waiting = Read(took(a_record(state=RunState.QUEUED, duration_seconds=None), now) or "")
        self.assertEqual(waiting.text, ["12 s"])
        early = took(a_record(state=RunState.QUEUED, duration_seconds=None), 1_500_000_000.0)
        self.assertEqual(Read(early or "").text, ["0 s"])  # the clock was set

    def test_started(self) -> None:
        """The time of day, with the day unless it is today's or said elsewhere; all of it is there."""
        begun, now = local(2026, 11, 27, 23, 59, 58), local(2026, 11, 28, 0, 0, 2)
        record = a_record(asked_at=begun - 1, started_at=begun)

        self.assertEqual(Read(started(record, begun + 1)).text, ["23:59:58"])
        self.assertEqual(Read(started(record, now)).text, ["27 Nov 23:59"])
        self.assertEqual(Read(started(record, now, is_dated=False)).text, ["23:59:58"])
        (time,) = Read(started(record, now)).all("time")
        self.assertTrue((time["datetime"] or "").startswith("2026-11-27T23:59:58"))
        self.assertTrue((time["title"] or "").startswith("2026-11-27 23:59:58"))
        self.assertEqual(Read(started(a_record(asked_at=begun, started_at=None), begun)).text, ["23:59:58"])


class WhoTests(TestCase):
    def test_who(self) -> None:
        """The name and the protocol; whoever looks is told that it is them; the anonymous are nobody's namesake."""
        cases: list[tuple[dict[str, Any], str | None, str]] = [
            ({"user": "ann"}, "ann", "ann (you), line"),
            ({"user": "ben"}, "ann", "ben, line"),
            ({"user": None}, None, "somebody without a login, line"),
            ({"user": "schedule", "protocol": "schedule"}, "ann", "schedule"),
        ]
        for differences, name, words in cases:
            with self.subTest(words):
                self.assertEqual("".join(Read(join(who(a_record(**differences), name))).text), words)

    def test_shown(self) -> None:
        """A command is called by its title, then its name, also when it is in the file no more; values in short."""
        record = a_record(arguments=("unit=nginx", "note=a=b", "odd"))

        self.assertEqual(Shown(record, a_command(title="Since when")).title, "Since when")
        self.assertEqual(Shown(record, a_command(title="")).title, "uptime")
        self.assertEqual(Shown(record, None).title, "uptime")
        self.assertEqual(Shown(record, None).values, "nginx, a=b, odd")
