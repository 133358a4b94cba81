"""Output as the parsers of jc expect it, where they do not expect what programs print.

df's table is read by blanks, and names have some: a share may be called ``//nas/Common Files``. systemctl marks units
that have failed, ss leaves out the kind of sockets where there is one, and top counts in KiB. What cannot be made plain
without a doubt is left as it is, for `plausible` to judge what becomes of it.

Rule of this module: pure.
"""

import re
from collections.abc import Mapping

from msgspec import Struct, field

from cmdserver.checks.data import Json

_HEAD = re.compile(r"Filesystem\s+(?P<middle>\S.*\S)\s+Mounted on\s*", re.IGNORECASE)
#: A size as df writes it, with -h, --si or -BM too; none is a dash.
_SIZE = r"(?:\d[\d.,]*[KMGTPEZY]?i?B?|-)"
_SHARE = r"(?:\d+%|-)"
#: systemctl's mark of what has failed or is not found, where a unit's name begins.
_MARK = re.compile("^[*\u25cf\u25cb\u21bb\u00d7x] (?=\\S)", re.MULTILINE)
#: More lines are not repaired: each takes a regular expression.
_LINES = 5_000


class Repaired(Struct, frozen=True):
    """A text, and what a parser makes of it that is to be put right."""

    text: str
    #: Names by what stands for them in the text.
    names: Mapping[str, str] = field(default_factory=dict)
    #: A key that was put into it.
    added: str | None = None
    #: Whether numbers that are called bytes are KiB.
    is_in_kib: bool = False

    def restore(self, value: Json) -> Json:
        """Put right what a parser has made of the text."""
        if not isinstance(value, list):
            return value
        return [self._row(row) if isinstance(row, Mapping) else row for row in value]

    def _row(self, row: Mapping[str, Json]) -> Json:
        restored = {
            key: self.names.get(each, each) if isinstance(each, str) else each
            for key, each in row.items()
            if key != self.added
        }
        processes = row.get("processes")
        if self.is_in_kib and isinstance(processes, list):
            restored["uptime"] = None  # 14:03 is no 1403
            restored["processes"] = [_in_bytes(each) if isinstance(each, Mapping) else each for each in processes]
        return restored


def repair(parser: str, text: str) -> Repaired:
    """Make output plain for a parser; for most of them it is."""
    match parser:
        case "df":
            return _df(text)
        case "ss":
            return _ss(text)
        case "systemctl":
            return Repaired(_MARK.sub("  ", text))
        case "top":
            return Repaired(text, is_in_kib=True)
        case _:
            return Repaired(text)


def _in_bytes(process: Mapping[str, Json]) -> Json:
    """Multiply what top has written without a unit: jc takes it for bytes."""
    restored = dict(process)
    for key, value in process.items():
        name = key.removesuffix("_bytes")
        if name != key and process.get(f"{name}_unit") == "b" and isinstance(value, int):
            restored |= {key: value * 1024, f"{name}_unit": "KiB"}
    return restored


def _ss(text: str) -> Repaired:
    """Put in the kind of the sockets, where there is only one."""
    if not text.startswith("State"):
        return Repaired(text)
    head, *lines = text.splitlines(keepends=True)
    return Repaired("".join((f"Netid {head}", *(f"tcp   {line}" for line in lines if line.strip()))), added="netid")


def _df(text: str) -> Repaired:
    head, *rest = text.splitlines() or [""]
    found = _HEAD.fullmatch(head)
    if found is None or len(rest) > _LINES:
        return Repaired(text)
    columns = found["middle"].split()
    row = re.compile(r"(\S.*?)\s+" + r"\s+".join(f"({_pattern(each)})" for each in columns) + r"\s+(/.*)")
    names: dict[str, str] = {}
    lines = [["Filesystem", *columns, "Mounted on"]]
    for line in _joined(rest):
        match = row.fullmatch(line.rstrip())
        if match is None:
            return Repaired(text)
        source, *middle, target = match.groups()
        # The names that stand for names are like none that df prints: they end in a character for private use.
        stand_ins = f"{len(lines)}\ue000", f"/{len(lines)}\ue000"
        names |= dict(zip(stand_ins, (source, target), strict=True))
        lines.append([stand_ins[0], *middle, stand_ins[1]])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ["  ".join(each.ljust(width) for each, width in zip(line, widths, strict=True)) for line in lines]
    return Repaired("".join(f"{each}\n" for each in aligned), names)


def _pattern(column: str) -> str:
    if column.lower() in {"type", "file"}:
        return r"\S+"
    return _SHARE if column.endswith("%") or column.lower() == "capacity" else _SIZE


def _joined(lines: list[str]) -> list[str]:
    """Join what an older df has wrapped: a long name has a line of its own."""
    joined: list[str] = []
    for line in filter(str.strip, lines):
        if joined and line[0].isspace():
            joined[-1] += line
        else:
            joined.append(line)
    return joined
