"""What the configuration says of a hook, ``[hooks.NAME]``: parsed, and nothing that acts.

It must not know where the configuration is from, nor what a request is.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self, TypeAlias

from msgspec import Struct

#: A header field's name (RFC 9110, section 5.6.2).
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
#: Keys of a path below ``body``: a JSON document that is deeper than this is none of a hook.
_MOST_KEYS: Final = 32


class Scheme(StrEnum):
    """How a hook's sender proves that it is the sender; the values are what the configuration calls them."""

    #: HMAC-SHA256 of the body, in hexadecimal after ``sha256=``.
    GITHUB = "github"
    #: The secret itself.
    GITLAB = "gitlab"
    #: HMAC-SHA256 of the body, in hexadecimal, with or without ``sha256=`` before it.
    HMAC_SHA256 = "hmac-sha256"


_HEADERS: Final = {Scheme.GITHUB: "X-Hub-Signature-256", Scheme.GITLAB: "X-Gitlab-Token"}


class SignatureRule(Struct, frozen=True):
    """Which signature a hook's requests have."""

    scheme: Scheme
    #: The header field that it is in.
    header: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``github``, ``gitlab`` or ``hmac-sha256:HEADER``.

        Raises:
            ValueError: It is none of them.
        """
        name, colon, header = text.partition(":")
        if name in {Scheme.GITHUB, Scheme.GITLAB} and not colon:
            return cls(Scheme(name), _HEADERS[Scheme(name)])
        if name == Scheme.HMAC_SHA256 and _TOKEN.fullmatch(header):
            return cls(Scheme.HMAC_SHA256, header)
        raise ValueError(f"{text[:60]!a} is no signature: it must be github, gitlab or hmac-sha256:HEADER")


class Place(StrEnum):
    """The part of a request that a value is taken from."""

    BODY = "body"
    HEADER = "header"
    QUERY = "query"


class ValuePath(Struct, frozen=True):
    """Where in a request a value is: ``body.commits.0.id``, ``header.X-GitHub-Event``, ``query.name``."""

    place: Place
    #: Keys and indices from the top of the body; of a header field or a query, one name.
    keys: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a dotted path; a key of the body that has a dot in it cannot be named.

        Raises:
            ValueError: It is none.
        """
        first, dot, rest = text.partition(".")
        keys = tuple(rest.split(".")) if first == Place.BODY else (rest,)
        is_name = _TOKEN.fullmatch(rest) is not None if first == Place.HEADER else bool(rest)
        if first not in set(Place) or not dot or not is_name or not all(keys) or len(keys) > _MOST_KEYS:
            raise ValueError(f"{text[:60]!a} is no path such as body.commits.0.id, header.X-GitHub-Event or query.name")
        return cls(Place(first), keys)

    def __str__(self) -> str:
        """Spell it as the configuration does."""
        return ".".join((self.place, *self.keys))


class Number(Struct, frozen=True):
    """A number of a JSON text, as it is spelled there: none is too long, and none is rounded."""

    text: str


#: What a value of a request can be compared with; those of different types are never equal.
Scalar: TypeAlias = str | Number | bool


class Condition(Struct, frozen=True):
    """That a value is there, and is one of some."""

    path: ValuePath
    any_of: tuple[Scalar, ...]


class Hook(Struct, frozen=True, kw_only=True):
    """A program elsewhere that may start one command."""

    name: str
    #: The name of the command.
    command: str
    #: Absolute paths; whoever knows what is in one of them is the sender.
    secret_files: tuple[str, ...]
    signature: SignatureRule
    #: All of which must hold, or nothing is run.
    only_if: tuple[Condition, ...] = ()
    #: Where the values of parameters are, by their names.
    arguments: tuple[tuple[str, ValuePath], ...] = ()
    #: The most that a body may have.
    body_bytes: int = 1 << 20


#: The secrets of hooks, by their names; each has one or more, none of them empty.
Secrets: TypeAlias = Mapping[str, tuple[bytes, ...]]


def secret_of(content: bytes) -> bytes:
    """Take the secret out of a file's content: all but the line break at its end, which editors add.

    Raises:
        ValueError: There is none.
    """
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise ValueError("is empty")
    return secret
