"""A runner process with the allow-list of a test: ``serve_commands.py DESCRIPTOR FAMILY``, the commands on its input.

What it is made of is the real runner's; the one difference is where the allow-list comes from.
"""

import os
import pickle
import signal
import socket
import sys
from typing import Any

from cmdserver.execution.posix import open_null
from cmdserver.files.credential_files import CredentialDirectory
from cmdserver.privsep import linux
from cmdserver.privsep.channel import Channel
from cmdserver.privsep.process_tags import ProcessTags
from cmdserver.privsep.runner.launching import Launcher
from cmdserver.privsep.runner.process_table import ProcessTable
from cmdserver.privsep.runner.serving import Server
from cmdserver.privsep.runner.standby import Forked


class _AllowList:
    def __init__(self, commands: Any) -> None:
        self.commands = commands
        self.most = 100
        self.checksum = 0


class _NoStandby:
    """There is no standby: the test is over before one is needed."""

    generation = 0
    pid = 1

    def require(self) -> None: ...

    def send_heartbeat(self) -> None: ...

    def reaped(self, pid: int) -> None: ...

    def stop(self) -> None: ...


def main(descriptor: int, family: int) -> None:
    """Serve until the test hangs up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    os.umask(0o022)
    linux.adopt_orphans()
    os.set_inheritable(descriptor, False)
    commands = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the test
    os.dup2(open_null(), 0)  # as the runner has it
    channel = Channel(socket.socket(fileno=descriptor))
    runs = ProcessTable(Launcher(), ProcessTags(family), channel.post)
    allow_list: Any = _AllowList(commands)
    others: Any = _NoStandby()
    server = Server(channel, runs, allow_list, CredentialDirectory(""), others, linux.blocked_signals(signal.SIGCHLD))
    try:
        server.serve()
    except Forked:
        os._exit(1)
    server.end()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
