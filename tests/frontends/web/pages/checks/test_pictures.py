"""Tests of bars and plots."""

from unittest import TestCase

from cmdserver.frontends.web.pages.checks.pictures import bar, plot
from cmdserver.runs.check_trends import Point
from tests.frontends.web.pages.checks.samples import values
from tests.frontends.web.reading import Read


def bar_of(text: str) -> dict[str | None, list[tuple[str | None, str | None]]]:
    """Say where the parts of a bar are, and how wide: by their classes."""
    drawn = bar(values(text)[0], ())
    parts: dict[str | None, list[tuple[str | None, str | None]]] = {}
    for each in Read(drawn or "").all("rect"):
        parts.setdefault(each["class"], []).append((each.get("x"), each["width"]))
    return parts


class BarTests(TestCase):
    def test_a_bar(self) -> None:
        """A value, and a tick for each bound."""
        self.assertEqual(
            bar_of("a=14;10;50"),
            {"track": [(None, "100%")], "fill": [("0%", "28%")], "warn": [("20%", "2")], "crit": [("100%", "2")]},
        )

    def test_both_sides_of_nothing(self) -> None:
        """The bar goes from 0 to the value."""
        self.assertEqual(bar_of("a=-20;;-30:;-40;60")["fill"], [("20%", "20%")])
        self.assertEqual(bar_of("a=20;;;-40;60")["fill"], [("40%", "20%")])

    def test_no_room(self) -> None:
        """A value of nothing is no bar; without a scale there is none at all; a tick out of reach is left out."""
        self.assertNotIn("fill", bar_of("a=0;10;50"))
        self.assertEqual(bar_of("a=0"), {})
        self.assertEqual(bar_of("a=U;1;2"), {})
        self.assertEqual(bar_of("x=0;;;0;5e-324"), {})
        self.assertNotIn("crit", bar_of("a=5;10;500;0;100"))


class PlotTests(TestCase):
    def test_a_plot(self) -> None:
        """A line by the last of each point, with what was apart from it; a dot for now."""
        paths = {
            each["class"]: each["d"]
            for each in Read(plot([Point(0, 0.0, 2.0, 1.0), Point(95, 4.0, 4.0, 4.0)]) or "").all("path")
        }
        self.assertEqual(paths, {"area": "M0 24L0 18L95 0L95 24z", "line": "M0 18L95 0M0 24V12", "dot": "M95 0h0"})

    def test_what_does_not_change(self) -> None:
        """A flat line in the middle; one point is a dot; none is no plot."""
        (_, line, _) = Read(plot([Point(3, 5.0, 5.0, 5.0), Point(4, 5.0, 5.0, 5.0)]) or "").all("path")
        self.assertEqual(line["d"], "M3 12L4 12")
        (_, line, _) = Read(plot([Point(3, 0.0, 0.0, 0.0), Point(4, 5e-324, 5e-324, 5e-324)]) or "").all("path")
        self.assertEqual(line["d"], "M3 12L4 12")
        self.assertIsNotNone(plot([Point(95, 1.0, 1.0, 1.0)]))
        self.assertIsNone(plot([]))
