"""Tests of the one timer of all runs."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cmdserver.execution.timeouts import Timeouts


class Waiter:
    """Somebody who has a deadline, and notes when it passes."""

    def __init__(self, clock: Clock, then: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._then = then
        self.times: list[float] = []

    def time_is_up(self) -> None:
        self.times.append(self._clock.seconds())
        self._then()


class TimeoutsTests(SynchronousTestCase):
    """Deadlines of several."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.timeouts = Timeouts(self.clock)

    def waiter(self, deadline: float, then: Callable[[], None] = lambda: None) -> Waiter:
        """Make somebody who waits."""
        waiter = Waiter(self.clock, then)
        self.timeouts.set(waiter, deadline)
        return waiter

    def test_each_at_its_time(self) -> None:
        """Whatever order they come in; one timer is enough."""
        waiters = [self.waiter(each) for each in (3, 1, 2, 1)]
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.clock.pump([0.25] * 16)
        self.assertEqual([[3], [1], [2], [1]], [each.times for each in waiters])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_another_deadline_takes_the_place_of_the_first(self) -> None:
        """Be it sooner or later."""
        later, sooner, cleared = self.waiter(1), self.waiter(9), self.waiter(1)
        self.timeouts.set(later, 5)
        self.timeouts.set(sooner, 2)
        self.timeouts.clear(cleared)
        self.timeouts.clear(cleared)
        self.clock.pump([0.5] * 20)
        self.assertEqual([[5], [2], []], [later.times, sooner.times, cleared.times])

    def test_nobody_waits(self) -> None:
        """The timer of those who are gone goes off once, and no more."""
        self.timeouts.clear(self.waiter(30))
        self.clock.advance(30)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_one_ends_another(self) -> None:
        """Of two whose time is up at once the second may be spared by the first, and may begin anew."""
        second = Waiter(self.clock)
        self.waiter(1, lambda: self.timeouts.clear(second))
        self.timeouts.set(second, 1)
        third = Waiter(self.clock)
        self.waiter(1, lambda: self.timeouts.set(third, 4))
        self.timeouts.set(third, 1)
        self.clock.advance(1)
        self.assertEqual([[], []], [second.times, third.times])
        self.clock.advance(3)
        self.assertEqual([4], third.times)

    def test_past(self) -> None:
        """A deadline that has passed is met at once, and not from within."""
        self.clock.advance(5)
        waiter = self.waiter(3)
        self.assertEqual([], waiter.times)
        self.clock.advance(0)
        self.assertEqual([5], waiter.times)


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 20))), max_size=40))
def test_nobody_is_called_early_late_or_twice(steps: list[tuple[int, int | None]]) -> None:
    """Whatever is set, cleared and waited for, each is called at the last deadline that it was given, once."""
    clock = Clock()
    timeouts = Timeouts(clock)
    waiters = [Waiter(clock) for _ in range(4)]
    expected: dict[int, float] = {}
    called: list[list[float]] = [[] for _ in waiters]
    for number, seconds in steps:
        if seconds is None:
            timeouts.clear(waiters[number])
            expected.pop(number, None)
        else:
            expected[number] = clock.seconds() + seconds
            timeouts.set(waiters[number], expected[number])
        clock.advance(1)
        for due in [each for each, deadline in expected.items() if deadline <= clock.seconds()]:
            called[due].append(clock.seconds())
            del expected[due]
        assert [each.times for each in waiters] == called
