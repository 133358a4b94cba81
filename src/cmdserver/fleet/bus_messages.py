"""Requests and answers of HTTP as messages of the bus: which headers there are, and in how many parts an answer goes.

Whatever comes from a bus is hostile: a request is made anew of what is known in it, and everything else is left behind.
Pure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Self

from msgspec import Struct

from cmdserver.auth.signatures.audience import FIELD as AUDIENCE
from cmdserver.auth.signatures.audience import Audience

METHOD: Final = "Cmdserver-Method"
TARGET: Final = "Cmdserver-Target"
STATUS: Final = "Cmdserver-Status"
PART: Final = "Cmdserver-Part"
HOST: Final = "Cmdserver-Host"

#: Bytes of an answer in one message: with its headers that is less than the 1 MiB that a bus takes by default.
PART_BYTES: Final = 900_000

_SIGNED: Final = (AUDIENCE, "Signature-Input", "Signature")
#: All fields that a request may have.
REQUEST_FIELDS: Final = (*_SIGNED, "Content-Type", "Content-Digest")
#: All fields that an answer may have, as HTTP has them.
ANSWER_FIELDS: Final = (HOST, "Content-Type", "Content-Digest", "Signature-Input", "Signature", "Retry-After")
#: The one request that the subject of all hosts carries: its method and target.
ROLL_CALL: Final = ("GET", "/-/fleet")
_METHODS: Final = frozenset({"GET", "POST"})
_TARGET: Final = re.compile(r"/[!-~]{0,8191}")
#: Of all fields of a request together; a daemon takes no more either.
_MOST_FIELD_BYTES: Final = 14_000
_PART: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")

Fields = Sequence[tuple[str, str]]


def lower_names(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return headers by their names in lower case: as fields of HTTP they have no other (RFC 9110, section 5.1)."""
    return {name.lower(): value for name, value in (headers or {}).items()}


class BadRequest(Exception):  # noqa: N818 - a statement
    """A message is no request; the text says why, for the log."""


class BusRequest(Struct, frozen=True, kw_only=True):
    """A request that came over the bus; nothing in it is proved."""

    method: str
    target: str
    fields: Fields
    audience: Audience
    body: bytes

    @classmethod
    def read(cls, headers: Mapping[str, str] | None, body: bytes) -> Self:
        """Read a message.

        Raises:
            BadRequest: It is none.
        """
        known = lower_names(headers)
        method, target = known.get(METHOD.lower(), ""), known.get(TARGET.lower(), "")
        if method not in _METHODS or not _TARGET.fullmatch(target):
            raise BadRequest("it has no method and no target")
        fields = tuple((name, known[name.lower()]) for name in REQUEST_FIELDS if name.lower() in known)
        if sum(len(value) for _, value in fields) > _MOST_FIELD_BYTES:
            raise BadRequest("its fields are too long")
        for name, value in fields:
            if not (value and value.isascii() and value.isprintable()):
                raise BadRequest(f"{name} is not printable ASCII")
        if not {name for name, _ in fields} >= set(_SIGNED):
            raise BadRequest("it is not signed")
        try:
            audience = Audience.parse(known[AUDIENCE.lower()])
        except ValueError as error:
            raise BadRequest(str(error)) from None
        return cls(method=method, target=target, fields=fields, audience=audience, body=body)

    def http(self) -> bytes:
        """Write it as HTTP/1.1 (RFC 9112); the answer is to be one whole, and the connection is closed behind it."""
        lines = [
            f"{self.method} {self.target} HTTP/1.1",
            "Host: localhost",
            "Accept: application/json",
            "Connection: close",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.fields),
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


def part_count(size: int) -> int:
    """Say in how many parts an answer of so many bytes goes."""
    return max(1, -(-size // PART_BYTES))


def answer_headers(status: int, fields: Fields, part: int = 1, parts: int = 1) -> dict[str, str]:
    """Return the headers of one part of an answer: each part has all of them."""
    headers = {STATUS: str(status), **dict(fields)}
    return headers if parts == 1 else {**headers, PART: f"{part}/{parts}"}


def read_part(headers: Mapping[str, str]) -> tuple[int, int]:
    """Return which part of how many a message is.

    Raises:
        ValueError: It is none of them.
    """
    text = lower_names(headers).get(PART.lower(), "1/1")
    match = _PART.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError(f"{text[:64]!a} is no part")
    return int(match[1]), int(match[2])
