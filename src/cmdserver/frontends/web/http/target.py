"""Request targets (RFC 9112, section 3.2): the host that they may name, path and query, and the root they are below."""

import re
from collections.abc import Collection
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from cmdserver.core.errors import Malformed
from cmdserver.frontends.web.http import form_data
from cmdserver.frontends.web.http.form_data import Fields

_SCHEME: Final = re.compile(rb"https?://", re.IGNORECASE)


class Target(NamedTuple):
    """A request target, taken apart."""

    #: Of a target in absolute form, the host and port; else None.
    authority: bytes | None = None
    #: Path and query, from the root.
    address: bytes = b"/"
    #: Of the path, decoded; at least one, which may be empty.
    parts: tuple[str, ...] = ("",)
    query: Fields = ()
    #: The relative reference from the address to the root (RFC 3986, section 5.2), such as ``../``. Never empty, so
    #: that what is appended to it cannot be taken for a scheme.
    root: str = "./"
    #: The path at which a proxy has the root, if the target has it; else empty.
    base_path: str = ""


def parse_target(target: bytes, base_path: str = "") -> Target:
    """Take a request target apart.

    Args:
        target: As the client has sent it.
        base_path: The path at which a proxy may have the root, such as ``/ops``; empty if there is none.

    Raises:
        Malformed: It has no form that a server is sent, it is not UTF-8, it has a control character, or its query has
            too many fields.
    """
    authority = None
    if not target.startswith(b"/"):
        authority, target = _split_absolute(target)
    path, question, query = target.partition(b"?")
    root, base = "", base_path.encode("ascii")
    if base and path == base:
        root, path = f"./{base_path.rpartition('/')[2]}/", b"/"
    elif base and path.startswith(base + b"/"):
        path = path[len(base) :]
    else:
        base_path = ""
    return Target(
        authority,
        path + question + query,
        # Most paths are plain, and one call less each.
        tuple(path[1:].decode("ascii").split("/")) if _PLAIN.fullmatch(path) else _decoded(path),
        form_data.of_query(query) if query else (),
        root or "../" * (path.count(b"/") - 1) or "./",
        base_path,
    )


def cut_behind(target: bytes, names: Collection[str]) -> bytes:
    """Return a request target as far as the first of some names in it, wherever and however that is spelled.

    It need not be a good one, and may hold another one, as that of a login does which says where to go afterwards.
    """
    for word in _WORD.finditer(target):
        text = unquote_to_bytes(word[0])
        found = [each for each in _WORD.findall(text) if each.decode(errors="replace") in names]
        if found:
            return target[: word.end() if found == [text] else word.start()]
    return target


#: What stands between the separators of a target.
_WORD: Final = re.compile(rb"[^/?&=;#+ ]+")
#: A path that needs no decoding.
_PLAIN: Final = re.compile(rb"[!-$&-~]*")


def _split_absolute(target: bytes) -> tuple[bytes, bytes]:
    """Split a target in absolute form into authority, and path with query."""
    scheme = _SCHEME.match(target)
    if scheme is None:
        raise Malformed("the request target is neither a path nor an http address")
    authority, slash, path = target[scheme.end() :].partition(b"/")
    return authority, slash + path if slash else b"/"


def _decoded(path: bytes) -> tuple[str, ...]:
    try:
        parts = tuple(unquote_to_bytes(part).decode() for part in path[1:].split(b"/"))
    except UnicodeDecodeError as error:
        raise Malformed("the path is not UTF-8") from error
    if not all(map(str.isprintable, parts)):
        raise Malformed("the path has a control character in it")
    return parts
