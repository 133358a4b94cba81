r"""Standard output and standard error, for people: whatever their terminal can show, and whether or not they listen.

Programs of ours say names, paths and other people's words, which may hold anything; what an encoding does not have is
shown as an escape (``\xe4``).
"""

import codecs
import os
import sys
from io import TextIOWrapper
from typing import TextIO


class _ASCII(TextIOWrapper):
    """A stream of ASCII that does not say so: click would write UTF-8 to one that does.

    Args:
        stream: In whose place it stands, and which it keeps from being closed.
    """

    def __init__(self, stream: TextIOWrapper) -> None:
        super().__init__(stream.buffer, encoding="utf-8", line_buffering=stream.line_buffering)
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it, with escapes."""
        super().write(text.encode("ascii", "backslashreplace").decode("ascii"))
        return len(text)


def prepare() -> None:
    """Replace the standard streams by ones that write any text, and open those that are closed."""
    sys.stdout, sys.stderr = _prepared(sys.stdout), _prepared(sys.stderr)


def say(text: str) -> None:
    """Write to standard output and flush; a closed pipe is ignored."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())


def _prepared(stream: TextIO | None) -> TextIO:
    if stream is None:  # it was closed when we were started
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - for good
    if not isinstance(stream, TextIOWrapper):
        return stream  # somebody has put something of theirs there
    if codecs.lookup(stream.encoding).name == "ascii":
        return _ASCII(stream)
    stream.reconfigure(errors="backslashreplace")
    return stream
