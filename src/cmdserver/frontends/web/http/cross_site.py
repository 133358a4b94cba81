"""Defences against pages of other sites: which host a request is for, which page has caused it, and what forms carry.

*Host*: another site's page can have its own name resolve to 127.0.0.1 (DNS rebinding), and then reads our answers as
its own; so only names of ours are served. *Sec-Fetch-Site, Origin and Referer*: browsers say which site a request comes
from (Fetch Metadata, RFC 6454, RFC 9110). *The anti-forgery token*: only our own pages know it, so another site's form
cannot send it (CSRF).

Browsers send Fetch Metadata over TLS and to localhost only, Origin unless a request is read-only, and Referer unless
the page forbids it; other programs send none of them.
"""

import hmac
import re
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import ClassVar, Final

from msgspec import Struct
from twisted.web.http_headers import Headers

from cmdserver.core.errors import Denied, Malformed
from cmdserver.net.host_names import is_own, normal_host

#: host [":" port], RFC 9110, section 7.2: a registered name, an IPv4 address, or an IPv6 address in brackets.
_AUTHORITY = re.compile(
    rb"(\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._~%-]{1,32})?\]|[A-Za-z0-9._-]{1,254})(?::([0-9]{0,5}))?"
)
#: RFC 9110, sections 4.2.1 and 4.2.2.
_DEFAULT_PORTS: Final = {b"http": 80, b"https": 443}


class Misdirected(Malformed):
    """A request is for a host name that is not ours."""

    #: RFC 9110, section 15.5.20.
    status: ClassVar = HTTPStatus.MISDIRECTED_REQUEST


class Provenance(Struct, frozen=True, kw_only=True):
    """The header values by which a browser says where a request comes from; None where there is no such header.

    No page can forge any of them.
    """

    origin: bytes | None
    referer: bytes | None
    #: ``Sec-Fetch-Site``, ``Sec-Fetch-Mode`` and ``Sec-Fetch-Dest``.
    site: bytes | None
    mode: bytes | None
    destination: bytes | None
    #: ``Host``, after `require_host`.
    host: bytes
    #: Whether the client speaks HTTPS. If not, a proxy that we do not know of may have ended TLS.
    is_secure: bool
    #: Whether a proxy that we know of has passed the request on.
    is_proxied: bool = False

    @property
    def is_of_browser(self) -> bool:
        """Whether a page has caused the request."""
        return self.origin is not None or self.site is not None

    @property
    def is_of_other_page(self) -> bool:
        """Whether a page of another site has caused the request, as far as the headers say."""
        if self.site is not None and self.site not in {b"same-origin", b"none"}:
            return True
        if self.origin is not None:
            return not self._is_ours(self.origin)
        return self.site is None and self.referer is not None and not self._is_ours(_origin_of(self.referer))

    @property
    def is_top_level(self) -> bool:
        """Whether the answer is, or may be, a page with an address bar; over plain HTTP browsers do not say."""
        return self.mode in {None, b"navigate"} and self.destination in {None, b"document"}

    def _is_ours(self, origin: bytes) -> bool:
        """Whether an origin is that of the host that was asked for.

        A proxy may end TLS before us, and may leave the port out of Host, or put its own there. So schemes are compared
        only where it is known that TLS is spoken, and ports only where Host has one and the browser does not say
        ``same-origin``.
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
        may_be_of_proxy = self.is_proxied or not self.is_secure
        return int(own[2]) == _DEFAULT_PORTS[scheme] or (may_be_of_proxy and int(own[2]) in _DEFAULT_PORTS.values())


#: The provenance of a request without any of these headers, such as curl's.
NOWHERE: Final = Provenance(
    origin=None, referer=None, site=None, mode=None, destination=None, host=b"", is_secure=False
)


def provenance_of(
    request_headers: Headers, *, is_secure: bool, is_proxied: bool = False, host: bytes | None = None
) -> Provenance:
    """Read the provenance of a request from its headers, which name one of our hosts; `NOWHERE` if they say nothing.

    Args:
        request_headers: All of them.
        is_secure: Whether the client speaks HTTPS.
        is_proxied: Whether a proxy that we know of has passed the request on.
        host: Which host the client has called, if that is another one than ``Host`` says.
    """
    values = request_headers.getRawHeaders
    origin, referer = values(b"origin"), values(b"referer")
    site, mode, destination = values(b"sec-fetch-site"), values(b"sec-fetch-mode"), values(b"sec-fetch-dest")
    if not (origin or referer or site or mode or destination):
        return NOWHERE
    return Provenance(
        origin=_joined(origin),
        referer=_joined(referer),
        site=_joined(site),
        mode=_joined(mode),
        destination=_joined(destination),
        host=host or _joined(values(b"host")) or b"",
        is_secure=is_secure,
        is_proxied=is_proxied,
    )


def _joined(values: Sequence[bytes] | None) -> bytes | None:
    return b", ".join(values) if values else None


def port_of(authority: bytes) -> bytes:
    """Return the port of a ``Host`` header, empty if it has none."""
    match = _AUTHORITY.fullmatch(authority)
    return b"" if match is None else match[2] or b""


def require_host(
    hosts: Sequence[bytes], besides: Sequence[bytes | None], ours: Collection[str], *, may_lack_it: bool
) -> None:
    """Refuse a request that names another host than ours.

    Args:
        hosts: The values of all its ``Host`` headers.
        besides: What else names one: its target, if that is in absolute form, or a proxy.
        ours: Our names, in lower case; ``*`` stands for every name.
        may_lack_it: Whether the header may be missing, as in HTTP/1.0.

    Raises:
        Misdirected: It names another host.
        Malformed: It names none, or several, or something that is not a host.
    """
    if len(hosts) > 1 or (not hosts and not may_lack_it):
        raise Malformed(f"a request has one Host header; this one has {len(hosts)}")
    for value in (*hosts, *besides):
        if value is None:
            continue
        match = _AUTHORITY.fullmatch(value)
        if match is None:
            raise Malformed("the Host header names no host")
        name = normal_host(match[1].decode("ascii"))
        if name not in ours and not is_own(name, ours):
            raise Misdirected(f"this server does not go by the name {name}; add it to hosts in [web] if it should")


def require_own_page(provenance: Provenance) -> None:
    """Refuse a request that a page of another site has caused.

    Raises:
        Denied: It has.
    """
    if provenance.is_of_other_page:
        page = _printable(provenance.origin or provenance.referer or provenance.site or b"")
        hint = "; if it is this server's own, have the proxy before it pass the Host header on"
        raise Denied(f"a page of another site ({page}) may not do this{hint if provenance.origin else ''}")


def require_token(given: bytes | None, expected: str) -> None:
    """Refuse a browser's request without the anti-forgery token of our own pages.

    Raises:
        Denied: The token is missing or another one; the page may be older than the session, or than the server.
    """
    if given is None or not hmac.compare_digest(given, expected.encode("ascii")):
        raise Denied("the anti-forgery token is missing or out of date; load the page again")


def safe_next(path: str) -> str:
    """Return where to go after a login: ``path`` if that is a path on this server, else the root (no open redirect)."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if is_ours else "/"


def _origin_of(address: bytes) -> bytes:
    """Return the origin of a page's address (RFC 6454)."""
    scheme, separator, rest = address.partition(b"://")
    return scheme + separator + rest.partition(b"/")[0].partition(b"?")[0]


def _printable(value: bytes) -> str:
    return value[:100].decode("ascii", "replace")
