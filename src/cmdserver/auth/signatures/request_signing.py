"""Signs requests for those who ask: what `signed_request` reads, made.

What is sent is what was signed, so the fields that are covered come from here. Pure.
"""

from typing import Any, Protocol

import http_sf
from msgspec import Struct

from cmdserver.auth.signatures.audience import FIELD, Audience
from cmdserver.auth.signatures.keys import WrongSignature
from cmdserver.auth.signatures.signed_request import (
    ALWAYS,
    LABEL,
    MOST_SECONDS,
    OF_BODY,
    TAG,
    Message,
    digest_of,
    signature_base,
    value_of,
    write_bytes,
)


class Question(Struct, frozen=True):
    """What is asked."""

    method: str
    #: Path and query, as they will be sent.
    target: str
    #: Of the body; without one it is not sent.
    content_type: str = ""
    body: bytes = b""


class SigningKey(Protocol):
    """A key of which the private half can be used, wherever that is."""

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` calls it: ``SHA256:…``."""

    def sign(self, content: bytes) -> bytes:
        """Sign; may take as long as its holder takes to confirm it.

        Returns:
            The signature, as RFC 9421, section 3.3, has it.
        """


class SignedQuestion(Struct, frozen=True):
    """What is sent of a signature, and what the answer has to name."""

    #: Names and values: these are to be sent beside the body, and none of the same names beside them.
    fields: tuple[tuple[str, str], ...]
    signature: bytes


def sign(
    question: Question,
    key: SigningKey,
    *,
    user: str,
    audience: Audience,
    created: int,
    nonce: str,
    seconds: int = MOST_SECONDS,
) -> SignedQuestion:
    """Sign a question.

    Args:
        question: What is asked.
        key: One of the user's.
        user: As the hosts know them.
        audience: Whom it is for, at most as many as `Audience` reads.
        created: Now, in seconds since the epoch.
        nonce: 16 to 128 printable characters, random, and never the same again.
        seconds: How long it is good for, 1 to `MOST_SECONDS`.

    Raises:
        WrongSignature: The question can be none, such as one whose target is no path, or whose body has no type.
        ValueError: The user's name is not ASCII.
    """
    fields = {FIELD: str(audience)}
    if question.body:
        if not question.content_type:
            raise WrongSignature("a body has no type")
        fields |= {"Content-Type": question.content_type, "Content-Digest": digest_of(question.body)}
    lower = {name.lower(): value for name, value in fields.items()}
    message = Message(question.method, question.target, lower.get, question.body)
    names = (*ALWAYS, *OF_BODY) if question.body else ALWAYS
    values: list[tuple[Any, str]] = [((name, {}), value_of(message, name)) for name in names]
    member: Any = (
        [component for component, _ in values],
        {
            "created": created,
            "expires": created + seconds,
            "nonce": nonce,
            "keyid": f"{user}:{key.fingerprint}",
            "tag": TAG,
        },
    )
    signature = key.sign(signature_base(values, member))
    fields |= {
        "Signature-Input": f"{LABEL}={http_sf.ser([member])}",
        "Signature": write_bytes(signature, f"{LABEL}="),
    }
    return SignedQuestion(tuple(fields.items()), signature)
