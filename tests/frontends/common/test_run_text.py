"""Tests of runs as text and as JSON."""

import json
from typing import Any
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.states import CheckState
from cmdserver.core.output import Stream
from cmdserver.core.run_states import EndedBy, RunState
from cmdserver.dispatch.watching import SeenRun
from cmdserver.frontends.common import run_text
from cmdserver.runs.kept_output import KeptOutput
from cmdserver.runs.record import Asked
from cmdserver.runs.waiting import Waiting, WaitsFor
from tests.doubles import LAW
from tests.running_doubles import grant
from tests.runs.doubles import a_record

BEGAN = 1_606_602_000.0  # 2020-11-28T22:20:00Z

_ODD = {"command": "d\x1b[2Jf", "arguments": ("a\nb", "\ud800", "ü"), "user": "a\u202eda"}


class ListTests(TestCase):
    def test_text(self) -> None:
        """A line each, under the names of the columns; what is not known is a dash."""
        records = [
            a_record(id="b" * 16, command="restart", arguments=("unit=nginx", "x y"), user=None, protocol="web"),
            a_record(
                id="a" * 16, state=RunState.QUEUED, started_at=None, duration_seconds=None, protocol="schedule",
                user="schedule",
            ),
        ]  # fmt: skip
        expected = """\
ID                STATE   STARTED               TOOK  WHO               COMMAND
bbbbbbbbbbbbbbbb  ok      2020-09-13T12:26:41Z  0.2s  (anonymous), web  restart unit=nginx x y
aaaaaaaaaaaaaaaa  queued  2020-09-13T12:26:40Z  -     schedule          uptime
"""
        self.assertEqual(expected, run_text.list_text(records).decode())

    def test_none(self) -> None:
        """That there are none is said to people; programs have an empty list."""
        self.assertEqual((run_text.list_text([]), run_text.list_json([])), (b"no runs\n", b'{"runs": []}\n'))

    def test_nothing_acts_on_a_terminal(self) -> None:
        """Each run is one line, whatever its values and names are."""
        text = run_text.list_text([a_record(**_ODD)] * 2)

        self.assertEqual(len(text.splitlines()), 3)
        self.assertNotRegex(text, rb"[\x00-\x09\x0b-\x1f\x7f]")

    @given(st.text(), st.lists(st.text(), max_size=3), st.text(max_size=9) | st.none())
    @LAW
    def test_any_names(self, command: str, arguments: list[str], user: str | None) -> None:
        """As text and as JSON a run is a line."""
        record = a_record(command=command, arguments=tuple(arguments), user=user)
        self.assertEqual(len(run_text.list_text([record]).split(b"\n")), 3)
        for rendered in (run_text.list_json([record]), run_text.record_json(record), run_text.record_text(record)):
            self.assertEqual(rendered.count(b"\n"), 1)
        self.assertTrue(run_text.record_json(record).isascii())
        self.assertEqual(json.loads(run_text.record_json(record))["arguments"], arguments)


