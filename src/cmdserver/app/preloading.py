"""Import everything before privileges are dropped, where the daemon's user cannot read Python's files.

Parts that not every daemon needs (TLS, a kind of listener) are imported when the first of them is configured, perhaps
by a reload. Where Python is installed below a directory that is root's alone, such as root's home, the user that the
daemon becomes cannot import anything; nor can root while it acts as that user.
"""

import contextlib
import encodings
import os
import pkgutil
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

import cmdserver
from cmdserver.core.protocols import Protocol
from cmdserver.files.run_as_owner import acting_as

_PACKAGE = Path(cmdserver.__file__).parent

#: By the beginnings of their names: found when text is first encoded so, as addresses, host names and names in
#: certificates are (BMPString is UTF-16, UniversalString UTF-32). All that there are would take 5 MB.
_ENCODINGS = ("ascii", "idna", "iso8859_1", "latin_1", "punycode", "raw_unicode", "unicode_escape", "utf_")

#: What the standard library imports in the middle of its work, for files of packages.
_LATE = ("importlib.readers", "importlib.resources.readers", "importlib.resources._adapters")

#: What of Python's own modules the front end of SSH alone imports. With these loaded, the first listener of SSH can be
#: added by a reload where packages are within reach and Python is not.
_OF_SSH = ("colorsys",)

#: Programs, and what they alone use: no parts of the daemon.
_NOT_OURS = (
    "cmdserver.cli",
    "cmdserver.fleet.agent",
    "cmdserver.fleet.bus",
    "cmdserver.fleet.nats_client",
    "cmdserver.fleet.client",
    "cmdserver.lint.",
    "cmdserver.nrpe_import",
    "cmdserver.privsep.__main__",
    "cmdserver.privsep.runner",
    "cmdserver.privsep.parsing.__main__",
)


def is_out_of_reach(uid: int, gid: int) -> bool:
    """Whether a user, who is in one group, cannot read what we have imported so far; for root alone."""
    files = {file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    with acting_as(uid, gid):
        return not all(os.access(file, os.R_OK, effective_ids=True) for file in files)


def load_everything(protocols: Collection[Protocol]) -> None:
    """Import all modules of ours, and with them what they import.

    Args:
        protocols: Those of the listeners. What only other protocols need is left out: it takes a fifth of a second, and
            a listener of another protocol takes a restart.
    """
    wanted = {name for protocol in protocols for name in protocol.own_modules}
    unwanted = tuple({name for protocol in Protocol for name in protocol.own_modules} - wanted)
    for module in pkgutil.walk_packages([str(_PACKAGE)], f"{cmdserver.__name__}.", onerror=lambda _: None):
        if not module.name.startswith((*_NOT_OURS, *unwanted)):
            _load(module.name)
    for name in (*_LATE, *_OF_SSH):
        _load(name)
    for encoding in pkgutil.iter_modules(encodings.__path__):
        if encoding.name.startswith(_ENCODINGS):
            _load(f"{encodings.__name__}.{encoding.name}")


def _load(name: str) -> None:
    # What rests on a package that is not installed (jc) is not used; and versions of Python differ.
    with contextlib.suppress(ImportError):
        import_module(name)
