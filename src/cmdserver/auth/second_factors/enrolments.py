"""The file ``totp`` as values: who has a second factor, the secret that codes are made of, and recovery codes.

Any text gives values and complaints. A user whose line is not understood has a second factor that no code satisfies:
else a slip in the file would take the factor away. Secrets lie there as they are, since codes are made of them; of
recovery codes, which are long and random, a plain hash is enough.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from cmdserver.auth.credential_formats import Complaint, Parsed, meaningful_lines
from cmdserver.core.names import is_user_name

#: Of the secret: as many bits as SHA-1 makes (RFC 4226, section 4, R6).
SECRET_BYTES: Final = 20
RECOVERY_CODES: Final = 10
#: Of a recovery code: 80 bits, in base32.
_RECOVERY_BYTES: Final = 10
_GROUP: Final = 4

_SECRET = re.compile(r"[A-Z2-7]{32,128}")
_DIGESTS = re.compile(r"recovery=((?:[0-9a-f]{64})(?:,[0-9a-f]{64})*)")


class Enrolment(Struct, frozen=True, kw_only=True):
    """Somebody's second factor.

    Attributes:
        name: Whose it is.
        secret: In base32, without padding; None: the line is not understood, and no code is right.
        recovery: The SHA-256 of each recovery code.
    """

    name: str
    secret: str | None
    recovery: frozenset[bytes] = frozenset()


Enrolments = Mapping[str, Enrolment]


def parse_totp(text: str) -> Parsed[Enrolments]:
    """Read ``NAME SECRET [recovery=SHA256,...]`` lines; a name's first line counts."""
    found: dict[str, Enrolment] = {}
    complaints = []
    for number, line in meaningful_lines(text):
        name, *words = re.split(r"[ \t]+", line)
        if not is_user_name(name):
            complaints.append(Complaint(number, f"{name[:64]!a} can be no user's name"))
        elif name in found:
            complaints.append(Complaint(number, f"{name} has a line already; the first one counts"))
        else:
            found[name] = enrolment = _enrolment(name, words)
            if enrolment.secret is None:
                wanted = "a secret in base32 and recovery=SHA256,..."
                complaints.append(Complaint(number, f"{name}: not {wanted}; no code is right until this is mended"))
    return Parsed(found, tuple(complaints))


def _enrolment(name: str, words: list[str]) -> Enrolment:
    digests = _DIGESTS.fullmatch(words[1]) if len(words) == 2 else None  # noqa: PLR2004 - a secret and its codes
    if not words or not _SECRET.fullmatch(words[0]) or (len(words) > 1 and digests is None):
        return Enrolment(name=name, secret=None)
    recovery = digests[1].split(",") if digests else []
    return Enrolment(name=name, secret=words[0], recovery=frozenset(map(bytes.fromhex, recovery)))


def format_enrolment(enrolment: Enrolment) -> str:
    """Write a line, as `parse_totp` reads it."""
    words = [enrolment.name, enrolment.secret or ""]
    if enrolment.recovery:
        words.append("recovery=" + ",".join(sorted(digest.hex() for digest in enrolment.recovery)))
    return " ".join(words)


def new_secret(random: Callable[[int], bytes]) -> str:
    """Make a secret; ``random`` gives so many random bytes."""
    return base64.b32encode(random(SECRET_BYTES)).decode("ascii")


def new_recovery_codes(random: Callable[[int], bytes]) -> tuple[str, ...]:
    """Make recovery codes, in groups that can be copied by hand."""
    codes = (base64.b32encode(random(_RECOVERY_BYTES)).decode("ascii").lower() for _ in range(RECOVERY_CODES))
    return tuple("-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP)) for code in codes)


def recovery_digest(code: str) -> bytes:
    """Make of a recovery code, however it is typed, what is kept of it."""
    plain = re.sub(r"[\s-]", "", code).lower()
    return hashlib.sha256(plain.encode(errors="replace")).digest()
