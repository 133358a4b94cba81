"""How often commands are started."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from cmdserver.core.errors import Throttled
from cmdserver.core.model import Rate
from cmdserver.limits.start_rates import StartRates
from tests.doubles import LAW

_RATE = Rate(3, 600)


class StartRatesTests(unittest.TestCase):
    def setUp(self) -> None:
        self.rates = StartRates()

    def wait(self, now: float, rate: Rate = _RATE, command: str = "x") -> int | None:
        """Say how many seconds there are to wait; None: none."""
        try:
            self.rates.require(command, rate, now)
        except Throttled as error:
            return error.retry_after_seconds
        return None

    def test_a_window(self) -> None:
        """Three in ten minutes, wherever the ten minutes begin."""
        for now in (0.0, 10.0, 20.0):
            self.assertIsNone(self.wait(now))
            self.rates.spend("x", _RATE, now)
        self.assertEqual((580, 1, None), (self.wait(20.0), self.wait(599.5), self.wait(600.0)))
        self.rates.spend("x", _RATE, 600.0)
        self.assertEqual((10, None), (self.wait(600.0), self.wait(610.0)))

    def test_the_text(self) -> None:
        """It says what may be, and how long to wait."""
        for rate, text in ((Rate(1, 3600), "once in 1h"), (Rate(2, 90), "2 times in 1m30s")):
            rates = StartRates()
            for _ in range(rate.count):
                rates.spend("x", rate, 0.0)
            with self.assertRaises(Throttled) as raised:
                rates.spend("x", rate, 0.0)
            self.assertEqual(f"x may run {text}, and has; try again in {rate.seconds} s", str(raised.exception))

    def test_to_ask_costs_nothing(self) -> None:
        """Only what is started counts, and what was refused is not."""
        for _ in range(10):
            self.wait(0.0)
        for _ in range(3):
            self.rates.spend("x", _RATE, 0.0)
        for now in range(10):
            self.assertRaises(Throttled, self.rates.spend, "x", _RATE, float(now))
        self.assertEqual(600, self.wait(0.0))

    def test_commands_have_their_own(self) -> None:
        """One does not throttle another."""
        self.rates.spend("x", Rate(1, 60), 0.0)
        self.assertEqual((60, None), (self.wait(0.0, Rate(1, 60)), self.wait(0.0, Rate(1, 60), "y")))

    def test_another_rate(self) -> None:
        """After a reload it holds at once, for what was started before too."""
        for now in range(3):
            self.rates.spend("x", _RATE, float(now))
        self.assertEqual(None, self.wait(3.0, Rate(4, 600)))
        self.assertEqual(599, self.wait(3.0, Rate(1, 600)))
        self.assertEqual(None, self.wait(3.0, Rate(3, 2)))
        self.rates.spend("x", Rate(4, 600), 3.0)
        self.assertEqual(596, self.wait(4.0, Rate(4, 600)))

    def test_what_was_no_start(self) -> None:
        """Is given back, the last one."""
        self.rates.spend("x", Rate(2, 60), 0.0)
        self.rates.spend("x", Rate(2, 60), 30.0)
        self.rates.give_back("x")
        self.assertEqual((None, 59), (self.wait(30.0, Rate(2, 60)), self.wait(1.0, Rate(1, 60))))
        self.rates.give_back("x")
        self.rates.give_back("x")
        self.rates.give_back("y")
        self.assertIsNone(self.wait(0.0, Rate(1, 60)))

    @given(st.integers(1, 4), st.integers(1, 9), st.lists(st.integers(0, 5), max_size=40))
    @LAW
    def test_never_more(self, count: int, seconds: int, steps: list[int]) -> None:
        """Of all that were let through no window has more than its number, and none is refused that could be."""
        rates, rate, now, starts = StartRates(), Rate(count, seconds), 0.0, list[float]()
        for step in steps:
            now += step
            recent = [each for each in starts if each > now - seconds]
            try:
                rates.spend("x", rate, now)
            except Throttled as error:
                wait = error.retry_after_seconds
            else:
                wait = 0
                starts.append(now)
            self.assertEqual(wait > 0, len(recent) >= count)
            self.assertTrue(not wait or now + wait >= recent[-count] + seconds)
