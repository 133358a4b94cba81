"""Whether a request is meant for us, and meant at all by whoever's browser sends it.

*Host*: a page of a stranger's can have its own name point to 127.0.0.1 (DNS rebinding), and then reads our answers as
its own; so a name that is not ours is not served. *Sec-Fetch-Site, Origin and Referer*: browsers say which site a
request comes from (Fetch Metadata, RFC 6454, RFC 9110). *The token*: what only a page of ours can know, and a form of a
stranger's cannot send.

Browsers send the first of these over TLS and to localhost alone, Origin with whatever is not read-only, and Referer
unless the page forbids it; programs send none.

Rule of this file: pure; header values in, an error or nothing out.
"""

import hmac
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Final

from cmdserver.core.errors import Denied, Malformed
from cmdserver.net.host_names import is_own, normal_host

#: host [":" port], RFC 9110, section 7.2: a registered name, an IPv4 address, or an IPv6 address in brackets.
_AUTHORITY = re.compile(
    rb"(\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._~%-]{1,32})?\]|[A-Za-z0-9._-]{1,254})(?::([0-9]{0,5}))?"
)
_SCHEME = re.compile(rb"https?://", re.IGNORECASE)
#: RFC 9110, sections 4.2.1 and 4.2.2.
_DEFAULT_PORTS: Final = {b"http": 80, b"https": 443}


class Misdirected(Malformed):
    """The request is for a host that we are not."""

    #: RFC 9110, section 15.5.20.
    status: ClassVar = HTTPStatus.MISDIRECTED_REQUEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a request says of where it comes from, and of where it goes; no page can forge any of it.

    Header values, None where there is no such header.
    """

    origin: bytes | None
    referer: bytes | None
    #: ``Sec-Fetch-Site``, ``Sec-Fetch-Mode`` and ``Sec-Fetch-Dest``.
    site: bytes | None
    mode: bytes | None
    destination: bytes | None
    #: ``Host``, which was found to be ours.
    host: bytes
    #: Whether it came over TLS. If not, there may have been TLS as far as a proxy before us.
    is_secure: bool

    @property
    def is_of_browser(self) -> bool:
        """Whether it says that a page has caused it."""
        return self.origin is not None or self.site is not None

    @property
    def is_of_other_page(self) -> bool:
        """Whether a page that is not ours has caused it, as far as it says."""
        if self.site is not None and self.site not in {b"same-origin", b"none"}:
            return True
        if self.origin is not None:
            return not self._is_ours(self.origin)
        return self.site is None and self.referer is not None and not self._is_ours(_origin_of(self.referer))

    @property
    def is_top_level(self) -> bool:
        """Whether its answer becomes a page that somebody sees as one, with its address above it.

        Over plain HTTP browsers do not say; there it may be.
        """
        return self.mode in {None, b"navigate"} and self.destination in {None, b"document"}

    def _is_ours(self, origin: bytes) -> bool:
        """Whether an origin is that of the address that was asked for.

        A proxy may speak TLS for us, and may leave the port out of Host, or put its own there. So the scheme counts
        where the TLS is ours, and the port where Host has one and the browser does not vouch for its page.
        """
        scheme, _, authority = origin.lower().partition(b"://")
        given, own = _AUTHORITY.fullmatch(authority), _AUTHORITY.fullmatch(self.host)
        if scheme not in _DEFAULT_PORTS or (self.is_secure and scheme != b"https") or given is None or own is None:
            return False
        if normal_host(given[1].decode("ascii")) != normal_host(own[1].decode("ascii")):
            return False
        if self.site == b"same-origin" or not own[2]:
            return True
        if given[2]:
            return int(given[2]) == int(own[2])
        return int(own[2]) == _DEFAULT_PORTS[scheme] or (not self.is_secure and int(own[2]) in _DEFAULT_PORTS.values())


#: Of a request that says nothing of it, as of curl's and most programs'.
NOWHERE: Final = Provenance(
    origin=None, referer=None, site=None, mode=None, destination=None, host=b"", is_secure=False
)


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


def below(base_path: bytes, target: bytes) -> tuple[str, bytes]:
    """Find the root that a target is meant from.

    Args:
        base_path: Below which a proxy that keeps it may ask; empty if there is none.
        target: Path and query.

    Returns:
        The way to the root from the target, as a browser follows it (RFC 3986, section 5.2), never empty, so that what
        stands behind it cannot be taken for a scheme; and the target from the root.
    """
    path, question, query = target.partition(b"?")
    if base_path and path == base_path:
        return f"./{base_path.rpartition(b'/')[2].decode('ascii')}/", b"/" + question + query
    if base_path and path.startswith(base_path + b"/"):
        path = path[len(base_path) :]
    return "../" * (path.count(b"/") - 1) or "./", path + question + query


def port_of(authority: bytes) -> bytes:
    """The port of a ``Host`` header, empty if it has none."""
    match = _AUTHORITY.fullmatch(authority)
    return b"" if match is None else match[2] or b""


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
        if name not in ours and not is_own(name, ours):
            raise Misdirected(f"this server does not go by the name {name}; add it to hosts in [web] if it should")


def require_own_page(provenance: Provenance) -> None:
    """Refuse a request that a page of somebody else's has caused.

    Raises:
        Denied: It was.
    """
    if provenance.is_of_other_page:
        page = _printable(provenance.origin or provenance.referer or provenance.site or b"")
        hint = "; if it is this server's own, have the proxy before it pass the Host header on"
        raise Denied(f"a page of another site ({page}) may not do this{hint if provenance.origin else ''}")


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


def _origin_of(address: bytes) -> bytes:
    """The origin of a page's address."""
    scheme, separator, rest = address.partition(b"://")
    return scheme + separator + rest.partition(b"/")[0].partition(b"?")[0]


def _printable(value: bytes) -> str:
    return value[:100].decode("ascii", "replace")
