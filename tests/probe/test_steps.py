"""Tests of steps and their times."""

from twisted.trial.unittest import SynchronousTestCase

from cmdserver_probe.steps import Steps


class StepsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        self.steps = Steps(lambda: self.now)

    def _take(self, name: str, seconds: float) -> None:
        with self.steps.step(name):
            self.now += seconds

    def test_times(self) -> None:
        """Each step has its own, and all have the time from the beginning."""
        self._take("resolve", 1.0)
        self.now += 0.5
        self._take("connect", 2.0)

        self.assertEqual(self.steps.finished, {"resolve": 1.0, "connect": 2.0})
        self.assertEqual(self.steps.seconds(), 3.5)
        self.assertIsNone(self.steps.current)

    def test_a_step_that_comes_twice(self) -> None:
        """Its times are added."""
        self._take("send", 1.0)
        self._take("send", 0.25)

        self.assertEqual(self.steps.finished, {"send": 1.25})

    def test_where_it_stopped(self) -> None:
        """The step that failed is not finished, and stays the current one."""

        def fail() -> None:
            with self.steps.step("connect"):
                raise OSError

        self.assertRaises(OSError, fail)
        self.assertEqual((self.steps.current, self.steps.finished), ("connect", {}))
