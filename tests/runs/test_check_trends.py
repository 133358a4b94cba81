"""Tests of what checks have found in the last day."""

from collections.abc import Mapping
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.checks.performance import Performance
from cmdserver.checks.result import CheckResult
from cmdserver.checks.states import CheckState
from cmdserver.core.events import Requested
from cmdserver.core.output import Assessment
from cmdserver.runs.check_trends import (
    MOST_LABELS,
    MOST_POINTS,
    POINT_SECONDS,
    CheckTrends,
    Point,
    Trend,
    nothing_is_known,
)
from tests.doubles import LAW
from tests.running_doubles import requested

#: The beginning of a quarter of an hour.
NOON = 1_700_000_100.0


def found(values: Mapping[str, float] | None = None, state: CheckState = CheckState.OK) -> CheckResult:
    """Make what a check has found."""
    measured = tuple(Performance(label=label, value=value) for label, value in (values or {}).items())
    return CheckResult(state=state, text="", performance=measured)


def ended(result: CheckResult | None, time: float = NOON) -> Requested:
    """Make the event of a run's end."""
    return requested(time=time, command="load", arguments=("a=1",), assessment=Assessment(check=result))


class TrendTests(TestCase):
    def test_points(self) -> None:
        """What was measured in a quarter of an hour is one point; the last one is now's."""
        trend = Trend((), found(), NOON)
        for after, value in ((0, 5.0), (1, 3.0), (2, 4.0), (POINT_SECONDS, 7.0)):
            trend.note((), found({"a": value}), NOON + after)

        self.assertEqual(
            trend.points("a", NOON + POINT_SECONDS),
            (Point(MOST_POINTS - 2, 3.0, 5.0, 4.0), Point(MOST_POINTS - 1, 7.0, 7.0, 7.0)),
        )
        self.assertEqual(trend.points("b", NOON), ())

    def test_a_day(self) -> None:
        """What was measured before is forgotten, whether something was measured since, or not."""
        trend = Trend((), found(), NOON)
        for quarter in range(2 * MOST_POINTS):
            trend.note((), found({"a": float(quarter)}), NOON + quarter * POINT_SECONDS)
        last = NOON + (2 * MOST_POINTS - 1) * POINT_SECONDS

        self.assertEqual([each.place for each in trend.points("a", last)], list(range(MOST_POINTS)))
        self.assertEqual(trend.points("a", last)[0].last, float(MOST_POINTS))
        self.assertEqual(len(trend.points("a", last + 10 * POINT_SECONDS)), MOST_POINTS - 10)
        self.assertEqual(trend.points("a", last + MOST_POINTS * POINT_SECONDS), ())

    def test_labels_are_bounded(self) -> None:
        """Those that were measured last stay; of one result the first, and each once."""
        trend = Trend((), found(), NOON)
        for number in range(3 * MOST_LABELS):
            trend.note((), found({"kept": 1.0, f"pid{number}": 1.0}), NOON)
        many = {f"v{number}": float(number) for number in range(2 * MOST_LABELS)}
        known = [label for label in ("kept", "pid0", f"pid{3 * MOST_LABELS - 1}") if trend.points(label, NOON)]
        trend.note((), found(many), NOON)

        self.assertEqual(known, ["kept", f"pid{3 * MOST_LABELS - 1}"])
        self.assertEqual([label for label in many if trend.points(label, NOON)], list(many)[:MOST_LABELS])
        self.assertEqual(trend.points("kept", NOON), ())

    def test_a_label_that_is_there_twice(self) -> None:
        """The first one counts; what is not known is no value."""
        twice = (Performance(label="a", value=None), *(Performance(label="a", value=each) for each in (1.0, 9.0)))
        trend = Trend((), found(), NOON)
        trend.note((), CheckResult(state=CheckState.OK, text="", performance=twice), NOON)

        self.assertEqual(trend.points("a", NOON), (Point(MOST_POINTS - 1, 1.0, 1.0, 1.0),))

    @LAW
    @given(times=st.lists(st.floats(-1e12, 1e12), max_size=30), now=st.floats(-1e12, 1e12))
    def test_any_clock(self, times: list[float], now: float) -> None:
        """A clock that is set back or forth breaks nothing: places are in order, and within a day."""
        trend = Trend((), found(), NOON)
        for time in times:
            trend.note((), found({"a": 1.0}), time)
        places = [each.place for each in trend.points("a", now)]

        self.assertEqual(places, sorted(set(places)))
        self.assertLessEqual(set(places), set(range(MOST_POINTS)))

    def test_since_when(self) -> None:
        """From the first run that has found the same; of the first state of all nobody knows how old it is."""
        trend = Trend((), found(), 1.0)
        trend.note((), found(), 2.0)
        first = (trend.state, trend.since, trend.has_changed)
        for time in (3.0, 4.0):
            trend.note((), found(state=CheckState.WARNING), time)

        self.assertEqual(first, (CheckState.OK, 1.0, False))
        self.assertEqual((trend.state, trend.since, trend.has_changed), (CheckState.WARNING, 3.0, True))


class CheckTrendsTests(TestCase):
    def test_events(self) -> None:
        """What a run has found is noted; of what is no check nothing is."""
        trends = CheckTrends()
        trends(ended(None))
        nothing = trends.of("load")
        trends(ended(found({"a": 1.0})))
        trends(ended(found({"a": 2.0})))
        trend = trends.of("load")

        self.assertIsNone(nothing)
        assert trend is not None
        self.assertEqual(trend.arguments, ("a=1",))
        self.assertEqual([(each.smallest, each.last) for each in trend.points("a", NOON)], [(1.0, 2.0)])

    def test_a_reload(self) -> None:
        """What is no check any more is forgotten."""
        trends = CheckTrends()
        trends(ended(found({"a": 1.0})))
        trends.reconfigure(["load", "other"])
        kept = trends.of("load")
        trends.reconfigure(["other"])

        self.assertIsNotNone(kept)
        self.assertIsNone(trends.of("load"))

    def test_nobody_has_listened(self) -> None:
        """Then there is nothing."""
        self.assertIsNone(nothing_is_known("load"))
