"""Whether an answer is by the host that it names, to the request that was sent, and as the host wrote it.

Whoever carries answers can also make some up, faster than any host; what is not verified here is no answer. It is
strict as `AnswerSigner` is the only one who makes them, and fast as a thousand come at once. Pure.
"""

import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import http_sf
from msgspec import Struct

from cmdserver.auth.signatures.keys import WrongSignature, verify
from cmdserver.auth.signatures.signed_answer import HOST_FIELD, TAG
from cmdserver.auth.signatures.signed_request import (
    LABEL,
    Field,
    digest_of,
    read_dictionary,
    read_field,
    require_digest,
    signature_base,
    write_bytes,
)
from cmdserver.core.fingerprints import fingerprint_of

#: The only ones that hosts sign answers with.
_KIND: Final = "ssh-ed25519"
_PARAMETERS: Final = {"created", "keyid", "tag"}
#: As it is written: to parse it would take as long as the rest but for the arithmetic.
_SIGNATURE: Final = re.compile(rf"{LABEL}=:([A-Za-z0-9+/]{{86}}==):")
_STATUS: Final = '"@status"'
_TYPE: Final = '"content-type"'
_DIGEST: Final = '"content-digest"'
_HOST: Final = f'"{HOST_FIELD.lower()}"'
_OF_REQUEST: Final = f'"signature";req;key="{LABEL}"'
_COMPONENTS: Final = sorted((_STATUS, _TYPE, _DIGEST, _HOST, _OF_REQUEST))


class Answer(Struct, frozen=True):
    """An answer as it came."""

    status: int
    #: Looks up fields by their names in lower case.
    field: Field
    body: bytes


class _Claim(NamedTuple):
    """What ``Signature-Input`` says."""

    #: As they are signed, each a name and its parameters.
    components: list[str]
    member: tuple[list[Any], dict[str, Any]]
    key_id: str


def signer(answer: Answer) -> str:
    """Return the fingerprint of the key by which an answer says that it is signed; whether it is, nobody knows yet.

    Raises:
        WrongSignature: It does not say so as hosts do.
    """
    return _claim(answer).key_id


def verify_answer(answer: Answer, *, request_signature: bytes, host: str, keys: Iterable[bytes]) -> None:
    """Verify an answer.

    Args:
        answer: As it came.
        request_signature: Of the request that was sent, each of which has another one.
        host: Who is to have answered; case does not matter, as it does not in whom a request is for.
        keys: The Ed25519 keys that the host is known to have, as RFC 4253, section 6.6, has them.

    Raises:
        WrongSignature: It is not what this host answered to that request; the text says why.
    """
    claim = _claim(answer)
    if answer.field("content-encoding") is not None:
        raise WrongSignature("its body has an encoding, which is not covered")
    named = read_field(answer.field, HOST_FIELD.lower())
    if named.lower() != host.lower():
        raise WrongSignature(f"it is by {named[:64]}, not by {host}")
    key = next((each for each in keys if fingerprint_of(each) == claim.key_id), None)
    if key is None:
        raise WrongSignature(f"it is signed with a key that {host} is not known to have")
    digest = read_field(answer.field, "content-digest")
    if digest != digest_of(answer.body):
        require_digest(answer.field, answer.body)
    signature = _SIGNATURE.fullmatch(read_field(answer.field, "signature"))
    if signature is None:
        raise WrongSignature(f"there is not exactly one signature, {LABEL}")
    values = {
        _STATUS: str(answer.status),
        _TYPE: read_field(answer.field, "content-type"),
        _DIGEST: digest,
        _HOST: named,
        _OF_REQUEST: write_bytes(request_signature),
    }
    covered = [(component, values[name]) for component, name in zip(claim.member[0], claim.components, strict=True)]
    verify(_KIND, key, b64decode(signature[1]), signature_base(covered, claim.member))


def _claim(answer: Answer) -> _Claim:
    members = read_dictionary(answer.field, "signature-input")
    if [*members] != [LABEL]:
        raise WrongSignature(f"there is not exactly one signature, {LABEL}")
    components, parameters = members[LABEL]
    if not isinstance(components, list):
        raise WrongSignature("the signature's fields are not as RFC 9421 has them")
    names = [http_sf.ser(component) for component in components]
    if sorted(names) != _COMPONENTS:
        raise WrongSignature(f"it covers {' '.join(names)[:128]}")
    if parameters.keys() != _PARAMETERS or type(parameters["created"]) is not int:
        raise WrongSignature("its parameters are not created, keyid, tag")
    key_id, tag = parameters["keyid"], parameters["tag"]
    if type(key_id) is not str or type(tag) is not str or tag != TAG:
        raise WrongSignature("its tag or its keyid is none of a host's")
    return _Claim(names, (components, parameters), key_id)
