"""The card with what a run says: a toolbar, the text, and what can be drawn of it.

A page writes `opening`, then what `OutputHtml` makes, then `closing`; what comes between head and end may be sent in
pieces. The class names and ``data-`` attributes are what ``static/output.js`` and ``static/output.css`` look for.
Controls that take a script are hidden until there is one. Without one *Jump to end* is a link, and so are the views of
what was drawn: the style sheet shows the one that the address ends with, else the first.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from cmdserver.frontends.web.pages import markup
from cmdserver.frontends.web.pages.markup import Markup, element, join

#: HTML drops a line break right behind ``<pre>``: this one is dropped in place of the output's.
_KEPT_LINE: Final = Markup("\n")


def opening(command_name: str, *, is_alive: bool) -> Markup:
    """Make the beginning of the card, up to and into the text.

    Args:
        command_name: Whose output it is.
        is_alive: Whether more may come while somebody looks.
    """
    return join(
        (
            markup.opening("div", class_="card said", data_said=command_name),
            element("div", *_tools(is_alive=is_alive), class_="tools", role="group", aria_label="Output"),
            markup.opening(
                "pre", id="text", class_="output", tabindex=0, role="region", aria_label=f"Output of {command_name}"
            ),
            _KEPT_LINE,
        )
    )


class View(NamedTuple):
    """What is drawn of a text."""

    label: str
    #: Its address on the page, which the style sheet knows: ``values``, or ``data``.
    name: str
    drawn: Markup | None


def closing(*, note: Markup | None = None, views: Sequence[View] = ()) -> Markup:
    """Make the end of the card.

    Args:
        note: What there is to say of the text, such as that it was cut.
        views: What is drawn of it. The first is shown first then, and the text when somebody asks for that.
    """
    return join((markup.closing("pre"), beneath(note, views), markup.closing("div")))


def beneath(note: Markup | None, views: Sequence[View]) -> Markup:
    """Make what stands below the text, see `closing`."""
    if not views:
        return join((note,))
    links = [*(_view(each.label, f"#{each.name}") for each in views), _view("Text", "#text")]
    drawn = [element("div", each.drawn, id=each.name, class_="drawn") for each in views]
    return join((note, element("div", *links, class_="views"), *drawn))


def _view(label: str, address: str) -> Markup:
    return element("a", label, href=address, class_="button tool", data_keep=address)


def _tools(*, is_alive: bool) -> tuple[Markup | None, ...]:
    end = element("span", "Jump to ", class_="wide")
    return (
        element(
            "input", type="search", placeholder="Filter lines", aria_label="Filter lines", autocomplete="off",
            spellcheck="false", data_filter=True, data_keep="filter", hidden=True,
        ),
        _tool("Wrap", "wrap", is_pressed=True),
        _tool("Follow", "follow", is_pressed=True) if is_alive else None,
        element("a", element("span", end, "end"), href="#end", class_="button tool", data_tool="end"),
        element("span", class_="lines"),
        _tool("…", "more", aria_label="More", aria_expanded="false"),
        _tool("Copy", "copy"),
        _tool("Download", "save"),
    )  # fmt: skip


def _tool(label: str, name: str, *, is_pressed: bool | None = None, **attributes: str) -> Markup:
    """Make a button of the script's."""
    pressed = None if is_pressed is None else str(is_pressed).lower()
    return element(
        "button",
        label,
        type="button",
        class_="tool",
        data_tool=name,
        data_keep=name,
        aria_pressed=pressed,
        hidden=True,
        **attributes,
    )