class RecordTests(TestCase):
    def test_json(self) -> None:
        """What is known of a run, with its times in UTC."""
        record = a_record(
            state=RunState.STOPPED,
            exit_status=None,
            signal="SIGTERM",
            ended_by=EndedBy.STOP,
            stopped_by="guy",
            duration_seconds=0.12345678,
            others=(Asked(id="b", user=None),),
        )
        self.assertEqual(
            json.loads(run_text.record_json(record)),
            {
                "id": "00000000000000a7",
                "command": "uptime",
                "arguments": [],
                "state": "stopped",
                "outcome": "failed",
                "ended_by": "stop",
                "stopped_by": "guy",
                "user": "ada",
                "protocol": "line",
                "asked": "2020-09-13T12:26:40Z",
                "started": "2020-09-13T12:26:41Z",
                "duration_seconds": 0.123457,
                "exit_status": None,
                "signal": "SIGTERM",
                "truncated": False,
                "stdout_bytes": 0,
                "stderr_bytes": 0,
                "shared": True,
            },
        )

    def test_json_of_what_is_not_over(self) -> None:
        """It has no outcome yet; one that waits has no start either."""
        for state in (RunState.QUEUED, RunState.RUNNING):
            record = a_record(state=state, started_at=None, duration_seconds=None, exit_status=None)
            told = json.loads(run_text.record_json(record))
            self.assertEqual([told[name] for name in ("outcome", "started", "duration_seconds")], [None] * 3)
            self.assertEqual(told["state"], state)

    def test_with_its_output(self) -> None:
        """Both streams, and how much is missing."""
        output = KeptOutput(((Stream.STDOUT, b"a\xff"), (Stream.STDERR, b"x")), 7, ((Stream.STDOUT, b"b"),))
        told = json.loads(run_text.seen_json(SeenRun(a_record(), output, grant(), may_stop=False)))

        self.assertEqual((told["stdout"], told["stderr"], told["omitted_bytes"]), ("a\ufffdb", "x", 7))
        self.assertEqual(told["id"], a_record().id)

    def test_state(self) -> None:
        """With the one fact that explains it."""
        cases: list[tuple[dict[str, Any], str]] = [
            ({"state": RunState.RUNNING}, "running"),
            ({"state": RunState.FAILED, "problem": "exit status 3"}, "failed (exit status 3)"),
            ({"state": RunState.FAILED}, "failed"),
            ({"state": RunState.STOPPED, "stopped_by": "guy", "problem": "stopped by guy"}, "stopped by guy"),
            ({"state": RunState.STOPPED, "problem": "stopped, as the daemon was"}, "stopped"),
            ({"state": RunState.TIMEOUT, "problem": "timeout: ran longer than 1 s and was ended"}, "timeout"),
        ]
        for differences, text in cases:
            self.assertEqual(run_text.state_text(a_record(**differences)), text)

    def test_state_of_checks(self) -> None:
        """Its own word, and why nobody knows if it did not end by itself."""
        cases: list[tuple[dict[str, Any], str]] = [
            ({"state": RunState.OK, "check_state": CheckState.CRITICAL}, "CRITICAL"),
            ({"state": RunState.OK, "check_state": CheckState.OK}, "OK"),
            ({"state": RunState.FAILED, "problem": "exit status 1", "check_state": CheckState.WARNING}, "WARNING"),
            ({"state": RunState.TIMEOUT, "check_state": CheckState.UNKNOWN}, "UNKNOWN (timeout)"),
            (
                {"state": RunState.STOPPED, "stopped_by": "guy", "check_state": CheckState.UNKNOWN},
                "UNKNOWN (stopped by guy)",
            ),
        ]
        for differences, text in cases:
            self.assertEqual(run_text.state_text(a_record(**differences)), text)

    def test_json_of_checks(self) -> None:
        """State and text, of a check alone."""
        for state in CheckState:
            told = json.loads(run_text.record_json(a_record(check_state=state, check_text="é | \x1b")))
            self.assertEqual(told["check"], {"state": state.name, "text": "é | \x1b"})
        self.assertNotIn("check", json.loads(run_text.record_json(a_record())))

    def test_text(self) -> None:
        """One line, for who has stopped it."""
        self.assertEqual(run_text.record_text(a_record()), b"uptime (00000000000000a7): ok\n")
        self.assertEqual(run_text.started_text("00000000000000a7"), b"00000000000000a7\n")

    def test_how_long(self) -> None:
        """Tenths of a second up to a minute."""
        times = [None, 0.0, 0.04, 59.94, 60.0, 61.9, 3600.0]
        self.assertEqual(
            [run_text.took_text(seconds) for seconds in times],
            ["-", "0.0s", "0.0s", "59.9s", "1m", "1m1s", "1h"],
        )


class WaitingTests(TestCase):
    """Why a run has not begun."""

    def said(self, user: str | None, **differences: Any) -> str:
        """Say it to ada, who waits for somebody's run."""
        record = a_record(id="7" * 16, user=user, started_at=BEGAN, duration_seconds=1200.0, **differences)
        return run_text.waiting_text(Waiting(WaitsFor.RUN, record), "ada").decode()

    def test_for_a_run(self) -> None:
        """Whose it is, since when it runs, and how to look at it."""
        self.assertEqual(
            self.said("ann"), "Waiting: ann has been running this since 22:20 UTC (attach 7777777777777777)\n"
        )
        self.assertIn(": you have been", self.said("ada"))
        self.assertIn(": you have been", self.said("ann", others=(Asked(id="8" * 16, user="ada"),)))
        self.assertIn(": somebody has been", self.said(None))

    def test_for_long(self) -> None:
        """After a day, a time of day does not say when."""
        record = a_record(user="ann", started_at=BEGAN, duration_seconds=86_400.0)
        self.assertIn(b"2020-11-28 22:20 UTC", run_text.waiting_text(Waiting(WaitsFor.RUN, record), "ada"))

    def test_for_what_is_not_told(self) -> None:
        """Who may not see that run reads neither name nor id; nor is there one where it is a matter of turns."""
        self.assertEqual(run_text.waiting_text(Waiting(WaitsFor.RUN), "ada"), b"Waiting for another run.\n")
        self.assertEqual(run_text.waiting_text(Waiting(WaitsFor.TURN), "ada"), b"Waiting for its turn.\n")

    def test_nothing_acts_on_a_terminal(self) -> None:
        """Whoever it is."""
        text = self.said("\x1b[2J\n")
        self.assertEqual((text.count("\n"), "\x1b" in text), (1, False))
