"""What the daemon leaves behind where only root may remove it: its pid file, and its UNIX sockets.

Rule of this file: nothing is removed that is not what it should be.
"""

import contextlib
import stat
from collections.abc import Iterable
from pathlib import Path


def remove_pid_file(path: Path, daemon: int) -> None:
    """Remove the daemon's pid file, unless it is another's by now."""
    with contextlib.suppress(OSError, ValueError):
        if int(path.read_bytes()) == daemon:
            path.unlink()


def remove_sockets(endpoints: Iterable[str], daemon: int) -> None:
    """Remove the daemon's sockets, and the locks that Twisted keeps beside them: links to the daemon's number."""
    for endpoint in endpoints:
        path = socket_path(endpoint)
        if path is None:
            continue
        lock = path.with_name(f"{path.name}.lock")
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(path.lstat().st_mode) and str(lock.readlink()) == str(daemon):
                path.unlink()
                lock.unlink()


def socket_path(endpoint: str) -> Path | None:
    """Say where a UNIX socket's endpoint description puts it; None for every other one."""
    kind, _, rest = endpoint.removeprefix("haproxy:").partition(":")
    if kind != "unix":
        return None
    address = rest.removeprefix("address=").partition(":")[0]
    return Path(address) if address.startswith("/") else None
