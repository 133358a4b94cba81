"""The runner process: ``python -m cmdserver.privsep ARGUMENTS...``, with the socket to the daemon as descriptor 3.

The daemon starts it, see `cmdserver.privsep.daemon.starting`; it ends when the daemon does.
"""

import gc
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

from cmdserver.config.decoding import Mistakes
from cmdserver.config.host import Host
from cmdserver.config.loading import Source, configure, load
from cmdserver.execution.posix import raise_descriptor_limit
from cmdserver.files.credential_files import CredentialDirectory
from cmdserver.files.stale_files import remove_pid_file, remove_sockets
from cmdserver.privsep import linux
from cmdserver.privsep.arguments import RunnerArguments
from cmdserver.privsep.channel import Channel
from cmdserver.privsep.messages import Read, Trouble, encode
from cmdserver.privsep.process_tags import ProcessTags, end_tagged
from cmdserver.privsep.runner.allow_list import AllowList, LoadedConfiguration, mistaken
from cmdserver.privsep.runner.capabilities import RetainedCapabilities
from cmdserver.privsep.runner.control_groups import ControlGroups, find_place
from cmdserver.privsep.runner.launching import Launcher
from cmdserver.privsep.runner.process_table import ProcessTable
from cmdserver.privsep.runner.serving import Server
from cmdserver.privsep.runner.standby import Forked, Standby

#: The daemon's end is the other one.
_CONNECTION = 3
#: Descriptors of ours for each run: ends of pipes, and what tells whether it has begun.
_PIPES_OF_A_RUN = 4
_OTHER_DESCRIPTORS = 64


def main(arguments: RunnerArguments) -> None:
    """Be the runner, or its standby, until the daemon is gone."""
    _set_up()
    connection = socket.socket(fileno=_CONNECTION)
    kept = RetainedCapabilities()
    try:
        allow_list = AllowList(lambda: _read(arguments.configuration, kept))
        credentials = CredentialDirectory(arguments.state_directory)
    except Mistakes as mistakes:
        connection.send(encode(mistaken(mistakes)))
        return
    except OSError as error:
        connection.send(encode(Read((str(error),), ())))
        return
    groups = ControlGroups.below(find_place(), arguments.family)
    kept.drop_others(allow_list.commands)
    linux.hide_memory()
    groups = groups.if_usable() if groups is not None else None
    launcher = Launcher(raise_descriptor_limit(_PIPES_OF_A_RUN * allow_list.most + _OTHER_DESCRIPTORS), groups)
    deaths = linux.blocked_signals(signal.SIGCHLD)
    standby = Standby()
    tags = ProcessTags(arguments.family)
    gc.collect()
    gc.freeze()
    is_replacement = False
    while True:
        channel = Channel(connection)
        if is_replacement:
            channel.post(Trouble("the runner process did not answer for too long, and was ended by its standby"))
        processes = ProcessTable(launcher, tags, channel.post, groups, standby.pids)
        server = Server(channel, processes, allow_list, credentials, standby, deaths)
        predecessor = os.getpid()
        try:
            server.serve()
        except Forked:
            server.let_go()
            is_replacement = standby.wait_for_takeover(predecessor)
            end_tagged(tags, partial(groups.end, with_directory=False) if groups is not None else None)
        else:
            # Before everything else: commands end with the daemon, whatever lies in the place of its files.
            server.end()
            _remove_files(arguments, allow_list)
            return


def _remove_files(arguments: RunnerArguments, allow_list: AllowList) -> None:
    """Remove what the daemon, which has become somebody else, may not."""
    if arguments.pid_file:
        remove_pid_file(Path(arguments.pid_file), arguments.daemon)
    if arguments.state_directory:
        remove_sockets(allow_list.sockets, arguments.daemon)


def _set_up() -> None:
    # The daemon decides when we end: a terminal's Ctrl-C, and a SIGTERM to the whole service, are for it to hear.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    os.umask(0o022)
    linux.adopt_orphans()
    linux.refuse_new_privileges()
    os.set_inheritable(_CONNECTION, False)


def _read(file: str, kept: RetainedCapabilities) -> LoadedConfiguration:
    source = load(file, {}) if file else Source.built_in()
    configuration = configure(source, Host(), lambda _: None)
    kept.require(configuration.commands)
    return LoadedConfiguration(source, configuration)


if __name__ == "__main__":
    main(RunnerArguments.read(sys.argv[1:]))
