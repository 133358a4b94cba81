"""Draws tables of docs/benchmarks.md as bars: ``python bench/plots.py`` writes docs/plots/*.svg.

What is drawn is what is written there, so that the two cannot say different things.
"""

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

BAR, GAP, LEFT, WIDTH = 18, 8, 330, 760


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


def main() -> None:
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    (DOCS / "plots").mkdir(exist_ok=True)
    for name, title, beginning, column in PLOTS:
        svg = bars(title, rows(text, beginning, column))
        (DOCS / "plots" / f"{name}.svg").write_text(svg, encoding="utf-8")
        print(DOCS / "plots" / f"{name}.svg")


if __name__ == "__main__":
    main()
