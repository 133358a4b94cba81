"""The hosts of a fleet and their keys: a file in the format of OpenSSH's ``known_hosts`` (sshd(8)).

It is also the inventory: a name that is in it is expected to answer. So names must be there to be read, and a pattern
is no host. Any text gives hosts and notes, and never an exception; what is not understood lets nobody in.
"""

import fcntl
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from msgspec import Struct

from cmdserver.auth.signatures.audience import matches
from cmdserver.core.site import HOST_NAME, require_host_name
from cmdserver.files.atomic_file import make_directory
from cmdserver.files.safe_path import opened
from cmdserver.sshtransport.encoding import string

#: By keys of this type alone hosts sign.
_KIND: Final = "ssh-ed25519"
_BEGINNING: Final = string(_KIND.encode())
_KEY_BYTES: Final = 32
_NAME: Final = re.compile(HOST_NAME)
#: Names, type, key; what is behind them is a comment.
_WORDS: Final = 3


class KnownHost(Struct, frozen=True):
    """A host, and the keys that it may sign with."""

    #: As it is written first.
    name: str
    #: As RFC 4253, section 6.6, has them.
    keys: tuple[bytes, ...]


class KnownHosts(Struct, frozen=True):
    """What such a file says."""

    #: By their names in lower case.
    hosts: Mapping[str, KnownHost] = {}
    #: What was left out, a line each: ``FILE:LINE: why``.
    notes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, file_name: str) -> Self:
        """Read a file; ``file_name`` is for the notes."""
        return cls.parse_all([(text, file_name)])

    @classmethod
    def parse_all(cls, files: Iterable[tuple[str, str]]) -> Self:
        """Read several files, each a text and a name for the notes; what one of them revokes is revoked in all."""
        reading = _Reading()
        places: list[str] = []
        for text, file_name in files:
            for number, line in enumerate(text.split("\n"), 1):
                words = re.split(r"[ \t]+", line.strip(" \t\r"))
                places.append(f"{file_name}:{number}")
                if words[0] and not words[0].startswith("#"):
                    reading.take(len(places) - 1, words)
        return cls(reading.hosts(), tuple(f"{places[at]}: {note}" for at, note in sorted(reading.notes())))

    def keys_of(self, name: str) -> tuple[bytes, ...]:
        """Return the keys of a host, whose name's case does not matter; none if it is not known."""
        host = self.hosts.get(name.lower())
        return host.keys if host is not None else ()

    def matching(self, globs: Sequence[str]) -> tuple[str, ...]:
        """Return the names that match one of these, which may have ``*`` and ``?``; sorted."""
        lower = [glob.lower() for glob in globs]
        return tuple(self.hosts[name].name for name in sorted(self.hosts) if any(matches(name, each) for each in lower))


