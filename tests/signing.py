"""Callers who sign requests, and readers of signed answers, with an implementation of RFC 9421 that is not ours."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
    ssh_key_fingerprint,
)
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from msgspec import Struct

from cmdserver.auth.signatures.signed_request import Message

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

COVERED = ("@method", "@path", "@query", "cmdserver-audience")
NONCE = "0123456789abcdef"
#: Seconds since the epoch.
NOW = 1_700_000_000


class Asked(Struct):
    """A request, as the other implementation wants it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def target(self) -> str:
        """What stands in the request line."""
        return self.url.removeprefix("http://host")

    def message(self) -> Message:
        """Return the same as ours wants it."""
        fields = {name.lower(): value for name, value in self.headers.items()}
        return Message(self.method, self.target, fields.get, self.body)


class Answered(Struct):
    """An answer, likewise."""

    status_code: int
    headers: dict[str, str]
    request: Asked


class Keys(HTTPSignatureKeyResolver):
    """Has one key, whatever it is called."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def resolve_private_key(self, key_id: str) -> Any:
        return self._key

    def resolve_public_key(self, key_id: str) -> Any:
        return self._key


class Signing:
    """Somebody who signs requests."""

    def __init__(self, key: PrivateKey | None = None, user: str = "ada") -> None:
        self.key = key or ed25519.Ed25519PrivateKey.generate()
        self.user = user

    @property
    def line(self) -> str:
        """The key, as a line of ``authorized_keys``."""
        return self.key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` calls it."""
        return fingerprint_of(self.line)

    def ask(
        self,
        target: str = "/uptime",
        method: str = "GET",
        body: bytes = b"",
        *,
        created: float = NOW,
        nonce: str = NONCE,
        audience: str = 'default;hosts=("web-1")',
        covered: Sequence[str] = COVERED,
        headers: Mapping[str, str] | None = None,
        **differences: Any,
    ) -> Asked:
        """Sign a request."""
        fields = {"Cmdserver-Audience": audience, **(headers or {})}
        if body:
            fields.setdefault("Content-Type", "application/json")
            covered = (*covered, "content-type")
        asked = Asked(method, f"http://host{target}", fields, body)
        options = {
            "key_id": f"{self.user}:{self.fingerprint}",
            "created": datetime.fromtimestamp(int(created), UTC),
            "expires": datetime.fromtimestamp(int(created) + 60, UTC),
            "nonce": nonce,
            "label": "cmdserver",
            "tag": "cmdserver",
            "include_alg": False,
            "body": body or None,
        }
        signer = HTTPMessageSigner(signature_algorithm=_algorithm(self.key), key_resolver=Keys(self.key))
        signer.sign(asked, covered_component_ids=covered, **{**options, **differences})
        return asked


def _algorithm(key: PrivateKey) -> Any:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return algorithms.ED25519
    if isinstance(key, rsa.RSAPrivateKey):
        return algorithms.RSA_V1_5_SHA256
    return algorithms.ECDSA_P384_SHA384 if key.curve.name == "secp384r1" else algorithms.ECDSA_P256_SHA256


def fingerprint_of(line: str) -> str:
    """Say what ``ssh-keygen -l`` calls a key."""
    key: Any = load_ssh_public_key(line.encode())
    return "SHA256:" + b64encode(ssh_key_fingerprint(key, SHA256())).decode().rstrip("=")


def verify_answer(answered: Answered, body: bytes, host_key: str) -> Mapping[str, str]:
    """Verify an answer with a host's key, as a line; return what its signature covers. Raises if it is not right."""
    key: Any = load_ssh_public_key(host_key.encode())
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Keys(key))
    required = ("@status", "content-type", "content-digest", "cmdserver-host", '"signature";req;key="cmdserver"')
    (result,) = verifier.verify(
        answered, expect_tag="cmdserver-answer", require_components=required, body=body, max_age=None
    )
    return dict(result.covered_components)
