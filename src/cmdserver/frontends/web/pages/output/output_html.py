r"""What a run says, as what goes into ``<pre class="output">``, piece by piece.

Colour sequences are colours, for commands that may have them; a lone CR goes back to the first column, and what comes
then is written over what is there, cell by cell, as on a terminal (a cell is a character). Everything else is text,
with control characters visible as `Printable` shows them. Lines of standard error stand in ``<span class="err">``; what
the two streams say within one line stays in that line. All that is seen of output is drawn here: the script, where it
shows output that comes later, takes it from pages too.

HTML that was sent cannot be taken back. A line that is sent before it is complete is therefore an element,
``<span class="line">``, with its parts as elements in it; if something is written over them, all of the line comes once
more, ``<span class="again">``, and the style sheet hides what stands before that. So a progress bar moves without a
script too. No element but those of unfinished lines is open at the end of a piece, and none holds a line break.

This knows nothing of runs and pages. Time is linear in what is fed, memory bounded, and so is what is said again.
"""

import codecs
import re
from functools import lru_cache
from typing import Final

from cmdserver.core.escaping import Printable
from cmdserver.core.output import Stream
from cmdserver.frontends.web.pages.markup import Markup, closing, element, join, opening, output
from cmdserver.frontends.web.pages.output.output_lines import USUAL, Line, Style, lines
from cmdserver.frontends.web.pages.output.sgr import PARAMETERS, PLAIN, Rendition

#: The most characters of a line that are kept to be written over. In a longer one a CR begins a new line.
MOST_CELLS: Final = 4096
#: Characters of markup that a line may have when it comes again, for each character that was fed; and how many of them
#: are saved up.
AGAIN_FACTOR: Final = 8
MOST_CREDIT: Final = 1 << 16

_TOKEN: Final = re.compile(
    rf"(?P<text>[^\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udc9f]+)|(?P<end>\r\n)|(?P<home>\r)"
    rf"|\x1b\[(?P<sgr>{PARAMETERS})m|(?P<control>.)",
    re.DOTALL,
)
#: What may go on in the next piece, of those of `_TOKEN`.
_PENDING: Final = re.compile(rf"(?:\r|\x1b(?:\[{PARAMETERS})?)\Z")
_LONGEST_PENDING: Final = 66


def _visible(code: int) -> str:
    printable = Printable()
    said = printable.feed(chr(code).encode("utf-8", "surrogateescape")) + printable.finish()
    return said.decode("utf-8")


_CONTROLS: Final = {chr(code): _visible(code) for code in (*range(0x20), *range(0x7F, 0xA0), *range(0xDC80, 0xDCA0))}
_ESCAPE: Final = _CONTROLS["\x1b"]


class _Source:
    """One of the two streams: from bytes to tokens."""

    __slots__ = ("_decoder", "_pending", "is_error", "rendition", "style")

    def __init__(self, stream: Stream) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._pending = ""
        self.is_error = stream is Stream.STDERR
        self.rendition = PLAIN
        self.style = Style(self.is_error)

    def feed(self, chunk: bytes, *, is_last: bool = False) -> str:
        """Return the text of which it is known what it means."""
        text = self._pending + self._decoder.decode(chunk, final=is_last)
        found = None if is_last else _PENDING.search(text, max(0, len(text) - _LONGEST_PENDING))
        self._pending = "" if found is None else found[0]
        return text if found is None else text[: found.start()]

    def select(self, parameters: str) -> None:
        """Change how text looks from now on."""
        self.rendition, self.style = _selected(self.rendition, self.is_error, parameters)


@lru_cache(maxsize=256)
def _selected(rendition: Rendition, is_error: bool, parameters: str) -> tuple[Rendition, Style]:  # noqa: FBT001 - ours
    after = rendition.after(parameters)
    return after, Style(is_error, after.classes)


class OutputHtml:
    """What a run says, as HTML.

    Args:
        colours: Whether colour sequences are colours.
    """

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._sources = {stream: _Source(stream) for stream in Stream}
        self._line: Line | None = None
        self._credit = MOST_CREDIT
        self._has_said = False
        self._made: list[Markup] = []

    def feed(self, stream: Stream, chunk: bytes) -> Markup:
        """Return what is to be sent now that a stream goes on.

        Args:
            stream: Which one.
            chunk: As it was read; it may end anywhere, within a character too.
        """
        source = self._sources[stream]
        self._take(source, source.feed(chunk))
        self._show()
        return self._taken()

    def finish(self) -> Markup:
        """Return what was held back, the end tags, and the place that ``#end`` leads to, if anything was said."""
        for source in self._sources.values():
            self._take(source, source.feed(b"", is_last=True))
        self._close()
        if self._has_said:
            self._made.append(element("span", id="end"))
        return self._taken()

    # From text to lines

    def _taken(self) -> Markup:
        made = join(self._made)
        self._made.clear()
        return made

    def _take(self, source: _Source, text: str) -> None:
        self._has_said |= bool(text)
        self._credit = min(MOST_CREDIT, self._credit + AGAIN_FACTOR * len(text))
        for token in _TOKEN.finditer(text):
            match token.lastgroup:
                case "text":
                    self._take_text(_readable(token[0]), source.style)
                case "end":
                    self._take_text("\n", source.style)
                case "home":
                    self._go_home()
                case "sgr" if self._colours:
                    source.select(token["sgr"])
                case "sgr":
                    self._write(_ESCAPE + token[0][1:], source.style)
                case _:
                    self._write(_CONTROLS[token[0]], source.style)

    def _take_text(self, text: str, style: Style) -> None:
        first, line_break, rest = text.partition("\n")
        self._write(first, style)
        if not line_break:
            return
        self._end_line(style)
        complete, line_break, last = rest.rpartition("\n")
        if line_break:
            self._made.append(lines(complete, style))
        self._write(last, style)

    def _write(self, text: str, style: Style) -> None:
        if not text:
            return
        if self._line is None:
            self._line = Line(is_error=style.is_error)
        self._line.write(text, style)
        if self._line.length > MOST_CELLS:
            self._show(must=True)
            self._line.is_long = True
            self._line.forget()

    def _go_home(self) -> None:
        if self._line is None:
            return
        if self._line.is_long:
            self._end_line(USUAL)
        else:
            self._line.go_home()

    def _end_line(self, style: Style) -> None:
        if self._line is None:
            self._made.append(lines("", style))
        else:
            self._close()
            self._made.append(output("\n"))

    # From lines to HTML

    def _close(self) -> None:
        """Send the rest of the line, which is complete, but for its line break."""
        line = self._line
        if line is None:
            return
        if line.is_open:
            self._show(must=True)
            self._made.append(closing("span"))
        else:
            cells = line.render(0, is_part=False)
            self._made.append(element("span", cells, class_="err") if line.is_error else cells)
        self._line = None

    def _show(self, *, must: bool = False) -> None:
        """Send what is new in the line that is under way; a line that changes all the time can wait unless it must."""
        line = self._line
        if line is None or not (line.is_stale or line.sent < line.length):
            return
        if not line.is_open:
            line.is_open = True
            self._made.append(opening("span", class_="err" if line.is_error else "line"))
        if not line.is_stale:
            self._made.append(line.render(line.sent, is_part=True))
        elif must or self._credit >= line.length:
            again = element("span", line.render(0, is_part=False), class_="again")
            self._credit -= len(again)
            self._made.append(again)
        else:
            return
        line.is_stale = False
        line.sent = line.length
        if line.is_long:
            line.forget()


def _readable(text: str) -> str:
    """Replace what is no UTF-8 as Python's decoder does."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode(errors="replace")
