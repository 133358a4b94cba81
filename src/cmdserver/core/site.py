"""What this host is called: by the administrator, for people, with a label and a notice; and by its fleet."""

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


#: What a fleet without a name of its own is called.
DEFAULT_FLEET: Final = "default"
#: Names of fleets, and of hosts in them: letters, digits and ``. _ -``. On a bus the dots separate words, of which none
#: is empty.
FLEET_NAME: Final = r"[A-Za-z](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-])){0,63}"
HOST_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-])){0,252}"


class FleetHost(Struct, frozen=True):
    """A host as its fleet knows it, and as signed requests name it."""

    fleet: str
    name: str


def require_fleet_name(text: str) -> str:
    """Return a text that a fleet may be called; raises a ValueError for one that it may not."""
    return _require_name(text, FLEET_NAME)


def require_host_name(text: str) -> str:
    """Return a text that a host may be called in a fleet; raises a ValueError for one that it may not."""
    return _require_name(text, HOST_NAME)


def _require_name(text: str, pattern: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(f"{text!a} is no name: write it with letters, digits and . _ - only")
    return text
