"""Load what is loaded when it is needed, before it cannot be any more.

Parts that not every daemon needs (TLS, a kind of door) are imported when the first of them is configured, perhaps by a
reload. Where Python is installed below a directory that is root's alone, such as root's home, the user that the daemon
becomes cannot import anything.
"""

import codecs
import contextlib
import os
import pkgutil
import stat
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

_PACKAGE = Path(__file__).parent

#: Found by name when text is first encoded so, addresses of IPv6 among it.
_ENCODINGS = ("ascii", "idna", "iso8859-1", "latin-1", "punycode", "unicode_escape", "utf-8", "utf-8-sig", "utf-16")

#: What the standard library imports in the middle of its work, for files of packages.
_LATE = ("importlib.readers", "importlib.resources.readers", "importlib.resources._adapters")

#: By the beginnings of their names, what is for doors of one protocol.
_OF_PROTOCOLS = {
    "ssh": ("cmdserver.frontends.ssh", "cmdserver.host_keys", "cmdserver.sshtransport"),
    "web": ("cmdserver.frontends.web", "cmdserver.metrics"),
}

#: Programs, not parts of the daemon.
_NOT_OURS = ("cmdserver.companion", "cmdserver.privsep.__main__")


def is_out_of_reach(uid: int, gid: int) -> bool:
    """Whether a user, who is in one group, cannot read the modules of this Python, or ours."""
    places = {Path(os.__file__).parent, _PACKAGE}
    return any(not _may_enter(directory, uid, gid) for place in places for directory in (place, *place.parents))


def load_everything(protocols: Collection[str]) -> None:
    """Import all modules of ours, and with them what they import.

    Args:
        protocols: Those of doors that there are; what only others need is left out, as it takes a fifth of a second,
            and a door of another protocol takes a restart.
    """
    unwanted = tuple(name for protocol, names in _OF_PROTOCOLS.items() if protocol not in protocols for name in names)
    for module in pkgutil.walk_packages([str(_PACKAGE)], f"{__package__}.", onerror=lambda _: None):
        if not module.name.startswith((*_NOT_OURS, *unwanted)):
            _load(module.name)
    for name in _LATE:
        _load(name)
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)


def _load(name: str) -> None:
    # What rests on a package that is not installed (h2, jc) is not used; and versions of Python differ.
    with contextlib.suppress(ImportError):
        import_module(name)


def _may_enter(directory: Path, uid: int, gid: int) -> bool:
    status = directory.stat()
    if status.st_uid == uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == gid else stat.S_IXOTH))
