"""Start a program as systemd does whose sockets it has opened (sd_listen_fds(3)); run as a program itself.

Arguments: a socket each, as ``NAME=ADDRESS=PORT`` (of both families, if the address is ``::``) or ``NAME=PATH``; then
``--`` and the program with its arguments.
"""

import os
import socket
import sys
from pathlib import Path

#: SD_LISTEN_FDS_START
FIRST = 3


def opened(where: list[str]) -> socket.socket:
    """Open one."""
    if len(where) == 1:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(where[0])
        Path(where[0]).chmod(0o600)
    else:
        listening = socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET)
        if listening.family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((where[0], int(where[1])))
    listening.listen(64)
    return listening


def main(arguments: list[str]) -> None:
    """Open the sockets, and become the program."""
    end = arguments.index("--")
    named = [each.split("=") for each in arguments[:end]]
    sockets = [opened(where) for _, *where in named]
    copies = [os.dup(each.fileno()) for each in sockets]
    for place, each in enumerate(copies):
        os.dup2(each, 100 + place, inheritable=False)
    for place in range(len(copies)):
        os.dup2(100 + place, FIRST + place, inheritable=True)
    os.environ.update(
        LISTEN_FDS=str(len(named)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(name for name, *_ in named)
    )
    os.execv(arguments[end + 1], arguments[end + 1 :])  # noqa: S606 - as systemd does


if __name__ == "__main__":
    main(sys.argv[1:])
