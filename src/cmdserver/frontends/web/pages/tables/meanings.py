"""What the names in data mean: what names a row, in which unit numbers are, what people call it.

The names are those of jc's parsers and of JSON that programs print themselves. Of a name that is not known here nothing
is assumed but what the values show.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a column holds, which decides how it is drawn and sorted."""

    TEXT = "text"
    #: Several values in a cell.
    LIST = "list"
    NUMBER = "number"
    BYTES = "bytes"
    PERCENT = "percent"
    #: A percentage of which more is worse: how full a file system is.
    FULL = "full"
    #: Seconds.
    DURATION = "duration"
    #: A moment, as text.
    TIME = "time"

    @property
    def is_number(self) -> bool:
        """Whether its cells are sorted by numbers, from the top at first."""
        return self in _NUMBERS

    @property
    def is_right(self) -> bool:
        """Whether its cells stand at the right edge."""
        return self.is_number or self is Kind.TIME


_NUMBERS: Final = frozenset({Kind.NUMBER, Kind.BYTES, Kind.PERCENT, Kind.FULL, Kind.DURATION})

#: What rows are called, by a key that they have: one, several.
_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "pid": ("process", "processes"),
    "unit": ("unit", "units"),
    "unit_file": ("unit file", "unit files"),
    "mounted_on": ("file system", "file systems"),
    "mount_point": ("file system", "file systems"),
    "filesystem": ("file system", "file systems"),
    "ifname": ("interface", "interfaces"),
    "container_id": ("container", "containers"),
    "package": ("package", "packages"),
    "local": ("socket", "sockets"),
    "maj_min": ("block device", "block devices"),
}
_ROWS: Final = ("row", "rows")

_TITLES: Final = {
    "cpu_percent": "CPU",
    "percent_cpu": "CPU",
    "mem_percent": "Memory share",
    "percent_mem": "Memory share",
    "rss": "Memory",
    "resident_mem": "Memory",
    "vsz": "Virtual",
    "virtual_mem": "Virtual",
    "shared_mem": "Shared",
    "ppid": "Parent",
    "tty": "Terminal",
    "stime": "Start",
    "cmd": "Command",
    "time_hundredths": "Time",
    "filesystem": "File system",
    "capacity_percent": "Use",
    "used_share": "Use",
    "size_in_blocks": "Size",
    "maj_min": "Major:minor",
    "rm": "Removable",
    "ro": "Read-only",
    "mountpoints": "Mounted on",
    "ifname": "Interface",
    "operstate": "State",
    "addr_info": "Addresses",
    "recv_q": "Recv-Q",
    "send_q": "Send-Q",
    "opts": "Process",
    "uid": "User",
    "local": "Local address",
    "peer": "Peer address",
    "address": "Hardware address",
    "buff_cache": "Buffers, cache",
    "hostname": "Host",
}
_ACRONYMS: Final = frozenset({"pid", "cpu", "id", "uid", "gid", "mtu", "ip", "tty", "mac", "url", "uuid", "dns", "io"})

#: What is not shown, in rows that have this key: the text has it.
_LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    "pid": frozenset(
        {"vsz", "tty", "stat", "mem_percent", "c", "priority", "nice", "virtual_mem", "shared_mem", "percent_mem"}
    ),
    "maj_min": frozenset({"maj_min", "rm"}),
    "ifname": frozenset({"ifindex", "qdisc", "group", "txqlen", "link_type", "broadcast"}),
}

_KIB: Final = 1024
_IN_KIB: Final = frozenset({"vsz", "rss"})
#: Where a row has all of these, df has been at work, with -h, and jc has made bytes of it.
_SIZES: Final = frozenset({"size", "used", "available"})
#: The rows of free.
_MEMORY: Final = frozenset({"type", "total", "used", "free"})
_OF_MEMORY: Final = frozenset({"total", "used", "free", "shared", "buff_cache", "buffers", "cache", "available"})

