"""Markdown, as the documents in docs/ are written, as man(7): tables become tagged lists, and no raw Markdown is left.

Pure: a syntax tree in, lines of a page out. What there is no form for is an error, so that nothing is left out unseen.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from manpages import roff
from manpages.roff import Font

#: Writes a reference as marked text: where it leads, its marked text, and its text.
Refer = Callable[[str, str, str], str]
#: Heads of columns that say what the first one is about, and need not be named.
_PLAIN_HEADS = frozenset({"", "meaning", "what", "what happens", "what it is", "when"})


class CannotWrite(Exception):  # noqa: N818
    """A document has something that there is no form for, or lacks something."""


def parse(text: str) -> list[SyntaxTreeNode]:
    """Read a document into its blocks."""
    return SyntaxTreeNode(MarkdownIt("commonmark", {"html": False}).enable("table").parse(text)).children


def plain(node: SyntaxTreeNode) -> str:
    """Return the text of a node, without any marks."""
    if node.children:
        return "".join(map(plain, node.children))
    return " " if node.type in {"softbreak", "hardbreak"} else node.content


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes blocks of a document as lines of a page.

    Attributes:
        refer: Writes references.
        level: That of the headings that begin a ``.SS``; deeper ones are lines in bold.
        tag_columns: How many columns of a table are the tag of its entries.
    """

    refer: Refer
    level: int = 2
    tag_columns: int = 1

    def blocks(self, nodes: Sequence[SyntaxTreeNode]) -> list[str]:
        """Write blocks.

        Raises:
            CannotWrite: There is no form for one.
        """
        return [line for node in nodes for line in self._block(node)]

    def inline(self, node: SyntaxTreeNode, font: Font = Font.ROMAN) -> str:
        """Write what stands within a paragraph, a heading or a cell as marked text."""
        match node.type:
            case "text":
                return roff.escape(node.content)
            case "code_inline":
                return roff.marked(roff.escape(node.content), Font.BOLD, font)
            case "softbreak" | "hardbreak":
                return "\n"
            case "strong" | "em":
                own = Font.BOLD if node.type == "strong" else Font.ITALIC
                return roff.marked(self._inlines(node, own), own, font)
            case "link":
                return self.refer(str(node.attrs["href"]), self._inlines(node, font), plain(node))
            case "inline" | "paragraph" | "th" | "td":
                return self._inlines(node, font)
            case _:
                raise CannotWrite(f"{node.type} within text: {plain(node)!r}")

    def _inlines(self, node: SyntaxTreeNode, font: Font) -> str:
        return "".join(self.inline(each, font) for each in node.children)

    def _block(self, node: SyntaxTreeNode) -> list[str]:
        match node.type:
            case "paragraph":
                return roff.paragraph(self.inline(node))
            case "heading":
                return self._heading(node)
            case "fence" | "code_block":
                return roff.example(node.content)
            case "bullet_list" | "ordered_list":
                return [line for number, item in enumerate(node.children, 1) for line in self._item(item, number)]
            case "table":
                return [line for row in rows(node) for line in self._entry(row)]
            case _:
                raise CannotWrite(f"{node.type}: {plain(node)!r}")

    def _heading(self, node: SyntaxTreeNode) -> list[str]:
        depth = int(node.tag.removeprefix("h")) - self.level
        if depth < 0:
            raise CannotWrite(f"a heading that is too high: {plain(node)!r}")
        if depth == 0:
            return [roff.subsection(plain(node))]
        return roff.paragraph(roff.bold(plain(node)))

    def _item(self, item: SyntaxTreeNode, number: int) -> Iterator[str]:
        is_ordered = item.parent is not None and item.parent.type == "ordered_list"
        first, *others = item.children
        yield f".IP {number}. 4" if is_ordered else r".IP \(bu 2"
        yield from roff.text_lines(self.inline(first))
        for other in others:
            yield from roff.indented(self._block(other), 4 if is_ordered else 2)

    def _entry(self, row: "Row") -> list[str]:
        tags, rest = row[: self.tag_columns], row[self.tag_columns :]
        tag = " ".join(self._tag(cell) for _, cell in tags if cell.children)
        *middle, (head, last) = rest
        text = self.inline(last)
        if middle and head not in _PLAIN_HEADS:
            return roff.tagged(tag, *(_fact(name, self.inline(cell)) for name, cell in rest if plain(cell)))
        facts = [_fact(name, self.inline(cell)) for name, cell in middle if plain(cell)]
        return roff.tagged(tag, " ".join(facts), _sentence(text))

    def _tag(self, cell: SyntaxTreeNode) -> str:
        """Write what an entry is about; it is in bold as a whole if nothing in it is code."""
        text = self.inline(cell)
        return text if rf"\f{Font.BOLD}" in text else roff.marked(text, Font.BOLD)


#: The cells of a row, each behind the head of its column.
Row = list[tuple[str, SyntaxTreeNode]]


def rows(table: SyntaxTreeNode) -> list[Row]:
    """Return the rows of a table."""
    head, *bodies = table.children
    names = [plain(cell) for cell in head.children[0].children]
    return [list(zip(names, row.children, strict=True)) for body in bodies for row in body.children]


def _fact(name: str, text: str) -> str:
    """Say what a cell in the middle says, with the head of its column."""
    if text == "(required)":
        return "Required."
    return _sentence(text if name in _PLAIN_HEADS else f"{roff.escape(name.capitalize())}: {text}")


def _sentence(text: str) -> str:
    """End marked text as a sentence ends, and begin it so."""
    if not text:
        return ""
    begun = text[0].upper() + text[1:]
    return begun if begun.endswith((".", "!", "?", ":")) else f"{begun}."
