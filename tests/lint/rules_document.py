"""The rules in docs/reviewing.md, written from their table: ``python -m tests.lint.rules_document``."""

import re
from pathlib import Path

from cmdserver.lint.rules import RULES

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "reviewing.md"

_RULES = re.compile(r"(<!-- rules -->\n).*(<!-- end of rules -->)", re.DOTALL)


def rendered() -> str:
    """Write a section for each rule."""
    sections = []
    for name, rule in RULES.items():
        found, instead = (f"```\n{rule.table}\n{keys}\n```" for keys in (rule.example, rule.instead))
        silenced = f'Silenced by `allow = ["{name}"]` in `{rule.table}`.'
        again = "" if name == "unused-allow" else f"\n\nInstead:\n\n{instead}"
        sections.append(f"### {name}\n\n{rule.reason} {silenced}\n\n{found}{again}\n")
    return "\n".join(sections)


def written() -> str:
    """Return the document as it should be."""
    return _RULES.sub(lambda found: f"{found[1]}\n{rendered()}\n{found[2]}", DOCUMENT.read_text("utf-8"))


if __name__ == "__main__":
    DOCUMENT.write_text(written(), "utf-8")
