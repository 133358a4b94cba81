"""What the administrator calls this host, for people: its name, a label beside it, a notice. Front ends draw it."""

import re
from typing import Final

from msgspec import Struct

#: The colours of labels that have names; white text on each of them can be read (contrast 5 and more).
NAMED_COLOURS: Final = {
    "red": "#b3261e",
    "orange": "#b45309",
    "green": "#157347",
    "blue": "#1a5c9e",
    "violet": "#6d3fb0",
    "grey": "#55626a",
}

_HEXADECIMAL = re.compile(r"#[0-9a-fA-F]{6}")


class Site(Struct, frozen=True, kw_only=True):
    """``[site]`` of the configuration, with its defaults filled in; every text is one line."""

    name: str
    #: Such as ``production``; empty: none.
    label: str = ""
    #: Of the label, as ``#rrggbb`` in lower case.
    colour: str = NAMED_COLOURS["grey"]
    #: A sentence for all who come; empty: none.
    notice: str = ""


def parse_colour(text: str) -> str:
    """Read a colour, ``#rrggbb`` or one of `NAMED_COLOURS`; return it as ``#rrggbb`` in lower case.

    Raises:
        ValueError: It is neither.
    """
    if text in NAMED_COLOURS:
        return NAMED_COLOURS[text]
    if _HEXADECIMAL.fullmatch(text):
        return text.lower()
    raise ValueError(f"must be #rrggbb or one of {', '.join(NAMED_COLOURS)}, not {text!r}")
