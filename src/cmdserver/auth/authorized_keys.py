"""OpenSSH's ``authorized_keys`` format (sshd(8), AUTHORIZED_KEYS FILE FORMAT), as values.

Any text gives keys and complaints and never an exception. It fails closed: a line with an option that is unknown, or
that says what cannot be done here, is no key. Options about forwarding, X11, agents and rc files are taken, because
there is none of it for anybody.
"""

import base64
import binascii
import re
import struct
from datetime import UTC, datetime, tzinfo

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from msgspec import Struct

from cmdserver.auth.credential_formats import Complaint, Parsed, meaningful_lines, refusal
from cmdserver.auth.source_restrictions import Sources, parse_patterns
from cmdserver.core import fingerprints
from cmdserver.core.fingerprints import fingerprint_of

KINDS = frozenset(
    {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
#: NIST SP 800-131A: shorter ones are no longer to be trusted.
MIN_RSA_BITS = 2048

#: In a value ``\"`` is a quote and any other backslash is itself; never tried another way (possessive).
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:\\"|[^"])*+)")?')
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z|UTC)?", re.ASCII | re.IGNORECASE)
#: Each takes, or gives back, what nobody has here; and without a touch more is asked of a security key than need be.
_WITHOUT_EFFECT = frozenset(
    {
        "no-port-forwarding",
        "no-agent-forwarding",
        "no-x11-forwarding",
        "no-user-rc",
        "no-touch-required",
        "port-forwarding",
        "agent-forwarding",
        "x11-forwarding",
        "user-rc",
    }
)
#: The same for those with a value.
_VALUE_WITHOUT_EFFECT = frozenset({"permitopen", "permitlisten"})


class AuthorizedKey(Struct, frozen=True, kw_only=True):
    """A public key that logs its holder in, within its options."""

    #: One of `KINDS`.
    kind: str
    #: As RFC 4253, section 6.6, has it.
    blob: bytes
    comment: str = ""
    #: None is everywhere.
    sources: Sources | None = None
    #: In UTC; None is never.
    expires: datetime | None = None
    #: What is run whatever is asked for.
    command: str | None = None
    #: Whether a terminal may be had.
    permits_pty: bool = True

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` calls it."""
        return fingerprint_of(self.blob)

    def refusal(self, now: datetime, source: str) -> str | None:
        """Say, for the audit file, why it may not be used now from there; None if it may."""
        return refusal("key", self.expires, self.sources, now, source)


def parse_authorized_keys(text: str, zone: tzinfo | None = None) -> Parsed[tuple[AuthorizedKey, ...]]:
    """Read a file of keys. A key may be there more than once: each line lets it in by itself, as with sshd.

    An ``expiry-time`` without ``Z`` is meant in ``zone``; None is the host's own, as with sshd.
    """
    keys, complaints = [], []
    for number, line in meaningful_lines(text):
        try:
            key = _key(line, zone)
        except ValueError as error:
            complaints.append(Complaint(number, str(error)))
            continue
        keys.append(key)
        if key.sources is not None and key.sources.host_names:
            names = ", ".join(map(ascii, key.sources.host_names))
            complaints.append(Complaint(number, f"from= has host names, which never match here: {names}"))
    return Parsed(tuple(keys), tuple(complaints))


def has_fingerprint(line: str, fingerprint: str) -> bool:
    """Whether a line is one of a key with that fingerprint, with or without the ``SHA256:`` before it."""
    wanted = fingerprints.PREFIX + fingerprint.removeprefix(fingerprints.PREFIX)
    return any(key.fingerprint == wanted for key in parse_authorized_keys(line).value)


def _key(line: str, zone: tzinfo | None) -> AuthorizedKey:
    options = _Options(zone)
    kind, rest = _cut(line)
    if kind not in KINDS:
        kind, rest = _cut(options.read(line))
    encoded, comment = _cut(rest)
    if kind not in KINDS:
        raise ValueError(f"no type of key that is accepted: {kind[:64]!a}")
    return AuthorizedKey(
        kind=kind,
        blob=_blob(kind, encoded),
        comment=comment,
        sources=options.sources,
        expires=options.expires,
        command=options.command,
        permits_pty=options.permits_pty,
    )


def _cut(line: str) -> tuple[str, str]:
    first, *rest = re.split(r"[ \t]+", line, maxsplit=1)
    return first, "".join(rest)


class _Options:
    """The options of one line, taken up one after another."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self.sources: Sources | None = None
        self.expires: datetime | None = None
        self.command: str | None = None
        self.permits_pty = True

    def read(self, line: str) -> str:
        """Take options up to the first blank outside of quotes, and return what is behind."""
        position = 0
        while match := _OPTION.match(line, position):
            self._take(match[1].lower(), match[2])
            position = match.end()
            if line[position : position + 1] in {" ", "\t"}:
                return line[position:].lstrip(" \t")
            if line[position : position + 1] != ",":
                break
            position += 1
        raise ValueError(f"neither a type of key nor an option that is known: {line[position:][:64]!a}")

    def _take(self, name: str, value: str | None) -> None:
        match name, value:
            case "restrict", None:
                self.permits_pty = False
            case "pty" | "no-pty", None:
                self.permits_pty = name == "pty"
            case "from", str():
                self._require_first(name, self.sources)
                self.sources = parse_patterns(value)
            case "command", str():
                self._require_first(name, self.command)
                if not value.strip():
                    raise ValueError("command= is empty")
                self.command = value.replace('\\"', '"')
            case "expiry-time", str():
                expires = _time(value, self._zone)
                # As with sshd, the earliest of several.
                self.expires = expires if self.expires is None else min(expires, self.expires)
            case _ if (value is None and name in _WITHOUT_EFFECT) or (value and name in _VALUE_WITHOUT_EFFECT):
                pass
            case _:
                raise ValueError(f"the option {name[:64]} is unknown or cannot be honoured here")

    def _require_first(self, name: str, present: object) -> None:
        if present is not None:
            raise ValueError(f"the option {name} is there twice")


def _time(text: str, zone: tzinfo | None) -> datetime:
    match = _TIME.fullmatch(text)
    if match:
        try:
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
            time = datetime(year, month, day, hour, minute, second, tzinfo=UTC if match[7] else zone)
            return time.astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            pass
    raise ValueError(f"expiry-time= is {text[:64]!a}, not YYYYMMDD[HHMM[SS]][Z]")


def _blob(kind: str, encoded: str) -> bytes:
    """Decode a key, and see that it is one, of the kind that it is said to be."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {kind} is no base64") from None
    # Two texts, and what they say must be the same: sshd compares them too.
    if blob[: 4 + len(kind)] != struct.pack(">I", len(kind)) + kind.encode():
        raise ValueError(f"the key is damaged, or of another type than {kind}")
    try:
        key = load_ssh_public_key(f"{kind} {encoded}".encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"the {kind} key is damaged") from None
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"an RSA key of {key.key_size} bits; {MIN_RSA_BITS} are the least")
    return blob
