"""Tests of what pages say of checks."""

from typing import Any
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.core.run_states import RunState
from cmdserver.frontends.web.pages.checks.words import (
    bare_number,
    by_schedule,
    how_long_so,
    number_with_unit,
    rough_number,
    sentence,
    sign,
    state_of,
)
from cmdserver.frontends.web.pages.markup import element
from cmdserver.runs.check_trends import Trend
from tests.doubles import LAW
from tests.frontends.web.reading import Read
from tests.runs.doubles import a_record


def said(text: str | None, found: CheckState | None = CheckState.WARNING, **differences: Any) -> str | None:
    """Say the sentence of a run."""
    return sentence(a_record(check_state=found, check_text=text, **differences))


class StateTests(TestCase):
    def test_whose_state_counts(self) -> None:
        """A check's, but not of what somebody has stopped, what is alive, and what could not be."""
        of_check = {
            state for state in RunState if state_of(a_record(state=state, check_state=CheckState.UNKNOWN)) is not None
        }

        self.assertEqual(of_check, {RunState.OK, RunState.FAILED, RunState.TIMEOUT, RunState.TRUNCATED})
        self.assertIsNone(state_of(a_record()))

    def test_signs(self) -> None:
        """No two are alike; what is not well is said in a word, too."""
        signs = [sign(each) for each in CheckState]
        self.assertEqual(signs, ["✓ OK", "▲ WARNING", "✗ CRITICAL", "? UNKNOWN"])

    def test_sentences(self) -> None:
        """The state is not said twice; what only looks like it is kept."""
        cases = {
            "WARNING - 14 wait": "14 wait",
            "WARNING: 14 wait": "14 wait",
            "WARNING 14 wait": "14 wait",
            "DISK WARNING - full": "DISK WARNING - full",
            "WARNINGS there are": "WARNINGS there are",
            "CRITICAL - what": "CRITICAL - what",
            "WARNING": None,
            "": None,
        }
        self.assertEqual({text: said(text) for text in cases}, cases)
        self.assertEqual(len(said("x" * 4000) or ""), 300)
        self.assertIsNone(said("by hand", found=None))
        self.assertIsNone(said("WARNING - x", state=RunState.STOPPED))

    def test_how_long(self) -> None:
        """From the first run that found the same to this one; at least so long, if nobody knows what was before."""
        trend = Trend((), CheckResult(state=CheckState.OK, text=""), 0.0)
        record = a_record(
            check_state=CheckState.WARNING, check_text="", started_at=7800.0, duration_seconds=0.5, arguments=()
        )
        calm = a_record(check_state=CheckState.OK, check_text="", started_at=7800.0, arguments=())
        at_least = how_long_so(calm, trend)
        trend.note((), CheckResult(state=CheckState.WARNING, text=""), 100.0)
        young = how_long_so(a_record(check_state=CheckState.WARNING, started_at=101.0, arguments=()), trend)

        self.assertEqual(at_least, "at least 2 h 10 min")
        self.assertEqual(how_long_so(record, trend), "2 h 8 min")
        self.assertIsNone(young)
        self.assertIsNone(how_long_so(record, None))
        self.assertIsNone(how_long_so(calm, trend))
        trend.note(("a=1",), CheckResult(state=CheckState.WARNING, text=""), 100.0)
        self.assertIsNone(how_long_so(record, trend))


class NumberTests(TestCase):
    def test_units(self) -> None:
        """As the plugin gives them; bytes in powers of 1024, counters bare."""
        cases = {
            (0.42, "s"): "0.42 s",
            (12.0, "days"): "12 days",
            (93.5, "%"): "93.5 %",
            (7.0, "c"): "7",
            (7.0, ""): "7",
            (6_012_534_784.0, "B"): "5.6 GiB",
            (512.0, "MB"): "512 MB",
            (1e300, "B"): "1e+300 B",
            (1e300, "s"): "1e+300 s",
        }
        self.assertEqual({case: number_with_unit(*case) for case in cases}, cases)
        self.assertEqual([bare_number(5.0, "s"), bare_number(2048.0, "B")], ["5", "2.0 KiB"])

    def test_ends_of_plots(self) -> None:
        """Three digits, and more only of what is larger."""
        self.assertEqual([rough_number(each, "") for each in (4.01437, 0.151234, 1234.56, -99999.5)],
                         ["4.01", "0.151", "1235", "-100,000"])  # fmt: skip

    @LAW
    @given(value=st.floats(allow_nan=False, allow_infinity=False), unit=st.sampled_from(["", "c", "s", "B", "%"]))
    def test_any_number(self, value: float, unit: str) -> None:
        """It is short."""
        for say in (number_with_unit, bare_number, rough_number):
            self.assertLessEqual(len(say(value, unit)), 24)


class ScheduleTests(TestCase):
    def test_words(self) -> None:
        """Simple ones are said; what does not come evenly, or takes more words, is shown as it is."""
        cases = {
            "*/5 * * * *": "Every 5 min by schedule",
            "* * * * *": "Every minute by schedule",
            "7 * * * *": "Every hour by schedule",
            "0 */6 * * *": "Every 6 h by schedule",
            "5 4 * * *": "Every day at 04:05 by schedule",
            "*/7 * * * *": "By schedule */7 * * * *",
            "0 4 * * 1-5": "By schedule 0 4 * * 1-5",
            "@daily": "By schedule @daily",
            "<b>": "By schedule <b>",
        }
        self.assertEqual({line: "".join(Read(element("p", *by_schedule([line]))).text) for line in cases}, cases)
        two = Read(element("p", *by_schedule(["5 4 * * *", "7 * * * *"])))
        self.assertEqual("".join(two.text), "By schedule 5 4 * * *, 7 * * * *")
