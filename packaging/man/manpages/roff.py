"""man(7): escaping, fonts, and lines that neither groff nor mandoc takes for requests.

Text that is marked up ("marked text") is escaped and may have changes of font in it; a line feed in it begins a new
input line, as sentences do. A page is a sequence of input lines.

Knows nothing of what pages say. See man(7) and mandoc_char(7).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

#: As groff's hyphen, quotes and accents are not ASCII's: what is copied from a page is to be what was written.
_ESCAPES = {
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    '"': r"\(dq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
}
_LONGEST_LINE = 79
#: Where another sentence begins, which roff wants on a line of its own.
_SENTENCE = re.compile(r"(?:(?<=[.!?])|(?<=[.!?]\\f[BIR])) (?=(?:\\f[BIR])?[A-Z])")
#: What looks like the end of a sentence at the end of a line, and is none.
_LIKE_AN_END = re.compile(r"[.!?](?:\\f[BIR]|\\\(dq|\\\(aq|[)\]])*$")
_FONT_CHANGE = re.compile(r"\\f[BIR]")
_PARAGRAPH = ".PP"


class Font(StrEnum):
    """A font, by the letter that roff has for it."""

    ROMAN = "R"
    BOLD = "B"
    ITALIC = "I"


def escape(text: str) -> str:
    """Write text so that it is printed as it is, in ASCII."""
    return "".join(
        _ESCAPES.get(each) or (each if each.isascii() else rf"\[u{ord(each):04X}]") for each in text if each != "\r"
    )


def marked(text: str, font: Font, around: Font = Font.ROMAN) -> str:
    """Set marked text in a font, and return to the one around it."""
    return text if font is around else rf"\f{font}{text}\f{around}"


def bold(text: str) -> str:
    """Escape text and set it in bold: what is typed as it is."""
    return marked(escape(text), Font.BOLD)


def italic(text: str) -> str:
    """Escape text and set it in italics: what is replaced by something."""
    return marked(escape(text), Font.ITALIC)


def plain_length(text: str) -> int:
    """Count the characters of marked text as they are printed."""
    return len(re.sub(r"\\\(..|\\\[[^\]]*\]|\\.", "x", _FONT_CHANGE.sub("", text)))


def text_lines(text: str) -> Iterator[str]:
    """Lay marked text out in input lines: a sentence begins a line, and no line is a request."""
    for source_line in text.split("\n"):
        for sentence in _SENTENCE.split(source_line.strip(" ")):
            *begun, last = _wrapped(sentence)
            for line in begun:
                yield _guarded(line + r"\&" if _LIKE_AN_END.search(line) else line)
            if last:
                yield _guarded(last)


def paragraph(text: str) -> list[str]:
    """Make a paragraph of marked text."""
    return [_PARAGRAPH, *text_lines(text)]


def tagged(tag: str, *parts: str) -> list[str]:
    """Make an entry of a tagged list: marked text, and parts of which each begins a line of the page."""
    lines: list[str] = [".TP", _guarded(tag)]
    for number, part in enumerate(filter(None, parts)):
        lines += [".br"] if number else []
        lines += text_lines(part)
    return lines


def indented(lines: Iterable[str], columns: int | None = None) -> list[str]:
    """Set lines of a page deeper, by as much as entries of a tagged list are if no number of columns is given."""
    return [".RS" if columns is None else f".RS {columns}", *lines, ".RE"]


def example(text: str) -> list[str]:
    """Print lines of text as they are, a little deeper."""
    lines = (_guarded(escape(line)) for line in text.rstrip("\n").split("\n"))
    return [_PARAGRAPH, ".RS 4", ".EX", *lines, ".EE", ".RE"]


def section(title: str) -> str:
    """Begin a section; the title is text."""
    return f'.SH "{escape(title)}"'


def subsection(title: str) -> str:
    """Begin a section of a section; the title is text."""
    return f'.SS "{escape(title)}"'


def title_line(name: str, number: int, date: str, source: str) -> str:
    """Begin a page.

    Args:
        name: What it describes.
        number: The section of the manual.
        date: ISO 8601.
        source: What it is a part of, with its version.
    """
    return f'.TH "{escape(name.upper())}" {number} {date} "{escape(source)}"'


def comment(text: str) -> str:
    """Tell whoever reads the page's source."""
    return rf".\" {text}"


def page(lines: Sequence[str]) -> str:
    """Put a page together; a heading needs no space below it."""
    kept = [
        line
        for before, line in pairwise(["", *lines])
        if line != _PARAGRAPH or not before.startswith((".SH", ".SS", _PARAGRAPH))
    ]
    return "".join(f"{line}\n" for line in kept)


def _wrapped(sentence: str) -> list[str]:
    lines = [""]
    for word in sentence.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _LONGEST_LINE:
            lines.append(word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _guarded(line: str) -> str:
    """Keep a line from being a request, and blank ones and those of blanks from being spaced by roff's own rules."""
    return rf"\&{line}" if line.startswith((".", "'", " ")) or not line else line
