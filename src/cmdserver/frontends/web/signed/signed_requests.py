"""Signed requests (RFC 9421): what of a request its signature is about, and how the answer is signed.

An answer is signed that is sent whole, as JSON is; one that comes in pieces has no digest yet when its head is sent.
"""

from collections.abc import Callable
from functools import cache

from cmdserver.auth.credentials import RequestSignature
from cmdserver.auth.signatures.keys import WrongSignature
from cmdserver.auth.signatures.signed_answer import AnswerSigner
from cmdserver.auth.signatures.signed_request import Message, is_signed, read
from cmdserver.frontends.common.interface import FrontEndResources
from cmdserver.frontends.web.http.headers import Headers
from cmdserver.frontends.web.http.request import WebRequest
from cmdserver.net.ssh_host_keys import require_ed25519_key

#: Makes an `AnswerSigner`, or returns one that was made.
Signer = Callable[[], AnswerSigner]


def signer_of(resources: FrontEndResources) -> Signer:
    """Return what signs answers with the host's key, which is read, or made, when the first one is to be signed."""
    key = cache(lambda: require_ed25519_key(resources.state_directory))
    return resources.latest(lambda configuration: AnswerSigner(key(), configuration.fleet_host.name))


def signature_of(request: WebRequest, *, is_alone: bool) -> RequestSignature | None:
    """Read the signature of a request.

    Args:
        request: Perhaps signed.
        is_alone: Whether nothing else in the request, or around it, says who its caller is.

    Returns:
        None if it has none of ours.
    """

    def field(name: str) -> str | None:
        value = request.header(name.encode("ascii"))
        return value.decode("latin-1") if value is not None else None

    if not is_signed(field):
        return None
    source = request.sender.source
    if not is_alone:
        return RequestSignature(source=source, request=None, trouble="there is another way to log in beside it")
    message = Message(
        method=request.method.decode("latin-1"),
        target=request.uri.decode("latin-1"),
        field=field,
        body=request.content.getvalue(),
    )
    try:
        return RequestSignature(source=source, request=read(message))
    except WrongSignature as wrong:
        return RequestSignature(source=source, request=None, trouble=str(wrong))


def sign_answer(request: WebRequest, signature: bytes, signer: AnswerSigner) -> None:
    """Have the answer to a request signed, whatever it is."""

    def sign(status: int, content_type: bytes, body: bytes) -> Headers:
        now = request.connection.time_of_day()
        fields = signer.sign(signature, status, content_type.decode("ascii"), body, now)
        return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in fields)

    request.sign = sign
