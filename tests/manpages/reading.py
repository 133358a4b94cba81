"""Reads what the generator writes, for tests of it: marked text back into text, and the tags of a section."""

import re

from manpages import roff

_SPELLED = {"e": "\\", "-": "-", "(aq": "'", "(dq": '"', "(ga": "`", "(ha": "^", "(ti": "~", "&": ""}
_ESCAPE = re.compile(r"\\(?:f[BIR]|\[u([0-9A-F]{4,6})\]|(\(..|[-e&]))")


def plain(marked: str) -> str:
    """Return what is printed for marked text, without its fonts; an escape that is not known fails."""
    assert "\\" not in _ESCAPE.sub("", marked), marked
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _SPELLED.get(match[2] or "", ""), marked)


def below(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one that is not deeper than a part of a section."""
    title = re.escape(roff.escape(heading))
    found = re.search(rf'^(?:\.S[SH] "{title}"|\\fB{title}\\fR)\n(.*?)(?=^\.S[SH] |\Z)', page, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no heading {heading}"
    return found[1]


def tags(text: str) -> list[str]:
    """List what is in bold in the tags of tagged lists."""
    return [
        plain(name)
        for tag in re.findall(r"^\.TP\n(.*)$", text, re.MULTILINE)
        for name in re.findall(r"\\fB(.+?)\\fR", tag)
    ]
