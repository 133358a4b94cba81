"""Make terminal control sequences visible, so that what a command prints cannot act on the reader's terminal.

``ESC`` becomes ``^[``, as ``cat -v`` shows it. Left alone: tab, LF, CRLF, and every byte that is no control character,
whatever its encoding. The C1 controls (ECMA-48, section 5.3) count in both of their forms, the bytes 0x80 to 0x9f and
their UTF-8 encoding: there are terminals that obey either.
"""

import codecs
import re

_CONTROL_BYTE = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_LONE_RETURN = re.compile("\r(?!\n)")

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
    """Output on its way to a terminal, in chunks that may end anywhere, within a character or a CRLF too."""

    __slots__ = ("_decoder", "_return")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        #: A CR that ended a chunk: harmless if an LF comes next.
        self._return = ""

    def feed(self, chunk: bytes) -> bytes:
        """Return what may be shown of the output so far and was not yet returned."""
        is_at_boundary = not self._return and not self._decoder.getstate()[0]
        if is_at_boundary and chunk.isascii() and _CONTROL_BYTE.search(chunk) is None:
            return chunk
        text = self._return + self._decoder.decode(chunk)
        self._return = "\r" if text.endswith("\r") else ""
        return _show(text.removesuffix(self._return))

    def finish(self) -> bytes:
        """Return what was held back for what might have come."""
        text, self._return = self._return + self._decoder.decode(b"", final=True), ""
        return _show(text)


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


def _show(text: str) -> bytes:
    return _LONE_RETURN.sub("^M", text).translate(_IN_OUTPUT).encode("utf-8", "surrogateescape")
