"""What a request's signature says, and what exactly was signed (RFC 9421): without a look at any key.

It covers method, path, query and audience, and with a body its type and digest (RFC 9530). What is not covered could be
changed on the way, so a body that is not covered is refused; and what is covered besides, or said besides, would be
something that nobody here reads, so that is refused as well. Pure.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256, sha512
from typing import Any, Final

import http_sf
from msgspec import Struct

from cmdserver.auth.signatures.audience import FIELD, Audience
from cmdserver.auth.signatures.keys import WrongSignature
from cmdserver.core.fingerprints import PREFIX
from cmdserver.core.site import FleetHost

#: Of the one signature in a request, and in an answer.
LABEL: Final = "cmdserver"
TAG: Final = "cmdserver"
#: How long a signature may be good for, and how far two clocks may be apart, in seconds.
MOST_SECONDS: Final = 60
SKEW_SECONDS: Final = 5

#: What is covered always, and with a body.
ALWAYS: Final = ("@method", "@path", "@query", FIELD.lower())
OF_BODY: Final = ("content-type", "content-digest")
_WITHOUT_BODY: Final = frozenset(ALWAYS)
_WITH_BODY: Final = frozenset({*ALWAYS, *OF_BODY})
#: Fields that would have another thing done than what was signed, and that whoever carries a request could add.
_NOT_BESIDE: Final = ("content-encoding", "last-event-id", "cmdserver-stop", "prefer")
_PARAMETERS: Final[Mapping[str, type]] = {"created": int, "expires": int, "nonce": str, "keyid": str, "tag": str}
_DIGESTS: Final = {"sha-256": sha256, "sha-512": sha512}
#: The label as the name of a member, wherever it stands.
_OURS: Final = re.compile(rf"(?:\A|,)[ \t]*{LABEL}(?![a-z0-9_.*-])")
#: SHA-256 in base64 without padding.
_FINGERPRINT: Final = re.compile(r"[A-Za-z0-9+/]{43}")
#: As much of what a stranger says as the audit file is told.
_SHOWN: Final = 64
_TARGET: Final = re.compile(r"/[!-~]*")
#: At least 96 random bits, in whatever alphabet.
_NONCE: Final = re.compile(r"[!-~]{16,128}")


#: Returns the value of a field, several joined by commas; None if it is not there.
Field = Callable[[str], str | None]


class Message(Struct, frozen=True):
    """A request as it came."""

    method: str
    #: As it stands in the request line: what is written otherwise is another one.
    target: str
    field: Field
    body: bytes


class SignedRequest(Struct, frozen=True, kw_only=True):
    """What its signature says."""

    user: str
    #: Of the key, as ``ssh-keygen -l`` says it.
    fingerprint: str
    nonce: str
    #: Seconds since the epoch.
    created: int
    expires: int
    audience: Audience
    signature: bytes
    #: What was signed (section 2.5).
    base: bytes

    def require_meant(self, host: FleetHost) -> None:
        """Raise `WrongSignature` if it is not for a host."""
        if not self.audience.includes(host):
            raise WrongSignature(
                f"it is meant for {str(self.audience)[:_SHOWN]}, and this is {host.name} in {host.fleet}"
            )

    def require_timely(self, now: float) -> None:
        """Raise `WrongSignature` if it is not good at a time, in seconds since the epoch."""
        if self.created > now + SKEW_SECONDS:
            raise WrongSignature(f"it was made {self.created - now:.0f} s from now")
        if self.expires < now - SKEW_SECONDS:
            raise WrongSignature(f"it expired {now - self.expires:.0f} s ago")


def is_signed(field: Field) -> bool:
    """Whether a request has a signature of ours, right or wrong; one of others is none of our business."""
    return any(_OURS.search(field(name) or "") for name in ("signature-input", "signature"))


def read(message: Message) -> SignedRequest:
    """Read what a request's signature says.

    Raises:
        WrongSignature: There is none that could be right.
    """
    if not (message.method.isascii() and message.method.isalpha()):
        raise WrongSignature("the request has no method")
    members = read_dictionary(message.field, "signature-input")
    signatures = read_dictionary(message.field, "signature")
    if [*members] != [LABEL] or [*signatures] != [LABEL]:
        raise WrongSignature(f"there is not exactly one signature, {LABEL}")
    (components, parameters), (signature, _) = members[LABEL], signatures[LABEL]
    if not isinstance(components, list) or not isinstance(signature, bytes):
        raise WrongSignature("the signature's fields are not as RFC 9421 has them")
    names = _names(components)
    _require_covered(message, frozenset(names))
    values = {name: parameters.get(name) for name in _PARAMETERS}
    if parameters.keys() != _PARAMETERS.keys() or any(type(values[name]) is not of for name, of in _PARAMETERS.items()):
        raise WrongSignature(f"its parameters are not {', '.join(_PARAMETERS)}")
    if values["tag"] != TAG or not _NONCE.fullmatch(values["nonce"]):
        raise WrongSignature("its tag or its nonce is none of ours")
    if not 0 < values["expires"] - values["created"] <= MOST_SECONDS:
        raise WrongSignature(f"it is good for {values['expires'] - values['created']} s; {MOST_SECONDS} are the most")
    user, found, digest = values["keyid"].rpartition(f":{PREFIX}")
    if not (user and found and _FINGERPRINT.fullmatch(digest)):
        raise WrongSignature("its keyid is not like USER:SHA256:FINGERPRINT")
    try:
        audience = Audience.parse(read_field(message.field, FIELD.lower()))
    except ValueError as error:
        raise WrongSignature(str(error)) from None
    return SignedRequest(
        user=user,
        fingerprint=PREFIX + digest,
        nonce=values["nonce"],
        created=values["created"],
        expires=values["expires"],
        audience=audience,
        signature=signature,
        base=signature_base([((name, {}), value_of(message, name)) for name in names], members[LABEL]),
    )


def signature_base(values: Sequence[tuple[Any, str]], member: tuple[Any, Any]) -> bytes:
    """Write what is signed (section 2.5).

    Args:
        values: The components, each a name and its parameters, with their values.
        member: The member of ``Signature-Input``: the same components, and the signature's parameters.
    """
    lines = [f"{http_sf.ser(component)}: {value}" for component, value in values]
    return "\n".join([*lines, f'"@signature-params": {http_sf.ser([member])}']).encode("ascii")


def read_dictionary(field: Field, name: str) -> dict[str, Any]:
    """Parse a field that is a dictionary (RFC 9651), whose keys are there once.

    Raises:
        WrongSignature: It is none, or is not there.
    """

    def twice(key: str, _context: str) -> None:
        raise WrongSignature(f"{key[:_SHOWN]} is there twice")

    try:
        found: Any = http_sf.parse(read_field(field, name).encode("ascii"), tltype="dictionary", on_duplicate_key=twice)
    except (http_sf.StructuredFieldError, ValueError, RecursionError):
        raise WrongSignature(f"{name} cannot be read") from None
    return dict(found)


def read_field(field: Field, name: str) -> str:
    """Return a field's value, as it is covered (section 2.1).

    Raises:
        WrongSignature: It is not there, or is not printable ASCII.
    """
    value = field(name)
    if value is None:
        raise WrongSignature(f"there is no {name}")
    if not value.isascii() or not value.isprintable():
        raise WrongSignature(f"{name} is not printable ASCII")
    return value.strip()


def write_bytes(content: bytes, name: str = "") -> str:
    """Write bytes as structured fields do (RFC 9651, section 3.3.5), behind the name of a member if there is one."""
    return f"{name}:{b64encode(content).decode()}:"


def digest_of(body: bytes) -> str:
    """Write what ``Content-Digest`` says of a body (RFC 9530)."""
    return write_bytes(sha256(body).digest(), "sha-256=")


def require_digest(field: Field, body: bytes) -> None:
    """Refuse a body that is not what ``Content-Digest`` says; SHA-256 or SHA-512 there must be, and each be right.

    Raises:
        WrongSignature: It is another one.
    """
    members = read_dictionary(field, "content-digest")
    digests = {name: value for name, (value, _) in members.items() if name in _DIGESTS}
    right = {name: _DIGESTS[name](body).digest() for name in digests}
    if not digests or any(
        not isinstance(value, bytes) or not hmac.compare_digest(value, right[name]) for name, value in digests.items()
    ):
        raise WrongSignature("its body is not what was signed")


def _names(components: list[Any]) -> list[str]:
    names = [name for name, parameters in components if isinstance(name, str) and not parameters]
    if len(names) != len(components) or len(set(names)) != len(names):
        raise WrongSignature("it covers a component twice, or with a parameter")
    return names


def _require_covered(message: Message, names: frozenset[str]) -> None:
    """Refuse what covers too little, or more than is looked at; and a body that is another one."""
    if names not in (_WITHOUT_BODY, _WITH_BODY):
        raise WrongSignature(f"it covers {', '.join(sorted(names))[:_SHOWN]}")
    for name in _NOT_BESIDE:
        if message.field(name) is not None:
            raise WrongSignature(f"{name} says something else than what was signed")
    if names == _WITHOUT_BODY:
        if message.body:
            raise WrongSignature("it does not cover the body")
        return
    require_digest(message.field, message.body)


def value_of(message: Message, name: str) -> str:
    """Return the value of a component (sections 2.1 and 2.2).

    Raises:
        WrongSignature: The request has none that can be covered.
    """
    if not _TARGET.fullmatch(message.target):
        raise WrongSignature("the request's target is not a path")
    path, _, query = message.target.partition("?")
    match name:
        case "@method":
            return message.method
        case "@path":
            return path
        case "@query":
            return f"?{query}"
        case _:
            return read_field(message.field, name)
