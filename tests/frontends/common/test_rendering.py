"""Answers as text and as JSON, byte for byte."""

import json
import unittest
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import BadArgument, Busy, Denied, Fault, Malformed, RequestError, Throttled, UnknownCommand
from cmdserver.core.model import Rule
from cmdserver.frontends.common import rendering
from cmdserver.frontends.common.rendering import (
    answer_json,
    answer_json_pieces,
    answer_trailer,
    end_line,
    error_json,
    error_text,
    explanation_json,
    explanation_text,
    has_failed,
    outcome_json,
    who_json,
    who_text,
    whoami_json,
    whoami_text,
)
from cmdserver.parameters.mistakes import ValueMistake
from tests.checks.doubles import PLUGIN, RULES, by_rules, plugin
from tests.doubles import LAW, a_caller, a_grant, an_answer


class AnswerTests(unittest.TestCase):
    def test_nothing_to_complain_of(self) -> None:
        """A success has no last line."""
        self.assertEqual(b"", answer_trailer(an_answer(stderr=b"warning\n")))

    def test_complaints(self) -> None:
        """A failure is told in one line, the reason that explains the others first."""
        cases: list[tuple[dict[str, Any], bytes]] = [
            ({"exit_status": 1}, b"cmdserver: df: exit status 1\n"),
            ({"exit_status": 255}, b"cmdserver: df: exit status 255\n"),
            ({"exit_status": None, "signal": "SIGSEGV"}, b"cmdserver: df: ended by SIGSEGV\n"),
            (
                {"exit_status": None, "signal": "SIGTERM", "timed_out": True},
                b"cmdserver: df: timeout: ran longer than 2.5 s and was ended\n",
            ),
            ({"timed_out": True}, b"cmdserver: df: timeout: ran longer than 2.5 s and was ended\n"),
            (
                {"exit_status": None, "signal": "SIGTERM", "truncated": True},
                b"cmdserver: df: output truncated at 9 bytes\n",
            ),
            ({"truncated": True}, b"cmdserver: df: output truncated at 9 bytes\n"),
        ]
        grant = a_grant(timeout_seconds=2.5, output_limit_bytes=9)
        for finished, trailer in cases:
            with self.subTest(finished):
                self.assertEqual(trailer, answer_trailer(an_answer(grant, **finished)))

    def test_json(self) -> None:
        """The object of the contract, with the fields in its order."""
        answer = an_answer(stdout=b"out\n", stderr=b"err\n", duration_seconds=0.12345678, shared=True)
        self.assertEqual(
            b'{"id": "q1", "command": "df", "arguments": [], "outcome": "ok", "ended_by": null, "exit_status": 0, '
            b'"signal": null, "stdout": "out\\n", "stderr": "err\\n", "truncated": false, '
            b'"duration_seconds": 0.123457, "shared": true}\n',
            answer_json(answer),
        )

    def test_json_of_a_timeout(self) -> None:
        """A timeout is an error with the output so far."""
        answer = an_answer(exit_status=None, signal="SIGKILL", timed_out=True, stdout=b"so far")
        record = json.loads(answer_json(answer))
        self.assertEqual("so far", record["stdout"])
        self.assertIsNone(record["exit_status"])
        self.assertEqual("SIGKILL", record["signal"])
        self.assertEqual({"code": "timeout", "message": "timeout: ran longer than 30 s and was ended"}, record["error"])

    def test_json_of_a_failure(self) -> None:
        """A command that failed by itself is no error of ours."""
        record = json.loads(answer_json(an_answer(exit_status=3, truncated=True)))
        self.assertEqual(3, record["exit_status"])
        self.assertIs(True, record["truncated"])
        self.assertNotIn("error", record)

    def test_checks(self) -> None:
        """JSON has what was found, beside all that every run has; text says nothing that it does not say itself."""
        record = json.loads(answer_json(by_rules(stdout=b"table")))
        self.assertEqual((record["check"]["state"], record["stdout"], record["exit_status"]), ("CRITICAL", "table", 0))
        self.assertEqual([each["value"] for each in record["check"]["performance"]], [12, 93])
        self.assertEqual(json.loads(outcome_json(by_rules()))["check"], record["check"])
        self.assertNotIn("check", json.loads(answer_json(an_answer())))
        for answer in (by_rules(), plugin(b"x", 2), by_rules(exit_status=3)):
            self.assertEqual(answer_trailer(answer), b"")
        self.assertEqual(answer_trailer(plugin(b"x", 5)), b"cmdserver: df: exit status 5\n")
        self.assertEqual(answer_trailer(plugin(b"\xff")), b"cmdserver: df: the plugin has printed what is no text\n")

    def test_the_last_line_of_checks(self) -> None:
        """Has the state, and why if rules have found it."""
        cases = [
            (plugin(b"x", 0), "OK: exit status 0"),
            (plugin(b"x", 2), "CRITICAL: exit status 2"),
            (plugin(b"\xff", 0), "UNKNOWN: the plugin has printed what is no text"),
            (plugin(b"x", None, signal="SIGKILL"), "UNKNOWN: ended by SIGKILL"),
            (by_rules(), "CRITICAL: use_percent of /var is 93 (over 90)"),
            (by_rules(None, "it stumbles"), "UNKNOWN: it stumbles"),
            (by_rules(exit_status=1), "UNKNOWN: exit status 1"),
            (an_answer(), "exit status 0"),
            (an_answer(exit_status=1), "exit status 1"),
        ]
        for answer, text in cases:
            self.assertEqual(end_line(answer), f"cmdserver: df: {text}\n".encode())

    def test_what_has_failed(self) -> None:
        """A check that nobody has to be woken for has not, whatever its exit status."""
        for status, has_failed_ in enumerate((False, False, True, True, True)):
            self.assertIs(has_failed(plugin(b"x", status)), has_failed_)
            self.assertIs(has_failed(an_answer(exit_status=status)), status != 0)
        self.assertTrue(has_failed(by_rules()))

    @given(st.binary(), st.binary(), st.integers(1, 9))
    @LAW
    def test_json_in_pieces(self, stdout: bytes, stderr: bytes, length: int) -> None:
        """However output is cut, its answer is the same."""
        answer = an_answer(stdout=stdout, stderr=stderr)
        whole = answer_json(answer)
        with patch.object(rendering, "PIECE_BYTES", length):
            pieces = list(answer_json_pieces(answer))

        self.assertEqual(whole, b"".join(pieces))
        self.assertNotIn(b"", pieces)

    @given(st.binary(), st.binary())
    @LAW
    def test_json_of_any_output(self, stdout: bytes, stderr: bytes) -> None:
        """Whatever a command says, its answer is one object on one line of ASCII that says the same."""
        rendered = answer_json(an_answer(stdout=stdout, stderr=stderr))
        self.assertTrue(rendered.isascii())
        self.assertEqual(len(rendered) - 1, rendered.find(b"\n"))
        record = json.loads(rendered)
        self.assertEqual(stdout.decode(errors="replace"), record["stdout"])
        self.assertEqual(stderr.decode(errors="replace"), record["stderr"])


