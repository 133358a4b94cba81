"""Whether a request is from who knows a hook's secret: before anything in it is read.

Each answer is a yes or a no: whoever is told why learns what to try next. Rule of this file: pure.
"""

import hmac
import re
from collections.abc import Sequence
from typing import Final, assert_never

from cmdserver.triggers.hook import Scheme, SignatureRule

_DIGEST: Final = re.compile(rb"[0-9a-fA-F]{64}")
_PREFIX: Final = b"sha256="


def is_right(rule: SignatureRule, secrets: Sequence[bytes], values: Sequence[bytes], body: bytes) -> bool:
    """Whether one of the secrets was known to whoever has sent a body.

    Args:
        rule: What the signature has to be.
        secrets: Any one is enough: that is how one takes another's place. An empty one is nobody's.
        values: Those of the header fields that the signature is in: none, or more than one, is not right.
        body: As it was sent, byte for byte.
    """
    # Before anything is looked at, so that the time does not tell what is wrong.
    expected = [_expected(rule.scheme, secret, body) for secret in secrets if secret]
    given = _given(rule.scheme, values[0]) if len(values) == 1 else None
    if given is None:
        return False
    # All are tried, so that the time does not tell which one it was.
    found = [hmac.compare_digest(each, given) for each in expected]
    return any(found)


def _given(scheme: Scheme, value: bytes) -> bytes | None:
    """Return what is to be compared; None for what is no signature of the scheme."""
    match scheme:
        case Scheme.GITLAB:
            return value
        case Scheme.GITHUB:
            if not value.startswith(_PREFIX):
                return None
            digest = value.removeprefix(_PREFIX)
        case Scheme.HMAC_SHA256:
            digest = value.removeprefix(_PREFIX)
        case _:
            assert_never(scheme)
    return digest.lower() if _DIGEST.fullmatch(digest) else None


def _expected(scheme: Scheme, secret: bytes, body: bytes) -> bytes:
    digest = hmac.digest(secret, body, "sha256")  # of GitLab in vain: it takes as long as the others then
    return secret if scheme is Scheme.GITLAB else digest.hex().encode("ascii")
