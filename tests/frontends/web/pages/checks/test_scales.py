"""Tests of where values stand on a bar."""

from unittest import TestCase

from hypothesis import example, given
from hypothesis import strategies as st

from cmdserver.checks.performance import Performance
from cmdserver.checks.ranges import Range
from cmdserver.checks.states import CheckState
from cmdserver.frontends.web.pages.checks.scales import Scale, state_of
from cmdserver.runs.check_trends import Point
from tests.doubles import LAW
from tests.frontends.web.pages.checks.samples import values

_ANY = st.none() | st.floats(allow_nan=False, allow_infinity=False)


def scale(text: str, *largest: float) -> tuple[float, float] | None:
    """Say where the bar of a value begins and ends."""
    (measured,) = values(text)
    found = Scale.of(measured, [Point(0, each, each, each) for each in largest])
    return (found.low, found.high) if found is not None else None


class ScaleTests(TestCase):
    def test_ends(self) -> None:
        """From the minimum, else 0, to the maximum, else what is critical, else the largest of the day."""
        cases = {
            "a=14;10;50": (0.0, 50.0),
            "a=14;10;50;5;20": (5.0, 20.0),
            "a=14": (0.0, 40.0),
            "a=60;10;50": (0.0, 60.0),
            "a=12;14:;7:": (0.0, 14.0),
            "a=-5": (-5.0, 40.0),
            "a=-12;-20:30;-30:40": (-30.0, 40.0),
            "a=5;;;0;0": (0.0, 40.0),  # a maximum that says nothing
            "a=U;1;2": None,
            "a=0;;;0;5e-324": None,  # half of which is 0
            "a=5e-324;;;5e-324;1e-323": (5e-324, 1e-323),
            "a=1.5e-323;;;1.5e-323;2e-323": None,  # half of both is the same
        }
        self.assertEqual({text: scale(text, 3.0, 40.0) for text in cases}, cases)
        self.assertIsNone(scale("a=0"))

    def test_shares(self) -> None:
        """What lies beyond its ends stands at them."""
        self.assertEqual([Scale(0.0, 50.0).share(each) for each in (-1.0, 0.0, 25.0, 60.0)], [0.0, 0.0, 0.5, 1.0])
        self.assertEqual(Scale(-1.7e308, 1.7e308).share(0.0), 0.5)

    @LAW
    @example(value=0.0, minimum=0.0, maximum=5e-324, start=None, end=None)
    @example(value=5e-324, minimum=None, maximum=None, start=None, end=None)
    @given(value=_ANY, minimum=_ANY, maximum=_ANY, start=_ANY, end=_ANY)
    def test_whatever_a_plugin_says(
        self, value: float | None, minimum: float | None, maximum: float | None, start: float | None, end: float | None
    ) -> None:
        """There is a bar whose shares are shares, or none."""
        low, high = sorted((start or 0.0, end or 0.0))
        limit = Range("x:", low, high)
        found = Scale.of(
            Performance(label="a", value=value, warning=limit, critical=limit, minimum=minimum, maximum=maximum), ()
        )
        if found is not None:
            for each in (value or 0.0, low, high, 0.0):
                self.assertTrue(0.0 <= found.share(each) <= 1.0)

    def test_states(self) -> None:
        """By its own limits, the worse first; without any there is none."""
        cases = {
            "a=1;5;9": CheckState.OK,
            "a=6;5;9": CheckState.WARNING,
            "a=10;5;9": CheckState.CRITICAL,
            "a=10;;9": CheckState.CRITICAL,
            "a=U;5;9": CheckState.UNKNOWN,
            "a=1": None,
        }
        self.assertEqual({text: state_of(values(text)[0]) for text in cases}, cases)
