"""Whether a request is meant for us, and meant at all by whoever's browser sends it.

*Host*: a page of a stranger's can have its own name point to 127.0.0.1 (DNS rebinding), and then reads our answers as
its own; so a name that is not ours is not served. *Origin and Sec-Fetch-Site*: browsers say which site a request comes
from. *The token*: what only a page of ours can know, and a form of a stranger's cannot send.

Rule of this file: pure; header values in, an error or nothing out.
"""

import hmac
import re
from collections.abc import Collection, Sequence

from cmdserver.errors import Denied, Malformed
from cmdserver.own_names import normal_host

#: host [":" port], RFC 9110, section 7.2: a registered name, an IPv4 address, or an IPv6 address in brackets.
_AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{0,5}))?")
_SCHEME = re.compile(rb"https?://", re.IGNORECASE)


class Misdirected(Malformed):
    """The request is for a host that we are not; 421 (RFC 9110, section 15.5.20)."""


def split_target(target: bytes) -> tuple[bytes | None, bytes]:
    """Split a request target into the authority, if it has one, and path with query.

    Raises:
        Malformed: It is in none of the forms that a server is sent (RFC 9112, section 3.2).
    """
    if target.startswith(b"/"):
        return None, target
    scheme = _SCHEME.match(target)
    if scheme is None:
        text = "the request target is neither a path nor an http address"
        raise Malformed(text)
    authority, slash, path = target[scheme.end() :].partition(b"/")
    return authority, slash + path if slash else b"/"


def require_host(hosts: Sequence[bytes], authority: bytes | None, ours: Collection[str], *, may_lack_it: bool) -> None:
    """Refuse a request that is not for us.

    Args:
        hosts: The values of all its ``Host`` headers.
        authority: Of its target, if that is in absolute form.
        ours: Names that we answer to, in lower case; ``*`` is every one.
        may_lack_it: Whether it is of a version (HTTP/1.0) that knows no such header.

    Raises:
        Misdirected: It names another host.
        Malformed: It names none, or several, or what is no host.
    """
    if len(hosts) > 1 or (not hosts and not may_lack_it):
        raise Malformed(f"a request has one Host header; this one has {len(hosts)}")
    for value in (*hosts, *(() if authority is None else (authority,))):
        match = _AUTHORITY.fullmatch(value)
        if match is None:
            text = "the Host header names no host"
            raise Malformed(text)
        name = normal_host(match[1].decode("ascii"))
        if "*" not in ours and name not in ours:
            raise Misdirected(f"this server does not go by the name {name}; add it to hosts in [web] if it should")


def is_of_browser(origin: bytes | None, fetch_site: bytes | None) -> bool:
    """Whether a request says of itself that a page has caused it."""
    return origin is not None or fetch_site is not None


def require_own_page(origin: bytes | None, fetch_site: bytes | None, authority: bytes, *, is_secure: bool) -> None:
    """Refuse a request that changes something and was caused by a page of somebody else's.

    Args:
        origin: Its ``Origin`` header.
        fetch_site: Its ``Sec-Fetch-Site`` header; a page cannot forge either.
        authority: Its ``Host`` header, which was found to be ours.
        is_secure: Whether it came over TLS. If not, there may have been TLS as far as a proxy before us.

    Raises:
        Denied: It was.
    """
    if fetch_site is not None and fetch_site not in {b"same-origin", b"none"}:
        raise Denied(f"a page of another site ({_printable(origin or fetch_site)}) may not do this")
    schemes = (b"https://",) if is_secure else (b"http://", b"https://")
    if origin is not None and origin.lower() not in {scheme + authority.lower() for scheme in schemes}:
        raise Denied(f"a page of {_printable(origin)} may not do this")


def require_token(given: bytes | None, expected: str) -> None:
    """Refuse a request of a browser that does not know what our own pages know.

    Raises:
        Denied: It does not; the page that it comes from may be older than the session, or than the server.
    """
    if given is None or not hmac.compare_digest(given, expected.encode("ascii")):
        text = "the anti-forgery token is missing or out of date; load the page again"
        raise Denied(text)


def safe_next(path: str) -> str:
    """Say where to go after a login: a path on this server, whatever somebody has put into the address."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if is_ours else "/"


def _printable(value: bytes) -> str:
    return value[:100].decode("ascii", "replace")
