"""The host's time zone, in which schedules are meant: the one that TZ names, else that of /etc/localtime, else UTC."""

import zoneinfo
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

LOCAL_TIME: Final = Path("/etc/localtime")
#: Of a file of a time zone: those that there are have less than 10 kB.
_MOST_BYTES: Final = 1 << 20


def host_zone(environment: Mapping[str, str], local_time: Path = LOCAL_TIME) -> tzinfo:
    """Find the host's time zone.

    Args:
        environment: Whose TZ names one, or does not: a rule (``CET-1CEST``) is not read.
        local_time: A file as tzfile(5) describes it.
    """
    return _named(environment.get("TZ", "").removeprefix(":")) or _of_file(local_time) or UTC


def _named(name: str) -> tzinfo | None:
    if name.startswith("/"):
        return _of_file(Path(name))
    try:
        return ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # among them what is a directory
        return None


def _of_file(path: Path) -> tzinfo | None:
    try:
        with path.open("rb") as file:
            if len(file.read(_MOST_BYTES)) == _MOST_BYTES:
                return None
            file.seek(0)
            return ZoneInfo.from_file(file, key=_name_of(path))
    except (OSError, ValueError):
        return None


def _name_of(path: Path) -> str | None:
    """Say what people call the zone of a file; None if its place does not tell."""
    _, found, name = str(path.resolve()).partition("/zoneinfo/")
    return name if found else None
