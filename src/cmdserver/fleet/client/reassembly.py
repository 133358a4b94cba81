"""Answers that come in parts: put together again, within bounds. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from cmdserver.auth.signatures.answer_verification import Answer
from cmdserver.fleet.bus_messages import STATUS, lower_names, part_count, read_part

#: Of one answer: an answer has as much output as the host's administrator allows, and JSON is up to six times that.
MOST_BYTES: Final = 64 * 1024 * 1024
#: Answers that are not complete, by one sender: somebody may send parts of one after another, for ever.
_MOST_AT_ONCE: Final = 4
_LEAST_STATUS, _MOST_STATUS = 200, 599


class BadAnswer(Exception):  # noqa: N818 - a statement
    """A message is no part of an answer, or of one that is too large; the text says why."""


class _Parts(Struct):
    """The parts of one answer that there are."""

    bodies: dict[int, bytes]
    size: int = 0


class Reassembly:
    """The answers of one sender."""

    def __init__(self) -> None:
        #: By what all parts of an answer have in common.
        self._incomplete: dict[tuple[object, ...], _Parts] = {}

    def take(self, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Take a message; return the answer if it is complete now.

        Raises:
            BadAnswer: It is none.
        """
        lower = lower_names(headers)
        text = lower.get(STATUS.lower(), "")
        status = int(text) if len(text) == len("200") and text.isdecimal() and text.isascii() else 0
        if not _LEAST_STATUS <= status <= _MOST_STATUS:
            raise BadAnswer("it has no status")
        try:
            number, count = read_part(headers)
        except ValueError as error:
            raise BadAnswer(str(error)) from None
        if count == 1:
            return Answer(status, lower.get, body)
        if count > part_count(MOST_BYTES):
            raise BadAnswer(f"it has {count} parts, which is more than {MOST_BYTES >> 20} MiB")
        whole = self._gather((status, count, lower.get("signature")), number, count, body)
        return Answer(status, lower.get, whole) if whole is not None else None

    def _gather(self, key: tuple[object, ...], number: int, count: int, body: bytes) -> bytes | None:
        parts = self._incomplete.pop(key, None) or _Parts({})
        if number not in parts.bodies:
            parts.bodies[number] = body
            parts.size += len(body)
        if parts.size > MOST_BYTES:
            raise BadAnswer(f"it has more than {MOST_BYTES >> 20} MiB")
        if len(parts.bodies) == count:
            return b"".join(parts.bodies[index] for index in range(1, count + 1))
        self._incomplete[key] = parts
        if len(self._incomplete) > _MOST_AT_ONCE:
            del self._incomplete[next(iter(self._incomplete))]
        return None
