"""HTML with escaping by type.

A plain ``str`` is text: wherever it goes, it is escaped, and its control characters are made visible. Only what
`element`, `output` and `join` return is `Markup`, and goes into a page as it is. To concatenate the two by other means
makes a plain string again, which is escaped once more: a mistake is ugly, never dangerous.

Why not twisted.web.template: its flattener takes seven times as long, and a table of processes with three thousand
cells would hold every other caller up for 30 ms.
"""

from collections.abc import Iterable
from html import escape

from cmdserver.core.escaping import Printable, printable_line

#: HTML Living Standard, section 13.1.2: these have no end tag.
_VOID = frozenset({"img", "input", "link", "meta"})


class Markup(str):
    """HTML that is not escaped any more; made in this module only."""

    __slots__ = ()


Content = str | None
#: True is an attribute without a value; False and None leave it out.
Attribute = str | float | bool | None


def element(name: str, /, *children: Content, **attributes: Attribute) -> Markup:
    """Make an element.

    Args:
        name: The element's; never a client's text.
        children: Markup as it is, text escaped, None left out.
        attributes: By name: a ``_`` at the end is cut off (``class_``), others become ``-`` (``aria_label``).
    """
    start = opening(name, **attributes)
    return start if name in _VOID else Markup(f"{start}{join(children)}</{name}>")


def opening(name: str, /, **attributes: Attribute) -> Markup:
    """Make a start tag, for a page that is sent in pieces."""
    return Markup(f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>")


def closing(*names: str) -> Markup:
    """Make the end tags of what `opening` began, innermost first."""
    return Markup("".join(f"</{name}>" for name in names))


def join(parts: Iterable[Content]) -> Markup:
    """Concatenate parts; text among them is escaped."""
    return Markup("".join(_safe(part) for part in parts if part is not None))


def output(text: str) -> Markup:
    """Escape output of `Printable`: its tabs and line ends stay."""
    return Markup(escape(text, quote=True))


def lines(text: str) -> Markup:
    """Escape a text of several lines: tabs and line ends stay, other control characters become visible."""
    printable = Printable()
    said = printable.feed(text.encode(errors="replace")) + printable.finish()
    return output(said.decode(errors="replace"))


def encode(markup: Markup) -> bytes:
    """Encode in UTF-8; a lone surrogate becomes a question mark."""
    return markup.encode(errors="replace")


def _safe(part: str) -> str:
    if isinstance(part, Markup) or part.isalnum():  # most cells of a table
        return part
    return escape(printable_line(part), quote=True)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.removesuffix("_").replace("_", "-")
    return (
        f" {name}" if value is True else f' {name}="{_safe(f"{value:g}" if isinstance(value, float) else str(value))}"'
    )