class ErrorTests(unittest.TestCase):
    CASES: tuple[tuple[RequestError, str, str], ...] = (
        (Malformed("the line has no words"), "malformed", "the line has no words"),
        (UnknownCommand("x"), "unknown_command", 'no command named "x"; try: help'),
        (UnknownCommand("x", ("a", "b")), "unknown_command", 'no command named "x"; did you mean a or b?'),
        (Denied("no role"), "denied", "no role"),
        (BadArgument("too many"), "bad_argument", "too many"),
        (Throttled("too often", 2.01), "throttled", "too often; try again in 3 s"),
        (Busy("full", 0.0), "busy", "full; try again in 1 s"),
        (Fault("f00"), "fault", "internal fault f00; the administrator finds it in the log under this id"),
    )

    def test_text(self) -> None:
        """An error is one line with its code and its text."""
        for error, code, message in self.CASES:
            with self.subTest(code):
                self.assertEqual(f"cmdserver: {code}: {message}\n".encode(), error_text(error))

    def test_json(self) -> None:
        """For programs code and text are apart."""
        for error, code, message in self.CASES:
            with self.subTest(code):
                record = json.loads(error_json(error))["error"]
                self.assertEqual((code, message), (record["code"], record["message"]))

    def test_json_tells_what_to_do(self) -> None:
        """Seconds to wait and names to try are fields of their own, and only where there are any."""
        self.assertEqual(3, json.loads(error_json(Throttled("x", 2.5)))["error"]["retry_after_seconds"])
        self.assertEqual(["a"], json.loads(error_json(UnknownCommand("x", ("a",))))["error"]["suggestions"])
        self.assertEqual({"code", "message"}, json.loads(error_json(Denied("x")))["error"].keys())

    def test_json_tells_of_each_value(self) -> None:
        """The first mistake is the error's, and all stand beside it."""
        unit = ValueMistake("unit", "must be one of a, b", ("a",))
        lines = ValueMistake("lines", "must be a whole number")

        self.assertEqual(
            json.loads(error_json(BadArgument("all of it", (unit, lines)))),
            {
                "error": {
                    "code": "bad_argument",
                    "message": "all of it",
                    "parameter": "unit",
                    "suggestions": ["a"],
                },
                "errors": [
                    {"parameter": "unit", "message": "unit must be one of a, b", "suggestions": ["a"]},
                    {"parameter": "lines", "message": "lines must be a whole number", "suggestions": []},
                ],
            },
        )

    @given(st.text())
    @LAW
    def test_a_stranger_forges_no_line(self, name: str) -> None:
        """Whatever was asked for, the error is one line without control characters, and one line of JSON."""
        rendered = error_text(UnknownCommand(name))
        self.assertEqual(1, len(rendered.decode().splitlines()))
        self.assertEqual([], [each for each in rendered.decode()[:-1] if ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0])
        rendered = error_json(UnknownCommand(name))
        self.assertTrue(rendered.isascii())
        self.assertEqual(1, len(rendered.splitlines()))

    def test_a_lone_surrogate(self) -> None:
        """Text that has no UTF-8 is told nevertheless."""
        self.assertEqual(b'cmdserver: malformed: "?"\n', error_text(Malformed('"\ud800"')))


