"""The parsing process: ``python -m cmdserver.privsep.parsing UID GID PARSER…``, with the socket to the daemon as 3.

The daemon starts it, see `cmdserver.privsep.daemon.parser_process`; it ends when the daemon does. A user id of -1 is
who we are.
"""

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
from functools import partial

from cmdserver.execution.posix import become
from cmdserver.parsers import jc_library
from cmdserver.privsep import linux
from cmdserver.privsep.parsing import child
from cmdserver.privsep.parsing.serving import Server

_CONNECTION = 3
#: What parsers import in the middle of their work.
_LATE = ("_strptime", "jc.parsers.universal", "calendar")


def main(uid: int, gid: int, parsers: list[str]) -> None:
    """Be the parsing process until the daemon is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.set_inheritable(_CONNECTION, False)
    os.chdir("/")
    for name in parsers:
        _prepare(name)
    for name in _LATE:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if uid >= 0:
        become(uid, gid)
    linux.refuse_new_privileges()
    linux.hide_memory()
    gc.collect()
    gc.freeze()
    Server(socket.socket(fileno=_CONNECTION), _prepare, partial(child.work, jc_library.parse)).serve()


def _prepare(name: str) -> None:
    # What it is, the child says: that there is no such parser, or that Python's files are out of reach.
    with contextlib.suppress(Exception):
        jc_library.load(name)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
