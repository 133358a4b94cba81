"""Make terminal control sequences visible, so that what a command prints cannot act on the reader's terminal.

``ESC`` becomes ``^[``, as ``cat -v`` shows it. Left alone: tab, LF, CRLF, and every byte that is no control character,
whatever its encoding; where that is wanted, also CR, and the sequences that select colours (SGR). The C1 controls
(ECMA-48, section 5.3) count in both of their forms, the bytes 0x80 to 0x9f and their UTF-8 encoding: there are
terminals that obey either.

A text that people are to take over into their file is written as TOML has it.
"""

import codecs
import json
import re

_UTF8 = codecs.getincrementaldecoder("utf-8")

_CONTROL_BYTE = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_LONE_RETURN = re.compile("\r(?!\n)")
_RETURN_AT_END = re.compile("\r\\Z")

#: SELECT GRAPHIC RENDITION (ECMA-48, section 8.3.117; ITU-T T.416 has the colons). Its length is bounded, as a terminal
#: shows nothing until it ends; a foreground, a background and eight attributes have room. Private sequences, such as
#: xterm's ``ESC [ > 4 ; 1 m``, are none of these.
_COLOUR = re.compile("\x1b\\[([0-9;:]{0,64})m")
_BEGINNING_OF_COLOUR = re.compile("(?:\r|\x1b(?:\\[[0-9;:]{0,64})?)\\Z")
_RESET = b"\x1b[0m"
_COLOUR_BYTES = re.compile(rb"\x1b\[[0-9;:]{0,64}m")
_LONGEST_COLOUR = len("\x1b[m") + 64

_C0 = {code: f"^{chr(code ^ 0x40)}" for code in (*range(0x20), 0x7F)}
_C1 = {code: f"M-^{chr(code ^ 0xC0)}" for code in range(0x80, 0xA0)}
#: A byte that is not UTF-8, as surrogateescape spells it.
_C1_BYTES = {0xDC00 + code: text for code, text in _C1.items()}
_IN_OUTPUT = {code: text for code, text in (_C0 | _C1 | _C1_BYTES).items() if chr(code) not in "\t\n\r"}
#: Blank to the eye, though of categories that are printed: fillers, variation selectors, the empty Braille pattern.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
#: The line and paragraph separators end a line for some readers.
_IN_LINE = _C0 | _C1 | _C1_BYTES | {0x2028: "?", 0x2029: "?"}


class Printable:
    """Output on its way to a terminal, in chunks that may end anywhere, within a character or a sequence too.

    Args:
        keeps_returns: Whether a CR is left alone, as for a person before whom progress overwrites its line.
    """

    __slots__ = ("_decoder", "_held", "_is_coloured", "_keeps_returns", "is_clean", "keeps_colours")

    def __init__(self, *, keeps_returns: bool = False) -> None:
        #: Made for the first chunk that is not shown as it is.
        self._decoder: codecs.IncrementalDecoder | None = None
        self._keeps_returns = keeps_returns
        #: Whether sequences that select colours and the like are left alone: they change how text looks, and no more.
        self.keeps_colours = False
        #: What ended a chunk and may be harmless, depending on what comes next.
        self._held = ""
        #: Whether the terminal has been told a colour, and not to forget it.
        self._is_coloured = False
        #: Whether `finish` would return nothing: no chunk has ended within a character or a sequence, or in colour.
        self.is_clean = True

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be shown of the output so far and was not yet returned."""
        if self.is_clean and chunk.isascii() and _CONTROL_BYTE.search(chunk) is None:
            return chunk
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = _UTF8("surrogateescape")
        text = self._held + decoder.decode(chunk)
        beginning = (_BEGINNING_OF_COLOUR if self.keeps_colours else _RETURN_AT_END).search(text)
        self._held = (
            beginning[0] if beginning is not None and not (self._keeps_returns and beginning[0] == "\r") else ""
        )
        shown = self._show(text.removesuffix(self._held))
        self.is_clean = not (self._held or self._is_coloured or decoder.getstate()[0])
        return shown

    def finish(self) -> bytes:
        """Return what was held back for what might have come, and what takes colours back."""
        if self.is_clean or self._decoder is None:
            return b""
        text, self._held = self._held + self._decoder.decode(b"", final=True), ""
        shown = self._show(text)
        return shown + self.reset()

    def reset(self) -> bytes:
        """Return what takes colours back, if there are any."""
        if not self._is_coloured:
            return b""
        self._is_coloured = False
        self.is_clean = not (self._held or (self._decoder is not None and self._decoder.getstate()[0]))
        return _RESET

    def _show(self, text: str) -> bytes:
        if not self.keeps_colours or "\x1b" not in text:
            return self._without_controls(text).encode("utf-8", "surrogateescape")
        shown = []
        end = 0
        for found in _COLOUR.finditer(text):
            shown += [self._without_controls(text[end : found.start()]), found[0]]
            end = found.end()
            self._is_coloured = bool(found[1].strip("0;:"))
        return "".join((*shown, self._without_controls(text[end:]))).encode("utf-8", "surrogateescape")

    def _without_controls(self, text: str) -> str:
        return (text if self._keeps_returns else _LONE_RETURN.sub("^M", text)).translate(_IN_OUTPUT)


def ends_line(data: bytes, was_at_start: bool) -> bool:  # noqa: FBT001 - it reads as a sentence
    """Whether a cursor is at the beginning of a row after output, given whether it was before; colours do not count."""
    end = len(data)
    # One by one, from the end: a regular expression for all of them takes quadratic time where they are many.
    while end and data[end - 1 : end] == b"m":
        start = data.rfind(b"\x1b", max(0, end - _LONGEST_COLOUR), end)
        if start < 0 or _COLOUR_BYTES.fullmatch(data, start, end) is None:
            break
        end = start
    return data[end - 1 : end] == b"\n" if end else was_at_start


def printable_line(text: str) -> str:
    """Make a stranger's words safe to quote within one line of text: LF, CR and tab become visible too."""
    return text.translate(_IN_LINE)


def visible(text: str) -> str:
    r"""Show what cannot be seen, or changes how the rest is seen, as an escape (``\u200b``), for messages that quote.

    That is what is no printable character (controls, zero-width and bidirectional ones, spaces but the usual one) and
    what looks like nothing all the same.
    """
    if text.isprintable() and (text.isascii() or _BLANK.search(text) is None):
        return text
    return "".join(
        each if each.isprintable() and _BLANK.match(each) is None else each.encode("unicode_escape").decode()
        for each in text
    )


def toml_string(text: str) -> str:
    """Write a text as TOML does (toml.io, 1.0.0, basic strings); it has no lone surrogates.

    JSON's strings are TOML's but for DEL, which TOML wants to be escaped.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
