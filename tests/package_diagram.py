"""The picture of the packages in docs/architecture.md, drawn from the imports: ``python -m tests.package_diagram``.

A package stands one floor above the highest package that it imports. An arrow is an import; imports that follow from
others (a imports b, b imports c) are left out.
"""

import sys
from collections.abc import Iterable, Mapping
from html import escape
from math import fsum
from pathlib import Path

from tests.test_layering import MAY_IMPORT, SOURCE

#: Where the picture is kept.
PICTURE = Path(__file__).parent.parent / "docs" / "packages.svg"

_BOX_WIDTH, _BOX_HEIGHT = 148, 34
_GAP, _FLOOR_HEIGHT, _MARGIN = 22, 84, 24

_STYLE = """
text { font: 13px ui-monospace, monospace; text-anchor: middle; fill: #1b1f24 }
rect { fill: #f6f8fa; stroke: #57606a; rx: 6px }
path { fill: none; stroke: #8c959f; stroke-width: 1.2 }
marker path { fill: #8c959f; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } rect { fill: #161b22; stroke: #8b949e } path { stroke: #6e7681 } marker path { fill: #6e7681 }
}
"""

Imports = Mapping[str, frozenset[str]]


def direct(imports: Imports) -> Imports:
    """Leave out what follows from other imports."""
    return {package: others - _reached_from(others, imports) for package, others in imports.items()}


def floors(imports: Imports) -> list[list[str]]:
    """Sort packages into floors, the lowest first; within a floor by where their imports stand."""
    levels: dict[str, int] = {}
    for package, others in imports.items():  # the lowest come first, so all others are known
        levels[package] = 1 + max((levels[each] for each in others), default=-1)
    sorted_floors: list[list[str]] = []
    place: dict[str, float] = {}
    for level in range(max(levels.values()) + 1):
        floor = [package for package, its in levels.items() if its == level]
        floor.sort(key=lambda each: (_middle(place[other] for other in imports[each]), each))
        for number, package in enumerate(floor):
            place[package] = (number + 0.5) / len(floor)
        sorted_floors.append(floor)
    return sorted_floors


def draw() -> str:
    """Draw the packages, as the text of an SVG file."""
    imports = {package: others for package, others in MAY_IMPORT.items() if _holds_code(package)}
    imports = {package: others & imports.keys() for package, others in imports.items()}
    stacked = floors(imports)
    width = 2 * _MARGIN + max(len(floor) for floor in stacked) * (_BOX_WIDTH + _GAP) - _GAP
    height = 2 * _MARGIN + (len(stacked) - 1) * _FLOOR_HEIGHT + _BOX_HEIGHT
    places = {
        package: (
            (width - len(floor) * (_BOX_WIDTH + _GAP) + _GAP) / 2 + number * (_BOX_WIDTH + _GAP) + _BOX_WIDTH / 2,
            _MARGIN + (len(stacked) - 1 - level) * _FLOOR_HEIGHT,
        )
        for level, floor in enumerate(stacked)
        for number, package in enumerate(floor)
    }
    arrows = [
        _arrow(places[package], places[other])
        for package, others in direct(imports).items()
        for other in sorted(others)
    ]
    boxes = [_box(package, *places[package]) for package in places]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
    marker = (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker>'
    )
    return "\n".join((head, f"<style>{_STYLE}</style>", f"<defs>{marker}</defs>", *arrows, *boxes, "</svg>")) + "\n"


def _holds_code(package: str) -> bool:
    path = SOURCE / package.replace(".", "/")
    return bool(package) and (path.with_suffix(".py").exists() or len(list(path.glob("*.py"))) > 1)


def _reached_from(packages: Iterable[str], imports: Imports) -> frozenset[str]:
    """Name all that packages import, in however many steps."""
    found: set[str] = set()
    ahead = [other for package in packages for other in imports[package]]
    while ahead:
        package = ahead.pop()
        if package not in found:
            found.add(package)
            ahead += imports[package]
    return frozenset(found)


def _middle(places: Iterable[float]) -> float:
    known = list(places)
    # Exactly, whatever the order is in which a set gives them: else a tie is decided by rounding.
    return fsum(known) / len(known) if known else 0.5


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, top), (to_x, to_y) = start, end
    y = top + _BOX_HEIGHT
    bend = min((to_y - y) / 2, _FLOOR_HEIGHT / 2)
    points = f"M{x:g} {y:g}C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y:g}"
    return f'<path d="{points}" marker-end="url(#head)"/>'


def _box(package: str, x: float, y: float) -> str:
    return (
        f'<rect x="{x - _BOX_WIDTH / 2:g}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}"/>'
        f'<text x="{x:g}" y="{y + _BOX_HEIGHT / 2 + 4:g}">{escape(package)}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}\n")