class ExplanationTests(unittest.TestCase):
    def test_text(self) -> None:
        """What would run, as whom, with which limits, by which rule: a line each."""
        expected = """\
command             df
run                 df -h
executable          /usr/bin/df
arguments           none
user                daemon
group               adm
working_directory   /
environment         HOME LANG
timeout_seconds     30
output_limit_bytes  1048576
max_running         no limit
when_running        wait
on_disconnect       end
ok_statuses         0
history             all
read_only           yes
share               yes
raw                 no
role                staff
rule                d*
"""
        self.assertEqual(expected, explanation_text(a_grant(), Rule(role="staff", pattern="d*")).decode())

    def test_json(self) -> None:
        """Programs get the same as values."""
        grant = a_grant(max_running=3, timeout_seconds=0.5, read_only=False)
        self.assertEqual(
            {
                "command": "df",
                "run": ["df", "-h"],
                "executable": "/usr/bin/df",
                "arguments": [],
                "user": "daemon",
                "group": "adm",
                "working_directory": "/",
                "environment": ["HOME", "LANG"],
                "timeout_seconds": 0.5,
                "output_limit_bytes": 1048576,
                "max_running": 3,
                "when_running": "wait",
                "on_disconnect": "end",
                "ok_statuses": [0],
                "history": "all",
                "read_only": False,
                "share": True,
                "raw": False,
                "role": "staff",
                "rule": "*",
                "warnings": [],
            },
            json.loads(explanation_json(grant, Rule(role="staff", pattern="*"))),
        )

    def test_checks(self) -> None:
        """How a command is judged, and whether its numbers are told."""
        rule = Rule(role="staff", pattern="*")
        cases = [
            (a_grant(check=PLUGIN), "plugin", None),
            (a_grant(check=RULES, metrics=True), "use_percent by mounted_on: WARNING over 80, CRITICAL over 90", True),
            (a_grant(), None, None),
        ]
        for grant, check, metrics in cases:
            record = json.loads(explanation_json(grant, rule))
            self.assertEqual((record.get("check"), record.get("metrics")), (check, metrics))
            self.assertEqual(
                f"check               {check}\n" in explanation_text(grant, rule).decode(), check is not None
            )

    def test_one_line_a_fact(self) -> None:
        """An argument with a line end in it makes no further line."""
        grant = a_grant(run=("printf", "a\nrole  root"))
        rule = Rule(role="staff", pattern="*")
        self.assertEqual(20, len(explanation_text(grant, rule).splitlines()))


class WhoTests(unittest.TestCase):
    def test_whoami(self) -> None:
        """A caller is told name, roles, listener and address."""
        caller = a_caller("ann", protocol="ssh", source="2001:db8::1")
        expected = "name      ann\nroles     staff admin\nprotocol  ssh\naddress   2001:db8::1\n"
        self.assertEqual(expected, whoami_text(caller, ["staff", "admin"]).decode())
        self.assertEqual(
            b'{"name": "ann", "roles": ["staff", "admin"], "protocol": "ssh", "address": "2001:db8::1"}\n',
            whoami_json(caller, iter(["staff", "admin"])),
        )

    def test_whoami_of_the_anonymous(self) -> None:
        """The anonymous have no name, and a caller may have no roles."""
        self.assertEqual(
            b"name      (anonymous)\nroles     (none)\nprotocol  line\naddress   192.0.2.1\n",
            whoami_text(a_caller(), []),
        )
        self.assertIsNone(json.loads(whoami_json(a_caller(), []))["name"])

    def test_who(self) -> None:
        """Connections are counted by protocol, in one order."""
        self.assertEqual(b"line  12\nssh   0\n", who_text({"ssh": 0, "line": 12}))
        self.assertEqual(b'{"connected": {"line": 12, "ssh": 0}}\n', who_json({"ssh": 0, "line": 12}))

    def test_who_when_there_was_nobody(self) -> None:
        """Nobody is nothing."""
        self.assertEqual(b"", who_text({}))
        self.assertEqual(b'{"connected": {}}\n', who_json({}))
