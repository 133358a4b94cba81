"""A caller's own allowance."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Throttled
from cmdserver.limits.rate_limit import Throttle
from tests.doubles import LAW


def _may(throttle: Throttle, caller: str, now: float) -> bool:
    try:
        throttle.spend(caller, now)
    except Throttled:
        return False
    return True


class ThrottleTests(unittest.TestCase):
    def test_no_limit(self) -> None:
        """Zero is no limit, and nobody is remembered."""
        throttle = Throttle(0)
        self.assertTrue(all(_may(throttle, "a", 0.0) for _ in range(1000)))

    def test_a_minutes_worth_at_once(self) -> None:
        """The whole allowance may be used in one moment, and no more."""
        throttle = Throttle(3)
        self.assertEqual([True, True, True, False, False], [_may(throttle, "a", 100.0) for _ in range(5)])

    def test_it_comes_back(self) -> None:
        """It comes back evenly: one request every minute divided by the allowance."""
        throttle = Throttle(3)
        for _ in range(3):
            throttle.spend("a", 0.0)
        self.assertEqual([False, True, False, True], [_may(throttle, "a", now) for now in (19.0, 20.0, 39.0, 40.0)])

    def test_refusals_cost_nothing(self) -> None:
        """Who asks too often loses nothing by it."""
        throttle = Throttle(1)
        throttle.spend("a", 0.0)
        self.assertFalse(any(_may(throttle, "a", now) for now in range(60)))
        self.assertTrue(_may(throttle, "a", 60.0))

    def test_no_more_than_a_minutes_worth_is_saved(self) -> None:
        """However long a caller was away, it has no more than a minute's worth."""
        throttle = Throttle(2)
        throttle.spend("a", 0.0)
        self.assertEqual([True, True, False], [_may(throttle, "a", 1e9) for _ in range(3)])

    def test_each_its_own(self) -> None:
        """Nobody uses up another's allowance."""
        throttle = Throttle(1)
        throttle.spend("a", 0.0)
        self.assertEqual(
            [True, False, False], [_may(throttle, "b", 0.0), _may(throttle, "b", 0.0), _may(throttle, "a", 0.0)]
        )

    def test_retry_after(self) -> None:
        """The refusal says how long to wait, and what the limit is."""
        throttle = Throttle(4)
        for _ in range(4):
            throttle.spend("a", 10.0)
        with self.assertRaises(Throttled) as raised:
            throttle.spend("a", 10.0)
        self.assertEqual(15, raised.exception.retry_after_seconds)
        with self.assertRaises(Throttled) as raised:
            throttle.spend("a", 12.5)
        self.assertEqual(13, raised.exception.retry_after_seconds)
        self.assertEqual("more than 4 requests in a minute; try again in 13 s", str(raised.exception))

    def test_a_clock_that_goes_back(self) -> None:
        """A clock that goes back gives and takes nothing."""
        throttle = Throttle(2)
        throttle.spend("a", 100.0)
        self.assertEqual([True, False], [_may(throttle, "a", 50.0), _may(throttle, "a", 50.0)])

    def test_bounded_memory(self) -> None:
        """The one who was away longest is forgotten first, and those who are here are not."""
        throttle = Throttle(1, max_callers=2)
        for caller in ("a", "b"):
            throttle.spend(caller, 0.0)
        self.assertFalse(_may(throttle, "a", 1.0))  # refused, but seen
        throttle.spend("c", 2.0)
        self.assertEqual([False, False], [_may(throttle, caller, 3.0) for caller in ("a", "c")])
        self.assertTrue(_may(throttle, "b", 3.0))

    @given(
        st.integers(1, 7),
        st.lists(st.tuples(st.integers(0, 90), st.sampled_from(["a", "b"])), max_size=40),
    )
    @LAW
    def test_the_law(self, per_minute: int, asked: list[tuple[int, str]]) -> None:
        """A caller never has more than a minute's worth and what came back since; waiting as told suffices."""
        throttle = Throttle(per_minute)
        now, answered = 0, dict[str, list[int]](a=[], b=[])
        for wait, caller in asked:
            now += wait
            try:
                throttle.spend(caller, now)
            except Throttled as throttled:
                self.assertLessEqual(throttled.retry_after_seconds, -(-60 // per_minute))
                now += throttled.retry_after_seconds
                throttle.spend(caller, now)
            answered[caller].append(now)
            times = answered[caller]
            for index, start in enumerate(times):
                self.assertLessEqual(len(times) - index, per_minute + (now - start) * per_minute / 60 + 1e-6)
