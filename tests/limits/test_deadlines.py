"""Who has been waited for too long."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.limits.deadlines import Deadlines
from tests.doubles import LAW

_STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["begin", "end", "expired"]), st.integers(0, 3), st.integers(0, 3)),
    max_size=40,
)


class DeadlinesTests(unittest.TestCase):
    def test_a_wait_ends(self) -> None:
        """A wait is over when its time has come, not before, and once."""
        deadlines = Deadlines[str]()
        deadlines.begin("a", 10.0, 100.0)
        self.assertEqual([], deadlines.expired(109.9))
        self.assertEqual(["a"], deadlines.expired(110.0))
        self.assertEqual([], deadlines.expired(1000.0))

    def test_who_came_is_not_waited_for(self) -> None:
        """What has been ended does not expire; to end twice, or a stranger's, is harmless."""
        deadlines = Deadlines[str]()
        deadlines.begin("a", 10.0, 0.0)
        deadlines.begin("b", 10.0, 1.0)
        for waiter in ("a", "a", "c"):
            deadlines.end(waiter)
        self.assertEqual(["b"], deadlines.expired(50.0))

    def test_the_last_wait_counts(self) -> None:
        """A new wait takes the place of the old one, longer or shorter or the same."""
        for seconds, end in ((10.0, 15.0), (20.0, 25.0), (1.0, 6.0)):
            with self.subTest(seconds):
                deadlines = Deadlines[str]()
                deadlines.begin("a", 10.0, 0.0)
                deadlines.begin("a", seconds, 5.0)
                self.assertEqual([], deadlines.expired(end - 0.5))
                self.assertEqual(["a"], deadlines.expired(end))
                self.assertEqual([], deadlines.expired(100.0))

    def test_order(self) -> None:
        """Of one length the longest overdue comes first, also when its wait was begun anew."""
        deadlines = Deadlines[str]()
        for now, waiter in enumerate("abca"):
            deadlines.begin(waiter, 10.0, float(now))
        self.assertEqual(["b", "c", "a"], deadlines.expired(100.0))

    def test_no_time_at_all(self) -> None:
        """A wait of no length is over at once."""
        deadlines = Deadlines[str]()
        deadlines.begin("a", 0.0, 5.0)
        self.assertEqual(["a"], deadlines.expired(5.0))

    def test_a_short_wait_does_not_hide_behind_a_long_one(self) -> None:
        """Waits of other lengths are looked at each by itself."""
        deadlines = Deadlines[str]()
        deadlines.begin("long", 300.0, 0.0)
        deadlines.begin("short", 2.0, 1.0)
        self.assertEqual(["short"], deadlines.expired(3.0))
        self.assertEqual(["long"], deadlines.expired(300.0))

    def test_waiters_are_forgotten(self) -> None:
        """Of waits that are over, or were ended, of whatever length, nothing is left."""
        deadlines = Deadlines[str]()
        for number in range(100):
            deadlines.begin("expires", float(number), 0.0)
            deadlines.begin("ends", float(number), 0.0)
            deadlines.end("ends")
            deadlines.expired(1000.0)
        self.assertEqual(({}, {}), (deadlines._by_length, deadlines._length))

    @given(_STEPS)
    @LAW
    def test_the_law(self, steps: list[tuple[int, str, int, int]]) -> None:
        """Just those expire whose last wait has ended, as a plain table of them says."""
        deadlines, table = Deadlines[int](), dict[int, int]()
        now = 0
        for passes, step, waiter, seconds in steps:
            now += passes
            if step == "begin":
                deadlines.begin(waiter, seconds, now)
                table[waiter] = now + seconds
            elif step == "end":
                deadlines.end(waiter)
                table.pop(waiter, None)
            else:
                over = {each for each, deadline in table.items() if deadline <= now}
                expired = deadlines.expired(now)
                self.assertEqual(sorted(over), sorted(expired))
                for each in over:
                    del table[each]
