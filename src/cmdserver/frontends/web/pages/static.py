"""The static files of pages, by name; no path is ever made of what a client sends.

They are read when this module is imported: where Python is installed below a directory that only root can read, the
daemon could not read them after it has dropped privileges.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Final

#: Media types by name; what is not listed is not served.
TYPES: Final[Mapping[str, bytes]] = {
    "app.css": b"text/css; charset=utf-8",
    "app.js": b"text/javascript; charset=utf-8",
    "base.js": b"text/javascript; charset=utf-8",
    "run.js": b"text/javascript; charset=utf-8",
    "runs.js": b"text/javascript; charset=utf-8",
    "icon.svg": b"image/svg+xml",
    "marks.svg": b"image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """One file."""

    content_type: bytes
    body: bytes
    #: Quoted, as it stands in headers.
    etag: bytes


def _read() -> Mapping[str, StaticFile]:
    """Read the files of `TYPES` that there are."""
    directory = resources.files("cmdserver.frontends.web.pages") / "static"
    found = {}
    for name, content_type in TYPES.items():
        path = directory / name
        if path.is_file():
            body = path.read_bytes()
            etag = f'"{sha256(body).hexdigest()[:32]}"'.encode("ascii")
            found[name] = StaticFile(content_type=content_type, body=body, etag=etag)
    return found


#: By their names.
FILES: Final = _read()


def is_fresh(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether the client has the file already (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    given = [each.strip().removeprefix(b"W/") for each in if_none_match.split(b",")]
    return etag in given or b"*" in given
