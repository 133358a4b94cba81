"""Checks as text and as JSON."""

import json
import unittest
from typing import Any

from msgspec.structs import replace

from cmdserver.checks.data import Json
from cmdserver.checks.performance import Performance, parse
from cmdserver.checks.plugin_output import NO_TEXT
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.core.output import Answer
from cmdserver.core.run_states import EndedBy
from cmdserver.frontends.common.check_text import (
    check_fields,
    check_problem,
    is_overruled,
    is_own_text,
    plugin_text,
    says_itself,
)
from tests.checks.doubles import by_rules, plugin
from tests.doubles import an_answer

RUBBISH = b"\xff\xfe"
FOUND = b"CRITICAL: use_percent of /var is 93 (over 90) | 'use_percent /'=12%;80;90 'use_percent /var'=93%;80;90\n"


class WhoseWordsTests(unittest.TestCase):
    """Whether a check is told in words of ours, and whether anything need be said of how it ended."""

    def test_own_text(self) -> None:
        """Of rules alone, judged or not."""
        for answer, is_own in ((plugin(b"OK"), False), (by_rules(), True), (an_answer(), False)):
            self.assertIs(is_own_text(answer), is_own)
        self.assertTrue(is_own_text(replace(by_rules(), check=None)))

    def test_what_says_itself(self) -> None:
        """A plugin with an exit status of its state, and rules, whatever has become of the command."""
        cases: list[tuple[Answer, bool, bool]] = [
            (plugin(b"fine", 0), True, False),
            (plugin(b"hm", 1), True, False),
            (plugin(b"bad", 2), True, False),
            (plugin(b"what", 3), True, False),
            (plugin(b"x", 4), False, False),
            (plugin(b"x", 127), False, False),
            (plugin(b"x", None, signal="SIGSEGV"), False, False),
            (plugin(b"x", None, signal="SIGTERM", timed_out=True), False, False),
            (plugin(b"x", 0, timed_out=True), False, True),
            (plugin(b"x", 1, truncated=True), False, True),
            (plugin(b"x", 2, ended_by=EndedBy.STOP), False, True),
            (plugin(b"x", 3, timed_out=True), False, False),
            (plugin(b"x", 3, ended_by=EndedBy.STOP), False, False),
            (plugin(RUBBISH, 0), False, True),
            (plugin(RUBBISH, 3), True, False),
            (by_rules(), True, False),
            (by_rules(exit_status=1), True, False),
            (by_rules(exit_status=None, signal="SIGKILL"), True, False),
            (an_answer(), False, False),
            (an_answer(exit_status=2), False, False),
        ]
        for answer, says, is_other in cases:
            with self.subTest(answer=answer):
                self.assertEqual((says_itself(answer), is_overruled(answer)), (says, is_other))

    def test_problems(self) -> None:
        """How it ended comes first; of what has ended well it is what the plugin has printed."""
        cases: list[tuple[Answer, str | None]] = [
            (plugin(b"fine"), None),
            (plugin(b"bad", 2), "exit status 2"),
            (plugin(RUBBISH), NO_TEXT),
            (plugin(RUBBISH, 1), "exit status 1"),
            (plugin(RUBBISH, None, signal="SIGILL"), "ended by SIGILL"),
            (plugin(b"fine", 0, ended_by=EndedBy.STOP), "stopped"),
            (by_rules(), None),
            (an_answer(), None),
            (an_answer(exit_status=2), "exit status 2"),
        ]
        for answer, problem in cases:
            self.assertEqual(check_problem(answer), problem)


class TextTests(unittest.TestCase):
    def test_plugins(self) -> None:
        """What it has printed, byte for byte; on standard error if that is all, else in words of ours."""
        cases: list[tuple[Answer, bytes]] = [
            (plugin(b"DISK OK | /=1%\nlong | x=1\n", stderr=b"psst\n"), b"DISK OK | /=1%\nlong | x=1\n"),
            (plugin(b"", 3, stderr=b"check_x: no such option\n"), b"check_x: no such option\n"),
            (plugin(b"", 2), b"CRITICAL (the plugin has printed nothing)\n"),
            (plugin(b""), b"OK (the plugin has printed nothing)\n"),
        ]
        for answer, text in cases:
            self.assertEqual(plugin_text(answer), text)

    def test_rules(self) -> None:
        """Their finding, and not what was printed."""
        self.assertEqual(plugin_text(by_rules(stdout=b"table\n", stderr=b"df: /proc: no\n")), FOUND)

    def test_rules_without_data(self) -> None:
        """What the command has complained of says why."""
        complaint = b"df: /mnt: Input/output error\n"
        self.assertEqual(
            plugin_text(by_rules(None, "it stumbles", stderr=complaint)), b"UNKNOWN: it stumbles\n" + complaint
        )

    def test_what_no_bytes_are_for(self) -> None:
        """Half of a surrogate pair, as JSON may have it."""
        data: Json = [{"mounted_on": "\ud800", "use_percent": 95}]
        self.assertIn(b"use_percent of ? is 95", plugin_text(by_rules(data)))

    def test_what_was_not_judged(self) -> None:
        """What was printed is all that there is."""
        self.assertEqual(plugin_text(replace(by_rules(stdout=b"table\n"), check=None)), b"table\n")


class FieldsTests(unittest.TestCase):
    def fields(self, **result: Any) -> dict[str, Any]:
        """Say a result as JSON does."""
        said: dict[str, Any] = json.loads(
            json.dumps(check_fields(CheckResult(**{"state": CheckState.OK, "text": "t", **result})))
        )
        return said

    def test_all(self) -> None:
        """The object of the contract; ranges as they were written."""
        values, _ = parse("'a b'=1.5s;@1:2;~:3;0;10 c=U")
        self.assertEqual(
            self.fields(state=CheckState.WARNING, long_text="l\nm", performance=values),
            {
                "state": "WARNING",
                "text": "t",
                "long_text": "l\nm",
                "performance": [
                    {
                        "label": "a b",
                        "value": 1.5,
                        "unit": "s",
                        "warning": "@1:2",
                        "critical": "~:3",
                        "minimum": 0,
                        "maximum": 10,
                    },
                    {
                        "label": "c",
                        "value": None,
                        "unit": "",
                        "warning": None,
                        "critical": None,
                        "minimum": None,
                        "maximum": None,
                    },
                ],
            },
        )

    def test_what_is_cut(self) -> None:
        """Is counted."""
        self.assertEqual(self.fields(omitted_values=7)["performance_omitted"], 7)

    def test_numbers(self) -> None:
        """Whole numbers are whole, up to where a float does not know its last digit."""
        cases = [
            (30.0, "30"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (-5.0, "-5"),
            (2.0**53 - 1, "9007199254740991"),
            (2.0**53, "9007199254740992.0"),
            (1e300, "1e+300"),
        ]
        for value, text in cases:
            each = check_fields(
                CheckResult(state=CheckState.OK, text="", performance=(Performance(label="x", value=value),))
            )["performance"][0]
            self.assertEqual(json.dumps(each["value"]), text)
        measured = Performance(label="x", value=1.0, minimum=2.0, maximum=3.0)
        (each,) = check_fields(CheckResult(state=CheckState.OK, text="", performance=(measured,)))["performance"]
        self.assertEqual(json.dumps([each["minimum"], each["maximum"]]), "[2, 3]")
