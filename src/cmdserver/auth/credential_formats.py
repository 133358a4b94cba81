"""What administrators write down about their users, as values: passwords' hashes and tokens; keys have their own file.

The formats are those of the tools that administrators have already: ``passwd`` is htpasswd's, ``tokens`` is a line
each. Any text gives values and complaints and never an exception; a line that is not understood is left out and
complained of, never guessed at. A complaint never quotes what may be a secret.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Generic, TypeVar

from msgspec import Struct

from cmdserver.auth.password_hash import trouble_with_hash
from cmdserver.auth.source_restrictions import Sources, parse_networks
from cmdserver.core.escaping import printable_line
from cmdserver.core.names import is_command_pattern, is_label, is_user_name

Value_co = TypeVar("Value_co", covariant=True)

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
#: RFC 3339; datetime.fromisoformat alone takes much more, a time without a zone for one.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)", re.ASCII)
#: As many as tell ten thousand tokens apart, and no more: a digest of a token that somebody made up is half a secret.
_HANDLE_DIGITS = 12
_SHOWN_CHARACTERS = 64


class Complaint(Struct, frozen=True):
    """A line of a file that is not understood, or a file that cannot be used."""

    #: From 1; None if it is about the whole file.
    line: int | None
    #: Printable ASCII.
    text: str

    def __str__(self) -> str:
        """Say it as compilers do, for after the file's name: ``3: no bcrypt hash``."""
        return self.text if self.line is None else f"{self.line}: {self.text}"


class Parsed(Struct, Generic[Value_co], frozen=True):
    """The values of a text, and its complaints."""

    value: Value_co
    complaints: tuple[Complaint, ...] = ()


class Token(Struct, frozen=True, kw_only=True):
    """A bearer token, of which only the SHA-256 is kept."""

    #: Whose it is.
    name: str
    sha256: bytes
    #: What its user calls it; None: nothing.
    label: str | None = None
    #: In UTC; None is never.
    expires: datetime | None = None
    #: None is everywhere.
    sources: Sources | None = None
    #: The only commands that it is good for, names or globs, within what its user may run; None is no narrower.
    commands: frozenset[str] | None = None

    @property
    def handle(self) -> str:
        """What people call it: its label, or if it has none the beginning of its digest."""
        return self.label or self.sha256.hex()[:_HANDLE_DIGITS]

    def refusal(self, now: datetime, source: str) -> str | None:
        """Say, for the audit file, why it may not be used now from there; None if it may."""
        return refusal("token", self.expires, self.sources, now, source)


def refusal(what: str, expires: datetime | None, sources: Sources | None, now: datetime, source: str) -> str | None:
    """Say why something may not be used now from there; None if it may."""
    if expires is not None and now >= expires:
        return f"{what} expired at {format_time(expires)}"
    if sources is not None and not sources.include(source):
        return f"{what} not allowed from {source}"
    return None


def token_digest(secret: str) -> bytes:
    """Make of a token what is kept of it; of 32 random bytes a plain hash is enough."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()


def parse_passwd(text: str) -> Parsed[Mapping[str, bytes]]:
    """Read ``name:bcrypt-hash`` lines; a name's first line counts, be it one that lets nobody in."""
    hashes: dict[str, bytes] = {}
    names: set[str] = set()
    complaints = []
    for number, line in meaningful_lines(text):
        name, colon, hashed = line.partition(":")
        if not is_user_name(name):
            complaints.append(Complaint(number, f"{_shown(name)} can be no user's name"))
        elif name in names:
            complaints.append(Complaint(number, f"{name} has a line already; the first one counts"))
        elif trouble := trouble_with_hash(hashed):
            if colon:  # else it says nothing of anybody
                names.add(name)
            complaints.append(Complaint(number, f"{name}: {trouble}"))
        else:
            names.add(name)
            hashes[name] = hashed.encode("ascii")
    return Parsed(hashes, tuple(complaints))


def parse_tokens(text: str) -> Parsed[tuple[Token, ...]]:
    """Read ``NAME SHA256HEX [name=LABEL] [expires=TIME] [from=NETWORKS] [commands=GLOBS]`` lines.

    A token's first line counts. Several tokens of a user may have one label, as in a file that was put together.
    """
    tokens: dict[bytes, Token] = {}
    complaints = []
    for number, line in meaningful_lines(text):
        try:
            token = _token(line)
            if token.sha256 in tokens:
                raise ValueError(f"{token.name}: the same token as in a line before")  # noqa: TRY301 - as from _token
            tokens[token.sha256] = token
        except ValueError as error:
            complaints.append(Complaint(number, str(error)))
    return Parsed(tuple(tokens.values()), tuple(complaints))


