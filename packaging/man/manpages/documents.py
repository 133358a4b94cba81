"""The documents in docs/: which parts of them a page takes, and what becomes of references to the others."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it.tree import SyntaxTreeNode

from manpages import roff
from manpages.markdown import CannotWrite, parse, plain


class Document:
    """A document, by its headings."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a file."""
        return cls(path.name, path.read_text(encoding="utf-8"))

    @cached_property
    def _nodes(self) -> list[SyntaxTreeNode]:
        return parse(self._text)

    def headings(self) -> dict[str, str]:
        """Return the texts of the headings by their anchors, as GitHub makes them."""
        texts = [plain(node) for node in self._nodes if _level(node)]
        return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"): text for text in texts}

    def introduction(self) -> list[SyntaxTreeNode]:
        """Return what stands between the title and the first heading below it."""
        title, *others = self._nodes
        if _level(title) != 1:
            raise CannotWrite(f"{self.name} begins without a title")
        first = next((number for number, node in enumerate(others) if _level(node)), len(others))
        return others[:first]

    def section(self, heading: str) -> list[SyntaxTreeNode]:
        """Return what stands below a heading, with the headings that are deeper.

        Raises:
            CannotWrite: The document has no such heading.
        """
        found = [number for number, node in enumerate(self._nodes) if _level(node) and plain(node) == heading]
        if not found:
            raise CannotWrite(f"{self.name} has no heading {heading!r}; packaging/man/manpages/pages.py asks for it")
        begin = found[0] + 1
        level = _level(self._nodes[found[0]])
        ends = (number for number in range(begin, len(self._nodes)) if 0 < _level(self._nodes[number]) <= level)
        return self._nodes[begin : next(ends, len(self._nodes))]

    def sections_but(self, *headings: str) -> list[SyntaxTreeNode]:
        """Return everything below the introduction, without some sections and what is deeper in them.

        Raises:
            CannotWrite: The document has no such heading.
        """
        left_out = {id(node) for heading in headings for node in self.section(heading)}
        begin = 1 + len(self.introduction())
        return [
            node
            for node in self._nodes[begin:]
            if id(node) not in left_out and not (_level(node) and plain(node) in headings)
        ]


def _level(node: SyntaxTreeNode) -> int:
    return int(node.tag.removeprefix("h")) if node.type == "heading" else 0


@dataclass(frozen=True, slots=True)
class References:
    """What references become in a page.

    Attributes:
        pages: The documents that man pages are made of, by their names: page and section.
        here: The documents that this page has, by their names: the section where.
        headings: The headings of those, by document and anchor.
        others: Takes the names of the documents that no page has, to be listed.
    """

    pages: Mapping[str, tuple[str, int]]
    here: Mapping[str, str]
    others: set[str]
    headings: Mapping[str, Mapping[str, str]]

    def refer(self, target: str, text: str, plain_text: str) -> str:
        """Write a reference as marked text; see `markdown.Refer`."""
        if ":" in target:
            return text if plain_text == target else rf"{text} <{roff.escape(target)}>"
        name, _, anchor = target.rpartition("/")[2].partition("#")
        is_name = plain_text in {name, name.removesuffix(".md")} and r"\f" not in text
        if not name or name in self.here:
            where = self.headings.get(name, {}).get(anchor, self.here.get(name, ""))
            return roff.bold(where) if is_name and where else text
        if name in self.pages:
            page = page_name(*self.pages[name])
            return page if is_name or plain_text == self.pages[name][0] else f"{text} (see {page})"
        if not name.endswith(".md"):
            return text
        self.others.add(name)
        return roff.italic(name) if is_name else f"{text} ({roff.italic(name)})"


def page_name(name: str, number: int) -> str:
    """Write the name of a man page as marked text."""
    return f"{roff.bold(name)}({number})"


def see_also(pages: Collection[tuple[str, int]], documents: Collection[str]) -> list[str]:
    """Make the section that lists other pages and documents."""
    by_section = sorted(pages, key=lambda each: (each[1], each[0]))
    lines = [roff.section("SEE ALSO"), *roff.text_lines(", ".join(page_name(*each) for each in by_section))]
    if documents:
        names = ", ".join(map(roff.italic, sorted(documents)))
        where = roff.italic("/usr/share/doc/cmdserver")
        lines += roff.paragraph(f"The documents {names}, in docs/ of the source and in {where} of the package.")
    return lines
