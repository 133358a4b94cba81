"""Values that cannot be what their names say: the sign of a parser that has taken one column for another.

Tables are read by blanks, and a share's name may have one: then a size stands where a percentage should be. What is
wrong beside it looks right, so whoever meets such a value believes nothing of the data.

Rule of this module: pure. The names are those of jc's parsers for commands; the bounds are wide, as a value that is
rare is no value that cannot be.
"""

from collections.abc import Iterable
from typing import Final

#: Shares of one whole. BSD's df counts without what is kept for root, and comes to 108 % or so.
_SHARES: Final = frozenset({"use", "used", "iuse", "iused", "capacity", "mem", "loss", "battery", "complete"})
_MOST_OF_ONE: Final = 125
#: Of others there may be one whole for each processor, and more of those than of anything else.
_MOST_OF_MANY: Final = 1_000_000
#: What is counted, and begins with nothing. What is available may be less: root may use what is kept for it.
_COUNTED: Final = frozenset(
    {"size", "used", "iused", "total", "pid", "ppid", "rss", "vsz", "users", "load_1m", "load_5m", "load_15m"}
)
_COUNTED_ENDS: Final = ("_bytes", "_blocks", "_total_seconds")
_MOUNT_POINTS: Final = frozenset({"mounted_on", "mount_point"})
#: Of TCP and UDP.
_PORTS: Final = frozenset({"local_port_num", "peer_port_num", "port_num"})
_MOST_PORT: Final = (1 << 16) - 1


def is_plausible(name: str, value: object) -> bool:
    """Whether a value may be what its name says; what is neither a number nor a text always may.

    Args:
        name: As a parser of jc writes it, ``use_percent``.
        value: As it made it.
    """
    match value:
        case str():
            # A unit has its kind in its name; what systemctl writes before it has not.
            return (name not in _MOUNT_POINTS or value.startswith("/")) and (name != "unit" or "." in value)
        case int() | float() if not isinstance(value, bool):
            words = name.split("_")
            if "percent" in words or "percentage" in words:
                return 0 <= value <= _most(words)
            if name in _PORTS:
                return 0 <= value <= _MOST_PORT
            return value >= 0 or not (name in _COUNTED or name.endswith(_COUNTED_ENDS))
        case _:
            return True


def _most(words: Iterable[str]) -> int:
    return _MOST_OF_MANY if _SHARES.isdisjoint(words) else _MOST_OF_ONE