class _Reading:
    """The lines of a file, taken up one after another."""

    def __init__(self) -> None:
        #: By names in lower case: as written, in which line, and the keys without order but the file's.
        self._found: dict[str, tuple[str, int, dict[bytes, None]]] = {}
        self._other_types: dict[str, tuple[str, int]] = {}
        self._revoked: set[bytes] = set()
        self._hashed: list[int] = []
        self._notes: list[tuple[int, str]] = []

    def take(self, number: int, words: list[str]) -> None:
        """Take up a line."""
        marker = words.pop(0) if words[0].startswith("@") else ""
        if marker not in {"", "@revoked"}:
            self._notes.append((number, f"lines with {marker[:64]!a} are not read"))
        elif len(words) < _WORDS:
            self._notes.append((number, "it is not like NAME ssh-ed25519 KEY"))
        elif marker:
            self._revoke(number, words[2])
        elif words[1] != _KIND:
            self._take_other(number, words[0])
        elif (blob := _decoded(words[2])) is None or not is_host_key(blob):
            self._notes.append((number, f"the {_KIND} key is damaged"))
        else:
            self._take_key(number, words[0], blob)

    def hosts(self) -> Mapping[str, KnownHost]:
        """Return the hosts that have keys left."""
        left = {
            lower: KnownHost(name, tuple(key for key in keys if key not in self._revoked))
            for lower, (name, _, keys) in self._found.items()
        }
        return {lower: host for lower, host in left.items() if host.keys}

    def notes(self) -> list[tuple[int, str]]:
        """Return what was left out, with the numbers of lines."""
        known = self.hosts()
        notes = [
            *self._notes,
            *((at, f"{name}: its keys are revoked") for low, (name, at, _) in self._found.items() if low not in known),
            *(
                (at, f"{name} has no {_KIND} key, and by another no host signs")
                for low, (name, at) in self._other_types.items()
                if low not in self._found
            ),
        ]
        if self._hashed:
            # OpenSSH may hash them all, and one note is as good as a thousand.
            lines = f"here and in {len(self._hashed) - 1} more lines" if self._hashed[1:] else "here"
            notes.append((self._hashed[0], f"{lines} the name is hashed, so that nobody can list it"))
        return notes

    def _revoke(self, number: int, encoded: str) -> None:
        # Of whichever host the line says: a key that somebody else may have is nobody's any more.
        if (blob := _decoded(encoded)) is None:
            self._notes.append((number, "the revoked key is damaged"))
        else:
            self._revoked.add(blob)

    def _take_other(self, number: int, names: str) -> None:
        for name in filter(_NAME.fullmatch, names.split(",")):
            self._other_types.setdefault(name.lower(), (name, number))

    def _take_key(self, number: int, names: str, blob: bytes) -> None:
        if names.startswith("|"):
            self._hashed.append(number)
            return
        patterns = names.split(",")
        if any(pattern.startswith("!") for pattern in patterns):
            self._notes.append((number, "lines with negations (!) are not read"))
            return
        for pattern in patterns:
            if _NAME.fullmatch(pattern):
                _, _, keys = self._found.setdefault(pattern.lower(), (pattern, number, {}))
                keys[blob] = None
            elif "*" in pattern or "?" in pattern:
                self._notes.append((number, f"{pattern[:64]!a} is a pattern, and no host"))
            else:
                self._notes.append((number, f"{pattern[:64]!a} can be no host's name in a fleet"))


def is_host_key(blob: bytes) -> bool:
    """Whether it is an Ed25519 key, as RFC 8709 has it."""
    return blob.startswith(_BEGINNING + _KEY_BYTES.to_bytes(4, "big")) and len(blob) == len(_BEGINNING) + 4 + _KEY_BYTES


def read_public_key(line: str) -> bytes | None:
    """Return the Ed25519 key of a line, ``ssh-ed25519 KEY``; None if there is none."""
    kind, _, encoded = line.strip().partition(" ")
    blob = _decoded(encoded.partition(" ")[0]) if kind == _KIND else None
    return blob if blob is not None and is_host_key(blob) else None


def add(path: Path, new: Mapping[str, bytes]) -> None:
    """Add hosts to a file, durably; what is there stays as it is. It is made, with its directories, for us alone.

    Args:
        path: Of the file; a link is followed.
        new: The hosts' names and their Ed25519 keys.

    Raises:
        ValueError: One of them is none; nothing is added.
        OSError: It cannot be written; nothing is added.
    """
    lines = []
    for name, blob in new.items():
        if not is_host_key(blob):
            raise ValueError(f"{name!a} has no {_KIND} key")
        lines.append(f"{require_host_name(name)} {_KIND} {b64encode(blob).decode()}\n")
    for directory in (*reversed(path.parent.parents), path.parent):
        if not directory.exists():
            make_directory(directory)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _append(descriptor, "".join(lines).encode("ascii"))
    finally:
        os.close(descriptor)
    with opened(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as directory_descriptor:
        os.fsync(directory_descriptor)


def _append(descriptor: int, content: bytes) -> None:
    """Add to a file all or nothing, on a new line."""
    size = os.fstat(descriptor).st_size
    if content and size and os.pread(descriptor, 1, size - 1) != b"\n":
        content = b"\n" + content
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _decoded(encoded: str) -> bytes | None:
    try:
        return b64decode(encoded, validate=True)
    except ValueError:
        return None
