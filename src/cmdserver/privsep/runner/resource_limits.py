"""The resource limits of a command (``[commands.NAME.limits]``, setrlimit(2)), as its process sets them for itself."""

import resource
from collections.abc import Iterable
from typing import Final

#: By their names in the configuration.
_RESOURCES: Final = {
    "cpu_seconds": resource.RLIMIT_CPU,
    "memory_bytes": resource.RLIMIT_AS,
    "processes": resource.RLIMIT_NPROC,
    "open_files": resource.RLIMIT_NOFILE,
    "file_bytes": resource.RLIMIT_FSIZE,
}


def set_resource_limits(limits: Iterable[tuple[str, int]]) -> None:
    """Set our own limits; where a lower one may not be raised, that one holds."""
    for name, value in limits:
        number = _RESOURCES[name]
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError):
            hard = resource.getrlimit(number)[1]
            resource.setrlimit(number, (hard, hard))
