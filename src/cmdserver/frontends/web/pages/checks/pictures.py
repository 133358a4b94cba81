"""Bars and plots as SVG: geometry in attributes, colours and strokes in ``static/values.css``.

They show what stands beside them in words, so that readers of a screen are told nothing twice.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from cmdserver.checks.performance import Performance
from cmdserver.frontends.web.pages.checks.scales import Scale, bounds
from cmdserver.frontends.web.pages.markup import Markup, element
from cmdserver.runs.check_trends import MOST_POINTS, Point

#: Of a plot, which is stretched to its place.
_HEIGHT: Final = 24


def bar(measured: Performance, day: Sequence[Point]) -> Markup | None:
    """Draw how much a value is of what it can be, with a tick for each of its limits; None if there is no scale."""
    scale = Scale.of(measured, day)
    if scale is None or measured.value is None:
        return None
    begin, end = sorted((scale.share(0.0), scale.share(measured.value)))
    filled = element("rect", class_="fill", x=_percent(begin), y=5, width=_percent(end - begin), height=8, rx=4)
    ticks = [
        element("rect", class_=name, x=_percent(scale.share(each)), y=2, width=2, height=14)
        for name, limit in (("warn", measured.warning), ("crit", measured.critical))
        for each in bounds(limit)
        if scale.has(each)
    ]
    track = element("rect", class_="track", y=5, width="100%", height=8, rx=4)
    return element("svg", track, filled if begin < end else None, *ticks, class_="limits", aria_hidden="true")


def plot(day: Sequence[Point]) -> Markup | None:
    """Draw what was measured in a day: the last of each quarter of an hour, and how far others were from it."""
    if not day:
        return None
    scale = Scale(min(each.smallest for each in day), max(each.largest for each in day))
    line = "L".join(f"{each.place} {_height(scale, each.last)}" for each in day)
    first, last = day[0].place, day[-1]
    return element(
        "svg",
        element("path", class_="area", d=f"M{first} {_HEIGHT}L{line}L{last.place} {_HEIGHT}z"),
        element("path", class_="line", d=f"M{line}{''.join(_spread(scale, day))}"),
        element("path", class_="dot", d=f"M{last.place} {_height(scale, last.last)}h0"),
        class_="plot",
        viewBox=f"0 0 {MOST_POINTS - 1} {_HEIGHT}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _spread(scale: Scale, day: Sequence[Point]) -> Iterator[str]:
    for each in day:
        if each.smallest < each.largest:
            yield f"M{each.place} {_height(scale, each.smallest)}V{_height(scale, each.largest)}"


def _height(scale: Scale, value: float) -> str:
    share = scale.share(value) if scale.has_room else 0.5
    return f"{_HEIGHT - share * _HEIGHT:.3g}"


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"
