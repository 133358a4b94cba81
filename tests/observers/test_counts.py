"""Tests of what is counted: the buckets of durations have their bounds in them."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.observers.counts import BOUNDS, Counts
from tests.running_doubles import finished, requested


class DurationTests(unittest.TestCase):
    @given(st.lists(st.sampled_from(BOUNDS) | st.floats(min_value=0, max_value=1000)))
    def test_buckets(self, seconds: list[float]) -> None:
        """Up to a bound are counted as many as took at most so long, whatever they took."""
        counts = Counts()
        for each in seconds:
            counts.count_request("uptime", requested(finished=finished(duration_seconds=each)))

        counted = counts.durations["uptime"].counts
        for index, bound in enumerate(BOUNDS):
            self.assertEqual(sum(counted[: index + 1]), sum(each <= bound for each in seconds), bound)
        self.assertEqual(sum(counted), len(seconds))
