"""Draws tables of docs/benchmarks.md as bars and curves: ``python bench/plots.py`` writes docs/plots/*.svg.

What is drawn is what is written there, so that the two cannot say different things.
"""

import math
import re
from html import escape
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"

#: A file's name, its title, how its table begins, and which column is drawn.
PLOTS = (
    ("callers", "Commands a second at 16 callers, a connection each", "| | 1 caller | 16 | 256 |", 2),
    ("idle", "Commands a second beside idle connections: one process a question", "| idle | bare limit", 3),
    ("memory", "KiB for each of 10,000 idle connections", "| 10,000 idle connections held |", 1),
    ("handshakes", "Handshakes and logins a second, 16 callers", "| | 1 caller | 16 |\n", 2),
)

#: A file's name, its title, and how its table begins; each column but the first is a curve. Axes are logarithmic, but
#: for a first column that begins with 0.
CURVES = (
    ("rate", "Requests a second by callers, a connection each", "| callers, requests/s |"),
    ("p99", "p99 in milliseconds by callers", "| callers, p99 in ms |"),
    ("idle-curve", "Requests a second beside idle connections, 16 callers", "| idle, requests/s |"),
)

BAR, GAP, LEFT, WIDTH = 18, 8, 330, 760
#: Of curves.
TOP, BOTTOM, HEIGHT, RIGHT = 40, 40, 420, 220
COLOURS = ("#1f6feb", "#0a3069", "#8b949e", "#bf8700", "#1a7f37", "#cf222e", "#8250df", "#57606a", "#e16f24")


def rows(text: str, beginning: str, column: int) -> list[tuple[str, float]]:
    """Read one column of the table that begins so, with the names of its rows."""
    table = text[text.index(beginning) :].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    found = []
    for line in table:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        number = re.fullmatch(r"[0-9.,]+", cells[column])
        if number:
            found.append((cells[0], float(number[0].replace(",", ""))))
    return found


def bars(title: str, values: list[tuple[str, float]]) -> str:
    """Draw them, ours in another colour."""
    most = max(value for _, value in values)
    height = 40 + len(values) * (BAR + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for index, (name, value) in enumerate(values):
        y = 34 + index * (BAR + GAP)
        length = max(1.0, value / most * (WIDTH - LEFT - 70))
        colour = "#1f6feb" if "cmdserver" in name or name.replace(",", "").isdigit() else "#8b949e"
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{value:g}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def curves(title: str, table: list[list[str]]) -> str:
    """Draw the columns of a table over its first one; the first row has their names."""
    names, *rows_ = table
    points = [[float(cell.replace(",", "")) if cell else None for cell in row] for row in rows_]
    # From nothing on there is no logarithm.
    scale = math.log10 if points[0][0] else float
    xs = [scale(row[0]) for row in points if row[0] is not None]
    ys = [math.log10(cell) for row in points for cell in row[1:] if cell]
    low, high = math.floor(min(ys)), math.ceil(max(ys))

    def x_of(value: float) -> float:
        return 60 + (scale(value) - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - RIGHT - 60)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"',
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="13" font-weight="bold">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        y = y_of(10.0**power)
        lines += [
            f'<line x1="60" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#d0d7de"/>',
            f'<text x="54" y="{y + 4:.1f}" text-anchor="end">{10**power:,}</text>',
        ]
    for row in points:
        lines.append(f'<text x="{x_of(row[0] or 0):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{row[0]:,.0f}</text>')
    for column, (name, colour) in enumerate(zip(names[1:], COLOURS, strict=False), start=1):
        found = [(x_of(row[0] or 0), y_of(row[column] or 1)) for row in points if row[column]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in found)
        width = 3 if "cmdserver" in name else 1.5
        y, edge = TOP + 18 * column, WIDTH - RIGHT + 12
        lines += [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>',
            f'<line x1="{edge}" y1="{y - 4}" x2="{edge + 24}" y2="{y - 4}" stroke="{colour}" stroke-width="{width}"/>',
            f'<text x="{edge + 30}" y="{y}">{escape(name)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def cells_of(text: str, beginning: str) -> list[list[str]]:
    """Read the table that begins so, without the line below its head."""
    table = text[text.index(beginning) :].split("\n\n", maxsplit=1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table if not line.startswith("|---")]


def main() -> None:
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    (DOCS / "plots").mkdir(exist_ok=True)
    for name, title, beginning, column in PLOTS:
        svg = bars(title, rows(text, beginning, column))
        (DOCS / "plots" / f"{name}.svg").write_text(svg, encoding="utf-8")
        print(DOCS / "plots" / f"{name}.svg")
    for name, title, beginning in CURVES:
        (DOCS / "plots" / f"{name}.svg").write_text(curves(title, cells_of(text, beginning)), encoding="utf-8")
        print(DOCS / "plots" / f"{name}.svg")


if __name__ == "__main__":
    main()