def _token(line: str) -> Token:
    name, *words = re.split(r"[ \t]+", line)
    if not is_user_name(name):
        raise ValueError(f"{_shown(name)} can be no user's name")
    if not words or not _SHA256.fullmatch(words[0]):
        raise ValueError(f"{name}: no SHA-256 of a token, 64 hexadecimal digits, behind the name")
    options: dict[str, str] = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if key not in {"name", "expires", "from", "commands"} or not equals:
            raise ValueError(f"{name}: {_shown(word)} is not name=, expires=, from= or commands=")
        if key in options:
            raise ValueError(f"{name}: {key}= is there twice")
        options[key] = value
    try:
        return Token(
            name=name,
            sha256=bytes.fromhex(words[0]),
            label=parse_label(options["name"]) if "name" in options else None,
            expires=parse_time(options["expires"]) if "expires" in options else None,
            sources=parse_networks(options["from"]) if "from" in options else None,
            commands=parse_commands(options["commands"]) if "commands" in options else None,
        )
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def format_token(token: Token) -> str:
    """Write a token's line, as `parse_tokens` reads it."""
    words = [token.name, token.sha256.hex()]
    if token.label is not None:
        words.append(f"name={token.label}")
    if token.expires is not None:
        words.append(f"expires={format_time(token.expires)}")
    if token.sources is not None:
        words.append(f"from={token.sources.text}")
    if token.commands is not None:
        words.append(f"commands={','.join(sorted(token.commands))}")
    return " ".join(words)


def parse_time(text: str) -> datetime:
    """Read a time like ``2027-01-31T00:00:00Z``.

    Raises:
        ValueError: It is none, or has no time zone, which nobody guesses.
    """
    if _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"{_shown(text)} is no time with its zone, such as 2027-01-31T00:00:00Z")


def format_time(time: datetime) -> str:
    """Write a time as `parse_time` reads it."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_commands(text: str) -> frozenset[str]:
    """Read names of commands, and globs of them, as in ``uptime,net-*``.

    Raises:
        ValueError: One of them can be no command's, and no glob that could match one's.
    """
    patterns = text.split(",")
    for pattern in patterns:
        if not is_command_pattern(pattern):
            raise ValueError(f"{_shown(pattern)} can be no command's name, nor a glob of them")
    return frozenset(patterns)


def parse_label(text: str) -> str:
    """Read what a token is called.

    Raises:
        ValueError: It can be no label.
    """
    if not is_label(text):
        raise ValueError(
            f"{_shown(text)} can be no label: up to 64 of A-Z a-z 0-9 _ . @ -, none of the last three first"
        )
    return text


def meaningful_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number the lines, and leave out comments and blank ones.

    Lines end in LF or CRLF and nothing else: ``splitlines`` knows ten more characters, which may stand in a comment.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip(" \t\r")
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def password_owner(line: str) -> str:
    """Say whose a line of ``passwd`` is, understood or not."""
    return line.strip(" \t\r").partition(":")[0]


def token_owner(line: str) -> str:
    """Say whose a line of ``tokens`` is, understood or not."""
    return re.split(r"[ \t]", line.strip(" \t\r"), maxsplit=1)[0]


def with_line(text: str, name: str, owner: Callable[[str], str], line: str) -> str:
    """Put a line in the place of the first one of ``name``'s, or at the end, and drop their others."""
    lines = [line if owner(each) == name else each for each in text.split("\n")]
    if line not in lines:
        return with_end(text) + line + "\n"
    first = lines.index(line)
    return "\n".join(lines[: first + 1] + [each for each in lines[first + 1 :] if each != line])


def without_lines(text: str, name: str, owner: Callable[[str], str]) -> str:
    """Drop all the lines of ``name``'s; every other stays as it is."""
    return without(text, lambda line: owner(line) == name)


def without(text: str, is_unwanted: Callable[[str], bool]) -> str:
    """Drop lines; every other stays as it is."""
    return "\n".join(each for each in text.split("\n") if not is_unwanted(each))


def is_token(line: str, name: str, handle: str) -> bool:
    """Whether a line of ``tokens`` is that of a user's token; see `Token.handle`."""
    return any((each.name, each.handle) == (name, handle) for each in parse_tokens(line).value)


def with_end(text: str) -> str:
    """End the last line, if there is one."""
    return text if not text or text.endswith("\n") else text + "\n"


def none_such(name: str, what: str, wanted: str, present: Iterable[str]) -> str:
    """Say that a user has not what is to be removed, and what there is."""
    there = ", ".join(dict.fromkeys(present))
    return f"{name} has no {what} {printable_line(wanted)}; " + (
        f"there are: {there}" if there else f"there is no {what}"
    )


def _shown(text: str) -> str:
    """Quote at most `_SHOWN_CHARACTERS` of a value that is no secret, in ASCII."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")
