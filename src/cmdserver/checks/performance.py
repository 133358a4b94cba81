"""Performance data, as plugins print them (Monitoring Plugins Guidelines, "Performance data").

``'label'=value[UOM];[warn];[crit];[min];[max]``, separated by blanks.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from cmdserver.checks.ranges import NotARange, Range, number, plain
from cmdserver.checks.states import CheckState

#: Of one result; a plugin that prints more is cut.
MOST_VALUES: Final = 2000
#: That are looked at; of what follows only the words are counted, as a megabyte of rubbish takes a second.
MOST_CHARACTERS: Final = 1 << 17

_ITEM: Final = re.compile(
    r"""\s* (?: '(?P<quoted>(?:[^'\r\n]|''){1,256})' | (?P<bare>[^\s'=|]{1,256}) )
        = (?P<value>U|[-+.0-9][-+.0-9eE]{0,40}?) (?P<unit>[^\s\d;'"|=.+-]{0,16})
        (?P<rest>(?:;[^\s;']{0,64}){0,4};{0,4}) (?=\s|$)""",
    re.VERBOSE | re.ASCII,
)


class Performance(Struct, frozen=True, kw_only=True):
    """One value that was measured."""

    label: str
    #: None: it could not be found out (``U``).
    value: float | None
    #: ``s``, ``%``, ``B``, ``c`` (a counter), or what the plugin says; empty: a number.
    unit: str = ""
    #: Which values are a warning, and which are critical.
    warning: Range | None = None
    critical: Range | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def alert(self) -> tuple[CheckState, Range] | None:
        """The worst state that its limits raise, and the limit that does; None: the value is within them, or none."""
        if self.value is not None:
            for state, limit in ((CheckState.CRITICAL, self.critical), (CheckState.WARNING, self.warning)):
                if limit is not None and limit.alerts(self.value):
                    return state, limit
        return None

    def __str__(self) -> str:
        value = "U" if self.value is None else plain(self.value)
        ranges = ["" if each is None else each.text for each in (self.warning, self.critical)]
        bounds = ["" if each is None else plain(each) for each in (self.minimum, self.maximum)]
        return ";".join((f"{quoted(self.label)}={value}{self.unit}", *ranges, *bounds)).rstrip(";")


def quoted(label: str) -> str:
    """Write a label so that a monitoring system reads it back: no ``=`` may be in it, and nothing that ends it."""
    safe = "".join("_" if each in "=|" or not each.isprintable() else each for each in label) or "_"
    return f"""'{safe.replace("'", "''")}'""" if re.fullmatch(r"[\w./:%-]+", safe) is None else safe


def parse(text: str) -> tuple[tuple[Performance, ...], int]:
    """Read what stands behind ``|``; what is no performance data is passed over, as Nagios does.

    Returns:
        The first `MOST_VALUES` values, and how many more there are.
    """
    values = _values(text[:MOST_CHARACTERS])
    kept = tuple(islice(values, MOST_VALUES))
    return kept, sum(1 for _ in values) + len(text[MOST_CHARACTERS:].split())


def joined(values: Iterable[Performance]) -> str:
    """Write performance data on one line."""
    return " ".join(map(str, values))


def _values(text: str) -> Iterator[Performance]:
    position = 0
    while position < len(text):
        found = _ITEM.match(text, position)
        if found is not None and (value := _value(found)) is not None:
            yield value
            position = found.end()
        else:
            position = _following(text, position)


def _following(text: str, position: int) -> int:
    """Return where the word behind one that is no performance data begins."""
    while position < len(text) and text[position].isspace():
        position += 1
    while position < len(text) and not text[position].isspace():
        position += 1
    return position


def _value(found: re.Match[str]) -> Performance | None:
    measured = None if found["value"] == "U" else number(found["value"])
    if measured is None and found["value"] != "U":
        return None
    label = found["bare"] or (found["quoted"] or "").replace("''", "'")
    warning, critical, minimum, maximum = (*found["rest"].split(";")[1:], "", "", "", "")[:4]
    return Performance(
        label=label,
        value=measured,
        unit=found["unit"],
        warning=_range(warning),
        critical=_range(critical),
        minimum=number(minimum),
        maximum=number(maximum),
    )


def _range(text: str) -> Range | None:
    try:
        return Range.parse(text) if text else None
    except NotARange:
        return None
