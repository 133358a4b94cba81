"""The static files of pages, by name; no path is ever made of what a client sends.

They are read when this module is imported: where Python is installed below a directory that only root can read, the
daemon could not read them after it has dropped privileges.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from typing import Final, Self

from msgspec import Struct

from cmdserver.core.site import Site

_SHEET, _SCRIPT, _PICTURE = b"text/css; charset=utf-8", b"text/javascript; charset=utf-8", b"image/svg+xml"

#: The files that are put together for a sheet, and for a script, in this order; those of a script share one scope. A
#: page loads one of each: that of lists, or that of everything else.
_SHEETS: Final = {
    "list.css": ("base.css", "commands.css", "runs.css"),
    "page.css": ("base.css", "forms.css", "run.css", "output.css", "table.css", "values.css"),
}
_SCRIPTS: Final = {
    "list.js": ("base.js", "frame.js", "follow.js", "commands.js", "runs.js", "main.js"),
    "page.js": ("base.js", "frame.js", "follow.js", "forms.js", "output.js", "table.js", "run.js", "main.js"),
    "hub.js": ("hub.js",),
}
_PICTURES: Final = {"icon.svg": ("icon.svg",), "marks.svg": ("marks.svg",)}
#: What is served, by name: the media type, and the files it is made of.
PARTS: Final[Mapping[str, tuple[bytes, tuple[str, ...]]]] = {
    name: (content_type, parts)
    for content_type, files in ((_SHEET, _SHEETS), (_SCRIPT, _SCRIPTS), (_PICTURE, _PICTURES))
    for name, parts in files.items()
}
#: The sheet that has the colour of a host's label; see `sheet_of`.
SITE_SHEET: Final = "site.css"
#: Of comments: they are for whoever reads the sources.
_BLANK: Final = re.compile(r"\s*([{};,])\s*|(?<=:)\s+")
_COMMENT_LINE: Final = re.compile(r"//.*|/\*[^*]*\*/")
_COMMENT_BEHIND: Final = re.compile(r"(?<=[;{,]) // .*")
#: Of sheets: the last semicolon of a rule, and the zero of a fraction.
_NEEDLESS: Final = re.compile(r";(?=\})|(?<![\w.])0(?=\.\d)")


class StaticFile(Struct, frozen=True, kw_only=True):
    """One file."""

    content_type: bytes
    body: bytes
    #: Quoted, as it stands in headers.
    etag: bytes

    @classmethod
    def of(cls, content_type: bytes, body: bytes) -> Self:
        """Make one."""
        return cls(content_type=content_type, body=body, etag=f'"{sha256(body).hexdigest()[:32]}"'.encode("ascii"))


def compact(source: str) -> str:
    """Leave out what only readers of a sheet or a script need: indentation, blank lines, lines that are comments."""
    lines = (_COMMENT_BEHIND.sub("", line.strip()) for line in source.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not _COMMENT_LINE.fullmatch(line))


def compact_sheet(source: str) -> str:
    """Leave out of a sheet what only its readers need, blanks around punctuation included."""
    packed = _BLANK.sub(lambda found: found[1] or "", compact(source).replace("\n", " "))
    return _NEEDLESS.sub("", packed).strip() + "\n"


@lru_cache(maxsize=4)
def sheet_of(site: Site) -> StaticFile:
    """Return the sheet with the colour of a host's label, and of what is written on that."""
    body = f":root{{--site:{site.colour};--on-site:{on_colour(site.colour)}}}\n" if site.label else ""
    return StaticFile.of(_SHEET, body.encode("ascii"))


def on_colour(colour: str) -> str:
    """Return black or white, whichever can be read better on a colour: never with a contrast under 4.58.

    Args:
        colour: As ``#rrggbb``.
    """
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    # Relative luminance, as WCAG 2.2 defines it.
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]  # noqa: PLR2004
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


_COMPACT: Final[Mapping[bytes, Callable[[str], str]]] = {_SHEET: compact_sheet, _SCRIPT: compact}


def _read() -> Mapping[str, StaticFile]:
    """Put the files together."""
    directory = resources.files("cmdserver.frontends.web.pages") / "static"
    found = {}
    for name, (content_type, parts) in PARTS.items():
        texts = [(directory / part).read_text("utf-8") for part in parts]
        body = "".join(_COMPACT.get(content_type, str)(text) for text in texts)
        found[name] = StaticFile.of(content_type, body.encode())
    return found


#: By their names.
FILES: Final = _read()


def is_fresh(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether the client has the file already (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    given = [each.strip().removeprefix(b"W/") for each in if_none_match.split(b",")]
    return etag in given or b"*" in given
