"""Bytes in pieces that may end within a character, to pieces that do not.

Rule of this file: pure. What is no UTF-8 passes through as it is; a piece that needs no change stays the same object,
so that the readers of a shared run share it.
"""

import codecs
from typing import Final

#: The most bytes that begin a character and do not end it (RFC 3629, section 3).
_MOST_TO_COME: Final = 3


class CompleteCharacters:
    """Holds an incomplete character back until the rest of it has come."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what is complete of all that came and was not yet returned."""
        text = self._rest + chunk if self._rest else chunk
        missing = _incomplete(text)
        self._rest = text[len(text) - missing :] if missing else b""
        return text[:-missing] if missing else text

    def finish(self) -> bytes:
        """Return what was held back for what did not come."""
        rest, self._rest = self._rest, b""
        return rest


def _incomplete(text: bytes) -> int:
    """Count the bytes at the end that begin a character and do not end it."""
    end = text[-_MOST_TO_COME:]
    return len(end) - codecs.utf_8_decode(end, "replace")[1]
