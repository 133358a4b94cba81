"""Lines of output as HTML: complete ones, and the one that is under way, which may be written over cell by cell.

No element holds a line break; see `cmdserver.frontends.web.pages.output.output_html` for what is sent when.
"""

from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

from cmdserver.frontends.web.pages.markup import Markup, closing, join, opening, output


class Style(NamedTuple):
    """How characters look."""

    is_error: bool
    #: Of `Rendition`.
    classes: str = ""


USUAL: Final = Style(is_error=False)


class Line:
    """The line that is under way: its cells, and what of them was sent."""

    __slots__ = (
        "_cells",
        "_column",
        "_runs",
        "_styles",
        "is_error",
        "is_long",
        "is_open",
        "is_stale",
        "length",
        "sent",
    )

    def __init__(self, *, is_error: bool) -> None:
        self.is_error = is_error
        self.length = 0
        #: How many cells were sent, and whether something was written over one of them since.
        self.sent = 0
        self.is_stale = False
        #: Whether the element of the unfinished line was begun.
        self.is_open = False
        #: Whether cells are forgotten when they were sent.
        self.is_long = False
        #: Behind the cells: what was written since, which most lines are made of.
        self._runs: list[tuple[str, Style]] = []
        self._cells: list[str] = []
        self._styles: list[Style] = []
        #: Where the next character goes, where that is not the end.
        self._column: int | None = None

    def write(self, text: str, style: Style) -> None:
        """Write over what is there, and behind that."""
        if self._column is None:
            self._runs.append((text, style))
            self.length += len(text)
            return
        end = self._column + len(text)
        self.is_stale |= self._column < self.sent
        self._cells[self._column : end] = text
        self._styles[self._column : end] = [style] * len(text)
        self.length = len(self._cells)
        self._column = end if end < self.length else None

    def go_home(self) -> None:
        """Write at the first column from now on."""
        self._expand()
        self._column = 0 if self.length else None

    def forget(self) -> None:
        """Forget the cells, which were sent."""
        self._runs.clear()
        self._cells.clear()
        self._styles.clear()
        self._column = None
        self.length = self.sent = 0

    def render(self, start: int, *, is_part: bool) -> Markup:
        """Render the cells from a column on, each of them in an element if it may be hidden later."""
        if start or self._cells:
            self._expand()
            runs = self._runs_from(start)
        else:
            runs = self._runs
        return join([_run(*run, is_in_error=self.is_error, is_part=is_part) for run in runs])

    def _expand(self) -> None:
        for text, style in self._runs:
            self._cells.extend(text)
            self._styles.extend([style] * len(text))
        self._runs.clear()

    def _runs_from(self, start: int) -> list[tuple[str, Style]]:
        runs = []
        for style, group in groupby(self._styles[start:]):
            end = start + len(list(group))
            runs.append(("".join(self._cells[start:end]), style))
            start = end
        return runs


def lines(text: str, style: Style) -> Markup:
    """Render complete lines that look alike. There may be many, so they are made at once.

    Args:
        text: Of printable characters, tabs and line breaks, without the last break.
        style: How it looks.
    """
    escaped = output(text)
    if style == USUAL:
        return join((escaped, output("\n")))
    start, end = opening("span", class_="err") if style.is_error else "", closing("span") if style.is_error else ""
    if style.classes:
        start, end = f"{start}{_span(style.classes)}", f"{closing('span')}{end}"
    between = f"{end}\n{start}"
    return Markup(f"{start}{escaped.replace(chr(10), between)}{end}\n")


@lru_cache(maxsize=256)
def _span(names: str) -> Markup:
    return opening("span", class_=names or None)


_END: Final = closing("span")


def _run(text: str, style: Style, *, is_in_error: bool, is_part: bool) -> Markup:
    """Render text that looks alike.

    Args:
        text: Of printable characters and tabs.
        style: How it looks.
        is_in_error: Whether its line is of standard error.
        is_part: Whether it must be an element.
    """
    names = style.classes
    if style.is_error is not is_in_error:
        names = f"{'mix' if style.is_error else 'out'} {names}".rstrip()
    return join((_span(names), output(text), _END)) if names or is_part else output(text)
