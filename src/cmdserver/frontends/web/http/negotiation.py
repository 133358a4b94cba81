"""Which representation a client wants: the ``Accept`` header (RFC 9110, section 12.5.1) to one of four.

Rule of this file: pure; any bytes are a wish that can be granted, if only with the first of what is offered.
"""

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache


class Representation(Enum):
    """What an answer can look like; the value is its media type."""

    __hash__ = object.__hash__  # Enum's own is a function of Python, called for each look into a table

    PAGE = b"text/html"
    TEXT = b"text/plain"
    JSON = b"application/json"
    EVENTS = b"text/event-stream"


#: Of a command, the first for those who take anything, as curl does.
OF_COMMANDS = (Representation.TEXT, Representation.PAGE, Representation.JSON, Representation.EVENTS)
#: Of everything that is said at once.
OF_DOCUMENTS = (Representation.TEXT, Representation.PAGE, Representation.JSON)

#: Longer ones are not looked at: no client sends them, and each would be remembered.
LONGEST = 1024


@lru_cache(maxsize=256)
def choose(accept: bytes | None, offered: Sequence[Representation] = OF_COMMANDS) -> Representation:
    """Choose what a client likes best.

    Args:
        accept: The header's value, several joined by commas; None if there was none.
        offered: What there is, the best first: it decides between those that are liked equally.

    Returns:
        The one with the highest quality. Where there is none that is accepted, the first: RFC 9110 leaves that to the
        server, and an answer is more use than the news that there is none.
    """
    if accept is None or len(accept) > LONGEST:
        return offered[0]
    ranges = weights(accept)
    return max(offered, key=lambda each: _quality(each.value, ranges))  # the first of several equal ones


def weights(header: bytes) -> list[tuple[bytes, float]]:
    """Read a header of things that are liked more or less, such as ``gzip, br;q=0.5, *;q=0``, all in lower case."""
    return [_range(part) for part in header.lower().split(b",")]


def lists(header: bytes | None, wanted: bytes) -> bool:
    """Whether a header of several things has one of them, whatever its parameters: ``respond-async, wait=10``."""
    return header is not None and any(each.partition(b";")[0].strip() == wanted for each in header.lower().split(b","))


def _range(part: bytes) -> tuple[bytes, float]:
    """Split ``text/html;level=1;q=0.5`` into what it is for, parameters left out, and how much that is liked."""
    media, *parameters = (each.strip() for each in part.split(b";"))
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            return media, _weight(value.strip())
    return media, 1.0


def _weight(value: bytes) -> float:
    """Read ``0.8``; what is no number from 0 to 1 is a mistake of a client who did mean to say something."""
    digits = value.replace(b".", b"", 1)
    if not digits.isdigit() or len(value) > len("0.000"):
        return 1.0
    return min(1.0, float(value))


def _quality(media: bytes, ranges: Sequence[tuple[bytes, float]]) -> float:
    """Say how much a client likes a media type: what is said of it most precisely counts."""
    for wanted in (media, media.partition(b"/")[0] + b"/*", b"*/*"):
        qualities = [quality for each, quality in ranges if each == wanted]
        if qualities:
            return max(qualities)
    return 0.0