#: Of what is full, more is worse; and of these only where they are of a file system.
_FULL: Final = frozenset({"use_percent", "used_percent", "capacity_percent", "iuse_percent", "iused_percent"})
_PERCENT: Final = frozenset({"percent", "percentage", "share"})
_PROCESSOR_TIMES: Final = frozenset({"time", "time_hundredths", "cpu_time"})
_MOMENTS: Final = frozenset({"start", "started", "stime", "login", "logout", "created", "date", "modified"})
_CODE: Final = frozenset({"command", "cmd", "args", "filesystem", "path", "executable", "local", "peer", "addr_info"})


def noun(keys: Collection[str], count: int) -> str:
    """Say what so many rows with these keys are: ``187 processes``."""
    one, several = next((words for key, words in _NOUNS.items() if key in keys), _ROWS)
    return f"{count:,} {one if count == 1 else several}"


def left_out(keys: Collection[str]) -> frozenset[str]:
    """Say what of rows with these keys is not shown."""
    names = frozenset().union(*(names for key, names in _LEFT_OUT.items() if key in keys))
    return frozenset(key for key in keys if key in names or key.removesuffix("_bytes") in names)


def title(key: str) -> str:
    """Say what people call a key."""
    if key in _TITLES:
        return _TITLES[key]
    words = [word for word in key.replace("-", "_").split("_") if word]
    short = [word for word in words if word not in {"percent", "bytes"}] or words or [key]
    first, *rest = (word.upper() if word in _ACRONYMS else word for word in short)
    return " ".join((first[:1].upper() + first[1:], *rest))


def is_code(key: str) -> bool:
    """Whether its values are what one types or sees at a prompt."""
    return key in _CODE


def is_last(key: str) -> bool:
    """Whether its texts come last, however long they are."""
    return key in {"cmd", "command", "description", "addr_info"}


def is_moment(key: str) -> bool:
    """Whether its texts are moments."""
    return key in _MOMENTS


def is_processor_time(key: str, keys: Collection[str]) -> bool:
    """Whether its texts are durations as ps writes them, and not times of day."""
    return key in _PROCESSOR_TIMES and "pid" in keys


def is_percentage(key: str) -> bool:
    """Whether its numbers are per cent."""
    return not _PERCENT.isdisjoint(key.split("_"))


def is_full(key: str, keys: Collection[str]) -> bool:
    """Whether its numbers are how full the file systems are that the rows are."""
    return key in _FULL and not {"mounted_on", "mount_point", "filesystem"}.isdisjoint(keys)


def bytes_each(key: str, keys: Collection[str], memory_unit: int | None) -> int | None:
    """Say how many bytes one of its numbers stands for; None if they are no bytes.

    Args:
        key: Of a column.
        keys: Of its row.
        memory_unit: Of free's numbers; None if it is not free.
    """
    blocks = block_bytes(keys)
    if key in _IN_KIB:
        return _KIB
    if key.endswith("_bytes") or key == "bytes":
        return 1
    if blocks is not None and (key in {"used", "available"} or block_bytes({key}) is not None):
        return blocks
    if key in _SIZES and set(keys) >= _SIZES:
        return 1
    if memory_unit is not None and key in _OF_MEMORY and set(keys) >= _MEMORY:
        return memory_unit
    return None


def block_bytes(keys: Collection[str]) -> int | None:
    """Say how many bytes a block of df has, by the name of its column (``1k_blocks``); None if there is none."""
    for key in keys:
        count, _, rest = key.partition("_")
        if rest == "blocks" and count.rstrip("km").isdigit():
            return int(count.rstrip("km")) * {"k": _KIB, "m": _KIB * _KIB}.get(count[-1], 1)
    return None


def byte_rank(key: str) -> int:
    """Order columns of bytes: what is left, what is used, the whole."""
    return {"available": 0, "used": 1}.get(key, 2)
