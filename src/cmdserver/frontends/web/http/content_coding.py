"""gzip, for clients that take it (RFC 9110, section 8.4.1): whole bodies of text, JSON, style sheets and scripts.

A page is never compressed. It has its reader's anti-forgery token in it, beside what the address may say, and who makes
somebody's browser ask again and again, and sees how long the answers are, would read the token (BREACH). What is
compressed has no token, and no other site's page can have it sent: see `cross_site`.

What is sent while it is made is not compressed either. Rule of this file: pure.
"""

import gzip
from functools import lru_cache
from typing import Final

from cmdserver.frontends.web.http.negotiation import LONGEST, weights

#: A shorter body fits into a packet as it is.
LEAST_BYTES: Final = 1 << 10
#: A longer body would keep the reactor from everybody else: a megabyte takes some six milliseconds, about as long as
#: to make JSON of it.
MOST_BYTES: Final = 1 << 20
#: As small as 6 for such texts, within a tenth, in a third of the time.
_LEVEL: Final = 4

#: Of a body that is compressed.
GZIP: Final = (b"Content-Encoding", b"gzip")
_NAMES: Final = frozenset({b"gzip", b"x-gzip"})


@lru_cache(maxsize=256)
def takes_gzip(accept_encoding: bytes | None) -> bool:
    """Whether a client takes gzip, and likes it at least as much as nothing.

    Args:
        accept_encoding: The header's value (RFC 9110, section 12.5.3), several joined by commas; None: there was none.
    """
    if accept_encoding is None or len(accept_encoding) > LONGEST:
        return False
    given = dict(weights(accept_encoding))
    others = given.get(b"*", 0.0)
    wanted = max((given[name] for name in _NAMES if name in given), default=others)
    return wanted > 0.0 and wanted >= given.get(b"identity", 0.0)


def is_worth_compressing(body: bytes) -> bool:
    """Whether a body is sent compressed to those who take that."""
    return LEAST_BYTES < len(body) <= MOST_BYTES


def is_compressed(body: bytes, accept_encoding: bytes | None) -> bool:
    """Whether a body is sent compressed to a client."""
    return is_worth_compressing(body) and takes_gzip(accept_encoding)


def compress(body: bytes) -> bytes:
    """Compress a body; the same body is always the same bytes."""
    return gzip.compress(body, _LEVEL, mtime=0)
