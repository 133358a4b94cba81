"""What a host signs of its answer to a signed request: status, type, body, its own name, and which request it answers.

The answer to another request, of another host, with another status or body is none. Pure.
"""

from collections.abc import Sequence
from typing import Any, Final

import http_sf
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cmdserver.auth.signatures.keys import fingerprint
from cmdserver.auth.signatures.signed_request import LABEL, digest_of, signature_base, write_bytes

TAG: Final = "cmdserver-answer"
HOST_FIELD: Final = "Cmdserver-Host"

#: The signature of the request, as the answer covers it (RFC 9421, section 2.4).
_OF_REQUEST: Final[Any] = ("signature", {"req": True, "key": LABEL})


class AnswerSigner:
    """Signs answers in the name of a host.

    Args:
        key: The host's SSH key.
        host: Its name, which is one (`FleetHost`).
    """

    def __init__(self, key: Ed25519PrivateKey, host: str) -> None:
        self._key = key
        self._host = host
        self._key_id = fingerprint(key)

    @property
    def public_key(self) -> str:
        """The key by which its signatures are verified, as a line of a file of OpenSSH's has it."""
        return self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def sign(
        self, request_signature: bytes, status: int, content_type: str, body: bytes, now: float
    ) -> Sequence[tuple[str, str]]:
        """Sign an answer.

        Args:
            request_signature: Of the request that it answers.
            status: Of HTTP.
            content_type: As it is sent.
            body: As it is sent, without a content coding.
            now: Seconds since the epoch.

        Returns:
            The fields that say so.
        """
        digest = digest_of(body)
        values: list[tuple[Any, str]] = [
            (("@status", {}), str(status)),
            (("content-type", {}), content_type),
            (("content-digest", {}), digest),
            ((HOST_FIELD.lower(), {}), self._host),
            (_OF_REQUEST, write_bytes(request_signature)),
        ]
        member: Any = (
            [component for component, _ in values],
            {"created": int(now), "keyid": self._key_id, "tag": TAG},
        )
        signature = self._key.sign(signature_base(values, member))
        return (
            (HOST_FIELD, self._host),
            ("Content-Digest", digest),
            ("Signature-Input", f"{LABEL}={http_sf.ser([member])}"),
            ("Signature", write_bytes(signature, f"{LABEL}=")),
        )
